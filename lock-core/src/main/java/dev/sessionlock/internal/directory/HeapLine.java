package dev.sessionlock.internal.directory;

import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.atomic.AtomicLongArray;

/**
 * A line that this process alone knows, for network file systems, where a mapped page is not shared by all machines. Nobody is
 * passed over there, so nobody needs to read its untils; its tokens grow with the wall clock and with the records that are met.
 */
final class HeapLine implements Line {
    private final AtomicLongArray until = new AtomicLongArray(2);
    private final AtomicLong token = new AtomicLong();

    @Override
    public long until(int seat) {
        return until.get(seat);
    }

    @Override
    public boolean says(int seat, long value) {
        return until.get(seat) == value;
    }

    @Override
    public boolean replace(int seat, long published, long value) {
        return until.compareAndSet(seat, published, value);
    }

    @Override
    public long drawToken(long wallMicros) {
        while (true) {
            long last = token.get();
            long next = Line.tokenAfter(last, wallMicros);
            if (next == NO_TOKEN || token.compareAndSet(last, next)) {
                return next;
            }
        }
    }

    @Override
    public long lastToken() {
        return token.get();
    }

    @Override
    public void raiseToken(long least) {
        token.accumulateAndGet(least, Math::max);
    }

    @Override
    public long waiterSeen() {
        return 0;
    }

    @Override
    public void raiseHand(long mark) {
        // Nobody else would see it: waiters of other machines poll.
    }

    @Override
    public boolean stands() {
        return true;
    }
}

package dev.sessionlock.internal.directory;

import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.atomic.AtomicLongArray;

/**
 * A table entry that this process alone knows, for network file systems, where a mapped page is not shared by all machines. Nobody is taken over
 * there, so nobody needs to read its expiries; its tokens grow with the wall clock and with the records that are found.
 */
final class HeapEntry implements TableEntry {
    private final AtomicLongArray expiries = new AtomicLongArray(2);
    private final AtomicLong token = new AtomicLong();

    @Override
    public long expiry(int seat) {
        return expiries.get(seat);
    }

    @Override
    public boolean hasExpiry(int seat, long value) {
        return expiries.get(seat) == value;
    }

    @Override
    public boolean replaceExpiry(int seat, long published, long value) {
        return expiries.compareAndSet(seat, published, value);
    }

    @Override
    public long drawTokens(long wallMicros, int many) {
        while (true) {
            long last = token.get();
            long next = TableEntry.tokenAfter(last, wallMicros, many);
            if (next == NO_TOKEN || token.compareAndSet(last, next + many - 1)) {
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
    public long waiterMark() {
        return 0;
    }

    @Override
    public void setWaiterMark(long mark) {
        // Nobody else would see it: waiting processes of other machines poll.
    }

    @Override
    public long writerMark() {
        return 0;
    }

    @Override
    public void setWriterMark(long mark) {
        // Nobody else would see it.
    }

    @Override
    public long readers() {
        return 0; // nobody shares a lock here
    }

    @Override
    public boolean replaceReaders(long read, long readers) {
        return false;
    }

    @Override
    public boolean isValid() {
        return true;
    }
}

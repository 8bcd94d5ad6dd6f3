package dev.sessionlock.internal.threads;

import dev.sessionlock.LockOptions;
import org.jspecify.annotations.Nullable;

/** Waits for a lock without a thread, and counts how often it is woken. */
final class CountedWaiter extends Waiter {
    int wakes;

    CountedWaiter(AcquireRequest request, long timeoutNanos, long since) {
        super(request, timeoutNanos, since);
    }

    CountedWaiter(long timeoutNanos, long since) {
        this(new AcquireRequest(new EventPublisher(null, null, false, 0), LockOptions.defaults(), "session", null), timeoutNanos, since);
    }

    CountedWaiter() {
        this(Long.MAX_VALUE, 0);
    }

    @Override
    @Nullable Thread owner() {
        return null;
    }

    @Override
    String ownerName() {
        return "nobody's thread";
    }

    @Override
    void unpark() {
        wakes++;
    }
}

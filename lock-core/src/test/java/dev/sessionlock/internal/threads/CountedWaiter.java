package dev.sessionlock.internal.threads;

import dev.sessionlock.LockOptions;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;

/** Waits for a lock without a thread, and counts how often it is woken. It has waited for long: nobody overtakes it. */
final class CountedWaiter extends Waiter {
    int wakes;

    CountedWaiter(AcquireRequest request, long timeoutNanos, long since) {
        this(request, timeoutNanos, since, System.nanoTime() - EventualFairness.PATIENCE_NANOS);
    }

    private CountedWaiter(AcquireRequest request, long timeoutNanos, long since, long queuedAt) {
        super(request, timeoutNanos, since, queuedAt);
    }

    /** {@return one that has just come, however long the test takes} */
    static CountedWaiter fresh(AcquireRequest request, long since) {
        return new CountedWaiter(request, Long.MAX_VALUE, since, System.nanoTime() + TimeUnit.HOURS.toNanos(1));
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
    int mostKernelWaiters() {
        return KernelWaiterThreads.MOST;
    }

    @Override
    void unpark() {
        wakes++;
    }
}

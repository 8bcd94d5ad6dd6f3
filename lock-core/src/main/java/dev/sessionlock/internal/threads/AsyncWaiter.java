package dev.sessionlock.internal.threads;

import dev.sessionlock.internal.system.ThreadNames;
import org.jspecify.annotations.Nullable;

/** The place in the queue of an acquisition that no thread waits for. The lock will belong to no thread. */
final class AsyncWaiter extends Waiter {
    private final AsyncAcquisition acquisition;
    private final String askedBy;

    /** @param askedBy the name of the thread that asked for it */
    AsyncWaiter(AsyncAcquisition acquisition, AcquireRequest request, long timeoutNanos, long since, String askedBy) {
        super(request, timeoutNanos, since, System.nanoTime());
        this.acquisition = acquisition;
        this.askedBy = askedBy;
    }

    @Override
    @Nullable Thread owner() {
        return null;
    }

    @Override
    String ownerName() {
        return ThreadNames.NONE;
    }

    @Override
    String askedBy() {
        return askedBy;
    }

    @Override
    void unpark() {
        acquisition.workSoon();
    }

    @Override
    int mostKernelWaiters() {
        return AsyncThreads.MOST_KERNEL_WAITERS;
    }
}

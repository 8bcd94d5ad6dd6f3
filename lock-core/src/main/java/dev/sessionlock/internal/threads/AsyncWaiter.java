package dev.sessionlock.internal.threads;

import org.jspecify.annotations.Nullable;

/** The place in the queue of an acquisition that no thread waits for. The lock will belong to no thread. */
final class AsyncWaiter extends Waiter {
    private final AsyncAcquisition acquisition;
    private final String name;

    /** @param name whose lock the record shows: the thread that asked for it */
    AsyncWaiter(AsyncAcquisition acquisition, AcquireRequest request, long timeoutNanos, long since, String name) {
        super(request, timeoutNanos, since, System.nanoTime());
        this.acquisition = acquisition;
        this.name = name;
    }

    @Override
    @Nullable Thread owner() {
        return null;
    }

    @Override
    String ownerName() {
        return name;
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

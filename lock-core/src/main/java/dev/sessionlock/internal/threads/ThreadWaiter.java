package dev.sessionlock.internal.threads;

import java.util.concurrent.locks.LockSupport;

/** A thread that waits for a lock, asleep. */
final class ThreadWaiter extends Waiter {
    private final Thread thread = Thread.currentThread();

    /** The calling thread waits. */
    ThreadWaiter(AcquireRequest request, long timeoutNanos, long since) {
        super(request, timeoutNanos, since, System.nanoTime());
    }

    @Override
    Thread owner() {
        return thread;
    }

    @Override
    String ownerName() {
        return thread.getName();
    }

    @Override
    int mostKernelWaiters() {
        return KernelWaiterThreads.MOST;
    }

    @Override
    void unpark() {
        LockSupport.unpark(thread);
    }

    /**
     * The calling thread, which is the one that waits, sleeps until it is woken, interrupted, or the time is over.
     *
     * @param blocker what a thread dump shows as what it waits for
     */
    void park(Object blocker, long nanos) {
        if (!isWoken()) {
            LockSupport.parkNanos(blocker, nanos);
        }
    }
}

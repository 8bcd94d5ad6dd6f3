package dev.sessionlock.internal.threads;

import java.util.concurrent.Future;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.ScheduledThreadPoolExecutor;
import java.util.concurrent.ThreadFactory;
import java.util.concurrent.ThreadPoolExecutor;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicReference;
import org.jspecify.annotations.Nullable;

/**
 * The daemon threads that work for acquisitions no thread waits for, of all locks of one engine together: {@value #WORKERS} that do what is to be done now, one
 * that tells them what is due, and at most {@value #MOST_KERNEL_WAITERS} of the {@linkplain KernelWaiterThreads threads that wait in the kernel}. None is started
 * before it is needed, and each ends when it has had nothing to do for a while.
 */
final class AsyncThreads {
    /** More than one, since a disk or a database may not answer for a while. */
    private static final int WORKERS = 2;
    /** The heads of further queues poll. */
    static final int MOST_KERNEL_WAITERS = 1;
    private static final long IDLE_SECONDS = 5;

    private final AtomicReference<@Nullable Pools> pools = new AtomicReference<>();

    private record Pools(ThreadPoolExecutor workers, ScheduledThreadPoolExecutor timer) {
    }

    /**
     * Does something soon, on a worker.
     *
     * @throws OutOfMemoryError if there is no memory for it, or no thread
     */
    void run(Runnable task) {
        pools().workers.execute(task);
    }

    /**
     * Calls something later, on the timer's thread. It must be brief.
     *
     * @throws OutOfMemoryError as {@link #run}
     */
    Future<?> schedule(Runnable task, long nanos) {
        return pools().timer.schedule(task, nanos, TimeUnit.NANOSECONDS);
    }

    private Pools pools() {
        Pools made = pools.get();
        if (made == null) {
            pools.compareAndSet(null, make()); // those that come too late have no threads
            made = pools.get();
        }
        return made;
    }

    private static Pools make() {
        ThreadFactory threads = task -> DaemonThreads.make(task, "sessionlock-async");
        ThreadPoolExecutor workers = new ThreadPoolExecutor(WORKERS, WORKERS, IDLE_SECONDS, TimeUnit.SECONDS, new LinkedBlockingQueue<>(), threads);
        workers.allowCoreThreadTimeOut(true);
        ScheduledThreadPoolExecutor timer = new ScheduledThreadPoolExecutor(1, threads);
        timer.setRemoveOnCancelPolicy(true);
        timer.setKeepAliveTime(IDLE_SECONDS, TimeUnit.SECONDS);
        timer.allowCoreThreadTimeOut(true);
        return new Pools(workers, timer);
    }
}

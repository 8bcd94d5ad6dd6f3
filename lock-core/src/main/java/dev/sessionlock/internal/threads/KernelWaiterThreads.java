package dev.sessionlock.internal.threads;

import dev.sessionlock.internal.system.Loggers;
import dev.sessionlock.internal.system.RareLog;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.SynchronousQueue;
import java.util.concurrent.ThreadPoolExecutor;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicReference;
import org.jspecify.annotations.Nullable;

/** The daemon threads that wait in the kernel, for all locks of one engine together. None is started before one has to wait. */
final class KernelWaiterThreads {
    private static final RareLog trouble = new RareLog(Loggers.LIBRARY, "no thread to wait in the kernel; polling");
    /** This many threads may wait in the kernel; the heads of other locks' queues poll. */
    static final int MOST = 16;
    private static final long IDLE_SECONDS = 5;

    private final AtomicReference<@Nullable ThreadPoolExecutor> pool = new AtomicReference<>();

    /** Has a thread run something that blocks in the kernel. Returns false if there are {@code most} of them already. */
    boolean run(Runnable task, int most) {
        try {
            ThreadPoolExecutor threads = pool();
            if (most < MOST && threads.getActiveCount() >= most) {
                return false;
            }
            threads.execute(task);
            return true;
        } catch (RejectedExecutionException e) {
            return false;
        } catch (OutOfMemoryError e) { // "unable to create native thread"
            trouble.warn(String.valueOf(e.getMessage()), e);
            return false;
        }
    }

    private ThreadPoolExecutor pool() {
        ThreadPoolExecutor made = pool.get();
        if (made == null) {
            made = new ThreadPoolExecutor(0, MOST, IDLE_SECONDS, TimeUnit.SECONDS, new SynchronousQueue<>(),
                    task -> DaemonThreads.make(task, "sessionlock-waits-in-kernel"));
            made = pool.compareAndSet(null, made) ? made : pool.get(); // one that comes too late has no threads
        }
        return made;
    }
}

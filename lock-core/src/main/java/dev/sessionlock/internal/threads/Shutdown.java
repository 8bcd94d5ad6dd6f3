package dev.sessionlock.internal.threads;

import dev.sessionlock.LockLostException.Reason;
import dev.sessionlock.internal.system.Log;
import dev.sessionlock.internal.system.Loggers;
import dev.sessionlock.internal.system.OtherHooks;
import dev.sessionlock.internal.system.RareLog;
import dev.sessionlock.internal.system.ThreadNames;
import dev.sessionlock.internal.system.WallClock;
import dev.sessionlock.spi.Maintainable;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;

/**
 * The end of the JVM, as far as the locks of one engine are concerned; runs as one of its shutdown hooks.
 *
 * <p>While the application drains (a server finishes what it has begun), locks are taken and held as ever: the hook only waits for them to be
 * closed. It leaves when none is open. Some locks may still be open when nothing of the application can close them any more, or when the grace that their user
 * has set is over. Those are lost, and their records are removed. Their kernel locks stay until the process is gone, so that a thread that has not noticed meets no
 * successor. After that, no lock is given out.
 *
 * <p>The kernel gives all locks back when the process is gone: a hook that leaves too early costs a record that lies there until the next
 * acquisition, one that ends a lock too early costs a message.
 */
public final class Shutdown implements Runnable {
    /** A grace: for as long as a hook of the application works, and a moment longer. */
    public static final long WHILE_HOOKS_WORK = -1;
    /** A grace: the application closes its locks itself. */
    public static final long LEAVE_ALONE = Long.MAX_VALUE;

    private static final Log log = Loggers.LIBRARY;
    private static final long LOOK_NANOS = TimeUnit.MILLISECONDS.toNanos(5);
    /** How long threads that no hook waits for have to close what they hold. */
    private static final long MOMENT_NANOS = TimeUnit.SECONDS.toNanos(1);
    /** How long the hook waits where nobody knows whether another hook works. */
    private static final long UNKNOWN_NANOS = TimeUnit.SECONDS.toNanos(10);

    /** How long the end of the JVM waits for disks at most; the kernel locks end with the process all the same. */
    private static final long DISK_PATIENCE_NANOS = TimeUnit.SECONDS.toNanos(3);
    private static final RareLog trouble = new RareLog(log, "something failed as the JVM ended");

    private final LocalLocks locks;
    /** By the machine's clock; null before the JVM ends. */
    private volatile @Nullable Long begunAt;
    /** The locks for which nobody has set a grace were ended. */
    private volatile boolean over;

    // only the hook's thread uses these
    private @Nullable OtherHooks hooks;
    private long lastWorkAt;
    private boolean told;

    Shutdown(LocalLocks locks) {
        this.locks = locks;
    }

    /** {@return whether the JVM has begun to end} */
    boolean hasBegun() {
        return begunAt != null;
    }

    /** {@return whether no lock is given out any more} */
    boolean refuses(EventPublisher publisher) {
        Long since = begunAt;
        if (since == null) {
            return false;
        }
        long grace = publisher.shutdownGraceNanos();
        return grace == WHILE_HOOKS_WORK ? over : grace != LEAVE_ALONE && System.nanoTime() - since >= grace;
    }

    @Override
    public void run() {
        long start = System.nanoTime();
        begunAt = start;
        lastWorkAt = start;
        List<LocalLock> open = open();
        while (!open.isEmpty()) {
            long now = System.nanoTime();
            end(open, now - start, now);
            if (!told && now - start > MOMENT_NANOS) {
                told = true;
                tell(open);
            }
            LockSupport.parkNanos(LOOK_NANOS);
            open = open();
        }
        locks.all().forEach(LocalLock::wakeAll); // they are refused now
        tidy();
    }

    /** {@return the locks that are held, and that are not left alone} */
    private List<LocalLock> open() {
        List<LocalLock> open = new ArrayList<>();
        for (LocalLock lock : locks.all()) {
            Grant held = lock.open();
            if (held != null && held.shutdownGraceNanos() != LEAVE_ALONE) {
                open.add(lock);
            }
        }
        return open;
    }

    private void end(List<LocalLock> open, long elapsed, long now) {
        boolean ended = false;
        boolean asked = false;
        boolean idle = false;
        for (LocalLock lock : open) {
            Grant held = lock.open();
            if (held == null) {
                continue;
            }
            long grace = held.shutdownGraceNanos();
            if (grace == WHILE_HOOKS_WORK && !asked) {
                asked = true;
                idle = isApplicationIdle(open, now);
                over |= idle;
            }
            if (grace == WHILE_HOOKS_WORK ? idle : elapsed >= grace) {
                lock.supervisor().abandon(lock);
                ended = true;
            } else if (grace == WHILE_HOOKS_WORK && elapsed > MOMENT_NANOS && lock.isWaitedFor() && isStranded(held)) {
                Revocation.loseNow(lock, Reason.SHUTDOWN); // else its waiter, which may be a hook, waits for a thread that waits for all hooks
            }
        }
        if (ended) {
            locks.all().forEach(LocalLock::wakeAll);
        }
    }

    /** {@return whether nothing of the application can close what is open} */
    private boolean isApplicationIdle(List<LocalLock> open, long now) {
        if (hooks == null) {
            hooks = OtherHooks.ofThisHook();
        }
        if (hooks.anyWorks()) {
            lastWorkAt = now;
            return false;
        }
        long patience = hooks.areKnown() ? MOMENT_NANOS : UNKNOWN_NANOS;
        return now - lastWorkAt >= patience || hooks.areKnown() && open.stream().allMatch(Shutdown::isStranded);
    }

    private static boolean isStranded(LocalLock lock) {
        Grant held = lock.open();
        return held == null || isStranded(held);
    }

    /** {@return whether its thread, or that of each reader, waits for the end of the JVM, and so will not close it} */
    private static boolean isStranded(Grant held) {
        for (Grant user : held.users()) {
            Thread owner = user.owner();
            if (owner == null || !OtherHooks.isExiting(owner)) {
                return false;
            }
        }
        return true;
    }

    private void tell(List<LocalLock> open) {
        Grant first = open.get(0).open();
        if (first != null) {
            log.info("the JVM is shutting down, and waits for {} to be closed: {}, held by {} since {}",
                    open.size() == 1 ? "a lock" : open.size() + " locks", open.get(0).engine(), ThreadNames.inWords(first.thread()), WallClock.iso(first.acquiredAt()));
        }
    }

    /**
     * Takes records away, and writes what happened. Each part that has locks on a thread of its own: a disk that does not answer keeps neither the records of others
     * nor the end of the process.
     */
    private void tidy() {
        Map<Maintainable, List<LocalLock>> parts = locks.all().stream().collect(Collectors.groupingBy(LocalLock::part));
        List<Runnable> tasks = new ArrayList<>();
        parts.forEach((part, its) -> tasks.add(() -> {
            its.forEach(lock -> lock.supervisor().tidyAsTheJvmEnds(lock));
            record(part);
        }));
        tasks.add(() -> withoutLocks(parts).forEach(Shutdown::record));
        CountDownLatch left = new CountDownLatch(tasks.size());
        for (Runnable task : tasks) {
            Runnable counted = () -> {
                task.run();
                left.countDown();
            };
            try {
                DaemonThreads.make(counted, "sessionlock-abandons").start();
            } catch (OutOfMemoryError e) { // "unable to create native thread"
                counted.run();
            }
        }
        try {
            if (!left.await(DISK_PATIENCE_NANOS, TimeUnit.NANOSECONDS)) {
                trouble.warn("not all records could be taken away, or not all be written down: a disk or a database does not answer", null);
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    private List<Maintainable> withoutLocks(Map<Maintainable, List<LocalLock>> parts) {
        List<Maintainable> others = new ArrayList<>();
        try {
            others.addAll(locks.engine().maintained());
            others.removeAll(parts.keySet());
        } catch (RuntimeException | Error e) {
            trouble.warn(locks.engine().toString(), e);
        }
        return others;
    }

    private static void record(Maintainable part) {
        try {
            part.record(true);
        } catch (RuntimeException | Error e) {
            trouble.warn(part.toString(), e);
        }
    }
}

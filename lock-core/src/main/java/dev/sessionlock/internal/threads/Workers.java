package dev.sessionlock.internal.threads;

import com.google.errorprone.annotations.concurrent.GuardedBy;
import dev.sessionlock.internal.system.GrowingPause;
import dev.sessionlock.internal.system.Loggers;
import dev.sessionlock.internal.system.RareLog;
import dev.sessionlock.spi.Maintainable;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ThreadFactory;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.Condition;
import java.util.concurrent.locks.ReentrantLock;
import org.jspecify.annotations.Nullable;

/**
 * The threads that carry out the keeper's {@linkplain MaintenanceRound rounds}. Each round may block for as long as a disk does not answer. One thread is enough while
 * all disks answer. If something is due and no thread has begun anything for a moment, all of them are stuck, and one more is started. Each part is looked after by
 * one thread at a time. A thread that finds another one idle ends.
 *
 * <p>Where no further thread can be started, the keeper carries out one round after the other itself: it may get stuck, too, but until then leases are renewed.
 */
final class Workers implements Runnable {
    private static final RareLog trouble = new RareLog(Loggers.LIBRARY, "a worker of the keeper stumbled; it goes on");
    private static final RareLog noThread = new RareLog(Loggers.LIBRARY,
            "no further thread to look after locks (ulimit -u, the container's pids.max): the keeper does it itself");
    /** How many disks may be stuck at once before the keeper itself depends on the next one. */
    private static final int MOST = 64;
    /** If nothing was begun for this long, the threads that have begun something are stuck, or slow. Well below a third of the shortest lease. */
    private static final long PATIENCE_NANOS = TimeUnit.MILLISECONDS.toNanos(50);
    /** Longer than the keeper's tick. */
    private static final long IDLE_NANOS = TimeUnit.SECONDS.toNanos(3);

    private final ThreadFactory threads;
    private final ReentrantLock lock = new ReentrantLock();
    private final Condition due = lock.newCondition();
    /** The threads that run: somebody may ask whether a thread is one of them. */
    private final Set<Thread> running = ConcurrentHashMap.newKeySet();

    /** What is due, by its part; in the order in which it came. */
    @GuardedBy("lock")
    private final Map<Maintainable, MaintenanceRound> waiting = new LinkedHashMap<>();
    /** What is being done. */
    @GuardedBy("lock")
    private final Map<Maintainable, MaintenanceRound> begun = new HashMap<>();
    @GuardedBy("lock")
    private int started;
    @GuardedBy("lock")
    private int idle;
    @GuardedBy("lock")
    private long progressAt;

    /** @param threads makes them; a thread may fail to start */
    Workers(ThreadFactory threads) {
        this.threads = threads;
    }

    /** {@return whether the calling thread is one of them} */
    boolean isMe() {
        return running.contains(Thread.currentThread());
    }

    /** {@return whether nothing is due, and nothing is being done} */
    boolean areDone() {
        lock.lock();
        try {
            return waiting.isEmpty() && begun.isEmpty();
        } finally {
            lock.unlock();
        }
    }

    /** Has a round done as soon as can be. */
    void add(MaintenanceRound round) {
        lock.lock();
        try {
            MaintenanceRound now = begun.get(round.part());
            if (now != null) {
                now.renewsMeanwhile(round);
            }
            MaintenanceRound before = waiting.get(round.part());
            if (before != null) {
                before.add(round);
                return;
            }
            if (nextFree() == null) {
                progressAt = System.nanoTime(); // nothing was due: from here on it counts
            }
            waiting.put(round.part(), round);
            due.signal();
        } finally {
            lock.unlock();
        }
    }

    /**
     * Makes sure that what is due is begun by somebody.
     *
     * @return in how many nanoseconds this must be called again; {@link Long#MAX_VALUE} if nothing is due
     */
    long ensureProgress() {
        boolean alone = false;
        while (true) {
            lock.lock();
            try {
                if (nextFree() == null) {
                    return Long.MAX_VALUE;
                }
                long left = progressAt + PATIENCE_NANOS - System.nanoTime();
                if (!alone && started > 0 && left > 0) {
                    return left;
                }
                alone |= started >= MOST;
                if (!alone) {
                    started++;
                    progressAt = System.nanoTime(); // it needs a moment, too
                }
            } finally {
                lock.unlock();
            }
            alone = alone || !start();
            MaintenanceRound next = alone ? begin() : null;
            if (next != null) {
                carryOut(next);
            }
        }
    }

    /** {@return whether a thread was started; else it is not counted} */
    private boolean start() {
        boolean runs = false;
        try {
            Thread worker = threads.newThread(this);
            worker.setName("sessionlock-worker");
            worker.start();
            runs = true;
        } catch (RuntimeException | Error e) {
            noThread.warn(String.valueOf(e.getMessage()), e);
        } finally {
            if (!runs) {
                ended();
            }
        }
        return runs;
    }

    private void ended() {
        lock.lock();
        try {
            started--;
        } finally {
            lock.unlock();
        }
    }

    /** What each of the threads does. */
    @Override
    public void run() {
        Thread me = Thread.currentThread();
        running.add(me);
        try {
            while (true) {
                try {
                    MaintenanceRound next = await();
                    if (next == null) {
                        return;
                    }
                    carryOut(next);
                } catch (RuntimeException | Error e) {
                    trouble.error(e);
                    new GrowingPause().rest();
                }
            }
        } finally {
            running.remove(me);
            ended();
        }
    }

    /** Under the lock. Returns what is due and may be begun; null if nothing. */
    private @Nullable MaintenanceRound nextFree() {
        for (Map.Entry<Maintainable, MaintenanceRound> entry : waiting.entrySet()) {
            if (!begun.containsKey(entry.getKey())) {
                return entry.getValue();
            }
        }
        return null;
    }

    /** Waits until something is due. Returns null if the thread is to end. */
    private @Nullable MaintenanceRound await() {
        lock.lock();
        try {
            long left = IDLE_NANOS;
            while (true) {
                MaintenanceRound next = begin();
                if (next != null) {
                    return next;
                } else if (left <= 0 || idle > 0) {
                    return null;
                }
                idle++;
                try {
                    left = due.awaitNanos(left);
                } catch (InterruptedException e) {
                    continue; // somebody interrupts all threads
                } finally {
                    idle--;
                }
            }
        } finally {
            lock.unlock();
        }
    }

    /** {@return what is due, which the caller has to carry out; null if nothing is} */
    private @Nullable MaintenanceRound begin() {
        lock.lock();
        try {
            MaintenanceRound next = nextFree();
            if (next != null) {
                begun.put(next.part(), next);
                waiting.remove(next.part());
                progressAt = System.nanoTime();
            }
            return next;
        } finally {
            lock.unlock();
        }
    }

    /** Never throws, and whatever is thrown, the part can be looked after again. */
    private void carryOut(MaintenanceRound round) {
        GrowingPause pause = new GrowingPause();
        try {
            Thread.interrupted(); // an interrupt would close channels
            round.run();
        } catch (RuntimeException | Error e) {
            trouble.error(e);
            pause.rest();
        } finally {
            while (!isEnded(round)) {
                pause.rest();
            }
        }
    }

    private boolean isEnded(MaintenanceRound round) {
        try {
            lock.lock();
            try {
                begun.remove(round.part());
                progressAt = System.nanoTime();
                if (waiting.containsKey(round.part())) {
                    due.signal();
                }
                return true;
            } finally {
                lock.unlock();
            }
        } catch (RuntimeException | Error e) {
            trouble.error(e);
            return false;
        }
    }
}

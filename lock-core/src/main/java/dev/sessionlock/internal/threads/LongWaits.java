package dev.sessionlock.internal.threads;

import dev.sessionlock.internal.system.Loggers;
import dev.sessionlock.internal.system.RareLog;
import dev.sessionlock.spi.Maintainable;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ThreadFactory;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;

/**
 * Finds the waits that take long, for one line each in the log, as PostgreSQL's {@code log_lock_waits} does. The keeper looks at its ticks at the locks that are
 * contended, in memory only. What it finds is told by a thread that lives for that alone, because a disk, a database or the log itself may not answer. There is
 * at most one such thread for each part of the engine, and hardly ever one: a lock has its waits told at most once in {@value #PAUSE_SECONDS} s.
 *
 * <p>An acquisition that does not wait never comes here, and one that waits pays for one field.
 */
final class LongWaits {
    static final long PAUSE_SECONDS = 30;
    /** A wait is told at most this much late if the threshold is a second or more, and the keeper does not look more often for the sake of that. */
    private static final long SLACK_NANOS = TimeUnit.MILLISECONDS.toNanos(250);
    private static final RareLog trouble = new RareLog(Loggers.LIBRARY, "a long wait for a lock could not be logged");

    private final ThreadFactory threads;
    /** The parts of which a thread is telling something. */
    private final Set<Maintainable> telling = ConcurrentHashMap.newKeySet();

    /** @param threads makes the threads that tell; a thread may fail to start */
    LongWaits(ThreadFactory threads) {
        this.threads = threads;
    }

    // ---- for the keeper: memory only, and nothing is thrown ----

    /** {@return in how many nanoseconds a wait for this lock will be long; {@link Long#MAX_VALUE} if none will} */
    long nextLook(LocalLock lock, long now) {
        if (!lock.isContended() || telling.contains(lock.part()) || !lock.stateLock().tryLock()) {
            return Long.MAX_VALUE;
        }
        try {
            return Math.max(lock.queue().untilLongWait(now), SLACK_NANOS);
        } finally {
            lock.stateLock().unlock();
        }
    }

    /** {@return a wait for this lock that has become long; null if there is none} */
    @Nullable LongWait find(LocalLock lock) {
        try {
            return lock.isContended() && !telling.contains(lock.part()) && lock.stateLock().tryLock() ? findAndUnlock(lock) : null;
        } catch (RuntimeException | Error e) {
            trouble.warn("it is looked for again", e);
            return null;
        }
    }

    private static @Nullable LongWait findAndUnlock(LocalLock lock) {
        try {
            long now = lock.clock().nanos();
            WaitQueue queue = lock.queue();
            Waiter waiter = queue.longWaiter(now);
            if (waiter == null) {
                return null;
            }
            LongWait fresh = new LongWait(lock, waiter, queue.first(), queue.size());
            queue.longWaitTold(now);
            waiter.takesLong(fresh);
            return fresh;
        } finally {
            lock.stateLock().unlock();
        }
    }

    /** Has what was found told. */
    void tell(List<LongWait> found) {
        Map<Maintainable, List<LongWait>> byPart = new LinkedHashMap<>();
        for (LongWait each : found) {
            byPart.computeIfAbsent(each.lock().part(), part -> new ArrayList<>()).add(each);
        }
        byPart.forEach(this::tellSoon);
    }

    private void tellSoon(Maintainable part, List<LongWait> waits) {
        boolean started = false;
        try {
            telling.add(part);
            Thread teller = threads.newThread(() -> tellNow(part, waits));
            teller.setName("sessionlock-logs-waits");
            teller.start();
            started = true;
        } catch (RuntimeException | Error e) { // no memory, no thread
            trouble.warn(waits.get(0).lock().engine() + " and perhaps others", e);
        } finally {
            if (!started) {
                telling.remove(part);
            }
        }
    }

    private void tellNow(Maintainable part, List<LongWait> waits) {
        try {
            waits.forEach(LongWait::tell);
        } catch (RuntimeException | Error e) {
            trouble.warn("its line was not finished", e);
        } finally {
            telling.remove(part);
        }
    }
}

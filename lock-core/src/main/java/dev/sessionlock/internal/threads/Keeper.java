package dev.sessionlock.internal.threads;

import com.google.errorprone.annotations.concurrent.GuardedBy;
import dev.sessionlock.internal.system.GrowingPause;
import dev.sessionlock.internal.system.Log;
import dev.sessionlock.internal.system.Loggers;
import dev.sessionlock.internal.system.RareLog;
import dev.sessionlock.spi.Maintainable;
import java.io.IOException;
import java.lang.ref.Reference;
import java.lang.ref.ReferenceQueue;
import java.lang.ref.WeakReference;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.WeakHashMap;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ThreadFactory;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.ReentrantLock;
import org.jspecify.annotations.Nullable;

/**
 * The thread of a JVM that looks after what is held. It ends holds past {@code maxHold} and leases that ran out, and closes forgotten handles. Whatever may block is
 * done by the {@link Workers}: renewing leases, noticing removed records and requests to release, retrying failed deletes, sweeping litter. So the keeper works in
 * memory only, and a disk that does not answer holds up neither it nor the locks on other disks. It runs no user code.
 *
 * <p>It sleeps in the queue of forgotten handles, so a leak wakes it at once; an {@link Alarm} enqueued there wakes it as well.
 */
final class Keeper implements Runnable {
    private static final Log log = Loggers.LIBRARY;
    private static final RareLog trouble = new RareLog(log, "the keeper of the locks stumbled; it goes on");
    private static final RareLog interrupted = new RareLog(log, "the keeper of the locks was interrupted; it goes on");
    private static final long TICK_NANOS = TimeUnit.SECONDS.toNanos(1);
    /** After rounds that failed: well below the shortest lease. */
    private static final long LONGEST_REST_NANOS = TimeUnit.MILLISECONDS.toNanos(100);
    private static final long DEEP_NANOS = TimeUnit.SECONDS.toNanos(5);
    private static final long SWEEP_NANOS = TimeUnit.SECONDS.toNanos(30);
    /** How long a worker has for renewing leases that ran out while the machine slept: after that, others may come in. */
    private static final long LATE_NANOS = TimeUnit.SECONDS.toNanos(5);
    private static final long LOCK_IDLE_NANOS = TimeUnit.SECONDS.toNanos(10);

    private final LocalLocks locks;
    private final ReferenceQueue<Handle> forgotten;
    private final ThreadFactory threads;
    private final ReentrantLock starting = new ReentrantLock();
    private volatile @Nullable Thread thread;
    @GuardedBy("starting")
    private @Nullable Thread hook;
    private volatile long nextLook = Long.MAX_VALUE;
    private volatile Alarm alarm;
    /** Somebody wants it to look now, and not only to do its idle checks. */
    private volatile boolean lookNow;
    private volatile boolean checksIdle;
    // Its own rounds are timed by the machine's clock, whatever clock leases run by.
    private long deepAt = System.nanoTime();
    private long sweptAt = System.nanoTime() - SWEEP_NANOS;
    /** The parts of which nothing was open after their last round. */
    private final Set<Maintainable> closed = ConcurrentHashMap.newKeySet();
    /** The locks whose leases workers are to renew late, and since when: see {@link LeaseSupervisor#loseIfOver}. */
    private final Map<LocalLock, Long> overdueSince = new WeakHashMap<>();
    private final Workers workers;
    private final LongWaits longWaits;

    /** Wakes the keeper by being enqueued among the forgotten handles. A reference can be enqueued once, so each serves once. */
    private static final class Alarm extends WeakReference<Handle> {
        Alarm(ReferenceQueue<Handle> queue) {
            super(null, queue);
        }
    }

    /** @param threads makes the thread that this runs on, and the workers; a thread may fail to start */
    Keeper(LocalLocks locks, ReferenceQueue<Handle> forgotten, ThreadFactory threads) {
        this.locks = locks;
        this.threads = threads;
        this.workers = new Workers(threads);
        this.longWaits = new LongWaits(threads);
        this.forgotten = forgotten;
        this.alarm = new Alarm(forgotten);
    }

    /**
     * Starts the thread unless it runs. Called whenever a lock is asked for, once the keeper can see that lock: so a keeper that could not be started, or was just
     * about to end, runs before the lock is taken.
     *
     * @throws IOException if no thread can be started: a lock without a keeper would be lost with its lease
     */
    void ensureRuns() throws IOException {
        if (thread == null) {
            start();
        }
    }

    private void start() throws IOException {
        starting.lock();
        try {
            if (thread == null) {
                hookShutdown();
                Thread fresh = threads.newThread(this);
                thread = fresh; // before it runs, since it asks whether it is the one
                boolean started = false;
                try {
                    fresh.start();
                    started = true;
                } finally {
                    if (!started) {
                        thread = null;
                    }
                }
            }
        } catch (OutOfMemoryError e) {
            throw new IOException("the thread that renews leases could not be started (" + e.getMessage() + "): this process or its user has as many "
                    + "threads as it may (ulimit -u, the container's pids.max), or no memory for one more", e);
        } finally {
            starting.unlock();
        }
    }

    private void hookShutdown() {
        if (hook != null || !locks.engine().outliveTheProcess()) {
            return;
        }
        Thread fresh = new Thread(locks.shutdown(), "sessionlock-shutdown");
        try {
            Runtime.getRuntime().addShutdownHook(fresh);
            hook = fresh;
        } catch (IllegalStateException e) {
            log.debug("the JVM is shutting down already", e);
        }
    }

    /** Nothing is held any more. A hook that stays would keep the class loader of a web application that is long gone. */
    private void unhookShutdown() {
        if (hook != null) {
            try {
                Runtime.getRuntime().removeShutdownHook(hook);
            } catch (IllegalStateException e) {
                log.debug("the JVM is shutting down", e);
            }
            hook = null;
        }
    }

    /** {@return whether the calling thread is the keeper's, or a worker's} */
    boolean isMe() {
        return Thread.currentThread() == thread || workers.isMe();
    }

    /** Makes sure that the keeper looks within so many nanoseconds. */
    void scheduleWithin(long within) {
        if (within < TICK_NANOS && System.nanoTime() + within < nextLook) {
            wake();
        }
    }

    /** Makes the keeper look now. */
    void wake() {
        lookNow = true;
        signal();
    }

    /** Makes sure that the keeper does its idle checks, since there is something new to check. */
    void checkIdleSoon() {
        if (!checksIdle) {
            signal();
        }
    }

    /** Never throws: a thread that has acquired a lock must get it. */
    private void signal() {
        try {
            alarm.enqueue();
        } catch (RuntimeException | Error e) {
            trouble.error(e); // it looks by itself within a second
        }
    }

    /** What its thread does. */
    @Override
    public void run() {
        GrowingPause pause = new GrowingPause(LONGEST_REST_NANOS);
        while (true) {
            try {
                Thread.interrupted(); // an error may have left it
                // From here on every thread that gets a lock wakes the keeper, until it is known how long the keeper may sleep.
                nextLook = Long.MAX_VALUE;
                lookNow = false;
                tick();
                if (mayEnd()) {
                    return;
                }
                untilNextLook();
                checkIdleUntilNextLook();
                pause.reset();
            } catch (InterruptedException e) {
                interrupted.warn("somebody interrupts all threads", e); // no failure, and no reason to rest: leases run
            } catch (RuntimeException | Error e) {
                trouble.error(e); // if it stopped, every lock would be lost with its lease
                pause.rest();
            }
        }
    }

    private void untilNextLook() {
        long now = locks.clock().nanos();
        long within = TICK_NANOS;
        for (LocalLock lock : locks.all()) {
            within = Math.min(within, Math.min(lock.supervisor().nextLook(lock, now), longWaits.nextLook(lock, now)));
        }
        nextLook = System.nanoTime() + within;
    }

    /** Sleeps until the next look is due or somebody wants it now; meanwhile it ends what has lingered for long enough, or is wanted. */
    private void checkIdleUntilNextLook() throws InterruptedException {
        do {
            checksIdle = true; // before the check: a thread that comes too late for it must wake the keeper
            long pause = locks.idle().check(this);
            if (pause == Long.MAX_VALUE) {
                checksIdle = false;
                pause = locks.idle().check(this); // for a thread that came in between, and did not wake the keeper
            }
            pause = Math.min(pause, workers.ensureProgress());
            sleep(Math.min(pause, nextLook - System.nanoTime()));
        } while (!lookNow && nextLook - System.nanoTime() > 0);
    }

    /** A lock that lingers is to be given back. */
    void giveBack(LocalLock lock) {
        MaintenanceRound round = new MaintenanceRound(this, lock.part());
        round.giveBack(lock);
        workers.add(round);
    }

    private void sleep(long nanos) throws InterruptedException {
        long millis = Math.max(1, TimeUnit.NANOSECONDS.toMillis(nanos));
        for (Reference<?> woken = forgotten.remove(millis); woken != null; woken = forgotten.poll()) {
            if (woken instanceof Handle.Ref ref) {
                close(ref);
            } else {
                alarm = new Alarm(forgotten);
            }
        }
    }

    /** A leak. If it cannot be closed now, its lock finds it half closed at the next looks. */
    private static void close(Handle.Ref leaked) {
        try {
            leaked.grant().lock().releaser().forgotten(leaked);
        } catch (RuntimeException | Error e) {
            trouble.error(e);
        }
    }

    /** Nothing that fails here keeps the keeper from the rest. */
    private void tick() {
        long now = System.nanoTime();
        boolean deeply = now - deepAt >= DEEP_NANOS;
        boolean sweeps = now - sweptAt >= SWEEP_NANOS;
        deepAt = deeply ? now : deepAt;
        sweptAt = sweeps ? now : sweptAt;
        boolean leaving = !locks.hasUsers();
        Map<Maintainable, MaintenanceRound> rounds = new LinkedHashMap<>();
        for (Maintainable part : parts()) {
            rounds.put(part, new MaintenanceRound(this, part));
        }
        List<LongWait> found = new ArrayList<>(0);
        for (LocalLock lock : locks.all()) { // no lambda here, nor elsewhere on the keeper's usual way: they would be linked beside a JVM's first acquisition
            loseIfOver(lock, now);
            MaintenanceRound round = rounds.get(lock.part());
            if (round == null) {
                round = new MaintenanceRound(this, lock.part());
                rounds.put(lock.part(), round);
            }
            round.maintain(lock);
            LongWait longWait = longWaits.find(lock);
            if (longWait != null) {
                found.add(longWait);
            }
        }
        closed.retainAll(rounds.keySet());
        for (MaintenanceRound round : rounds.values()) {
            round.inspect(deeply || isSuspect(round.part()), sweeps, leaving);
            workers.add(round);
        }
        workers.ensureProgress();
        if (!found.isEmpty()) {
            longWaits.tell(found);
        }
    }

    /** A lease that a worker may still renew late is left to it for a while. Its disk may not answer, and then the lock is lost here as it is lost elsewhere. */
    private void loseIfOver(LocalLock lock, long now) {
        Long since = overdueSince.isEmpty() ? null : overdueSince.get(lock);
        if (lock.supervisor().loseIfOver(lock, since != null && now - since >= LATE_NANOS)) {
            overdueSince.putIfAbsent(lock, now);
        } else if (since != null) {
            overdueSince.remove(lock);
        }
    }

    private List<? extends Maintainable> parts() {
        try {
            return locks.engine().maintained();
        } catch (RuntimeException | Error e) {
            trouble.error(e);
            return List.of(locks.engine());
        }
    }

    private static boolean isSuspect(Maintainable part) {
        try {
            return part.isSuspect();
        } catch (RuntimeException | Error e) {
            trouble.error(e);
            return true;
        }
    }

    /**
     * The end of a round, on a worker.
     *
     * @param part what was looked after
     * @param maintained its locks
     * @param atOnce nobody locks anything any more
     */
    void closeIdle(Maintainable part, List<LocalLock> maintained, boolean atOnce) {
        if (atOnce) {
            maintained.forEach(locks.idle()::endIfDue); // what nobody may reuse any more is given back before the rest is closed
        }
        locks.retireIdle(maintained, atOnce ? 0 : LOCK_IDLE_NANOS);
        if (!part.closeIdle(atOnce)) {
            closed.remove(part);
        } else if (closed.add(part)) {
            wake(); // it may end
        }
    }

    /**
     * {@return whether this thread may end} A thread that asks for a lock makes that lock known first, and then looks whether the keeper runs. Here it is the other
     * way round, so one of the two sees the other.
     */
    private boolean mayEnd() {
        if (isAnyLock() || !workers.areDone() || !closed.containsAll(parts())) {
            return false;
        }
        starting.lock();
        try {
            Thread me = thread;
            thread = null;
            if (isAnyLock()) {
                thread = me;
                return false;
            }
            unhookShutdown();
            return true;
        } finally {
            starting.unlock();
        }
    }

    private boolean isAnyLock() {
        return !locks.all().isEmpty();
    }
}

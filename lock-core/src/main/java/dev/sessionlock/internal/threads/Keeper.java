package dev.sessionlock.internal.threads;

import dev.sessionlock.internal.system.GrowingPause;
import dev.sessionlock.internal.system.Loggers;
import dev.sessionlock.internal.system.RareLog;
import java.io.IOException;
import java.lang.ref.Reference;
import java.lang.ref.ReferenceQueue;
import java.lang.ref.WeakReference;
import java.util.concurrent.ThreadFactory;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.ReentrantLock;
import org.jetbrains.annotations.Nullable;
import org.slf4j.Logger;

/**
 * The one thread of a JVM that looks after what is held: renews leases, ends holds past {@code maxHold}, notices removed records and
 * requests to let go, closes forgotten handles, retries failed deletes, sweeps litter. It runs no user code.
 *
 * <p>It sleeps in the queue of forgotten handles, so that a leak wakes it at once; another reference enqueued there is its alarm.
 */
final class Keeper {
    private static final Logger log = Loggers.LIBRARY;
    private static final RareLog trouble = new RareLog(log, "the keeper of the locks stumbled; it goes on");
    private static final RareLog interrupted = new RareLog(log, "the keeper of the locks was interrupted; it goes on");
    private static final long TICK_NANOS = TimeUnit.SECONDS.toNanos(1);
    /** After rounds that failed: well below the shortest lease. */
    private static final long LONGEST_REST_NANOS = TimeUnit.MILLISECONDS.toNanos(100);
    /** While a round lasts, leases are renewed so often: well below a third of the shortest. */
    private static final long RENEW_MEANWHILE_NANOS = TimeUnit.MILLISECONDS.toNanos(100);
    private static final long DEEP_NANOS = TimeUnit.SECONDS.toNanos(5);
    private static final long SWEEP_NANOS = TimeUnit.SECONDS.toNanos(30);
    private static final long CELL_IDLE_NANOS = TimeUnit.SECONDS.toNanos(10);

    private final Cells cells;
    private final ReferenceQueue<Handle> forgotten;
    private final ThreadFactory threads;
    private final ReentrantLock starting = new ReentrantLock();
    private volatile @Nullable Thread thread;
    /** Guarded by starting. */
    private @Nullable Thread hook;
    private volatile long nextLook = Long.MAX_VALUE;
    private volatile Alarm alarm;
    /** Somebody wants it to look now, and not only to glance at what lingers. */
    private volatile boolean lookNow;
    private volatile boolean glances;
    /** Its own rounds are by the machine's clock, whatever clock leases run by. */
    private long deepAt = System.nanoTime();
    private long sweptAt = System.nanoTime() - SWEEP_NANOS;
    private boolean nothingOpen;

    /** Wakes the keeper by being enqueued among the forgotten handles. A reference can be enqueued once, so each serves once. */
    private static final class Alarm extends WeakReference<Handle> {
        Alarm(ReferenceQueue<Handle> queue) {
            super(null, queue);
        }
    }

    /** @param threads makes the thread that this runs on; the thread may fail to start */
    Keeper(Cells cells, ReferenceQueue<Handle> forgotten, ThreadFactory threads) {
        this.cells = cells;
        this.threads = threads;
        this.forgotten = forgotten;
        this.alarm = new Alarm(forgotten);
    }

    /**
     * Starts the thread unless it runs. Called whenever a lock is asked for, once its cell can be seen: so a keeper that could not be started, or was just
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
                Thread fresh = threads.newThread(this::run);
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
        if (hook != null || !cells.engine().outliveTheProcess()) {
            return;
        }
        Thread fresh = new Thread(cells.shutdown(), "sessionlock-shutdown");
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

    boolean isMe() {
        return Thread.currentThread() == thread;
    }

    /** Makes sure that the keeper looks within so many nanoseconds. */
    void heed(long within) {
        if (within < TICK_NANOS && System.nanoTime() + within < nextLook) {
            wake();
        }
    }

    /** Makes the keeper look now. */
    void wake() {
        lookNow = true;
        ring();
    }

    /** Makes sure that the keeper glances at what lingers, having been given something new to glance at. */
    void glanceSoon() {
        if (!glances) {
            ring();
        }
    }

    /** Never throws: who has acquired a lock must get it. */
    private void ring() {
        try {
            alarm.enqueue();
        } catch (RuntimeException | Error e) {
            trouble.error(e); // it looks by itself within a second
        }
    }

    private void run() {
        GrowingPause pause = new GrowingPause(LONGEST_REST_NANOS);
        while (true) {
            try {
                Thread.interrupted(); // an error may have left it
                // From here on whoever gets a lock rings, until it is known how long the sleep may be.
                nextLook = Long.MAX_VALUE;
                lookNow = false;
                tick();
                if (mayEnd()) {
                    return;
                }
                untilNextLook();
                glanceUntilNextLook();
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
        long now = cells.clock().nanos();
        long within = TICK_NANOS;
        for (Cell cell : cells.all()) {
            within = Math.min(within, cell.nextLook(now));
        }
        nextLook = System.nanoTime() + within;
    }

    /** Sleeps until the next look is due or somebody wants it now; meanwhile it ends what has lingered for long enough, or is wanted. */
    private void glanceUntilNextLook() throws InterruptedException {
        do {
            glances = true; // before the glance: whoever comes too late for it must ring
            long pause = cells.glance();
            if (pause == Long.MAX_VALUE) {
                glances = false;
                pause = cells.glance(); // for one who came in between, and did not ring
            }
            sleep(Math.min(pause, nextLook - System.nanoTime()));
        } while (!lookNow && nextLook - System.nanoTime() > 0);
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

    /** A leak. If it cannot be closed now, its cell finds it half closed at the next looks. */
    private static void close(Handle.Ref leaked) {
        try {
            leaked.grant().cell().forgotten(leaked);
        } catch (RuntimeException | Error e) {
            trouble.error(e);
        }
    }

    /** Nothing that fails here keeps the keeper from the rest. */
    private void tick() {
        long now = System.nanoTime();
        boolean deeply = cells.engine().isSuspect() || now - deepAt >= DEEP_NANOS;
        if (deeply) {
            deepAt = now;
            attempt(DEEP_LOOK);
        }
        long renewedAt = now;
        for (Cell cell : cells.all()) {
            cell.tend(deeply);
            if (System.nanoTime() - renewedAt >= RENEW_MEANWHILE_NANOS) { // lost bytes are looked for at length, and disks may be slow
                cells.all().forEach(Cell::renewInTime);
                renewedAt = System.nanoTime();
            }
        }
        if (now - sweptAt >= SWEEP_NANOS) {
            sweptAt = now;
            attempt(SWEEP);
        }
        attempt(CLOSE_IDLE);
    }

    /** A part of the keeper's work, of which a failure must not keep it from the others. */
    private interface Part {
        void run(Keeper keeper);
    }

    private static final Part DEEP_LOOK = keeper -> keeper.cells.engine().verify();
    private static final Part SWEEP = keeper -> keeper.cells.engine().sweep();
    private static final Part CLOSE_IDLE = Keeper::closeIdle;

    private void attempt(Part part) {
        try {
            part.run(this);
        } catch (RuntimeException | Error e) {
            trouble.error(e);
        }
    }

    private void closeIdle() {
        nothingOpen = false;
        boolean leaving = !cells.hasTenants();
        cells.glance(); // what nobody may take again any more is given back before the rest is closed
        cells.retireIdle(leaving ? 0 : CELL_IDLE_NANOS);
        nothingOpen = cells.engine().closeIdle(leaving);
    }

    /** One who asks for a lock shows its cell first, and then looks whether the thread runs; here it is the other way round, so that one of both sees the other. */
    private boolean mayEnd() {
        if (!nothingOpen || isAnyCell()) {
            return false;
        }
        starting.lock();
        try {
            Thread me = thread;
            thread = null;
            if (isAnyCell()) {
                thread = me;
                return false;
            }
            unhookShutdown();
            return true;
        } finally {
            starting.unlock();
        }
    }

    private boolean isAnyCell() {
        return !cells.all().isEmpty();
    }
}

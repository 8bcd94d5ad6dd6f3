package dev.sessionlock.internal.threads;

import java.lang.ref.Reference;
import java.lang.ref.ReferenceQueue;
import java.lang.ref.WeakReference;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.ReentrantLock;
import org.jetbrains.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The one thread of a JVM that looks after what is held: renews leases, ends holds past {@code maxHold}, notices removed records and
 * requests to let go, closes forgotten handles, retries failed deletes, sweeps litter. It runs no user code.
 *
 * <p>It sleeps in the queue of forgotten handles, so that a leak wakes it at once; another reference enqueued there is its alarm.
 */
final class Keeper {
    private static final Logger log = LoggerFactory.getLogger(Keeper.class);
    private static final long TICK_NANOS = TimeUnit.SECONDS.toNanos(1);
    private static final long DEEP_NANOS = TimeUnit.SECONDS.toNanos(5);
    private static final long SWEEP_NANOS = TimeUnit.SECONDS.toNanos(30);
    private static final long CELL_IDLE_NANOS = TimeUnit.SECONDS.toNanos(10);

    private final Cells cells;
    private final ReferenceQueue<Handle> forgotten;
    private final ReentrantLock starting = new ReentrantLock();
    private volatile @Nullable Thread thread;
    private boolean hooked;
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

    Keeper(Cells cells, ReferenceQueue<Handle> forgotten) {
        this.cells = cells;
        this.forgotten = forgotten;
        this.alarm = new Alarm(forgotten);
    }

    /** Starts the thread unless it runs. */
    void start() {
        starting.lock(); // always: the thread may be just about to end, having seen no cell
        try {
            if (thread == null) {
                hookShutdown();
                Thread fresh = Cells.daemon(this::run, "sessionlock-keeper");
                thread = fresh;
                fresh.start();
            }
        } finally {
            starting.unlock();
        }
    }

    private void hookShutdown() {
        if (hooked || !cells.engine().outliveTheProcess()) {
            return;
        }
        hooked = true;
        try {
            Runtime.getRuntime().addShutdownHook(new Thread(cells::shutDown, "sessionlock-shutdown"));
        } catch (IllegalStateException e) {
            log.debug("the JVM is shutting down already", e);
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
        alarm.enqueue();
    }

    /** Makes sure that the keeper glances at what lingers, having been given something new to glance at. */
    void glanceSoon() {
        if (!glances) {
            alarm.enqueue();
        }
    }

    private void run() {
        while (true) {
            try {
                // From here on whoever gets a lock rings, until it is known how long the sleep may be.
                nextLook = Long.MAX_VALUE;
                lookNow = false;
                tick();
                if (mayEnd()) {
                    return;
                }
                untilNextLook();
                glanceUntilNextLook();
            } catch (InterruptedException e) {
                log.debug("somebody interrupted the keeper; it goes on", e);
            } catch (RuntimeException | Error e) {
                log.error("the keeper stumbled; it goes on", e); // if it stopped, every lock would be lost with its lease
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
                ref.grant().cell().forgotten(ref);
            } else {
                alarm = new Alarm(forgotten);
            }
        }
    }

    private void tick() {
        long now = System.nanoTime();
        boolean deeply = cells.engine().isSuspect() || now - deepAt >= DEEP_NANOS;
        if (deeply) {
            deepAt = now;
            cells.engine().verify();
        }
        for (Cell cell : cells.all()) {
            cell.tend(deeply);
        }
        if (now - sweptAt >= SWEEP_NANOS) {
            sweptAt = now;
            cells.engine().sweep();
        }
        boolean leaving = !cells.hasTenants();
        cells.glance(); // what nobody may take again any more is given back before the rest is closed
        cells.retireIdle(leaving ? 0 : CELL_IDLE_NANOS);
        nothingOpen = cells.engine().closeIdle(leaving);
    }

    private boolean mayEnd() {
        starting.lock();
        try {
            boolean idle = nothingOpen && !cells.all().iterator().hasNext();
            if (idle) {
                thread = null;
            }
            return idle;
        } finally {
            starting.unlock();
        }
    }
}

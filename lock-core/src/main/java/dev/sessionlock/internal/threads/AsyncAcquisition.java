package dev.sessionlock.internal.threads;

import dev.sessionlock.internal.system.Loggers;
import dev.sessionlock.internal.system.RareLog;
import dev.sessionlock.spi.LockEngine.LockId;
import java.io.FileNotFoundException;
import java.io.IOException;
import java.nio.channels.ClosedChannelException;
import java.nio.file.NoSuchFileException;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicReference;
import org.jspecify.annotations.Nullable;

/**
 * One acquisition that no thread waits for. It stands in the lock's {@link WaitQueue} as any other, and works for some moments only: when it begins, when its
 * waiter is woken, when a pause or its timeout is over, and when its user has cancelled it. These moments come one after the other, on the workers of
 * {@link AsyncThreads}, so its fields need no lock.
 *
 * <pre>
 *  --->  IDLE ----> ASKED ----> WORKING ----> ENDED
 *         ^                      |   ^
 *         '----------------------'   |  asked meanwhile, and again
 *                                    v
 *                            WORKING_AND_ASKED
 * </pre>
 */
public final class AsyncAcquisition {
    private static final RareLog trouble = new RareLog(Loggers.LIBRARY, "an acquisition that no thread waits for could not go on, and tries again");
    /** It looks at least this often: a thread that was to look may not have started, for want of memory. */
    private static final long LONGEST_PAUSE_NANOS = TimeUnit.SECONDS.toNanos(10);

    /** Whom to tell what came of it. Called once, on a thread of ours that must not be kept. */
    public interface Outcome {
        /** It has the lock, and the callee sees to it that it is closed. */
        void acquired(Handle handle);

        /** It has not got the lock, and will not get it. Not called if its user has cancelled it. */
        void failed(Throwable why);
    }

    private enum Turn {
        /** Nothing is to be done, as far as is known. */
        IDLE,
        /** A worker will run it. */
        ASKED,
        /** A worker runs it. */
        WORKING,
        /** A worker runs it, and is to run it again. */
        WORKING_AND_ASKED,
        /** It was told what came of it, or it was cancelled; nothing of it is left in the queue. */
        ENDED
    }

    private final LocalLocks locks;
    private final LockId id;
    private final AcquireRequest request;
    private final long patience;
    private final long since;
    private final String askedBy = Thread.currentThread().getName();
    private final Outcome outcome;
    private final AtomicReference<Turn> turn = new AtomicReference<>(Turn.IDLE);
    private volatile boolean cancelled;

    // Touched only while it is WORKING, by whoever runs it.
    private @Nullable LockUse use;
    private @Nullable AsyncWaiter waiter;
    private int resolved;
    private @Nullable Future<?> alarm;

    /** @param patience for how long it waits, nanoseconds */
    AsyncAcquisition(LocalLocks locks, LockId id, AcquireRequest request, long patience, Outcome outcome) {
        this.locks = locks;
        this.id = id;
        this.request = request;
        this.patience = patience;
        this.since = locks.clock().nanos();
        this.outcome = outcome;
    }

    /**
     * Begins.
     *
     * @throws OutOfMemoryError if there is no thread or no memory for it; then nothing is left of it
     */
    void begin() {
        turn.set(Turn.ASKED);
        locks.asyncThreads().run(this::work);
    }

    /**
     * Its user wants the lock no more. It leaves the queue soon; a lock that it gets meanwhile is closed by its {@link Outcome}. Any thread.
     *
     * @param granted the lock, if it is there but was not delivered yet: it is closed on a thread of ours, since closing touches the disk; else null
     */
    public void cancel(@Nullable Handle granted) {
        cancelled = true;
        workSoon();
        if (granted != null) {
            closeSoon(granted);
        }
    }

    private void closeSoon(Handle granted) {
        try {
            locks.asyncThreads().run(granted::close);
        } catch (RuntimeException | Error e) {
            granted.close();
        }
    }

    // ---- turns ----

    /** Has a worker run it, unless one is about to. Never throws: the waiter is woken by threads that close locks. */
    void workSoon() {
        while (true) {
            Turn now = turn.get();
            if (now == Turn.IDLE) {
                if (turn.compareAndSet(Turn.IDLE, Turn.ASKED)) {
                    runOnWorker();
                    return;
                }
            } else if (now != Turn.WORKING || turn.compareAndSet(Turn.WORKING, Turn.WORKING_AND_ASKED)) {
                return;
            }
        }
    }

    private void runOnWorker() {
        try {
            locks.asyncThreads().run(this::work);
        } catch (RuntimeException | Error e) {
            turn.set(Turn.IDLE); // the keeper wakes the head again, and the alarm is set
            trouble.warn(request.shown(), e);
        }
    }

    private void work() {
        do {
            turn.set(Turn.WORKING);
            if (step()) {
                turn.set(Turn.ENDED);
                return;
            }
        } while (!turn.compareAndSet(Turn.WORKING, Turn.IDLE)); // asked meanwhile: on this thread, since another one may not start
    }

    // ---- what is to be done; one thread at a time ----

    /** Never throws. Returns whether it has ended. */
    private boolean step() {
        try {
            stopAlarm();
            boolean wanted = !cancelled; // read once: what comes later is the next step's
            Handle handle = wanted ? stepOnce() : null;
            if (handle != null) {
                deliver(handle);
            } else if (!wanted) {
                leave(null);
            }
            return handle != null || !wanted;
        } catch (RuntimeException | Error | IOException e) {
            return !mayStartAnew(e) && failed(e);
        }
    }

    /** {@return the handle; null if it goes on waiting} */
    private @Nullable Handle stepOnce() throws IOException {
        if (waiter == null) {
            enqueue();
        }
        long pause = use.lock().acquirer().look(waiter);
        if (pause == Acquirer.GIVEN) {
            return waiter.given;
        }
        alarm = locks.asyncThreads().schedule(this::workSoon, Math.min(pause, LONGEST_PAUSE_NANOS));
        return null;
    }

    private void stopAlarm() {
        if (alarm != null) {
            alarm.cancel(false);
            alarm = null;
        }
    }

    private void enqueue() throws IOException {
        locks.ensureOpen(request.publisher());
        locks.engine().requireLockable(id);
        use = locks.use(id);
        use.lock().requireLockable();
        AsyncWaiter fresh = new AsyncWaiter(this, request, patience, since, askedBy);
        waiter = fresh; // first: whatever is thrown, it leaves
        use.lock().acquirer().enqueue(fresh);
    }

    /** Whatever came of it, nothing of it is left in the queue, and what it was given by the way is given back. */
    private void leave(@Nullable Handle taken) {
        AsyncWaiter gone = waiter;
        LockUse used = use;
        waiter = null;
        use = null;
        try {
            if (gone != null) {
                used.lock().acquirer().leave(gone, taken);
            }
        } finally {
            if (used != null) {
                used.close();
            }
        }
    }

    /** {@return whether the directory was removed or moved under it, and it looks where its path leads now} */
    private boolean mayStartAnew(Throwable why) {
        boolean moved = why instanceof FileNotFoundException || why instanceof NoSuchFileException || why instanceof ClosedChannelException;
        if (!moved || ++resolved >= LocalLocks.RESOLVES) {
            return false;
        }
        try {
            if (use != null) {
                use.suspect();
            }
            leave(null);
            workSoon();
            return true;
        } catch (IOException | RuntimeException | Error e) {
            why.addSuppressed(e);
            return false;
        }
    }

    private void deliver(Handle handle) {
        boolean delivered = false;
        try {
            leave(handle);
            outcome.acquired(handle);
            delivered = true;
        } finally {
            if (!delivered) {
                handle.close();
            }
        }
    }

    private boolean failed(Throwable why) {
        try {
            leave(null);
        } catch (RuntimeException | Error e) {
            why.addSuppressed(e);
        }
        if (!cancelled) {
            outcome.failed(why);
        }
        return true;
    }
}

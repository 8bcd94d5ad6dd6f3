package dev.sessionlock.internal.threads;

import com.google.errorprone.annotations.concurrent.GuardedBy;
import dev.sessionlock.internal.system.GrowingPause;
import dev.sessionlock.internal.system.Log;
import dev.sessionlock.internal.system.Loggers;
import dev.sessionlock.internal.system.RareLog;
import java.util.ArrayDeque;
import java.util.concurrent.Executor;
import java.util.concurrent.SynchronousQueue;
import java.util.concurrent.ThreadPoolExecutor;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;

/**
 * Runs user code: on the user's executor, or on threads of our own, never on a thread that locks, and never under a lock of ours.
 *
 * <p>Events are told one after the other, in order. Those that are not told yet wait in a queue of limited length: a listener that is slower than
 * its locks loses events, the frequent ones first, and they are counted. What an executor refuses is offered to it again; what it swallows
 * is offered again with the next event, after a while.
 *
 * <p>Life of a delivery: {@code IDLE} → (an event comes) {@code ASKED} → (the executor runs it) {@code RUNNING} → {@code IDLE} when the queue is
 * empty, {@code ASKED} after a batch.
 */
final class EventDispatcher {
    private static final Log log = Loggers.LIBRARY;

    /** How many events wait at most. Rare events have as much room again, so that no flood of acquisitions displaces the news of a loss. */
    static final int CAPACITY = 65_536;
    /** How many events are told before the executor is asked again: others use it, too. */
    private static final int BATCH = 64;
    /** An executor that has not begun after this may have swallowed what it was given. */
    private static final long SWALLOWED_NANOS = TimeUnit.SECONDS.toNanos(5);
    /** How often an executor is asked, within some five seconds. */
    private static final int MOST_TRIES = 11;

    private enum Delivery { IDLE, ASKED, RUNNING }

    private final @Nullable Executor executor;
    private final RareLog refused = new RareLog(log, "the executor for callbacks refused one");
    private final RareLog slow = new RareLog(log, "a LockListener is slower than its locks, or its executor does not run it");
    private final MemoryLock mutex = new MemoryLock();
    /** Stands between us and the user's executor, which may be one that runs tasks in the calling thread. Null until it is needed. */
    @GuardedBy("mutex")
    private @Nullable Executor ownExecutor;
    @GuardedBy("mutex")
    private final ArrayDeque<Runnable> events = new ArrayDeque<>();
    @GuardedBy("mutex")
    private Delivery delivery = Delivery.IDLE;
    @GuardedBy("mutex")
    private long askedAt;
    @GuardedBy("mutex")
    private long dropped;

    /** @param executor where user code runs; null for daemon threads of our own */
    EventDispatcher(@Nullable Executor executor) {
        this.executor = executor;
    }

    private Executor ownExecutor() {
        mutex.lock();
        try {
            if (ownExecutor == null) {
                ownExecutor = ownThreads();
            }
            return ownExecutor;
        } finally {
            mutex.unlock();
        }
    }

    private static Executor ownThreads() {
        return new ThreadPoolExecutor(0, Integer.MAX_VALUE, 5, TimeUnit.SECONDS, new SynchronousQueue<>(), task -> {
            // The class loader of user code stays: its callbacks may need it.
            Thread thread = new Thread(null, task, "sessionlock-callback", 0, false);
            thread.setDaemon(true);
            return thread;
        });
    }

    /** {@return how many events were dropped so far} */
    long dropped() {
        mutex.lock();
        try {
            return dropped;
        } finally {
            mutex.unlock();
        }
    }

    /**
     * Runs user code by itself, which no other can hold up. If the executor refuses it, it is told as a rare event, in its turn: thousands of locks
     * may be lost at once, and none of them keeps a thread waiting.
     *
     * @throws RuntimeException or an error if there is no thread or no memory for it
     */
    void run(Runnable userCode) {
        ownExecutor().execute(() -> {
            if (executor == null) {
                guarded(userCode);
                return;
            }
            try {
                executor.execute(() -> guarded(userCode));
            } catch (RuntimeException | Error e) {
                refused.warn("it is asked again", e);
                post(userCode, true);
            }
        });
    }

    /**
     * As {@link #run}, but on a thread of ours if the executor refuses it.
     *
     * @throws RuntimeException or an error if there is no thread or no memory for it
     */
    void complete(Runnable userCode) {
        ownExecutor().execute(() -> {
            if (executor != null) {
                try {
                    executor.execute(() -> guarded(userCode));
                    return;
                } catch (RuntimeException | Error e) {
                    refused.warn("it runs on a thread of the library", e);
                }
            }
            guarded(userCode);
        });
    }

    /**
     * Tells an event after all that were posted before it.
     *
     * @param rare whether it is kept where frequent ones are dropped already
     * @throws RuntimeException or an error if there is no thread for it: it is told with the next one
     */
    void post(Runnable event, boolean rare) {
        long lost;
        boolean asks;
        mutex.lock();
        try {
            lost = add(event, rare);
            asks = mustAsk();
        } finally {
            mutex.unlock();
        }
        if (lost > 0) {
            slow.warn(lost + " events were dropped so far", null);
        }
        if (asks) {
            ask();
        }
    }

    /** Under the mutex. Returns how many were dropped so far; 0 if this one was not. */
    private long add(Runnable event, boolean rare) {
        if (events.size() >= (rare ? 2 * CAPACITY : CAPACITY)) {
            return ++dropped;
        }
        events.add(event);
        return 0;
    }

    /** Under the mutex. Returns whether nobody is about to tell what waits; then the caller has to. */
    private boolean mustAsk() {
        long now = System.nanoTime();
        if (events.isEmpty() || delivery == Delivery.RUNNING || delivery == Delivery.ASKED && now - askedAt < SWALLOWED_NANOS) {
            return false;
        }
        delivery = Delivery.ASKED;
        askedAt = now;
        return true;
    }

    private void ask() {
        boolean asked = false;
        try {
            ownExecutor().execute(this::offerDelivery);
            asked = true;
        } finally {
            if (!asked) {
                idle();
            }
        }
    }

    private void idle() {
        mutex.lock();
        try {
            delivery = Delivery.IDLE;
        } finally {
            mutex.unlock();
        }
    }

    private void offerDelivery() {
        if (offer(this::deliver)) {
            return;
        }
        long lost;
        mutex.lock();
        try {
            dropped += events.size();
            lost = dropped;
            events.clear();
            delivery = Delivery.IDLE;
        } finally {
            mutex.unlock();
        }
        slow.warn("the executor refuses it; " + lost + " events were dropped so far", null);
    }

    /** Has the executor run something. Returns false if it refused again and again. */
    private boolean offer(Runnable task) {
        if (executor == null) {
            task.run();
            return true;
        }
        GrowingPause pause = new GrowingPause();
        for (int tries = 1; ; tries++) {
            try {
                executor.execute(task);
                return true;
            } catch (RuntimeException | Error e) { // also an error, such as no more threads: what comes after must be told
                if (tries == MOST_TRIES) {
                    return false;
                }
                refused.warn("it is asked again", e);
            }
            pause.rest();
        }
    }

    private void deliver() {
        boolean regular = false;
        try {
            int told = 0;
            for (Runnable next = first(); next != null; next = next(++told)) {
                guarded(next);
            }
            regular = true;
        } finally {
            if (!regular) {
                idle(); // no memory, no stack
            }
        }
    }

    /** {@return null if another thread tells them, or if there are none} */
    private @Nullable Runnable first() {
        mutex.lock();
        try {
            if (delivery == Delivery.RUNNING) {
                return null;
            }
            delivery = Delivery.RUNNING;
            return polled();
        } finally {
            mutex.unlock();
        }
    }

    /** {@return null after a batch, or if there are none left} */
    private @Nullable Runnable next(int told) {
        mutex.lock();
        try {
            if (told < BATCH || executor == null || events.isEmpty()) {
                return polled();
            }
            delivery = Delivery.IDLE;
            mustAsk();
        } finally {
            mutex.unlock();
        }
        ask();
        return null;
    }

    /** Under the mutex. */
    private @Nullable Runnable polled() {
        Runnable next = events.poll();
        if (next == null) {
            delivery = Delivery.IDLE;
        }
        return next;
    }

    private static void guarded(Runnable userCode) {
        try {
            userCode.run();
        } catch (Throwable e) { // also an error of user code: it must not end the delivery of what comes after it
            log.warn("a callback of a session lock's user failed", e);
        }
    }
}

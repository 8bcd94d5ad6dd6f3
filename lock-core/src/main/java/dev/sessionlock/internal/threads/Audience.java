package dev.sessionlock.internal.threads;

import dev.sessionlock.LockListener;
import dev.sessionlock.LockLostException;
import dev.sessionlock.LockOptions;
import dev.sessionlock.LockStats;
import dev.sessionlock.LockTimeoutException;
import dev.sessionlock.internal.system.RareLog;
import dev.sessionlock.spi.Terms;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.concurrent.Executor;
import java.util.concurrent.SynchronousQueue;
import java.util.concurrent.ThreadPoolExecutor;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.atomic.LongAdder;
import org.jetbrains.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Who is told what happens to the locks of one {@code SessionLocks}: its counters, its listener, its handles' {@code onLost}, and
 * the flight recorder. User code runs on the executor alone, never under a lock of ours: the listener's calls one after the other,
 * each {@code onLost} by itself, so that a slow listener cannot hold up the news of a loss.
 */
public final class Audience {
    private static final Logger log = LoggerFactory.getLogger(Audience.class);
    private static final RareLog trouble = new RareLog(log, "something about a lock could not be told");
    private static final Duration NONE = Duration.ZERO;

    private final @Nullable LockListener listener;
    private final @Nullable Executor executor;
    /** Stands between us and the user's executor, which may be one that runs at once: user code must not run on our threads. */
    private final Executor courier = ownThreads();
    private final boolean takeStrangers;
    private final AtomicBoolean closed = new AtomicBoolean();
    private volatile @Nullable Agreed agreed;

    private final AtomicLong held = new AtomicLong();
    private final AtomicLong waiting = new AtomicLong();
    private final LongAdder acquired = new LongAdder();
    private final LongAdder lost = new LongAdder();
    private final LongAdder reclaimed = new LongAdder();
    private final AtomicLong timedOut = new AtomicLong();

    private final MemoryLock mailbox = new MemoryLock();
    private final ArrayDeque<Runnable> mail = new ArrayDeque<>();
    private boolean delivering;

    /**
     * @param listener told of everything; null for none
     * @param executor where user code runs; null for daemon threads of our own
     * @param takeStrangers whether other programs' locks may be replaced when their process is gone
     */
    public Audience(@Nullable LockListener listener, @Nullable Executor executor, boolean takeStrangers) {
        this.listener = listener;
        this.executor = executor;
        this.takeStrangers = takeStrangers;
    }

    private static Executor ownThreads() {
        return new ThreadPoolExecutor(0, Integer.MAX_VALUE, 5, TimeUnit.SECONDS, new SynchronousQueue<>(), task -> {
            // The class loader of user code stays: its callbacks may need it.
            Thread thread = new Thread(null, task, "sessionlock-callback", 0, false);
            thread.setDaemon(true);
            return thread;
        });
    }

    /** {@return whether other programs' locks may be replaced when their process is gone} */
    public boolean takeStrangers() {
        return takeStrangers;
    }

    /** The terms that were asked for last, and by what options. */
    private record Agreed(LockOptions options, Terms terms) {
    }

    /** {@return on what terms a thread asks} One object for as long as the same thread asks for the same: each held lock keeps its terms. */
    Terms terms(LockOptions options, String thread) {
        Agreed last = agreed;
        if (last == null || last.options() != options || !thread.equals(last.terms().thread())) {
            long maxHold = options.maxHold().equals(LockOptions.UNLIMITED) ? -1 : options.maxHold().toMillis();
            last = new Agreed(options,
                    new Terms(options.lease().toNanos(), options.takeover(), maxHold, thread, options.purpose(), takeStrangers));
            agreed = last;
        }
        return last.terms();
    }

    /** From now on no lock is given out to it. {@return false if that was so already} */
    public boolean close() {
        return closed.compareAndSet(false, true);
    }

    /** {@return whether {@link #close} was called} */
    public boolean isClosed() {
        return closed.get();
    }

    /** {@return the counters} */
    public LockStats stats() {
        return new LockStats(held.get(), waiting.get(), acquired.sum(), lost.sum(), reclaimed.sum(), timedOut.get());
    }

    // ---- what the cells tell; nothing is thrown here: the lock is acquired, or given back, whoever could not be told of it ----

    void waits() {
        waiting.incrementAndGet();
    }

    void waitsNoMore() {
        waiting.decrementAndGet();
    }

    void contended(Cell cell) {
        try {
            LockEvents.contended(cell.engine());
            if (listener != null) {
                LockListener.Event event = event(cell, 0, NONE);
                post(() -> listener.contended(event));
            }
        } catch (RuntimeException | Error e) {
            untold(e);
        }
    }

    /** An acquisition gave up, after the timeout that it had asked for. */
    void timedOut(Cell cell, Request request, LockTimeoutException why) {
        timedOut.incrementAndGet();
        try {
            String line = TimeoutText.inOneLine(request, cell.shown(request), why.report(), cell.clock().instant());
            LockEvents.timedOut(cell.engine(), why.waited().toNanos(), line);
            if (request.options().timeout().isZero()) {
                log.debug("{}", line); // one try: to find it taken is what its caller is prepared for
            } else {
                cell.timeouts().warn(line, null); // no stack: its caller has the exception
            }
            if (listener != null) {
                LockListener.Event event = event(cell, 0, why.waited());
                post(() -> listener.timedOut(event, why));
            }
        } catch (RuntimeException | Error e) {
            untold(e);
        }
    }

    void acquired(Grant grant, long waitedNanos) {
        acquiredAgain();
        try {
            if (listener != null) {
                LockListener.Event event = event(grant.cell(), grant.token(), Duration.ofNanos(waitedNanos));
                post(() -> listener.acquired(event));
            }
        } catch (RuntimeException | Error e) {
            untold(e);
        }
    }

    /** Somebody was passed over for it. */
    void reclaimed(Grant grant, String evidence) {
        try {
            reclaimed.increment();
            LockEvents.reclaimed(grant.cell().engine(), grant.token(), evidence);
            log.info("took over {} (token {}): {}", grant.cell().engine(), grant.token(), evidence);
            if (listener != null) {
                LockListener.Event event = event(grant.cell(), grant.token(), NONE);
                post(() -> listener.reclaimed(event, evidence));
            }
        } catch (RuntimeException | Error e) {
            untold(e);
        }
    }

    /** A further handle of a thread that holds the lock already. */
    void acquiredAgain() {
        held.incrementAndGet();
        try {
            acquired.increment();
        } catch (OutOfMemoryError e) { // a counter that many threads use grows
            untold(e);
        }
    }

    /** One of several handles was closed. */
    void releasedOne() {
        held.decrementAndGet();
    }

    /**
     * The last handle was closed, of a lock that was held to the end.
     *
     * @param token the token, which may be another user's by now
     * @param since when it was acquired, monotonic nanoseconds
     */
    void released(Cell cell, long token, long since) {
        releasedOne();
        try {
            if (listener != null) {
                LockListener.Event event = event(cell, token, cell.since(since));
                post(() -> listener.released(event));
            }
        } catch (RuntimeException | Error e) {
            untold(e);
        }
    }

    /** So many handles of one grant were lost. */
    void lost(Grant grant, LockLostException why, int handles) {
        held.addAndGet(-handles);
        try {
            lost.add(handles);
            LockEvents.lost(grant.cell(), grant.token(), grant.acquiredNanos(), why);
            log.warn("{}", why.getMessage(), why.getCause()); // without the keeper's stack, which tells nothing
            if (listener != null) {
                LockListener.Event event = event(grant.cell(), grant.token(), grant.cell().since(grant.acquiredNanos()));
                post(() -> listener.lost(event, why));
            }
        } catch (RuntimeException | Error e) {
            untold(e);
        }
    }

    private static void untold(Throwable why) {
        trouble.warn("a listener, a counter or the log was not told", why);
    }

    private static LockListener.Event event(Cell cell, long token, Duration elapsed) {
        return new LockListener.Event(cell.engine().name(), cell.engine().lockFile(), token, elapsed);
    }

    // ---- user code ----

    /** Runs user code by itself. Never throws. */
    void run(Runnable userCode) {
        try {
            courier.execute(() -> pass(userCode));
        } catch (RuntimeException | Error e) { // no thread, no memory
            untold(e);
        }
    }

    /** Runs user code after all that was posted before it. If there is no thread for it, it waits for the next one to be posted. */
    private void post(Runnable userCode) {
        mailbox.lock();
        try {
            mail.add(userCode);
            if (delivering) {
                return;
            }
            delivering = true;
        } finally {
            mailbox.unlock();
        }
        boolean begun = false;
        try {
            courier.execute(this::deliver);
            begun = true;
        } finally {
            if (!begun) {
                delivering(false);
            }
        }
    }

    private void delivering(boolean now) {
        mailbox.lock();
        try {
            delivering = now;
        } finally {
            mailbox.unlock();
        }
    }

    private void deliver() {
        for (Runnable next = nextMail(); next != null; next = nextMail()) {
            pass(next);
        }
    }

    private @Nullable Runnable nextMail() {
        mailbox.lock();
        try {
            Runnable next = mail.poll();
            delivering = next != null;
            return next;
        } finally {
            mailbox.unlock();
        }
    }

    private void pass(Runnable userCode) {
        if (executor == null) {
            guarded(userCode);
            return;
        }
        try {
            executor.execute(() -> guarded(userCode));
        } catch (RuntimeException | Error e) { // also an error, such as no more threads: it must not end the delivery of what comes after
            log.warn("the executor for callbacks refused one", e);
        }
    }

    private static void guarded(Runnable userCode) {
        try {
            userCode.run();
        } catch (Throwable e) { // also an error of user code: it must not end the delivery of what comes after it
            log.warn("a callback of a session lock's user failed", e);
        }
    }
}

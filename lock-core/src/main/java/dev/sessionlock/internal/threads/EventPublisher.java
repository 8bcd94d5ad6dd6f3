package dev.sessionlock.internal.threads;

import dev.sessionlock.LockListener;
import dev.sessionlock.LockLostException;
import dev.sessionlock.LockLostException.Reason;
import dev.sessionlock.LockOptions;
import dev.sessionlock.LockStats;
import dev.sessionlock.LockTimeoutException;
import dev.sessionlock.internal.system.Log;
import dev.sessionlock.internal.system.Loggers;
import dev.sessionlock.internal.system.RareLog;
import dev.sessionlock.spi.Terms;
import java.time.Duration;
import java.util.concurrent.Executor;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicLong;
import org.jspecify.annotations.Nullable;

/**
 * Tells what happens to the locks of one {@code SessionLocks}: to its counters, its listener, its handles' {@code onLost}, and the flight recorder. The listener's
 * calls come one after the other, each {@code onLost} by itself, so that a slow listener cannot hold up the news of a loss.
 */
public final class EventPublisher {
    private static final Log log = Loggers.LIBRARY;
    private static final Log events = Loggers.EVENTS;
    private static final RareLog trouble = new RareLog(log, "something about a lock could not be told");
    private static final Duration NONE = Duration.ZERO;

    private final @Nullable LockListener listener;
    private final EventDispatcher dispatcher;
    private final boolean takeForeign;
    private final long shutdownGraceNanos;
    private final long longWaitNanos;
    private final AtomicBoolean closed = new AtomicBoolean();
    private volatile @Nullable AgreedTerms agreed;

    private final AtomicLong waiting = new AtomicLong();
    private final Counter acquired = new Counter();
    /** The handles that were closed or lost. */
    private final Counter ended = new Counter();
    /** One for each reason, by its ordinal. */
    private final Counter[] lost = new Counter[Reason.values().length];
    private final Counter reclaimed = new Counter();
    private final AtomicLong timedOut = new AtomicLong();
    private final LockMeters meters = new LockMeters();

    /**
     * @param listener told of everything; null for none
     * @param executor where user code runs; null for daemon threads of our own
     * @param takeForeign whether other programs' locks may be replaced when their process is gone
     * @param shutdownGraceNanos how long the end of the JVM waits for its open handles: nanoseconds, {@link Shutdown#WHILE_HOOKS_WORK} or
     *     {@link Shutdown#LEAVE_ALONE}
     */
    public EventPublisher(@Nullable LockListener listener, @Nullable Executor executor, boolean takeForeign, long shutdownGraceNanos) {
        this(listener, executor, takeForeign, shutdownGraceNanos, 0);
    }

    /** @param longWaitNanos after how many nanoseconds of waiting this is logged; 0 if never */
    public EventPublisher(@Nullable LockListener listener, @Nullable Executor executor, boolean takeForeign, long shutdownGraceNanos, long longWaitNanos) {
        this.longWaitNanos = longWaitNanos;
        for (int i = 0; i < lost.length; i++) { // no lambda: it would be linked beside a JVM's first acquisition
            lost[i] = new Counter();
        }
        this.shutdownGraceNanos = shutdownGraceNanos;
        this.listener = listener;
        this.dispatcher = new EventDispatcher(executor);
        this.takeForeign = takeForeign;
    }

    /** {@return whether other programs' locks may be replaced when their process is gone} */
    public boolean takeForeign() {
        return takeForeign;
    }

    /** {@return how long the end of the JVM waits for its open handles} */
    long shutdownGraceNanos() {
        return shutdownGraceNanos;
    }

    /** {@return after how many nanoseconds of waiting this is logged; 0 if never} */
    long longWaitNanos() {
        return longWaitNanos;
    }

    /** The terms that were asked for last, and by what options. */
    private record AgreedTerms(LockOptions options, Terms terms) {
    }

    /** {@return on what terms a thread asks} One object for as long as the same thread asks for the same: each held lock keeps its terms. */
    Terms terms(LockOptions options, String thread) {
        AgreedTerms last = agreed;
        if (last == null || last.options() != options || !thread.equals(last.terms().thread())) {
            long maxHold = options.maxHold().equals(LockOptions.UNLIMITED) ? -1 : options.maxHold().toMillis();
            last = new AgreedTerms(options,
                    new Terms(options.lease().toNanos(), options.takeover(), maxHold, thread, options.purpose(), takeForeign, options.mode()));
            agreed = last;
        }
        return last.terms();
    }

    /** From now on no lock is given out to it. Returns false if that was so already. */
    public boolean close() {
        return closed.compareAndSet(false, true);
    }

    /** {@return whether {@link #close} was called} */
    public boolean isClosed() {
        return closed.get();
    }

    /** {@return the counters} */
    public LockStats stats() {
        long endedBefore = ended.sum(); // first: what is acquired and ended meanwhile must not make it negative
        long acquiredNow = acquired.sum();
        return new LockStats(acquiredNow - endedBefore, waiting.get(), acquiredNow, lost(), reclaimed.sum(), timedOut.get(), dispatcher.dropped());
    }

    private long lost() {
        long sum = 0;
        for (Counter each : lost) {
            sum += each.sum();
        }
        return sum;
    }

    /** {@return how many handles were lost for that reason} */
    public long lost(Reason reason) {
        return lost[reason.ordinal()].sum();
    }

    /** {@return who measures} */
    public LockMeters meters() {
        return meters;
    }

    // ---- what the locks tell; nothing is thrown here: a lock is acquired, or given back, even if nobody could be told of it ----

    void waits() {
        waiting.incrementAndGet();
    }

    void waitsNoMore() {
        waiting.decrementAndGet();
    }

    void contended(LocalLock lock) {
        try {
            LockEvents.contended(lock.engine());
            events.debug("waiting for {}", lock.engine());
            if (listener != null) {
                LockListener.Event event = event(lock, 0, NONE);
                dispatcher.post(() -> listener.contended(event), false);
            }
        } catch (RuntimeException | Error e) {
            untold(e);
        }
    }

    /** An acquisition gave up, after the timeout that it had asked for. */
    void timedOut(LocalLock lock, AcquireRequest request, LockTimeoutException why) {
        timedOut.incrementAndGet();
        try {
            String line = TimeoutMessage.inOneLine(request, lock.shown(request), why.report(), lock.clock().instant());
            LockEvents.timedOut(lock.engine(), why.waited().toNanos(), line);
            if (request.options().timeout().isZero()) {
                events.debug("{}", line); // one try: to find it taken is what its caller is prepared for
            } else {
                lock.timeouts().warn(line, null); // no stack: its caller has the exception
            }
            if (listener != null) {
                LockListener.Event event = event(lock, 0, why.waited());
                dispatcher.post(() -> listener.timedOut(event, why), true);
            }
        } catch (RuntimeException | Error e) {
            untold(e);
        }
    }

    void acquired(Grant grant, long waitedNanos) {
        acquiredAgain();
        try {
            if (events.isDebugEnabled()) {
                events.debug("acquired {} (token {}) after {} ms", grant.lock().engine(), grant.token(), TimeUnit.NANOSECONDS.toMillis(waitedNanos));
            }
            if (listener != null) {
                LockListener.Event event = event(grant.lock(), grant.token(), Duration.ofNanos(waitedNanos));
                dispatcher.post(() -> listener.acquired(event), false);
            }
        } catch (RuntimeException | Error e) {
            untold(e);
        }
    }

    /** Somebody was passed over for it. */
    void reclaimed(Grant grant, String evidence) {
        try {
            reclaimed.add(1);
            LockEvents.reclaimed(grant.lock().engine(), grant.token(), evidence);
            events.info("took over {} (token {}): {}", grant.lock().engine(), grant.token(), evidence);
            if (listener != null) {
                LockListener.Event event = event(grant.lock(), grant.token(), NONE);
                dispatcher.post(() -> listener.reclaimed(event, evidence), true);
            }
        } catch (RuntimeException | Error e) {
            untold(e);
        }
    }

    /** A further handle of a thread that holds the lock already. */
    void acquiredAgain() {
        acquired.add(1);
    }

    /** One of several handles was closed. */
    void releasedOne() {
        ended.add(1);
    }

    /**
     * The last handle was closed, of a lock that was held to the end.
     *
     * @param token the token, which may be another user's by now
     * @param since when it was acquired, monotonic nanoseconds
     */
    void released(LocalLock lock, long token, long since) {
        releasedOne();
        try {
            if (events.isDebugEnabled()) {
                events.debug("released {} (token {}) after {} ms", lock.engine(), token, lock.since(since).toMillis());
            }
            if (listener != null) {
                LockListener.Event event = event(lock, token, lock.since(since));
                dispatcher.post(() -> listener.released(event), false);
            }
        } catch (RuntimeException | Error e) {
            untold(e);
        }
    }

    /** So many handles of one grant were lost. */
    void lost(Grant grant, LockLostException why, int handles) {
        ended.add(handles);
        try {
            lost[why.reason().ordinal()].add(handles);
            LockEvents.lost(grant.lock(), grant.token(), grant.acquiredNanos(), why);
            events.warn("{}", why.getMessage(), why.getCause()); // without the keeper's stack, which tells nothing
            if (listener != null) {
                LockListener.Event event = event(grant.lock(), grant.token(), grant.lock().since(grant.acquiredNanos()));
                dispatcher.post(() -> listener.lost(event, why), true);
            }
        } catch (RuntimeException | Error e) {
            untold(e);
        }
    }

    private static void untold(Throwable why) {
        trouble.warn("a listener, a counter or the log was not told", why);
    }

    private static LockListener.Event event(LocalLock lock, long token, Duration elapsed) {
        return new LockListener.Event(lock.engine().name(), lock.engine().lockFile(), token, elapsed);
    }

    // ---- user code ----

    /**
     * Runs what a user waits for, and must come: on the user's executor, or on a thread of ours if that refuses it.
     *
     * @throws RuntimeException or an error if there is no thread or no memory for it
     */
    public void complete(Runnable userCode) {
        dispatcher.complete(userCode);
    }

    /** Runs user code by itself. Never throws. */
    void run(Runnable userCode) {
        try {
            dispatcher.run(userCode);
        } catch (RuntimeException | Error e) { // no thread, no memory
            untold(e);
        }
    }
}

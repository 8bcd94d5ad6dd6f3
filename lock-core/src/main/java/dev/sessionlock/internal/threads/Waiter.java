package dev.sessionlock.internal.threads;

import com.google.errorprone.annotations.concurrent.GuardedBy;
import dev.sessionlock.internal.system.ThreadNames;
import dev.sessionlock.spi.Busy;
import dev.sessionlock.spi.Terms;
import java.time.Instant;
import org.jspecify.annotations.Nullable;

/**
 * One place in the {@link WaitQueue}: a request, since when it waits and for how long, and what has come of it. A subclass says who is woken: a thread that
 * sleeps, or something that needs no thread.
 */
abstract class Waiter {
    private final AcquireRequest request;
    private final long timeoutNanos;
    private final long since;
    private final long queuedAt;
    /**
     * Its handle; null as long as it has none. The waiter's own thread may set it under the engine lock. A field that is set by the assignment that makes the
     * grant: a setter would be one more call that can throw, and then nobody would have the handle.
     */
    @GuardedBy("LocalLock.stateLock")
    @Nullable Handle given;
    // Touched only by whoever looks on its behalf, one thread at a time.
    /** What was in the way at its last try; null if it has not tried. */
    @Nullable Busy busy;
    /** How many tries it has made. */
    int tries;
    /** It counts among those that wait. */
    boolean counted;
    /** It was told that it waits. */
    boolean contentionTold;
    /** When the waiting began, by the wall clock, as it was first told: told anew each time, it would differ a little. Null if nobody has asked. */
    volatile @Nullable Instant sinceAsTold;
    private volatile boolean woken;
    private volatile boolean gone;
    /** It is being logged that it takes long; null if not. */
    private volatile @Nullable LongWait longWait;
    private volatile long settledAt = Long.MIN_VALUE;

    /**
     * @param timeoutNanos for how long it waits; 0 or less for one try
     * @param since when the waiting began, monotonic nanoseconds
     * @param queuedAt when it joins the queue, by the machine's clock, whatever clock leases run by
     */
    Waiter(AcquireRequest request, long timeoutNanos, long since, long queuedAt) {
        this.request = request;
        this.timeoutNanos = timeoutNanos;
        this.since = since;
        this.queuedAt = queuedAt;
    }

    /** {@return the thread that the lock will belong to; null if to none} */
    abstract @Nullable Thread owner();

    /** {@return the name under which records, histories and reports show it; {@link ThreadNames#NONE} if the lock will belong to no thread} */
    abstract String ownerName();

    /** {@return the name of the thread that waits, or that has asked, for the log of this JVM} */
    String askedBy() {
        return ownerName();
    }

    /** Makes it look at the lock again, having been {@linkplain #wake woken}. Memory only; the state lock may be held. */
    abstract void unpark();

    /** {@return how many threads may wait in the kernel at most, for one to be spent on this waiter} */
    abstract int mostKernelWaiters();

    final AcquireRequest request() {
        return request;
    }

    final Terms terms() {
        return request.terms(ownerName());
    }

    /** {@return when the waiting began, monotonic nanoseconds} */
    final long since() {
        return since;
    }

    /** {@return since when it has been in the queue, by the machine's clock} */
    final long queuedAt() {
        return queuedAt;
    }

    /** {@return for how many nanoseconds it goes on waiting; 0 or less if its timeout is over} */
    final long left(long now) {
        return timeoutNanos - (now - since);
    }

    // ---- waking ----

    /** Has it look again, be it asleep or about to sleep. */
    final void wake() {
        woken = true;
        unpark();
    }

    /**
     * As {@link #wake}, but does nothing if it has been woken and has not looked yet: brief users who close the lock one after the other wake the head once. If
     * something was thrown to a thread in the middle of this, the keeper's {@link #wake} helps.
     */
    final void wakeOnce() {
        if (!woken) {
            wake();
        }
    }

    final boolean isWoken() {
        return woken;
    }

    /** Before it looks. Returns whether somebody has woken it since the last look. */
    final boolean clearWoken() {
        boolean was = woken;
        woken = false;
        return was;
    }

    /** It has seen what there was to see at that time, and sleeps. */
    final void settled(long now) {
        settledAt = now;
    }

    /** {@return whether it has not looked since that time} */
    final boolean isRestless(long now) {
        return settledAt < now;
    }

    // ---- what comes of it ----

    /** It waits no more, whatever ended its waiting. The queue drops it when it next finds it. */
    final void leave() {
        gone = true;
        if (counted) {
            request.publisher().waitsNoMore();
        }
    }

    /** Under the state lock. Returns whether it has its handle, and is about to leave. */
    final boolean hasHandle() {
        return given != null;
    }

    final boolean isGone() {
        return gone;
    }

    // ---- if it takes long ----

    /** {@return in how many nanoseconds its wait will be long; 0 or less if it is; {@link Long#MAX_VALUE} if that is not to be told, was told, or it waits no more} */
    final long untilLong(long now) {
        long from = request.publisher().longWaitNanos();
        return from <= 0 || longWait != null || gone ? Long.MAX_VALUE : from - (now - since);
    }

    /** Its wait is long. If it is just leaving, it may not see that; then nothing is told. */
    final void takesLong(LongWait told) {
        longWait = told;
        if (gone) {
            told.ended(false, true);
        }
    }

    /** After it has {@linkplain #leave left}, under no lock: a line may be written. */
    final void tellEnd(boolean acquired, long now) {
        LongWait told = longWait;
        if (told != null) {
            told.ended(acquired, left(now) > 0); // never throws
        }
    }
}

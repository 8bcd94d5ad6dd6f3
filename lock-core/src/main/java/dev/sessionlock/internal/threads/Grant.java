package dev.sessionlock.internal.threads;

import dev.sessionlock.LockLostException;
import dev.sessionlock.LockLostException.Reason;
import dev.sessionlock.LockOptions;
import dev.sessionlock.spi.Clock;
import dev.sessionlock.spi.Hold;
import java.lang.ref.ReferenceQueue;
import java.nio.file.Path;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLongFieldUpdater;
import org.jetbrains.annotations.Nullable;

/**
 * A lock as one user of this JVM has it, from the acquisition to the end: a hold, its bounds, and the handles that share it. It is
 * valid while nobody has taken it away and our own clock is below both bounds, the lease's and {@code maxHold}'s.
 *
 * <p>With {@code linger} it stays when its user has gone, and is given to the next one who asks on the same terms.
 */
final class Grant {
    private static final AtomicLongFieldUpdater<Grant> PROGRESS_AT = AtomicLongFieldUpdater.newUpdater(Grant.class, "progressAt");
    /** A time of progress as of one who never needs to make any: while nobody has it {@code maxHold} does not run. */
    private static final long NO_OWNER = Long.MAX_VALUE / 2;
    private static final long LONG_NANOS = TimeUnit.MILLISECONDS.toNanos(100);

    private final LocalLock lock;
    private final Hold hold;
    private final EventPublisher publisher;
    private final LockOptions options;
    private final @Nullable Path target;
    private final long maxHoldNanos;
    /** A user that has it for longer without progress may have forgotten it; 0 if nobody wants to know. */
    private final long leakNanos;
    /** Wall clock less monotonic clock as its first user acquired it, microseconds: the times of all are told by it, and so never differ. */
    private final long wallAheadMicros;
    private volatile long acquiredNanos;
    private volatile @Nullable Loss loss;
    private volatile @Nullable Thread owner;
    private volatile long progressAt;
    /** Since when its present user has it, for the flight recorder; null if nobody recorded then. Set before he has his handle. */
    private LockEvents.@Nullable Timed held;
    /** It was said that its present user has it for long. Guarded by the cell's mutex. */
    private boolean suspected;

    /**
     * What becomes of a grant.
     *
     * <pre>
     * HELD ---> ENDING ---> ENDED
     *  | ^        ^
     *  v |        |
     * LINGERING --+          HELD ---> ABANDONED
     * </pre>
     */
    enum State {
        /** It has users, or had one a moment ago who is about to say so. */
        HELD,
        /** Nobody has it, and whoever asks for it on its terms may. */
        LINGERING,
        /** Nobody may have it any more, and it is to be given back. If that fails, whatever was thrown, the keeper tries it again. */
        ENDING,
        /** It was given back, or passed on. */
        ENDED,
        /** The process is about to end: the kernel lock stays as it is. */
        ABANDONED
    }

    /** Written under the cell's mutex. What leads to {@link AttemptState#ENDED} and {@link AttemptState#ABANDONED} is done in turn, too. */
    private volatile State state = State.HELD;
    /** Why it could not be renewed the last time; null if it could. Guarded by the cell's turn. */
    @Nullable Throwable renewalTrouble;
    /** Its open handle, or one of them; then the others are in a list of their own, since hardly any grant has more. The mutex guards both. */
    private Handle.@Nullable Ref handle;
    private @Nullable List<Handle.Ref> others;
    /** A handle that was found closed, and still counted as open, at the keeper's last look. Guarded by the cell's mutex. */
    private Handle.@Nullable Ref halfClosed;
    /** The keeper knows that it lingers now and then. Guarded by the cell's mutex. */
    private boolean idleCheckedAt;
    /** What the keeper saw when it last glanced here; null before that. Guarded by the cell's mutex. */
    private @Nullable Idle idle;

    /** Whose the lock was last, and since when nobody else's, monotonic nanoseconds. */
    private record Idle(long token, long since) {
    }

    /** Why and when it was taken away: one reference, so that nobody sees the one without the other. */
    private record Loss(LockLostException why, long atNanos) {
    }

    Grant(LocalLock lock, Hold hold, AcquireRequest request, Thread owner) {
        this.lock = lock;
        long now = lock.clock().nanos();
        this.wallAheadMicros = lock.clock().wallMicros() - Math.floorDiv(now, 1_000);
        this.acquiredNanos = now;
        this.progressAt = now;
        this.hold = hold;
        this.publisher = request.publisher();
        this.options = request.options();
        this.target = request.target();
        this.owner = owner;
        this.maxHoldNanos = options.maxHold().equals(LockOptions.UNLIMITED) ? Long.MAX_VALUE : options.maxHold().toNanos();
        this.leakNanos = options.leakDetectionThreshold().toNanos();
        this.held = LockEvents.held();
    }

    LocalLock lock() {
        return lock;
    }

    Hold hold() {
        return hold;
    }

    EventPublisher publisher() {
        return publisher;
    }

    LockOptions options() {
        return options;
    }

    /** {@return the file that the lock's name stands for; null if it is a name alone, or if the engine knows its file} */
    @Nullable Path target() {
        return target;
    }

    long token() {
        return hold.token();
    }

    @Nullable String reclaimed() {
        return hold.reclaimed();
    }

    /** {@return since when its present user has it, for the flight recorder; null if nobody recorded then} */
    LockEvents.@Nullable Timed held() {
        return held;
    }

    /** {@return when its present user acquired it, monotonic nanoseconds} */
    long acquiredNanos() {
        return acquiredNanos;
    }

    /** {@return when its present user acquired it, wall clock} */
    Instant acquiredAt() {
        return at(acquiredNanos);
    }

    /** {@return the wall-clock time of a moment since it was acquired} */
    Instant at(long nanos) {
        long micros = wallAheadMicros + Math.floorDiv(nanos, 1_000);
        return Instant.ofEpochSecond(Math.floorDiv(micros, 1_000_000), Math.floorMod(micros, 1_000_000) * 1_000L);
    }

    /** {@return the thread that it belongs to; null if detached} */
    @Nullable Thread owner() {
        return owner;
    }

    void detach() {
        owner = null;
    }

    // ---- its life ----

    State state() {
        return state;
    }

    /** {@return whether it is not ending, nor has ended} */
    boolean isLive() {
        State now = state;
        return now == State.HELD || now == State.LINGERING;
    }

    /** Under the mutex. */
    boolean lingers() {
        return state == State.LINGERING;
    }

    /** Under the mutex: nobody may have it any more. {@return false if it has ended, or never will} */
    boolean beginEnding() {
        if (state == State.ENDED || state == State.ABANDONED) {
            return false;
        }
        state = State.ENDING;
        return true;
    }

    /** Under the mutex. */
    void ended() {
        state = State.ENDED;
    }

    /** Under the mutex. {@return false if it is ending or has ended} */
    boolean abandon() {
        boolean live = isLive();
        if (live) {
            state = State.ABANDONED;
        }
        return live;
    }

    /** {@return within how many nanoseconds of its acquisition the keeper must look after it} */
    long withinNanos() {
        long within = Math.min(options.lease().toNanos() / 4, maxHoldNanos);
        return leakNanos == 0 ? within : Math.min(within, leakNanos);
    }

    /**
     * {@return how often it is renewed, nanoseconds} More often than for the lease's sake while nobody has it: strangers, who know {@code maxHold}
     * alone, must not find its record overdue.
     */
    long renewEvery() {
        long lease = hold.terms().leaseNanos() / 3;
        return progressAt == NO_OWNER ? Math.min(lease, maxHoldNanos / 4) : lease;
    }

    // ---- handles; under the cell's mutex ----

    /** Adds an open handle. */
    void add(Handle.Ref open) {
        if (handle == null) {
            handle = open;
        } else {
            others = others == null ? new ArrayList<>(1) : others;
            others.add(open);
        }
    }

    /** Removes one that was closed. {@return whether none is left} */
    boolean remove(Handle.Ref closed) {
        if (handle == closed) {
            handle = others == null || others.isEmpty() ? null : others.remove(others.size() - 1);
        } else if (others != null) {
            others.remove(closed);
        }
        return handle == null;
    }

    /** {@return whether a handle is among the open ones} */
    boolean has(Handle.Ref one) {
        return handle == one || others != null && others.contains(one);
    }

    /** {@return whether any handle is open} */
    boolean isOpen() {
        return handle != null;
    }

    /**
     * {@return a handle whose closing was broken off by a throwable} It is closed and still counts as open, at this look of the keeper as at the
     * one before; null if there is none.
     */
    Handle.@Nullable Ref halfClosed() {
        Handle.Ref before = halfClosed;
        halfClosed = handle != null && handle.isClosed() ? handle : null;
        for (int i = 0; halfClosed == null && others != null && i < others.size(); i++) {
            halfClosed = others.get(i).isClosed() ? others.get(i) : null;
        }
        return halfClosed == before ? halfClosed : null;
    }

    /** {@return whether this is its only open handle} */
    boolean isLast(Handle.Ref open) {
        return handle == open && (others == null || others.isEmpty());
    }

    /** {@return those that are open now} */
    List<Handle.Ref> handles() {
        List<Handle.Ref> all = new ArrayList<>(others == null ? List.of() : others);
        if (handle != null) {
            all.add(0, handle);
        }
        return all;
    }

    // ---- leaks; under the cell's mutex ----

    /** {@return where its first open handle was acquired; null unless that is wanted, and if there is none} */
    @Nullable AcquisitionTrace acquiredHere() {
        return handle == null ? null : handle.acquiredHere();
    }

    /** {@return in how many nanoseconds it is to be said that its user has it for long; {@link Long#MAX_VALUE} if never} */
    long untilSuspected(long now) {
        return leakNanos == 0 || suspected || state != State.HELD || loss != null ? Long.MAX_VALUE : leakNanos - (now - progressAt);
    }

    /** {@return whether it is to be said now} It is said once of each user. */
    boolean suspect(long now) {
        boolean due = untilSuspected(now) <= 0;
        suspected |= due;
        return due;
    }

    // ---- lingering; under the cell's mutex ----

    /** {@return whether it may stay when its user has gone} */
    boolean mayLinger() {
        return !options.linger().isZero() && loss == null && lock.engine().isReusable(hold);
    }

    /** Its user has gone. {@return whether the keeper has to be told} */
    boolean linger() {
        boolean unknown = !idleCheckedAt;
        if (unknown) {
            idleCheckedAt = true;
            idle = null;
        }
        state = State.LINGERING;
        owner = null;
        progressAt = NO_OWNER;
        return unknown;
    }

    /**
     * Gives it to a further user.
     *
     * @return its handle; null if the lease is over, or it cannot be used again
     */
    @Nullable Handle reuse(Thread thread, ReferenceQueue<Handle> forgotten) {
        if (loss != null || !lock.engine().reuse(hold, thread.getName())) {
            return null;
        }
        long now = lock.clock().nanos(); // after the token is drawn, so that who slept before is found out
        if (now >= hold.deadline()) {
            return null;
        }
        acquiredNanos = now;
        held = LockEvents.held();
        Handle handle = new Handle(this, forgotten, AcquisitionTrace.ifWanted(options)); // if there is no memory for it, it goes on lingering
        progressAt = now;
        suspected = false;
        owner = thread;
        state = State.HELD;
        return handle;
    }

    /**
     * The keeper glances at it.
     *
     * @return for how many nanoseconds nobody has had it, as far as was seen at these glances; 0 if somebody has
     */
    long idleNanos(long now) {
        if (!lingers() || idle == null || idle.token() != hold.token()) {
            idle = new Idle(hold.token(), now);
        }
        return now - idle.since();
    }

    /** {@return whether nobody has had it for as long as it may linger} */
    boolean hasLingered(long now) {
        return lingers() && idleNanos(now) >= options.linger().toNanos();
    }

    /** {@return whether the keeper goes on glancing at it} Not if somebody holds it for long: then it is told when he has gone. */
    boolean isIdleCheckRequested(long now) {
        idleCheckedAt &= lingers() || now - acquiredNanos < LONG_NANOS;
        return idleCheckedAt;
    }

    // ---- validity ----

    /** {@return why it was taken away; null if it was not} */
    @Nullable LockLostException lost() {
        Loss known = loss;
        return known == null ? null : known.why();
    }

    /** {@return when it was taken away, monotonic nanoseconds; asked only once it was} */
    long revokedAt() {
        return loss.atNanos();
    }

    /** {@return the clock that it is valid by} */
    Clock clock() {
        return lock.clock();
    }

    /** {@return whether it holds at {@code now}; memory only} */
    boolean isValid(long now) {
        return hold.isValid(now) && now - progressAt < maxHoldNanos && loss == null;
    }

    /** {@return for how many nanoseconds it may still be held; {@link Long#MAX_VALUE} if without limit} */
    long holdLeft(long now) {
        long since = progressAt;
        return maxHoldNanos == Long.MAX_VALUE || since == NO_OWNER ? maxHoldNanos : maxHoldNanos - (now - since);
    }

    /** {@return when its user last made progress, monotonic nanoseconds} */
    long progressAt() {
        return progressAt;
    }

    /**
     * Its user makes progress: {@code maxHold} starts anew. Unless it has been closed since: then it is another's.
     *
     * @param last what {@link #progressAt} was before the look that found it valid
     * @param now the clock, read before that look
     */
    void progressed(long last, long now) {
        PROGRESS_AT.compareAndSet(this, last, now);
    }

    /** {@return the wall-clock time at which it ends unless its user makes progress; negative if never} */
    long holdUntilMillis(long now) {
        long left = holdLeft(now);
        return left == Long.MAX_VALUE ? -1 : lock.clock().wallMillis() + Math.max(0, left / 1_000_000);
    }

    /** Why it does not hold any more, though nobody has taken it away. */
    Reason expiry(long now) {
        return !hold.isValid(now) ? Reason.LEASE_EXPIRED : Reason.MAX_HOLD;
    }

    /** Takes it away, under the cell's mutex. False if that has been done before. */
    boolean lose(LockLostException why) {
        boolean first = loss == null;
        if (first) {
            loss = new Loss(why, lock.clock().nanos());
        }
        return first;
    }
}

package dev.sessionlock.internal.threads;

import com.google.errorprone.annotations.concurrent.GuardedBy;
import dev.sessionlock.LockLostException;
import dev.sessionlock.LockLostException.Reason;
import dev.sessionlock.LockOptions;
import dev.sessionlock.internal.system.ThreadNames;
import dev.sessionlock.spi.Clock;
import dev.sessionlock.spi.Hold;
import java.lang.ref.ReferenceQueue;
import java.nio.file.Path;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLongFieldUpdater;
import org.jspecify.annotations.Nullable;

/**
 * A lock as one user of this JVM has it, from the acquisition to the end: a hold, its bounds, and the handles that share it. It is valid while nobody has taken it
 * away and our own clock is below both bounds, the lease's and {@code maxHold}'s.
 *
 * <p>One {@link State} tells where a grant is in its life:
 *
 * <pre>
 *            the last handle is closed,
 *             and the lock may linger
 *           .-------------------------.
 *           |                         v
 *  --->   HELD <------------------ LINGERING
 *          | |   the next user,        |
 *     lost | |   on the same terms     |
 *          v |                         |
 *     REVOKED|                         |
 *          | | no handle is left       | idle for long enough, wanted by
 *          | |                         | another process, or lost
 *          v v                         v
 *        ENDING <----------------------'
 *          |
 *          | the engine has it back, or the next waiter has it
 *          v
 *        ENDED
 *
 *  HELD, REVOKED, LINGERING ---> ABANDONED   the JVM ends
 * </pre>
 *
 * <p>A REVOKED grant ends, too, when its grace is over. Each transition is one assignment under the lock's state lock; those to ENDED are made under the engine
 * lock as well. Why a grant was lost is data beside the state: also one that lingers, ends or was abandoned may be lost, and then nobody is told, or nobody has
 * to do anything more about it.
 */
final class Grant {
    private static final AtomicLongFieldUpdater<Grant> PROGRESS_AT = AtomicLongFieldUpdater.newUpdater(Grant.class, "progressAt");
    /** The progress time of a grant that nobody has: {@code maxHold} does not run. */
    private static final long NO_OWNER = Long.MAX_VALUE / 2;
    /** A user that has had it for longer than this may go on for long: the keeper stops its idle checks until the lock lingers again. */
    private static final long LONG_NANOS = TimeUnit.MILLISECONDS.toNanos(100);

    private final LocalLock lock;
    private final Hold hold;
    private final EventPublisher publisher;
    private final LockOptions options;
    private final @Nullable Path target;
    private final long maxHoldNanos;
    /** Computed once: it is asked for at each reuse. At most a quarter of a lease, so an int is large enough, and thousands of locks may be held. */
    private final int withinMicros;
    /** Wall clock less monotonic clock as its first user acquired it, microseconds. The times of all users are told by it, and so never disagree. */
    private final long wallAheadMicros;
    /** When its present user acquired it, monotonic nanoseconds. Written under the state lock. */
    private volatile long acquiredNanos;
    /** Why and when it was lost; null if it was not. Written under the state lock. */
    private volatile @Nullable Loss loss;
    /** The thread that it belongs to; null if detached, or if nobody has it. Written under the state lock. */
    private volatile @Nullable Thread owner;
    /** When its user last made progress, monotonic nanoseconds; {@link #NO_OWNER} if nobody has it. */
    private volatile long progressAt;
    /** What the flight recorder began when its present user got it; null if nobody recorded then. */
    @GuardedBy("LocalLock.stateLock")
    private LockEvents.@Nullable Timed recording;
    /** Its former users that the history does not know yet, or how long its first user waited for it; null if there is nothing to tell. */
    @GuardedBy("LocalLock.stateLock")
    @Nullable HoldRun run;
    /** It was said that its present user has had it for long. */
    @GuardedBy("LocalLock.stateLock")
    private boolean leakReported;

    /** Where a grant is in its life; see the class comment for the transitions. */
    enum State {
        /** It has a user, or had one a moment ago who is about to say so. */
        HELD,
        /** Nobody has it, and whoever asks for it on its terms may have it. */
        LINGERING,
        /** It was taken away from its user, who has its grace to close it. Until then it is renewed, so that nobody else comes in. */
        REVOKED,
        /** Nobody may have it any more, and it must be given back. If that fails, whatever was thrown, the keeper tries again. */
        ENDING,
        /** It was given back, or handed over. */
        ENDED,
        /** The process is about to end: the kernel lock stays as it is. */
        ABANDONED
    }

    /** Written under the state lock. What leads to {@link State#ENDED} is done under the engine lock, too. */
    private volatile State state = State.HELD;
    /** Why it could not be renewed the last time; null if it could. Written under the engine lock. */
    volatile @Nullable Throwable renewalTrouble;
    /** Its open handle, or one of them; then the others are in a list of their own, since hardly any grant has more. */
    @GuardedBy("LocalLock.stateLock")
    private Handle.@Nullable Ref handle;
    @GuardedBy("LocalLock.stateLock")
    private @Nullable List<Handle.Ref> others;
    /** A handle that was closed, and still counted as open, at the keeper's last look. */
    @GuardedBy("LocalLock.stateLock")
    private Handle.@Nullable Ref halfClosed;
    /** The keeper checks whether it lingers. */
    @GuardedBy("LocalLock.stateLock")
    boolean idleChecked;
    /** What the keeper saw at its last idle check; null before that. */
    @GuardedBy("LocalLock.stateLock")
    private @Nullable Idle idle;

    /** Whose the lock was last, and since when nobody else's, monotonic nanoseconds. */
    private record Idle(long token, long since) {
    }

    /** Why and when it was taken away: one reference, so that nobody sees the one without the other. */
    private record Loss(LockLostException why, long atNanos) {
    }

    /** @param waitedNanos how long its first user waited for it */
    Grant(LocalLock lock, Hold hold, AcquireRequest request, @Nullable Thread owner, long waitedNanos) {
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
        long within = Math.min(options.lease().toNanos() / 4, maxHoldNanos);
        this.withinMicros = (int) ((options.leakDetectionThreshold().isZero() ? within : Math.min(within, leakNanos())) / 1_000);
        this.recording = LockEvents.held();
        this.run = HoldRun.afterWaiting(this, waitedNanos);
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

    /** Under the state lock. Returns what the flight recorder began when its present user got it; null if nobody recorded then. */
    LockEvents.@Nullable Timed recording() {
        return recording;
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

    /** Under the state lock. */
    void detach() {
        owner = null;
    }

    // ---- its life ----

    State state() {
        return state;
    }

    /** {@return whether it is not ending, nor has ended, nor was abandoned} */
    boolean isLive() {
        State now = state; // read once: its next user may come between two looks
        return now == State.HELD || now == State.REVOKED || now == State.LINGERING;
    }

    /** {@return whether it has a user that has not closed it yet, be it lost or not} */
    boolean hasUser() {
        State now = state;
        return now == State.HELD || now == State.REVOKED;
    }

    /** Under the state lock. */
    boolean lingers() {
        return state == State.LINGERING;
    }

    /** Under the state lock: nobody may have it any more. Returns false if it has ended, or never will. */
    boolean beginEnding() {
        if (state == State.ENDED || state == State.ABANDONED) {
            return false;
        }
        HoldRun.write(this);
        state = State.ENDING;
        return true;
    }

    /** Under the state lock and the engine lock: it was given back, or handed over. */
    void ended() {
        state = State.ENDED;
    }

    /** Under the state lock. Returns false if it is ending or has ended. */
    boolean abandon() {
        boolean live = isLive();
        if (live) {
            HoldRun.write(this);
            state = State.ABANDONED;
        }
        return live;
    }

    /** {@return within how many nanoseconds of its acquisition the keeper must look after it} */
    long withinNanos() {
        return withinMicros * 1_000L;
    }

    /**
     * {@return how often it is renewed, nanoseconds} While nobody has it, more often than its lease asks for: other programs judge the record by {@code maxHold}
     * alone, and must not find it overdue.
     */
    long renewEvery() {
        long lease = hold.terms().leaseNanos() / 3;
        return progressAt == NO_OWNER ? Math.min(lease, maxHoldNanos / 4) : lease;
    }

    // ---- handles; under the state lock ----

    /** Adds an open handle. */
    void add(Handle.Ref open) {
        if (handle == null) {
            handle = open;
        } else {
            others = others == null ? new ArrayList<>(1) : others;
            others.add(open);
        }
    }

    /** Removes a handle that was closed. Returns whether none is left. */
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
     * {@return a handle whose closing was broken off by a throwable; null if there is none} Such a handle is closed and still counts as open, at this look of the
     * keeper and at the one before.
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

    /** {@return the handles that are open now} */
    List<Handle.Ref> handles() {
        List<Handle.Ref> all = new ArrayList<>(others == null ? List.of() : others);
        if (handle != null) {
            all.add(0, handle);
        }
        return all;
    }

    // ---- leaks; under the state lock ----

    /** {@return where its first open handle was acquired; null if there is none, or if nobody wants to know} */
    @Nullable AcquisitionTrace acquiredHere() {
        return handle == null ? null : handle.acquiredHere();
    }

    /** {@return for how long a user may have it without progress before it may have forgotten it} */
    private long leakNanos() {
        return options.leakDetectionThreshold().toNanos();
    }

    /** {@return in how many nanoseconds the keeper must report that its user has had it for long; {@link Long#MAX_VALUE} if never} */
    long untilLeakReport(long now) {
        boolean never = options.leakDetectionThreshold().isZero() || leakReported || state != State.HELD;
        return never ? Long.MAX_VALUE : leakNanos() - (now - progressAt);
    }

    /** {@return whether the caller must report now that its user has had it for long} That is reported once of each user. */
    boolean reportLeak(long now) {
        boolean due = untilLeakReport(now) <= 0;
        leakReported |= due;
        return due;
    }

    // ---- lingering; under the state lock ----

    /** {@return whether its users want it to stay when nobody has it} Otherwise it does so only while others of this JVM wait for it. */
    boolean lingersByItself() {
        return !options.linger().isZero();
    }

    /** {@return whether a further user may have it when its user has gone} */
    boolean isReusable() {
        return loss == null && lock.engine().isReusable(hold);
    }

    /**
     * Its user has gone. Returns whether the keeper has to begin with its idle checks.
     *
     * @param forHead whether it lingers for the head of the queue, which is awake and looks itself
     */
    boolean linger(boolean forHead) {
        boolean unknown = !idleChecked && !forHead;
        if (unknown) {
            idleChecked = true;
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
     * @param thread that it belongs to from now on; null for an asynchronous acquisition
     * @return its handle; null if the lease is over, or it cannot be used again
     */
    @Nullable Handle reuse(@Nullable Thread thread, ReferenceQueue<Handle> forgotten) {
        String name = thread == null ? ThreadNames.NONE : thread.getName();
        if (run != null && !run.isOf(name)) {
            HoldRun.write(this);
        }
        if (loss != null || !lock.engine().reuse(hold, name)) {
            return null;
        }
        long now = lock.clock().nanos(); // after the token is drawn: if this process slept before, the lease is found to be over
        if (now >= hold.deadline()) {
            return null;
        }
        acquiredNanos = now;
        recording = LockEvents.held();
        Handle handle = new Handle(this, forgotten, AcquisitionTrace.ifWanted(options)); // if there is no memory for it, it goes on lingering
        progressAt = now;
        leakReported = false;
        owner = thread;
        state = State.HELD;
        return handle;
    }

    /**
     * The keeper's idle check.
     *
     * @return for how many nanoseconds nobody has had it, as far as these checks have seen; 0 if somebody has it
     */
    long idleNanos(long now) {
        if (!lingers() || idle == null || idle.token() != hold.token()) {
            idle = new Idle(hold.token(), now);
        }
        return now - idle.since();
    }

    /** {@return since when nobody has it, as far as the idle checks have seen; {@code now} if they have not} */
    long idleSince(long now) {
        return idle == null || idle.token() != hold.token() ? now : idle.since();
    }

    /** {@return whether nobody has had it for as long as it may linger} */
    boolean hasLingered(long now) {
        return lingers() && idleNanos(now) >= Math.max(1, options.linger().toNanos()); // not at the first look: a loop of users may be between two of them
    }

    /** {@return whether the keeper goes on with its idle checks} Not if a user holds it for long: when that user closes it, the checks begin anew. */
    boolean isIdleCheckRequested(long now) {
        HoldRun.seen(this, now);
        idleChecked &= lingers() || now - acquiredNanos < LONG_NANOS;
        return idleChecked;
    }

    // ---- validity ----

    /** {@return why it was taken away; null if it was not} */
    @Nullable LockLostException lost() {
        Loss known = loss;
        return known == null ? null : known.why();
    }

    /** {@return when it was taken away, monotonic nanoseconds} Only of one that was taken away. */
    long revokedAt() {
        return loss.atNanos();
    }

    /** {@return the clock that it is valid by} */
    Clock clock() {
        return lock.clock();
    }

    /** {@return whether it is valid at {@code now}; memory only} */
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
     * Its user makes progress: {@code maxHold} starts anew. It does not if the user has closed the lock since, and another user has it.
     *
     * @param last what {@link #progressAt} was before the caller found it valid
     * @param now the clock, read before the caller found it valid
     */
    void progressed(long last, long now) {
        PROGRESS_AT.compareAndSet(this, last, now);
    }

    /** {@return why it is not valid any more, though nobody has taken it away} */
    Reason expiry(long now) {
        return !hold.isValid(now) ? Reason.LEASE_EXPIRED : Reason.MAX_HOLD;
    }

    /** Under the state lock: takes it away. Returns false if that has been done before. */
    boolean lose(LockLostException why) {
        boolean first = loss == null;
        if (first) {
            loss = new Loss(why, lock.clock().nanos());
            state = state == State.HELD ? State.REVOKED : state;
        }
        return first;
    }
}

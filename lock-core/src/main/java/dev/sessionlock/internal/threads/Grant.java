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
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLongFieldUpdater;
import org.jspecify.annotations.Nullable;

/**
 * A lock as one user of this JVM has it, from the acquisition to the end: a hold, its bounds, and the handles that share it. It is valid while nobody has taken it
 * away and our own clock is below both bounds, the lease's and {@code maxHold}'s.
 *
 * <p>A lock that is held exclusively has one user, and one grant. Of a lock that is held in shared mode, there is a {@link SharedGrant} for the hold, which has the
 * life that is drawn here, and a {@link ReaderGrant} for each user.
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
sealed class Grant extends HandleSet permits SharedGrant, ReaderGrant {
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
    /** The keeper checks whether it lingers. */
    @GuardedBy("LocalLock.stateLock")
    boolean idleChecked;
    /** What the keeper saw at its last idle check; null before that. */
    @GuardedBy("LocalLock.stateLock")
    private @Nullable Idle idle;

    /** The last use, and since when there was no other, monotonic nanoseconds. */
    private record Idle(long use, long since) {
    }

    /** Why and when it was taken away: one reference, so that nobody sees the one without the other. */
    private record Loss(LockLostException why, long atNanos) {
    }

    /** @param waitedNanos how long its first user waited for it */
    Grant(LocalLock lock, Hold hold, AcquireRequest request, @Nullable Thread owner, long waitedNanos) {
        this(lock, hold, request.publisher(), request.options(), request.target(), owner, lock.clock().nanos(), lock.clock().wallMicros());
        this.run = HoldRun.afterWaiting(this, waitedNanos);
    }

    /** @param now when it was acquired, monotonic nanoseconds */
    Grant(LocalLock lock, Hold hold, EventPublisher publisher, LockOptions options, @Nullable Path target, @Nullable Thread owner, long now, long wallMicros) {
        this.lock = lock;
        this.wallAheadMicros = wallMicros - Math.floorDiv(now, 1_000);
        this.acquiredNanos = now;
        this.progressAt = now;
        this.hold = hold;
        this.publisher = publisher;
        this.options = options;
        this.target = target;
        this.owner = owner;
        this.maxHoldNanos = options.maxHold().equals(LockOptions.UNLIMITED) ? Long.MAX_VALUE : options.maxHold().toNanos();
        long within = Math.min(hold.terms().leaseNanos() / 4, maxHoldNanos);
        this.withinMicros = (int) ((options.leakDetectionThreshold().isZero() ? within : Math.min(within, leakNanos())) / 1_000);
        this.recording = LockEvents.held();
    }

    // ---- whose it is ----

    /** {@return the grant that stands for the hold: this one, or that which it shares with other readers} */
    Grant whole() {
        return this;
    }

    /** Under the state lock. Returns the grant of which a thread has an open handle: this one, or that of one of its readers; null if the thread has none. */
    @Nullable Grant ofThread(Thread thread) {
        return owner == thread && isOpen() ? this : null;
    }

    /** {@return each user of the hold} Takes the state lock, if there may be several. */
    List<? extends Grant> users() {
        return List.of(this);
    }

    /** {@return how long the end of the JVM waits for its user: see {@link EventPublisher#shutdownGraceNanos}} */
    long shutdownGraceNanos() {
        return publisher.shutdownGraceNanos();
    }

    /** {@return for how many nanoseconds a user of one {@code SessionLocks} has had it; 0 if none has it} */
    long longestHold(EventPublisher of, long now) {
        return publisher == of && hasUser() ? now - acquiredNanos : 0;
    }

    /** {@return the name of the thread that has it, or had it last; empty if it belongs to none; null if unknown} */
    @Nullable String thread() {
        return hold.thread();
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
        long micros = wallMicros(nanos);
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

    /** Under the state lock: it has a user again. */
    final void hasUserAgain(long now) {
        progressAt = now;
        state = State.HELD;
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

    /** {@return the wall clock at a moment since it was acquired, microseconds} */
    final long wallMicros(long nanos) {
        return wallAheadMicros + Math.floorDiv(nanos, 1_000);
    }

    /** {@return how long a user may have it without progress, nanoseconds; {@link Long#MAX_VALUE} if without limit} */
    final long maxHoldNanos() {
        return maxHoldNanos;
    }

    /**
     * {@return how often it is renewed, nanoseconds} While nobody has it, more often than its lease asks for: other programs judge the record by {@code maxHold}
     * alone, and must not find it overdue.
     */
    long renewEvery() {
        long lease = hold.terms().leaseNanos() / 3;
        return progressAt == NO_OWNER ? Math.min(lease, maxHoldNanos / 4) : lease;
    }

    // ---- leaks; under the state lock ----

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
        return !options().linger().isZero();
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
        leakReported = false;
        owner = thread;
        hasUserAgain(now);
        return handle;
    }

    /** {@return a number that is another one for each use} */
    long useNumber() {
        return hold.token();
    }

    /**
     * The keeper's idle check.
     *
     * @return for how many nanoseconds nobody has had it, as far as these checks have seen; 0 if somebody has it
     */
    long idleNanos(long now) {
        if (!lingers() || idle == null || idle.use() != useNumber()) {
            idle = new Idle(useNumber(), now);
        }
        return now - idle.since();
    }

    /** {@return since when nobody has it, as far as the idle checks have seen; {@code now} if they have not} */
    long idleSince(long now) {
        return idle == null || idle.use() != useNumber() ? now : idle.since();
    }

    /** {@return whether nobody has had it for as long as it may linger} */
    boolean hasLingered(long now) {
        return lingers() && idleNanos(now) >= Math.max(1, options().linger().toNanos()); // not at the first look: a loop of users may be between two of them
    }

    /** {@return whether the keeper goes on with its idle checks} Not if a user holds it for long: when that user closes it, the checks begin anew. */
    boolean isIdleCheckRequested(long now) {
        HoldRun.seen(this, now);
        idleChecked &= lingers() || now - acquiredNanos() < LONG_NANOS;
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

    /**
     * The lease was over, and is about to be renewed, since the machine slept. The time since the last renewal does not count towards {@code maxHold}: its user
     * could do nothing.
     */
    void slept(long now) {
        long last = progressAt;
        progressed(last, last + now - hold.renewedAt());
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

    /** {@return for how many nanoseconds of its grace a lost grant still has; 0 or less if the grace is over} Only of one that was taken away. */
    long graceLeft(long now) {
        return revokedAt() + options.revokeGrace().toNanos() - now;
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

package dev.sessionlock.internal.threads;

import dev.sessionlock.LockLostException;
import dev.sessionlock.LockLostException.Reason;
import dev.sessionlock.LockOptions;
import dev.sessionlock.internal.seats.Hold;
import dev.sessionlock.internal.system.Clock;
import java.lang.ref.ReferenceQueue;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.atomic.AtomicReference;
import java.util.concurrent.locks.ReentrantLock;
import org.jetbrains.annotations.Nullable;

/**
 * A lock as one user of this JVM has it, from the acquisition to the end: a hold, its bounds, and the handles that share it. It is
 * valid while nobody has taken it away and our own clock is below both bounds, the lease's and {@code maxHold}'s.
 *
 * <p>With {@code linger} it stays when its user has gone, and is given to the next one who asks on the same terms.
 */
final class Grant {
    /** A time of progress as of one who never needs to make any: while nobody has it {@code maxHold} does not run. */
    private static final long NOBODYS = Long.MAX_VALUE / 2;
    private static final long LONG_NANOS = TimeUnit.MILLISECONDS.toNanos(100);

    private final Cell cell;
    private final Hold hold;
    private final Request request;
    private final long maxHoldNanos;
    private final long lingerNanos;
    private final long withinNanos;
    private final Clock clock;
    /** When its first user acquired it, by both clocks: the wall-clock times of all are told from here, and so never differ. */
    private final long firstNanos;
    private final Instant firstAt;
    private volatile long acquiredNanos;
    private final AtomicReference<Loss> loss = new AtomicReference<>();
    private volatile @Nullable Thread owner;
    private final AtomicLong progressAt;

    /** The engine has let go of the hold. Guarded by the cell's turn. */
    boolean over;
    /** The process is about to end: the kernel lock stays as it is. Guarded by the cell's turn. */
    boolean abandoned;
    /** Open handles. Guarded by the cell's mutex. */
    final List<Handle.Ref> handles = new ArrayList<>(1);
    /** Nobody has it, and whoever asks for it may. Guarded by the cell's mutex. */
    boolean lingers;
    /** Guards what is registered with its handles, which are too many to have a lock each. */
    final ReentrantLock listening = new ReentrantLock();
    /** The keeper knows that it lingers now and then. Guarded by the cell's mutex. */
    private boolean glancedAt;
    /** What the keeper saw when it last glanced here, and since when that has been so. Guarded by the cell's mutex. */
    private long idleToken;
    private long idleSince;

    /** Why and when it was taken away: one reference, so that nobody sees the one without the other. */
    private record Loss(LockLostException why, long atNanos) {
    }

    Grant(Cell cell, Hold hold, Request request, Thread owner) {
        this.cell = cell;
        this.clock = cell.clock();
        this.firstNanos = clock.nanos();
        this.firstAt = clock.instant();
        this.acquiredNanos = firstNanos;
        this.progressAt = new AtomicLong(firstNanos);
        this.hold = hold;
        this.request = request;
        this.owner = owner;
        LockOptions options = request.options();
        this.maxHoldNanos = options.maxHold().equals(LockOptions.UNLIMITED) ? Long.MAX_VALUE : options.maxHold().toNanos();
        this.lingerNanos = options.linger().toNanos();
        this.withinNanos = Math.min(options.lease().toNanos() / 4, maxHoldNanos);
    }

    Cell cell() {
        return cell;
    }

    Hold hold() {
        return hold;
    }

    Request request() {
        return request;
    }

    Audience audience() {
        return request.audience();
    }

    long token() {
        return hold.token();
    }

    @Nullable String reclaimed() {
        return hold.reclaimed();
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
        return firstAt.plusNanos(nanos - firstNanos);
    }

    /** {@return the thread that it belongs to; null if detached} */
    @Nullable Thread owner() {
        return owner;
    }

    void detach() {
        owner = null;
    }

    /** {@return within how many nanoseconds of its acquisition the keeper must look after it} */
    long withinNanos() {
        return withinNanos;
    }

    // ---- lingering; under the cell's mutex ----

    /** {@return whether it may stay when its user has gone} */
    boolean mayLinger() {
        return lingerNanos > 0 && loss.get() == null && cell.engine().isReusable(hold);
    }

    /** Its user has gone. {@return whether the keeper has to be told} */
    boolean linger() {
        boolean unknown = !glancedAt;
        if (unknown) {
            glancedAt = true;
            idleToken = 0;
        }
        lingers = true;
        owner = null;
        progressAt.set(NOBODYS);
        return unknown;
    }

    /**
     * Gives it to a further user.
     *
     * @return its handle; null if the lease is over, or it cannot be used again
     */
    @Nullable Handle reuse(Thread thread, ReferenceQueue<Handle> forgotten) {
        if (loss.get() != null || !cell.engine().reuse(hold, thread.getName())) {
            return null;
        }
        long now = clock.nanos(); // after the token is drawn, so that who slept before is found out
        if (now >= hold.deadline()) {
            return null;
        }
        lingers = false;
        acquiredNanos = now;
        progressAt.set(now);
        owner = thread;
        return new Handle(this, forgotten);
    }

    /**
     * The keeper glances at it.
     *
     * @return for how many nanoseconds nobody has had it, as far as was seen at these glances; 0 if somebody has
     */
    long idleNanos(long now) {
        if (!lingers || idleToken != hold.token()) {
            idleToken = hold.token();
            idleSince = now;
        }
        return now - idleSince;
    }

    /** {@return whether nobody has had it for as long as it may linger} */
    boolean hasLingered(long now) {
        return lingers && idleNanos(now) >= lingerNanos;
    }

    /** {@return whether the keeper goes on glancing at it} Not if somebody holds it for long: then it is told when he has gone. */
    boolean isGlancedAt(long now) {
        glancedAt &= lingers || now - acquiredNanos < LONG_NANOS;
        return glancedAt;
    }

    // ---- validity ----

    /** {@return why it was taken away; null if it was not} */
    @Nullable LockLostException lost() {
        Loss known = loss.get();
        return known == null ? null : known.why();
    }

    /** {@return when it was taken away, monotonic nanoseconds; asked only once it was} */
    long revokedAt() {
        return loss.get().atNanos();
    }

    /** {@return the clock that it is valid by} */
    Clock clock() {
        return clock;
    }

    /** {@return whether it holds at {@code now}; memory only} */
    boolean isValid(long now) {
        return now < hold.deadline() && now - progressAt.get() < maxHoldNanos && loss.get() == null;
    }

    /** {@return for how many nanoseconds it may still be held; {@link Long#MAX_VALUE} if without limit} */
    long holdLeft(long now) {
        long since = progressAt.get();
        return maxHoldNanos == Long.MAX_VALUE || since == NOBODYS ? maxHoldNanos : maxHoldNanos - (now - since);
    }

    /** {@return when its user last made progress, monotonic nanoseconds} */
    long progressAt() {
        return progressAt.get();
    }

    /**
     * Its user makes progress: {@code maxHold} starts anew. Unless it has been closed since: then it is another's.
     *
     * @param last what {@link #progressAt} was before the look that found it valid
     * @param now the clock, read before that look
     */
    void progressed(long last, long now) {
        progressAt.compareAndSet(last, now);
    }

    /** {@return the wall-clock time at which it ends unless its user makes progress; negative if never} */
    long holdUntilMillis(long now) {
        long left = holdLeft(now);
        return left == Long.MAX_VALUE ? -1 : clock.wallMillis() + Math.max(0, left / 1_000_000);
    }

    /** Why it does not hold any more, though nobody has taken it away. */
    Reason expiry(long now) {
        return now >= hold.deadline() ? Reason.LEASE_EXPIRED : Reason.MAX_HOLD;
    }

    /** Takes it away, under the cell's mutex. False if that has been done before. */
    boolean lose(LockLostException why) {
        return loss.compareAndSet(null, new Loss(why, clock.nanos()));
    }
}

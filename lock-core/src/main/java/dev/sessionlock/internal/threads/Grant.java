package dev.sessionlock.internal.threads;

import dev.sessionlock.LockLostException;
import dev.sessionlock.LockLostException.Reason;
import dev.sessionlock.LockOptions;
import dev.sessionlock.spi.Clock;
import dev.sessionlock.spi.Hold;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.atomic.AtomicReference;
import org.jetbrains.annotations.Nullable;

/**
 * A lock as one user of this JVM has it, from the acquisition to the end: a hold, its bounds, and the handles that share it. It is
 * valid while nobody has taken it away and our own clock is below both bounds, the lease's and {@code maxHold}'s.
 */
final class Grant {
    private final Cell cell;
    private final Hold hold;
    private final Request request;
    private final long maxHoldNanos;
    private final Clock clock;
    private final long acquiredNanos;
    private final Instant acquiredAt;
    private final AtomicReference<Loss> loss = new AtomicReference<>();
    private volatile @Nullable Thread owner;
    private volatile long progressAt;

    /** The engine has let go of the hold. Guarded by the cell's turn. */
    boolean over;
    /** The process is about to end: the kernel lock stays as it is. Guarded by the cell's turn. */
    boolean abandoned;
    /** Open handles. Guarded by the cell's mutex. */
    final List<Handle.Ref> handles = new ArrayList<>(1);

    /** Why and when it was taken away: one reference, so that nobody sees the one without the other. */
    private record Loss(LockLostException why, long atNanos) {
    }

    Grant(Cell cell, Hold hold, Request request, Thread owner) {
        this.cell = cell;
        this.clock = cell.clock();
        this.acquiredNanos = clock.nanos();
        this.acquiredAt = clock.instant();
        this.progressAt = acquiredNanos;
        this.hold = hold;
        this.request = request;
        this.owner = owner;
        LockOptions options = request.options();
        this.maxHoldNanos = options.maxHold().equals(LockOptions.UNLIMITED) ? Long.MAX_VALUE : options.maxHold().toNanos();
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

    Instant acquiredAt() {
        return acquiredAt;
    }

    /** {@return for how long it has been held, nanoseconds} */
    long age() {
        return clock.nanos() - acquiredNanos;
    }

    /** {@return the thread that it belongs to; null if detached} */
    @Nullable Thread owner() {
        return owner;
    }

    void detach() {
        owner = null;
    }

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
        return hold.isValid(now) && now - progressAt < maxHoldNanos && loss.get() == null;
    }

    /** {@return for how many nanoseconds it may still be held; {@link Long#MAX_VALUE} if without limit} */
    long holdLeft(long now) {
        return maxHoldNanos == Long.MAX_VALUE ? Long.MAX_VALUE : maxHoldNanos - (now - progressAt);
    }

    /** Its user makes progress: {@code maxHold} starts anew. The clock was read before the look that found it valid. */
    void progressed(long now) {
        progressAt = now;
    }

    /** {@return the wall-clock time at which it ends unless its user makes progress; negative if never} */
    long holdUntilMillis(long now) {
        long left = holdLeft(now);
        return left == Long.MAX_VALUE ? -1 : clock.wallMillis() + Math.max(0, left / 1_000_000);
    }

    /** Why it does not hold any more, though nobody has taken it away. */
    Reason expiry(long now) {
        return !hold.isValid(now) ? Reason.LEASE_EXPIRED : Reason.MAX_HOLD;
    }

    /** Takes it away, under the cell's mutex. False if that has been done before. */
    boolean lose(LockLostException why) {
        return loss.compareAndSet(null, new Loss(why, clock.nanos()));
    }
}

package dev.sessionlock.internal.seats;

import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;

/**
 * For how long a process that wants a lock has seen a past expiry in its way, at every look. It takes over only when that is long enough.
 *
 * <p>Where the monotonic clock counts the time for which the machine sleeps, an expiry may be past at once when it wakes, though the owner lives. Then the owner
 * gets some time to renew its lease (rule 8). A process does not know when the machine slept, so it counts what it has seen itself: a gap between two of its looks
 * counts as a second at most, and another expiry begins the count anew. No two holders come of a wrong count: an owner that is too late finds that it is.
 *
 * @param expiry the expiry that is past
 * @param waited how much of the time since the first look counts, nanoseconds
 * @param lookedAt when it was looked at last, monotonic nanoseconds
 */
record TakeoverPatience(long expiry, long waited, long lookedAt) {
    /** Rule 2: seat 0's expiry must be past at every look for this long before seat 1 is tried. */
    static final long SEAT_1_NANOS = TimeUnit.MILLISECONDS.toNanos(20);
    private static final long LONGEST_GAP_NANOS = TimeUnit.SECONDS.toNanos(1);
    private static final long LOOK_AGAIN_NANOS = TimeUnit.MILLISECONDS.toNanos(50);

    /**
     * {@return the patience after one more look at a past expiry}
     *
     * @param before the patience before this look; null if this is the first one
     * @param wakeUpNanos how long a living owner may need after the machine slept; 0 where the clock does not count that
     */
    static TakeoverPatience after(@Nullable TakeoverPatience before, long expiry, long now, long wakeUpNanos) {
        if (before == null || wakeUpNanos > 0 && before.expiry != expiry) {
            return new TakeoverPatience(expiry, 0, now);
        }
        long gap = now - before.lookedAt;
        return new TakeoverPatience(expiry, before.waited + (wakeUpNanos > 0 ? Math.min(gap, LONGEST_GAP_NANOS) : gap), now);
    }

    /** {@return whether the owner of seat 0 may be taken over} An expiry of 0 is nobody's, and no lease of a living owner. */
    boolean isOverForSeat0(long wakeUpNanos) {
        return waited >= SEAT_1_NANOS && isOver(wakeUpNanos);
    }

    /** {@return whether a living owner would have renewed its lease by now} */
    boolean isOver(long wakeUpNanos) {
        return expiry == 0 || waited >= wakeUpNanos;
    }

    /** {@return when to look again, monotonic nanoseconds} */
    long lookAgainAt(long soon) {
        return lookedAt + (waited < SEAT_1_NANOS ? soon : LOOK_AGAIN_NANOS);
    }
}

package dev.sessionlock.internal.directory;

/**
 * The one encoding of the words that tell a time and who wrote it: the two expiries and the waiter mark of a {@link TableEntry}. All who write or
 * read these words use this class.
 *
 * <pre>
 * bits         63 ... 17                            16                       15 ... 0
 * expiry       monotonic nanoseconds                the same                 mark of the process
 * waiter mark  monotonic nanoseconds                1: has only tried once   mark of the process
 * </pre>
 *
 * The mark costs 65 microseconds of precision. If two owners could write the same value, one that has lost its byte could take the next owner's expiry
 * for its own. So an expiry is rounded up before the mark is put in: it must not end before the deadline of its holder.
 */
public final class MarkedTime {
    private static final long MARK_BITS = TableEntry.MARK_BITS;
    /** Set in a waiter mark by a process that does not wait, but tried once. */
    private static final long TRY_ONLY = MARK_BITS + 1;

    private MarkedTime() {
    }

    /** {@return the mark alone, of which a process may know more bits} */
    public static long mark(long bits) {
        return bits & MARK_BITS;
    }

    /** {@return an expiry at a time or up to 65 microseconds later} */
    public static long expiry(long nanos, long mark) {
        return nanos + MARK_BITS & ~MARK_BITS | mark;
    }

    /** {@return an expiry that is never past} */
    public static long never(long mark) {
        return TableEntry.NEVER & ~MARK_BITS | mark;
    }

    /** @param waits false for a single try */
    public static long waiterMark(long now, boolean waits, long mark) {
        return now & ~MARK_BITS & ~TRY_ONLY | (waits ? 0 : TRY_ONLY) | mark;
    }

    /** {@return whether the process with this mark wrote a word} */
    public static boolean isBy(long mark, long word) {
        return (word & MARK_BITS) == mark;
    }

    /** {@return whether the process that set a waiter mark waits; false if it only tried once, or if none was ever set} */
    public static boolean tellsOfWaiting(long waiterMark) {
        return waiterMark != 0 && (waiterMark & TRY_ONLY) == 0;
    }

    /** {@return how long ago a waiter mark was set; negative if it is of another time namespace, or was set after {@code now} was read} */
    public static long age(long waiterMark, long now) {
        return now - (waiterMark & ~MARK_BITS & ~TRY_ONLY);
    }
}

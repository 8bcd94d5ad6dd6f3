package dev.sessionlock;

/**
 * Counters of one {@link SessionLocks}, at one moment. Each is exact by itself; two of them may be a moment apart.
 *
 * @param held handles that hold their lock now
 * @param waiting acquisitions that wait now, with a thread or without
 * @param acquired handles given out so far
 * @param lost handles that were lost before they were closed
 * @param reclaimed locks taken over from an owner that was dead or expired, or that left a torn record
 * @param timedOut acquisitions that gave up at their timeout, zero timeouts included; {@code tryAcquire} does not count
 * @param dropped events that the {@link LockListener} did not hear, because it is slower than its locks or its executor refuses
 */
public record LockStats(long held, long waiting, long acquired, long lost, long reclaimed, long timedOut, long dropped) {

    /** Counters without timeouts and without dropped events. */
    public LockStats(long held, long waiting, long acquired, long lost, long reclaimed) {
        this(held, waiting, acquired, lost, reclaimed, 0, 0);
    }
}

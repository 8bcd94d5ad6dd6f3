package dev.sessionlock;

/**
 * Counters of one {@link SessionLocks}, at one moment. Each is exact by itself; two of them may be a moment apart.
 *
 * @param held handles that hold now
 * @param waiting threads that wait now
 * @param acquired handles given out so far
 * @param lost handles that were lost before they were closed
 * @param reclaimed locks taken over from a dead, expired or torn owner
 * @param timedOut acquisitions that gave up at their timeout, zero timeouts included; not {@code tryAcquire}
 * @param dropped events that were not told to the {@link LockListener}, since it is slower than its locks, or its executor refuses
 */
public record LockStats(long held, long waiting, long acquired, long lost, long reclaimed, long timedOut, long dropped) {

    /** Those of which nothing has timed out, and no event was dropped. */
    public LockStats(long held, long waiting, long acquired, long lost, long reclaimed) {
        this(held, waiting, acquired, lost, reclaimed, 0, 0);
    }
}

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
 */
public record LockStats(long held, long waiting, long acquired, long lost, long reclaimed, long timedOut) {

    /** Those of which nobody has timed out. */
    public LockStats(long held, long waiting, long acquired, long lost, long reclaimed) {
        this(held, waiting, acquired, lost, reclaimed, 0);
    }
}

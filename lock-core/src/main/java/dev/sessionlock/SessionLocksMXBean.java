package dev.sessionlock;

import java.util.Map;

/**
 * What JMX shows of one {@link SessionLocks}, if {@link SessionLocks.Builder#jmx} asks for it. The values are those of {@link LockStats} and
 * {@link SessionLocks#longestHold}.
 */
public interface SessionLocksMXBean {
    /** {@return handles that hold their lock now} */
    long getHeld();

    /** {@return acquisitions that wait now} */
    long getWaiting();

    /** {@return handles given out so far} */
    long getAcquired();

    /** {@return acquisitions that gave up at their timeout} */
    long getTimeouts();

    /** {@return handles that were lost before they were closed} */
    long getLost();

    /** {@return the same for each reason, a constant of {@link LockLostException.Reason}} */
    Map<String, Long> getLostByReason();

    /** {@return locks taken over from an owner that was dead or expired, or that left a torn record} */
    long getTakeovers();

    /** {@return events that the listener did not hear} */
    long getDroppedEvents();

    /** {@return how many seconds the oldest of the current holds has lasted; 0 if nothing is held} */
    double getLongestHoldSeconds();

    /** {@return how many seconds the oldest of the current waits has lasted; 0 if nobody waits} */
    double getLongestWaitSeconds();
}

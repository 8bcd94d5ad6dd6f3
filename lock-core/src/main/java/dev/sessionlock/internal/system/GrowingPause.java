package dev.sessionlock.internal.system;

import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;

/**
 * How long a loop rests after a round that failed, so that a loop that fails again and again does not burn a processor: 10 ms after the first
 * failure, twice as long after each further one, up to a second. A round that succeeds resets it. For one thread.
 */
public final class GrowingPause {
    private static final long FIRST_NANOS = TimeUnit.MILLISECONDS.toNanos(10);
    private static final long LONGEST_NANOS = TimeUnit.SECONDS.toNanos(1);

    private final long longest;
    private long next = FIRST_NANOS;

    /** A pause of up to a second. */
    public GrowingPause() {
        this(LONGEST_NANOS);
    }

    /** @param longestNanos the longest pause, nanoseconds */
    public GrowingPause(long longestNanos) {
        this.longest = longestNanos;
    }

    /** A round succeeded. */
    public void reset() {
        next = FIRST_NANOS;
    }

    /** {@return how long to rest after a round that failed, nanoseconds} Each call counts as one more failure. */
    public long grow() {
        long pause = next;
        next = Math.min(longest, 2 * pause);
        return pause;
    }

    /** A round failed: rests. Neither an interrupt, which stays pending, nor an unpark shortens it. Allocates nothing. */
    public void rest() {
        long until = System.nanoTime() + grow();
        boolean interrupted = false;
        for (long left = until - System.nanoTime(); left > 0; left = until - System.nanoTime()) {
            LockSupport.parkNanos(this, left);
            interrupted |= Thread.interrupted(); // or the next park would return at once
        }
        if (interrupted) {
            Thread.currentThread().interrupt();
        }
    }
}

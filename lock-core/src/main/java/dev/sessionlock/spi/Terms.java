package dev.sessionlock.spi;

import org.jspecify.annotations.Nullable;

/**
 * The terms on which a lock is taken.
 *
 * @param leaseNanos for how long others wait once the holder's process is frozen
 * @param takeover whether others may take over after that
 * @param maxHoldMillis how long it may be held; negative if without limit
 * @param thread the name of the thread that takes it
 * @param purpose what for; null if not said
 * @param takeForeign for locks on files: whether another program's lock may be replaced when its process is gone
 */
public record Terms(
        long leaseNanos, boolean takeover, long maxHoldMillis, @Nullable String thread, @Nullable String purpose, boolean takeForeign) {

    /** {@return how much longer than the lease others wait: the greater of 50 ms and a tenth of the lease} */
    public long graceNanos() {
        return grace(leaseNanos);
    }

    /**
     * {@return the same terms for another thread}
     *
     * @param otherThread its name; null if not said
     */
    public Terms of(@Nullable String otherThread) {
        return new Terms(leaseNanos, takeover, maxHoldMillis, otherThread, purpose, takeForeign);
    }

    /**
     * {@return how much longer than a lease others wait}
     *
     * @param leaseNanos the lease
     */
    public static long grace(long leaseNanos) {
        return Math.max(50_000_000, leaseNanos / 10);
    }
}

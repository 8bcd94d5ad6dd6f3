package dev.sessionlock.spi;

import org.jetbrains.annotations.Nullable;

/**
 * On what terms a lock is taken.
 *
 * @param leaseNanos how long it outlasts the freezing of its process
 * @param takeover whether it may be passed over after that
 * @param maxHoldMillis how long it may be held; negative if for ever
 * @param thread the taker's name
 * @param purpose what for; null if not said
 * @param takeForeign for locks on files: whether another program's lock may be replaced when its process is gone
 */
public record Terms(
        long leaseNanos, boolean takeover, long maxHoldMillis, @Nullable String thread, @Nullable String purpose, boolean takeForeign) {

    /** {@return how much longer than the lease others wait: max(50 ms, lease / 10)} */
    public long graceNanos() {
        return grace(leaseNanos);
    }

    /**
     * {@return the same, of another thread}
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

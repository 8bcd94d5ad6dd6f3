package dev.sessionlock.spi;

import dev.sessionlock.LockMode;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/**
 * The terms on which a lock is taken.
 *
 * @param leaseNanos for how long others wait once the holder's process is frozen
 * @param takeover whether others may take over after that
 * @param maxHoldMillis how long it may be held; negative if without limit
 * @param thread the name of the thread that takes it; empty if the lock will belong to no thread (an asynchronous acquisition); null if not said
 * @param purpose what for; null if not said
 * @param takeForeign for locks on files: whether another program's lock may be replaced when its process is gone
 * @param mode whether others may hold it at the same time
 */
public record Terms(long leaseNanos, boolean takeover, long maxHoldMillis, @Nullable String thread, @Nullable String purpose, boolean takeForeign,
        LockMode mode) {

    /** Terms of an exclusive holder. */
    public Terms(long leaseNanos, boolean takeover, long maxHoldMillis, @Nullable String thread, @Nullable String purpose, boolean takeForeign) {
        this(leaseNanos, takeover, maxHoldMillis, thread, purpose, takeForeign, LockMode.EXCLUSIVE);
    }

    /** {@return whether others may hold it in the same mode} */
    public boolean shared() {
        return mode == LockMode.SHARED;
    }

    /** {@return the same terms for an exclusive holder} */
    public Terms exclusive() {
        return shared() ? new Terms(leaseNanos, takeover, maxHoldMillis, thread, purpose, takeForeign) : this;
    }

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
        return new Terms(leaseNanos, takeover, maxHoldMillis, otherThread, purpose, takeForeign, mode);
    }

    /**
     * As it is written. The JDK's own for a record is linked at its first use. If there is no memory then, it fails for good, and no lock could be handed on
     * within this JVM any more.
     */
    @Override
    public boolean equals(@Nullable Object other) {
        return other instanceof Terms that && leaseNanos == that.leaseNanos && takeover == that.takeover && maxHoldMillis == that.maxHoldMillis
                && takeForeign == that.takeForeign && mode == that.mode && Objects.equals(thread, that.thread) && Objects.equals(purpose, that.purpose);
    }

    @Override
    public int hashCode() {
        return 31 * Objects.hashCode(thread) + Long.hashCode(leaseNanos);
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

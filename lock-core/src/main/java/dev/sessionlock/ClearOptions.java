package dev.sessionlock;

import java.time.Duration;
import java.util.OptionalLong;
import org.jspecify.annotations.Nullable;

/**
 * How {@link SessionLocks#clear} works. Immutable. Each {@code with…} method returns a changed copy.
 *
 * <pre>{@code
 * ClearOptions options = ClearOptions.forReal().withToken(report.owner().token()).withTimeout(Duration.ofSeconds(20));
 * }</pre>
 */
public final class ClearOptions {
    /** The time until the holder notices (1 s), its {@code revokeGrace} (2 s by default), and a reserve for a busy machine. */
    static final Duration DEFAULT_TIMEOUT = Duration.ofSeconds(6);
    private static final Duration LONGEST_TIMEOUT = Duration.ofHours(1);

    private static final ClearOptions DRY_RUN = new ClearOptions(true, null, DEFAULT_TIMEOUT);
    private static final ClearOptions FOR_REAL = new ClearOptions(false, null, DEFAULT_TIMEOUT);

    private final boolean dry;
    private final @Nullable Long token;
    private final Duration timeout;

    private ClearOptions(boolean dry, @Nullable Long token, Duration timeout) {
        this.dry = dry;
        this.token = token;
        this.timeout = timeout;
    }

    /** {@return options that only say what would be done, and write nothing} */
    public static ClearOptions dryRun() {
        return DRY_RUN;
    }

    /** {@return options that really clear} */
    public static ClearOptions forReal() {
        return FOR_REAL;
    }

    /** {@return whether it is a dry run} */
    public boolean isDryRun() {
        return dry;
    }

    /** {@return the token of the living holder to ask; empty if no holder is asked} */
    public OptionalLong token() {
        return token == null ? OptionalLong.empty() : OptionalLong.of(token);
    }

    /** {@return how long to wait for a holder that was asked} */
    public Duration timeout() {
        return timeout;
    }

    /**
     * Names exactly one holder. If that holder is alive, it is asked to release the lock. If somebody else holds the lock now, nothing is done.
     *
     * @param token the fencing token, as a {@link LockReport} names it
     */
    public ClearOptions withToken(long token) {
        return new ClearOptions(dry, token, timeout);
    }

    /**
     * Sets how long to wait for a holder that was asked.
     *
     * @param timeout 0 to 1 hour; 6 s by default
     * @throws IllegalArgumentException if it is outside
     */
    public ClearOptions withTimeout(Duration timeout) {
        if (timeout.isNegative() || timeout.compareTo(LONGEST_TIMEOUT) > 0) {
            throw new IllegalArgumentException("timeout must be from 0s to 1h, not " + timeout);
        }
        return new ClearOptions(dry, token, timeout);
    }

    @Override
    public String toString() {
        return "ClearOptions[" + (dry ? "dryRun" : "forReal") + (token == null ? "" : ", token=" + token) + ", timeout=" + timeout + "]";
    }
}

package dev.sessionlock;

import java.time.Duration;
import java.util.Arrays;
import java.util.List;
import java.util.Objects;
import org.jetbrains.annotations.NotNull;
import org.jetbrains.annotations.Nullable;

/**
 * How one acquisition behaves: how long it waits, how long it may be held, and what happens when its holder freezes.
 *
 * <p>Immutable. Each {@code with…} method returns a copy and refuses nonsense at once with an
 * {@link IllegalArgumentException} that names the limits, so that a bad value fails where it was written and not where the
 * lock is taken.
 *
 * <pre>{@code
 * // A compaction rewrites the whole file: nobody may pass it over while its process lives, and it may take its time.
 * LockOptions compaction = LockOptions.defaults()
 *         .withPurpose("pre-compaction flush")
 *         .withTakeover(false)
 *         .withMaxHold(Duration.ofMinutes(20));
 * }</pre>
 */
public final class LockOptions {

    /** For {@link #withMaxHold}: the hold has no upper bound; the keeper renews the lease until the handle is closed. */
    public static final Duration UNLIMITED = Duration.ofNanos(Long.MAX_VALUE);

    /** The shortest lease: 1 s. Below it, an ordinary pause of a busy machine would count as a freeze. */
    public static final Duration MIN_LEASE = Duration.ofSeconds(1);
    /** The longest lease: 10 min. */
    public static final Duration MAX_LEASE = Duration.ofMinutes(10);

    /** A purpose is cut to this many characters (Unicode code points). */
    public static final int MAX_PURPOSE = 120;

    private static final Duration A_YEAR = Duration.ofDays(365);
    private static final LockOptions DEFAULTS = new LockOptions(new Values());

    /** What the options say. Written only while a copy is being built; never seen by anyone before it is whole. */
    private static final class Values implements Cloneable {
        private Duration timeout = Duration.ofSeconds(10);
        private Duration lease = Duration.ofSeconds(30);
        private Duration maxHold = Duration.ofMinutes(5);
        private boolean takeover = true;
        private Duration revokeGrace = Duration.ofSeconds(2);
        private boolean reentrant;
        private Duration linger = Duration.ZERO;
        private Duration leakDetectionThreshold = Duration.ZERO;
        private @Nullable String purpose;

        private List<Object> all() {
            return Arrays.asList(timeout, lease, maxHold, takeover, revokeGrace, reentrant, linger, leakDetectionThreshold, purpose);
        }

        private Values copy() {
            try {
                return (Values) clone();
            } catch (CloneNotSupportedException e) {
                throw new AssertionError(e);
            }
        }
    }

    private final Values values;

    private LockOptions(Values values) {
        this.values = values;
    }

    /** {@return the defaults: timeout 10 s, lease 30 s, maxHold 5 min, takeover, revokeGrace 2 s, not reentrant, no linger, no leak detection} */
    public static @NotNull LockOptions defaults() {
        return DEFAULTS;
    }

    /** {@return how long {@code acquire} waits for the lock; zero means one try} */
    public @NotNull Duration timeout() {
        return values.timeout;
    }

    /** {@return how long the lock outlasts the freezing of its whole process} */
    public @NotNull Duration lease() {
        return values.lease;
    }

    /** {@return how long the lock may be held without {@link SessionLock#renew()}; {@link #UNLIMITED} if for ever} */
    public @NotNull Duration maxHold() {
        return values.maxHold;
    }

    /** {@return whether others may pass over this holder once its process has been frozen for longer than the lease} */
    public boolean takeover() {
        return values.takeover;
    }

    /** {@return how long a holder whose lock was revoked has to close it before others get in} */
    public @NotNull Duration revokeGrace() {
        return values.revokeGrace;
    }

    /** {@return whether a thread that holds the lock already gets a second handle for it} */
    public boolean reentrant() {
        return values.reentrant;
    }

    /** {@return for how long the lock may stay warm in this JVM after {@code close()}} */
    public @NotNull Duration linger() {
        return values.linger;
    }

    /** {@return for how long a handle may be open before it is suspected to be forgotten; zero if leaks are not looked for} */
    public @NotNull Duration leakDetectionThreshold() {
        return values.leakDetectionThreshold;
    }

    /** {@return what the lock is held for, shown to whoever has to wait; null if not said} */
    public @Nullable String purpose() {
        return values.purpose;
    }

    /**
     * How long {@code acquire} waits.
     *
     * @param timeout 0 (one try, no waiting) to 365 days
     * @throws IllegalArgumentException if it is negative or longer
     */
    public @NotNull LockOptions withTimeout(@NotNull Duration timeout) {
        Values copy = values.copy();
        copy.timeout = within("timeout", timeout, Duration.ZERO, A_YEAR);
        return new LockOptions(copy);
    }

    /**
     * How long the lock outlasts the freezing (SIGSTOP, paused container, debugger) of its whole process. The keeper renews it
     * every third of it while the process runs; a holder that wakes after it finds its handle lost.
     *
     * @param lease {@link #MIN_LEASE 1 s} to {@link #MAX_LEASE 10 min}
     * @throws IllegalArgumentException if it is outside
     */
    public @NotNull LockOptions withLease(@NotNull Duration lease) {
        Values copy = values.copy();
        copy.lease = within("lease", lease, MIN_LEASE, MAX_LEASE);
        return new LockOptions(copy);
    }

    /**
     * How long the lock may be held since it was acquired or last {@linkplain SessionLock#renew() renewed by its user}. After
     * it the handle is lost: a hung or leaking holder blocks others no longer than this and {@link #revokeGrace()}.
     *
     * @param maxHold 100 ms to 365 days, or {@link #UNLIMITED}
     * @throws IllegalArgumentException if it is outside
     */
    public @NotNull LockOptions withMaxHold(@NotNull Duration maxHold) {
        Values copy = values.copy();
        copy.maxHold = UNLIMITED.equals(maxHold) ? UNLIMITED : within("maxHold", maxHold, Duration.ofMillis(100), A_YEAR);
        return new LockOptions(copy);
    }

    /**
     * Whether others may pass over this holder when its process has been frozen for longer than its lease.
     *
     * @param takeover false: nobody gets in while this process lives, frozen or not. Right for a job whose late write would do
     *     harm, such as a compaction that renames over the whole file. Over a database nobody can tell whether a process on another
     *     machine lives, and it means the longest lease there is, {@link #MAX_LEASE}
     */
    public @NotNull LockOptions withTakeover(boolean takeover) {
        Values copy = values.copy();
        copy.takeover = takeover;
        return new LockOptions(copy);
    }

    /**
     * How long a holder whose lock was revoked (by hand, by {@code clear}, at {@link #maxHold()}) has to close it before
     * others get in. Its handle is lost at once; the grace lets it stop writing before the next one starts.
     *
     * @param revokeGrace 0 to 10 min
     * @throws IllegalArgumentException if it is outside
     */
    public @NotNull LockOptions withRevokeGrace(@NotNull Duration revokeGrace) {
        Values copy = values.copy();
        copy.revokeGrace = within("revokeGrace", revokeGrace, Duration.ZERO, Duration.ofMinutes(10));
        return new LockOptions(copy);
    }

    /**
     * Whether a thread that holds the lock already gets a further handle instead of a {@link LockReentryException}. Inner
     * handles share the token and the lease of the outermost one, their other options are ignored, and the last one closed
     * releases.
     *
     * @param reentrant true to allow it; it is the options of the <em>inner</em> call that decide
     */
    public @NotNull LockOptions withReentrant(boolean reentrant) {
        Values copy = values.copy();
        copy.reentrant = reentrant;
        return new LockOptions(copy);
    }

    /**
     * For how long, at the most, the lock stays warm in this JVM after {@code close()}: record and kernel lock remain, and the next
     * acquisition of the same file by the same {@link SessionLocks} with equal options touches neither kernel nor disk, some hundred times
     * faster. For a writer that takes the lock for every message.
     *
     * <p>Nobody has a lock that lingers: it is given back as soon as another process waits for it, or has tried for it (some
     * milliseconds), when this {@code SessionLocks} is closed, when somebody removes its file or asks for it (a second), and when the JVM ends. While it lingers,
     * others see it held, by the thread that had it last. If its process is frozen meanwhile, others wait for the lease as for any holder's.
     *
     * <p>A lock that may not be passed over ({@link #withTakeover} false) does not linger, nor does one on a network file system, nor one that
     * passed a frozen holder over. While lingering locks change hands without the disk, what the file says of thread and token
     * may be a second old.
     *
     * @param linger 0 to 1 min
     * @throws IllegalArgumentException if it is outside
     */
    public @NotNull LockOptions withLinger(@NotNull Duration linger) {
        Values copy = values.copy();
        copy.linger = within("linger", linger, Duration.ZERO, Duration.ofMinutes(1));
        return new LockOptions(copy);
    }

    /**
     * Finds out who forgets to close handles. The stack of each acquisition is kept, and
     * <ul>
     * <li>a handle that is open for longer than this, since it was acquired or last {@linkplain SessionLock#renew() renewed}, is logged
     *     once, as a warning with that stack; nothing else happens to it,
     * <li>what is reported of a lock that is lost (the log, the listener, {@code onLost}, and what {@link SessionLock#ensureHeld()}
     *     throws) has that stack as its {@linkplain Throwable#getCause() cause}, whether it was
     *     {@linkplain LockLostException.Reason#LEAKED leaked} or lost otherwise.
     * </ul>
     * Off by default: a stack costs some microseconds at each acquisition.
     *
     * @param threshold 100 ms to 365 days; zero for none of this
     * @throws IllegalArgumentException if it is neither
     */
    public @NotNull LockOptions withLeakDetectionThreshold(@NotNull Duration threshold) {
        Values copy = values.copy();
        copy.leakDetectionThreshold = Duration.ZERO.equals(threshold) ? threshold
                : within("leakDetectionThreshold", threshold, Duration.ofMillis(100), A_YEAR);
        return new LockOptions(copy);
    }

    /**
     * What the lock is held for, in words for whoever has to wait: it stands in the lock file, in reports and in timeouts.
     *
     * @param purpose any text, cut to {@value #MAX_PURPOSE} characters; null or blank for none
     */
    public @NotNull LockOptions withPurpose(@Nullable String purpose) {
        Values copy = values.copy();
        copy.purpose = purpose == null || purpose.isBlank() ? null : cut(purpose);
        return new LockOptions(copy);
    }

    private static String cut(String text) {
        return text.codePointCount(0, text.length()) <= MAX_PURPOSE ? text : text.substring(0, text.offsetByCodePoints(0, MAX_PURPOSE));
    }

    private static Duration within(String name, @Nullable Duration value, Duration least, Duration most) {
        Objects.requireNonNull(value, name);
        if (value.compareTo(least) < 0 || value.compareTo(most) > 0) {
            throw new IllegalArgumentException(name + " must be from " + words(least) + " to " + words(most) + ", not " + words(value));
        }
        return value;
    }

    private static String words(Duration d) {
        return d.toString().substring(2).toLowerCase(java.util.Locale.ROOT);
    }

    @Override
    public boolean equals(Object other) {
        return this == other || other instanceof LockOptions that && values.all().equals(that.values.all());
    }

    @Override
    public int hashCode() {
        return values.all().hashCode();
    }

    @Override
    public String toString() {
        return "LockOptions[timeout=" + values.timeout + ", lease=" + values.lease
                + ", maxHold=" + (values.maxHold.equals(UNLIMITED) ? "unlimited" : values.maxHold)
                + ", takeover=" + values.takeover + ", revokeGrace=" + values.revokeGrace + ", reentrant=" + values.reentrant
                + ", linger=" + values.linger
                + (values.leakDetectionThreshold.isZero() ? "" : ", leakDetectionThreshold=" + values.leakDetectionThreshold) + ", purpose=" + (values.purpose == null ? "null" : '"' + values.purpose + '"') + "]";
    }
}

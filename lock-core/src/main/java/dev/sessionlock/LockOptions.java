package dev.sessionlock;

import java.time.Duration;
import java.util.Arrays;
import java.util.List;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/**
 * How one acquisition behaves: how long it waits, how long the lock may be held, and what happens when the holder freezes.
 *
 * <p>Immutable. Each {@code with…} method returns a copy. A bad value fails at once, with an {@link IllegalArgumentException} that names the limits.
 *
 * <pre>{@code
 * // A compaction rewrites the whole file: nobody may take the lock over while its process lives, and it may take its time.
 * LockOptions compaction = LockOptions.defaults()
 *         .withPurpose("pre-compaction flush")
 *         .withTakeover(false)
 *         .withMaxHold(Duration.ofMinutes(20));
 * }</pre>
 */
public final class LockOptions {

    /** For {@link #withMaxHold}: the lock may be held without limit. The library renews the lease until the handle is closed. */
    public static final Duration UNLIMITED = Duration.ofNanos(Long.MAX_VALUE);

    /** The shortest lease: 1 s. With a shorter one, an ordinary pause of a busy machine would count as a freeze. */
    public static final Duration MIN_LEASE = Duration.ofSeconds(1);
    /** The longest lease: 10 min. */
    public static final Duration MAX_LEASE = Duration.ofMinutes(10);

    /** The longest purpose, in characters (Unicode code points). A longer one is cut. */
    public static final int MAX_PURPOSE = 120;

    private static final Duration A_YEAR = Duration.ofDays(365);
    private static final LockOptions DEFAULTS = new LockOptions(new Values());

    /** The values of the options. Written only while a copy is built; nobody sees the copy before it is complete. */
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
        private LockMode mode = LockMode.EXCLUSIVE;

        private List<Object> all() {
            return Arrays.asList(timeout, lease, maxHold, takeover, revokeGrace, reentrant, linger, leakDetectionThreshold, purpose, mode);
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

    /** {@return the defaults: timeout 10 s, lease 30 s, maxHold 5 min, takeover, revokeGrace 2 s, not reentrant, no linger, no leak detection, exclusive} */
    public static LockOptions defaults() {
        return DEFAULTS;
    }

    /** {@return how long {@code acquire} waits for the lock; zero means one try} */
    public Duration timeout() {
        return values.timeout;
    }

    /** {@return how long the lock outlasts a freeze of the whole process} */
    public Duration lease() {
        return values.lease;
    }

    /** {@return how long the lock may be held without {@link SessionLock#renew()}; {@link #UNLIMITED} if there is no limit} */
    public Duration maxHold() {
        return values.maxHold;
    }

    /** {@return whether others may take the lock over when the process of its holder has been frozen for longer than the lease} */
    public boolean takeover() {
        return values.takeover;
    }

    /** {@return how long a holder that lost its lock has to close the handle before others get the lock} */
    public Duration revokeGrace() {
        return values.revokeGrace;
    }

    /** {@return whether a thread that holds the lock already gets a second handle} */
    public boolean reentrant() {
        return values.reentrant;
    }

    /** {@return how long the lock may stay warm in this JVM after {@code close()}} */
    public Duration linger() {
        return values.linger;
    }

    /** {@return how long a handle may be open before the library suspects that it was forgotten; zero if leak detection is off} */
    public Duration leakDetectionThreshold() {
        return values.leakDetectionThreshold;
    }

    /** {@return what the lock is held for, as others see it while they wait; null if not given} */
    public @Nullable String purpose() {
        return values.purpose;
    }

    /** {@return whether others may hold the lock at the same time} */
    public LockMode mode() {
        return values.mode;
    }

    /**
     * Sets how long {@code acquire} waits.
     *
     * @param timeout 0 (one try, no waiting) to 365 days
     * @throws IllegalArgumentException if it is negative or longer
     */
    public LockOptions withTimeout(Duration timeout) {
        Values copy = values.copy();
        copy.timeout = within("timeout", timeout, Duration.ZERO, A_YEAR);
        return new LockOptions(copy);
    }

    /**
     * Sets how long the lock outlasts a freeze of the whole process (SIGSTOP, paused container, debugger). While the process runs, the library renews
     * the lease after each third of it. If a holder wakes after the lease, it finds its handle lost.
     *
     * @param lease {@link #MIN_LEASE 1 s} to {@link #MAX_LEASE 10 min}
     * @throws IllegalArgumentException if it is outside
     */
    public LockOptions withLease(Duration lease) {
        Values copy = values.copy();
        copy.lease = within("lease", lease, MIN_LEASE, MAX_LEASE);
        return new LockOptions(copy);
    }

    /**
     * Sets how long the lock may be held, counted from the acquisition or from the last {@link SessionLock#renew()}. After that the handle is lost. So a
     * hung or leaking holder blocks others no longer than this plus {@link #revokeGrace()}. Make it longer than your longest job, or call {@code renew()} in
     * that job: a compaction of ten minutes loses its lock under the default of 5 min.
     *
     * @param maxHold 100 ms to 365 days, or {@link #UNLIMITED}
     * @throws IllegalArgumentException if it is outside
     */
    public LockOptions withMaxHold(Duration maxHold) {
        Values copy = values.copy();
        copy.maxHold = UNLIMITED.equals(maxHold) ? UNLIMITED : within("maxHold", maxHold, Duration.ofMillis(100), A_YEAR);
        return new LockOptions(copy);
    }

    /**
     * Sets whether others may take the lock over when the process of its holder has been frozen for longer than its lease.
     *
     * <p>With false, nobody gets the lock while this process lives, frozen or not. Use that for a job whose late write would do harm, such as a compaction
     * that renames over the whole file. Over a database nobody can tell whether a process on another machine lives. There, false means the
     * longest lease, {@link #MAX_LEASE}.
     *
     * @param takeover true by default
     */
    public LockOptions withTakeover(boolean takeover) {
        Values copy = values.copy();
        copy.takeover = takeover;
        return new LockOptions(copy);
    }

    /**
     * Sets how long a holder whose lock was revoked has to close the handle before others get the lock. A lock is revoked if somebody removes its file, by
     * {@code clear}, or at {@link #maxHold()}. The handle is lost at once. The grace lets the holder stop writing before the next holder starts.
     *
     * @param revokeGrace 0 to 10 min
     * @throws IllegalArgumentException if it is outside
     */
    public LockOptions withRevokeGrace(Duration revokeGrace) {
        Values copy = values.copy();
        copy.revokeGrace = within("revokeGrace", revokeGrace, Duration.ZERO, Duration.ofMinutes(10));
        return new LockOptions(copy);
    }

    /**
     * Sets whether a thread that holds the lock already gets another handle instead of a {@link LockReentryException}. Inner handles share the token and the
     * lease of the outermost one. Their other options are ignored. Closing the last handle releases the lock.
     *
     * @param reentrant true to allow it; the options of the <em>inner</em> call decide
     */
    public LockOptions withReentrant(boolean reentrant) {
        Values copy = values.copy();
        copy.reentrant = reentrant;
        return new LockOptions(copy);
    }

    /**
     * Sets how long, at most, the lock stays warm in this JVM after {@code close()}. The record and the kernel lock remain. If the same
     * {@link SessionLocks} acquires the same file again with equal options, that touches neither the kernel nor the disk, and is more than a hundred times
     * faster. Use this for a writer that takes the lock for every message.
     *
     * <p>Nobody holds a lock that lingers. The library releases it:
     * <ul>
     * <li>within milliseconds, when another process waits for it or has tried to acquire it,
     * <li>within a second, when somebody removes its file or asks for its release,
     * <li>when this {@code SessionLocks} is closed, and when the JVM ends.
     * </ul>
     *
     * <p>While the lock lingers, others see it as held by the thread that held it last. If its process freezes meanwhile, others wait for the lease, as for any
     * holder.
     *
     * <p>Three kinds of locks do not linger: a lock with {@link #withTakeover} false, a lock on a network file system, and a lock that was taken over from a
     * frozen holder. When a lingering lock passes from thread to thread without the disk, thread and token in the lock file may be a second old.
     *
     * @param linger 0 to 1 min
     * @throws IllegalArgumentException if it is outside
     */
    public LockOptions withLinger(Duration linger) {
        Values copy = values.copy();
        copy.linger = within("linger", linger, Duration.ZERO, Duration.ofMinutes(1));
        return new LockOptions(copy);
    }

    /**
     * Finds code that forgets to close handles. The library keeps the stack of each acquisition, and uses it twice:
     * <ul>
     * <li>If a handle stays open for longer than this, counted from the acquisition or the last {@linkplain SessionLock#renew() renewal}, the library logs a
     *     warning with that stack, once. Nothing else happens to the handle.
     * <li>If the lock is lost, {@linkplain LockLostException.Reason#LEAKED leaked} or otherwise, that stack is the {@linkplain Throwable#getCause() cause} of
     *     the exception in the log, in the listener, in {@code onLost}, and from {@link SessionLock#ensureHeld()}.
     * </ul>
     * It is off by default, because a stack costs some microseconds at each acquisition.
     *
     * @param threshold 100 ms to 365 days; zero turns it off
     * @throws IllegalArgumentException if it is neither
     */
    public LockOptions withLeakDetectionThreshold(Duration threshold) {
        Values copy = values.copy();
        copy.leakDetectionThreshold = Duration.ZERO.equals(threshold) ? threshold
                : within("leakDetectionThreshold", threshold, Duration.ofMillis(100), A_YEAR);
        return new LockOptions(copy);
    }

    /**
     * Says what the lock is held for. The text appears in the lock file, in reports and in timeouts, for everybody who has to wait.
     *
     * @param purpose any text, cut to {@value #MAX_PURPOSE} characters; null or blank for none
     */
    public LockOptions withPurpose(@Nullable String purpose) {
        Values copy = values.copy();
        copy.purpose = purpose == null || purpose.isBlank() ? null : cut(purpose);
        return new LockOptions(copy);
    }

    /**
     * Sets who else may hold the lock at the same time. With {@link LockMode#SHARED}, any number of readers hold it together, in all threads and processes, and nobody
     * holds it exclusively meanwhile. Readers are bounded as other holders are: by their lease and their own {@link #maxHold()}, and they can lose the lock.
     *
     * <pre>{@code
     * LockOptions reading = LockOptions.defaults().withMode(LockMode.SHARED);
     * try (SessionLock lock = locks.acquire(session, reading)) {
     *     archive(Files.readAllLines(session));         // others may read at the same time; nobody writes
     * }
     * }</pre>
     *
     * <ul>
     * <li>Whoever waits for the lock exclusively keeps new readers out, so readers that come and go do not starve a writer.
     * <li>There is no upgrade. A thread that holds the lock shared and asks for it exclusively gets a {@link LockReentryException}. Close the shared lock, acquire
     *     exclusively, and read again: another writer may have come in between.
     * <li>A reader's {@link SessionLock#token()} is that of the last exclusive holder, or greater. Readers that hold the lock together mostly have the same one.
     * <li>Readers of one JVM share one hold, and one lease: the {@link #lease()} of the reader that came first. A reader with another {@link #takeover()} than
     *     theirs waits until they are gone.
     * <li>Over an engine that knows no modes, readers of one JVM hold the lock together, and processes take turns.
     * </ul>
     *
     * @param mode {@link LockMode#EXCLUSIVE} by default
     * @throws NullPointerException if it is null
     */
    public LockOptions withMode(LockMode mode) {
        Values copy = values.copy();
        copy.mode = Objects.requireNonNull(mode, "mode");
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
                + (values.leakDetectionThreshold.isZero() ? "" : ", leakDetectionThreshold=" + values.leakDetectionThreshold) + ", purpose=" + (values.purpose == null ? "null" : '"' + values.purpose + '"')
                + (values.mode == LockMode.EXCLUSIVE ? "" : ", mode=" + values.mode) + "]";
    }
}

package dev.sessionlock.spi;

import dev.sessionlock.LockLostException;
import org.jspecify.annotations.Nullable;

/**
 * A lock that this process holds. An engine adds what it needs in a subclass. Only the engine changes a hold, one call at a time; any thread may read
 * the deadline.
 */
public abstract non-sealed class Hold implements AcquireResult {
    /** A deadline that never comes: no other process may take over from this holder. */
    public static final long NEVER = Long.MAX_VALUE;

    private final Terms terms;
    private volatile long token;
    private volatile @Nullable String thread;
    /** The token that the record contains. */
    private volatile long recorded;
    private volatile @Nullable String reclaimed;
    private volatile long deadline;
    private volatile long renewedAt;

    /**
     * @param terms on what terms it was taken
     * @param token the fencing token
     * @param takenAt when it was taken, monotonic nanoseconds
     * @param deadline until when it is valid by our own clock, monotonic nanoseconds
     * @param reclaimed why the former owner did not count any more; null if this holder has taken over from nobody
     */
    protected Hold(Terms terms, long token, long takenAt, long deadline, @Nullable String reclaimed) {
        this.terms = terms;
        this.token = token;
        this.recorded = token;
        this.thread = terms.thread();
        this.renewedAt = takenAt;
        this.deadline = deadline;
        this.reclaimed = reclaimed;
    }

    /** {@return the fencing token} */
    public final long token() {
        return token;
    }

    /** {@return until when it is valid by our own clock, monotonic nanoseconds} The grace, for which others wait in addition, does not count. */
    public final long deadline() {
        return deadline;
    }

    /**
     * {@return whether the hold is valid, as far as clocks tell} Memory only, since users ask before every write.
     *
     * @param now the monotonic clock, nanoseconds
     */
    public boolean isValid(long now) {
        return now < deadline;
    }

    /**
     * {@return why the hold was lost, in the engine's own words; null for the usual words}
     *
     * @param reason the reason that its user will be told
     */
    public @Nullable String lossInWords(LockLostException.Reason reason) {
        return null;
    }

    /** {@return when the lease was last renewed, monotonic nanoseconds} */
    public final long renewedAt() {
        return renewedAt;
    }

    /** {@return on what terms it was taken} */
    public final Terms terms() {
        return terms;
    }

    /** {@return the name of the thread that has it, or had it last; empty if it belongs to none (an asynchronous acquisition); null if unknown} */
    public final @Nullable String thread() {
        return thread;
    }

    /** {@return whether the record names the present user; if not, {@link EngineLock#renew} updates it} */
    public final boolean isRecorded() {
        return recorded == token;
    }

    /** {@return why the former owner did not count any more; null if this holder has taken over from nobody} */
    public final @Nullable String reclaimed() {
        return reclaimed;
    }

    /**
     * A further user has it, on the same terms. The record does not name that user yet.
     *
     * @param newToken the further user's token
     * @param newThread the name of its thread
     */
    protected final void reused(long newToken, String newThread) {
        thread = newThread;
        token = newToken;
        reclaimed = null; // only the first user of this hold has taken over from somebody
    }

    /**
     * The record now names the user of a token.
     *
     * @param recordedToken that token
     */
    protected final void recorded(long recordedToken) {
        recorded = recordedToken;
    }

    /**
     * The lease was renewed.
     *
     * @param at when, monotonic nanoseconds
     * @param newDeadline until when it is valid now
     */
    protected final void renewed(long at, long newDeadline) {
        renewedAt = at;
        deadline = newDeadline;
    }
}

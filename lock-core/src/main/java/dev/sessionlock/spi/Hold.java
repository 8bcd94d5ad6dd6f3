package dev.sessionlock.spi;

import dev.sessionlock.LockLostException;
import org.jetbrains.annotations.Nullable;

/**
 * A lock that this process holds. An engine puts what it needs of it into a class of its own. Changed only by the engine, one call at a
 * time; the deadline is read by any thread.
 */
public abstract non-sealed class Hold implements AcquireResult {
    /** A deadline that never comes: nobody may pass this holder over. */
    public static final long NEVER = Long.MAX_VALUE;

    private final Terms terms;
    private volatile long token;
    private volatile @Nullable String thread;
    /** The token that the record tells. */
    private volatile long recorded;
    private volatile @Nullable String reclaimed;
    private volatile long deadline;
    private volatile long renewedAt;

    /**
     * @param terms on what terms it was taken
     * @param token the fencing token
     * @param takenAt when, monotonic nanoseconds
     * @param deadline until when it is valid by our own clock, monotonic nanoseconds
     * @param reclaimed why the former owner did not count any more; null if nobody was passed over
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

    /** {@return until when it is valid by our own clock, monotonic nanoseconds; the grace that others grant is not ours} */
    public final long deadline() {
        return deadline;
    }

    /**
     * {@return whether it is valid, as far as clocks tell; memory only, since users ask before every write}
     *
     * @param now the monotonic clock, nanoseconds
     */
    public boolean isValid(long now) {
        return now < deadline;
    }

    /**
     * {@return why it was lost, in the engine's own words; null for the usual ones}
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

    /** {@return the name of the thread that has it, or had it last; null if not said} */
    public final @Nullable String thread() {
        return thread;
    }

    /** {@return whether the record tells who has it now; if not, {@link EngineLock#renew} makes it so} */
    public final boolean isRecorded() {
        return recorded == token;
    }

    /** {@return why the former owner did not count any more; null if nobody was passed over} */
    public final @Nullable String reclaimed() {
        return reclaimed;
    }

    /**
     * A further user has it, on the same terms; the record does not tell yet.
     *
     * @param newToken the further user's token
     * @param newThread the name of its thread
     */
    protected final void reused(long newToken, String newThread) {
        thread = newThread;
        token = newToken;
        reclaimed = null; // it was his predecessor who passed somebody over
    }

    /**
     * The record tells of the user who has this token.
     *
     * @param recordedToken that token
     */
    protected final void recorded(long recordedToken) {
        recorded = recordedToken;
    }

    /**
     * The lease begins anew.
     *
     * @param at when, monotonic nanoseconds
     * @param newDeadline until when it is valid now
     */
    protected final void renewed(long at, long newDeadline) {
        renewedAt = at;
        deadline = newDeadline;
    }
}

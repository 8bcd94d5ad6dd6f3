package dev.sessionlock.jdbc;

import dev.sessionlock.spi.Terms;
import java.time.Duration;
import java.util.UUID;
import java.util.concurrent.TimeUnit;

/**
 * One try to become the holder of a row, and what has come of it. The row tells it from all others by its UUID.
 *
 * <p>{@link RenewalWorker} know of it from before its statement is sent until its row is nobody's: so a row can be given back whatever was
 * thrown, and wherever.
 */
final class RowAttempt {
    /** What is known of it. */
    enum AttemptState {
        /** Nothing has been sent, or the server has refused it. */
        PREPARED,
        /** The statement may have been carried out, or may be yet. */
        SENT,
        /** The server has carried it out, and said whether the row is ours. */
        ANSWERED,
        /** The row is ours, and a {@link JdbcHold} stands for it. */
        HELD,
        /** The row may be ours, and is to be given back. */
        GIVEN_UP,
        /** The row is not ours. */
        OVER
    }

    final String name;
    final UUID id;
    /** How long the row may keep others out after the last moment at which a statement of ours can have been sent. */
    private final long lastsNanos;

    private volatile AttemptState state = AttemptState.PREPARED;

    // Guarded by the mutex of the chores.
    /** From then on the server lets others in anyway, monotonic nanoseconds. */
    private long until;
    /** When to give it back, or to try once more, monotonic nanoseconds. */
    private long tryAt;

    /** @param limit how long a statement may be under way */
    RowAttempt(String name, Terms terms, Duration limit) {
        this(name, UUID.randomUUID(), terms, limit);
    }

    RowAttempt(String name, UUID id, Terms terms, Duration limit) {
        this.name = name;
        this.id = id;
        this.lastsNanos = limit.toNanos() + TimeUnit.MILLISECONDS.toNanos(JdbcHold.leaseAndGraceMillis(terms));
    }

    AttemptState state() {
        return state;
    }

    boolean isOver() {
        return state == AttemptState.OVER;
    }

    /** Its statement is about to be sent. */
    void sent() {
        state = AttemptState.SENT;
    }

    /** The server has answered, whatever becomes of the answer. */
    void answered() {
        state = AttemptState.ANSWERED;
    }

    /** What was thrown says that the server did not carry it out. */
    void refused() {
        if (state == AttemptState.SENT) {
            state = AttemptState.PREPARED;
        }
    }

    // ---- under the mutex of the chores ----

    void held() {
        state = AttemptState.HELD;
    }

    void over() {
        state = AttemptState.OVER;
    }

    /** Nobody uses it any more. Returns whether its row has to be given back, which was not known before. */
    boolean giveUp(long now) {
        switch (state) {
            case PREPARED -> state = AttemptState.OVER;
            case SENT, ANSWERED, HELD -> {
                until = now + lastsNanos;
                tryAt = now;
                state = AttemptState.GIVEN_UP;
                return true;
            }
            case GIVEN_UP, OVER -> { }
        }
        return false;
    }

    /** {@return when something is to be done about it, monotonic nanoseconds} Only of one that was given up. */
    long dueAt() {
        return Math.min(until, tryAt);
    }

    /** {@return whether the server lets others in anyway by now} Only of one that was given up. */
    boolean hasRunOut(long now) {
        return now - until >= 0;
    }

    /** {@return whether it is to be given back now} Only of one that was given up. */
    boolean isDue(long now) {
        return now - tryAt >= 0;
    }

    /** It is being given back; if that fails it is tried again. */
    void tryAgainAt(long nanos) {
        tryAt = nanos;
    }
}

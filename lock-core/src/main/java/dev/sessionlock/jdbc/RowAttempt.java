package dev.sessionlock.jdbc;

import dev.sessionlock.spi.Terms;
import java.time.Duration;
import java.util.UUID;
import java.util.concurrent.TimeUnit;

/**
 * One try to become the holder of a row, and what has become of it. A UUID in the row tells it from all other attempts.
 *
 * <p>The {@link RenewalWorker} knows an attempt from before its statement is sent until nobody has its row any more. So a row can be given back
 * whatever was thrown, and wherever.
 */
final class RowAttempt {
    /** What we know about it. */
    enum AttemptState {
        /** Nothing has been sent, or the server has refused it. */
        PREPARED,
        /** The statement may have been carried out, or may still be. */
        SENT,
        /** The server has carried it out, and said whether the row is ours. */
        ANSWERED,
        /** The row is ours, and belongs to a {@link JdbcHold}. */
        HELD,
        /** The row may be ours, and has to be given back. */
        GIVEN_UP,
        /** The row is not ours. */
        OVER
    }

    final String name;
    final UUID id;
    /** Whether it wants the lock as a reader. */
    final boolean shared;
    /** How long the row may keep others out after the last moment at which our statement can have been sent. */
    private final long lastsNanos;

    private volatile AttemptState state = AttemptState.PREPARED;

    // Guarded by the mutex of the renewal worker.
    /** From then on the server lets others in anyway, monotonic nanoseconds. */
    private long othersGetInAt;
    /** When to give it back, or to try that again, monotonic nanoseconds. */
    private long tryAt;

    /** @param limit how long a statement may be under way */
    RowAttempt(String name, Terms terms, Duration limit) {
        this(name, UUID.randomUUID(), terms, limit);
    }

    RowAttempt(String name, UUID id, Terms terms, Duration limit) {
        this.name = name;
        this.id = id;
        this.shared = terms.shared();
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

    /** The server has answered, whether or not the answer is used. */
    void answered() {
        state = AttemptState.ANSWERED;
    }

    /** An error says that the server did not carry the statement out. */
    void refused() {
        if (state == AttemptState.SENT) {
            state = AttemptState.PREPARED;
        }
    }

    // ---- under the mutex of the renewal worker ----

    void held() {
        state = AttemptState.HELD;
    }

    void over() {
        state = AttemptState.OVER;
    }

    /** Nobody uses it any more. Returns whether its row has to be given back, if that was not known before. */
    boolean giveUp(long now) {
        switch (state) {
            case PREPARED -> state = AttemptState.OVER;
            case SENT, ANSWERED, HELD -> {
                othersGetInAt = now + lastsNanos;
                tryAt = now;
                state = AttemptState.GIVEN_UP;
                return true;
            }
            case GIVEN_UP, OVER -> { }
        }
        return false;
    }

    /** {@return when something has to be done about it, monotonic nanoseconds} Only for an attempt that was given up. */
    long dueAt() {
        return Math.min(othersGetInAt, tryAt);
    }

    /** {@return whether the server lets others in anyway by now} Only for an attempt that was given up. */
    boolean hasRunOut(long now) {
        return now - othersGetInAt >= 0;
    }

    /** {@return whether to give it back now} Only for an attempt that was given up. */
    boolean isDue(long now) {
        return now - tryAt >= 0;
    }

    /** The row is being given back. If that fails, it is tried again at this time. */
    void tryAgainAt(long nanos) {
        tryAt = nanos;
    }
}

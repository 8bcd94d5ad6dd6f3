package dev.sessionlock;

import java.util.Objects;
import org.jetbrains.annotations.NotNull;

/**
 * What {@link SessionLocks#clear} has done about one lock.
 *
 * @param lock what was known of it before; its evidence begins with what was done and why, its advice says what to do now
 * @param outcome what has become of it
 */
public record ClearReport(@NotNull LockReport lock, @NotNull Outcome outcome) {

    /** What has become of a lock. */
    public enum Outcome {
        /** Its owner was dead, and what he left was removed. */
        CLEARED,
        /** In a dry run: it would be cleared, or its holder would be asked. */
        WOULD_CLEAR,
        /** Its holder was alive, was asked, and has let go. */
        RELEASED,
        /** Nothing was done: it is alive or may be, it is not a lock, or its holder did not let go. */
        REFUSED
    }

    /** Refuses nulls. */
    public ClearReport {
        Objects.requireNonNull(lock, "lock");
        Objects.requireNonNull(outcome, "outcome");
    }
}

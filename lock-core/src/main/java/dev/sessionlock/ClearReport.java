package dev.sessionlock;

import java.util.Objects;

/**
 * What {@link SessionLocks#clear} did about one lock.
 *
 * @param lock what was known about the lock before. Its evidence begins with what was done and why. Its advice says what to do now
 * @param outcome what happened to the lock
 */
public record ClearReport(LockReport lock, Outcome outcome) {

    /** What happened to a lock. */
    public enum Outcome {
        /** Its owner was dead, and what the owner left was removed. */
        CLEARED,
        /** In a dry run: the lock would be cleared, or its holder would be asked. */
        WOULD_CLEAR,
        /** Its holder was alive, was asked, and released the lock. */
        RELEASED,
        /** Nothing was done: its owner lives or may live, it is not a lock, or its holder did not release it. */
        REFUSED
    }

    /** Refuses nulls. */
    public ClearReport {
        Objects.requireNonNull(lock, "lock");
        Objects.requireNonNull(outcome, "outcome");
    }
}

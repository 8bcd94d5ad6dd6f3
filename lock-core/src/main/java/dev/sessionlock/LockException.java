package dev.sessionlock;

import dev.sessionlock.internal.system.Printable;
import java.io.IOException;
import org.jetbrains.annotations.NotNull;
import org.jetbrains.annotations.Nullable;

/**
 * A lock could not be taken or kept. The message is written for the person who has to act: what happened, to which file, and
 * what to do next. The subtypes tell the cases that programs treat apart.
 *
 * <p>It may be shown and logged as it is: what files' names, records and other processes have put into the message, or into that of its cause, cannot
 * move a cursor or begin a line; control characters and the like are escapes such as <code>&#92;u001b</code>. A cause that would print otherwise is
 * replaced by one that prints as it did, with escapes.
 */
public class LockException extends IOException {
    private static final long serialVersionUID = 1L;

    /**
     * @param message what happened and what to do
     */
    public LockException(@NotNull String message) {
        super(Printable.text(message));
    }

    /**
     * @param message what happened and what to do
     * @param cause what the system said; null if nothing
     */
    public LockException(@NotNull String message, @Nullable Throwable cause) {
        this(message, cause, false);
    }

    /**
     * For a message of several lines, each of which begins as its author wants it.
     *
     * @param severalLines says so
     */
    LockException(@NotNull String message, @Nullable Throwable cause, boolean severalLines) {
        super(severalLines ? Printable.lines(message) : Printable.text(message), printable(cause));
    }

    private static @Nullable Throwable printable(@Nullable Throwable cause) {
        return cause == null ? null : Printable.throwable(cause);
    }
}

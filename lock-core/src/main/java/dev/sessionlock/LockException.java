package dev.sessionlock;

import dev.sessionlock.internal.system.Printable;
import java.io.IOException;
import org.jspecify.annotations.Nullable;

/**
 * A lock could not be acquired or kept. The message is written for the person who has to act. It says what happened, to which file, and what to do next.
 * Programs distinguish the cases by the subtypes.
 *
 * <p>The exception may be shown and logged as it is. Its message, and that of its cause, can contain text from file names, records and other processes. That
 * text cannot move a cursor or begin a line: control characters and the like are escaped, such as <code>&#92;u001b</code>. If a cause would print them,
 * a copy replaces it that prints the same with escapes.
 */
public class LockException extends IOException {
    private static final long serialVersionUID = 1L;

    /**
     * @param message what happened and what to do
     */
    public LockException(String message) {
        super(Printable.text(message));
    }

    /**
     * @param message what happened and what to do
     * @param cause what the system reported; null if nothing
     */
    public LockException(String message, @Nullable Throwable cause) {
        this(message, cause, false);
    }

    /**
     * For a message of several lines.
     *
     * @param severalLines whether line breaks of the message are kept
     */
    LockException(String message, @Nullable Throwable cause, boolean severalLines) {
        super(severalLines ? Printable.lines(message) : Printable.text(message), printable(cause));
    }

    private static @Nullable Throwable printable(@Nullable Throwable cause) {
        return cause == null ? null : Printable.throwable(cause);
    }
}

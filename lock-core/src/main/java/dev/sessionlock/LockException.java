package dev.sessionlock;

import java.io.IOException;
import org.jetbrains.annotations.NotNull;
import org.jetbrains.annotations.Nullable;

/**
 * A lock could not be taken or kept. The message is written for the person who has to act: what happened, to which file, and
 * what to do next. The subtypes tell the cases that programs treat apart.
 */
public class LockException extends IOException {
    private static final long serialVersionUID = 1L;

    /**
     * @param message what happened and what to do
     */
    public LockException(@NotNull String message) {
        super(message);
    }

    /**
     * @param message what happened and what to do
     * @param cause what the system said; null if nothing
     */
    public LockException(@NotNull String message, @Nullable Throwable cause) {
        super(message, cause);
    }
}

package dev.sessionlock;

import org.jetbrains.annotations.NotNull;

/**
 * Something that is not a lock lies where the lock file would be: a directory, a FIFO, {@code yarn.lock}, a binary. It was not
 * touched, and no amount of waiting helps, so this is thrown at once.
 */
public final class NotALockFileException extends LockException {
    private static final long serialVersionUID = 1L;

    /**
     * @param message what lies there, and what to do
     */
    public NotALockFileException(@NotNull String message) {
        super(message);
    }
}

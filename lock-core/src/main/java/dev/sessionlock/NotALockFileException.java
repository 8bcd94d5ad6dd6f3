package dev.sessionlock;


/**
 * Something that is not a lock lies in the place of the lock file: a directory, a FIFO, {@code yarn.lock}, a binary. The library has not touched it.
 * Waiting does not help, so this exception is thrown at once.
 */
public final class NotALockFileException extends LockException {
    private static final long serialVersionUID = 1L;

    /**
     * @param message what lies there, and what to do
     */
    public NotALockFileException(String message) {
        super(message);
    }
}

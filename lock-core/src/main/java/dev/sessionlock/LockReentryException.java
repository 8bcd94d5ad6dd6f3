package dev.sessionlock;


/**
 * A thread asked for a lock that it holds already. It would have waited for itself. There are three remedies: close the outer handle first;
 * {@linkplain SessionLock#detach() detach} the outer handle if another thread closes it; or ask with {@link LockOptions#withReentrant reentrant} options.
 */
public final class LockReentryException extends IllegalStateException {
    private static final long serialVersionUID = 1L;

    /**
     * @param message which lock, since when, and what to do
     */
    public LockReentryException(String message) {
        super(message);
    }
}

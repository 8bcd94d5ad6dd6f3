package dev.sessionlock;


/**
 * What {@link SessionLocks#withLock} runs under the lock. If it returns nothing, use a {@link LockedRunnable}.
 *
 * @param <T> what it returns
 * @param <X> what it throws besides {@link LockException} and {@link InterruptedException}. The compiler infers {@link RuntimeException} if it throws nothing
 *     else, and the common supertype if it throws several
 */
@FunctionalInterface
public interface LockedAction<T, X extends Exception> {

    /**
     * Runs under the lock.
     *
     * @param lock the open lock; the caller closes it
     * @return what {@code withLock} returns
     * @throws X anything
     * @throws LockException from {@link SessionLock#ensureHeld()}, or from another lock
     * @throws InterruptedException if it is interrupted while it waits
     */
    T run(SessionLock lock) throws X, LockException, InterruptedException;
}

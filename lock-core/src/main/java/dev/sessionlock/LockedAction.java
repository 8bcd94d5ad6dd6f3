package dev.sessionlock;

import org.jetbrains.annotations.NotNull;

/**
 * What {@link SessionLocks#withLock} runs under the lock. One that returns nothing is a {@link LockedRunnable}.
 *
 * @param <T> what it returns
 * @param <X> what it throws besides what any use of a lock throws; inferred as {@link RuntimeException} if nothing, and as the common supertype
 *     of several
 */
@FunctionalInterface
public interface LockedAction<T, X extends Exception> {

    /**
     * Runs under the lock.
     *
     * @param lock the lock, open; closed by the caller
     * @return whatever {@code withLock} is to return
     * @throws X as it likes
     * @throws LockException as {@link SessionLock#ensureHeld()}, or another lock
     * @throws InterruptedException if it waits, and is interrupted
     */
    T run(@NotNull SessionLock lock) throws X, LockException, InterruptedException;
}

package dev.sessionlock;

import org.jetbrains.annotations.NotNull;

/**
 * What {@link SessionLocks#withLock} runs under the lock.
 *
 * @param <T> what it returns
 * @param <X> what it throws; inferred as {@link RuntimeException} if it throws nothing
 */
@FunctionalInterface
public interface LockedAction<T, X extends Exception> {

    /**
     * Runs under the lock.
     *
     * @param lock the lock, open; closed by the caller
     * @return whatever {@code withLock} is to return
     * @throws X as it likes
     */
    T run(@NotNull SessionLock lock) throws X;
}

package dev.sessionlock;

import java.io.IOException;

/**
 * What {@link SessionLocks#runWithLock} runs under the lock. Unlike a {@link LockedAction} it returns nothing, and it may always throw
 * {@link IOException}, whatever else it throws.
 *
 * @param <X> what else it throws. The compiler infers {@link RuntimeException} if it throws nothing else, and the common supertype if it throws several
 */
@FunctionalInterface
public interface LockedRunnable<X extends Exception> {

    /**
     * Runs under the lock.
     *
     * @param lock the open lock; the caller closes it
     * @throws X anything
     * @throws IOException anything, also the lock's own
     * @throws InterruptedException if it is interrupted while it waits
     */
    void run(SessionLock lock) throws X, IOException, InterruptedException;
}

package dev.sessionlock;

import java.io.IOException;
import org.jetbrains.annotations.NotNull;

/**
 * What {@link SessionLocks#runWithLock} runs under the lock: as a {@link LockedAction}, but it returns nothing, and may do I/O whatever else it
 * throws.
 *
 * @param <X> what it throws besides; inferred as {@link RuntimeException} if nothing, and as the common supertype of several
 */
@FunctionalInterface
public interface LockedRunnable<X extends Exception> {

    /**
     * Runs under the lock.
     *
     * @param lock the lock, open; closed by the caller
     * @throws X as it likes
     * @throws IOException as it likes, also the lock's own
     * @throws InterruptedException if it waits, and is interrupted
     */
    void run(@NotNull SessionLock lock) throws X, IOException, InterruptedException;
}

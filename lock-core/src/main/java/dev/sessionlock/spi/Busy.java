package dev.sessionlock.spi;

import java.io.IOException;
import org.jetbrains.annotations.NotNull;
import org.jetbrains.annotations.Nullable;

/**
 * The lock was not to be had now.
 *
 * @param waitFor what to {@link EngineLock#awaitKernel}; {@link #NOTHING} or {@link #PACED} if there is nothing that would ring a bell
 * @param retryAt when to try by oneself at the latest (at the earliest if {@link #PACED}), monotonic nanoseconds;
 *     {@link Long#MAX_VALUE} if only the bell will help
 * @param why in words, for the log and for the message of a timeout
 * @param trouble what kept the engine from trying, if that will pass by itself, as a database that is away; null if it has tried. Who
 *     waits goes on waiting; a single try fails with it
 */
public record Busy(int waitFor, long retryAt, @NotNull String why, @Nullable IOException trouble) implements AcquireResult {
    /** Nothing rings: try again at {@link #retryAt}. */
    public static final int NOTHING = -1;
    /** Nothing rings, and a try costs others something: try again at {@link #retryAt}, no sooner unless this JVM gives the lock back. */
    public static final int PACED = -2;

    /** One that has tried. */
    public Busy(int waitFor, long retryAt, @NotNull String why) {
        this(waitFor, retryAt, why, null);
    }
}

package dev.sessionlock.spi;

import java.io.IOException;
import org.jspecify.annotations.Nullable;

/**
 * The lock could not be taken now.
 *
 * @param waitFor what to {@link EngineLock#awaitKernel}; {@link #NOTHING} or {@link #PACED} if the engine has no kernel wait for this
 * @param retryAt when to try again at the latest without a kernel wait (at the earliest if {@link #PACED}), monotonic nanoseconds;
 *     {@link Long#MAX_VALUE} if only the kernel wait can end the waiting
 * @param why in words, for the log and for the message of a timeout
 * @param failure what kept the engine from trying, if it will pass by itself, such as a database that cannot be reached; null if the engine has
 *     tried. A thread that waits goes on waiting; a single try fails with this exception
 */
public record Busy(int waitFor, long retryAt, String why, @Nullable IOException failure) implements AcquireResult {
    /** There is nothing to wait for in the kernel: try again at {@link #retryAt}. */
    public static final int NOTHING = -1;
    /**
     * There is nothing to wait for in the kernel, and a try costs others something. Try again at {@link #retryAt}, and no sooner unless this JVM
     * gives the lock back, or the engine says that it {@linkplain EngineLock#onFreed may be free}.
     */
    public static final int PACED = -2;

    /** The engine has tried, and found the lock busy. */
    public Busy(int waitFor, long retryAt, String why) {
        this(waitFor, retryAt, why, null);
    }

    /** {@return the same as {@link #failure()}} */
    public @Nullable IOException trouble() {
        return failure;
    }
}

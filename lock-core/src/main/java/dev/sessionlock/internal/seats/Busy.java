package dev.sessionlock.internal.seats;

/**
 * The lock was not to be had now.
 *
 * @param waitFor what to {@link LockEngine#await}; {@link #NOTHING} if there is nothing that would ring a bell
 * @param retryAt when to try by oneself at the latest, monotonic nanoseconds; {@link Long#MAX_VALUE} if only the bell will help
 * @param why in words, for the log
 */
public record Busy(int waitFor, long retryAt, String why) implements Taken {
    /** Nothing rings: try again at {@link #retryAt}. */
    public static final int NOTHING = -1;
}

package dev.sessionlock.spi;

/**
 * What has to be looked after while it is open: an engine, or a part of one that does not depend on the others, such as a directory on a disk of its own.
 *
 * <p>The keeper of the locks has one part after the other maintained. A call may block, for as long as a disk does not answer: then the other
 * parts are maintained by another thread. One part is maintained by one thread at a time, but its locks may be used by others meanwhile.
 */
public interface Maintainable {

    /** A few times a minute: looks whether what is open still is what it was. */
    default void verify() {
    }

    /**
     * {@return whether something was seen since the last {@link #verify} for which all that is held should be {@linkplain EngineLock#check looked at}
     * deeply now, and not only at the next round} Memory only, any thread.
     */
    default boolean isSuspect() {
        return false;
    }

    /** Now and then: sweeps what others have left. */
    default void sweep() {
    }

    /**
     * Closes what nobody has used for a while.
     *
     * @param atOnce without waiting for it: nobody locks anything any more
     * @return whether nothing is open any more
     */
    boolean closeIdle(boolean atOnce);
}

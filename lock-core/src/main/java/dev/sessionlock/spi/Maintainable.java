package dev.sessionlock.spi;

/**
 * Something that needs maintenance while it is open: an engine, or a part of an engine that does not depend on the other parts, such as a directory
 * on a disk of its own.
 *
 * <p>The keeper has one part after the other maintained. A call may block as long as a disk does not answer; another thread then maintains the other
 * parts. Only one thread maintains a part at a time, but other threads may use its locks meanwhile.
 */
public interface Maintainable {

    /** Called a few times a minute. Looks whether what is open is still what it was. */
    default void verify() {
    }

    /**
     * {@return whether something has happened since the last {@link #verify} that calls for a deep {@linkplain EngineLock#check check} of all that is
     * held now, instead of at the next round} Memory only, any thread.
     */
    default boolean isSuspect() {
        return false;
    }

    /** Called now and then. Deletes what other processes have left behind. */
    default void sweep() {
    }

    /**
     * Called about once a second, soon after a hold has ended in an unusual way, and as the JVM ends. Writes what was {@linkplain EngineLock#note noted}, and
     * {@linkplain EngineLock#showWaiters who waits}. A waiter that was not shown since the last call no longer waits.
     *
     * @param last there is no later call: the JVM ends
     */
    default void record(boolean last) {
    }

    /**
     * Closes what nobody has used for a while.
     *
     * @param atOnce true to close unused things without waiting, because nobody locks anything any more
     * @return whether nothing is open any more
     */
    boolean closeIdle(boolean atOnce);
}

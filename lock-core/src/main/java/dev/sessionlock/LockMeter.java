package dev.sessionlock;

/**
 * Measures how long acquisitions wait and how long locks are held, for histograms. {@code dev.sessionlock.metrics.SessionLockMetrics} is one, for Micrometer.
 * The counters of {@link SessionLocks#stats()} need none.
 *
 * <p><b>Threads.</b> Each call comes on the thread that acquired or closed the lock, before that thread goes on, and under no lock of the library. A lock that
 * was acquired asynchronously is measured on the executor. So a meter must be fast and thread-safe.
 *
 * <p><b>Failures.</b> If a meter throws, the library logs that, and nothing else happens.
 *
 * @see SessionLocks#addMeter
 */
public interface LockMeter {

    /**
     * An acquisition got the lock, or gave up at its timeout. There is no such call for a {@code tryAcquire} that failed, nor if the thread was interrupted.
     *
     * @param name the lock's name, as {@link SessionLock#name()} has it
     * @param nanos how long it waited, nanoseconds
     * @param acquired whether it got the lock
     */
    void waited(String name, long nanos, boolean acquired);

    /**
     * A handle was closed by its user, be it lost or not. There is no such call for a handle that was forgotten.
     *
     * @param name the lock's name
     * @param nanos how long it was open, nanoseconds
     */
    void held(String name, long nanos);
}

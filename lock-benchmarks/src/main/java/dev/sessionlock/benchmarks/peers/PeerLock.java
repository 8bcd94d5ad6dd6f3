package dev.sessionlock.benchmarks.peers;

import java.io.Closeable;

/** One lock of a {@link Peer} as this process sees it: opened once, taken by any number of threads. */
public interface PeerLock extends Closeable {
    /**
     * Waits until the lock is acquired, however long that takes.
     *
     * @return the hold; the thread that was given it closes it, once
     * @throws Exception whatever the peer throws: the run of this peer is over then
     */
    AutoCloseable acquire() throws Exception;

    /** {@return whether anything stays open between two holds; if not, the object is only a name, and need not be closed} */
    default boolean staysOpen() {
        return true;
    }
}

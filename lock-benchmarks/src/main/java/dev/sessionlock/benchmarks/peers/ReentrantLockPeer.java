package dev.sessionlock.benchmarks.peers;

import java.util.concurrent.locks.ReentrantLock;

/** No file at all: the cost of a lock that only threads of one JVM see. */
final class ReentrantLockPeer implements PeerLock {
    private final ReentrantLock lock;
    private final AutoCloseable hold;

    /** @param fair whether waiting threads are served in the order of arrival */
    ReentrantLockPeer(boolean fair) {
        lock = new ReentrantLock(fair);
        hold = lock::unlock;
    }

    @Override
    public AutoCloseable acquire() throws InterruptedException {
        lock.lockInterruptibly();
        return hold;
    }

    @Override
    public void close() {
        // Nothing to close.
    }
}

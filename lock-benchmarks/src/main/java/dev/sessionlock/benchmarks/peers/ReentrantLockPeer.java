package dev.sessionlock.benchmarks.peers;

import java.util.concurrent.locks.ReentrantLock;

/** No file at all: what a lock costs that only threads of one JVM see. */
final class ReentrantLockPeer implements PeerLock {
    private final ReentrantLock lock;
    private final AutoCloseable hold;

    /** @param fair whether those who wait are served in the order in which they came */
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

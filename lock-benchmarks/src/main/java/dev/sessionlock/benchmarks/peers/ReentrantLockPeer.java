package dev.sessionlock.benchmarks.peers;

import java.nio.file.Path;
import java.util.concurrent.locks.ReentrantLock;

/** No file at all: what a lock costs that only threads of one JVM see. */
final class ReentrantLockPeer implements PeerLock {
    private final ReentrantLock lock = new ReentrantLock();
    private final AutoCloseable hold = lock::unlock;

    ReentrantLockPeer(Path directory, String name) {
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

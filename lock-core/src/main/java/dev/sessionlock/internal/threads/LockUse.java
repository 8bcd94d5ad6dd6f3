package dev.sessionlock.internal.threads;

import dev.sessionlock.spi.LockEngine.LockNamespace;
import java.io.IOException;

/**
 * A lock that somebody is using: until this is closed, its directory stays open, and it is not forgotten. Closing never throws: what was acquired must come to
 * its user all the same.
 */
final class LockUse implements AutoCloseable {
    private final LocalLock lock;
    private final LockNamespace namespace;

    /** The caller has pinned the namespace, and counted itself in as a user of the lock. */
    LockUse(LocalLock lock, LockNamespace namespace) {
        this.lock = lock;
        this.namespace = namespace;
    }

    LocalLock lock() {
        return lock;
    }

    /** Something of the directory was not where it should be. */
    void suspect() throws IOException {
        namespace.suspect();
    }

    @Override
    public void close() {
        lock.removeUser();
        LocalLocks.unpin(namespace);
    }
}

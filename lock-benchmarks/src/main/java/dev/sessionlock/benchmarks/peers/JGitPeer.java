package dev.sessionlock.benchmarks.peers;

import java.nio.file.Path;
import org.eclipse.jgit.internal.storage.file.LockFile;

/** JGit's lock of a ref or an index: it creates {@code x.lock}, and deletes it. Taken here without writing new content. */
final class JGitPeer implements PeerLock {
    private final Path file;

    JGitPeer(Path directory, String name) {
        file = directory.resolve(name);
    }

    @Override
    public AutoCloseable acquire() throws Exception {
        while (true) {
            LockFile lock = new LockFile(file.toFile());
            if (lock.lock()) {
                return lock::unlock;
            }
            Polling.pause();
        }
    }

    @Override
    public boolean staysOpen() {
        return false;
    }

    @Override
    public void close() {
        // Nothing is open.
    }
}

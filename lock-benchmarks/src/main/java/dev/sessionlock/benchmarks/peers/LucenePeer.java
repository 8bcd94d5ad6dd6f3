package dev.sessionlock.benchmarks.peers;

import java.io.IOException;
import java.nio.file.Path;
import org.apache.lucene.store.Directory;
import org.apache.lucene.store.LockObtainFailedException;
import org.apache.lucene.store.NIOFSDirectory;
import org.apache.lucene.store.NativeFSLockFactory;

/** Lucene's index lock: a kernel lock on a file that is opened each time, behind a set of the locks of this JVM. */
final class LucenePeer implements PeerLock {
    private final Directory directory;
    private final String name;

    LucenePeer(Path directory, String name) throws IOException {
        this.directory = new NIOFSDirectory(directory, NativeFSLockFactory.INSTANCE);
        this.name = name;
    }

    @Override
    public AutoCloseable acquire() throws Exception {
        while (true) {
            try {
                return directory.obtainLock(name);
            } catch (LockObtainFailedException e) {
                Polling.pause();
            }
        }
    }

    @Override
    public void close() throws IOException {
        directory.close();
    }
}

package dev.sessionlock.benchmarks.peers;

import java.nio.file.Path;
import java.util.concurrent.TimeUnit;
import org.eclipse.aether.named.NamedLock;
import org.eclipse.aether.named.NamedLockFactory;
import org.eclipse.aether.named.NamedLockKey;
import org.eclipse.aether.named.providers.FileLockNamedLockFactory;

/** Maven Resolver's lock between builds. It is obtained anew from its factory each time, as the resolver does. */
final class ResolverPeer implements PeerLock {
    private static final long PATIENCE_SECONDS = 30;

    private final NamedLockFactory factory = new FileLockNamedLockFactory();
    private final NamedLockKey key;

    ResolverPeer(Path directory, String name) {
        String file = directory.resolve(name).toUri().toString();
        key = NamedLockKey.of(file, file);
    }

    @Override
    public AutoCloseable acquire() throws Exception {
        NamedLock lock = factory.getLock(key);
        while (!lock.lockExclusively(PATIENCE_SECONDS, TimeUnit.SECONDS)) {
            Polling.pause();
        }
        return () -> {
            lock.unlock();
            lock.close();
        };
    }

    @Override
    public void close() {
        factory.shutdown();
    }
}

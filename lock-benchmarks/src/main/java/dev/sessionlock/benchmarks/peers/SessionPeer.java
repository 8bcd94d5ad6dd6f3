package dev.sessionlock.benchmarks.peers;

import dev.sessionlock.LockOptions;
import dev.sessionlock.SessionLocks;
import java.nio.file.Path;
import java.time.Duration;

/** Our library. All locks of a JVM come from one {@link SessionLocks}, as in a gateway. */
final class SessionPeer implements PeerLock {
    /** No acquisition times out in a benchmark, and a hold of the harness may last long. */
    private static final LockOptions STRICT =
            LockOptions.defaults().withTimeout(Duration.ofMinutes(10)).withMaxHold(LockOptions.UNLIMITED);
    private static final LockOptions WARM = STRICT.withLinger(Duration.ofSeconds(1));

    /** One for the whole JVM, never closed: it ends with the JVM. */
    private static final class Shared {
        static final SessionLocks LOCKS = SessionLocks.create();
    }

    private final Path session;
    private final LockOptions options;

    private SessionPeer(Path session, LockOptions options) {
        this.session = session;
        this.options = options;
    }

    static PeerLock strict(Path directory, String name) {
        return new SessionPeer(directory.resolve(name), STRICT);
    }

    static PeerLock warm(Path directory, String name) {
        return new SessionPeer(directory.resolve(name), WARM);
    }

    @Override
    public AutoCloseable acquire() throws Exception {
        return Shared.LOCKS.acquire(session, options);
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

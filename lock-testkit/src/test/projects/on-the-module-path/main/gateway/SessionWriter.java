package gateway;

import static java.nio.file.StandardOpenOption.APPEND;
import static java.nio.file.StandardOpenOption.CREATE;

import dev.sessionlock.SessionLock;
import dev.sessionlock.SessionLocks;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;

/** Appends lines; not exported, as most code under test. */
final class SessionWriter {
    private final SessionLocks locks;
    private final Path session;

    SessionWriter(SessionLocks locks, Path session) {
        this.locks = locks;
        this.session = session;
    }

    void append(String line) throws IOException, InterruptedException {
        try (SessionLock lock = locks.acquire(session)) {
            lock.ensureHeld();
            Files.writeString(session, "\n" + line, CREATE, APPEND);
        }
    }
}

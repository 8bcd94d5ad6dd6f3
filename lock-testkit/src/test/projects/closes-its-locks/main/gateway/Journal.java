package gateway;

import static java.nio.file.StandardOpenOption.APPEND;
import static java.nio.file.StandardOpenOption.CREATE;

import dev.sessionlock.LockOptions;
import dev.sessionlock.SessionLock;
import dev.sessionlock.SessionLocks;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;

/** Appends lines. It has locks of its own, and closes them, as a component does that a framework starts and stops. */
public final class Journal implements AutoCloseable {
    private final SessionLocks locks = SessionLocks.builder().defaults(LockOptions.defaults().withLinger(Duration.ofSeconds(1))).build();
    private final Path file;

    /** One for a file. */
    public Journal(Path file) {
        this.file = file;
    }

    /** Appends a line under the file's lock. */
    public void append(String line) throws IOException, InterruptedException {
        try (SessionLock lock = locks.acquire(file)) {
            lock.ensureHeld();
            Files.writeString(file, "\n" + line, CREATE, APPEND); // the line feed comes first: whoever is killed tears only its own line
        }
    }

    @Override
    public void close() {
        locks.close();
    }
}

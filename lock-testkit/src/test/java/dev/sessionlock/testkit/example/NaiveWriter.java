package dev.sessionlock.testkit.example;

import static java.nio.file.StandardCopyOption.REPLACE_EXISTING;
import static java.nio.file.StandardOpenOption.APPEND;
import static java.nio.file.StandardOpenOption.CREATE;

import dev.sessionlock.SessionLock;
import dev.sessionlock.SessionLocks;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;

/** The guide's writer in which the lab finds the faults. */
final class NaiveWriter implements Writer {
    private final SessionLocks locks;
    private final Path session;

    NaiveWriter(Path session) {
        this(SessionLocks.create(), session);
    }

    NaiveWriter(SessionLocks locks, Path session) {
        this.locks = locks;
        this.session = session;
    }

    @Override
    public void append(String line) throws IOException, InterruptedException {
        try (SessionLock lock = locks.acquire(session)) {
            lock.ensureHeld();
            Files.writeString(session, line + "\n", CREATE, APPEND);
        }
    }

    @Override
    public void compact() throws IOException, InterruptedException {
        try (SessionLock lock = locks.acquire(session)) {
            List<String> kept = Files.readAllLines(session).stream().filter(line -> !line.contains("\"done\"")).toList();
            Path fresh = Files.write(session.resolveSibling("session.jsonl.new"), kept);
            lock.ensureHeld();
            Files.move(fresh, session, REPLACE_EXISTING);
        }
    }
}

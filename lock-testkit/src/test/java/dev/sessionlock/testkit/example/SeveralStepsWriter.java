package dev.sessionlock.testkit.example;

import dev.sessionlock.SessionFile;
import dev.sessionlock.SessionLock;
import dev.sessionlock.SessionLocks;
import java.io.IOException;
import java.nio.file.Path;
import java.util.List;

/** Does more than one thing under one lock. */
final class SeveralStepsWriter implements Writer {
    private final SessionLocks locks;
    private final SessionFile session;

    SeveralStepsWriter(Path session, SessionLocks locks) {
        this.locks = locks;
        this.session = SessionFile.of(session, locks).withForce(false);
    }

    @Override
    public void append(String line) throws IOException, InterruptedException {
        session.runWithLock(lock -> {
            session.append(lock, List.of(StormedWriters.FILLER, line));
            session.append(lock, List.of(StormedWriters.FILLER));
        });
    }

    @Override
    public void compact() throws IOException, InterruptedException {
        try (SessionLock lock = locks.acquire(session.path(), StormedWriters.BRIEF.withTakeover(false))) {
            session.compact(lock, lines -> lines.stream().filter(line -> !line.equals(StormedWriters.FILLER)).toList());
            session.append(lock, List.of(StormedWriters.FILLER));
        }
    }
}

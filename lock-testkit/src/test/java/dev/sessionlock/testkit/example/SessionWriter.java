package dev.sessionlock.testkit.example;

import dev.sessionlock.SessionFile;
import dev.sessionlock.SessionLocks;
import java.io.IOException;
import java.nio.file.Path;

/** The guide's writer that survives everything. */
final class SessionWriter implements Writer {
    private final SessionFile session;

    SessionWriter(Path session) {
        this(session, SessionLocks.create());
    }

    SessionWriter(Path session, SessionLocks locks) {
        this.session = SessionFile.of(session, locks);
    }

    @Override
    public void append(String line) throws IOException, InterruptedException {
        session.append(line);
    }

    @Override
    public void compact() throws IOException, InterruptedException {
        session.compact(lines -> lines.stream().filter(line -> !line.contains("\"done\"")).toList());
    }
}

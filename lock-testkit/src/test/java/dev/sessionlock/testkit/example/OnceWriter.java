package dev.sessionlock.testkit.example;

import dev.sessionlock.SessionFile;
import dev.sessionlock.SessionLocks;
import java.io.IOException;
import java.nio.file.Path;

/** Appends each line once, by its id, and shortens lines when it compacts. */
final class OnceWriter implements Writer {
    private final SessionFile session;

    OnceWriter(Path session, SessionLocks locks) {
        this.session = SessionFile.of(session, locks);
    }

    @Override
    public void append(String line) throws IOException, InterruptedException {
        String id = StormedWriters.id(line);
        session.appendOnce(line, each -> id.equals(StormedWriters.id(each)));
    }

    @Override
    public void compact() throws IOException, InterruptedException {
        session.compact(lines -> {
            lines.replaceAll(line -> StormedWriters.id(line) == null ? line : StormedWriters.line(StormedWriters.id(line), 0));
            return lines;
        });
    }
}

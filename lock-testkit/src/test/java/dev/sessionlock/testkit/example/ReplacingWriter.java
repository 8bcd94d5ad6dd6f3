package dev.sessionlock.testkit.example;

import dev.sessionlock.SessionLock;
import dev.sessionlock.SessionLocks;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;

/** For files that do not consist of lines: writes the whole content anew for each change, as the Javadoc of {@link SessionLock} shows. */
final class ReplacingWriter implements Writer {
    private final SessionLocks locks;
    private final Path session;

    ReplacingWriter(Path session, SessionLocks locks) {
        this.locks = locks;
        this.session = session;
    }

    @Override
    public void append(String line) throws IOException, InterruptedException {
        change(line + "\n");
    }

    @Override
    public void compact() throws IOException, InterruptedException {
        change("");
    }

    private void change(String more) throws IOException, InterruptedException {
        try (SessionLock lock = locks.acquire(session, StormedWriters.BRIEF.withTakeover(false))) {
            String before = Files.exists(session) ? Files.readString(session) : "";
            Path changed = Files.writeString(session.resolveSibling(session.getFileName() + ".new"), before + more);
            lock.replace(changed);
        }
    }
}

package dev.sessionlock;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.io.TempDir;

/** A session file, and who writes to it. */
abstract class SessionFileFixture {
    static final LockOptions NO_TAKEOVER = LockOptions.defaults().withTakeover(false);

    @TempDir
    Path dir;

    final SessionLocks locks = SessionLocks.create();
    Path path;
    SessionFile session;

    @BeforeEach
    void open() {
        path = dir.resolve("session.jsonl");
        session = SessionFile.of(path, locks);
    }

    @AfterEach
    void close() {
        locks.close();
        Patience.untilLetGo(dir);
    }

    void given(String content) throws IOException {
        Files.writeString(path, content);
    }
}

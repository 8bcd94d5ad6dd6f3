package dev.sessionlock.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import dev.sessionlock.LockMode;
import dev.sessionlock.LockOptions;
import dev.sessionlock.SessionLock;
import dev.sessionlock.SessionLocks;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** {@code run --shared}: jobs that only read. This JVM is the other process. */
class RunSharedTest {
    private static final LockOptions READING = LockOptions.defaults().withMode(LockMode.SHARED).withTakeover(false);

    @TempDir
    private Path directory;
    @TempDir
    private Path scratch;

    private final SessionLocks locks = SessionLocks.create();

    @AfterEach
    void close() {
        locks.close();
    }

    private Path session() {
        return directory.resolve("session.jsonl");
    }

    private ToolProcess run(String shared, String script) throws IOException {
        return ToolProcess.start(scratch, "run", "-n", shared, session().toString(), "--", "sh", "-c", script);
    }

    @Test
    void aReadingJobKeepsAWriterOut() throws Exception {
        Path started = scratch.resolve("started");
        try (ToolProcess tool = run("--shared", "touch " + started + "; read line")) {
            await().atMost(ToolProcess.PATIENCE).until(() -> Files.exists(started));
            assertThat(locks.tryAcquire(session())).isEmpty();

            tool.type("go on\n");

            assertThat(tool.exitCode()).isZero();
        }
        locks.acquire(session()).close();
    }

    @Test
    void aWriterKeepsAReadingJobOut() throws Exception {
        try (SessionLock writer = locks.acquire(session()); ToolProcess tool = run("-s", "echo ran")) {
            assertThat(tool.exitCode()).isEqualTo(75);
            assertThat(tool.out()).isEmpty();
            writer.ensureHeld();
        }
        try (ToolProcess tool = run("-s", "echo ran")) {
            assertThat(tool.exitCode()).isZero();
            assertThat(tool.out()).isEqualTo("ran\n");
        }
        locks.acquire(session(), READING).close();
    }
}

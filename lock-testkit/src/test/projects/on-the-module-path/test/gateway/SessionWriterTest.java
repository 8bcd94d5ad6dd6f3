package gateway;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.sessionlock.LockOptions;
import dev.sessionlock.LockReport;
import dev.sessionlock.LockTimeoutException;
import dev.sessionlock.SessionLock;
import dev.sessionlock.SessionLocks;
import dev.sessionlock.testkit.ChildJvm;
import dev.sessionlock.testkit.CrashLab;
import dev.sessionlock.testkit.CrashScenario;
import dev.sessionlock.testkit.CrashTest;
import dev.sessionlock.testkit.InMemoryLocks;
import dev.sessionlock.testkit.LockFiles;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Each tool of the testkit, in a test that runs on the module path. */
class SessionWriterTest {
    @TempDir
    Path dir;

    @Test
    void runsOnTheModulePath() {
        assertEquals("gateway", SessionWriterTest.class.getModule().getName());
        assertEquals("dev.sessionlock", SessionLocks.class.getModule().getName());
    }

    static final class Append implements CrashScenario {
        @Override
        public void run(Path directory) throws Exception {
            try (SessionLocks locks = SessionLocks.create()) {
                new SessionWriter(locks, directory.resolve("session.jsonl")).append("{\"id\":1}");
                CrashLab.acknowledge("{\"id\":1}");
            }
        }
    }

    @CrashTest
    void crashLab(CrashLab lab) throws Exception {
        lab.scenario(Append.class).check((directory, run) -> {
            Path session = directory.resolve("session.jsonl");
            List<String> lines = Files.exists(session) ? Files.readAllLines(session) : List.of();
            assertTrue(lines.containsAll(run.acknowledged()), lines::toString);
        }).killAtEveryStep();
    }

    @Test
    void childJvm() throws Exception {
        String session = dir.resolve("session.jsonl").toString();
        try (ChildJvm holder = ChildJvm.running(parent -> {
            try (SessionLocks locks = SessionLocks.create(); SessionLock lock = locks.acquire(Path.of(session))) {
                parent.mark("held", lock.token());
                parent.awaitLine();
            }
        }).start(); SessionLocks locks = SessionLocks.create()) {
            holder.awaitMark("held", Duration.ofSeconds(20));
            SessionWriter writer = new SessionWriter(locks, Path.of(session));
            assertTrue(locks.tryAcquire(Path.of(session)).isEmpty());
            holder.kill();
            writer.append("a line");
        }
    }

    @Test
    void inMemoryLocks() throws Exception {
        LockOptions impatient = LockOptions.defaults().withTimeout(Duration.ofMillis(10));
        try (InMemoryLocks memory = InMemoryLocks.create()) {
            InMemoryLocks other = memory.anotherProcess();
            other.hold(dir.resolve("session.jsonl"));
            assertThrows(LockTimeoutException.class, () -> memory.locks().acquire(dir.resolve("session.jsonl"), impatient));
            other.crash();
            new SessionWriter(memory.locks(), dir.resolve("session.jsonl")).append("a line");
        }
    }

    @Test
    void lockFiles() throws Exception {
        Path session = Files.writeString(dir.resolve("session.jsonl"), "");
        try (LockFiles files = LockFiles.of(session); SessionLocks locks = SessionLocks.create()) {
            files.make(LockFiles.Kind.DEAD);
            assertEquals(LockReport.State.STALE, locks.inspect(session).state());
        }
    }
}

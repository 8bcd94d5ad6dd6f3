package dev.sessionlock;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.catchThrowableOfType;

import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.ObjectInputStream;
import java.io.ObjectOutputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.Future;
import org.junit.jupiter.api.Test;

/** What a person reads when a lock could not be acquired in time. */
class TimeoutMessageTest extends LocksFixture {
    private static final LockOptions BRIEF = LockOptions.defaults().withTimeout(Duration.ofMillis(120));
    private static final String TIME = "\\d\\d:\\d\\d:\\d\\d";

    private final Actor holder = actor("compactor-1");

    private LockTimeoutException timeout(Path target) {
        LockTimeoutException e = catchThrowableOfType(LockTimeoutException.class, () -> locks.acquire(target, BRIEF));
        assertThat(e).isNotNull();
        return e;
    }

    @Test
    void itIsTheOneThatIsPromised() throws Exception {
        SessionLock lock = holder.does(() -> locks.acquire(session(), LockOptions.defaults().withPurpose("pre-compaction flush")));
        LockTimeoutException e = timeout(session());
        long pid = ProcessHandle.current().pid();
        String host = Files.readString(Path.of("/proc/sys/kernel/hostname")).trim();

        String[] lines = e.getMessage().split(System.lineSeparator());
        assertThat(lines[0]).matches("session file locked \\(timeout 120ms\\): pid=" + pid + " alive=true ageMs=\\d+ \\Q" + session() + "\\E\\.lock");
        assertThat(lines[1]).matches("  held by   pid " + pid + " on \\Q" + host + "\\E, process started " + TIME
                + ", thread \"compactor-1\", purpose \"pre-compaction flush\", since " + TIME + " \\(\\d+ s\\)");
        assertThat(e.getMessage()).containsPattern("\n  lease     renewed \\d+ s ago; if the process freezes it runs out in \\d+ s; "
                + "it ends at the latest at " + TIME + " \\(maxHold\\)\r?\n");
        assertThat(lines[lines.length - 1]).isEqualTo("  to free   java -jar sessionlock.jar clear --token " + lock.token() + " --yes "
                + dir.toRealPath().resolve("session.jsonl"));
        lock.close();
    }

    @Test
    void aThreadOfThisJvmIsShownWithWhatItDoes() throws Exception {
        CountDownLatch begun = new CountDownLatch(1);
        CountDownLatch end = new CountDownLatch(1);
        Future<Void> hanging = holder.begin(() -> {
            try (SessionLock lock = locks.acquire(session())) {
                hangInTheMiddleOfACompaction(begun, end);
                lock.ensureHeld();
            }
            return null;
        });
        begun.await();
        LockTimeoutException e = timeout(session());
        end.countDown();
        Actor.end(hanging);

        assertThat(e).hasMessageContaining("  thread    \"compactor-1\" of this JVM holds it; it is at");
        assertThat(e).hasMessageContaining("TimeoutMessageTest.hangInTheMiddleOfACompaction(TimeoutMessageTest.java:");
        assertThat(e.report().state()).isEqualTo(LockReport.State.HELD);
        assertThat(e.report().owner().thread()).isEqualTo("compactor-1");
        assertThat(e.waited()).isGreaterThanOrEqualTo(Duration.ofMillis(120));
    }

    private static void hangInTheMiddleOfACompaction(CountDownLatch begun, CountDownLatch end) throws InterruptedException {
        begun.countDown();
        end.await();
    }

    @Test
    void theFirstLineShowsTheFileAsItWasAskedFor() throws Exception {
        Path relative = Path.of("").toAbsolutePath().relativize(session());
        SessionLock lock = holder.does(() -> locks.acquire(session()));
        assertThat(timeout(relative).getMessage()).startsWith("session file locked (timeout 120ms): pid=")
                .contains(" " + relative + ".lock" + System.lineSeparator());
        lock.close();
    }

    @Test
    void aForeignLockIsNamed() throws Exception {
        try (OtherProcess foreign = new OtherProcess()) {
            Files.writeString(lockFile(), OtherProcess.foreignLock(foreign.pid()).replace("}", ",\"maxHoldMs\":300000}"));
            LockTimeoutException e = timeout(session());
            assertThat(e.getMessage()).containsPattern("^session file locked \\(timeout 120ms\\): pid=" + foreign.pid() + " alive=true ageMs=\\d{8,} ");
            assertThat(e.report().state()).isEqualTo(LockReport.State.FOREIGN);
            assertThat(e).hasMessageContaining("another program's lock");
            assertThat(lockFile()).exists();
        }
    }

    @Test
    void aDeadForeignLockThatMayNotBeTakenIsNotCalledAlive() throws Exception {
        long dead = OtherProcess.ended();
        Files.writeString(lockFile(), OtherProcess.foreignLock(dead));
        try (SessionLocks careful = SessionLocks.builder().takeStrangers(false).build()) {
            LockTimeoutException e = catchThrowableOfType(LockTimeoutException.class, () -> careful.acquire(session(), BRIEF));
            assertThat(e.getMessage()).startsWith("session file locked (timeout 120ms): pid=" + dead + " alive=false ");
            assertThat(e).hasMessageContaining("does not exist");
        }
        assertThat(lockFile()).exists();
        locks.acquire(session(), BRIEF).close();
        assertThat(lockFile()).doesNotExist();
    }

    @Test
    void aFreshTornLockIsWaitedForAndSaidToBeTorn() throws Exception {
        Files.writeString(lockFile(), "{\"pid\":305");
        LockTimeoutException e = timeout(session());
        assertThat(e.getMessage()).startsWith("session file locked (timeout 120ms): pid=unknown ");
        assertThat(e.report().state()).isEqualTo(LockReport.State.TORN);
        assertThat(lockFile()).hasContent("{\"pid\":305");
    }

    @Test
    void aNameOrPurposeWithLineFeedsDoesNotBreakTheLines() throws Exception {
        Path nasty = dir.resolve("a\nsession file locked (timeout 0ms): pid=1 b");
        SessionLock lock = holder.does(() -> locks.acquire(nasty, LockOptions.defaults().withPurpose("x\n  to free   rm -rf /")));
        LockTimeoutException e = timeout(nasty);
        assertThat(e.getMessage().lines().filter(line -> line.startsWith("session file locked"))).hasSize(1);
        assertThat(e.getMessage().lines().filter(line -> line.startsWith("  to free"))).hasSize(1);
        assertThat(e.getMessage().lines().findFirst().orElseThrow()).endsWith(".lock");
        lock.close();
    }

    @Test
    void theExceptionCanBeSerialized() throws Exception {
        SessionLock lock = holder.does(() -> locks.acquire(session()));
        LockTimeoutException e = timeout(session());
        lock.close();
        ByteArrayOutputStream bytes = new ByteArrayOutputStream();
        try (ObjectOutputStream out = new ObjectOutputStream(bytes)) {
            out.writeObject(e);
        }
        try (ObjectInputStream in = new ObjectInputStream(new ByteArrayInputStream(bytes.toByteArray()))) {
            LockTimeoutException back = (LockTimeoutException) in.readObject();
            assertThat(back).hasMessage(e.getMessage());
            assertThat(back.waited()).isEqualTo(e.waited());
            assertThat(back.report()).isNull();
        }
    }
}

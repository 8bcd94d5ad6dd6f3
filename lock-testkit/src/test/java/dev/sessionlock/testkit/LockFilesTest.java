package dev.sessionlock.testkit;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.awaitility.Awaitility.await;

import dev.sessionlock.LockOptions;
import dev.sessionlock.LockReport;
import dev.sessionlock.LockReport.State;
import dev.sessionlock.LockTimeoutException;
import dev.sessionlock.NotALockFileException;
import dev.sessionlock.SessionLock;
import dev.sessionlock.SessionLocks;
import dev.sessionlock.testkit.LockFiles.Kind;
import dev.sessionlock.testkit.LockFiles.Made;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.EnumSet;
import java.util.List;
import java.util.Set;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

class LockFilesTest {
    private static final Set<Kind> NAMES_A_DEAD_PROCESS = EnumSet.of(Kind.DEAD, Kind.FOREIGN_DEAD, Kind.PID_TEXT_DEAD,
            Kind.FUTURE_VERSION_DEAD);
    private static final Set<Kind> NAMES_NOBODY = EnumSet.of(Kind.TORN, Kind.TORN_OLD, Kind.EMPTY, Kind.EMPTY_OLD, Kind.NOT_A_LOCK);

    @TempDir
    Path dir;

    private final SessionLocks locks = SessionLocks.create();
    private Path session;

    @BeforeEach
    void aSession() throws Exception {
        session = Files.writeString(dir.resolve("session.jsonl"), "{}\n");
    }

    @AfterEach
    void close() {
        locks.close();
    }

    @ParameterizedTest
    @EnumSource
    void eachIsJudgedAsItSaysAndMakesWayIfItSaysSo(Kind kind) throws Exception {
        try (LockFiles files = LockFiles.of(session)) {
            Made made = files.make(kind);
            assertThat(made).isEqualTo(new Made(kind, dir.resolve("session.jsonl.lock"), made.pid()));
            LockReport report = locks.inspect(session);
            assertThat(report.state()).as("%s", report).isEqualTo(kind.verdict());
            assertThat(made.lockFile()).exists();
            if (NAMES_NOBODY.contains(kind)) {
                assertThat(report.owner()).isNull();
                assertThat(made.pid()).isZero();
            } else {
                assertThat(report.owner().pid()).isEqualTo(made.pid());
            }
            if (NAMES_A_DEAD_PROCESS.contains(kind)) {
                assertThat(String.join("; ", report.evidence())).contains("pid " + made.pid() + " does not exist");
            }
            if (kind.makesWay()) {
                try (SessionLock lock = locks.acquire(session)) {
                    lock.verifyHeld();
                    assertThat(locks.stats().reclaimed()).isOne();
                }
            } else {
                byte[] before = Files.readAllBytes(made.lockFile());
                assertThatThrownBy(() -> locks.acquire(session, LockOptions.defaults().withTimeout(Duration.ofMillis(300))))
                        .isInstanceOf(kind == Kind.NOT_A_LOCK ? NotALockFileException.class : LockTimeoutException.class);
                if (kind != Kind.LIVE) { // its keeper renews it
                    assertThat(made.lockFile()).hasBinaryContent(before);
                }
            }
        }
        // A holder from whom others have taken over prevents its successor's record from being deleted until it is gone.
        await().atMost(Puppet.PATIENCE).until(() -> !Files.exists(dir.resolve("session.jsonl.lock")));
    }

    @Test
    void evidenceTellsOneKindFromTheOther() throws Exception {
        try (LockFiles files = LockFiles.of(session)) {
            assertThat(evidence(files.make(Kind.REBORN))).contains("is another process now");
            assertThat(evidence(files.make(Kind.REBOOTED))).contains("the machine has been restarted since");
            assertThat(evidence(files.make(Kind.OTHER_HOST))).contains("another-host");
            assertThat(evidence(files.make(Kind.OTHER_PID_NAMESPACE))).contains("of another pid namespace").contains("lease renewed");
            assertThat(evidence(files.make(Kind.OTHER_PID_NAMESPACE_EXPIRED))).contains("of another pid namespace")
                    .contains("lease ran out");
            assertThat(evidence(files.make(Kind.LIVE_WITHOUT_KERNEL_LOCK))).contains("its record is there but the kernel lock is not");
            assertThat(evidence(files.make(Kind.FOREIGN))).contains("another program's lock");
            assertThat(evidence(files.make(Kind.TORN))).contains("in the middle of a record");
            assertThat(evidence(files.make(Kind.EMPTY))).contains("the lock file is empty");
        }
    }

    private String evidence(Made made) throws Exception {
        LockReport report = locks.inspect(session);
        assertThat(report.state()).isEqualTo(made.kind().verdict());
        return String.join("; ", report.evidence());
    }

    @Test
    void processesThatLiveForItEndWithIt() throws Exception {
        for (Kind kind : List.of(Kind.FOREIGN, Kind.LIVE)) {
            ProcessHandle process;
            try (LockFiles files = LockFiles.of(session)) {
                process = ProcessHandle.of(files.make(kind).pid()).orElseThrow();
                assertThat(process.isAlive()).isTrue();
            }
            await().atMost(Puppet.PATIENCE).until(() -> !process.isAlive());
            assertThat(locks.inspect(session).state()).isEqualTo(State.FREE);
        }
    }

    @Test
    void whatItHasNotMadeItLeavesAlone() throws Exception {
        Path lockFile = Files.writeString(dir.resolve("session.jsonl.lock"), "somebody's");
        LockFiles files = LockFiles.of(session);
        for (Kind kind : List.of(Kind.DEAD, Kind.LIVE)) {
            assertThatThrownBy(() -> files.make(kind)).isInstanceOf(FileAlreadyExistsException.class);
        }
        files.close();
        assertThat(lockFile).hasContent("somebody's");
        Files.delete(lockFile);

        files.make(Kind.DEAD);
        SessionLock lock = locks.acquire(session); // replaces it
        files.close();
        lock.verifyHeld();
        assertThat(lockFile).exists();
        lock.close();
        files.close();
    }

    @Test
    void emptyOneMakesItsTarget() throws Exception {
        Path fresh = dir.resolve("fresh.jsonl");
        try (LockFiles files = LockFiles.of(fresh)) {
            assertThat(files.lockFile()).isEqualTo(dir.resolve("fresh.jsonl.lock"));
            files.make(Kind.DEAD);
            assertThat(fresh).doesNotExist();
            files.make(Kind.EMPTY);
            assertThat(fresh).isEmptyFile();
            assertThat(locks.inspect(fresh).state()).isEqualTo(State.TORN);
        }
    }
}

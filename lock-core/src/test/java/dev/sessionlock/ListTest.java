package dev.sessionlock;

import static dev.sessionlock.OtherProcess.NOBODY;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.sessionlock.LockReport.State;
import dev.sessionlock.internal.directory.LockRecords;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.TreeMap;
import org.junit.jupiter.api.Test;

/** A look at all locks of a directory. */
class ListTest extends LocksFixture {
    private List<LockReport> list() throws Exception {
        TreeMap<String, String> before = Listing.of(dir);
        boolean inner = Files.exists(dir.resolve(".session-locks"));
        List<LockReport> reports = locks.list(dir).toList();
        assertThat(Listing.of(dir)).as("it disturbs nothing").isEqualTo(before);
        assertThat(Files.exists(dir.resolve(".session-locks"))).isEqualTo(inner);
        return reports;
    }

    private static String words(LockReport report) {
        return report.name() + " " + report.state();
    }

    @Test
    void everyLockIsNamedWithItsVerdictAndWhatIsFreeIsNot() throws Exception {
        assertThat(list()).isEmpty();
        for (String name : List.of("free", "held", "torn", "index")) {
            Files.writeString(dir.resolve(name), "x");
        }
        locks.acquire(dir.resolve("free")).close();
        Files.write(dir.resolve("dead.lock"), LockRecords.of(NOBODY, 1, Duration.ofSeconds(30), true));
        Files.writeString(dir.resolve("stranger.lock"), OtherProcess.foreignLock(NOBODY));
        Files.writeString(dir.resolve("torn.lock"), "{\"pid\":3");
        Files.writeString(dir.resolve("yarn.lock"), "# yarn lockfile v1\n");
        Files.createDirectory(dir.resolve("folder.lock"));
        Files.writeString(dir.resolve(".lock"), "");
        Files.createDirectories(dir.resolve("below"));
        Files.writeString(dir.resolve("below/torn.lock"), "{\"pid\":3");

        try (SessionLock held = locks.acquire(dir.resolve("held"), LockOptions.defaults().withPurpose("flush"))) {
            List<LockReport> reports = list();
            assertThat(reports).extracting(ListTest::words).containsExactly("dead STALE", "folder NOT_A_LOCK", "held HELD",
                    "stranger FOREIGN", "torn TORN", "yarn NOT_A_LOCK");
            assertThat(reports.get(2).owner().token()).isEqualTo(held.token());
            assertThat(reports.get(2)).as("as inspect says").usingRecursiveComparison()
                    .ignoringFields("sentences", "owner.leaseUntil", "facts.seenAt", "facts.lease.left", "facts.lease.renewedAgo")
                    .isEqualTo(locks.inspect(dir.resolve("held")));
            assertThat(reports.get(2).lockFile()).isEqualTo(dir.toRealPath().resolve("held.lock"));
            held.verifyHeld();
        }
    }

    @Test
    void otherProgramsFilesAreKnownWhateverTheyHold() throws Exception {
        Path git = Files.createDirectories(dir.resolve("repo/.git"));
        Files.writeString(git.resolve("index"), "DIRC");
        Files.createFile(git.resolve("index.lock")); // empty, beside its target: git writes it so
        Files.writeString(dir.resolve("code.lock"), NOBODY + "\n"); // an editor that has ended
        Files.writeString(dir.resolve("Cargo"), "x");
        Files.createFile(dir.resolve("Cargo.lock"));

        assertThat(locks.list(git)).extracting(ListTest::words).containsExactly("index NOT_A_LOCK");
        assertThat(list()).extracting(ListTest::words).containsExactly("Cargo NOT_A_LOCK", "code NOT_A_LOCK");
        assertThatThrownBy(() -> locks.acquire(git.resolve("index"))).isInstanceOf(NotALockFileException.class).hasMessageContaining("git's");
        assertThat(git.resolve("index.lock")).exists();
    }

    @Test
    void aLockWhoseRecordWasRemovedIsKnownByItsKernelByte() throws Exception {
        Files.writeString(dir.resolve("session.jsonl"), "x");
        LockOptions patient = LockOptions.defaults().withRevokeGrace(Duration.ofMinutes(1)); // the kernel byte outlasts the keeper's look
        try (SessionLock lock = locks.acquire(dir.resolve("session.jsonl"), patient);
                SessionLock other = locks.acquire(dir.resolve("no-target"))) {
            Kernel.seatsHeldIn(dir); // skips where there is no /proc/locks
            Files.delete(lock.lockFile());
            assertThat(locks.list(dir)).extracting(ListTest::words).containsExactly("no-target HELD", "session.jsonl HELD");
            assertThat(locks.list(dir).toList().get(1).owner().pid()).isEqualTo(ProcessHandle.current().pid());
            assertThat(locks.list(dir).toList().get(1).evidence()).anyMatch(fact -> fact.startsWith("there is no lock file"));
            other.verifyHeld();
        }
    }

    @Test
    void aLockThatChangesItsHolderMeanwhileIsNoError() throws Exception {
        Kernel.seatsHeldIn(dir); // skips where there is no /proc/locks
        try (Churn churn = new Churn((thread, i) -> locks.acquire(dir.resolve("session-" + thread + i % 7), PATIENT).close())) {
            Patience.await().until(() -> churn.turns() > 50 || !churn.goesOn());
            for (int i = 0; i < 300; i++) {
                assertThat(locks.list(dir)).allSatisfy(report -> {
                    assertThat(report.state()).isEqualTo(State.HELD);
                    assertThat(report.evidence()).noneMatch(fact -> fact.startsWith("its record is there but the kernel lock is not"));
                });
            }
        }
    }

    @Test
    void timeGrowsWithTheNumberOfSessionsAndNotFaster() throws Exception {
        long small = fastest(sessions(1_000, 100), 100);
        long large = fastest(sessions(10_000, 1_000), 1_000);
        System.out.println("list: 1,000 sessions in " + small / 1_000 + " us, 10,000 in " + large / 1_000 + " us");
        assertThat(large).as("ten times as many, and room for noise").isLessThan(small * 40);
    }

    private Path sessions(int files, int held) throws Exception {
        Path sessions = Files.createDirectory(dir.resolve("sessions-" + files));
        for (int i = 0; i < files; i++) {
            Files.createFile(sessions.resolve("session-" + i + ".jsonl"));
            if (i % (files / held) == 0) {
                Files.write(sessions.resolve("session-" + i + ".jsonl.lock"), LockRecords.of(NOBODY, 1, Duration.ofSeconds(30), true));
            }
        }
        locks.acquire(sessions.resolve("session-1.jsonl")).close();
        return sessions;
    }

    private long fastest(Path sessions, int locked) throws Exception {
        long fastest = Long.MAX_VALUE;
        for (int i = 0; i < 6; i++) {
            long start = System.nanoTime();
            assertThat(locks.list(sessions).count()).isEqualTo(locked);
            fastest = Math.min(fastest, System.nanoTime() - start);
        }
        return fastest;
    }

    @Test
    void aDirectoryThatIsNotThereIsSaidSo() throws Exception {
        assertThatThrownBy(() -> locks.list(dir.resolve("missing"))).isInstanceOf(LockException.class)
                .hasMessage("cannot look at " + dir.resolve("missing") + ": it does not exist; check the path");
        Path file = Files.createFile(dir.resolve("file"));
        assertThatThrownBy(() -> locks.list(file)).isInstanceOf(LockException.class).hasMessageContaining("it is not a directory");
    }
}

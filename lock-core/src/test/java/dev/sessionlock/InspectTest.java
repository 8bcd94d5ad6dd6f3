package dev.sessionlock;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.sessionlock.LockReport.State;
import dev.sessionlock.internal.directory.LockRecords;
import dev.sessionlock.internal.system.ProcessIdentity;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.FileTime;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.TreeMap;
import java.util.concurrent.Future;
import java.util.concurrent.atomic.AtomicBoolean;
import org.junit.jupiter.api.Test;

/** A look at a lock: every verdict, and that it disturbs nothing. Each test also checks what an acquisition then does. */
class InspectTest extends LocksFixture {
    private LockReport look() throws Exception {
        TreeMap<String, String> before = Listing.of(dir);
        boolean inner = Files.exists(dir.resolve(".session-locks"));
        LockReport report = locks.inspect(session());
        assertThat(Listing.of(dir)).as("it disturbs nothing").isEqualTo(before);
        assertThat(Files.exists(dir.resolve(".session-locks"))).isEqualTo(inner);
        assertThat(report.name()).isEqualTo("session.jsonl");
        assertThat(report.lockFile()).isEqualTo(dir.toRealPath().resolve("session.jsonl.lock"));
        return report;
    }

    @Test
    void nothingIsFree() throws Exception {
        assertThat(look().state()).isEqualTo(State.FREE);
        assertThat(look().owner()).isNull();
        assertThat(look().advice()).isEmpty();
        locks.acquire(session()).close();
        assertThat(look().state()).as("also where it was held once").isEqualTo(State.FREE);
    }

    @Test
    void whoHoldsItIsNamed() throws Exception {
        ProcessIdentity self = ProcessIdentity.current();
        try (SessionLock lock = locks.acquire(session(), LockOptions.defaults().withPurpose("flush"))) {
            LockReport report = look();
            assertThat(report.state()).isEqualTo(State.HELD);
            LockOwner owner = report.owner();
            assertThat(owner.pid()).isEqualTo(self.pid());
            assertThat(owner.host()).isEqualTo(self.host());
            assertThat(owner.token()).isEqualTo(lock.token());
            assertThat(owner.purpose()).isEqualTo("flush");
            assertThat(owner.thread()).isEqualTo(Thread.currentThread().getName());
            assertThat(owner.since()).isBetween(lock.acquiredAt().minusSeconds(5), Instant.now());
            assertThat(owner.leaseUntil()).isBetween(Instant.now(), Instant.now().plusSeconds(31));
            assertThat(report.evidence()).anyMatch(fact -> fact.equals("the kernel lock is held by pid " + self.pid()))
                    .anyMatch(fact -> fact.startsWith("lease renewed"));
            assertThat(report.advice()).contains("clear --token " + lock.token(), "session.jsonl");
            lock.verifyHeld();
            assertThat(Kernel.seatsHeldIn(dir)).isEqualTo(1);
        }
    }

    @Test
    void aHolderWhoseRecordWasRemovedByHandIsStillSeen() throws Exception {
        SessionLock lock = locks.acquire(session(), LockOptions.defaults().withRevokeGrace(Duration.ofMinutes(1))); // the grace outlasts the look
        Files.delete(lockFile());
        LockReport report = look();
        assertThat(report.state()).isEqualTo(State.HELD);
        assertThat(report.owner().pid()).isEqualTo(ProcessHandle.current().pid());
        lock.close();
    }

    /** The kernel shows its locks a page at a time, so a lock that stays may be missing while others come and go. */
    @Test
    void holdersWithoutARecordAreSeenWhileOtherLocksComeAndGo() throws Exception {
        LockOptions graceful = LockOptions.defaults().withRevokeGrace(Duration.ofMinutes(1));
        List<SessionLock> held = new ArrayList<>();
        for (int i = 0; i < 300; i++) {
            held.add(locks.acquire(Files.createFile(dir.resolve("s" + i)), graceful));
        }
        for (SessionLock lock : held) {
            Files.delete(lock.lockFile());
        }
        AtomicBoolean over = new AtomicBoolean();
        try (FileChannel channel = FileChannel.open(Files.createFile(dir.resolve("other")), StandardOpenOption.WRITE)) {
            Future<Void> others = actor("others").begin(() -> {
                for (int i = 0; !over.get(); i++) {
                    channel.lock(2 * (i % 64), 1, false).release();
                }
                return null;
            });
            try {
                for (int look = 0; look < 20; look++) {
                    assertThat(locks.list(dir)).as("look no. %s at all", look).hasSize(held.size()).allMatch(each -> each.state() == State.HELD);
                    assertThat(locks.inspect(dir.resolve("s" + look)).state()).as("look no. %s at one", look).isEqualTo(State.HELD);
                }
            } finally {
                over.set(true);
                Actor.end(others);
            }
        }
        held.forEach(SessionLock::close);
    }

    @Test
    void aDeadProcesssRecordIsStaleAndTheNextAcquisitionReplacesIt() throws Exception {
        Files.write(lockFile(), LockRecords.of(OtherProcess.ended(), 1, Duration.ofSeconds(20), true));
        LockReport report = look();
        assertThat(report.state()).isEqualTo(State.STALE);
        assertThat(report.evidence()).anyMatch(fact -> fact.contains("does not exist"));
        assertThat(report.advice()).contains("clear --yes");
        try (SessionLock lock = locks.acquire(session(), ONE_TRY)) {
            lock.verifyHeld();
        }
        assertThat(locks.stats().reclaimed()).isEqualTo(1);
    }

    @Test
    void aProcessThatHasItsNumberNowIsNotTheHolder() throws Exception {
        ProcessIdentity self = ProcessIdentity.current();
        Files.write(lockFile(), LockRecords.of(self.pid(), self.startTicks() - 5, Duration.ofSeconds(20), true));
        assertThat(look().state()).isEqualTo(State.STALE);
        locks.acquire(session(), ONE_TRY).close();
    }

    @Test
    void aRecordOfAnotherBootIsStale() throws Exception {
        ProcessIdentity self = ProcessIdentity.current();
        Files.write(lockFile(), LockRecords.ofBoot("00000000-0000-4000-8000-000000000001", self.host()));
        assertThat(look().state()).isEqualTo(State.STALE);
        assertThat(look().evidence()).anyMatch(fact -> fact.contains("restarted"));
        locks.acquire(session(), ONE_TRY).close();
        assertThat(lockFile()).doesNotExist();
    }

    @Test
    void aRecordOfAnotherMachineIsForeign() throws Exception {
        Files.write(lockFile(), LockRecords.ofBoot("00000000-0000-4000-8000-000000000001", "another-machine"));
        assertThat(look().state()).isEqualTo(State.FOREIGN);
    }

    @Test
    void anExpiredLeaseWithoutByteIsExpiredAndReplaced() throws Exception {
        try (OtherProcess sleeper = new OtherProcess()) {
            Files.write(lockFile(), LockRecords.of(sleeper.pid(), sleeper.startTicks(), Duration.ofSeconds(-60), true));
            LockReport report = look();
            assertThat(report.state()).isEqualTo(State.EXPIRED);
            assertThat(report.evidence()).anyMatch(fact -> fact.contains("lease ran out"));
            assertThat(report.advice()).contains("kill -CONT " + sleeper.pid());
            locks.acquire(session(), ONE_TRY).close();
        }
    }

    @Test
    void aLivingProcesssRecordIsHonouredThoughItsByteWasLost() throws Exception {
        try (OtherProcess sleeper = new OtherProcess()) {
            Files.write(lockFile(), LockRecords.of(sleeper.pid(), sleeper.startTicks(), Duration.ofMinutes(1), true));
            assertThat(look().state()).isEqualTo(State.HELD);
            assertThatThrownBy(() -> locks.acquire(session(), ONE_TRY)).isInstanceOf(LockTimeoutException.class);
            assertThat(lockFile()).exists();

            Duration lease = Duration.ofMillis(500);
            long start = System.nanoTime();
            Files.write(lockFile(), LockRecords.of(sleeper.pid(), sleeper.startTicks(), lease, true));
            locks.acquire(session()).close(); // its lease and grace are over
            assertThat(System.nanoTime() - start).isGreaterThan(lease.toNanos());
        }
    }

    @Test
    void aLivingHolderWithoutTakeoverIsWaitedForAfterItsLease() throws Exception {
        try (OtherProcess sleeper = new OtherProcess()) {
            Files.write(lockFile(), LockRecords.of(sleeper.pid(), sleeper.startTicks(), Duration.ofSeconds(-60), false));
            assertThat(look().state()).isEqualTo(State.HELD);
            assertThatThrownBy(() -> locks.acquire(session(), LockOptions.defaults().withTimeout(Duration.ofMillis(300))))
                    .isInstanceOf(LockTimeoutException.class);
            sleeper.end();
            locks.acquire(session(), ONE_TRY).close();
        }
    }

    @Test
    void aForeignLockIsForeignDeadOrAlive() throws Exception {
        try (OtherProcess sleeper = new OtherProcess()) {
            Files.writeString(lockFile(), OtherProcess.foreignLock(sleeper.pid()));
            LockReport report = look();
            assertThat(report.state()).isEqualTo(State.FOREIGN);
            assertThat(report.owner().pid()).isEqualTo(sleeper.pid());
            assertThat(report.owner().since()).isEqualTo(Instant.parse("2026-02-09T06:32:23.123Z"));
            assertThat(locks.tryAcquire(session())).isEmpty();
        }
        assertThat(look().state()).isEqualTo(State.FOREIGN);
        assertThat(look().evidence()).anyMatch(fact -> fact.contains("does not exist"));
        Files.writeString(lockFile(), OtherProcess.ended() + "\n");
        assertThat(look().state()).isEqualTo(State.FOREIGN);
        locks.acquire(session(), ONE_TRY).close();
    }

    @Test
    void aTornLockIsTornAndReplacedOnceItIsOld() throws Exception {
        Files.writeString(session(), "x");
        for (String torn : new String[] {"{\"pid\":3", "", "\0\0\0", " "}) {
            Files.writeString(lockFile(), torn);
            assertThat(look().state()).isEqualTo(State.TORN);
            assertThat(locks.tryAcquire(session())).isEmpty();
            assertThat(lockFile()).exists();
            Files.setLastModifiedTime(lockFile(), FileTime.from(Instant.now().minusSeconds(31)));
            locks.acquire(session(), ONE_TRY).close();
            assertThat(lockFile()).doesNotExist();
        }
    }

    @Test
    void anEmptyFileWithoutATargetIsNotALock() throws Exception {
        Files.createFile(lockFile());
        Files.setLastModifiedTime(lockFile(), FileTime.from(Instant.now().minusSeconds(3600)));
        assertThat(look().state()).isEqualTo(State.NOT_A_LOCK);
        assertThatThrownBy(() -> locks.acquire(session())).isInstanceOf(NotALockFileException.class).hasMessageContaining("empty");
        assertThat(lockFile()).exists();
    }

    @Test
    void anythingElseIsNotALock() throws Exception {
        Files.writeString(lockFile(), "# yarn lockfile v1\n");
        assertThat(look().state()).isEqualTo(State.NOT_A_LOCK);
        assertThat(look().advice()).contains("then mv ");
    }

    @Test
    void aMissingDirectoryIsSaidSo() {
        assertThatThrownBy(() -> locks.inspect(dir.resolve("missing/x"))).isInstanceOf(LockException.class)
                .hasMessageContaining("does not exist");
    }
}

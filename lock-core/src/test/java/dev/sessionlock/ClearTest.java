package dev.sessionlock;

import static dev.sessionlock.OtherProcess.NOBODY;
import static dev.sessionlock.Patience.await;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.sessionlock.ClearReport.Outcome;
import dev.sessionlock.internal.directory.LockRecords;
import java.io.BufferedReader;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.FileTime;
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.Optional;
import java.util.TreeMap;
import java.util.concurrent.ThreadLocalRandom;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.locks.LockSupport;
import org.junit.jupiter.api.Test;

/** Clearing: leftovers of dead owners are removed, living owners are asked by their token only, and nothing else is touched. */
class ClearTest extends LocksFixture {
    private static final String DEAD_FOREIGN = OtherProcess.foreignLock(NOBODY);

    private ClearReport clear(ClearOptions options) throws Exception {
        List<ClearReport> done = locks.clear(session(), options);
        assertThat(done).hasSize(1);
        return done.get(0);
    }

    /** A dry run first, which writes nothing; then a real one. */
    private ClearReport clearForReal(Outcome dry) throws Exception {
        TreeMap<String, String> before = Listing.of(dir);
        boolean inner = Files.exists(dir.resolve(".session-locks"));
        assertThat(locks.clear(session())).extracting(ClearReport::outcome).containsExactly(dry);
        assertThat(locks.clear(dir)).extracting(ClearReport::outcome).containsExactly(dry);
        assertThat(Listing.of(dir)).isEqualTo(before);
        assertThat(Files.exists(dir.resolve(".session-locks"))).isEqualTo(inner);
        return clear(ClearOptions.forReal());
    }

    private static byte[] dead() {
        return LockRecords.of(NOBODY, 1, Duration.ofSeconds(30), true);
    }

    @Test
    void whatIsFreeIsNoReport() throws Exception {
        assertThat(locks.clear(session(), ClearOptions.forReal())).isEmpty();
        assertThat(locks.clear(dir, ClearOptions.forReal())).isEmpty();
        assertThat(dir).isEmptyDirectory();
    }

    @Test
    void theRecordOfADeadHolderIsRemovedAndSaidWhy() throws Exception {
        Files.write(lockFile(), dead());
        ClearReport done = clearForReal(Outcome.WOULD_CLEAR);

        assertThat(done.outcome()).isEqualTo(Outcome.CLEARED);
        assertThat(done.lock().evidence().get(0)).isEqualTo("it was removed: pid " + NOBODY + " does not exist");
        assertThat(done.lock().advice()).isEmpty();
        assertThat(lockFile()).doesNotExist();
        assertThat(dir.resolve("session.jsonl.lock.reclaim")).doesNotExist();
        assertThat(dir.resolve(".session-locks")).exists();
        try (SessionLock lock = locks.acquire(session())) {
            lock.verifyHeld();
        }
    }

    @Test
    void tokensGrowOnThoughTheRecordIsGone() throws Exception {
        Files.write(lockFile(), LockRecords.withToken(NOBODY, 1, Long.MAX_VALUE / 2)); // from a clock that was set back since
        assertThat(clear(ClearOptions.forReal()).outcome()).isEqualTo(Outcome.CLEARED);
        try (SessionLock lock = locks.acquire(session())) {
            assertThat(lock.token()).isGreaterThan(Long.MAX_VALUE / 2);
        }
    }

    @Test
    void whatARebootLeftIsRemovedAndWhatAnotherMachineMadeIsNot() throws Exception {
        Files.write(lockFile(), LockRecords.ofBoot("another-boot", dev.sessionlock.internal.system.ProcessIdentity.current().host()));
        assertThat(clear(ClearOptions.forReal()).outcome()).isEqualTo(Outcome.CLEARED);
        Files.write(lockFile(), LockRecords.ofBoot("another-boot", "elsewhere"));
        assertThat(clearForReal(Outcome.REFUSED).outcome()).isEqualTo(Outcome.REFUSED);
        assertThat(lockFile()).exists();
    }

    @Test
    void aLivingProcesssRecordStaysThoughItsByteIsFreeAndItsLeaseOver() throws Exception {
        try (OtherProcess sleeper = new OtherProcess()) {
            Files.write(lockFile(), LockRecords.of(sleeper.pid(), sleeper.startTicks(), Duration.ofSeconds(-60), true));
            assertThat(clearForReal(Outcome.REFUSED).lock().evidence().get(0)).contains("not proven dead");
            assertThat(lockFile()).exists();
        }
        assertThat(clear(ClearOptions.forReal()).outcome()).isEqualTo(Outcome.CLEARED);
    }

    @Test
    void aForeignLockIsRemovedOnlyIfDeadAndAllowed() throws Exception {
        Files.writeString(lockFile(), OtherProcess.foreignLock(ProcessHandle.current().pid()));
        assertThat(clearForReal(Outcome.REFUSED).lock().evidence().get(0)).contains("not proven dead");
        assertThat(lockFile()).exists();

        Files.writeString(lockFile(), DEAD_FOREIGN);
        try (SessionLocks careful = SessionLocks.builder().takeStrangers(false).build()) {
            assertThat(careful.clear(session(), ClearOptions.forReal())).extracting(ClearReport::outcome).containsExactly(Outcome.REFUSED);
            assertThat(lockFile()).exists();
        }
        Files.createDirectory(dir.resolve("session.jsonl.lock.reclaim")); // another process is replacing a lock
        assertThat(clear(ClearOptions.forReal()).outcome()).isEqualTo(Outcome.REFUSED);
        assertThat(lockFile()).exists();
        Files.delete(dir.resolve("session.jsonl.lock.reclaim"));
        assertThat(clearForReal(Outcome.WOULD_CLEAR).outcome()).isEqualTo(Outcome.CLEARED);
        assertThat(lockFile()).doesNotExist();
    }

    @Test
    void abarePidWithoutATargetIsClearedByItsOwnNameOnly() throws Exception {
        Files.writeString(lockFile(), NOBODY + "\n");
        assertThat(locks.clear(dir, ClearOptions.forReal())).extracting(ClearReport::outcome).containsExactly(Outcome.REFUSED);
        assertThat(lockFile()).exists();
        assertThat(clear(ClearOptions.forReal()).outcome()).isEqualTo(Outcome.CLEARED);
    }

    @Test
    void aTornLockIsRemovedOnceItIsOld() throws Exception {
        Files.writeString(session(), "x");
        Files.writeString(lockFile(), "{\"pid\":3");
        assertThat(clearForReal(Outcome.REFUSED).outcome()).isEqualTo(Outcome.REFUSED);
        assertThat(lockFile()).exists();
        Files.setLastModifiedTime(lockFile(), FileTime.from(Instant.now().minusSeconds(31)));
        assertThat(clearForReal(Outcome.WOULD_CLEAR).outcome()).isEqualTo(Outcome.CLEARED);
        assertThat(lockFile()).doesNotExist();
    }

    @Test
    void whatIsNotALockIsNeverTouched() throws Exception {
        Path git = Files.createDirectories(dir.resolve("repo/.git"));
        Files.writeString(dir.resolve("yarn.lock"), "# yarn lockfile v1\n");
        Files.writeString(dir.resolve("Cargo"), "x");
        Files.createFile(dir.resolve("Cargo.lock"));
        Files.writeString(dir.resolve("code.lock"), NOBODY + "\n");
        Files.createDirectory(dir.resolve("folder.lock"));
        Files.createFile(dir.resolve("empty.lock"));
        Files.createSymbolicLink(dir.resolve("link.lock"), Path.of("yarn.lock"));
        Files.writeString(git.resolve("index"), "DIRC");
        Files.createFile(git.resolve("index.lock"));
        for (Path old : List.of(dir.resolve("Cargo.lock"), dir.resolve("empty.lock"), dir.resolve("code.lock"), git.resolve("index.lock"))) {
            Files.setLastModifiedTime(old, FileTime.from(Instant.now().minusSeconds(3600)));
        }
        TreeMap<String, String> before = Listing.of(dir);

        assertThat(locks.clear(dir, ClearOptions.forReal())).hasSize(6)
                .allSatisfy(report -> assertThat(report.outcome()).isEqualTo(Outcome.REFUSED));
        assertThat(locks.clear(git, ClearOptions.forReal())).extracting(ClearReport::outcome).containsExactly(Outcome.REFUSED);
        for (String name : List.of("yarn", "Cargo", "code", "folder", "empty", "link", "repo/.git/index")) {
            assertThat(locks.clear(dir.resolve(name), ClearOptions.forReal())).extracting(ClearReport::outcome)
                    .containsExactly(Outcome.REFUSED);
        }
        assertThat(Listing.of(dir)).isEqualTo(before);
        assertThat(dir.resolve(".session-locks")).doesNotExist();
    }

    // ---- the living ----

    @Test
    void aLivingHolderIsLeftAloneWithoutItsTokenAndWithAnothers() throws Exception {
        try (SessionLock lock = locks.acquire(session())) {
            assertThat(clearForReal(Outcome.REFUSED).lock().advice()).contains("--token " + lock.token());
            ClearReport other = clear(ClearOptions.forReal().withToken(lock.token() - 1));
            assertThat(other.outcome()).isEqualTo(Outcome.REFUSED);
            assertThat(other.lock().evidence().get(0)).contains("not the one of token " + (lock.token() - 1), "but of token " + lock.token());
            assertThat(clear(ClearOptions.dryRun().withToken(lock.token())).outcome()).isEqualTo(Outcome.WOULD_CLEAR);
            assertThatThrownBy(() -> locks.clear(dir, ClearOptions.forReal().withToken(lock.token())))
                    .isInstanceOf(IllegalArgumentException.class);
            Thread.sleep(1_200); // a tick of the keeper
            lock.verifyHeld();
        }
    }

    @Test
    void aLivingHolderIsAskedByItsTokenAndWaitedFor() throws Exception {
        SessionLock lock = locks.acquire(session());
        AtomicInteger told = new AtomicInteger();
        lock.onLost(lost -> {
            assertThat(lost.reason()).isEqualTo(LockLostException.Reason.RELEASE_REQUESTED);
            told.incrementAndGet();
            lock.close();
        });
        ClearReport done = clear(ClearOptions.forReal().withToken(lock.token()).withTimeout(Patience.LIMIT));
        assertThat(done.outcome()).isEqualTo(Outcome.RELEASED);
        assertThat(done.lock().evidence().get(0)).contains("was asked, and let go after");
        await().until(() -> told.get() == 1);
        assertThat(lockFile()).doesNotExist();
        assertThat(dir.resolve(".session-locks/release-" + lock.token())).doesNotExist();
        locks.acquire(session(), ONE_TRY).close();
    }

    @Test
    void aHolderThatDoesNotCloseIsSaidSo() throws Exception {
        LockOptions slow = LockOptions.defaults().withRevokeGrace(Duration.ofMinutes(1));
        try (SessionLock lock = locks.acquire(session(), slow)) {
            ClearReport done = clear(ClearOptions.forReal().withToken(lock.token()).withTimeout(Duration.ofSeconds(3)));
            while (done.lock().evidence().get(0).contains("did not answer")) { // the keeper of a busy machine may be later than that
                done = clear(ClearOptions.forReal().withToken(lock.token()).withTimeout(Duration.ofSeconds(10)));
            }
            assertThat(done.outcome()).isEqualTo(Outcome.REFUSED);
            assertThat(done.lock().evidence().get(0)).contains("has been told", "revokeGrace");
            assertThat(lock.isHeld()).isFalse();
            assertThat(lockFile()).exists();
        }
    }

    @Test
    void whoIsInterruptedTakesBackWhatItAsked() throws Exception {
        try (SessionLock lock = locks.acquire(session())) {
            Thread.currentThread().interrupt();
            assertThatThrownBy(() -> clear(ClearOptions.forReal().withToken(lock.token()))).isInstanceOf(InterruptedException.class);
            assertThat(dir.resolve(".session-locks/release-" + lock.token())).doesNotExist();
        }
    }

    // ---- all at once ----

    /** The holders notice by verifyHeld, which looks at the disk, whether their record was removed. */
    @Test
    void noLivingRecordIsRemovedHoweverFastHoldersChange() throws Exception {
        try (Churn churn = new Churn((thread, i) -> {
            try (SessionLock lock = locks.acquire(session(), PATIENT)) {
                lock.verifyHeld();
            }
        })) {
            for (int i = 0; i < 200 || churn.turns() < 200 && churn.goesOn(); i++) {
                Path grave = dir.resolve("dead-" + i + ".lock");
                Files.write(grave, dead());
                locks.clear(dir, ClearOptions.forReal());
                locks.clear(session(), ClearOptions.forReal());
                assertThat(grave).doesNotExist();
            }
        }
    }

    /** Dead records appear where living holders come and go. The clearing of another process and our acquisitions race for each of them. */
    @Test
    void deadRecordsInTheWayOfTheLivingAreClearedByEitherProcessAndNoHolderIsHurt() throws Exception {
        List<String> command = SmallJvm.command();
        command.addAll(List.of(Clearer.class.getName(), session().toString()));
        Process clearer = new ProcessBuilder(command).redirectError(ProcessBuilder.Redirect.INHERIT).start();
        try (BufferedReader said = clearer.inputReader()) {
            int held = 0;
            boolean hasCleared = false;
            for (int planted = 0; planted < 1_000 || !hasCleared; planted++) {
                plant();
                LockSupport.parkNanos(ThreadLocalRandom.current().nextInt(1_000_000)); // at times the clearer is first, at times we
                Optional<SessionLock> taken = planted % 2 == 0 ? locks.tryAcquire(session())
                        : Optional.of(locks.acquire(session(), PATIENT));
                if (taken.isPresent()) {
                    try (SessionLock lock = taken.get()) {
                        lock.verifyHeld();
                        lock.verifyHeld();
                        held++;
                    }
                }
                hasCleared |= said.ready() && said.readLine() != null;
            }
            clearer.getOutputStream().write('\n');
            clearer.getOutputStream().flush();
            String end = said.lines().reduce((first, last) -> last).orElse("");
            System.out.println("held " + held + " times beside a process that " + end);
            assertThat(end).matches("cleared \\d+");
            assertThat(held).isGreaterThan(400);
        } finally {
            clearer.destroyForcibly().onExit().join();
        }
    }

    private void plant() throws Exception {
        try {
            Files.write(lockFile(), dead(), StandardOpenOption.CREATE_NEW);
        } catch (FileAlreadyExistsException e) {
            return; // the last one is still there
        }
    }
}

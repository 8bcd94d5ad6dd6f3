package dev.sessionlock.internal.seats;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import dev.sessionlock.LockReport;
import dev.sessionlock.LockReport.ProcessState;
import dev.sessionlock.LockReport.Sentence;
import dev.sessionlock.LockReport.State;
import dev.sessionlock.LockReport.Topic;
import dev.sessionlock.internal.directory.LockContent;
import dev.sessionlock.internal.directory.LockRecord;
import dev.sessionlock.internal.directory.TableEntry;
import java.nio.file.Path;
import java.time.Instant;
import java.time.temporal.ChronoUnit;
import java.util.List;
import org.assertj.core.api.Assumptions;
import org.junit.jupiter.api.Test;

/** Each verdict of the inspection, with its evidence and its advice. */
class InspectorTest extends InspectorFixture {
    @Test
    void freeIfNothingIsThere() {
        LockReport report = report();

        assertThat(report.state()).isEqualTo(State.FREE);
        assertThat(report.owner()).isNull();
        assertThat(report.advice()).isEmpty();
        assertThat(report.lockFile()).isEqualTo(Path.of("/sessions/a.jsonl.lock"));
    }

    @Test
    void heldWithHolderAndExpiry() {
        record = ours(self.pid(), 20, true);
        owners = List.of(List.of(self.pid()), NOBODY);

        LockReport report = report();

        assertThat(report.state()).isEqualTo(State.HELD);
        assertThat(report.owner().pid()).isEqualTo(self.pid());
        assertThat(report.owner().since()).isEqualTo(Instant.ofEpochMilli(1_000));
        assertThat(report.owner().thread()).isEqualTo("writer-1");
        assertThat(report.owner().purpose()).isEqualTo("flush");
        assertThat(report.owner().leaseUntil()).isEqualTo(Instant.ofEpochMilli(31_000));
        assertThat(evidence(report)).contains("kernel lock is held by pid " + self.pid(), "lease renewed 10 s ago", "it runs out in 20 s", "(maxHold)");
        assertThat(report.advice()).isEqualTo("java -jar sessionlock.jar clear --token 42 --yes /sessions/a.jsonl"
                + "   # asks it to let go; what it is busy with: jstack " + self.pid());
    }

    @Test
    void notStaleIfItsRecordNamesNoPidNamespace() {
        record = ours(NO_SUCH_PID, self.boot(), self.host(), null, self.timeNamespace(), 20, true);

        LockReport report = report();

        assertThat(report.state()).isEqualTo(State.HELD);
        assertThat(evidence(report)).contains("cannot be seen: unknown");
    }

    @Test
    void heldWithoutALockFileIfTheKernelSaysSo() {
        owners = List.of(List.of(4711L), NOBODY);

        LockReport report = report();

        assertThat(report.state()).isEqualTo(State.HELD);
        assertThat(report.owner().pid()).isEqualTo(4711);
        assertThat(evidence(report)).contains("there is no lock file").doesNotContain("its lease ran out");
        assertThat(report.advice()).startsWith("wait");
    }

    /** The kernel says 0 of a process of another pid namespace: here nobody can tell how it is. */
    @Test
    void nothingIsSaidOfAProcessOfAnotherNamespaceThatNoRecordDescribes() {
        owners = List.of(List.of(0L), NOBODY);

        LockReport report = report();

        assertThat(report.state()).isEqualTo(State.HELD);
        assertThat(report.facts().process()).isEqualTo(ProcessState.UNKNOWN);
        assertThat(report.sentences()).extracting(Sentence::topic).doesNotContain(Topic.PROCESS);
        assertThat(report.advice()).as("no command for a pid that is none").startsWith("wait").doesNotContain("kill");
        expiries = List.of(NOW - 1, 0L);
        assertThat(report().state()).isEqualTo(State.EXPIRED);
        assertThat(evidence(report())).contains("its lease ran out, and others take over");
        assertThat(report().advice()).startsWith("look where its process can be seen");
    }

    @Test
    void heldWithoutAnyFileBySuccessor() {
        owners = List.of(NOBODY, List.of(4711L));

        assertThat(report().state()).isEqualTo(State.HELD);
    }

    @Test
    void heldWithoutALockFileIfOnlyTheTableSaysSo() {
        owners = null;
        expiries = List.of(NOW + 1, 0L);
        assertThat(report().state()).isEqualTo(State.HELD);
        expiries = List.of(TableEntry.NEVER, 0L);
        assertThat(report().state()).isEqualTo(State.HELD);
        expiries = List.of(NOW - 1, 0L);
        assertThat(report().state()).isEqualTo(State.FREE);
    }

    @Test
    void heldByASuccessorOnTheSecondSeat() {
        record = ours(NO_SUCH_PID, -50, true);
        takeover = ours(self.pid(), 20, true);
        owners = List.of(NOBODY, List.of(self.pid()));

        LockReport report = report();

        assertThat(report.state()).isEqualTo(State.HELD);
        assertThat(report.owner().pid()).isEqualTo(self.pid());
        assertThat(evidence(report)).contains("second seat");
    }

    @Test
    void aSuccessorIsSaidToHaveTakenOverOnlyFromOneThatHasALease() {
        takeover = ours(self.pid(), 20, true);
        owners = List.of(List.of(4711L), List.of(self.pid()));
        expiries = List.of(NOW - 1, NOW + 1);
        assertThat(evidence(report())).contains("second seat: the holder before it is frozen past its lease");
        expiries = List.of(0L, NOW + 1);
        assertThat(evidence(report())).contains("second seat: another process has the first one's kernel lock without holding the lock");
    }

    @Test
    void aSuccessorsRecordWithoutItsByteIsOfNoCount() {
        takeover = ours(self.pid(), 20, true);

        assertThat(report().state()).isEqualTo(State.FREE);
    }

    @Test
    void expiredIfItsLeaseIsOverAndItsProcessLives() {
        record = ours(self.pid(), -7, true);
        owners = List.of(List.of(self.pid()), NOBODY);

        LockReport report = report();

        assertThat(report.state()).isEqualTo(State.EXPIRED);
        assertThat(evidence(report)).contains("lease ran out 7 s ago");
        assertThat(report.advice()).contains("kill -CONT " + self.pid());
    }

    @Test
    void heldIfItsLeaseIsOverWithoutTakeover() {
        record = ours(self.pid(), -7, false);
        owners = List.of(List.of(self.pid()), NOBODY);

        LockReport report = report();

        assertThat(report.state()).isEqualTo(State.HELD);
        assertThat(evidence(report)).contains("excludes takeover");
        assertThat(report.owner().leaseUntil()).isNull();
    }

    @Test
    void heldAndSaidSoIfItsByteWasLost() {
        assumeProc(self);
        record = ours(self.pid(), 20, true);

        LockReport report = report();

        assertThat(report.state()).isEqualTo(State.HELD);
        assertThat(evidence(report)).contains("its record is there but the kernel lock is not");
        assertThat(report.advice()).contains("asks it to let go, if it lives; else the next acquisition replaces its record once its lease is over");
        record = ours(self.pid(), 20, false);
        assertThat(report().advice()).as("it has no lease that ends").contains("asks it to let go").doesNotContain("lease is over");
    }

    @Test
    void heldIfItsLeaseCannotBeCompared() {
        comparable = false;
        record = ours(self.pid(), -7, true);
        owners = List.of(List.of(self.pid()), NOBODY);

        LockReport report = report();

        assertThat(report.state()).isEqualTo(State.HELD);
        assertThat(evidence(report)).contains("another time namespace");
    }

    @Test
    void staleIfItsProcessIsGone() {
        assumeProc(self);
        record = ours(NO_SUCH_PID, 20, true);

        LockReport report = report();

        assertThat(report.state()).isEqualTo(State.STALE);
        assertThat(evidence(report)).contains("pid " + NO_SUCH_PID + " does not exist", "kernel lock is free");
        assertThat(report.advice()).contains("clear --yes /sessions/a.jsonl");
    }

    @Test
    void staleAfterAReboot() {
        record = ours(self.pid(), "another-boot", self.host(), self.pidNamespace(), self.timeNamespace(), 20, true);

        LockReport report = report();

        assertThat(report.state()).isEqualTo(self.boot() == null ? State.HELD : State.STALE);
        assertThat(evidence(report)).contains(self.boot() == null ? "" : "restarted");
    }

    @Test
    void notStaleWhileItsPidIsOfAnotherNamespace() {
        assumeProc(self);
        record = ours(NO_SUCH_PID, self.boot(), self.host(), "other", self.timeNamespace(), 20, true);

        LockReport report = report();

        assertThat(report.state()).isEqualTo(State.HELD);
        assertThat(evidence(report)).contains("another pid namespace");
    }

    @Test
    void foreignIfItIsOfAnotherMachine() {
        Assumptions.assumeThat(self.boot()).isNotNull();
        record = ours(7, "another-boot", "not-" + self.host(), null, null, 20, true);

        LockReport report = report();

        assertThat(report.state()).isEqualTo(State.FOREIGN);
        assertThat(evidence(report)).contains("another machine");
    }

    @Test
    void foreignIfItIsAnotherPrograms() {
        record = new LockContent.Foreign(self.pid(), Instant.ofEpochSecond(9), -1, -1);

        LockReport report = report();

        assertThat(report.state()).isEqualTo(State.FOREIGN);
        assertThat(report.owner().pid()).isEqualTo(self.pid());
        assertThat(report.owner().since()).isEqualTo(Instant.ofEpochSecond(9));
        assertThat(evidence(report)).contains("another program's lock", "if it shares our pid namespace");
    }

    @Test
    void tornWithItsAge() {
        record = new LockContent.Torn("its checksum is wrong");

        LockReport report = report();

        assertThat(report.state()).isEqualTo(State.TORN);
        assertThat(evidence(report)).contains("checksum", "12 s ago", "30 s old");
    }

    @Test
    void tornIfEmptyBesideItsTargetOrTakenBeforeAndNoLockWhereNoneEverWas() {
        record = new LockContent.Empty();

        assertThat(report().state()).isEqualTo(State.TORN);
        targetExists = false;
        wasTaken = true;
        assertThat(report().state()).isEqualTo(State.TORN);
        assertThat(report().advice()).contains("the next acquisition replaces it");
        wasTaken = false;
        used = false;
        assertThat(report().state()).isEqualTo(State.NOT_A_LOCK);
    }

    /** It may be a lock that a power cut has emptied. A person has to look, and the tool's exit code must tell cron. */
    @Test
    void tornWithAdviceForAPersonIfEmptyAndOfUnknownOrigin() {
        record = new LockContent.Empty();
        targetExists = false;

        assertThat(report().state()).isEqualTo(State.TORN);
        assertThat(evidence(report())).contains("nobody can lock a.jsonl");
        assertThat(report().advice()).isEqualTo("look whether a program needs it; if none does: rm /sessions/a.jsonl.lock");
    }

    @Test
    void heldIfItsRecordWasEditedWhileItIsHeld() {
        record = new LockContent.Torn("cut");
        owners = List.of(List.of(4711L), NOBODY);

        assertThat(report().state()).isEqualTo(State.HELD);
        assertThat(evidence(report())).contains("torn record: cut", "the kernel lock is held by pid 4711");
    }

    private LockContent givenBack() {
        return new LockContent.Ours(new LockRecord(4711, 1_000, 0, 1, "a.jsonl", 42, self.host(), -1, self.boot(), self.pidNamespace(),
                self.timeNamespace(), "writer-1", "flush", true, 30_000, 31_000, LockRecord.GIVEN_BACK));
    }

    @Test
    void freeIfOnlyTheFileOfOneWhoGaveItBackIsLeft() {
        record = givenBack();

        LockReport report = report();

        assertThat(report.state()).isEqualTo(State.FREE);
        assertThat(report.owner()).isNull();
        assertThat(report.advice()).isEmpty();
        assertThat(evidence(report)).contains("(pid 4711) has given it back", "kernel lock is free");
    }

    @Test
    void theFrozenOneIsNamedOnceItsSuccessorHasGivenItBack() {
        assumeProc(self);
        record = givenBack();
        owners = List.of(List.of(self.pid()), NOBODY);
        expiries = List.of(NOW - 1, 0L);

        LockReport report = report();

        assertThat(report.state()).isEqualTo(State.EXPIRED);
        assertThat(report.owner().pid()).isEqualTo(self.pid());
        assertThat(report.owner().token()).isNull();
        assertThat(evidence(report)).contains("(pid 4711) has given it back", "kernel lock is held by pid " + self.pid(), "its lease ran out");
        assertThat(report.facts().since()).as("the token is the successor's").isNull();
        assertThat(report.facts().seenAt()).isNull();
        assertThat(report.advice()).contains("kill -CONT " + self.pid(), "others take over").doesNotContain("clear", "4711");
    }

    @Test
    void notFreeWhileAProcessThatCannotBeSeenHasTheByteOfWhatAnotherGaveBack() {
        record = givenBack();
        owners = List.of(List.of(0L), NOBODY);
        expiries = List.of(NOW + 1, 0L);
        assertThat(report().state()).isEqualTo(State.HELD);
        expiries = List.of(NOW - 1, 0L);
        assertThat(report().state()).isEqualTo(State.EXPIRED);
    }

    @Test
    void heldIfSomebodyIsJustTakingWhatAnotherGaveBack() {
        assumeProc(self);
        record = givenBack();
        owners = List.of(List.of(self.pid()), NOBODY);
        expiries = List.of(NOW + 1, 0L);

        LockReport report = report();

        assertThat(report.state()).isEqualTo(State.HELD);
        assertThat(report.owner().pid()).isEqualTo(self.pid());
        assertThat(report.advice()).startsWith("wait");
        assertThat(report.facts().since()).as("just now").isCloseTo(Instant.now(), within(1, ChronoUnit.MINUTES));
        assertThat(report.facts().seenAt()).isNotNull();
        expiries = List.of(NOW, 0L);
        assertThat(report().state()).as("past from this very nanosecond on").isEqualTo(State.EXPIRED);
    }

    @Test
    void notALockIfItIsSomethingElse() {
        record = new LockContent.NotALock("a directory");

        LockReport report = report();

        assertThat(report.state()).isEqualTo(State.NOT_A_LOCK);
        assertThat(evidence(report)).contains("a directory");
        assertThat(report.owner()).isNull();
    }
}

package dev.sessionlock.internal.seats;

import static org.assertj.core.api.Assertions.assertThat;

import dev.sessionlock.LockReport;
import dev.sessionlock.LockReport.Facts;
import dev.sessionlock.LockReport.KernelLockState;
import dev.sessionlock.LockReport.Lease;
import dev.sessionlock.LockReport.ProcessState;
import dev.sessionlock.LockReport.RemedyKind;
import dev.sessionlock.LockReport.Sentence;
import dev.sessionlock.LockReport.State;
import dev.sessionlock.LockReport.Topic;
import dev.sessionlock.internal.directory.LockContent;
import dev.sessionlock.internal.directory.LockRecord;
import dev.sessionlock.internal.directory.LockSnapshot;
import dev.sessionlock.internal.directory.LockStore.Found;
import dev.sessionlock.internal.directory.TableEntry;
import dev.sessionlock.internal.system.ProcessIdentity;
import dev.sessionlock.internal.system.ProcessTable;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.time.ZoneId;
import java.time.format.DateTimeFormatter;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.assertj.core.api.Assumptions;
import org.awaitility.Awaitility;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Each verdict of the inspection, with its evidence and its advice. Processes are judged by the real process table. */
class InspectorTest {
    private static final long NOW = TimeUnit.HOURS.toNanos(5);
    private static final long NO_SUCH_PID = 999_999_999;
    private static final long TOKEN = 1_770_617_943_000_001L;
    private static final List<Long> NOBODY = List.of();

    private final ProcessIdentity self = ProcessIdentity.current();

    private LockContent record = null;
    private LockContent takeover = null;
    private List<List<Long>> owners = List.of(NOBODY, NOBODY);
    private List<Long> until = List.of(0L, 0L);
    private boolean comparable = true;
    private boolean targetExists = true;
    private boolean used = true;
    private boolean wasTaken;
    private long ageMillis = 12_000;
    private long createdAt = 1_000;
    private long maxHold = 60_000;
    private final List<Process> started = new ArrayList<>();

    private LockReport report() {
        return Inspector.report(new LockSnapshot(Path.of("/sessions/a.jsonl"), found(record), found(takeover), owners, until, comparable, targetExists,
                used, wasTaken ? TOKEN : 0, NOW, self));
    }

    private Found found(LockContent content) {
        return content == null ? null : new Found(content, new Object(), ageMillis, 0);
    }

    private LockContent ours(long pid, long leaseLeftSeconds, boolean takes) {
        return ours(pid, self.boot(), self.host(), self.pidNamespace(), self.timeNamespace(), leaseLeftSeconds, takes);
    }

    private LockContent ours(long pid, String boot, String host, String pidns, String timens, long leaseLeftSeconds, boolean takes) {
        return new LockContent.Ours(new LockRecord(pid, createdAt, maxHold, pid == self.pid() ? self.startTicks() : pid < NO_SUCH_PID ? -1 : 1, "a.jsonl", 42, host, -1, boot, pidns,
                timens, "writer-1", "flush", takes, 30_000, 31_000, NOW + TimeUnit.SECONDS.toNanos(leaseLeftSeconds)));
    }

    private static void assumeProc(ProcessIdentity self) {
        if (!self.seesItselfInProc()) {
            System.out.println("skipped: there is no /proc of this pid namespace");
        }
        Assumptions.assumeThat(self.seesItselfInProc()).as("/proc shows this process").isTrue();
    }

    private static String evidence(LockReport report) {
        return String.join("; ", report.evidence());
    }

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
        assertThat(evidence(report)).contains("there is no lock file");
        assertThat(report.advice()).startsWith("wait");
    }

    @Test
    void heldWithoutAnyFileBySuccessor() {
        owners = List.of(NOBODY, List.of(4711L));

        assertThat(report().state()).isEqualTo(State.HELD);
    }

    @Test
    void heldWithoutALockFileIfOnlyTheTableSaysSo() {
        owners = null;
        until = List.of(NOW + 1, 0L);
        assertThat(report().state()).isEqualTo(State.HELD);
        until = List.of(TableEntry.NEVER, 0L);
        assertThat(report().state()).isEqualTo(State.HELD);
        until = List.of(NOW - 1, 0L);
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
        until = List.of(NOW - 1, 0L);

        LockReport report = report();

        assertThat(report.state()).isEqualTo(State.EXPIRED);
        assertThat(report.owner().pid()).isEqualTo(self.pid());
        assertThat(report.owner().token()).isNull();
        assertThat(evidence(report)).contains("(pid 4711) has given it back", "kernel lock is held by pid " + self.pid(), "its lease ran out");
        assertThat(report.advice()).contains("kill -CONT " + self.pid(), "others take over").doesNotContain("clear", "4711");
    }

    @Test
    void heldIfSomebodyIsJustTakingWhatAnotherGaveBack() {
        assumeProc(self);
        record = givenBack();
        owners = List.of(List.of(self.pid()), NOBODY);
        until = List.of(NOW + 1, 0L);

        LockReport report = report();

        assertThat(report.state()).isEqualTo(State.HELD);
        assertThat(report.owner().pid()).isEqualTo(self.pid());
        assertThat(report.advice()).startsWith("wait");
    }

    @Test
    void notALockIfItIsSomethingElse() {
        record = new LockContent.NotALock("a directory");

        LockReport report = report();

        assertThat(report.state()).isEqualTo(State.NOT_A_LOCK);
        assertThat(evidence(report)).contains("a directory");
        assertThat(report.owner()).isNull();
    }

    // ---- what the process is doing, and what helps ----

    @AfterEach
    void endWhatWasStarted() throws InterruptedException {
        for (Process process : started) {
            process.destroyForcibly().waitFor();
        }
    }

    /** {@return the pid of a process that sleeps} */
    private long sleeping() throws IOException {
        Process process = new ProcessBuilder("sleep", "600").start();
        started.add(process);
        return process.pid();
    }

    /** {@return the pid of a process that is stopped} */
    private long stopped() throws IOException, InterruptedException {
        long pid = sleeping();
        new ProcessBuilder("kill", "-STOP", String.valueOf(pid)).start().waitFor();
        Awaitility.await().atMost(Duration.ofSeconds(30)).until(() -> new ProcessTable().judge(pid, -1, null).isStopped());
        return pid;
    }

    @Test
    void saysOfAStoppedHolderHowToWakeIt() throws Exception {
        assumeProc(self);
        long pid = stopped();
        record = ours(pid, 20, true);
        owners = List.of(List.of(pid), NOBODY);

        LockReport held = report();

        assertThat(held.state()).isEqualTo(State.HELD);
        assertThat(held.advice()).isEqualTo("kill -CONT " + pid
                + "   # it is stopped; woken, it may be asked to let go: java -jar sessionlock.jar clear --token 42 --yes /sessions/a.jsonl");
        assertThat(held.facts().process()).isEqualTo(ProcessState.STOPPED);
        record = ours(pid, -7, true);
        LockReport expired = report();
        assertThat(expired.state()).isEqualTo(State.EXPIRED);
        assertThat(evidence(expired)).contains("lease ran out 7 s ago: the process is stopped");
        assertThat(expired.advice()).as("nothing that a stopped process cannot do is asked of it")
                .isEqualTo("kill -CONT " + pid + "   # it is stopped; others take over meanwhile");
        record = new LockContent.Foreign(pid, null, -1, -1);
        assertThat(report().advice()).isEqualTo("kill -CONT " + pid + "   # the program that made it is stopped");
    }

    @Test
    void saysOfASleepingHolderThatItIsNotStopped() throws Exception {
        assumeProc(self);
        long pid = sleeping();
        Awaitility.await().atMost(Duration.ofSeconds(30)).until(() -> new ProcessTable().judge(pid, -1, null).state() == 'S');
        record = ours(pid, -7, true);
        owners = List.of(List.of(pid), NOBODY);

        LockReport report = report();

        assertThat(evidence(report)).contains("lease ran out 7 s ago: the process is not stopped and does not renew");
        assertThat(report.advice()).startsWith("jstack " + pid + "   # not stopped, yet it does not renew").endsWith("; others take over meanwhile");
        assertThat(report.facts().process()).isEqualTo(ProcessState.ALIVE);
    }

    @Test
    void saysOfAHolderThatCannotBeSeenWhereToWakeIt() {
        assumeProc(self);
        record = ours(4711, self.boot(), self.host(), "other", self.timeNamespace(), -7, true);
        owners = List.of(List.of(0L), NOBODY);

        LockReport report = report();

        assertThat(report.state()).isEqualTo(State.EXPIRED);
        assertThat(evidence(report)).contains("the process is frozen or starved", "the kernel lock is held by pid of another namespace");
        assertThat(report.advice()).as("here 4711 is another process").startsWith("look where pid 4711 can be seen").doesNotContain("kill");
        record = ours(4711, self.boot(), self.host(), "other", self.timeNamespace(), 7, true);
        assertThat(report().advice()).as("no jstack").endsWith("# asks it to let go");
    }

    @Test
    void saysOfAnotherProgramsLockWhomToAskAndOfADeadOnesHowToClearIt() {
        assumeProc(self);
        record = new LockContent.Foreign(self.pid(), null, -1, -1);
        LockReport living = report();
        assertThat(living.advice()).startsWith("wait: ").contains("; if it stays: kill " + self.pid() + "   # pid " + self.pid() + " (");
        assertThat(evidence(living)).as("it does not say since when").doesNotContain("taken");
        assertThat(living.isOwnerGone()).isFalse();

        record = new LockContent.Foreign(NO_SUCH_PID, Instant.now().minusSeconds(5), -1, -1);
        LockReport dead = report();
        assertThat(dead.advice()).isEqualTo("java -jar sessionlock.jar clear --yes /sessions/a.jsonl   # or nothing: the next acquisition replaces it");
        assertThat(evidence(dead)).contains("taken 5 s ago");
        assertThat(dead.isOwnerGone()).isTrue();
    }

    @Test
    void saysOfAnotherMachinesLockThatItIsReplaced() {
        Assumptions.assumeThat(self.boot()).isNotNull();
        record = ours(7, "another-boot", "not-" + self.host(), null, null, 20, true);

        assertThat(report().advice()).startsWith("nothing: the next acquisition replaces it; on a network file system only if ");
        assertThat(report().isOwnerGone()).isFalse();
    }

    @Test
    void ownerIsGoneOfAStaleLockAndOfNoneThatIsHeld() {
        assumeProc(self);
        record = ours(NO_SUCH_PID, 20, true);
        assertThat(report().isOwnerGone()).isTrue();
        owners = List.of(List.of(self.pid()), NOBODY);
        LockReport held = report();
        assertThat(held.state()).as("dead, but its byte is held: it is just ending").isEqualTo(State.HELD);
        assertThat(held.isOwnerGone()).isFalse();
    }

    @Test
    void commandIsTheAdviceWithoutTheRemark() {
        record = ours(self.pid(), 20, true);
        owners = List.of(List.of(self.pid()), NOBODY);
        assertThat(report().remedy().inBrief()).isEqualTo("java -jar sessionlock.jar clear --token 42 --yes /sessions/a.jsonl");

        record = ours(self.pid(), -7, true);
        assertThat(report().remedy().inBrief()).as("there is no remark to leave out").isEqualTo(report().advice()).isNotEmpty();
    }

    /** The name holds the very words that follow the command that asks a holder. */
    @Test
    void nameOfAFileDoesNotCutACommandShort() throws Exception {
        assumeProc(self);
        long pid = stopped();
        Path target = Path.of("/sessions/a   # asks it to let go.jsonl");
        LockReport held = Inspector.report(new LockSnapshot(target, found(ours(pid, 20, true)), null, List.of(List.of(pid), NOBODY), until, comparable,
                targetExists, used, TOKEN, NOW, self));

        assertThat(held.state()).isEqualTo(State.HELD);
        assertThat(held.remedy().inBrief()).isEqualTo(held.advice()).startsWith("kill -CONT " + pid).endsWith("clear --token 42 --yes '" + target + "'");
    }

    // ---- whether a person must act ----

    private boolean needsPerson() {
        return report().facts().needsPerson();
    }

    @Test
    void anotherProgramsLockThatOutstaysItsTimeNeedsAPerson() {
        assumeProc(self);
        Instant now = Instant.now();
        record = new LockContent.Foreign(self.pid(), now.minusSeconds(290), -1, -1);
        assertThat(needsPerson()).isFalse();
        record = new LockContent.Foreign(self.pid(), now.minusSeconds(301), -1, -1);
        assertThat(needsPerson()).isTrue();
        assertThat(report().advice()).startsWith("kill " + self.pid() + "   #");
        record = new LockContent.Foreign(self.pid(), now.minusSeconds(301), -1, 600_000);
        assertThat(needsPerson()).as("it says itself for how long").isFalse();
        record = new LockContent.Foreign(self.pid(), null, -1, -1);
        assertThat(needsPerson()).isFalse();
        ageMillis = 301_000;
        assertThat(needsPerson()).as("a pid file: as old as the file").isTrue();
        record = new LockContent.Foreign(NO_SUCH_PID, null, -1, -1);
        assertThat(needsPerson()).as("a dead one's is replaced").isFalse();
    }

    @Test
    void stoppedHolderNeedsAPersonIfNobodyPassesItOver() throws Exception {
        assumeProc(self);
        long pid = stopped();
        owners = List.of(List.of(pid), NOBODY);
        record = ours(pid, 20, true);
        assertThat(needsPerson()).as("its lease runs, and others pass it over afterwards").isFalse();
        record = ours(pid, 20, false);
        assertThat(needsPerson()).isTrue();
        record = ours(pid, -7, true);
        assertThat(needsPerson()).as("expired").isTrue();
    }

    private void assertFacts(ProcessState process, boolean needsPerson, Instant since) {
        Facts facts = report().facts();
        assertThat(new Facts(facts.process(), facts.needsPerson(), facts.since())).isEqualTo(new Facts(process, needsPerson, since));
    }

    @Test
    void oneWithoutARecordIsKnownByItsExpiry() throws Exception {
        assumeProc(self);
        long pid = stopped();
        owners = List.of(List.of(pid), NOBODY);
        wasTaken = true;
        Instant drawn = Instant.ofEpochMilli(TOKEN / 1000);

        until = List.of(NOW + 1, 0L);
        assertFacts(ProcessState.STOPPED, false, drawn);
        until = List.of(NOW, 0L);
        assertThat(report().state()).isEqualTo(State.EXPIRED);
        assertFacts(ProcessState.STOPPED, true, drawn);
        until = List.of(TableEntry.NEVER, 0L);
        assertFacts(ProcessState.STOPPED, true, drawn);
        until = List.of(0L, 0L);
        assertThat(report().facts().needsPerson()).as("frozen just as it took it: nobody gets in").isTrue();
        assertThat(report().facts().since()).as("it is just being taken").isAfter(drawn);
        owners = List.of(List.of(sleeping()), NOBODY);
        assertThat(report().facts().needsPerson()).isFalse();
        wasTaken = false;
        assertThat(report().facts().since()).as("nothing tells").isNull();
    }

    // ---- what a program is told ----

    @Test
    void factsSayWhoHasTheKernelsLock() {
        record = ours(self.pid(), 20, true);
        assertThat(report().facts().kernelLock()).isEqualTo(KernelLockState.FREE);
        owners = List.of(List.of(4711L), NOBODY);
        assertThat(report().facts().kernelLock()).isEqualTo(KernelLockState.HELD);
        assertThat(report().facts().kernelPid()).as("another than the record's").isEqualTo(4711);
        owners = List.of(List.of(0L), NOBODY);
        assertThat(report().facts().kernelLock()).isEqualTo(KernelLockState.HELD);
        assertThat(report().facts().kernelPid()).as("of another namespace").isNull();
        owners = null;
        assertThat(report().facts().kernelLock()).isEqualTo(KernelLockState.UNKNOWN);
        owners = List.of(List.of(4711L), List.of(self.pid()));
        takeover = ours(self.pid(), 20, true);
        assertThat(report().facts().kernelPid()).as("the successor's").isEqualTo(self.pid());
        takeover = null;
        record = null;
        assertThat(report().facts().kernelPid()).as("of the second seat, without a record").isEqualTo(self.pid());
    }

    @Test
    void factsSayHowLongTheLeaseRuns() {
        owners = List.of(List.of(self.pid()), NOBODY);
        record = ours(self.pid(), 20, true);
        assertThat(report().facts().lease()).isEqualTo(new Lease(Duration.ofSeconds(10), Duration.ofSeconds(20), true, Instant.ofEpochMilli(61_000)));
        maxHold = -1;
        record = ours(self.pid(), -7, false);
        assertThat(report().facts().lease()).isEqualTo(new Lease(Duration.ofSeconds(37), Duration.ofSeconds(-7), false, null));
        assertThat(report().facts().lease().isOver()).isTrue();
        record = ours(self.pid(), 1_000_000_000, true);
        assertThat(report().facts().lease().left()).as("longer than any lease").isZero();
        comparable = false;
        assertThat(report().facts().lease()).isNull();
        assertThat(report().sentences()).extracting(Sentence::topic).contains(Topic.LEASE);
    }

    @Test
    void remedyIsOfAKindAndEachSentenceHasATopic() throws Exception {
        assumeProc(self);
        owners = List.of(List.of(self.pid()), NOBODY);
        record = ours(self.pid(), 20, true);
        assertThat(kind()).isEqualTo(RemedyKind.ASK);
        assertThat(report().sentences()).extracting(Sentence::topic).containsExactly(Topic.PROCESS, Topic.KERNEL, Topic.LEASE, Topic.AGE);
        record = ours(self.pid(), -7, true);
        assertThat(kind()).isEqualTo(RemedyKind.LOOK);
        long pid = stopped();
        record = ours(pid, -7, true);
        assertThat(kind()).isEqualTo(RemedyKind.WAKE);
        record = null;
        assertThat(kind()).isEqualTo(RemedyKind.WAIT);
        owners = List.of(NOBODY, NOBODY);
        assertThat(kind()).isEqualTo(RemedyKind.NONE);
        record = ours(NO_SUCH_PID, 20, true);
        assertThat(kind()).isEqualTo(RemedyKind.CLEAR);
        record = new LockContent.Foreign(self.pid(), Instant.ofEpochMilli(1), -1, -1);
        assertThat(kind()).isEqualTo(RemedyKind.END);
        record = new LockContent.Torn("cut");
        assertThat(kind()).isEqualTo(RemedyKind.NOTHING);
        record = new LockContent.NotALock("a directory");
        wasTaken = true;
        assertThat(kind()).isEqualTo(RemedyKind.MOVE);
    }

    private RemedyKind kind() {
        return report().remedy().kind();
    }

    // ---- times ----

    @ParameterizedTest
    @CsvSource({"0, 0 s", "59999, 59 s", "60000, 1 min 0 s", "3599999, 59 min 59 s", "3600000, 1 h 0 min", "7265000, 2 h 1 min",
        "172799999, 47 h 59 min", "172800000, 2 days", "900000000, 10 days", "-5000, 0 s"})
    void agesAreInWords(long millis, String words) {
        record = new LockContent.Torn("its checksum is wrong");
        ageMillis = millis;

        assertThat(evidence(report())).contains("written " + words + " ago");
    }

    @Test
    void everyRecordSaysSinceWhen() {
        createdAt = System.currentTimeMillis() - 125_000;
        record = ours(self.pid(), 20, true);
        assertThat(evidence(report())).containsPattern("taken 2 min [5-9] s ago");
        owners = List.of(NOBODY, List.of(self.pid()));
        takeover = ours(self.pid(), 20, true);
        assertThat(evidence(report())).contains("second seat").containsPattern("taken 2 min [5-9] s ago");
        takeover = null;
        owners = List.of(NOBODY, NOBODY);
        record = ours(self.pid(), "another-boot", self.host(), self.pidNamespace(), self.timeNamespace(), 20, true);
        assertThat(evidence(report())).containsPattern("taken 2 min [5-9] s ago");
        assumeProc(self);
        record = ours(NO_SUCH_PID, 20, true);
        assertThat(evidence(report())).containsPattern("taken 2 min [5-9] s ago");
    }

    @Test
    void saysWhenTheHoldEndsAtTheLatest() {
        owners = List.of(List.of(self.pid()), NOBODY);
        record = ours(self.pid(), 20, true);
        String end = DateTimeFormatter.ofPattern("HH:mm:ss").withZone(ZoneId.systemDefault()).format(Instant.ofEpochMilli(61_000));
        assertThat(evidence(report())).contains("; it ends at the latest at " + end + " (maxHold)");
        maxHold = 0;
        record = ours(self.pid(), 20, true);
        assertThat(evidence(report())).contains("(maxHold)");
        maxHold = -1;
        record = ours(self.pid(), 20, true);
        assertThat(evidence(report())).contains("; it may be held without limit");
    }

    @Test
    void expiredFromTheLastNanosecondOfTheLeaseOn() {
        owners = List.of(List.of(self.pid()), NOBODY);
        record = ours(self.pid(), 0, true);

        assertThat(report().state()).isEqualTo(State.EXPIRED);
    }

    @Test
    void freeFromTheVeryMomentOfTheExpiryOn() {
        owners = null;
        until = List.of(NOW, 0L);

        assertThat(report().state()).isEqualTo(State.FREE);
    }

    @Test
    void tornIsReplaceableByItsAgeOrByHowLongItWasWatched() {
        assertThat(isReplaceable(new LockContent.Empty(), 29_999, 29_999)).isFalse();
        assertThat(isReplaceable(new LockContent.Empty(), 30_000, 0)).isTrue();
        assertThat(isReplaceable(new LockContent.Empty(), 0, 30_000)).isTrue();
        assertThat(isReplaceable(new LockContent.Torn("cut"), 30_000, 0)).isTrue();
        assertThat(isReplaceable(new LockContent.NotALock("a FIFO"), 30_000, 0)).isFalse();
        targetExists = false;
        assertThat(isReplaceable(new LockContent.Empty(), 30_000, 0)).isFalse();
        wasTaken = true;
        assertThat(isReplaceable(new LockContent.Empty(), 30_000, 0)).isTrue();
    }

    private boolean isReplaceable(LockContent content, long ageMillis, long watchedMillis) {
        return Inspector.isReplaceableNow(new LockSnapshot(Path.of("/sessions/a.jsonl"), new Found(content, new Object(), ageMillis, watchedMillis), null, owners,
                until, comparable, targetExists, used, wasTaken ? TOKEN : 0, NOW, self));
    }

    @Test
    void doesNotBlameTheByteOfOneWhoCannotBeSeenOrWhereTheKernelSaysNothing() {
        assumeProc(self);
        record = ours(4711, self.boot(), self.host(), "other", self.timeNamespace(), 20, true);
        assertThat(evidence(report())).contains("the kernel lock is free").doesNotContain("the kernel lock is not");
        owners = null;
        record = ours(self.pid(), 20, true);
        assertThat(evidence(report())).contains("the kernel does not tell").doesNotContain("the kernel lock is not");
    }

    @Test
    void quotesWhatAShellWouldTakeApart() {
        assertThat(Inspector.report(new LockSnapshot(Path.of("/my sessions/it's.jsonl"), found(new LockContent.Foreign(NO_SUCH_PID, null, -1, -1)), null,
                owners, until, true, true, true, TOKEN, NOW, self)).advice()).contains("clear --yes '/my sessions/it'\\''s.jsonl'   #");
    }
}

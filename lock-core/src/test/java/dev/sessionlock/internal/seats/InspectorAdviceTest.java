package dev.sessionlock.internal.seats;

import static org.assertj.core.api.Assertions.assertThat;

import dev.sessionlock.LockReport;
import dev.sessionlock.LockReport.Facts;
import dev.sessionlock.LockReport.ProcessState;
import dev.sessionlock.LockReport.RemedyKind;
import dev.sessionlock.LockReport.State;
import dev.sessionlock.internal.directory.LockContent;
import dev.sessionlock.internal.directory.LockSnapshot;
import dev.sessionlock.internal.directory.StickyDirectory;
import dev.sessionlock.internal.directory.TableEntry;
import dev.sessionlock.internal.system.ProcessTable;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import org.assertj.core.api.Assumptions;
import org.awaitility.Awaitility;
import org.junit.jupiter.api.Test;

/** What the process of a lock is doing, what helps, and whether a person must act. */
class InspectorAdviceTest extends InspectorFixture {
    // ---- what the process is doing, and what helps ----

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
        LockReport held = Inspector.report(new LockSnapshot(target, found(ours(pid, 20, true)), null, List.of(List.of(pid), NOBODY), expiries, comparable,
                targetExists, used, TOKEN, NOW, self));

        assertThat(held.state()).isEqualTo(State.HELD);
        assertThat(held.remedy().inBrief()).isEqualTo(held.advice()).startsWith("kill -CONT " + pid).endsWith("clear --token 42 --yes '" + target + "'");
    }

    @Test
    void saysOfALivingHolderWithoutARecordHowToEndIt() throws Exception {
        assumeProc(self);
        long pid = sleeping();
        owners = List.of(List.of(pid), NOBODY);
        assertThat(report().advice()).startsWith("wait").contains("; if it stays: kill " + pid);
        owners = List.of(List.of(NO_SUCH_PID), NOBODY);
        assertThat(report().advice()).as("it is just ending").startsWith("wait").doesNotContain("kill");
    }

    @Test
    void commandsAreSuchAsAShellTakes() {
        Path target = Path.of("/my sessions/a.jsonl");
        assertThat(InspectionSentences.statusOf(target)).isEqualTo("java -jar sessionlock.jar status '/my sessions/a.jsonl'");
        assertThat(InspectionSentences.takeOnce("agent", target)).isEqualTo("sudo -u agent java -jar sessionlock.jar run '/my sessions/a.jsonl' -- true");
        assertThat(InspectionSentences.takeOnce("1000", target)).as("a user without a name").startsWith("sudo -u '#1000' java");
    }

    // ---- what only another user may replace ----

    private static final StickyDirectory STICKY = new StickyDirectory(Path.of("/sessions"), 01777, "agent");

    /** The sticky bit of the directory keeps us from what the next acquisition would replace otherwise. */
    private void assertOnlyItsOwnerReplacesIt() {
        LockReport report = report(file -> STICKY);
        assertThat(report.remedy().kind()).isEqualTo(RemedyKind.TAKE_AS_OWNER);
        assertThat(report.advice()).startsWith("sudo -u agent java -jar sessionlock.jar run /sessions/a.jsonl -- true").contains("/sessions is sticky");
        assertThat(report.facts().needsPerson()).isTrue();
        assertThat(report(file -> null).remedy().kind()).isNotEqualTo(RemedyKind.TAKE_AS_OWNER);
    }

    private void assertNobodyReplacesIt() {
        assertThat(report(file -> STICKY).remedy().kind()).isNotEqualTo(RemedyKind.TAKE_AS_OWNER);
    }

    @Test
    void whatTheDeadLeftInAStickyDirectoryIsReplacedByItsOwner() {
        assumeProc(self);
        record = ours(NO_SUCH_PID, 20, true);
        assertOnlyItsOwnerReplacesIt();
        record = new LockContent.Foreign(NO_SUCH_PID, null, -1, -1);
        assertOnlyItsOwnerReplacesIt();
        record = new LockContent.Foreign(self.pid(), null, -1, -1);
        assertNobodyReplacesIt();
    }

    @Test
    void aTornRecordInAStickyDirectoryIsReplacedByItsOwnerOnceItIsOld() {
        record = new LockContent.Torn("cut");
        assertNobodyReplacesIt();
        ageMillis = 30_000;
        assertOnlyItsOwnerReplacesIt();
        record = new LockContent.NotALock("a directory");
        assertNobodyReplacesIt();
    }

    @Test
    void anExpiredRecordInAStickyDirectoryIsReplacedByItsOwnerUnlessItsProcessLives() {
        assumeProc(self);
        owners = List.of(List.of(0L), NOBODY);
        record = ours(4711, self.boot(), self.host(), "other", self.timeNamespace(), -7, true);
        assertOnlyItsOwnerReplacesIt();
        record = ours(self.pid(), -7, true);
        assertNobodyReplacesIt();
        record = ours(self.pid(), 20, true);
        assertNobodyReplacesIt();
        record = null;
        expiries = List.of(NOW - 1, 0L);
        assertThat(report().state()).isEqualTo(State.EXPIRED);
        assertNobodyReplacesIt();
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
        record = new LockContent.Foreign(self.pid(), now.minusSeconds(5), -1, 0);
        assertThat(needsPerson()).as("it should be over by now").isTrue();
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

    @Test
    void whatIsTornNeedsAPersonIfNothingTellsWhoseItIs() {
        record = new LockContent.Torn("cut");
        assertThat(needsPerson()).as("it is replaced once it is old enough").isFalse();
        record = new LockContent.Empty();
        targetExists = false;
        assertThat(needsPerson()).isTrue();
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

        expiries = List.of(NOW + 1, 0L);
        assertFacts(ProcessState.STOPPED, false, drawn);
        expiries = List.of(NOW, 0L);
        assertThat(report().state()).isEqualTo(State.EXPIRED);
        assertFacts(ProcessState.STOPPED, true, drawn);
        expiries = List.of(TableEntry.NEVER, 0L);
        assertFacts(ProcessState.STOPPED, true, drawn);
        expiries = List.of(0L, 0L);
        assertThat(report().facts().needsPerson()).as("frozen just as it took it: nobody gets in").isTrue();
        assertThat(report().facts().since()).as("it is just being taken").isAfter(drawn);
        owners = List.of(List.of(sleeping()), NOBODY);
        assertThat(report().facts().needsPerson()).isFalse();
        wasTaken = false;
        assertThat(report().facts().since()).as("nothing tells").isNull();
    }
}

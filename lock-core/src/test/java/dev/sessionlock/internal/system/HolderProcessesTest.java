package dev.sessionlock.internal.system;

import static org.assertj.core.api.Assertions.assertThat;

import dev.sessionlock.LockReport.ProcessState;
import dev.sessionlock.PastHold;
import dev.sessionlock.PastHold.Ending;
import dev.sessionlock.PastHold.HolderProcess;
import java.time.Duration;
import java.time.Instant;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;

/** The pid of a past hold is this JVM's. Whether the process is, too, its other facts tell. */
class HolderProcessesTest {
    private static final ProcessIdentity SELF = ProcessIdentity.current();
    /** No process has it: Linux has 4,194,304 at most. */
    private static final long NOBODYS = 5_000_000;

    private static PastHold hold(long pid, @Nullable HolderProcess process, Instant until) {
        return new PastHold("a", 1L, pid, SELF.host(), "t", null, null, until, Ending.MAX_HOLD, 1, null, Duration.ZERO, Duration.ZERO, process);
    }

    private static PastHold mine(HolderProcess process) {
        return hold(SELF.pid(), process, Instant.now());
    }

    private static HolderProcess with(long ticks, @Nullable String boot, @Nullable String pidNamespace, @Nullable String timeNamespace) {
        return HolderProcesses.of(ticks, null, boot, pidNamespace, timeNamespace);
    }

    private static void assertState(PastHold hold, ProcessState expected) {
        assertThat(HolderProcesses.stateNow(hold, true)).isEqualTo(expected);
    }

    @Test
    void theSameProcessLives() {
        assertState(mine(HolderProcesses.ofThis()), ProcessState.ALIVE);
        assertThat(HolderProcesses.stateNow(mine(HolderProcesses.ofThis()), false)).as("also in a database").isEqualTo(ProcessState.ALIVE);
        assertThat(HolderProcesses.isElsewhere(mine(HolderProcesses.ofThis()))).isFalse();
        assertThat(HolderProcesses.ofThis()).isSameAs(HolderProcesses.ofThis());
    }

    @Test
    void aProcessThatStartedAtAnotherTimeIsAnotherOne() {
        assertState(mine(with(SELF.startTicks() + 1, SELF.boot(), SELF.pidNamespace(), SELF.timeNamespace())), ProcessState.DEAD);
    }

    @Test
    void oneOfAnotherBootIsGoneUnlessItIsOfAnotherMachine() {
        PastHold hold = mine(with(SELF.startTicks(), "0badb007-1", SELF.pidNamespace(), SELF.timeNamespace()));
        assertState(hold, ProcessState.DEAD);
        assertThat(HolderProcesses.stateNow(hold, false)).isEqualTo(ProcessState.UNKNOWN);
        assertThat(HolderProcesses.stateNow(mine(with(SELF.startTicks(), null, SELF.pidNamespace(), SELF.timeNamespace())), false)).isEqualTo(ProcessState.UNKNOWN);
    }

    @Test
    void nobodyCanTellOfAnotherContainer() {
        for (long pid : new long[] {SELF.pid(), NOBODYS}) {
            PastHold hold = hold(pid, with(SELF.startTicks(), SELF.boot(), "1", SELF.timeNamespace()), Instant.now());
            assertState(hold, ProcessState.UNKNOWN);
            assertThat(HolderProcesses.isElsewhere(hold)).isTrue();
            assertState(hold(pid, with(SELF.startTicks(), SELF.boot(), null, SELF.timeNamespace()), Instant.now()), ProcessState.UNKNOWN);
        }
    }

    @Test
    void otherClocksDoNotCompareAndAbsenceStillTells() {
        HolderProcess process = with(SELF.startTicks(), SELF.boot(), SELF.pidNamespace(), "1");
        assertState(mine(process), ProcessState.UNKNOWN);
        assertState(hold(NOBODYS, process, Instant.now()), ProcessState.DEAD);
    }

    @Test
    void entriesOfEarlierVersionsAreGuessedByTheTimeOfTheHold() {
        assertState(hold(SELF.pid(), null, Instant.now()), ProcessState.ALIVE);
        assertState(hold(SELF.pid(), null, Instant.now().minus(Duration.ofDays(300))), ProcessState.DEAD);
        assertState(hold(NOBODYS, null, Instant.now()), ProcessState.DEAD);
    }

    @Test
    void nothingIsSaidOfOtherHosts() {
        PastHold hold = new PastHold("a", 1L, SELF.pid(), "no-such-host", "t", null, null, Instant.now(), Ending.MAX_HOLD, 1, null, null, null, HolderProcesses.ofThis());
        assertState(hold, ProcessState.UNKNOWN);
        assertThat(HolderProcesses.isElsewhere(hold)).isFalse();
    }
}

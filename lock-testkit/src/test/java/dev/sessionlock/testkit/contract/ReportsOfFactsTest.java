package dev.sessionlock.testkit.contract;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.catchThrowableOfType;

import dev.sessionlock.ClearOptions;
import dev.sessionlock.ClearReport;
import dev.sessionlock.LockOptions;
import dev.sessionlock.LockReport;
import dev.sessionlock.LockReport.ProcessState;
import dev.sessionlock.LockReport.State;
import dev.sessionlock.LockReport.Topic;
import dev.sessionlock.LockTimeoutException;
import dev.sessionlock.SessionLock;
import dev.sessionlock.SessionLocks;
import dev.sessionlock.testkit.contract.StateFileEngines.Fault;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** An engine of somebody else writes not one sentence, and reports, timeouts and clearing say all that they say of ours. */
class ReportsOfFactsTest {
    @TempDir
    private Path dir;

    private Path target() {
        return dir.resolve("session.jsonl");
    }

    private static SessionLocks open() {
        return SessionLocks.builder().over(new StateFileEngines(Fault.NONE)).build();
    }

    @Test
    void engineThatWritesNoSentenceIsReportedInFull() throws Exception {
        long pid = ProcessHandle.current().pid();
        try (SessionLocks mine = open(); SessionLocks other = open()) {
            assertThat(other.inspect(target()).evidence()).isEmpty();
            SessionLock held = mine.acquire(target());
            LockReport report = other.inspect(target());

            assertThat(report.state()).isEqualTo(State.HELD);
            assertThat(report.facts().process()).isEqualTo(ProcessState.ALIVE);
            assertThat(report.facts().needsPerson()).isFalse();
            assertThat(report.evidence()).hasSize(2).startsWith("pid " + pid + " runs: alive").last().asString().startsWith("lease runs; if the process freezes");
            assertThat(report.advice()).contains("withToken(" + held.token() + "L)");

            LockTimeoutException e = catchThrowableOfType(LockTimeoutException.class,
                    () -> other.acquire(target(), LockOptions.defaults().withTimeout(Duration.ofMillis(50))));
            assertThat(e).isNotNull().hasMessageContainingAll("session file locked (timeout 50ms): pid=" + pid + " alive=true ",
                    "\n  evidence  pid " + pid + " runs: alive", "\n  lease     runs; if the process freezes it runs out in ",
                    "\n  to free   wait, or ask it to let go");

            ClearReport refused = other.clear(target(), ClearOptions.dryRun()).get(0);
            assertThat(refused.outcome()).isEqualTo(ClearReport.Outcome.REFUSED);
            assertThat(refused.lock().sentences().get(0).topic()).isEqualTo(Topic.ACTION);
            assertThat(refused.lock().facts()).as("the facts stay").extracting(LockReport.Facts::process).isEqualTo(ProcessState.ALIVE);
            held.close();
        }
    }

    @Test
    void deadOwnerIsSeenByTheFactsOfItsEngine() throws Exception {
        Process ended = new ProcessBuilder("true").start();
        ended.waitFor();
        Files.writeString(dir.resolve("session.jsonl.row"), "held=1\npid=" + ended.pid() + "\ntoken=5\ntakeover=1\nuntil=" + Long.MAX_VALUE + "\n");
        try (SessionLocks locks = open()) {
            LockReport report = locks.inspect(target());

            assertThat(report.state()).isEqualTo(State.STALE);
            assertThat(report.isOwnerGone()).isTrue();
            assertThat(report.evidence()).containsExactly("pid " + ended.pid() + " does not exist: dead");
            assertThat(report.advice()).isEqualTo("nothing: the next acquisition replaces it");
            locks.acquire(target()).close();
        }
    }
}

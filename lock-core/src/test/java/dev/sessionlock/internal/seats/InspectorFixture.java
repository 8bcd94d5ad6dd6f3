package dev.sessionlock.internal.seats;

import dev.sessionlock.LockReport;
import dev.sessionlock.internal.directory.LockContent;
import dev.sessionlock.internal.directory.LockRecord;
import dev.sessionlock.internal.directory.LockSnapshot;
import dev.sessionlock.internal.directory.LockStore.Found;
import dev.sessionlock.internal.directory.StickyDirectory;
import dev.sessionlock.internal.system.ProcessIdentity;
import dev.sessionlock.internal.system.ProcessTable;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.function.Function;
import org.assertj.core.api.Assumptions;
import org.awaitility.Awaitility;
import org.junit.jupiter.api.AfterEach;

/** A lock as the inspection finds it. Processes are judged by the real process table. */
abstract class InspectorFixture {
    static final long NOW = TimeUnit.HOURS.toNanos(5);
    static final long NO_SUCH_PID = 999_999_999;
    static final long TOKEN = 1_770_617_943_000_001L;
    static final List<Long> NOBODY = List.of();
    final ProcessIdentity self = ProcessIdentity.current();
    LockContent record = null;
    LockContent takeover = null;
    List<List<Long>> owners = List.of(NOBODY, NOBODY);
    List<Long> expiries = List.of(0L, 0L);
    boolean comparable = true;
    boolean targetExists = true;
    boolean used = true;
    boolean wasTaken;
    long ageMillis = 12_000;
    long createdAt = 1_000;
    long maxHold = 60_000;
    final List<Process> started = new ArrayList<>();

    LockReport report() {
        return report(StickyDirectory::keeping);
    }

    LockReport report(Function<Path, StickyDirectory> keeping) {
        return Inspector.report(new LockSnapshot(Path.of("/sessions/a.jsonl"), found(record), found(takeover), owners, expiries, comparable, targetExists,
                used, wasTaken ? TOKEN : 0, NOW, self), new ProcessTable(), keeping);
    }

    Found found(LockContent content) {
        return content == null ? null : new Found(content, new Object(), ageMillis, 0);
    }

    LockContent ours(long pid, long leaseLeftSeconds, boolean takes) {
        return ours(pid, self.boot(), self.host(), self.pidNamespace(), self.timeNamespace(), leaseLeftSeconds, takes);
    }

    LockContent ours(long pid, String boot, String host, String pidns, String timens, long leaseLeftSeconds, boolean takes) {
        return new LockContent.Ours(new LockRecord(pid, createdAt, maxHold, pid == self.pid() ? self.startTicks() : pid < NO_SUCH_PID ? -1 : 1, "a.jsonl", 42, host, -1, boot, pidns,
                timens, "writer-1", "flush", takes, 30_000, 31_000, NOW + TimeUnit.SECONDS.toNanos(leaseLeftSeconds)));
    }

    static void assumeProc(ProcessIdentity self) {
        if (!self.seesItselfInProc()) {
            System.out.println("skipped: there is no /proc of this pid namespace");
        }
        Assumptions.assumeThat(self.seesItselfInProc()).as("/proc shows this process").isTrue();
    }

    static String evidence(LockReport report) {
        return String.join("; ", report.evidence());
    }

    @AfterEach
    void endWhatWasStarted() throws InterruptedException {
        for (Process process : started) {
            process.destroyForcibly().waitFor();
        }
    }

    /** {@return the pid of a process that sleeps} */
    long sleeping() throws IOException {
        Process process = new ProcessBuilder("sleep", "600").start();
        started.add(process);
        return process.pid();
    }

    /** {@return the pid of a process that is stopped} */
    long stopped() throws IOException, InterruptedException {
        long pid = sleeping();
        new ProcessBuilder("kill", "-STOP", String.valueOf(pid)).start().waitFor();
        Awaitility.await().atMost(Duration.ofSeconds(30)).until(() -> new ProcessTable().judge(pid, -1, null).isStopped());
        return pid;
    }
}

package dev.sessionlock.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import dev.sessionlock.LockOptions;
import dev.sessionlock.LockReport;
import dev.sessionlock.SessionLock;
import dev.sessionlock.SessionLocks;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.regex.Pattern;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** The tool in JVMs of its own; this JVM is the other process that wants the lock. */
class RunCommandTest {
    private static final LockOptions PATIENT = LockOptions.defaults().withTimeout(ToolProcess.PATIENCE);

    @TempDir
    private Path directory;
    @TempDir
    private Path scratch;

    private final SessionLocks locks = SessionLocks.create();

    @AfterEach
    void close() {
        locks.close();
    }

    private Path session() {
        return directory.resolve("session.jsonl");
    }

    private ToolProcess run(String script, String... options) throws IOException {
        return ToolProcess.start(scratch, arguments(script, options));
    }

    private String[] arguments(String script, String... options) {
        List<String> arguments = new java.util.ArrayList<>(List.of("run"));
        arguments.addAll(List.of(options));
        arguments.addAll(List.of(session().toString(), "--", "sh", "-c", script));
        return arguments.toArray(String[]::new);
    }

    private static void assumeThereIs(String program, String for_) {
        boolean there = Executables.find(program).exitCode() == 0;
        if (!there) {
            System.out.println("SKIPPED: no program '" + program + "' here: " + for_ + " is not tested");
        }
        Assumptions.assumeTrue(there, "no program '" + program + "': " + for_ + " is not tested");
    }

    /** A shell without job control makes its background processes ignore SIGINT, and their children inherit that. */
    private static void assumeSigintIsNotIgnored() throws IOException {
        Path status = Path.of("/proc/self/status");
        boolean ignored = Files.exists(status) && Files.readAllLines(status).stream()
                .anyMatch(line -> line.startsWith("SigIgn:") && (Long.parseUnsignedLong(line.substring(7).trim(), 16) & 2) != 0);
        if (ignored) {
            System.out.println("SKIPPED: the tests run with SIGINT ignored (in the background of a shell): SIGINT is not tested");
        }
        Assumptions.assumeFalse(ignored, "SIGINT is ignored here, so it is not tested");
    }

    private boolean isLocked() throws IOException {
        try (SessionLock mine = locks.tryAcquire(session()).orElse(null)) {
            return mine == null;
        }
    }

    @Test
    void jobHasOurStreamsItsArgumentsAndTheLockInItsEnvironment() throws Exception {
        String script = "read line; echo \"$line|$0|$*|$SESSIONLOCK_FILE|$SESSIONLOCK_TOKEN\"; "
                + "ls \"$SESSIONLOCK_FILE.lock\"; echo complaint >&2; exit 7";
        try (ToolProcess tool = ToolProcess.start(scratch, "run", "--purpose", "p", session().toString(), "--", "sh", "-c", script,
                "zero", "--timeout", "--", "@file", "-h")) {
            tool.type("typed\n");

            assertThat(tool.exitCode()).isEqualTo(7);
            String file = Pattern.quote(session().toString());
            assertThat(tool.out()).matches("typed\\|zero\\|--timeout -- @file -h\\|" + file + "\\|\\d{16}\n" + file + "\\.lock\n");
            assertThat(tool.err()).isEqualTo("complaint\n");
        }
        assertThat(directory.resolve("session.jsonl.lock")).doesNotExist();
        assertThat(isLocked()).isFalse();
    }

    @Test
    void jobThatASignalEndedGives128PlusItsNumber() throws Exception {
        try (ToolProcess tool = run("kill -USR1 $$")) {
            assertThat(tool.exitCode()).isEqualTo(128 + 10);
        }
    }

    @Test
    void lockThatIsNotToBeHadInTimeGives75AndSaysWhoHoldsIt() throws Exception {
        try (SessionLock mine = locks.acquire(session(), LockOptions.defaults().withPurpose("the test"))) {
            try (ToolProcess tool = run("echo ran", "--timeout", "200ms")) {
                assertThat(tool.exitCode()).isEqualTo(75);
                assertThat(tool.out()).isEmpty();
                assertThat(tool.err())
                        .startsWith("session file locked (timeout 200ms): pid=" + ProcessHandle.current().pid() + " alive=true ageMs=")
                        .contains("purpose \"the test\"", "--token " + mine.token())
                        .doesNotContain("\tat ");
            }
        }
    }

    @Test
    void sigtermReachesAllOfTheJobAndTheLockOutlastsIt() throws Exception {
        Path log = scratch.resolve("log");
        String grandchild = "trap \"sleep 1; echo grandchild-ended >> " + log + "; exit 0\" TERM; echo ready; while :; do sleep 0.05; done";
        try (ToolProcess tool = run("trap 'exit 3' TERM; sh -c '" + grandchild + "' & while :; do wait; done")) {
            tool.awaitOut("ready").signal("TERM");
            try (SessionLock mine = locks.acquire(session(), PATIENT)) {
                assertThat(log).as("written by what the job started before another process got the lock").hasContent("grandchild-ended");
                assertThat(mine.isHeld()).isTrue();
            }
            assertThat(tool.exitCode()).isEqualTo(3);
        }
    }

    @Test
    void everySignalGoesOnOnceAndNoThreadThatEndsTakesTheJobWithIt() throws Exception {
        assumeSigintIsNotIgnored();
        String script = "trap 'echo in''terrupted' INT; trap 'echo ter''minated; sleep 0.7; exit 5' TERM; echo ready; while :; do sleep 0.05; done";
        try (ToolProcess tool = run(script)) {
            tool.awaitOut("ready").signal("INT").awaitOut("interrupted").signal("TERM").awaitOut("terminated");
            assertThat(tool.exitCode()).isEqualTo(5);
            assertThat(tool.out()).isEqualTo("ready\ninterrupted\nterminated\n");
        }
    }

    @Test
    void whatTheJobLeftInTheBackgroundKeepsTheLock() throws Exception {
        Path log = scratch.resolve("log");
        assumeThereIs("setsid", "a job's daemon");
        Path end = scratch.resolve("end");
        String daemon = "while [ ! -e " + end + " ]; do sleep 0.05; done; sleep 0.2; echo daemon-ended > " + log;
        try (ToolProcess tool = run("setsid sh -c '" + daemon + "' & echo started; exit 4")) {
            tool.awaitOut("started").awaitErr("runs on");
            assertThat(isLocked()).isTrue();
            Files.createFile(end);
            try (SessionLock mine = locks.acquire(session(), PATIENT)) {
                assertThat(log).as("written by the daemon before another process got the lock").hasContent("daemon-ended");
                assertThat(mine.isHeld()).isTrue();
            }
            assertThat(tool.exitCode()).isEqualTo(4);
            assertThat(tool.err()).contains("the job has ended, but what it started runs on, and so the lock is kept: pid ");
        }
    }

    @Test
    void ctrlCReachesTheJobOnceAndItsTerminalIsItsOwn() throws Exception {
        assumeThereIs("script", "Ctrl-C at a terminal");
        assumeSigintIsNotIgnored();
        String script = "trap 'echo in''terrupted' INT; read word; echo \"read:$word\"; n=0; "
                + "while [ $n -lt 20 ]; do sleep 0.05; n=$((n+1)); done; exit 6";
        try (ToolProcess tool = ToolProcess.startOnTerminal(scratch, arguments(script))) {
            await().atMost(ToolProcess.PATIENCE).until(() -> Files.exists(directory.resolve("session.jsonl.lock")));
            tool.type("hello\n").awaitOut("read:hello").type("\u0003").awaitOut("interrupted");
            assertThat(tool.exitCode()).isEqualTo(6);
            assertThat(tool.out()).containsOnlyOnce("interrupted");
        }
    }

    @Test
    void jobAndWhatItStartedDieWithTheTool() throws Exception {
        try (ToolProcess tool = run("sleep 1000 & echo ready; sleep 1001")) {
            killAndExpectNothingLeft(tool.awaitOut("ready"));
        }
    }

    @Test
    void jobAndWhatItStartedDieWithTheToolAlsoWhereThereIsNoSetpriv() throws Exception {
        try (FewPrograms few = FewPrograms.in(scratch);
                ToolProcess tool = ToolProcess.startWithPath(few.searchPath(), scratch, arguments("sleep 1000 & echo ready; sleep 1001"))) {
            killAndExpectNothingLeft(tool.awaitOut("ready"));
        }
    }

    private void killAndExpectNothingLeft(ToolProcess tool) throws Exception {
        assertThat(tool.living()).hasSizeGreaterThanOrEqualTo(4); // the tool, the job, what it started, our helpers
        tool.signal("KILL");
        await("the end of the job and what it started").atMost(ToolProcess.PATIENCE).until(() -> tool.living().isEmpty());
        assertThat(isLocked()).isFalse();
    }

    @ParameterizedTest
    @ValueSource(strings = {"removed by hand", "asked to let go"})
    void lostLockEndsTheJobAndNobodyGetsInBeforeItHasEnded(String how) throws Exception {
        Path log = scratch.resolve("log");
        // Longer than the default grace of 2 s, which would let others in too early. With the default lease of 30 s: with 1 s a busy machine
        // sometimes starves the tool for a lease, and then others do get in.
        String script = "trap 'sleep 2.6; echo job-ended > " + log + "; exit 0' TERM; echo ready; while :; do sleep 0.05; done";
        try (ToolProcess tool = run(script)) {
            tool.awaitOut("ready");
            if (how.equals("removed by hand")) {
                Files.delete(directory.resolve("session.jsonl.lock"));
            } else {
                LockReport report = locks.inspect(session());
                Files.createFile(directory.resolve(".session-locks/release-" + report.owner().token()));
            }
            try (SessionLock mine = locks.acquire(session(), PATIENT)) {
                assertThat(log).as("written by the job before another process got the lock; %s", tool).hasContent("job-ended");
                assertThat(mine.isHeld()).isTrue();
            }
            assertThat(tool.exitCode()).isEqualTo(76);
            assertThat(tool.err()).contains("lost the lock", "SIGTERM").doesNotContain("\tat ");
        }
    }

    @Test
    void jobThatTakesTooLongIsEndedAtMaxHold() throws Exception {
        try (ToolProcess tool = run("echo ready; sleep 1000", "--max-hold", "300ms")) {
            assertThat(tool.exitCode()).isEqualTo(76);
            assertThat(tool.err()).contains("maxHold");
            await().atMost(ToolProcess.PATIENCE).until(() -> tool.living().isEmpty());
        }
    }

    /** The JDK finds no process there, not even its own child. */
    @Test
    void jobThatTakesTooLongIsEndedAlsoWhereThereIsNoProc() throws Exception {
        String hide = "mount -t tmpfs none /proc";
        Needs.program("unshare");
        Needs.check(new ProcessBuilder("unshare", "-m", "sh", "-c", hide).start().waitFor() == 0, "/proc cannot be hidden here");
        String lib = System.getProperty("java.home") + "/lib"; // the launcher and the linker learn its place from /proc
        String tool = "LD_LIBRARY_PATH=" + lib + ":" + lib + "/server exec "
                + ToolProcess.quoted("run", "--max-hold", "300ms", session().toString(), "--", "sleep", "1000");
        try (ToolProcess blind = ToolProcess.startScript(scratch, "exec unshare -m sh -c '" + hide + " && " + tool.replace("'", "'\\''") + "'")) {
            assertThat(blind.exitCode()).as("%s", blind).isEqualTo(76);
            await().atMost(ToolProcess.PATIENCE).until(() -> blind.living().isEmpty());
        }
    }

    @Test
    void toolThatWasFrozenPastItsLeaseFindsItLostAndEndsTheJob() throws Exception {
        try (ToolProcess tool = ToolProcess.startFrozen(scratch, session(), "1s", "--takeover")) {
            try (SessionLock mine = locks.acquire(session(), PATIENT)) {
                tool.signal("CONT");
                assertThat(tool.exitCode()).isEqualTo(76);
                assertThat(mine.isHeld()).isTrue();
            }
        }
    }

    @Test
    void jobThatIgnoresSigtermIsKilled() throws Exception {
        Job job = new Job(List.of("sh", "-c", "trap '' TERM; sleep 1000 & wait; sleep 1000"),
                Map.of(), false, Duration.ofMillis(300));
        CompletableFuture<Integer> exitCode = new CompletableFuture<>();
        Thread runner = new Thread(() -> {
            try {
                exitCode.complete(job.run(notice -> { }));
            } catch (IOException | InterruptedException e) {
                exitCode.completeExceptionally(e);
            }
        });
        runner.start();
        await().atMost(ToolProcess.PATIENCE).until(job::isRunning);
        job.end();
        assertThat(exitCode.get(60, TimeUnit.SECONDS)).isIn(128 + 9, 128 + 15); // 15 if it had not yet set its trap
    }

    @Test
    void signalBeforeTheJobHasStartedKeepsItFromStarting() throws Exception {
        Job job = new Job(List.of("sh", "-c", "echo started > " + scratch.resolve("log")),
                Map.of(), false, Duration.ZERO);
        job.pass("INT");
        assertThat(job.run(notice -> { })).isEqualTo(130);
        assertThat(scratch.resolve("log")).doesNotExist();
    }
}

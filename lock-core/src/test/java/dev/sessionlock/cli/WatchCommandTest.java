package dev.sessionlock.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.awaitility.Awaitility.await;

import dev.sessionlock.LockOptions;
import dev.sessionlock.LockTimeoutException;
import dev.sessionlock.SessionLock;
import dev.sessionlock.SessionLocks;
import dev.sessionlock.internal.directory.WaiterScanner;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The tool in a JVM of its own, on a pipe and on a terminal. */
class WatchCommandTest {
    private static final String DEAD = "{\"pid\":4000000000,\"createdAt\":\"2026-01-01T00:00:00.000Z\"}";
    private static final String TIME = "\\d{4}-\\d\\d-\\d\\dT\\d\\d:\\d\\d:\\d\\d(Z|[+-]\\d\\d:\\d\\d)  ";
    private static final String ENTER = "\u001b[?1049h\u001b[?25l";
    private static final String LEAVE = "\u001b[?25h\u001b[?1049l";

    @TempDir
    private Path directory;
    @TempDir
    private Path scratch;
    private final List<Process> stopped = new ArrayList<>();

    @AfterEach
    void endWhatWasStopped() throws InterruptedException {
        for (Process process : stopped) {
            process.destroyForcibly().waitFor();
        }
    }

    private String[] watch(String... more) {
        String[] args = new String[more.length + 4];
        System.arraycopy(more, 0, args, 3, more.length);
        args[0] = "watch";
        args[1] = "--interval";
        args[2] = "100ms";
        args[args.length - 1] = directory.toString();
        return args;
    }

    private ToolProcess holder(String name) throws IOException {
        return ToolProcess.start(scratch, "run", "--purpose", "pre-compaction flush", directory.resolve(name).toString(), "--",
                "sh", "-c", "echo holds; exec sleep 600");
    }

    // ---- on a pipe ----

    @Test
    void lineOnAPipeTellsWhenAnotherProcessTakesAndReleasesALock() throws Exception {
        try (ToolProcess watch = ToolProcess.startScript(scratch, ToolProcess.quoted(watch("--older-than", "1s")) + " | cat")) {
            try (ToolProcess holder = holder("session.jsonl").awaitOut("holds")) {
                watch.awaitOut("session.jsonl");
                watch.awaitOut("long        session.jsonl");
                holder.signal("TERM");
                holder.exitCode();
                watch.awaitOut("released    session.jsonl");
            }
            List<String> lines = watch.out().lines().toList();
            assertThat(lines).allMatch(line -> line.matches(TIME + ".*")).noneMatch(line -> line.contains("\u001b"));
            assertThat(lines.get(0)).matches(TIME + "(taken|held) {7,8}session.jsonl  pid \\d+ main, pre-compaction flush");
            assertThat(watch.err()).isEmpty();
        }
    }

    @Test
    void watchEndsQuietlyWhenNobodyReadsItAnyMore() throws Exception {
        Needs.check(Files.isSymbolicLink(Path.of("/proc/self/fd/1")), "no /proc/self/fd on this system");
        Files.writeString(directory.resolve("old.jsonl.lock"), DEAD);
        try (ToolProcess watch = ToolProcess.startScript(scratch, ToolProcess.quoted(watch()) + " | head -n 1")) {
            assertThat(watch.exitCode()).as(watch.toString()).isZero();
            assertThat(watch.out().lines()).hasSize(1).first().asString().matches(TIME + "foreign     old.jsonl  pid 4000000000");
            assertThat(watch.err()).isEmpty();
            await().atMost(ToolProcess.PATIENCE).until(() -> watch.living().isEmpty());
        }
    }

    @Test
    void helperOfAKilledWatchDoesNotKeepThePipeOpen() throws Exception {
        Path pid = scratch.resolve("pid");
        try (ToolProcess watch = ToolProcess.startScript(scratch,
                "sh -c 'echo $$ > \"$0\"; exec \"$@\"' '" + pid + "' " + ToolProcess.quoted(watch()) + " | cat; echo end")) {
            await().atMost(ToolProcess.PATIENCE).until(() -> watch.living().stream()
                    .anyMatch(process -> process.info().command().orElse("").endsWith("/tail")));
            ProcessHandle.of(Long.parseLong(Files.readString(pid).trim())).orElseThrow().destroyForcibly();
            watch.awaitOut("end");
        }
    }

    @Test
    void directoryThatIsRemovedEndsTheWatchAndIsNamed() throws Exception {
        Path inner = Files.createDirectory(directory.resolve("inner"));
        Path real = inner.toRealPath();
        Files.writeString(inner.resolve("old.jsonl.lock"), DEAD);
        try (ToolProcess watch = ToolProcess.start(scratch, "watch", "--interval", "100ms", inner.toString())) {
            watch.awaitOut("old.jsonl");
            Files.delete(inner.resolve("old.jsonl.lock"));
            Files.delete(inner);
            assertThat(watch.exitCode()).as(watch.toString()).isEqualTo(2);
            assertThat(watch.err().trim()).isEqualTo("sessionlock: " + real + " was removed while it was watched");
        }
    }

    @Test
    void signalEndsTheWatchWithItsCode() throws Exception {
        Files.writeString(directory.resolve("old.jsonl.lock"), DEAD);
        try (ToolProcess watch = ToolProcess.start(scratch, watch())) {
            assertThat(watch.awaitOut("old.jsonl").signal("TERM").exitCode()).isEqualTo(128 + 15);
            assertThat(watch.err()).isEmpty();
        }
    }

    @Test
    void directoriesBelowAreWatchedIfAsked() throws Exception {
        Path below = Files.createDirectories(directory.resolve("agents/main"));
        Files.writeString(below.resolve("old.jsonl.lock"), DEAD);
        Files.createDirectory(directory.resolve(".session-locks"));
        Files.writeString(directory.resolve(".session-locks/no.lock"), DEAD);
        Files.writeString(directory.resolve("yarn.lock"), "# yarn lockfile v1\n");
        try (ToolProcess watch = ToolProcess.start(scratch, watch("--recursive"))) {
            watch.awaitOut("agents/main/old.jsonl");
            assertThat(watch.out()).doesNotContain("no  ", "yarn");
        }
    }

    // ---- on a terminal ----

    /** {@return the last frame that is complete, without its colours} */
    private static List<String> frame(String out) {
        String[] frames = out.split("\u001b\\[H", -1);
        Matcher end = Pattern.compile("\u001b\\[J").matcher(frames[frames.length - 1]);
        String last = end.find() ? frames[frames.length - 1] : frames[frames.length - 2];
        return last.replaceAll("\u001b\\[J[\\s\\S]*", "").replaceAll("\u001b\\[[0-9;?]*[A-Za-z]", "").replace("\r", "").lines().toList();
    }

    @Test
    void tableOnATerminalShowsWhoHoldsAndWhoWaitsAndCtrlCRestoresTheTerminal() throws Exception {
        Needs.program("script");
        Needs.program("stty");
        Process foreign = new ProcessBuilder("sleep", "600").start();
        stopped.add(foreign);
        new ProcessBuilder("kill", "-STOP", String.valueOf(foreign.pid())).start().waitFor();
        Files.writeString(directory.resolve("old.jsonl.lock"), DEAD.replace("4000000000", String.valueOf(foreign.pid())));
        Needs.check(new ProcessBuilder("env", "--default-signal=INT", "true").start().waitFor() == 0,
                "no env --default-signal on this system");
        Path script = Files.writeString(scratch.resolve("script"), "trap : INT\nstty rows 12 cols 100\necho before $(stty -g)\n"
                + ToolProcess.quoted(watch()) + "\necho code $?\necho after $(stty -g)\n");
        // Where the build runs in the background of a shell, SIGINT is ignored.
        String withCtrlC = "exec env --default-signal=INT sh '" + script + "'";
        try (SessionLocks locks = SessionLocks.create();
                SessionLock held = locks.acquire(directory.resolve("session.jsonl"), LockOptions.defaults().withPurpose("flush"));
                ToolProcess watch = ToolProcess.startScriptOnTerminal(scratch, withCtrlC)) {
            watch.awaitOut("flush");
            try (ToolProcess waiter = ToolProcess.start(scratch, "run", "--timeout", "5m", directory.resolve("session.jsonl").toString(),
                    "--", "true")) {
                watch.awaitOut("1 waited for");
                assertThat(waiter.isAlive()).isTrue();
            }
            List<String> lines = frame(watch.out());
            assertThat(lines.get(0)).startsWith(directory + "  2 locked, 1 needs a person");
            assertThat(lines.get(2)).startsWith("!! ").contains("foreign  old.jsonl");
            assertThat(lines.get(3)).contains("held     session.jsonl  pid " + ProcessHandle.current().pid()).contains("flush");
            assertThat(watch.out()).contains(ENTER, "\u001b[1;31m!! ");

            watch.type("\u0003");
            watch.awaitOut("after ");
            assertThat(watch.exitCode()).isZero();
            String out = watch.out();
            assertThat(out).contains(LEAVE, "code 0");
            assertThat(out.indexOf(LEAVE)).isGreaterThan(out.lastIndexOf("\u001b[H"));
            Matcher modes = Pattern.compile("(?:before|after) ([0-9a-f:]+)").matcher(out);
            assertThat(modes.find()).isTrue();
            String before = modes.group(1);
            assertThat(modes.find()).isTrue();
            assertThat(modes.group(1)).isEqualTo(before);
            held.verifyHeld();
        }
    }

    @Test
    void tableFollowsTheSizeOfTheTerminalAndQEndsIt() throws Exception {
        Needs.program("script");
        Needs.program("stty");
        for (int i = 0; i < 20; i++) {
            Files.writeString(directory.resolve("session-with-a-long-name-" + i + ".jsonl.lock"), DEAD);
        }
        Path flag = scratch.resolve("flag");
        String script = "stty rows 12 cols 100; (while [ ! -e '" + flag + "' ]; do sleep 0.05; done; stty rows 6 cols 40 </dev/tty) & "
                + "export NO_COLOR=1; exec " + ToolProcess.quoted("watch", "--interval", "1h", directory.toString());
        try (ToolProcess watch = ToolProcess.startScriptOnTerminal(scratch, script)) {
            watch.awaitOut("and 11 more");
            Files.createFile(flag);
            watch.awaitOut("and 17 more");
            assertThat(frame(watch.out())).hasSize(6).allMatch(line -> line.length() <= 40);
            assertThat(watch.out()).doesNotContain("\u001b[1;");
            assertThat(watch.type("q").exitCode()).isZero();
            assertThat(watch.out()).endsWith(LEAVE);
        }
    }

    // ---- waiting processes ----

    @Test
    void processThatWaitsIsNamed() throws Exception {
        Path session = directory.resolve("session.jsonl");
        Needs.check(Files.isReadable(Path.of("/proc/locks")), "no /proc/locks on this system");
        try (SessionLocks locks = SessionLocks.create(); SessionLock held = locks.acquire(session)) {
            assertThat(waiters("session.jsonl")).isEmpty();
            try (ToolProcess waiter = ToolProcess.start(scratch, "run", "--timeout", "5m", session.toString(), "--", "true")) {
                await().atMost(ToolProcess.PATIENCE).until(() -> waiters("session.jsonl").equals(List.of(waiter.pid())));
                assertThat(waiters("other.jsonl")).isEmpty();
            }
            held.verifyHeld();
        }
    }

    /** Its thread stays blocked, and the kernel goes on listing it. */
    @Test
    void processThatGaveUpIsNotOneThatWaits() throws Exception {
        Path session = directory.resolve("session.jsonl");
        Needs.check(Files.isReadable(Path.of("/proc/locks")), "no /proc/locks on this system");
        try (ToolProcess holder = holder("session.jsonl").awaitOut("holds"); SessionLocks locks = SessionLocks.create()) {
            await().atMost(ToolProcess.PATIENCE).until(() -> { // on a busy machine it may give up before it waits in the kernel
                assertThatThrownBy(() -> locks.acquire(session, LockOptions.defaults().withTimeout(Duration.ofMillis(300))))
                        .isInstanceOf(LockTimeoutException.class);
                return thisProcessWaitsInTheKernel();
            });
            await().atMost(ToolProcess.PATIENCE).until(() -> waiters("session.jsonl").isEmpty());
            await().atMost(ToolProcess.PATIENCE).until(WatchCommandTest::thisProcessWaitsInTheKernel);
            assertThat(holder.isAlive()).isTrue();
        }
    }

    /** It sets a waiter mark, too, which says that it has only tried. */
    @Test
    void processThatTriesOnceIsNotOneThatWaits() throws Exception {
        Path session = directory.resolve("session.jsonl");
        try (ToolProcess holder = holder("session.jsonl").awaitOut("holds"); SessionLocks locks = SessionLocks.create()) {
            for (int i = 0; i < 20; i++) {
                assertThat(locks.tryAcquire(session)).isEmpty();
                assertThat(waiters("session.jsonl")).as("after try %d", i).isEmpty();
            }
            assertThat(holder.isAlive()).isTrue();
        }
    }

    private static boolean thisProcessWaitsInTheKernel() throws IOException {
        return Files.readString(Path.of("/proc/locks")).contains("-> POSIX  ADVISORY  WRITE " + ProcessHandle.current().pid() + " ");
    }

    private List<Long> waiters(String name) throws IOException {
        return WaiterScanner.in(directory.toRealPath()).of(name);
    }
}

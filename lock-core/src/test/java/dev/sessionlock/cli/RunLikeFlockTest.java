package dev.sessionlock.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import dev.sessionlock.LockOptions;
import dev.sessionlock.SessionLock;
import dev.sessionlock.SessionLocks;
import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Nested;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** {@code run} where people use flock(1), and beside processes of other users: the tool in JVMs of its own. */
class RunLikeFlockTest {
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

    private ToolProcess run(String... arguments) throws IOException {
        List<String> all = new ArrayList<>(List.of("run"));
        all.addAll(List.of(arguments));
        return ToolProcess.start(scratch, all.toArray(String[]::new));
    }

    private boolean isLocked() throws IOException {
        try (SessionLock mine = locks.tryAcquire(session()).orElse(null)) {
            return mine == null;
        }
    }

    @Nested
    class WhoBelongsToTheJob {
        /** As {@code nobody}, if the test may become that user. */
        @Test
        void isNotAnotherUsersProcessWithOurTokenInItsEnvironment() throws Exception {
            try (ToolProcess tool = run(session().toString(), "--", "sh", "-c", "echo token=$SESSIONLOCK_TOKEN.; read go")) {
                tool.awaitOut(".");
                Matcher token = Pattern.compile("token=(\\d+)").matcher(tool.out());
                assertThat(token.find()).isTrue();
                List<String> command = new ArrayList<>(List.of("sleep", "1000"));
                if (System.getProperty("user.name").equals("root") && Executables.find("setpriv").exitCode() == 0) {
                    command.addAll(0, List.of("setpriv", "--reuid", "65534", "--clear-groups"));
                }
                ProcessBuilder builder = new ProcessBuilder(command);
                builder.environment().put("SESSIONLOCK_TOKEN", token.group(1));
                builder.environment().put("SESSIONLOCK_FILE", session().toString());
                Process otherUsers = builder.start();
                try {
                    tool.type("go\n");
                    assertThat(tool.exitCode()).isZero();
                    assertThat(tool.err()).isEmpty();
                    assertThat(otherUsers.isAlive()).isTrue();
                } finally {
                    otherUsers.destroyForcibly().waitFor();
                }
            }
        }

        /**
         * Any user's process may show such an environment. It used up the tool's memory and that of the parent death guard, and the job never ended.
         */
        @Test
        void isFoundBesideAHugeEnvironmentOfAnotherUser() throws Exception {
            Needs.program("gcc");
            Needs.program("setsid");
            Path source = scratch.resolve("environment.c");
            try (InputStream in = RunLikeFlockTest.class.getResourceAsStream("/environment.c")) {
                Files.copy(in, source);
            }
            Path program = scratch.resolve("environment");
            assertThat(new ProcessBuilder("gcc", "-w", "-o", program.toString(), source.toString()).inheritIO().start().waitFor()).isZero();
            Process otherUsers = new ProcessBuilder(program.toString(), "300").start();
            try {
                Needs.check(otherUsers.inputReader().readLine().equals("ready"), "this kernel lets no process say where its environment is");
                Path pid = scratch.resolve("pid");
                try (ToolProcess tool = run(session().toString(), "--", "sh", "-c", "exit 3")) {
                    assertThat(tool.exitCode()).isEqualTo(3);
                    assertThat(tool.err()).isEmpty();
                }
                try (ToolProcess tool = run(session().toString(), "--", "sh", "-c", "setsid sleep 1000 & echo $! > " + pid + "; echo runs; sleep 1000")) {
                    tool.awaitOut("runs");
                    ProcessHandle daemon = ProcessHandle.of(Long.parseLong(Files.readString(pid).trim())).orElseThrow();
                    tool.signal("KILL");
                    await("the guardian").atMost(ToolProcess.PATIENCE).until(() -> !daemon.isAlive());
                }
                try (FewPrograms few = FewPrograms.in(scratch);
                        ToolProcess tool = ToolProcess.startWithPath(few.searchPath(), scratch, "run", session().toString(), "--", "sh", "-c",
                                "sleep 1000 & echo runs; sleep 1000")) {
                    tool.awaitOut("runs").signal("KILL");
                    await("the guardian with few programs").atMost(ToolProcess.PATIENCE).until(() -> tool.living().isEmpty());
                }
                assertThat(otherUsers.isAlive()).isTrue();
            } finally {
                otherUsers.destroyForcibly().waitFor();
            }
        }

        @Test
        void nobodyElseCanRead() throws Exception {
            try (ToolProcess tool = run(session().toString(), "--", "sh", "-c", "env; read go")) {
                tool.awaitOut("SESSIONLOCK_RUN_");
                Matcher mark = Pattern.compile("SESSIONLOCK_RUN_\\w+").matcher(tool.out());
                assertThat(mark.find()).isTrue();
                for (ProcessHandle process : tool.living()) {
                    assertThat(Files.readString(Path.of("/proc/" + process.pid() + "/cmdline"))).doesNotContain(mark.group());
                }
                assertThat(Files.readString(directory.resolve("session.jsonl.lock"))).doesNotContain(mark.group());
                tool.type("go\n");
                assertThat(tool.exitCode()).isZero();
            }
        }

        @Test
        void isTheDaemonOfARunWithinTheRun() throws Exception {
            Needs.program("setsid");
            Path end = scratch.resolve("end");
            String daemon = "while [ ! -e " + end + " ]; do sleep 0.05; done";
            String inner = ToolProcess.quoted("run", "--close", directory.resolve("inner").toString(), "--", "sh", "-c",
                    "setsid sh -c '" + daemon + "' & exit 0");
            try (ToolProcess tool = run(session().toString(), "--", "sh", "-c", inner + "; echo inner ended")) {
                tool.awaitOut("inner ended").awaitErr("runs on");
                assertThat(isLocked()).isTrue();
                Files.createFile(end);
                assertThat(tool.exitCode()).isZero();
            }
        }
    }

    @Nested
    class Close {
        @Test
        void givesTheLockBackWhenTheJobEndsAndLeavesItsDaemonAlone() throws Exception {
            Path pid = scratch.resolve("pid");
            try (ToolProcess tool = run("--close", session().toString(), "--", "sh", "-c", "sleep 1000 & echo $! > " + pid + "; exit 4")) {
                assertThat(tool.exitCode()).isEqualTo(4);
                assertThat(isLocked()).isFalse();
                assertThat(tool.living()).extracting(ProcessHandle::pid).containsExactly(Long.parseLong(Files.readString(pid).trim()));
            }
        }

        @Test
        void signalsAndDeathSpareWhatHasMadeItselfADaemon() throws Exception {
            Needs.program("setsid");
            Path pid = scratch.resolve("pid");
            String script = "setsid sh -c 'echo $$ > " + pid + "; exec sleep 1000' & sh -c 'trap \"echo had TERM\" TERM; while :; do sleep 0.05; done' & "
                    + "trap : TERM; while [ ! -s " + pid + " ]; do sleep 0.05; done; sleep 0.2; echo ready; while :; do sleep 0.05; done";
            try (ToolProcess tool = run("-o", session().toString(), "--", "sh", "-c", script)) {
                tool.awaitOut("ready").signal("TERM").awaitOut("had TERM");
                ProcessHandle daemon = ProcessHandle.of(Long.parseLong(Files.readString(pid).trim())).orElseThrow();
                assertThat(tool.living()).as("known by now, our guardian too").hasSizeGreaterThanOrEqualTo(4);
                tool.signal("KILL");
                await("the end of the job and of the guardian").atMost(ToolProcess.PATIENCE)
                        .until(() -> tool.living().stream().allMatch(left -> left.pid() == daemon.pid()));
                assertThat(tool.living()).extracting(ProcessHandle::pid).containsExactly(daemon.pid());
                assertThat(isLocked()).isFalse();
            }
        }

        @Test
        void waitsForTheWholeJobIfTheLockIsLost() throws Exception {
            Path log = scratch.resolve("log");
            String child = "trap \"sleep 1; echo child-ended > " + log + "; exit 0\" TERM; echo ready; while :; do sleep 0.05; done";
            try (ToolProcess tool = run("--close", session().toString(), "--", "sh", "-c", "sh -c '" + child + "' & wait")) {
                tool.awaitOut("ready");
                Files.delete(directory.resolve("session.jsonl.lock"));
                try (SessionLock mine = locks.acquire(session(), PATIENT)) {
                    assertThat(log).as("written by the child before another process got the lock").hasContent("child-ended");
                    assertThat(mine.isHeld()).isTrue();
                }
                assertThat(tool.exitCode()).isEqualTo(76);
            }
        }
    }

    @Nested
    class AStoppedTool {
        @Test
        void letsNoSecondJobInBesideTheFirst() throws Exception {
            try (ToolProcess first = ToolProcess.startFrozen(scratch, session(), "1s");
                    ToolProcess second = run("--timeout", "2500ms", session().toString(), "--", "echo", "ran")) {
                assertThat(second.exitCode()).isEqualTo(75);
                assertThat(second.out()).isEmpty();
                first.signal("KILL");
                try (SessionLock mine = locks.acquire(session(), PATIENT)) {
                    assertThat(mine.isHeld()).isTrue();
                }
            }
        }
    }

    @Nested
    class DescriptorsAboveTwo {
        private ToolProcess shell(String before, String job, String after) throws IOException {
            Needs.check(Files.isDirectory(Path.of("/proc/self/fdinfo")), "no /proc/PID/fdinfo here");
            String run = ToolProcess.quoted("run", session().toString(), "--", "sh", "-c", job);
            return ToolProcess.startScript(scratch, "cd " + scratch + "; " + before + "; " + run + "; " + after);
        }

        @Test
        void stayOpenAndAreWrittenToInOrder() throws Exception {
            String open = "exec 3>written 4>>appended 5>&1; echo 0 >&3; echo before > appended";
            String job = "echo 1 >&3; echo 1 >&4; echo to stdout >&5; echo 2 >&3";
            try (ToolProcess tool = shell(open, job, "echo 3 >&3; echo 3 >&4")) {
                assertThat(tool.exitCode()).as("%s", tool).isZero();
                assertThat(tool.err()).isEmpty();
                assertThat(scratch.resolve("written")).hasContent("0\n1\n2\n3\n");
                assertThat(scratch.resolve("appended")).hasContent("before\n1\n3\n");
                assertThat(tool.out()).isEqualTo("to stdout\n");
            }
        }

        @Test
        void areReadFromWhereTheyAreAndPipesEnd() throws Exception {
            String open = "printf 'one\\ntwo\\n' > file; exec 3<file; read line <&3; { echo piped; } | { exec 4<&0 </dev/null";
            try (ToolProcess tool = shell(open, "cat <&3; cat <&4", "}")) {
                assertThat(tool.exitCode()).as("%s", tool).isZero();
                assertThat(tool.out()).isEqualTo("two\npiped\n");
            }
        }

        @Test
        void areClosedWhereTheJobWouldBeAtAnotherPosition() throws Exception {
            String open = "printf 'one\\ntwo\\n' > file; exec 3<>file 4>start; read line <&3; echo longer >> start";
            try (ToolProcess tool = shell(open, "test -e /proc/self/fd/3 && echo open; echo x >&3; echo x >&4", "cat <&3")) {
                assertThat(tool.exitCode()).as("%s", tool).isZero();
                assertThat(tool.out()).isEqualTo("two\n");
                assertThat(scratch.resolve("start")).hasContent("longer\n");
                assertThat(tool.err()).containsIgnoringCase("bad file descriptor");
            }
        }
    }

    @Nested
    class Options {
        @ParameterizedTest
        @ValueSource(strings = {"-n", "-w 0.2"})
        void conflictExitCodeReplaces75(String wait) throws Exception {
            List<String> arguments = new ArrayList<>(List.of(wait.split(" ")));
            arguments.addAll(List.of("-E", "9", session().toString(), "-c", "echo ran"));
            try (SessionLock mine = locks.acquire(session()); ToolProcess tool = run(arguments.toArray(String[]::new))) {
                assertThat(tool.exitCode()).isEqualTo(9);
                assertThat(tool.err()).startsWith("session file locked (timeout ").contains("--token " + mine.token());
                assertThat(tool.out()).isEmpty();
            }
        }

        @Test
        void commandIsAShells() throws Exception {
            try (ToolProcess tool = run(session().toString(), "-c", "echo $((1 + 1)) | cat; exit 3")) {
                assertThat(tool.exitCode()).isEqualTo(3);
                assertThat(tool.out()).isEqualTo("2\n");
            }
        }
    }

    @Nested
    class Signals {
        @Test
        void goOnToTheJob() throws Exception {
            Needs.check(!SignalHooks.isIgnored("HUP"), "SIGHUP is ignored here (nohup), and so by all that is started here");
            try (ToolProcess tool = run(session().toString(), "--", "sh", "-c", "trap 'echo a-HUP' HUP; trap 'echo a-USR1' USR1; "
                    + "trap 'echo a-USR2; exit 5' USR2; echo ready; while :; do sleep 0.05; done")) {
                tool.awaitOut("ready");
                for (String signal : List.of("HUP", "USR1", "USR2")) {
                    tool.signal(signal).awaitOut("a-" + signal);
                }
                assertThat(tool.exitCode()).isEqualTo(5);
            }
        }

        @Test
        void thatWeWereStartedToIgnoreStayIgnored() throws Exception {
            String run = ToolProcess.quoted("run", session().toString(), "--", "sh", "-c", "echo ready; read go; exit 6");
            try (ToolProcess tool = ToolProcess.startScript(scratch, "trap '' HUP USR1 USR2; exec " + run)) {
                tool.awaitOut("ready").signal("HUP").signal("USR1").signal("USR2").type("go\n");
                assertThat(tool.exitCode()).isEqualTo(6);
            }
        }
    }
}

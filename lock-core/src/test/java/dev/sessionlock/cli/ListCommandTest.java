package dev.sessionlock.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import dev.sessionlock.LockOptions;
import dev.sessionlock.SessionLock;
import dev.sessionlock.SessionLocks;
import dev.sessionlock.cli.MainTest.Outcome;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.Nested;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class ListCommandTest {
    private static final String DEAD_FOREIGN = "{\"pid\":4000000000,\"createdAt\":\"2026-02-09T06:32:23.123Z\"}";

    @TempDir
    private Path directory;
    @TempDir
    private Path scratch;

    private Outcome list(String... options) {
        return Outcome.of(Stream.concat(Stream.concat(Stream.of("list"), Stream.of(options)), Stream.of(directory.toString()))
                .toArray(String[]::new));
    }

    @Test
    void nothingLockedIsZero() throws Exception {
        Files.writeString(directory.resolve("session.jsonl"), "x");
        assertThat(list()).isEqualTo(new Outcome(0, "no locks in " + directory + System.lineSeparator(), ""));
        assertThat(list("--json").out().trim()).isEqualTo("{\"version\":1,\"locks\":[]}");
        assertThat(list("--older-than", "0")).isEqualTo(new Outcome(0, "", ""));
        assertThat(directory.toFile().list()).containsExactly("session.jsonl");
    }

    /** Names, purposes and threads are of others, and may hold every word that our evidence and advice are made of. */
    @ParameterizedTest
    @ValueSource(strings = {"is stopped", "nothing", "nothing: others take over", "clear --yes", "x   # asks it to let go", "pid 7 does not exist: dead",
        "lease ran out", "another process waits for it", "kill -CONT 1"})
    void wordsOfOthersChangeNoExitCodeAndNoAdvice(String words) throws Exception {
        Path session = directory.resolve(words);
        String caller = Thread.currentThread().getName();
        Thread.currentThread().setName(words);
        try (SessionLocks locks = SessionLocks.create(); SessionLock lock = locks.acquire(session, LockOptions.defaults().withPurpose(words))) {
            Map<String, Object> held = JsonDocument.locks(list("--json").out()).get(0);
            assertThat(held).containsEntry("state", "HELD").containsEntry("needsPerson", false).containsEntry("waiting", 0L);
            assertThat(held.get("advice").toString()).startsWith("java -jar sessionlock.jar clear --token " + lock.token() + " --yes ")
                    .contains("   # asks it to let go; what it is busy with: jstack " + ProcessHandle.current().pid());
            assertThat(list().exitCode()).isZero();
            assertThat(list("--older-than", "1h")).isEqualTo(new Outcome(0, "", ""));
            assertThat(Outcome.of("status", session.toString()).exitCode()).isZero();
            assertThat(Outcome.of("clear", directory.toString()).out()).contains("its owner is not proven dead", "; pid " + ProcessHandle.current().pid() + " ",
                    "1 refused");
        } finally {
            Thread.currentThread().setName(caller);
        }
    }

    /** Root, and whoever looks with it, could lock; the gateway cannot. */
    @Test
    void folderThatItsOwnerMayNotUseIsNotAllWell() throws Exception {
        Path inner = Files.createDirectory(directory.resolve(".session-locks"));
        Files.setAttribute(inner, "unix:mode", 0500);
        for (String[] options : new String[][] {{}, {"--older-than", "1m"}, {"--recursive"}}) {
            Outcome outcome = list(options);
            assertThat(outcome.exitCode()).as("%s", outcome).isEqualTo(2);
            assertThat(outcome.err()).contains(inner + " has mode 500, so that not even its owner can lock here: chmod u+rwx " + inner);
        }
        Files.setAttribute(inner, "unix:mode", 0700);
        assertThat(list("--older-than", "1m")).isEqualTo(new Outcome(0, "", ""));
    }

    @Test
    void heldAndDeadForeignAndNonLocksExitZeroAndAreAligned() throws Exception {
        try (SessionLocks locks = SessionLocks.create();
                SessionLock lock = locks.acquire(directory.resolve("a"), LockOptions.defaults().withPurpose("evil\u001b[31m"))) {
            Outcome held = list();
            assertThat(held.exitCode()).isZero();
            List<String> lines = held.out().lines().toList();
            assertThat(lines).hasSize(3).allSatisfy(line -> assertThat(line).doesNotContain("\u001b"));
            assertThat(lines.get(1)).matches("held    \\d+ s   pid " + ProcessHandle.current().pid() + " on .*   a   \"evil\\\\u001b\\[31m\"");
            assertThat(lines.get(0).indexOf("FILE")).isEqualTo(lines.get(1).indexOf("a   \"evil"));
            assertThat(lines.get(2)).isEqualTo("1 lock in " + directory + ": 1 held");

            Files.writeString(directory.resolve("b.lock"), DEAD_FOREIGN);
            Files.writeString(directory.resolve("yarn.lock"), "# yarn lockfile v1\n");
            Outcome all = list();
            assertThat(all.exitCode()).as("nobody need do anything").isZero();
            assertThat(all.out()).contains("does not exist, if it shares our pid namespace: dead", "clear --yes", "   yarn.lock")
                    .endsWith("3 locks in " + directory + ": 1 held, 1 foreign, 1 not a lock" + System.lineSeparator());
            List<Map<String, Object>> json = JsonDocument.locks(list("--json").out());
            assertThat(json).extracting(it -> it.get("state")).containsExactly("HELD", "FOREIGN", "NOT_A_LOCK");
            assertThat(json.get(0)).containsEntry("token", lock.token()).containsEntry("pid", ProcessHandle.current().pid());
            lock.verifyHeld();
        }
    }

    /** It may be the lock of a session that was about to be created when the power was cut. Then nobody can ever create that session. */
    @Test
    void emptyFileOfWhichNothingTellsWhoseItIsIsNamedToCron() throws Exception {
        Path empty = Files.createFile(directory.resolve("new.jsonl.lock"));
        Files.setLastModifiedTime(empty, java.nio.file.attribute.FileTime.fromMillis(System.currentTimeMillis() - 3_600_000));
        assertThat(list("--older-than", "1h")).as("nothing was ever locked here").isEqualTo(new Outcome(0, "", ""));
        try (SessionLocks locks = SessionLocks.create()) {
            locks.acquire(directory.resolve("other")).close();
        }
        Outcome alarm = list("--older-than", "1h");
        assertThat(alarm.exitCode()).isEqualTo(1);
        assertThat(alarm.out()).contains("new.jsonl", "nobody can lock new.jsonl", "rm " + empty);
        assertThat(list().exitCode()).isEqualTo(1);
        Outcome status = Outcome.of("status", directory.resolve("new.jsonl").toString());
        assertThat(status.exitCode()).isEqualTo(1);
        assertThat(status.out()).contains("rm " + empty);
        Outcome cleared = Outcome.of("clear", "--yes", directory.resolve("new.jsonl").toString());
        assertThat(cleared.exitCode()).isEqualTo(1);
        assertThat(cleared.out()).contains("refused", "rm " + empty);
        assertThat(empty).exists();
    }

    @Test
    void whatIsOlderIsNamedAndOneAndAllElseIsSilent() throws Exception {
        Files.writeString(directory.resolve("yarn.lock"), "# yarn lockfile v1\n"); // holds nothing: no alarm
        try (SessionLocks locks = SessionLocks.create(); SessionLock lock = locks.acquire(directory.resolve("stuck.jsonl"))) {
            assertThat(list("--older-than", "1h")).isEqualTo(new Outcome(0, "", ""));
            await().until(() -> System.currentTimeMillis() - lock.acquiredAt().toEpochMilli() > 50);
            Outcome alarm = list("--older-than", "50ms");
            assertThat(alarm.exitCode()).isEqualTo(1);
            assertThat(alarm.out()).contains("stuck.jsonl", "to do", "--token " + lock.token(), "1 lock in ").doesNotContain("yarn");
            assertThat(JsonDocument.locks(list("--older-than", "50ms", "--json").out())).hasSize(1);
            assertThat(JsonDocument.locks(list("--older-than", "1h", "--json").out())).isEmpty();
        }
    }

    @Test
    void directoriesBelowAreListedOnRequestAndLinksNotFollowed() throws Exception {
        Path below = Files.createDirectories(directory.resolve("below/deep"));
        Files.writeString(below.resolve("b.lock"), DEAD_FOREIGN);
        Files.createSymbolicLink(directory.resolve("loop"), directory);
        assertThat(list().exitCode()).isZero();
        Outcome all = list("--recursive");
        assertThat(all.exitCode()).isZero();
        assertThat(all.out()).contains("   below/deep/b\n", "1 lock in " + directory + " and below: 1 foreign");
        assertThat(JsonDocument.locks(list("-r", "--json").out())).extracting(it -> it.get("target"))
                .containsExactly(below.toRealPath().resolve("b").toString());
    }

    @Test
    void directoryBelowThatMayNotBeReadIsTwoAndTheRestIsListed() throws Exception {
        Path closed = Files.createDirectories(directory.resolve("closed"));
        Files.writeString(directory.resolve("b.lock"), DEAD_FOREIGN);
        assertThat(closed.toFile().setReadable(false)).isTrue();
        boolean reads = Files.isReadable(closed);
        if (reads) {
            System.out.println("SKIPPED a test of a directory without permission: this user (root?) may read everything");
        }
        Assumptions.assumeFalse(reads, "this user may read everything");
        Outcome all = list("--recursive");
        assertThat(all.exitCode()).isEqualTo(2);
        assertThat(all.err()).contains("cannot look at " + closed);
        assertThat(all.out()).contains("foreign");
    }

    @Test
    void frozenHolderIsToldFromABusyOneAndFromADeadOne() throws Exception {
        Path session = directory.resolve("session.jsonl");
        try (ToolProcess holder = ToolProcess.start(scratch, "run", session.toString(), "--", "sh", "-c", "echo runs; sleep 100")) {
            holder.awaitOut("runs");
            assertThat(list().exitCode()).isZero();
            assertThat(JsonDocument.locks(list("--json").out()).get(0).get("advice").toString())
                    .startsWith("java -jar sessionlock.jar clear --token ").contains("jstack " + holder.pid());
        }
        try (ToolProcess holder = ToolProcess.startFrozen(scratch, session, "2s", "--takeover")) {
            await().atMost(ToolProcess.PATIENCE).until(() -> list().exitCode() == 1);
            assertThat(list().out()).contains("expired", "is stopped (state T", ": alive", "to do     kill -CONT " + holder.pid(),
                    "1 needs a person");

            holder.signal("KILL");
            await().atMost(ToolProcess.PATIENCE).until(() -> list().out().startsWith("STATE   AGE"));
            assertThat(list().exitCode()).as("the next acquisition replaces it").isZero();
            Map<String, Object> dead = JsonDocument.locks(list("--json").out()).get(0);
            assertThat(dead).containsEntry("state", "STALE").containsEntry("pid", holder.pid());
        }
    }

    @Test
    void thoseWhoWaitAreCountedAndNamed() throws Exception {
        Path session = directory.resolve("session.jsonl");
        LockOptions forLong = LockOptions.defaults().withLease(LockOptions.MAX_LEASE); // however slow the machine is
        try (SessionLocks locks = SessionLocks.create(); SessionLock lock = locks.acquire(session, forLong);
                SessionLock other = locks.acquire(directory.resolve("b"), forLong)) {
            assertThat(list().out()).doesNotContain("WAITING", "waited for");
            try (ToolProcess waiter = ToolProcess.start(scratch, "run", "--timeout", "10m", session.toString(), "--", "true")) {
                await().atMost(ToolProcess.PATIENCE).untilAsserted(() -> { // a waiter without a CPU does not renew its mark
                    List<String> lines = list().out().lines().toList();
                    assertThat(lines.get(0)).matches("STATE +AGE +BY +WAITING +FILE");
                    assertThat(lines.get(1)).endsWith("   b").doesNotMatch(".* 1 +b$");
                    assertThat(lines.get(2)).matches(".* 1 +session.jsonl");
                    assertThat(lines.get(3)).endsWith(": 2 held; 1 waited for");
                });
                await().atMost(ToolProcess.PATIENCE).until(() -> Outcome.of("status", session.toString()).out()
                        .contains("  waiting   1 process: pid " + waiter.pid()));
                await().atMost(ToolProcess.PATIENCE).untilAsserted(() -> {
                    Map<String, Object> json = JsonDocument.locks(list("--json").out()).get(1);
                    assertThat(json.get("waiting")).isEqualTo(1L);
                    assertThat(json.get("waiters")).isEqualTo(List.of(waiter.pid()));
                });
                lock.verifyHeld();
            }
            assertThat(other.isHeld()).isTrue();
        }
    }

    @Test
    void onATerminalItHasColourUnlessToldOtherwise() throws Exception {
        if (!Files.isExecutable(Path.of("/usr/bin/script"))) {
            System.out.println("SKIPPED a test on a terminal: there is no /usr/bin/script");
        }
        Assumptions.assumeTrue(Files.isExecutable(Path.of("/usr/bin/script")), "no /usr/bin/script");
        Files.writeString(directory.resolve("b.lock"), DEAD_FOREIGN);
        try (ToolProcess terminal = ToolProcess.startOnTerminal(scratch, "list", directory.toString())) {
            assertThat(terminal.exitCode()).isZero();
            assertThat(terminal.out()).contains("\u001b[").contains("foreign");
        }
        try (ToolProcess pipe = ToolProcess.start(scratch, "list", directory.toString())) {
            assertThat(pipe.exitCode()).isZero();
            assertThat(pipe.out()).doesNotContain("\u001b[").contains("foreign");
        }
    }

    /** Cron mails whatever is printed with {@code --older-than}, so only what somebody has to act on may be printed. */
    @Nested
    class ForCron {
        private static final Outcome SILENCE = new Outcome(0, "", "");

        private void assertThatNobodyIsCalled(String state) {
            assertThat(list("--older-than", "1ms")).isEqualTo(SILENCE);
            Outcome all = list();
            assertThat(all.out()).contains(state).doesNotContain("person");
            assertThat(all.exitCode()).isZero();
        }

        private void assertThatAPersonIsCalled(String advice) {
            for (Outcome call : List.of(list("--older-than", "1h"), list())) {
                assertThat(call.out()).contains(advice, "1 needs a person");
                assertThat(call.exitCode()).isEqualTo(1);
            }
        }

        @Test
        void deadForeignLockNeedsNobody() throws Exception {
            Files.writeString(directory.resolve("b.lock"), DEAD_FOREIGN);
            assertThatNobodyIsCalled("foreign");
            assertThat(Outcome.of("status", directory.resolve("b").toString()).exitCode()).isZero();
        }

        @Test
        void tornOneToo() throws Exception {
            Files.writeString(directory.resolve("b"), "x");
            Files.writeString(directory.resolve("b.lock"), "{\"pid\":12");
            assertThatNobodyIsCalled("torn");
        }

        @Test
        void whatADeadHolderLeftToo() throws Exception {
            Path session = directory.resolve("session.jsonl");
            try (ToolProcess holder = ToolProcess.start(scratch, "run", session.toString(), "--", "sh", "-c", "echo runs; sleep 100")) {
                holder.awaitOut("runs");
                holder.signal("KILL");
                await().atMost(ToolProcess.PATIENCE).until(() -> list().out().contains("stale"));
            }
            assertThatNobodyIsCalled("stale");
        }

        @Test
        void whatIsNoLockCallsSomebodyOnlyWhereItShutsOutThoseWhoLockedBefore() throws Exception {
            Path session = Files.writeString(directory.resolve("session.jsonl"), "x");
            Path inTheWay = Files.createDirectory(directory.resolve("session.jsonl.lock"));
            assertThatNobodyIsCalled("not a lock");
            Files.delete(inTheWay);
            try (SessionLocks locks = SessionLocks.create()) {
                locks.acquire(session).close();
            }
            Files.createDirectory(inTheWay);
            assertThatAPersonIsCalled("nobody can lock session.jsonl");
        }

        @Test
        void frozenHolderWithoutTakeoverNeedsAPerson() throws Exception {
            try (ToolProcess holder = ToolProcess.startFrozen(scratch, directory.resolve("session.jsonl"), "30s", "--no-takeover")) {
                assertThatAPersonIsCalled("kill -CONT " + holder.pid());
            }
        }

        @Test
        void frozenForeignLockNeedsAPerson() throws Exception {
            Needs.check(Files.exists(Path.of("/proc/self/stat")), "no /proc");
            Process foreign = new ProcessBuilder("sleep", "600").start();
            try {
                Files.writeString(directory.resolve("b.lock"), "{\"pid\":" + foreign.pid() + ",\"createdAt\":\"" + Instant.now() + "\"}");
                assertThat(list("--older-than", "1h")).isEqualTo(SILENCE);
                assertThat(list("--older-than", "1ms").exitCode()).as("it lives, and is older").isEqualTo(1);
                new ProcessBuilder("kill", "-STOP", String.valueOf(foreign.pid())).start().waitFor();
                await().atMost(ToolProcess.PATIENCE).until(() -> list().exitCode() == 1);
                assertThatAPersonIsCalled("kill -CONT " + foreign.pid());
            } finally {
                foreign.destroyForcibly().waitFor();
            }
        }
    }

    @Test
    void manyLocksAreReadWithAFewLooksAtTheKernelAndOneAtTheirProcess() throws Exception {
        Needs.program("strace");
        int many = 200;
        Path calls = scratch.resolve("calls");
        try (SessionLocks locks = SessionLocks.create()) {
            List<SessionLock> held = new ArrayList<>();
            for (int i = 0; i < many; i++) {
                held.add(locks.acquire(directory.resolve("s" + i), LockOptions.defaults().withLease(LockOptions.MAX_LEASE)));
            }
            try (ToolProcess tool = ToolProcess.startScript(scratch,
                    "exec strace -f -qq -e trace=openat -o " + calls + " " + ToolProcess.quoted("list", directory.toString()))) {
                assertThat(tool.exitCode()).isZero();
                assertThat(tool.out()).contains(many + " locks in ");
            }
            held.forEach(SessionLock::close);
        }
        String holder = "/proc/" + ProcessHandle.current().pid() + "/stat";
        List<String> opened = Files.readAllLines(calls);
        assertThat(opened).filteredOn(call -> call.contains("s199.lock")).isNotEmpty();
        assertThat(opened).filteredOn(call -> call.contains("\"/proc/locks\"")).hasSizeBetween(1, 10); // of two times five rounds, usually in one
        assertThat(opened).filteredOn(call -> call.contains(holder)).hasSizeBetween(1, 2);
    }
}

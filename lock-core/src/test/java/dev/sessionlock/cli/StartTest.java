package dev.sessionlock.cli;

import static org.assertj.core.api.Assertions.assertThat;

import dev.sessionlock.SessionLock;
import dev.sessionlock.SessionLocks;
import dev.sessionlock.cli.MainTest.Outcome;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** A plain question gets the same answer as from picocli's commands. In a JVM of its own, which the answer ends. */
class StartTest {
    @TempDir
    private Path directory;

    private void assertSame(String... args) throws Exception {
        Outcome byPicocli = Outcome.of(args);
        try (ToolProcess tool = ToolProcess.start(directory, args)) {
            int exitCode = tool.exitCode();
            assertThat(new Outcome(exitCode, tool.out(), tool.err())).isEqualTo(byPicocli);
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"free.jsonl", "dead.jsonl", "dead.jsonl.lock", "yarn", "nothing", "no/such", "", "..", "--json free.jsonl", "--json yarn",
        "--json no/such", "free.jsonl --json", "--jsno free.jsonl", "-h", "--json", "free.jsonl dead.jsonl", "--"})
    void statusIsTheSame(String words) throws Exception {
        Files.writeString(directory.resolve("free.jsonl"), "x");
        Files.writeString(directory.resolve("dead.jsonl.lock"), "{\"pid\":4000000000,\"createdAt\":\"2026-02-09T06:32:23.123Z\",\"v\":2}");
        Files.writeString(directory.resolve("yarn.lock"), "# yarn lockfile v1\n");
        List<String> args = new ArrayList<>(List.of("status"));
        for (String word : words.split(" ", -1)) {
            args.add(word.isEmpty() || word.startsWith("-") ? word : directory.resolve(word).toString());
        }
        assertSame(args.toArray(String[]::new));
    }

    @Test
    void statusOfAHeldLockIsAnswered() throws Exception {
        Path session = directory.resolve("session.jsonl");
        try (SessionLocks locks = SessionLocks.create(); SessionLock lock = locks.acquire(session);
                ToolProcess tool = ToolProcess.start(directory, "status", session.toString())) {
            assertThat(tool.exitCode()).isZero();
            assertThat(tool.out()).contains(session + ": held", "held by   pid " + ProcessHandle.current().pid(), "token     " + lock.token());
        }
    }
}

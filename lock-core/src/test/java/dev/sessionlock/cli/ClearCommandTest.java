package dev.sessionlock.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import dev.sessionlock.SessionLock;
import dev.sessionlock.SessionLocks;
import dev.sessionlock.cli.MainTest.Outcome;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class ClearCommandTest {
    private static final String DEAD_FOREIGN = "{\"pid\":4000000000,\"createdAt\":\"2026-02-09T06:32:23.123Z\"}";

    @TempDir
    private Path directory;
    @TempDir
    private Path scratch;

    private Path session() {
        return directory.resolve("session.jsonl");
    }

    private static Outcome clear(Object... args) {
        return Outcome.of(Stream.concat(Stream.of("clear"), Stream.of(args).map(Object::toString)).toArray(String[]::new));
    }

    private static String token(Path session) {
        return JsonDocument.locks(Outcome.of("status", "--json", session.toString()).out()).get(0).get("token").toString();
    }

    @Test
    void nothingToClearIsZero() throws Exception {
        assertThat(clear("--yes", session())).isEqualTo(
                new Outcome(0, session() + ": free; there is nothing to clear, and no file of that name" + System.lineSeparator(), ""));
        Files.writeString(session(), "x");
        assertThat(clear("--yes", session()))
                .isEqualTo(new Outcome(0, session() + ": free; there is nothing to clear" + System.lineSeparator(), ""));
        assertThat(clear(directory)).isEqualTo(new Outcome(0, "no locks in " + directory + System.lineSeparator(), ""));
        assertThat(JsonDocument.cleared(clear("--json", session()).out())).isEmpty();
        assertThat(directory).isDirectoryContaining(path -> path.equals(session()));
    }

    @Test
    void deadLockIsClearedAfterADryRunThatWritesNothing() throws Exception {
        Files.writeString(directory.resolve("session.jsonl.lock"), DEAD_FOREIGN);

        Outcome dry = clear(session());
        assertThat(dry.exitCode()).isZero();
        assertThat(dry.out()).startsWith(session() + ": would clear").contains("  because   it would be removed: its owner is gone",
                "dry run: nothing was written; with --yes it is done");
        assertThat(JsonDocument.cleared(clear("--json", session()).out())).extracting(it -> it.get("outcome")).containsExactly("would-clear");
        assertThat(directory.toFile().list()).containsExactly("session.jsonl.lock");

        Outcome done = clear("--yes", directory.resolve("session.jsonl.lock"));
        assertThat(done.exitCode()).isZero();
        assertThat(done.out()).startsWith(session() + ": cleared").contains("it was removed: another program's lock").doesNotContain("to do");
        assertThat(directory.resolve("session.jsonl.lock")).doesNotExist();
    }

    @Test
    void aDirectoryAtOnceClearsTheDeadAndSaysWhatItRefused() throws Exception {
        for (String dead : List.of("a", "b")) {
            Files.writeString(directory.resolve(dead + ".lock"), DEAD_FOREIGN);
        }
        Files.writeString(directory.resolve("yarn.lock"), "# yarn lockfile v1\n");
        try (SessionLocks locks = SessionLocks.create(); SessionLock lock = locks.acquire(session())) {
            List<Map<String, Object>> dry = JsonDocument.cleared(clear("--json", directory).out());
            assertThat(dry).extracting(it -> it.get("outcome")).containsExactly("would-clear", "would-clear", "refused", "refused");
            assertThat(clear(directory).out().lines().toList()).as("whether its owner lives, and not whose it is")
                    .anyMatch(line -> line.startsWith("would clear   a               it would be removed: its owner is gone; pid 4000000000 does not exist"));
            Outcome done = clear("--yes", directory);
            assertThat(done.exitCode()).isEqualTo(1);
            assertThat(done.out().lines().toList()).anyMatch(line -> line.startsWith("cleared   a               it was removed: "))
                    .anyMatch(line -> line.startsWith("refused   session.jsonl   nothing was done: its owner is not proven dead"))
                    .anyMatch(line -> line.startsWith("refused   yarn.lock       nothing was done: it is not a lock"))
                    .endsWith("2 cleared, 2 refused");
            assertThat(directory.toFile().list()).containsExactlyInAnyOrder(".session-locks", "session.jsonl.lock", "yarn.lock");
            lock.verifyHeld();
        }
    }

    /** The sentence that ends with this name is not the one that says whether the owner lives. */
    @Test
    void nameOfAFileIsNotTakenForAJudgementOfItsOwner() throws Exception {
        try (SessionLocks locks = SessionLocks.create()) {
            locks.acquire(session()).close(); // from now on locks are taken here
        }
        Files.createFile(directory.resolve("is stopped: alive.lock"));
        Outcome refused = clear(directory);
        assertThat(refused.exitCode()).isEqualTo(1);
        assertThat(refused.out().lines().toList()).anyMatch(line -> line.startsWith("refused   is stopped: alive   nothing was done: it may still be being "
                + "written, or be another program's; the lock file is empty, and nothing tells whose it is"));
    }

    @Test
    void runningJobIsAskedByItsTokenAndLetsGo() throws Exception {
        try (ToolProcess holder = ToolProcess.start(scratch, "run", session().toString(), "--", "sh", "-c", "echo runs; sleep 100")) {
            holder.awaitOut("runs");
            assertThat(clear("--yes", session()).exitCode()).isEqualTo(1);
            assertThat(clear("--yes", "--token", "5", session()).out()).contains("refused", "not the one of token 5");
            String token = token(session());
            assertThat(clear("--token", token, session()).out()).contains("would clear", "would be asked to let go");

            Outcome done = clear("--yes", "--timeout", "30s", "--token", token, session());
            assertThat(done.exitCode()).isZero();
            assertThat(done.out()).startsWith(session() + ": released").contains("pid " + holder.pid() + " was asked, and let go after");
            assertThat(holder.exitCode()).isEqualTo(76);
        }
    }

    @Test
    void frozenHolderCannotAnswerAndTheRequestIsTakenBack() throws Exception {
        try (ToolProcess holder = ToolProcess.start(scratch, "run", session().toString(), "--", "sh", "-c", "echo runs; sleep 100")) {
            holder.awaitOut("runs");
            String token = token(session());
            holder.signal("STOP");
            await().atMost(ToolProcess.PATIENCE)
                    .until(() -> Outcome.of("status", session().toString()).out().contains("is stopped (state T"));
            Outcome refused = clear("--yes", "--timeout", "1s", "--token", token, session());
            assertThat(refused.exitCode()).isEqualTo(1);
            assertThat(refused.out()).startsWith(session() + ": refused").contains("did not answer within 1.0 s", "frozen cannot answer",
                    "to do     kill -CONT " + holder.pid());
            assertThat(directory.resolve(".session-locks/release-" + token)).doesNotExist();
            assertThat(directory.resolve("session.jsonl.lock")).exists();

            holder.signal("KILL");
            await().atMost(ToolProcess.PATIENCE).until(() -> clear(session()).exitCode() == 0);
            assertThat(JsonDocument.cleared(clear("--yes", "--json", "--token", token, session()).out()))
                    .extracting(it -> it.get("outcome")).containsExactly("cleared");
        }
    }
}

package dev.sessionlock.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.sessionlock.cli.MainTest.Outcome;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** What an operator gets who names the wrong thing, may not look, or has no room for the answer: what happened, and what to do. */
class MistakesTest {
    /** Even root needs permission then. */
    private static final String UNPRIVILEGED = "exec setpriv --bounding-set=-all --inh-caps=-all -- ";

    @TempDir
    private Path directory;
    @TempDir
    private Path scratch;

    @AfterEach
    void open() throws Exception {
        Path closed = directory.resolve("closed");
        if (Files.exists(closed)) {
            Files.setPosixFilePermissions(closed, PosixFilePermissions.fromString("rwx------"));
        }
    }

    private Path closed() throws Exception {
        Needs.program("setpriv");
        Path closed = Files.createDirectory(directory.resolve("closed"));
        Files.setPosixFilePermissions(closed, PosixFilePermissions.fromString("---------"));
        return closed;
    }

    private ToolProcess unprivileged(String... args) throws Exception {
        return ToolProcess.startScript(scratch, UNPRIVILEGED + ToolProcess.quoted(args));
    }

    @ParameterizedTest
    @ValueSource(strings = {"", "/session.jsonl"})
    void historyThatMayNotBeReadIsNotAnEmptyOne(String file) throws Exception {
        Path closed = closed();
        try (ToolProcess history = unprivileged("history", closed + file)) {
            assertThat(history.exitCode()).as(history.toString()).isEqualTo(2);
            assertThat(history.err()).startsWith("sessionlock: cannot look at " + closed).contains("no permission for " + closed).hasLineCount(1);
            assertThat(history.out()).isEmpty();
        }
    }

    @Test
    void refusalNamesTheDirectoryThatIsClosed() throws Exception {
        Path closed = closed();
        try (ToolProcess run = unprivileged("run", closed.resolve("session.jsonl").toString(), "--", "true")) {
            assertThat(run.exitCode()).as(run.toString()).isEqualTo(2);
            assertThat(run.err()).contains("no permission for " + closed + ";").doesNotContain("SESSION-LOCKS");
        }
    }

    @Test
    void demoSaysInPlainWordsWhereItMayNotPlay() throws Exception {
        Path closed = closed();
        try (ToolProcess demo = unprivileged("demo", "--dir", closed.toString())) {
            assertThat(demo.exitCode()).as(demo.toString()).isEqualTo(2);
            assertThat(demo.err()).isEqualTo("sessionlock: cannot make a directory in " + closed + ": no permission; name another place: --dir D"
                    + System.lineSeparator());
        }
    }

    @Test
    void historyOfAMistypedNameSaysThatThereIsNoSuchFile() {
        Path nope = directory.resolve("nope.jsonl");

        Outcome outcome = Outcome.of("history", nope.toString());

        assertThat(outcome.exitCode()).isZero();
        assertThat(outcome.out()).contains("No past holds are known").contains("There is no file of that name: " + nope);
    }

    @Test
    void statusOfADeviceSaysThatItCannotBeLocked() {
        Outcome outcome = Outcome.of("status", "/dev/null");

        assertThat(outcome.out()).contains("/dev/null: free", "it is a FIFO, socket or device, and only files are locked");
    }

    @Test
    void pageInThePlaceOfADirectorySaysWhatToName() {
        Outcome outcome = Outcome.of("why", "--html", directory.toString(), directory.resolve("session.jsonl").toString());

        assertThat(outcome.exitCode()).isEqualTo(2);
        assertThat(outcome.err()).contains("cannot write " + directory + ": it is a directory; name a file in it");
    }

    @ParameterizedTest
    @ValueSource(strings = {"status", "list", "history", "why"})
    void answerThatCannotBeWrittenIsTwo(String command) throws Exception {
        assumeTrue(Files.exists(Path.of("/dev/full")), "no /dev/full");
        try (ToolProcess tool = ToolProcess.startScript(scratch, ToolProcess.quoted(command, directory.toString()) + " > /dev/full")) {
            assertThat(tool.exitCode()).as(tool.toString()).isEqualTo(2);
            assertThat(tool.err()).isEqualTo("sessionlock: could not write the answer to stdout: No space left on device" + System.lineSeparator());
        }
    }

    @Test
    void databaseThatCannotBeReachedIsNamedInPlainWords() {
        Outcome outcome = Outcome.of("run", "--timeout", "50ms", "--jdbc", "jdbc:postgresql://localhost:1/gateway?user=ops", "session-4711", "--", "true");

        assertThat(outcome.exitCode()).isEqualTo(75);
        assertThat(outcome.err()).startsWith("session file locked (timeout 50ms): pid=unknown session-4711")
                .contains("who holds it cannot be told: cannot lock session-4711: the database could not be reached").doesNotContain("Exception");
    }

    @Test
    void readerThatHasGoneIsNoError() throws Exception {
        for (int i = 0; i < 50; i++) {
            Files.writeString(directory.resolve("a long name of a session, number " + i + ".jsonl.lock"), "{\"pid\":1}");
        }
        String list = ToolProcess.quoted("list", directory.toString());
        try (ToolProcess tool = ToolProcess.startScript(scratch, "{ " + list + "; echo \"exit code $?\" >&2; } | true")) {
            assertThat(tool.exitCode()).isZero();
            await().atMost(ToolProcess.PATIENCE).untilAsserted(() -> assertThat(tool.err()).isEqualTo("exit code 0" + System.lineSeparator()));
        }
    }
}

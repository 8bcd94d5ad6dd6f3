package dev.sessionlock.cli;

import static org.assertj.core.api.Assertions.assertThat;

import dev.sessionlock.LockOptions;
import dev.sessionlock.LockOwner;
import dev.sessionlock.LockReport;
import dev.sessionlock.LockReport.Facts;
import dev.sessionlock.LockReport.ProcessState;
import dev.sessionlock.LockReport.State;
import dev.sessionlock.SessionLock;
import dev.sessionlock.SessionLocks;
import dev.sessionlock.cli.MainTest.Outcome;
import java.io.PrintWriter;
import java.io.Writer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

class StatusCommandTest {
    private static final long NOBODY = 4_000_000_000L; // beyond any pid

    @TempDir
    private Path directory;

    private Path session() {
        return directory.resolve("session.jsonl");
    }

    private static Outcome status(Object... args) {
        return Outcome.of(("status " + String.join(" ", List.of(args).stream().map(Object::toString).toList())).split(" "));
    }

    @Test
    void freeLockIsZero() {
        assertThat(status(session())).isEqualTo(new Outcome(0, session() + ": free" + System.lineSeparator()
                + "  evidence  there is no file of that name, and nothing tells of a lock" + System.lineSeparator(), ""));
        assertThat(status("--json", session()).out().trim()).isEqualTo("{\"version\":1,\"locks\":[{\"lock\":\"" + session() + ".lock\","
                + "\"target\":\"" + session() + "\",\"state\":\"FREE\",\"pid\":null,\"host\":null,\"since\":null,\"ageMs\":null,"
                + "\"token\":null,\"leaseUntil\":null,\"evidence\":[\"there is no file of that name, and nothing tells of a lock\"],\"advice\":null,"
                + "\"needsPerson\":false,\"waiting\":0,\"waiters\":[]}]}");
        assertThat(directory).isEmptyDirectory();
    }

    @Test
    void mistypedNameIsToldTheOneThatMayBeMeant() throws Exception {
        Files.writeString(session(), "x");
        assertThat(status(session())).isEqualTo(new Outcome(0, session() + ": free" + System.lineSeparator(), ""));
        assertThat(status(directory.resolve("sesion.jsonl")).out()).startsWith(directory.resolve("sesion.jsonl") + ": free")
                .contains("there is no file of that name", "  to do     java -jar sessionlock.jar status " + session() + "   # did you mean this one?");
        assertThat(status(directory.resolve("something-else")).out()).contains("no file of that name").doesNotContain("did you mean");
        Files.delete(session());
        try (SessionLocks locks = SessionLocks.create(); SessionLock lock = locks.acquire(session())) {
            assertThat(status(directory.resolve("sessoin.jsonl")).out()).as("one that is locked and yet to be made").contains("status " + session());
            assertThat(status(session()).out()).contains("token     " + lock.token()).doesNotContain("no file of that name");
        }
    }

    @Test
    void directoryIsListedNotLocked() throws Exception {
        Path sessions = Files.createDirectory(directory.resolve("my sessions"));
        assertThat(Outcome.of("status", sessions.toString())).isEqualTo(new Outcome(0, sessions + ": free" + System.lineSeparator()
                + "  evidence  it is a directory, and only files are locked" + System.lineSeparator()
                + "  to do     java -jar sessionlock.jar list '" + sessions + "'" + System.lineSeparator(), ""));
    }

    @Test
    void linkInThePlaceOfOurFolderIsTroubleForAllThatLook() throws Exception {
        Path elsewhere = Files.createDirectory(directory.resolve("elsewhere"));
        Files.createSymbolicLink(directory.resolve(".session-locks"), elsewhere);
        for (String[] command : new String[][] {{"status", session().toString()}, {"list", directory.toString()}, {"clear", session().toString()},
            {"clear", directory.toString()}, {"run", session().toString(), "--", "true"}}) {
            Outcome outcome = Outcome.of(command);
            assertThat(outcome.exitCode()).as("%s: %s", List.of(command), outcome).isEqualTo(2);
            assertThat(outcome.err()).contains(".session-locks is not a directory");
        }
        assertThat(elsewhere).isEmptyDirectory();
    }

    @Test
    void heldLockTellsWhoSinceWhenAndWhatToDo() throws Exception {
        long self = ProcessHandle.current().pid();
        try (SessionLocks locks = SessionLocks.create();
                SessionLock lock = locks.acquire(session(), LockOptions.defaults().withPurpose("say \"hi\""))) {
            Outcome text = status(session());
            assertThat(text.exitCode()).isZero();
            assertThat(text.out().lines().toList())
                    .anyMatch(line -> line.equals(session() + ": held"))
                    .anyMatch(line -> line.startsWith("  held by   pid " + self + " on "))
                    .anyMatch(line -> line.equals("  purpose   say \"hi\""))
                    .anyMatch(line -> line.matches("  since     \\d\\d:\\d\\d:\\d\\d \\(\\d+ s\\)"))
                    .anyMatch(line -> line.equals("  token     " + lock.token()))
                    .anyMatch(line -> line.startsWith("  evidence  pid " + self))
                    .anyMatch(line -> line.startsWith("  to do     ") && line.contains("--token " + lock.token()));

            Outcome json = status("--json", session());
            assertThat(json.exitCode()).isZero();
            assertThat(json.out()).contains("\"state\":\"HELD\",\"pid\":" + self + ",\"host\":\"",
                    "\"token\":" + lock.token() + ",\"leaseUntil\":\"",
                    "\"evidence\":[\"pid " + self);
            assertThat(json.out().lines()).hasSize(1);

            assertThat(status(session() + ".lock").out()).startsWith(session() + ": held");
        }
    }

    @Test
    void lockOfAFileThatIsItselfNamedLockIsItsOwn() throws Exception {
        Path odd = directory.resolve("odd.lock");
        try (SessionLocks locks = SessionLocks.create(); SessionLock lock = locks.acquire(odd)) {
            assertThat(status(odd).out()).startsWith(odd + ": held").contains("" + lock.token());
        }
        assertThat(status(directory.resolve(".lock")).out()).startsWith(directory.resolve(".lock") + ": free");
    }

    @Test
    void foreignLockNeedsNobodyWhileYoungOrDead() throws Exception {
        String record = "{\"pid\":%d,\"createdAt\":\"%s\"}";

        Files.writeString(directory.resolve("session.jsonl.lock"), String.format(record, ProcessHandle.current().pid(), Instant.now()));
        assertThat(status(session()).exitCode()).isZero();
        assertThat(status(session()).out()).startsWith(session() + ": foreign");

        Files.writeString(directory.resolve("session.jsonl.lock"), String.format(record, ProcessHandle.current().pid(), "2026-01-01T00:00:00.000Z"));
        assertThat(status(session()).exitCode()).as("it lives, and has had it for months").isEqualTo(1);

        Files.writeString(directory.resolve("session.jsonl.lock"), String.format(record, NOBODY, "2026-01-01T00:00:00.000Z"));
        assertThat(status(session()).exitCode()).as("the next acquisition replaces it").isZero();
        assertThat(status("--json", session()).out())
                .contains("\"state\":\"FOREIGN\",\"pid\":" + NOBODY + ",\"host\":null,\"since\":\"2026-01-01T00:00:00Z\"");
    }

    @Test
    void whatIsTornOrNotALockIsNamedAndNeedsNobody() throws Exception {
        Files.writeString(session(), "");
        Files.writeString(directory.resolve("session.jsonl.lock"), "{\"pid\":12");
        assertThat(status(session()).exitCode()).isZero();
        assertThat(status(session()).out()).startsWith(session() + ": torn");

        Files.writeString(directory.resolve("yarn.lock"), "# yarn lockfile v1\n");
        assertThat(status(directory.resolve("yarn.lock")).exitCode()).isZero();
        assertThat(status(directory.resolve("yarn.lock")).out()).startsWith(directory.resolve("yarn") + ": not a lock");
    }

    @ParameterizedTest
    @EnumSource(State.class)
    void everyVerdictHasItsWordsColourAndExitCode(State state) {
        Instant at = Instant.parse("2026-11-24T12:00:00Z");
        LockOwner owner = new LockOwner(NOBODY, null, null, at.minusSeconds(127), null, "evil\u001b[31m", null, null);
        boolean needsPerson = List.of(State.EXPIRED, State.TORN, State.NOT_A_LOCK).contains(state);
        Facts facts = new Facts(ProcessState.UNKNOWN, needsPerson, owner.since());
        LockReport report = new LockReport("x", Path.of("/d/x.lock"), state, owner, List.of("a", "b: dead"), "do this", facts);
        ReportView finding = new ReportView(Path.of("x"), report, at);

        String word = state.name().toLowerCase().replace('_', ' ');
        assertThat(finding.text(false)).startsWith("x: " + word)
                .contains("(2 min 7 s)", "evil\\u001b[31m", "  evidence  a", "            b", "  to do     do this")
                .doesNotContain("\u001b");
        assertThat(finding.text(true)).contains("\u001b[").contains(word);
        for (String advice : List.of("do this", "nothing: it gets well", "")) {
            assertThat(exitCode(report, advice)).as("whatever the advice says").isEqualTo(needsPerson ? 1 : 0);
        }
        assertThat(finding.age()).isEqualTo(Duration.ofSeconds(127));
        assertThat(ReportView.json(List.of(finding))).contains("\"state\":\"" + state + "\"",
                "\"ageMs\":127000", "\"target\":\"/d/x\"");
    }

    private static int exitCode(LockReport report, String advice) {
        LockReport advised = new LockReport(report.name(), report.lockFile(), report.state(), report.owner(), report.evidence(), advice, report.facts());
        return new StatusQuestion(Path.of("x"), true).answer(new PrintWriter(Writer.nullWriter()), new ReportView(Path.of("x"), advised, Instant.now()));
    }
}

package dev.sessionlock.cli;

import static org.assertj.core.api.Assertions.assertThat;

import dev.sessionlock.LockReport;
import dev.sessionlock.SessionLock;
import dev.sessionlock.SessionLocks;
import dev.sessionlock.cli.MainTest.Outcome;
import dev.sessionlock.metrics.PromTool;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Instant;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** {@code list --openmetrics}, for node_exporter's textfile collector. */
class OpenMetricsTest {
    private static final String DEAD_FOREIGN = "{\"pid\":4000000000,\"createdAt\":\"2026-02-09T06:32:23.123Z\"}";
    private static final Pattern LINE = Pattern.compile("# (TYPE|UNIT|HELP) [a-z_]+ .+|# EOF|[a-z_]+\\{[a-z]+=\"(?:[^\"\\\\\\n]|\\\\[\\\\\"n])*\"(,state=\"[a-z_]+\")?} [0-9.]+");

    @TempDir
    private Path directory;
    @TempDir
    private Path scratch;

    private static void assertValid(String document) throws Exception {
        assertThat(document).endsWith("\n# EOF\n");
        assertThat(document.lines()).allSatisfy(line -> assertThat(line).matches(LINE));
        PromTool.check(document);
    }

    private static String value(String document, String series) {
        Matcher value = Pattern.compile("(?m)^" + Pattern.quote(series) + " (.*)$").matcher(document);
        assertThat(value.find()).as("%s in\n%s", series, document).isTrue();
        return value.group(1);
    }

    private String of(String name, String more) {
        return name + "{directory=\"" + directory + "\"" + more + "}";
    }

    /** Two series of one name make the whole document invalid, and one directory would blind whoever watches all. */
    @Test
    void namesThatLookTheSameShareTheirSeries() throws Exception {
        OpenMetricsWriter writer = new OpenMetricsWriter("directory", "x\u001b");
        LockReport report = new LockReport("a", null, LockReport.State.FREE, null, List.of(), "");
        writer.add("x\u001b", new ReportView(Path.of("a"), report, Instant.now()));
        writer.add("x\\u001b", new ReportView(Path.of("b"), report, Instant.now()));
        String document = writer.text(0);
        assertValid(document);
        assertThat(document.lines().filter(line -> line.startsWith("sessionlock_locks{") && line.contains("state=\"free\""))).singleElement().asString().endsWith(" 2");
    }

    @Test
    void countsLocksByState() throws Exception {
        Files.writeString(directory.resolve("c.jsonl.lock"), DEAD_FOREIGN);
        Files.writeString(directory.resolve("yarn.lock"), "# yarn lockfile v1\n");
        try (SessionLocks locks = SessionLocks.create(); SessionLock a = locks.acquire(directory.resolve("a.jsonl")); SessionLock b = locks.acquire(directory.resolve("b.jsonl"))) {
            assertThat(a.isHeld() && b.isHeld()).isTrue();
            Outcome outcome = Outcome.of("list", "--openmetrics", directory.toString());
            assertThat(outcome.err()).isEmpty();
            assertValid(outcome.out());
            assertThat(value(outcome.out(), of("sessionlock_locks", ",state=\"held\""))).isEqualTo("2");
            assertThat(value(outcome.out(), of("sessionlock_locks", ",state=\"foreign\""))).isEqualTo("1");
            assertThat(value(outcome.out(), of("sessionlock_locks", ",state=\"expired\""))).isEqualTo("0");
            assertThat(Double.parseDouble(value(outcome.out(), of("sessionlock_locks_oldest_hold_seconds", "")))).isPositive();
            assertThat(value(outcome.out(), of("sessionlock_locks_waiting_processes", ""))).isEqualTo("0");
            assertThat(value(outcome.out(), of("sessionlock_locks_unreadable", ""))).isEqualTo("0");
            String persons = value(outcome.out(), of("sessionlock_locks_needing_person", ""));
            assertThat(outcome.exitCode()).isEqualTo(persons.equals("0") ? 0 : 1);
        }
    }

    @Test
    void nothingLockedIsZerosAndNotNothing() throws Exception {
        Outcome outcome = Outcome.of("list", "--openmetrics", directory.toString());
        assertThat(outcome.exitCode()).isZero();
        assertValid(outcome.out());
        assertThat(value(outcome.out(), of("sessionlock_locks", ",state=\"held\""))).isEqualTo("0");
        assertThat(value(outcome.out(), of("sessionlock_locks_oldest_hold_seconds", ""))).isEqualTo("0.000");
    }

    @Test
    void whatNeedsAPersonIsCounted() throws Exception {
        Files.writeString(directory.resolve("s.jsonl.lock"), "{\"pid\":" + ProcessHandle.current().pid() + ",\"createdAt\":\"2026-02-09T06:32:23.123Z\"}");
        Outcome outcome = Outcome.of("list", "--openmetrics", directory.toString());
        assertThat(outcome.exitCode()).isEqualTo(1);
        assertThat(value(outcome.out(), of("sessionlock_locks_needing_person", ""))).isEqualTo("1");
    }

    @Test
    void directoriesBelowHaveSeriesOfTheirOwnIfAnythingIsThere() throws Exception {
        Path below = Files.createDirectory(directory.resolve("below"));
        Files.createDirectory(directory.resolve("empty"));
        Files.writeString(below.resolve("c.jsonl.lock"), DEAD_FOREIGN);
        Outcome outcome = Outcome.of("list", "--recursive", "--openmetrics", directory.toString());
        assertValid(outcome.out());
        assertThat(value(outcome.out(), "sessionlock_locks{directory=\"" + below + "\",state=\"foreign\"}")).isEqualTo("1");
        assertThat(value(outcome.out(), of("sessionlock_locks", ",state=\"foreign\""))).isEqualTo("0");
        assertThat(outcome.out()).doesNotContain("/empty");
    }

    @Test
    void namesAreEscaped() throws Exception {
        Path odd = Files.createDirectory(directory.resolve("a\"b\\c\n\u001b# EOF{}"));
        Files.writeString(odd.resolve("c.jsonl.lock"), DEAD_FOREIGN);
        Outcome outcome = Outcome.of("list", "--recursive", "--openmetrics", directory.toString());
        assertValid(outcome.out());
        assertThat(outcome.out()).contains("/a\\\"b\\\\c\\\\u000a\\\\u001b# EOF{}\",state=\"foreign\"} 1");
    }

    @Test
    void otherFormsOfOutputAreRefusedBesideIt() {
        assertThat(Outcome.of("list", "--openmetrics", "--json", directory.toString()).exitCode()).isEqualTo(2);
        assertThat(Outcome.of("list", "--openmetrics", "--older-than", "1m", directory.toString()).err()).contains("--openmetrics goes neither with");
    }

    /** The line for cron in the guide, word for word but for its paths. */
    @Test
    void theGuidesLineForCronReplacesTheFileInOneStep() throws Exception {
        Needs.program("sh");
        String line = Files.readAllLines(Path.of("README.md")).stream().filter(each -> each.contains("--openmetrics") && each.startsWith("* * * * *")).findFirst().orElseThrow();
        String file = "/var/lib/node_exporter/sessionlock.prom";
        String tool = "/opt/sessionlock/sessionlock list";
        String sessions = "/var/lib/gateway/sessions";
        assertThat(line).contains(file, tool, sessions).doesNotContain("%");
        Path written = scratch.resolve("sessionlock.prom");
        for (String where : List.of(directory.toString(), scratch.resolve("missing").toString())) {
            String script = line.substring("* * * * *".length()).strip().replace(file, written.toString()).replace(sessions, where)
                    .replace(tool, ToolProcess.quoted("list"));
            try (ToolProcess run = ToolProcess.startScript(scratch, script)) {
                run.exitCode();
            }
            assertThat(written).as("the last whole document").content().endsWith("\n# EOF\n").contains(of("sessionlock_locks", ",state=\"held\"") + " 0\n");
        }
        assertThat(scratch.toFile().list()).as("what node_exporter reads").filteredOn(name -> name.endsWith(".prom")).containsExactly("sessionlock.prom");
    }
}

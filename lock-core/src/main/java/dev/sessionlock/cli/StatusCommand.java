package dev.sessionlock.cli;

import dev.sessionlock.LockReport;
import dev.sessionlock.SessionLocks;
import java.io.IOException;
import java.io.PrintWriter;
import java.nio.file.Path;
import java.time.Instant;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/** Says what is known of one lock. */
@Command(
        name = "status",
        header = "Says who holds the lock of a file, since when, and what to do.",
        customSynopsis = {"sessionlock status [--json] [--jdbc URL] FILE"},
        description = {
            "Says whether FILE is locked, by whom, since when, why it is judged so, and what to do. It only looks: holders and "
                    + "waiters do not notice.",
            ""
        },
        optionListHeading = "%nOptions:%n",
        footer = {
            "",
            "FILE is the file that is locked. Its lock file (FILE.lock) will do, too, unless a lock of FILE.lock itself is known.",
            "",
            "Exit code: 0 all well, or it gets well by itself; 1 it needs a person (a frozen holder, another program that has had it for longer than "
                    + "it says, or than 5 min, or something in the lock's place that keeps others out); 2 bad usage, or the directory cannot be read.",
            "",
            "Examples:",
            "  java -jar sessionlock.jar status session.jsonl",
            "  java -jar sessionlock.jar status --jdbc 'jdbc:postgresql://db/gateway?user=ops' session-4711",
            "  java -jar sessionlock.jar status --json session.jsonl | jq -r '.locks[0].state'"
        })
final class StatusCommand implements Callable<Integer> {
    @Spec
    private CommandSpec spec;

    @Mixin
    private HelpOption help;

    @Mixin
    private JdbcOption jdbc;

    @Option(names = "--json", description = "Print one JSON document.")
    private boolean json;

    @Parameters(paramLabel = "FILE", converter = FileConverter.class, description = "The file, or its lock file.")
    private Path file;

    @Override
    public Integer call() throws IOException {
        StatusQuestion question = new StatusQuestion(file, json);
        PrintWriter out = spec.commandLine().getOut();
        if (!jdbc.isGiven()) {
            return question.answer(out);
        }
        try (SessionLocks locks = jdbc.builder().build()) {
            LockReport report = locks.inspect(jdbc.name());
            return question.answer(out, new ReportView(file, report, Instant.now(), DatabaseView.waiters(report)));
        }
    }
}

package dev.sessionlock.cli;

import dev.sessionlock.PastHold;
import dev.sessionlock.SessionLocks;
import dev.sessionlock.internal.system.Durations;
import dev.sessionlock.internal.system.Printable;
import java.io.BufferedWriter;
import java.io.IOException;
import java.io.PrintWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.concurrent.Callable;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/** Lists who held a lock before. */
@Command(
        name = "history",
        header = "Lists who held a lock, or the locks of a directory, and how each hold ended.",
        customSynopsis = {"sessionlock history [--since D] [--json] FILE|DIR", "       sessionlock history [--since D] [--json] --jdbc URL [NAME]"},
        description = {
            "Lists the past holds of a file's lock, or of all locks of a directory, the latest end first: since when and for how long, who, what for, and how it "
                    + "ended. A hold that goes on is not among them: status shows it. It only looks.",
            ""
        },
        optionListHeading = "%nOptions:%n",
        footer = {
            "",
            "D is a whole number with its unit: 500ms, 10s, 5m, 1h.",
            "",
            "Brief holds of one thread that follow each other are one line, with their number and how long the longest was. A directory keeps its last holds within a "
                    + "bound of bytes, the unusual ones for longer. A database has a history if its processes write one (JdbcLockEngine.withHistory).",
            "",
            "Exit code: 0 also if there are none; 2 bad usage, or the directory cannot be read.",
            "",
            "Examples:",
            "  java -jar sessionlock.jar history session.jsonl",
            "  java -jar sessionlock.jar history --since 12h sessions",
            "  java -jar sessionlock.jar history --json sessions | jq -r '.holds[] | select(.ending != \"RELEASED\") | [.until, .name, .ending] | @tsv'"
        })
final class HistoryCommand implements Callable<Integer> {
    /** More than the greatest history has. */
    private static final int ALL = Integer.MAX_VALUE;

    @Spec
    private CommandSpec spec;

    @Mixin
    private HelpOption help;

    @Mixin
    private JdbcOption jdbc;

    @Option(names = "--since", paramLabel = "D", converter = DurationConverter.class, description = "Only what ended within the last D.")
    private @Nullable Duration since;

    @Option(names = "--json", description = "Print one JSON document.")
    private boolean json;

    @Parameters(paramLabel = "FILE|DIR", arity = "0..1", converter = FileConverter.class,
            description = "The file, its lock file, or a directory; with --jdbc, the name of the lock (default: all).")
    private @Nullable Path file;

    @Override
    public Integer call() throws IOException {
        if (file == null && !jdbc.isGiven()) {
            throw new ParameterException(spec.commandLine(), "Missing required parameter: 'FILE|DIR'");
        }
        boolean all = jdbc.isGiven() ? jdbc.name().isEmpty() : Files.isDirectory(file);
        Instant now = Instant.now();
        List<PastHold> holds = holds(all).stream().filter(hold -> since == null || Duration.between(hold.until(), now).compareTo(since) <= 0).toList();
        PrintWriter page = new PrintWriter(new BufferedWriter(spec.commandLine().getOut())); // stdout flushes each line, and there may be thousands
        if (json) {
            page.println(json(holds));
        } else if (holds.isEmpty()) {
            page.println((since == null ? StorySentences.noHistory(jdbc.isGiven())
                    : "No hold of " + shown(all) + " ended within the last " + Durations.inWords(since) + ", as far as is known.")
                    + (jdbc.isGiven() || Files.exists(file) ? "" : " There is no file of that name: " + shown(all)));
        } else {
            HoldRows.table(holds, now, all).forEach(page::println);
        }
        page.flush();
        return 0;
    }

    private String shown(boolean all) {
        return Printable.text(!jdbc.isGiven() ? file.toString() : all ? "the database" : jdbc.name());
    }

    private List<PastHold> holds(boolean all) throws IOException {
        try (SessionLocks locks = jdbc.builder().build()) {
            if (jdbc.isGiven()) {
                return all ? locks.historyOfAll("", ALL) : locks.history(jdbc.name(), ALL);
            }
            return all ? locks.historyOfAll(file, ALL) : locks.history(StatusQuestion.targetOf(locks, file), ALL);
        }
    }

    private static String json(List<PastHold> holds) {
        JsonWriter json = new JsonWriter().beginObject().member("version", 1).name("holds").beginArray();
        holds.forEach(hold -> HoldRows.json(json, hold));
        return json.endArray().endObject().toString();
    }
}

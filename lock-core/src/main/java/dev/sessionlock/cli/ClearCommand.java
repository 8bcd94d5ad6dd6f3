package dev.sessionlock.cli;

import dev.sessionlock.ClearOptions;
import dev.sessionlock.ClearReport;
import dev.sessionlock.ClearReport.Outcome;
import dev.sessionlock.LockException;
import dev.sessionlock.LockReport.RemedyKind;
import dev.sessionlock.LockReport.Sentence;
import dev.sessionlock.LockReport.Topic;
import dev.sessionlock.SessionLocks;
import dev.sessionlock.internal.system.Printable;
import java.io.PrintWriter;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import java.util.concurrent.Callable;
import java.util.function.Predicate;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Help.Ansi;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/** Clears what dead owners have left, or asks a living owner to let go. */
@Command(
        name = "clear",
        header = "Removes the locks of dead owners; asks a living holder to release. A dry run unless --yes.",
        customSynopsis = {"sessionlock clear [--token N [--timeout D]] [--yes] [--json] [--jdbc URL] FILE|DIR"},
        description = {
            "Removes what is provably dead, and nothing else: the lock of FILE, or all dead locks of DIR. It looks at each lock again while it has the kernel's lock, so "
                    + "it never removes a living holder's. With --token, it asks a living holder to release the lock, and waits for it. It never touches "
                    + "anything that is not a lock.",
            ""
        },
        optionListHeading = "%nOptions:%n",
        footer = {
            "",
            "FILE is the file that is locked; its lock file (FILE.lock) will do, too. With --jdbc, the name of one lock.",
            "D is a whole number with its unit: 500ms, 10s, 5m.",
            "Without --yes nothing at all is written.",
            "",
            "Exit code: 0 done, or in a dry run: would be done; 1 something was refused; 2 bad usage, or the directory cannot be read or written.",
            "",
            "Examples:",
            "  java -jar sessionlock.jar clear sessions                   # what would be cleared?",
            "  java -jar sessionlock.jar clear --yes sessions",
            "  java -jar sessionlock.jar clear --token 1770617943000001 --yes sessions/session.jsonl"
        })
final class ClearCommand implements Callable<Integer> {
    private static final int REFUSED = 1;

    @Spec
    private CommandSpec spec;

    @Mixin
    private HelpOption help;

    @Mixin
    private JdbcOption jdbc;

    @Option(names = "--token", paramLabel = "N",
            description = "The token of the hold that you mean; status shows it. If its holder is alive, it is asked to release the lock.")
    private @Nullable Long token;

    @Option(names = "--timeout", paramLabel = "D", converter = DurationConverter.class,
            description = "How long to wait for a holder that was asked (default: 6s).")
    private @Nullable Duration timeout;

    @Option(names = {"-y", "--yes"}, description = "Do it. Without this, say what would be done.")
    private boolean yes;

    @Option(names = "--json", description = "Print one JSON document.")
    private boolean json;

    @Parameters(paramLabel = "FILE|DIR", converter = FileConverter.class, description = "The locked file, or a directory of such.")
    private Path path;

    @Override
    public Integer call() throws LockException, InterruptedException {
        ClearOptions options = options();
        boolean directory = !jdbc.isGiven() && Files.isDirectory(path);
        if (directory && token != null) {
            throw new ParameterException(spec.commandLine(), "--token is one lock's: name its file, not the directory " + path);
        }
        Path target = path;
        List<ClearReport> done;
        try (SessionLocks locks = jdbc.writingBuilder().build()) {
            target = directory || jdbc.isGiven() ? path : StatusQuestion.targetOf(locks, path);
            done = jdbc.isGiven() ? locks.clear(jdbc.name(), options) : locks.clear(target, options);
        }
        PrintWriter out = spec.commandLine().getOut();
        if (json) {
            out.println(json(target, directory, done));
        } else if (directory) {
            printAll(out, done);
        } else {
            String named = jdbc.isGiven() ? jdbc.name() : target.toString();
            out.println(done.isEmpty() ? Printable.text(named) + ": free; there is nothing to clear" + (isMissing(target) ? ", and no file of that name" : "") : text(named, done.get(0)));
            if (!yes && !done.isEmpty() && done.get(0).outcome() == Outcome.WOULD_CLEAR) {
                out.println(dryRun());
            }
        }
        out.flush();
        Optional<String> unnamed = directory ? UnreadableNames.in(path) : Optional.empty();
        if (unnamed.isPresent()) {
            return Main.say(spec.commandLine(), unnamed.get(), Main.TROUBLE);
        }
        return done.stream().anyMatch(report -> report.outcome() == Outcome.REFUSED) ? REFUSED : 0;
    }

    /** If it is missing, "free" may have been said of another file than the one that is meant. */
    private boolean isMissing(Path target) {
        return !jdbc.isGiven() && !Files.exists(target, LinkOption.NOFOLLOW_LINKS);
    }

    private ClearOptions options() {
        try {
            ClearOptions options = yes ? ClearOptions.forReal() : ClearOptions.dryRun();
            options = token == null ? options : options.withToken(token);
            return timeout == null ? options : options.withTimeout(timeout);
        } catch (IllegalArgumentException e) {
            throw new ParameterException(spec.commandLine(), e.getMessage());
        }
    }

    // ---- for a person ----

    private static String text(String named, ClearReport report) {
        StringBuilder text = new StringBuilder(Printable.text(named) + ": " + styled(report, word(report)));
        String label = "because";
        for (String fact : report.lock().evidence()) {
            text.append(System.lineSeparator()).append(ReportView.line(label, fact));
            label = "";
        }
        if (report.outcome() == Outcome.REFUSED && report.lock().remedy().kind() != RemedyKind.NONE) {
            text.append(System.lineSeparator()).append(ReportView.line("to do", report.lock().advice()));
        }
        return text.toString();
    }

    private void printAll(PrintWriter out, List<ClearReport> done) {
        int words = done.stream().mapToInt(report -> word(report).length()).max().orElse(0);
        int names = done.stream().mapToInt(report -> name(report).length()).max().orElse(0);
        for (ClearReport report : done) {
            out.println(styled(report, String.format("%-" + words + "s", word(report))) + "   "
                    + String.format("%-" + names + "s", name(report)) + "   "
                    + Printable.text(facts(report)));
            if (report.outcome() == Outcome.REFUSED && report.lock().remedy().kind() != RemedyKind.NONE) {
                out.println(ReportView.line("to do", report.lock().advice()));
            }
        }
        Map<Outcome, Long> outcomes = done.stream().collect(Collectors.groupingBy(ClearReport::outcome, TreeMap::new, Collectors.counting()));
        out.println(done.isEmpty() ? "no locks in " + Printable.text(path.toString())
                : outcomes.entrySet().stream().map(entry -> entry.getValue() + " " + word(entry.getKey())).collect(Collectors.joining(", ")));
        if (outcomes.containsKey(Outcome.WOULD_CLEAR)) {
            out.println(dryRun());
        }
    }

    private String name(ClearReport report) {
        Path shown = new ReportView(path.resolve(report.lock().name()), report.lock(), Instant.now()).shown();
        return Printable.text(shown.getFileName().toString());
    }

    /** What was done, and whether its owner lives. */
    private static String facts(ClearReport report) {
        Optional<Sentence> action = first(report, topic -> topic == Topic.ACTION);
        Optional<Sentence> more = report.outcome() == Outcome.CLEARED ? Optional.empty()
                : first(report, topic -> topic == Topic.PROCESS).or(() -> first(report, topic -> topic != Topic.ACTION));
        return Stream.of(action, more).flatMap(Optional::stream).map(Sentence::inWords).collect(Collectors.joining("; "));
    }

    private static Optional<Sentence> first(ClearReport report, Predicate<Topic> about) {
        return report.lock().sentences().stream().filter(sentence -> about.test(sentence.topic())).findFirst();
    }

    private static String dryRun() {
        return "dry run: nothing was written; with --yes it is done";
    }

    private static String styled(ClearReport report, String text) {
        String style = switch (report.outcome()) {
            case CLEARED, RELEASED -> "bold,green";
            case WOULD_CLEAR -> "yellow";
            case REFUSED -> "bold,red";
        };
        return Ansi.AUTO.string("@|" + style + " " + text + "|@");
    }

    private static String word(ClearReport report) {
        return word(report.outcome());
    }

    private static String word(Outcome outcome) {
        return outcome.name().replace('_', ' ').toLowerCase(Locale.ROOT);
    }

    // ---- for programs ----

    private static String json(Path target, boolean directory, List<ClearReport> done) {
        Instant now = Instant.now();
        JsonWriter json = new JsonWriter().beginObject().member("version", 1).name("locks").beginArray();
        for (ClearReport report : done) {
            Path file = directory ? target.resolve(report.lock().name()) : target;
            new ReportView(file, report.lock(), now).members(json.beginObject())
                    .member("outcome", word(report).replace(' ', '-'))
                    .endObject();
        }
        return json.endArray().endObject().toString();
    }
}

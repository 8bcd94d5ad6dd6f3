package dev.sessionlock.cli;

import dev.sessionlock.LockException;
import dev.sessionlock.LockOwner;
import dev.sessionlock.LockReport;
import dev.sessionlock.LockReport.RemedyKind;
import dev.sessionlock.LockReport.State;
import dev.sessionlock.SessionLocks;
import dev.sessionlock.internal.directory.FileNames;
import dev.sessionlock.internal.directory.WaiterScanner;
import dev.sessionlock.internal.system.Durations;
import dev.sessionlock.internal.system.Printable;
import java.io.BufferedWriter;
import java.io.IOException;
import java.io.PrintWriter;
import java.nio.file.AccessDeniedException;
import java.nio.file.FileVisitResult;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.nio.file.SimpleFileVisitor;
import java.nio.file.attribute.BasicFileAttributes;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.Callable;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/** Says what is locked in a directory. */
@Command(
        name = "list",
        header = "Lists the locks of a directory, and what to do about those that need a person.",
        customSynopsis = {"sessionlock list [--recursive] [--older-than D] [--json|--openmetrics] DIR|--jdbc URL [PREFIX]"},
        description = {
            "Lists what is locked in DIR, by whom and since when. For locks that need a person it says what to do. "
                    + "It only looks: holders and waiters do not notice. Files that nobody has locked are not listed.",
            ""
        },
        optionListHeading = "%nOptions:%n",
        footer = {
            "",
            "D is a whole number with its unit: 500ms, 10s, 5m, 1h.",
            "",
            "A lock that a dead process left needs nobody: the next acquisition replaces it. Choose a D longer than the longest --max-hold (maxHold) "
                    + "that you use.",
            "",
            "Exit code: 0 all well; 1 something needs a person (a frozen holder, another program that has had a lock for longer than it says, or "
                    + "than 5 min, or something in a lock's place that keeps others out), or is held for longer than D; 2 bad usage, or a directory, "
                    + "or the name of a lock in it, cannot be read.",
            "",
            "With --openmetrics the document is whole if its last line is # EOF.",
            "",
            "Examples:",
            "  java -jar sessionlock.jar list sessions",
            "  java -jar sessionlock.jar list --json --recursive sessions | jq -r '.locks[] | [.state, .pid, .target] | @tsv'",
            "  * * * * *  java -jar sessionlock.jar list --older-than 1m /srv/gateway/sessions   # cron mails what is stuck"
        })
final class ListCommand implements Callable<Integer> {
    private static final String OUR_FOLDER = ".session-locks";

    @Spec
    private CommandSpec spec;

    @Mixin
    private HelpOption help;

    @Mixin
    private JdbcOption jdbc;

    @Option(names = {"-r", "--recursive"}, description = "Look into the directories below DIR, too; links are not followed.")
    private boolean recursive;

    @Option(names = "--older-than", paramLabel = "D", converter = DurationConverter.class,
            description = "Show only what somebody has held for longer than D, or what needs a person; print nothing if all is well.")
    private @Nullable Duration olderThan;

    @Option(names = "--json", description = "Print one JSON document.")
    private boolean json;

    @Option(names = "--openmetrics",
            description = "Print gauges for each directory, in the text format of OpenMetrics and Prometheus: for node_exporter's textfile collector.")
    private boolean openMetrics;

    @Parameters(paramLabel = "DIR", arity = "0..1", converter = FileConverter.class,
            description = "The directory of the locked files; with --jdbc, how the names of the locks begin (default: all).")
    private @Nullable Path directory;

    /** What could not be looked at: directories below, names that are not text here. */
    private final List<String> troubles = new ArrayList<>();

    @Override
    public Integer call() throws IOException {
        if (directory == null && !jdbc.isGiven()) {
            throw new ParameterException(spec.commandLine(), "Missing required parameter: 'DIR'");
        } else if (openMetrics && (json || olderThan != null)) {
            throw new ParameterException(spec.commandLine(), "--openmetrics goes neither with --json nor with --older-than");
        }
        List<ReportView> all = jdbc.isGiven() ? lookAtTable() : look();
        List<ReportView> shown = olderThan == null ? all : all.stream().filter(this::isAlarming).toList();
        PrintWriter out = spec.commandLine().getOut();
        if (openMetrics) {
            out.print(metrics(shown));
        } else if (json) {
            out.println(ReportView.json(shown));
        } else if (olderThan == null || !shown.isEmpty()) {
            PrintWriter page = new PrintWriter(new BufferedWriter(out)); // stdout flushes each line, and there may be thousands
            print(page, shown, Colours.areWanted());
            page.flush();
        }
        out.flush();
        troubles.forEach(trouble -> Main.say(spec.commandLine(), trouble, Main.TROUBLE));
        boolean well = olderThan == null ? shown.stream().noneMatch(ReportView::needsPerson) : shown.isEmpty();
        return !troubles.isEmpty() ? Main.TROUBLE : well ? 0 : Main.NEEDS_PERSON;
    }

    /** A check that cries every minute over what the next acquisition replaces, or over a yarn.lock, is soon ignored. */
    private boolean isAlarming(ReportView finding) {
        Duration age = finding.age();
        return finding.needsPerson() || finding.isHeld() && (age == null || age.compareTo(olderThan) > 0); // not known: it may be
    }

    // ---- looking ----

    private List<ReportView> lookAtTable() throws LockException {
        try (SessionLocks locks = jdbc.builder().build()) {
            List<LockReport> reports = locks.list(jdbc.name()).toList();
            Instant now = Instant.now();
            return reports.stream().map(report -> new ReportView(Path.of("."), report, now, DatabaseView.waiters(report))).toList();
        }
    }

    private List<ReportView> look() throws IOException {
        if (Files.exists(directory) && !Files.isDirectory(directory)) {
            throw new IOException("cannot look at " + directory + ": it is not a directory; status shows the lock of one file");
        }
        try (SessionLocks locks = SessionLocks.create()) {
            List<ReportView> all = new ArrayList<>(look(locks, directory));
            if (recursive) {
                Files.walkFileTree(directory.toRealPath(), new SimpleFileVisitor<>() {
                    private final Path root = directory.toRealPath();

                    @Override
                    public FileVisitResult preVisitDirectory(Path below, BasicFileAttributes attributes) {
                        if (below.equals(root)) {
                            return FileVisitResult.CONTINUE;
                        } else if (below.endsWith(OUR_FOLDER)) {
                            return FileVisitResult.SKIP_SUBTREE;
                        }
                        if (!FileNames.isText(below)) {
                            troubles.add(UnreadableNames.directory(below));
                        }
                        lookBelow(locks, directory.resolve(root.relativize(below)), all);
                        return FileVisitResult.CONTINUE;
                    }

                    @Override
                    public FileVisitResult visitFileFailed(Path file, IOException e) {
                        if (Files.isDirectory(file, LinkOption.NOFOLLOW_LINKS)) { // else it has gone
                            troubles.add("cannot look at " + directory.resolve(root.relativize(file)) + ": " + reason(e));
                        }
                        return FileVisitResult.CONTINUE;
                    }

                    @Override
                    public FileVisitResult postVisitDirectory(Path below, @Nullable IOException e) {
                        return FileVisitResult.CONTINUE;
                    }
                });
            }
            return all;
        }
    }

    private static String reason(IOException e) {
        return e instanceof AccessDeniedException ? "no permission" : e.toString();
    }

    private void lookBelow(SessionLocks locks, Path below, List<ReportView> all) {
        try {
            all.addAll(look(locks, below));
        } catch (IOException e) {
            if (Files.exists(below)) {
                troubles.add(e instanceof LockException ? e.getMessage() : "cannot look at " + below + ": " + reason(e));
            }
        }
    }

    private List<ReportView> look(SessionLocks locks, Path directory) throws IOException {
        List<LockReport> reports = locks.list(directory).toList();
        Instant now = Instant.now();
        UnreadableNames.in(directory).ifPresent(troubles::add);
        Forbidden.in(directory).ifPresent(troubles::add);
        WaiterScanner waiters = reports.isEmpty() ? null : WaiterScanner.in(directory.toRealPath());
        List<ReportView> findings = new ArrayList<>();
        for (LockReport report : reports) {
            findings.add(new ReportView(directory.resolve(report.name()), report, now, waiters.of(report.name())));
        }
        return findings;
    }

    // ---- printing ----

    private String metrics(List<ReportView> found) {
        if (jdbc.isGiven()) {
            OpenMetricsWriter writer = new OpenMetricsWriter("prefix", jdbc.name());
            found.forEach(each -> writer.add(jdbc.name(), each));
            return writer.text(troubles.size());
        }
        OpenMetricsWriter writer = new OpenMetricsWriter("directory", absolute(directory));
        found.forEach(each -> writer.add(absolute(each.target().toAbsolutePath().getParent()), each));
        return writer.text(troubles.size());
    }

    private static String absolute(Path path) {
        return path.toAbsolutePath().normalize().toString();
    }

    private void print(PrintWriter out, List<ReportView> shown, boolean coloured) {
        boolean waitedFor = shown.stream().anyMatch(finding -> finding.waiting() > 0);
        List<String[]> rows = new ArrayList<>();
        rows.add(waitedFor ? new String[] {"STATE", "AGE", "BY", "WAITING", "FILE"} : new String[] {"STATE", "AGE", "BY", "FILE"});
        shown.forEach(finding -> rows.add(row(finding, waitedFor)));
        int[] widths = Columns.widths(rows);
        for (int i = 0; i < rows.size() && !shown.isEmpty(); i++) {
            out.println(aligned(rows.get(i), widths, i == 0 ? null : shown.get(i - 1), coloured));
            if (i > 0 && isExplained(shown.get(i - 1))) {
                toDo(out, shown.get(i - 1));
            }
        }
        out.println(summary(shown));
    }

    private String[] row(ReportView finding, boolean waitedFor) {
        LockOwner owner = finding.report().owner();
        String by = owner == null ? "-" : "pid " + owner.pid() + (owner.host() == null ? "" : " on " + owner.host());
        String purpose = owner == null || owner.purpose() == null ? "" : "   \"" + owner.purpose() + "\"";
        String age = finding.age() == null ? "-" : Durations.inWords(finding.age());
        String file = jdbc.isGiven() ? finding.named() : shortened(finding.shown()).toString();
        String named = Printable.text(file + purpose);
        String waiting = finding.waiting() == 0 ? "" : Integer.toString(finding.waiting());
        return waitedFor ? new String[] {finding.verdict(), age, Printable.text(by), waiting, named}
                : new String[] {finding.verdict(), age, Printable.text(by), named};
    }

    private Path shortened(Path target) {
        return target.startsWith(directory) && !target.equals(directory) ? directory.relativize(target) : target;
    }

    private static String aligned(String[] row, int[] widths, @Nullable ReportView finding, boolean coloured) {
        StringBuilder line = new StringBuilder();
        for (int column = 0; column < widths.length; column++) {
            // Padded first: what colours a text has no width.
            String cell = Columns.padded(row[column], widths[column]);
            line.append(finding != null && column == 0 ? finding.styled(coloured, cell) : cell).append("   ");
        }
        return line.append(row[row.length - 1]).toString();
    }

    /** What is held, or left by one of ours, is plain. */
    private boolean isExplained(ReportView finding) {
        return finding.needsPerson() || olderThan != null || !finding.isHeld() && finding.report().state() != State.STALE;
    }

    private static void toDo(PrintWriter out, ReportView finding) {
        if (!finding.report().sentences().isEmpty()) {
            out.println(ReportView.line("because", String.join("; ", finding.report().evidence())));
        }
        if (finding.report().remedy().kind() != RemedyKind.NONE) {
            out.println(ReportView.line("to do", finding.report().advice()));
        }
    }

    private String summary(List<ReportView> shown) {
        String where = jdbc.isGiven() ? "the database" + (jdbc.name().isEmpty() ? "" : " that begin with " + Printable.text(jdbc.name()))
                : Printable.text(directory.toString()) + (recursive ? " and below" : "");
        if (shown.isEmpty()) {
            return (troubles.isEmpty() ? "no locks in " : "no other locks in ") + where;
        }
        Map<State, Long> states = shown.stream().collect(Collectors.groupingBy(finding -> finding.report().state(), TreeMap::new,
                Collectors.counting()));
        String kinds = states.entrySet().stream()
                .map(state -> state.getValue() + " " + state.getKey().name().replace('_', ' ').toLowerCase(java.util.Locale.ROOT))
                .collect(Collectors.joining(", "));
        long waitedFor = shown.stream().filter(finding -> finding.waiting() > 0).count();
        long persons = shown.stream().filter(ReportView::needsPerson).count();
        return shown.size() + (shown.size() == 1 ? " lock in " : " locks in ") + where
                + (olderThan == null ? "" : " older than " + Durations.inWords(olderThan) + " or in need of help") + ": " + kinds
                + (waitedFor == 0 ? "" : "; " + waitedFor + " waited for")
                + (persons == 0 ? "" : "; " + persons + (persons == 1 ? " needs" : " need") + " a person");
    }
}

package dev.sessionlock.cli;

import dev.sessionlock.LockException;
import dev.sessionlock.LockReport;
import dev.sessionlock.LockReport.State;
import dev.sessionlock.SessionLocks;
import dev.sessionlock.internal.directory.LockDirectory;
import dev.sessionlock.internal.directory.WaiterScanner;
import dev.sessionlock.internal.seats.Inspector;
import dev.sessionlock.internal.system.Printable;
import dev.sessionlock.internal.system.ToolCommand;
import java.io.IOException;
import java.io.PrintWriter;
import java.nio.file.AccessDeniedException;
import java.nio.file.DirectoryIteratorException;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Help.Ansi;
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
    private static final String SUFFIX = ".lock";
    private static final int NEEDS_PERSON = 1;

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
        ReportView finding = look();
        PrintWriter out = spec.commandLine().getOut();
        out.println(json ? ReportView.json(List.of(finding)) : finding.text(Ansi.AUTO));
        out.flush();
        return finding.needsPerson() ? NEEDS_PERSON : 0;
    }

    private ReportView look() throws IOException {
        try (SessionLocks locks = jdbc.builder().build()) {
            if (jdbc.isGiven()) {
                LockReport report = locks.inspect(jdbc.name());
                return new ReportView(file, report, Instant.now(), DatabaseView.waiters(report));
            }
            Path target = targetOf(locks, file);
            LockReport report = locks.inspect(target);
            Path home = target.toAbsolutePath().getParent();
            List<Long> waiters = WaiterScanner.in(home.toRealPath()).of(report.name());
            if (report.state() == State.FREE && Files.isDirectory(target)) {
                report = listed(report, target);
            }
            boolean missing = report.state() == State.FREE && waiters.isEmpty() && !Files.exists(target, LinkOption.NOFOLLOW_LINKS);
            return new ReportView(target, missing ? missing(report, target, home) : report, Instant.now(), waiters);
        }
    }

    /** Somebody wants to know of the files in it. */
    private static LockReport listed(LockReport report, Path directory) {
        List<String> evidence = new ArrayList<>(report.evidence());
        evidence.add("it is a directory, and only files are locked");
        return new LockReport(report.name(), report.lockFile(), report.state(), report.owner(), evidence,
                ToolCommand.words() + " list " + Printable.shellWord(directory.toString()));
    }

    /** Perhaps a session that is yet to be made, perhaps a slip of the pen: then "free" would be said of another file than the one that is meant. */
    private static LockReport missing(LockReport report, Path target, Path home) throws IOException {
        Set<String> names = new TreeSet<>();
        try (DirectoryStream<Path> all = Files.newDirectoryStream(home)) {
            for (Path path : all) {
                String name = path.getFileName().toString();
                names.add(name.endsWith(SUFFIX) && name.length() > SUFFIX.length() ? name.substring(0, name.length() - SUFFIX.length()) : name);
            }
        } catch (DirectoryIteratorException | AccessDeniedException e) {
            names.clear(); // one that may be entered and not read
        }
        names.remove(LockDirectory.INNER);
        String meant = Spelling.nearest(report.name(), names);
        List<String> evidence = new ArrayList<>(report.evidence());
        evidence.add("there is no file of that name, and nothing tells of a lock");
        return new LockReport(report.name(), report.lockFile(), report.state(), report.owner(), evidence,
                meant == null ? "" : Inspector.statusOf(target.resolveSibling(meant)) + "   # did you mean this one?");
    }

    /** {@return the locked file that is meant: the name of its lock file will do, too, unless that is itself a locked file's} */
    static Path targetOf(SessionLocks locks, Path file) throws LockException {
        String name = file.getFileName() == null ? "" : file.getFileName().toString();
        boolean lockFile = name.endsWith(SUFFIX) && name.length() > SUFFIX.length();
        return lockFile && locks.inspect(file).state() == State.FREE
                ? file.resolveSibling(name.substring(0, name.length() - SUFFIX.length()))
                : file;
    }
}

package dev.sessionlock.cli;

import dev.sessionlock.LockException;
import dev.sessionlock.LockReport.State;
import dev.sessionlock.SessionLocks;
import java.io.PrintWriter;
import java.nio.file.Path;
import java.time.Instant;
import java.util.List;
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
            "Exit code: 0 all well, or it gets well by itself; 1 it needs a person (a frozen holder, or something in the lock's place that keeps "
                    + "others out); 2 bad usage, or the directory cannot be read.",
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
    public Integer call() throws LockException {
        Finding finding = look();
        PrintWriter out = spec.commandLine().getOut();
        out.println(json ? Finding.json(List.of(finding)) : finding.text(Ansi.AUTO));
        out.flush();
        return finding.needsPerson() ? NEEDS_PERSON : 0;
    }

    private Finding look() throws LockException {
        try (SessionLocks locks = jdbc.builder().build()) {
            if (jdbc.isGiven()) {
                return new Finding(file, locks.inspect(jdbc.name()), Instant.now());
            }
            Path target = targetOf(locks, file);
            return new Finding(target, locks.inspect(target), Instant.now());
        }
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

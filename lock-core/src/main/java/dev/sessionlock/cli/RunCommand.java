package dev.sessionlock.cli;

import dev.sessionlock.LockLostException;
import dev.sessionlock.LockOptions;
import dev.sessionlock.SessionLock;
import dev.sessionlock.SessionLocks;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Callable;
import org.jetbrains.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/** Runs a job under the lock of a file, as flock(1) does. */
@Command(
        name = "run",
        header = "Runs a job under the lock of a file.",
        customSynopsis = {
            "sessionlock run [--timeout D] [--lease D] [--max-hold D] [--no-takeover] [--purpose T]",
            "                [--jdbc URL] FILE -- CMD..."},
        description = {
            "CMD has our streams, and SESSIONLOCK_TOKEN and SESSIONLOCK_FILE in its environment. Signals (SIGHUP, SIGINT, SIGTERM) go on "
                    + "to it and what it started; the lock is kept until all of that has ended, also what it left in the background. "
                    + "If this tool is killed, CMD and what it started are, too.",
            "If the lock is lost (removed by hand, asked to let go, --max-hold, frozen for longer than the lease), CMD and what it "
                    + "started get SIGTERM, after 10 s SIGKILL; nobody else gets in before they have ended, unless we were frozen, or cut off from "
                    + "the database of --jdbc.",
            ""
        },
        optionListHeading = "%nOptions:%n",
        footer = {
            "",
            "D is a duration: 500ms, 10s, 5m, 1h, 0.",
            "",
            "Exit code: CMD's; 128+n if signal n ended it; 126 not executable; 127 not found; 75 not acquired in time; "
                    + "76 lost, whatever CMD said; 2 bad usage, or the disk refused.",
            "",
            "Examples:",
            "  java -jar sessionlock.jar run session.jsonl -- ./compact.sh session.jsonl",
            "  java -jar sessionlock.jar run --timeout 0 --purpose nightly session.jsonl -- ./backup.sh",
            "  java -jar sessionlock.jar run --jdbc 'jdbc:postgresql://db/gateway?user=ops' session-4711 -- ./compact.sh",
            "  java -jar sessionlock.jar run --no-takeover --max-hold 20m session.jsonl -- python3 rewrite.py"
        })
final class RunCommand implements Callable<Integer> {
    private static final int LOST = 76;
    private static final Duration KILL_AFTER = Duration.ofSeconds(10);
    /** The longest there is: others get in when the job has ended, however long it takes to. */
    private static final Duration REVOKE_GRACE = Duration.ofMinutes(10);

    @Spec
    private CommandSpec spec;

    @Mixin
    private HelpOption help;

    @Mixin
    private JdbcOption jdbc;

    @Option(names = "--timeout", paramLabel = "D", converter = DurationConverter.class,
            description = "How long to wait for the lock; 0 means one try. Default: 10s.")
    private @Nullable Duration timeout;

    @Option(names = "--lease", paramLabel = "D", converter = DurationConverter.class,
            description = "How long the lock outlasts a freeze of this tool (1s to 10m). Default: 30s.")
    private @Nullable Duration lease;

    @Option(names = "--max-hold", paramLabel = "D", converter = DurationConverter.class,
            description = "How long CMD may take at most. Default: no limit.")
    private @Nullable Duration maxHold;

    @Option(names = "--no-takeover",
            description = "Nobody gets in while this tool lives, frozen or not: for a CMD whose late write would do harm, as a "
                    + "rewrite of FILE does.")
    private boolean noTakeover;

    @Option(names = "--purpose", paramLabel = "T", description = "What the lock is held for, shown to those who wait. Default: CMD's name.")
    private @Nullable String purpose;

    @Parameters(index = "0", paramLabel = "FILE", converter = FileConverter.class,
            description = "The file to lock. It need not exist; its directory must.")
    private Path file;

    @Parameters(index = "1..*", arity = "1..*", paramLabel = "CMD", description = "What to run, with its arguments, after --.")
    private List<String> command;

    private volatile boolean lost;

    @Override
    public Integer call() throws IOException, InterruptedException {
        List<String> job = command.get(0).equals("--") ? command.subList(1, command.size()) : command; // run -- FILE -- CMD
        if (job.isEmpty()) {
            throw new ParameterException(spec.commandLine(), "Missing required parameter: 'CMD'");
        }
        LockOptions options = options(job.get(0));
        Executables.Search program = Executables.find(job.get(0));
        if (program.exitCode() != 0) {
            return Main.say(spec.commandLine(), program.problem(), program.exitCode());
        }
        try (SessionLocks locks = jdbc.builder().shutdownGrace(Duration.ofMinutes(1)).build();
                SessionLock lock = jdbc.isGiven() ? locks.acquire(jdbc.name(), options) : locks.acquire(file, options)) {
            return run(job, lock);
        }
    }

    private LockOptions options(String job) {
        try {
            LockOptions options = LockOptions.defaults()
                    .withMaxHold(maxHold == null ? LockOptions.UNLIMITED : maxHold)
                    .withTakeover(!noTakeover)
                    .withRevokeGrace(REVOKE_GRACE)
                    .withPurpose(purpose == null ? "run " + Path.of(job).getFileName() : purpose);
            options = timeout == null ? options : options.withTimeout(timeout);
            return lease == null ? options : options.withLease(lease);
        } catch (IllegalArgumentException e) {
            throw new ParameterException(spec.commandLine(), e.getMessage());
        }
    }

    private int run(List<String> command, SessionLock lock) throws InterruptedException {
        Map<String, String> mark = new LinkedHashMap<>();
        mark.put("SESSIONLOCK_TOKEN", Long.toString(lock.token()));
        mark.put("SESSIONLOCK_FILE", jdbc.isGiven() ? jdbc.name() : file.toAbsolutePath().toString());
        Job job = new Job(command, mark, KILL_AFTER);
        listenForSignals(job);
        lock.onLost(why -> lost(job, why));
        int exitCode;
        try {
            exitCode = job.run(left -> Main.say(spec.commandLine(),
                    "the job has ended, but what it started runs on, and so the lock is kept: " + left, 0));
        } catch (IOException e) {
            exitCode = Main.say(spec.commandLine(), e.getMessage(), Executables.CANNOT_EXECUTE);
        }
        return lost || !lock.isHeld() ? LOST : exitCode;
    }

    private void listenForSignals(Job job) {
        if (!SignalHooks.install(job::pass)) {
            // Whichever signal it was: the job gets SIGTERM. The kernel keeps the lock while this hook keeps the JVM alive, but after a
            // minute without its record, and the exit code is the signal's.
            Runtime.getRuntime().addShutdownHook(new Thread(() -> {
                job.pass("TERM");
                job.awaitEnd();
            }, "sessionlock-run"));
        }
    }

    private void lost(Job job, LockLostException why) {
        lost = true;
        Main.say(spec.commandLine(),
                why.getMessage() + ". The job is told to end (SIGTERM, in " + KILL_AFTER.toSeconds() + " s SIGKILL)", 0);
        try {
            job.end();
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }
}

package dev.sessionlock.cli;

import dev.sessionlock.LockLostException;
import dev.sessionlock.LockMode;
import dev.sessionlock.LockOptions;
import dev.sessionlock.LockTimeoutException;
import dev.sessionlock.SessionLock;
import dev.sessionlock.SessionLocks;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Callable;
import org.jspecify.annotations.Nullable;
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
            "sessionlock run [--timeout D | -n | -w S] [-E N] [--lease D] [--max-hold D] [--takeover] [--close]",
            "                [-s] [--purpose T] [--jdbc URL] FILE -- CMD...",
            "       sessionlock run [...] FILE -c COMMAND"},
        description = {
            "CMD gets this tool's stdin, stdout and stderr, and finds SESSIONLOCK_TOKEN and SESSIONLOCK_FILE in its environment. SIGHUP, SIGINT, SIGTERM, "
                    + "SIGUSR1 and SIGUSR2 are passed on to CMD and to what it started. The lock is kept until all of that has ended, background processes "
                    + "included; --close changes that. If this tool is killed, CMD and what it started are killed, too.",
            "",
            "If the lock is lost (somebody removed its file or asked for its release, or --max-hold is over), CMD and what it started get SIGTERM, and SIGKILL "
                    + "10 s later. Nobody else gets the lock before they have ended. If this tool is stopped (SIGSTOP), others wait until it goes on or is "
                    + "killed, except with --takeover or --jdbc.",
            ""
        },
        optionListHeading = "%nOptions:%n",
        footer = {
            "",
            "D is a duration: 500ms, 10s, 5m, 1h, 0.",
            "",
            "Exit code: that of CMD; 128+n if signal n ended CMD; 126 CMD cannot be executed; 127 CMD was not found; 75 (or -E) the lock was not acquired in time; "
                    + "76 the lock was lost, whatever CMD said; 2 bad usage, or the disk refused.",
            "",
            "Examples:",
            "  java -jar sessionlock.jar run session.jsonl -- ./compact.sh session.jsonl",
            "  java -jar sessionlock.jar run --timeout 0 --purpose nightly session.jsonl -- ./backup.sh",
            "  java -jar sessionlock.jar run -n -E 0 session.jsonl -c './backup.sh | gzip > backup.gz'",
            "  java -jar sessionlock.jar run --jdbc 'jdbc:postgresql://db/gateway?user=ops' session-4711 -- ./compact.sh",
            "  java -jar sessionlock.jar run --max-hold 20m session.jsonl -- python3 rewrite.py"
        })
final class RunCommand implements Callable<Integer> {
    private static final int LOST = 76;
    private static final Duration KILL_AFTER = Duration.ofSeconds(10);
    /** The longest there is: others get in when the job has ended, however long that takes. */
    private static final Duration REVOKE_GRACE = Duration.ofMinutes(10);
    /** In seconds. Any shorter time is accepted: whoever calls it knows what is sensible. */
    private static final double LONGEST_WAIT = 1e12;

    @Spec
    private CommandSpec spec;

    @Mixin
    private HelpOption help;

    @Mixin
    private JdbcOption jdbc;

    @Option(names = "--timeout", paramLabel = "D", converter = DurationConverter.class,
            description = "How long to wait for the lock; 0 means one try. Default: 10s.")
    private @Nullable Duration timeout;

    @Option(names = {"-n", "--nonblock"}, description = "As --timeout 0.")
    private boolean nonblock;

    @Option(names = {"-w", "--wait"}, paramLabel = "S", description = "As --timeout, in seconds, such as 10 or 0.5.")
    private @Nullable Double wait;

    @Option(names = {"-E", "--conflict-exit-code"}, paramLabel = "N", description = "The exit code if the lock was not acquired in time, instead of 75 (0 to 255).")
    private int conflictExitCode = Main.NOT_ACQUIRED;

    @Option(names = "--lease", paramLabel = "D", converter = DurationConverter.class,
            description = "With --takeover or --jdbc: how long the lock outlasts a freeze of this tool (1s to 10m). Default: 30s.")
    private @Nullable Duration lease;

    @Option(names = "--max-hold", paramLabel = "D", converter = DurationConverter.class,
            description = "How long CMD may take at most. Default: no limit.")
    private @Nullable Duration maxHold;

    @Option(names = "--takeover",
            description = "Others get the lock when this tool has been frozen for longer than the lease, although CMD may still run. Use it only if a late "
                    + "write of CMD does no harm. When the tool wakes, it ends CMD. With --jdbc this is the default.")
    private boolean takeover;

    @Option(names = "--no-takeover",
            description = "Nobody else gets the lock while this tool lives, frozen or not. On files this is the default. With --jdbc it means a lease of 10m, "
                    + "also if this tool's machine dies.")
    private boolean noTakeover;

    @Option(names = {"-o", "--close"},
            description = "The lock ends when CMD itself ends, whatever CMD left in the background. Signals and the end of this tool then spare every process "
                    + "with a session of its own, such as a daemon. If the lock is lost, the tool waits for all processes of CMD but these.")
    private boolean close;

    @Option(names = {"-s", "--shared"},
            description = "CMD only reads: others that ask with -s hold the lock at the same time, and nobody holds it exclusively.")
    private boolean shared;

    @Option(names = "--purpose", paramLabel = "T", description = "What the lock is held for; those who wait see it. Default: run and CMD's name.")
    private @Nullable String purpose;

    @Option(names = {"-c", "--command"}, paramLabel = "COMMAND", description = "A command line for a shell (sh -c), as one argument, instead of CMD.")
    private @Nullable String script;

    @Parameters(index = "0", paramLabel = "FILE", converter = FileConverter.class,
            description = "The file to lock. It need not exist; its directory must.")
    private Path file;

    @Parameters(index = "1..*", arity = "0..*", paramLabel = "CMD", description = "What to run, with its arguments, after --.")
    private List<String> command = List.of();

    private volatile boolean lost;

    @Override
    public Integer call() throws IOException, InterruptedException {
        Descriptors descriptors = Descriptors.inherited();
        List<String> job = job();
        LockOptions options = options(job.get(0));
        Executables.Search program = Executables.find(job.get(0));
        if (program.exitCode() != 0) {
            return Main.say(spec.commandLine(), program.problem(), program.exitCode());
        }
        try (SessionLocks locks = jdbc.writingBuilder().shutdownGrace(Duration.ofMinutes(1)).build();
                SessionLock lock = jdbc.isGiven() ? locks.acquire(jdbc.name(), options) : locks.acquire(file, options)) {
            return run(descriptors.handTo(job), lock);
        } catch (LockTimeoutException e) {
            Main.sayBusy(spec.commandLine(), e);
            return conflictExitCode;
        } finally {
            descriptors.moveToTheEnd();
        }
    }

    private List<String> job() {
        if (script != null && command.isEmpty()) {
            return List.of("sh", "-c", script);
        }
        // Without -- an option of the job could be taken for one of ours. "run -- FILE -- CMD" is accepted, too.
        List<String> typed = spec.commandLine().getParseResult().originalArgs();
        boolean apart = typed.size() > command.size() && typed.subList(typed.size() - command.size(), typed.size()).equals(command);
        if (script != null || !apart) {
            throw wrong(script == null ? "options of the job come after --" : "either -c COMMAND or CMD, not both; options of the job come after --");
        }
        List<String> job = !command.isEmpty() && command.get(0).equals("--") ? command.subList(1, command.size()) : command;
        if (job.isEmpty()) {
            throw wrong("Missing required parameter: 'CMD'");
        }
        return job;
    }

    private ParameterException wrong(String what) {
        return new ParameterException(spec.commandLine(), what);
    }

    private LockOptions options(String job) {
        if (takeover && noTakeover) {
            throw wrong("either --takeover or --no-takeover");
        } else if (conflictExitCode < 0 || conflictExitCode > 255) {
            throw wrong("an exit code is a number from 0 to 255, not " + conflictExitCode);
        }
        try {
            LockOptions options = LockOptions.defaults()
                    .withMaxHold(maxHold == null ? LockOptions.UNLIMITED : maxHold)
                    .withTakeover(takeover || jdbc.isGiven() && !noTakeover)
                    .withRevokeGrace(REVOKE_GRACE)
                    .withMode(shared ? LockMode.SHARED : LockMode.EXCLUSIVE)
                    .withPurpose(purpose == null ? "run " + Path.of(job).getFileName() : purpose);
            Duration patience = patience();
            options = patience == null ? options : options.withTimeout(patience);
            return lease == null ? options : options.withLease(lease);
        } catch (IllegalArgumentException e) {
            throw wrong(e.getMessage());
        }
    }

    private @Nullable Duration patience() {
        if ((timeout == null ? 0 : 1) + (nonblock ? 1 : 0) + (wait == null ? 0 : 1) > 1) {
            throw wrong("only one of --timeout, -n and -w");
        } else if (nonblock) {
            return Duration.ZERO;
        } else if (wait == null) {
            return timeout;
        }
        boolean sensible = wait >= 0 && wait <= LONGEST_WAIT;
        if (!sensible) {
            throw wrong("'" + wait + "' is not a number of seconds; write it such as 10 or 0.5");
        }
        return Duration.ofMillis((long) Math.ceil(wait * 1000));
    }

    private int run(List<String> command, SessionLock lock) throws InterruptedException {
        Map<String, String> told = Map.of("SESSIONLOCK_TOKEN", Long.toString(lock.token()),
                "SESSIONLOCK_FILE", jdbc.isGiven() ? jdbc.name() : file.toAbsolutePath().toString());
        Job job = new Job(command, told, close, KILL_AFTER);
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
        if (!SignalHooks.installForJob(job::pass)) {
            // Whichever signal it was, the job gets SIGTERM. The kernel keeps the lock while this hook keeps the JVM alive, but after a minute
            // without its record. The exit code is the signal's.
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

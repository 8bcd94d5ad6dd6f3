package dev.sessionlock.cli;

import dev.sessionlock.SessionLocks;
import dev.sessionlock.internal.system.SystemReason;
import java.io.FileDescriptor;
import java.io.FileOutputStream;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.time.ZoneId;
import java.util.List;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.Callable;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/** Shows the locks of a directory, live. */
@Command(
        name = "watch",
        header = "Shows what is locked or waited for in a directory, live.",
        customSynopsis = {"sessionlock watch [--recursive] [--interval D] [--older-than D] DIR|--jdbc URL [PREFIX]"},
        description = {
            "On a terminal: a table of the locks of DIR that are held, left behind or waited for. What needs a person (!!) comes "
                    + "first, then what is held or waited for long (!), each the oldest first. q or Ctrl-C ends it.",
            "",
            "Elsewhere (a pipe, a file): a line with its time for each change: taken, released, long, waited for, or the new state. "
                    + "What is taken and released between two looks is not seen. It ends when nobody reads it any more.",
            "",
            "It only looks: holders and waiters do not notice. It counts processes that wait, as the kernel lists them, each from "
                    + "the moment when it first saw them.",
            ""
        },
        optionListHeading = "%nOptions:%n",
        footer = {
            "",
            "Durations: 500ms, 10s, 5m, 1h.",
            "",
            "Exit code: 0 ended by q, Ctrl-C, or the reader of the pipe; 2 bad usage, or DIR is missing, or was removed meanwhile; 128+n "
                    + "ended by another signal.",
            "",
            "Examples:",
            "  java -jar sessionlock.jar watch ~/.openclaw/sessions",
            "  java -jar sessionlock.jar watch --recursive --interval 5s --older-than 5m /srv",
            "  java -jar sessionlock.jar watch /srv/sessions >> locks.log"
        })
final class WatchCommand implements Callable<Integer> {
    private static final Duration SHORTEST = Duration.ofMillis(100);
    private static final Duration LONGEST = Duration.ofHours(1);

    // The events that wake it between two looks, besides the signals.
    private static final String QUIT = "quit";
    private static final String RESIZED = "WINCH";
    private static final String PIPE_CLOSED = "pipe closed";

    @Spec
    private CommandSpec spec;

    @Mixin
    private HelpOption help;

    @Mixin
    private JdbcOption jdbc;

    @Option(names = {"-r", "--recursive"}, description = "Also the directories below DIR; links are not followed.")
    private boolean recursive;

    @Option(names = "--interval", paramLabel = "D", converter = DurationConverter.class, defaultValue = "1s",
            description = "How often to look. Default: ${DEFAULT-VALUE}; less often if looking takes long.")
    private Duration interval;

    @Option(names = "--older-than", paramLabel = "D", converter = DurationConverter.class, defaultValue = "1m",
            description = "From which age on a hold is long. Default: ${DEFAULT-VALUE}.")
    private Duration longFrom;

    @Parameters(paramLabel = "DIR", arity = "0..1", converter = FileConverter.class,
            description = "The directory of the sessions; with --jdbc, how the names of the locks begin (default: all).")
    private @Nullable Path directory;

    private final BlockingQueue<String> events = new LinkedBlockingQueue<>();

    @Override
    public Integer call() throws IOException, InterruptedException {
        if (interval.compareTo(SHORTEST) < 0 || interval.compareTo(LONGEST) > 0) {
            throw new ParameterException(spec.commandLine(), "--interval must be from 100ms to 1h");
        }
        if (directory == null && !jdbc.isGiven()) {
            throw new ParameterException(spec.commandLine(), "Missing required parameter: 'DIR'");
        }
        Path real = jdbc.isGiven() ? null : DoctorCommand.there(directory);
        SignalHooks.install(events::add);
        try (SessionLocks locks = jdbc.builder().build()) {
            LockView view = jdbc.isGiven() ? new DatabaseView(locks, jdbc.name(), longFrom)
                    : new DirectoryObserver(real, recursive, longFrom, place -> locks.list(place).toList());
            return Terminal.isOnStdout() ? onTerminal(view) : inLines(view);
        }
    }

    private String watched() {
        return jdbc.isGiven() ? jdbc.name().isEmpty() ? "the database" : jdbc.name() : directory.toString();
    }

    // ---- on a terminal ----

    private int onTerminal(LockView view) throws IOException, InterruptedException {
        Encoding encoding = Encoding.ofStdout();
        String noColour = System.getenv("NO_COLOR");
        Screen screen = new Screen(watched(), noColour == null || noColour.isEmpty(), encoding);
        boolean toldOfResizing = SignalHooks.install(List.of(RESIZED), events::add);
        try (Terminal terminal = Terminal.takeOver(encoding)) {
            terminal.listen(key -> {
                if (key == 'q' || key == 'Q') {
                    events.add(QUIT);
                }
            });
            Screen.Size size = terminal.size();
            LookInterval pace = LookInterval.of(interval);
            while (true) {
                long start = System.nanoTime();
                ViewSnapshot snapshot = view.look();
                long next = start + pace.after(System.nanoTime() - start);
                if (!toldOfResizing) {
                    size = terminal.size();
                }
                terminal.show(screen.lines(snapshot, size));
                for (String event = next(next); event != null; event = next(next)) {
                    if (!event.equals(RESIZED)) {
                        return exitCode(event);
                    }
                    size = terminal.size();
                    terminal.show(screen.lines(snapshot, size));
                }
            }
        }
    }

    /** {@return the event before the next look; null if there was none} */
    private @Nullable String next(long until) throws InterruptedException {
        return events.poll(until - System.nanoTime(), TimeUnit.NANOSECONDS);
    }

    /** Ctrl-C is the usual way to end it, and no failure. */
    private static int exitCode(String event) {
        return event.equals("HUP") || event.equals("TERM") ? SignalHooks.exitCode(event) : 0;
    }

    // ---- elsewhere ----

    private int inLines(LockView view) throws IOException, InterruptedException {
        ChangeLog changes = new ChangeLog(ZoneId.systemDefault());
        Encoding encoding = Encoding.ofStdout();
        FileOutputStream out = new FileOutputStream(FileDescriptor.out);
        LookInterval pace = LookInterval.of(interval);
        ClosedPipeProbe probe = ClosedPipeProbe.start(() -> events.add(PIPE_CLOSED));
        try {
            while (true) {
                long start = System.nanoTime();
                List<String> lines = changes.lines(view.look());
                if (!lines.isEmpty() && !printed(out, encoding.bytes(String.join("\n", lines) + "\n"))) {
                    return 0;
                }
                String event = next(start + pace.after(System.nanoTime() - start));
                if (event != null) {
                    return exitCode(event);
                }
            }
        } finally {
            probe.close();
        }
    }

    /** {@return false if nobody reads it any more} */
    private static boolean printed(FileOutputStream out, byte[] text) throws IOException {
        try {
            out.write(text);
            return true;
        } catch (IOException e) {
            if (SystemReason.of(e).contains("Broken pipe")) {
                return false;
            }
            throw e;
        }
    }
}

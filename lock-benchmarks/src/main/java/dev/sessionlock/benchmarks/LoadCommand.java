package dev.sessionlock.benchmarks;

import dev.sessionlock.benchmarks.load.Crew;
import dev.sessionlock.benchmarks.load.Load;
import dev.sessionlock.benchmarks.load.LoadResult;
import dev.sessionlock.benchmarks.peers.Peer;
import java.io.IOException;
import java.io.PrintWriter;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.EnumSet;
import java.util.List;
import java.util.Locale;
import java.util.Set;
import java.util.concurrent.Callable;
import java.util.concurrent.TimeUnit;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.HdrHistogram.Histogram;
import picocli.CommandLine.Command;
import picocli.CommandLine.ITypeConverter;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;
import picocli.CommandLine.TypeConversionException;

/** Runs one load on some peers, as the user's options say. */
@Command(
        name = "load",
        header = "Lets several JVMs with several threads each take locks, and looks whether two are ever in at once.",
        optionListHeading = "%nOptions:%n",
        footer = {
            "",
            "Prints for each peer: cycles a second of all together; the cycles of the least served divided by those of the most served "
                    + "JVM and thread; how long a thread waited; how long the lock took from the beginning of its release in one JVM to a "
                    + "waiter in another one; and how often one came in while another one was there.",
            "",
            "Exit code: 0; 1 if one of our own locks let two in at once; 2 bad usage, or the disk refused.",
            "",
            "Examples:",
            "  java -jar benchmarks.jar load STRICT",
            "  java -jar benchmarks.jar load --jvms 4 --threads 2 --locks 100 --seconds 10 STRICT WARM LUCENE",
            "  java -jar benchmarks.jar load --jvms 1 --threads 8 --hold 1ms WARM FAIR_LOCK",
            "  java -jar benchmarks.jar load --hold 2ms --pause 1ms STRICT CHANNEL_KEPT",
            "  java -jar benchmarks.jar load --threads 8 --locks 32 --rate 500 --hold 100us --dir /dev/shm STRICT WARM"
        })
final class LoadCommand implements Callable<Integer> {
    private static final Set<Peer> OURS = EnumSet.of(Peer.STRICT, Peer.WARM);
    private static final Duration LONGEST = Duration.ofMinutes(1);
    private static final String FORMAT = "%-29s %10s %9s %9s %10s %10s %10s %12s %12s  %s%n";

    @Spec
    private CommandSpec spec;

    @Option(names = "--help", usageHelp = true, description = "Show this help.")
    private boolean help;

    @Option(names = "--jvms", paramLabel = "N", defaultValue = "2", description = "How many JVMs. Default: ${DEFAULT-VALUE}.")
    private int jvms;

    @Option(names = "--threads", paramLabel = "N", defaultValue = "1", description = "Threads of each. Default: ${DEFAULT-VALUE}.")
    private int threads;

    @Option(names = "--locks", paramLabel = "N", defaultValue = "1", description = "How many locks. Default: ${DEFAULT-VALUE}.")
    private int locks;

    @Option(names = "--seconds", paramLabel = "S", defaultValue = "3", description = "For how long. Default: ${DEFAULT-VALUE}.")
    private double seconds;

    @Option(names = "--warm-up", paramLabel = "S", defaultValue = "5",
            description = "For how long the same is done before, without pauses and without being counted: the JIT compiler needs some seconds. Default: ${DEFAULT-VALUE}.")
    private double warmUp;

    @Option(names = "--hold", paramLabel = "TIME", defaultValue = "0", converter = TimeConverter.class,
            description = "How long each hold is: 1ms, 100us, 0.5s, or a number of ms. The holder sleeps. Default: ${DEFAULT-VALUE}.")
    private Duration hold;

    @Option(names = "--pause", paramLabel = "TIME", defaultValue = "0", converter = TimeConverter.class,
            description = "How long a thread stays away, likewise. Default: ${DEFAULT-VALUE}.")
    private Duration pause;

    @Option(names = "--rate", paramLabel = "N", defaultValue = "0",
            description = "Messages a second that come to each JVM at random times, some locks getting far more than others. Default: as many as they can.")
    private int rate;

    @Option(names = "--dir", paramLabel = "DIR", description = "Where to work. Default: a temporary directory on a disk.")
    private Path directory;

    @Parameters(paramLabel = "PEER", arity = "1..*", description = "One or more of ${COMPLETION-CANDIDATES}.")
    private List<Peer> peers = new ArrayList<>();

    @Override
    public Integer call() throws IOException, InterruptedException {
        within("--jvms", jvms, 1, 64);
        within("--threads", threads, 1, 256);
        within("--locks", locks, 1, 10_000);
        within("--seconds", seconds, 0.01, 3_600);
        within("--warm-up", warmUp, 0.01, 3_600);
        within("--hold", hold, LONGEST);
        within("--pause", pause, LONGEST);
        within("--rate", rate, 0, 100_000);
        Load load = new Load(threads, locks, nanos(seconds * TimeUnit.SECONDS.toNanos(1)), hold, pause, rate);
        PrintWriter out = spec.commandLine().getOut();
        int exit = 0;
        try (Workplace place = directory == null ? Workplace.create() : Workplace.in(directory)) {
            out.printf(FORMAT, place.fileSystem(), "cycles/s", "JVMs", "threads", "wait p50", "p99", "longest", "handover p50", "p99",
                    "double holders");
            for (Peer peer : peers) {
                LoadResult result = run(peer, load, place);
                print(out, peer, result);
                exit = !result.excluded() && OURS.contains(peer) ? Main.NOT_EXCLUSIVE : exit;
            }
        }
        return exit;
    }

    private void within(String option, double value, double least, double most) {
        if (!(value >= least && value <= most)) {
            throw new ParameterException(spec.commandLine(),
                    String.format(Locale.ROOT, "%s must be from %s to %s", option, number(least), number(most)));
        }
    }

    private static String number(double value) {
        return value == Math.rint(value) ? Long.toString((long) value) : Double.toString(value);
    }

    private void within(String option, Duration value, Duration most) {
        if (value.compareTo(most) > 0) {
            throw new ParameterException(spec.commandLine(), option + " must be at most " + most.toSeconds() + "s");
        }
    }

    private static Duration nanos(double nanos) {
        return Duration.ofNanos(Math.round(nanos));
    }

    /** A time with its unit, or a number of milliseconds. */
    static final class TimeConverter implements ITypeConverter<Duration> {
        private static final Pattern TIME = Pattern.compile("(\\d+(?:\\.\\d+)?)(us|ms|s|)");

        @Override
        public Duration convert(String text) {
            Matcher time = TIME.matcher(text);
            if (!time.matches()) {
                throw new TypeConversionException("'" + text + "' is not a time such as 1ms, 100us or 0.5s");
            }
            TimeUnit unit = switch (time.group(2)) {
                case "us" -> TimeUnit.MICROSECONDS;
                case "s" -> TimeUnit.SECONDS;
                default -> TimeUnit.MILLISECONDS;
            };
            return nanos(Double.parseDouble(time.group(1)) * unit.toNanos(1));
        }
    }

    private LoadResult run(Peer peer, Load load, Workplace place) throws IOException, InterruptedException {
        try (Crew crew = Crew.start(peer, place.directory("load"), jvms, locks)) {
            crew.load(Load.onManyLocks(threads, locks, nanos(warmUp * TimeUnit.SECONDS.toNanos(1))));
            return crew.load(load);
        } catch (IOException e) {
            throw new IOException(peer.title() + ": " + e.getMessage(), e);
        }
    }

    private void print(PrintWriter out, Peer peer, LoadResult result) {
        Histogram handovers = result.handovers();
        out.printf(Locale.ROOT, FORMAT, peer.title(), String.format(Locale.ROOT, "%,.0f", result.perSecond()),
                jvms == 1 ? "-" : String.format(Locale.ROOT, "%.2f", result.fairnessOfProcesses()),
                String.format(Locale.ROOT, "%.2f", result.fairnessOfThreads()),
                micros(result.waits().getValueAtPercentile(50)), micros(result.waits().getValueAtPercentile(99)),
                micros(result.waits().getMaxValue()),
                handovers.getTotalCount() == 0 ? "-" : micros(handovers.getValueAtPercentile(50)),
                handovers.getTotalCount() == 0 ? "-" : micros(handovers.getValueAtPercentile(99)),
                result.excluded() ? "0" : "FAILING: " + result.doubles() + " (and " + result.lostVisits() + " updates lost)");
        out.flush();
    }

    private static String micros(long nanos) {
        return String.format(Locale.ROOT, "%,.1f us", nanos / 1e3);
    }
}

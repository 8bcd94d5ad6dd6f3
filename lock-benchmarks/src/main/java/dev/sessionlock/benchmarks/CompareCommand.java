package dev.sessionlock.benchmarks;

import dev.sessionlock.benchmarks.turns.Contender;
import dev.sessionlock.benchmarks.turns.ContenderFailedException;
import dev.sessionlock.benchmarks.turns.Turns;
import java.io.IOException;
import java.io.PrintWriter;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.concurrent.Callable;
import java.util.function.ToDoubleFunction;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/** Compares the cycle of one thread, of several locks or builds. */
@Command(
        name = "compare",
        header = "Compares the cycle of one thread: locks side by side, or two builds of one.",
        optionListHeading = "%nOptions:%n",
        footer = {
            "",
            "All take turns of a few milliseconds in one JVM. For each it prints the time of a cycle in the turns that the machine disturbed least, and in the middle "
                    + "one, both also as a ratio to the first, and the bytes that a cycle allocates. The ratio is good to one part in a hundred.",
            "",
            "Exit code: 0; 2 bad usage, or one of them failed.",
            "",
            "Examples:",
            "  java -jar benchmarks.jar compare BARE_SKETCH STRICT LUCENE",
            "  java -jar benchmarks.jar compare WARM@/tmp/before/benchmarks.jar WARM",
            "  java -jar benchmarks.jar compare --warm-up 5 --rounds 2 REENTRANT_LOCK WARM"
        })
final class CompareCommand implements Callable<Integer> {
    private static final String FORMAT = "%-40s %12s %8s %12s %8s %8s%n";

    @Spec
    private CommandSpec spec;

    @Option(names = "--help", usageHelp = true, description = "Show this help.")
    private boolean help;

    @Option(names = "--warm-up", paramLabel = "S", defaultValue = "25", description = "Seconds before anything counts. Default: ${DEFAULT-VALUE}.")
    private int warmUp;

    @Option(names = "--seconds", paramLabel = "S", defaultValue = "10", description = "How long a round is. Default: ${DEFAULT-VALUE}.")
    private int seconds;

    @Option(names = "--rounds", paramLabel = "N", defaultValue = "3", description = "How many rounds. Default: ${DEFAULT-VALUE}.")
    private int rounds;

    @Option(names = "--dir", paramLabel = "DIR", description = "Where to work. Default: a temporary directory on a disk.")
    private Path directory;

    @Parameters(paramLabel = "PEER[@JAR]", arity = "1..*", description = "STRICT, WARM, BARE_SKETCH, LUCENE or another peer of this build, or of the benchmarks.jar of another.")
    private List<String> names = new ArrayList<>();

    @Override
    public Integer call() throws IOException, InterruptedException {
        within("--warm-up", warmUp, 0, 600);
        within("--seconds", seconds, 1, 600);
        within("--rounds", rounds, 1, 1_000);
        List<Contender> contenders = new ArrayList<>();
        for (String name : names) {
            try {
                contenders.add(Contender.parse(name));
            } catch (IllegalArgumentException e) {
                throw new ParameterException(spec.commandLine(), "there is no peer " + name);
            }
        }
        PrintWriter out = spec.commandLine().getOut();
        try (Workplace place = directory == null ? Workplace.create() : Workplace.in(directory)) {
            List<List<Turns.Result>> results = Turns.take(contenders, place.path(), Duration.ofSeconds(warmUp), Duration.ofSeconds(seconds), rounds);
            for (List<Turns.Result> round : results) {
                print(out, contenders, round);
            }
        } catch (ContenderFailedException e) {
            throw new IOException(e.contender() + " failed: " + e.reason(), e);
        }
        return 0;
    }

    private void within(String option, int value, int least, int most) {
        if (value < least || value > most) {
            throw new ParameterException(spec.commandLine(), option + " must be from " + least + " to " + most);
        }
    }

    private static void print(PrintWriter out, List<Contender> contenders, List<Turns.Result> round) {
        out.printf(FORMAT, "one thread", "ns, best", "ratio", "ns, median", "ratio", "B/op");
        for (int i = 0; i < round.size(); i++) {
            Turns.Result it = round.get(i);
            out.printf(Locale.ROOT, FORMAT, contenders.get(i), number("%.1f", it.best()), ratio(round, it, Turns.Result::best), number("%.1f", it.median()),
                    ratio(round, it, Turns.Result::median), number("%.1f", it.bytes()));
        }
        out.flush();
    }

    private static String ratio(List<Turns.Result> round, Turns.Result it, ToDoubleFunction<Turns.Result> figure) {
        return number("%.3f", figure.applyAsDouble(it) / figure.applyAsDouble(round.get(0)));
    }

    private static String number(String format, double value) {
        return String.format(Locale.ROOT, format, value);
    }
}

package dev.sessionlock.benchmarks;

import dev.sessionlock.benchmarks.start.Start;
import dev.sessionlock.benchmarks.start.Start.Part;
import java.io.IOException;
import java.io.PrintWriter;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Locale;
import java.util.Map;
import java.util.concurrent.Callable;
import java.util.function.ToDoubleFunction;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;

/** Measures how long the first acquisition of a JVM takes. */
@Command(
        name = "start",
        header = "Measures the first acquisition of a JVM, and what of it nobody who locks could avoid.",
        optionListHeading = "%nOptions:%n",
        footer = {
            "",
            "Prints the processor time of the acquiring thread, medians, in ms and as a share of all parts: SLF4J's search for its provider; the first use of the "
                    + "JDK's files, locks, mapped pages and threads, done plainly; the loading and linking of the classes that the acquisition uses besides; and "
                    + "what remains for SessionLocks.create().acquire(path). Without and with the JDK's own class data sharing.",
            "",
            "Exit code: 0; 2 bad usage, the disk refused, or this system does not tell how long a thread has run.",
            "",
            "Examples:",
            "  java -jar benchmarks.jar start",
            "  java -jar benchmarks.jar start --rounds 5 --dir /dev/shm"
        })
final class StartCommand implements Callable<Integer> {
    private static final Map<Part, String> TITLES = new LinkedHashMap<>();

    static {
        TITLES.put(Part.LOGGER, "SLF4J finds its provider");
        TITLES.put(Part.SYSTEM_CALLS, "the JDK's part of the system calls");
        TITLES.put(Part.CLASSES, "loading and linking further classes");
        TITLES.put(Part.LIBRARY, "what remains: create().acquire(path)");
    }

    @Spec
    private CommandSpec spec;

    @Option(names = "--help", usageHelp = true, description = "Show this help.")
    private boolean help;

    @Option(names = "--rounds", paramLabel = "N", defaultValue = "20", description = "How often. Default: ${DEFAULT-VALUE}.")
    private int rounds;

    @Option(names = "--dir", paramLabel = "DIR", description = "Where to work. Default: a temporary directory on a disk.")
    private Path directory;

    @Override
    public Integer call() throws IOException, InterruptedException {
        if (rounds < 1 || rounds > 1_000) {
            throw new ParameterException(spec.commandLine(), "--rounds must be from 1 to 1000");
        }
        try (Workplace place = directory == null ? Workplace.create() : Workplace.in(directory)) {
            Start without = new Start(place.directory("without"), "-Xshare:off");
            Start with = new Start(place.directory("with"), "-Xshare:auto");
            for (int round = 0; round < rounds; round++) {
                without.measure();
                with.measure();
            }
            print(without, with);
        }
        return 0;
    }

    private void print(Start without, Start with) {
        PrintWriter out = spec.commandLine().getOut();
        out.printf("JDK %s, medians of %d rounds%n", Runtime.version(), rounds);
        out.printf("%-38s %14s %7s %14s %7s%n", "processor time of the first acquisition", "-Xshare:off", "", "-Xshare:auto", "");
        TITLES.forEach((part, title) -> line(out, title, start -> start.of(part), without, with));
        line(out, "undivided, in a JVM of its own", Start::undivided, without, with);
        out.flush();
    }

    private static void line(PrintWriter out, String title, ToDoubleFunction<Start> nanos, Start without, Start with) {
        out.printf(Locale.ROOT, "%-38s %11.1f ms %6.0f%% %11.1f ms %6.0f%%%n", title, nanos.applyAsDouble(without) / 1e6,
                share(nanos, without), nanos.applyAsDouble(with) / 1e6, share(nanos, with));
    }

    private static double share(ToDoubleFunction<Start> nanos, Start start) {
        double all = 0;
        for (Part part : Part.values()) {
            all += start.of(part);
        }
        return 100 * nanos.applyAsDouble(start) / all;
    }
}

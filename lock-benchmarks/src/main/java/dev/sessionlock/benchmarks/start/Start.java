package dev.sessionlock.benchmarks.start;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.TimeUnit;

/**
 * The first acquisition of a JVM, measured repeatedly: undivided, and in its parts. The time is the CPU time of the acquiring thread, so that the
 * other load of the machine matters less.
 */
public final class Start {
    /** What happens before and in an acquisition, in this order. */
    public enum Part {
        /** SLF4J looks for its provider. */
        LOGGER,
        /** The first use of the JDK's files, locks, mapped pages and threads, without the library. */
        SYSTEM_CALLS,
        /** The other classes that an acquisition uses are loaded and linked. */
        CLASSES,
        /** The rest: {@code SessionLocks.create().acquire(path)}. */
        LIBRARY
    }

    private static final long PATIENCE_SECONDS = 60;

    private final Path dir;
    private final List<String> options;
    private final Path classes;
    private final List<Long> undivided = new ArrayList<>();
    private final List<long[]> divided = new ArrayList<>();

    /**
     * Finds out which classes an acquisition loads.
     *
     * @param dir to work in
     * @param options of the JVMs
     * @throws IOException if it cannot be measured here; the message is for people
     */
    public Start(Path dir, String... options) throws IOException, InterruptedException {
        if (!Files.isReadable(Path.of("/proc/thread-self/schedstat"))) {
            throw new IOException("this system does not tell how long a thread has run (/proc/thread-self/schedstat)");
        }
        this.dir = dir;
        this.options = List.of(options);
        this.classes = Files.write(dir.resolve("classes"), classesOf(run(List.of("-Xlog:class+load:stdout:none"), List.of())));
    }

    /** Measures one round: one JVM undivided, one in parts. */
    public void measure() throws IOException, InterruptedException {
        undivided.add(times(run(List.of(), List.of()))[Part.LIBRARY.ordinal()]);
        divided.add(times(run(List.of(), List.of(classes.toString()))));
    }

    /** {@return the median of the undivided acquisition, ns} */
    public double undivided() {
        return median(undivided.stream().mapToLong(nanos -> nanos).toArray());
    }

    /** {@return the median of a part, ns} */
    public double of(Part part) {
        return median(divided.stream().mapToLong(times -> times[part.ordinal()]).toArray());
    }

    private static double median(long[] nanos) {
        Arrays.sort(nanos);
        return (nanos[(nanos.length - 1) / 2] + nanos[nanos.length / 2]) / 2.0;
    }

    /**
     * Leaves out the classes that the JVM generates for lambdas, and those that generate them: the JDK's own lambdas among the system calls load what
     * is needed of these.
     */
    private static List<String> classesOf(List<String> said) {
        return said.subList(said.indexOf(FirstAcquisition.BEGIN), said.indexOf(FirstAcquisition.END)).stream()
                .filter(line -> line.contains(" source: "))
                .map(line -> line.split(" ", 2)[0])
                .filter(name -> !name.contains("/0x") && !name.contains("+0x") && !name.contains("$$Lambda"))
                .filter(name -> !name.startsWith("java.lang.invoke.") && !name.startsWith("sun.invoke.") && !name.contains(".objectweb.asm."))
                .toList();
    }

    private static long[] times(List<String> said) throws IOException {
        return said.stream().filter(line -> line.startsWith(FirstAcquisition.TIMES)).findFirst()
                .map(line -> Arrays.stream(line.split(" ")).skip(1).mapToLong(Long::parseLong).toArray())
                .orElseThrow(() -> new IOException("a JVM failed: " + said));
    }

    private List<String> run(List<String> moreOptions, List<String> args) throws IOException, InterruptedException {
        List<String> command = new ArrayList<>(List.of(Path.of(System.getProperty("java.home"), "bin", "java").toString(), "-XX:+UseSerialGC"));
        command.addAll(options);
        command.addAll(moreOptions);
        command.addAll(List.of("-cp", System.getProperty("java.class.path"), FirstAcquisition.class.getName(),
                Files.createTempDirectory(dir, "start-").toString()));
        command.addAll(args);
        Path said = dir.resolve("said");
        Process process = new ProcessBuilder(command).redirectErrorStream(true).redirectOutput(said.toFile()).start();
        try {
            if (!process.waitFor(PATIENCE_SECONDS, TimeUnit.SECONDS)) {
                throw new IOException("a JVM has not ended within " + PATIENCE_SECONDS + " s");
            }
        } finally {
            process.destroyForcibly();
        }
        return Files.readAllLines(said);
    }
}

package dev.sessionlock.schedules;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.abort;

import java.io.File;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.jar.Attributes;
import java.util.jar.JarOutputStream;
import java.util.jar.Manifest;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import java.util.zip.ZipFile;
import org.jspecify.annotations.Nullable;

/**
 * A JVM under Fray. Fray needs JDK 25, and a copy of it whose classes ask Fray which thread goes on; {@code jlink} makes the copy, once, in {@code target/fray}. Where
 * there is no JDK 25, or Fray has no agent for the machine, the tests are skipped and say so.
 */
final class FrayJvm {
    private static final int RELEASE = 25;
    private static final Path HOME = Path.of("target", "fray").toAbsolutePath();
    /** What the classes under test need, and Fray itself. */
    private static final String MODULES = "java.base,java.instrument,java.logging,java.management,java.naming,java.rmi,java.sql,java.xml,jdk.jfr,jdk.unsupported";
    private static final String JLINKS_JARS = "(annotations|asm|asm-[a-z]+|kotlin[a-z-]*|fray-instrumentation-(base|jdk)|fray-runtime)-[0-9].*\\.jar";
    /** A program that prints nothing for this long hangs. Fray prints a line for each schedule, and the longest schedule takes some 20 s. */
    private static final long SILENCE_SECONDS = 90;
    /** How often a program is started that hangs. Fray itself hangs about once in a thousand programs; a schedule that never ends hangs each time. */
    private static final int STARTS = 3;
    private static final long DUMP_SECONDS = 5;
    /** Of a program that hung: enough for the stacks of its threads. */
    private static final int MOST_PRINTED = 30_000;

    private final List<Path> classPath = Stream.of(System.getProperty("java.class.path").split(File.pathSeparator)).map(Path::of).toList();
    private final Path java;
    private final Path nativeAgent;
    private final Path ourAgent;

    private FrayJvm(Path jdk) throws IOException, InterruptedException {
        Files.createDirectories(HOME);
        java = linked(jdk).resolve("bin/java");
        nativeAgent = unpacked(jar("fray-jvmti-.*\\.jar"), "libjvmti.so");
        ourAgent = agent();
    }

    /** {@return a JVM to run programs in; aborts the test with the reason if there can be none} */
    static FrayJvm orSkip() throws IOException, InterruptedException {
        String machine = System.getProperty("os.name") + " " + System.getProperty("os.arch");
        if (!machine.equals("Linux amd64")) {
            throw skip("Fray's agent for " + machine + " is not among the test dependencies");
        }
        Path jdk = jdk();
        if (jdk == null) {
            throw skip("no JDK " + RELEASE + " with jlink was found: not as JDK25_HOME, not as the JDK that runs this, not beside it");
        }
        return new FrayJvm(jdk);
    }

    private static RuntimeException skip(String why) {
        System.out.println("SKIPPED: schedules under Fray: " + why);
        return abort(why);
    }

    private static @Nullable Path jdk() throws IOException {
        List<Path> places = new ArrayList<>();
        Stream.of("JDK25_HOME", "JAVA_HOME_25_X64").map(System::getenv).filter(place -> place != null && !place.isEmpty()).map(Path::of).forEach(places::add);
        Path mine = Path.of(System.getProperty("java.home"));
        places.add(mine);
        try (Stream<Path> beside = Files.list(mine.toRealPath().getParent())) {
            beside.sorted().forEach(places::add);
        }
        for (Path place : places) {
            Path release = place.resolve("release");
            boolean right = Files.isRegularFile(release) && Files.readString(release).contains("JAVA_VERSION=\"" + RELEASE);
            if (right && Files.isExecutable(place.resolve("bin/jlink"))) {
                return place;
            }
        }
        return null;
    }

    // ---- what is made for it ----

    private Path jar(String name) {
        return classPath.stream().filter(path -> path.getFileName().toString().matches(name)).findFirst()
                .orElseThrow(() -> new IllegalStateException("no " + name + " on the class path"));
    }

    /** {@return the copy of the JDK} Its name says what it was made from, so that it is made anew for another Fray or JDK. */
    private Path linked(Path jdk) throws IOException, InterruptedException {
        Path plugin = jar("fray-instrumentation-jdk-[0-9].*\\.jar");
        Path made = HOME.resolve("jdk-" + plugin.getFileName().toString().replaceAll("[^0-9.]|\\.jar", "") + "-" + Integer.toHexString(
                Files.readString(jdk.resolve("release")).hashCode()));
        if (Files.exists(made)) {
            return made;
        }
        String jars = classPath.stream().filter(path -> path.getFileName().toString().matches(JLINKS_JARS)).map(Path::toString)
                .collect(Collectors.joining(File.pathSeparator));
        Path fresh = HOME.resolve("making-" + ProcessHandle.current().pid());
        // Without --module-path it links from the JDK itself, which need not have jmods.
        List<String> command = List.of(jdk.resolve("bin/jlink").toString(), "-J-javaagent:" + plugin, "-J--module-path=" + jars,
                "-J--add-modules=org.pastalab.fray.instrumentation.jdk", "-J--class-path=" + jars, "--output=" + fresh, "--add-modules=" + MODULES,
                "--fray-instrumentation");
        Path said = HOME.resolve("jlink.txt");
        Integer ended = end(new ProcessBuilder(command), said);
        assertThat(ended).as(() -> "jlink: " + read(said)).isZero();
        Files.move(fresh, made, StandardCopyOption.ATOMIC_MOVE); // one that was broken off is not taken for a whole one
        return made;
    }

    private static Path unpacked(Path jar, String name) throws IOException {
        Path file = HOME.resolve(name);
        try (ZipFile zip = new ZipFile(jar.toFile()); InputStream in = zip.getInputStream(zip.getEntry(name))) {
            Files.copy(in, file, StandardCopyOption.REPLACE_EXISTING);
        }
        return file;
    }

    /** Only names the agent; its class is on the class path. */
    private static Path agent() throws IOException {
        Path jar = HOME.resolve("schedule-agent.jar");
        Manifest manifest = new Manifest();
        manifest.getMainAttributes().put(Attributes.Name.MANIFEST_VERSION, "1.0");
        manifest.getMainAttributes().putValue("Premain-Class", ScheduleAgent.class.getName());
        manifest.getMainAttributes().putValue("Can-Retransform-Classes", "true");
        try (OutputStream out = Files.newOutputStream(jar); JarOutputStream entries = new JarOutputStream(out, manifest)) {
            entries.finish();
        }
        return jar;
    }

    // ---- running ----

    /** How a program ended, and what it printed of it. */
    record Outcome(int exitValue, String said) {
    }

    /**
     * Plays schedules.
     *
     * @param broken the rule that is broken; null for none
     */
    Outcome play(@Nullable Broken broken, long first, long count) throws IOException, InterruptedException {
        String name = broken == null ? "sound" : broken.name();
        String classes = classPath.stream().filter(path -> !path.getFileName().toString().matches("fray-(instrumentation-agent|jvmti).*"))
                .map(Path::toString).collect(Collectors.joining(File.pathSeparator));
        List<String> command = new ArrayList<>(List.of(java.toString(), "-ea", "-Xmx600m", "-Xmn400m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1",
                "--add-opens=java.base/java.util.concurrent=ALL-UNNAMED", // ScheduleMain sets where random numbers begin
                "-javaagent:" + ourAgent + "=" + (broken == null ? "" : broken.name()), "-javaagent:" + jar("fray-instrumentation-agent-.*\\.jar"),
                "-agentpath:" + nativeAgent, "-cp", classes, ScheduleMain.class.getName()));
        command.addAll(Arrays.asList(HOME.resolve("reports-" + name).toString(), Long.toString(first), Long.toString(count)));
        Path said = HOME.resolve(name + ".txt");
        for (int start = 1; start <= STARTS; start++) {
            Integer ended = end(new ProcessBuilder(command), said);
            String all = read(said);
            if (ended != null) {
                int from = Math.max(all.indexOf("FAILED"), all.indexOf("PASSED"));
                return new Outcome(ended, from < 0 ? all : all.substring(from));
            }
            Path kept = HOME.resolve(name + "-hung-" + start + ".txt");
            Files.writeString(kept, all);
            System.out.println("FrayJvm: " + name + " printed nothing for " + SILENCE_SECONDS + " s in start " + start + " of " + STARTS + "; its threads are in " + kept);
            System.out.println(all.substring(Math.max(0, all.length() - MOST_PRINTED)));
        }
        throw new AssertionError(name + " hung in each of " + STARTS + " starts, see " + HOME);
    }

    /** {@return its exit value; null if it hung and was killed, after it printed where its threads are} */
    private static @Nullable Integer end(ProcessBuilder command, Path said) throws IOException, InterruptedException {
        Process process = command.redirectErrorStream(true).redirectOutput(said.toFile()).start();
        try {
            for (long before = -1; !process.waitFor(SILENCE_SECONDS, TimeUnit.SECONDS); before = Files.size(said)) {
                if (Files.size(said) == before) {
                    new ProcessBuilder("kill", "-QUIT", Long.toString(process.pid())).start().waitFor(); // a JVM prints its threads then
                    process.waitFor(DUMP_SECONDS, TimeUnit.SECONDS);
                    return null;
                }
            }
            return process.exitValue();
        } finally {
            process.destroyForcibly();
        }
    }

    private static String read(Path file) {
        try {
            return Files.readString(file);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }
}

package dev.sessionlock.testkit.systems;

import java.io.IOException;
import java.io.OutputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.time.Duration;
import java.util.List;
import javax.tools.JavaCompiler;
import javax.tools.ToolProvider;

/**
 * A machine that sleeps, and whose clocks go on meanwhile, as they do on Windows: for all its JVMs at once. No JVM can be given another monotonic clock, so these
 * JVMs load a {@code Clock} of the library that adds the time slept, which is the length of a file in seconds.
 */
final class SleepingMachine {
    private static final Path CLOCK = Path.of("../lock-core/src/main/java/dev/sessionlock/spi/Clock.java");

    private final Path classes;
    private final Path slept;

    /** @param directory for its own files; nobody locks there */
    SleepingMachine(Path directory) throws IOException {
        slept = Files.createFile(directory.resolve("slept"));
        classes = Files.createDirectories(directory.resolve("classes"));
        Path source = Files.writeString(directory.resolve("Clock.java"), withSleep(Files.readString(CLOCK)));
        JavaCompiler compiler = ToolProvider.getSystemJavaCompiler();
        int failed = compiler.run(null, OutputStream.nullOutputStream(), null, "-proc:none", "-d", classes.toString(), source.toString());
        if (failed != 0) {
            throw new AssertionError("the clock of a machine that sleeps does not compile: " + source);
        }
    }

    private static String withSleep(String clock) {
        String monotonic = replaced(clock, "return System.nanoTime();", "return System.nanoTime() + slept();");
        String both = replaced(monotonic, "Instant.now();", "Instant.now().plusNanos(slept());");
        return replaced(both, "public interface Clock {", "public interface Clock {\n    private static long slept() {\n"
                + "        return new java.io.File(System.getProperty(\"slept\")).length() * 1_000_000_000L;\n    }\n");
    }

    private static String replaced(String text, String what, String by) {
        if (!text.contains(what)) {
            throw new AssertionError("not in " + CLOCK + ": " + what);
        }
        return text.replace(what, by);
    }

    /** {@return the arguments of a JVM that runs on it} */
    List<String> jvmArgs() {
        return List.of("-Xbootclasspath/a:" + classes, "-Dslept=" + slept);
    }

    /** It sleeps, and wakes. */
    void sleep(Duration time) throws IOException {
        Files.write(slept, new byte[(int) time.toSeconds()], StandardOpenOption.APPEND);
    }
}

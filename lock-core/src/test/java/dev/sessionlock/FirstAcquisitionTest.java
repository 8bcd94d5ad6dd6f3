package dev.sessionlock;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What the first acquisition of a JVM does not do, since it would take longer than all the rest. Judged by the classes that are loaded. */
class FirstAcquisitionTest {
    @TempDir
    static Path dir;

    private static List<String> loaded;
    /** The classes that were loaded until the lock was held. */
    private static List<String> loadedFirst;

    @BeforeAll
    static void lockOnce() throws Exception {
        List<String> said = FreshJvm.run(OneLock.class, dir, "-Xlog:class+load:stdout:none").lines().toList();
        assertThat(said.stream().filter(line -> line.startsWith("acquired"))).containsExactly("acquired 1, held 0, flight recorder true");
        loaded = classes(said);
        loadedFirst = classes(said.subList(0, said.indexOf("held")));
        assertThat(loaded).as("it is the log").contains("dev.sessionlock.internal.threads.LocalLock");
    }

    private static List<String> classes(List<String> said) {
        return said.stream().filter(line -> line.contains(" source: ")).map(line -> line.split(" ")[0]).toList();
    }

    /** The class of an event starts half of the flight recorder. */
    @Test
    void loadsNoEventsOfTheFlightRecorder() {
        assertThat(loaded.stream().filter(type -> type.startsWith("jdk.jfr.") || type.contains("LockEvents"))).containsExactlyInAnyOrder(
                "dev.sessionlock.internal.threads.LockEvents", "dev.sessionlock.internal.threads.LockEvents$Timed", "jdk.jfr.FlightRecorder");
    }

    /**
     * A lambda is linked at its first use, which takes longer than loading a class, and once more for each new set of captured types. Lambdas that
     * the keeper links meanwhile count, too.
     */
    @Test
    void linksFewLambdas() {
        assertThat(loadedFirst.stream().filter(type -> type.startsWith("dev.sessionlock.") && type.contains("$$Lambda"))).hasSizeLessThan(14);
    }

    /** SLF4J uses one stream to look for its provider, and that is all. */
    @Test
    void goesThroughNoStreams() {
        assertThat(loadedFirst).doesNotContain("java.util.stream.ReferencePipeline$3", "java.util.stream.Nodes");
    }

    /** The library has one for kernel waiters and one for callbacks; the JDK has one for its process handles. */
    @Test
    void makesNoThreadPools() {
        assumeTrue(Files.isReadable(Path.of("/proc/self/status")), "no /proc to read the pid from");
        assertThat(loadedFirst).doesNotContain("java.util.concurrent.ThreadPoolExecutor", "java.lang.ProcessHandleImpl");
    }

    @Test
    void linksNoMethodsOfRecords() {
        assertThat(loaded.stream().filter(type -> type.startsWith("java.lang.runtime."))).isEmpty();
    }

    @Test
    void asksNoSecurityProviders() {
        assertThat(loaded.stream().filter(type -> type.startsWith("sun.security.provider.") || type.equals("java.security.SecureRandom"))).isEmpty();
    }

    @Test
    void parsesNeitherTimesNorRegularExpressions() {
        assertThat(loaded).doesNotContain("java.time.format.DateTimeFormatterBuilder", "java.util.regex.Matcher", "sun.nio.fs.Globs");
    }
}

package dev.sessionlock.testkit.projects;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.File;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import javax.tools.ToolProvider;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * Users' projects whose tests use the testkit: their sources are below {@code src/test/projects}, are compiled here, and run in a JVM that is started
 * like Surefire's.
 */
class ProjectsTest {
    private static final Path PROJECTS = Path.of("src", "test", "projects");
    private static final String SEPARATOR = File.pathSeparator;

    @TempDir
    Path dir;

    @Test
    @Tag("soak")
    void scenariosThatCloseTheirLocks() throws Exception {
        Path classes = compiled("closes-its-locks/main", SEPARATOR + classPath(entry -> true));
        Path tests = compiled("closes-its-locks/test", classes + SEPARATOR + classPath(entry -> true));
        assertThat(run(List.of("-cp", String.join(SEPARATOR, launcher(), tests.toString(), classes.toString(), classPath(entry -> true))),
                "gateway.JournalTest")).contains("3 passed, 0 failed");
    }

    /**
     * The packages that the module requires lie on the module path, everything else on the class path. The test's classes are patched into the
     * module.
     */
    @Test
    void testsOnTheModulePath() throws Exception {
        String modules = classPath(ProjectsTest::isRequiredByTheModule);
        String others = classPath(entry -> !isRequiredByTheModule(entry));
        Path classes = compiled("on-the-module-path/main", "", "--module-path", modules);
        Path tests = compiled("on-the-module-path/test", others, "--module-path", modules + SEPARATOR + classes, "--add-modules", "gateway",
                "--patch-module", "gateway=" + PROJECTS.resolve("on-the-module-path/test"), "--add-reads", "gateway=ALL-UNNAMED");
        assertThat(run(List.of("--module-path", modules + SEPARATOR + classes, "--class-path", launcher() + SEPARATOR + others,
                "--patch-module", "gateway=" + tests, "--add-opens", "gateway/gateway=ALL-UNNAMED", "--add-modules", "ALL-MODULE-PATH",
                "--add-reads", "gateway=ALL-UNNAMED"), "gateway.SessionWriterTest")).contains("5 passed, 0 failed");
    }

    private static boolean isRequiredByTheModule(String entry) {
        return entry.contains("lock-core") || entry.contains("slf4j-api");
    }

    private interface Choice {
        boolean takes(String entry);
    }

    /** The class path of this test, without its own classes. */
    private static String classPath(Choice choice) {
        return String.join(SEPARATOR, Arrays.stream(System.getProperty("java.class.path").split(SEPARATOR))
                .filter(entry -> !entry.contains("test-classes") && choice.takes(entry)).toList());
    }

    private String launcher() throws IOException {
        return compiled("launcher", classPath(entry -> true)).toString();
    }

    private Path compiled(String sources, String classPath, String... options) throws IOException {
        Path classes = Files.createDirectories(dir.resolve(sources + "-classes"));
        List<String> arguments = new ArrayList<>(List.of("-d", classes.toString(), "-proc:none", "-cp", classPath));
        arguments.addAll(List.of(options));
        try (Stream<Path> files = Files.walk(PROJECTS.resolve(sources))) {
            files.filter(file -> file.toString().endsWith(".java")).map(Path::toString).forEach(arguments::add);
        }
        int status = ToolProvider.getSystemJavaCompiler().run(null, null, null, arguments.toArray(new String[0]));
        assertThat(status).as("javac %s", arguments).isZero();
        return classes;
    }

    /** {@return what it printed} Started with an argument file, like Surefire. */
    private String run(List<String> options, String test) throws IOException, InterruptedException {
        Path arguments = dir.resolve(test + ".args");
        Files.write(arguments, Stream.concat(options.stream(), Stream.of("RunTests", test))
                .map(word -> '"' + word.replace("\\", "\\\\") + '"').toList());
        Path output = dir.resolve(test + ".txt");
        Process jvm = new ProcessBuilder(Path.of(System.getProperty("java.home"), "bin", "java").toString(), "-Xmx256m",
                "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "@" + arguments).redirectErrorStream(true).redirectOutput(output.toFile())
                .start();
        try {
            assertThat(jvm.waitFor(3, TimeUnit.MINUTES)).as("it ends; so far it printed %s", Files.readString(output)).isTrue();
            return Files.readString(output);
        } finally {
            jvm.destroyForcibly(); // what it has started ends with it
        }
    }
}

package dev.sessionlock.internal.system;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;

/** The names of loggers appear in users' configurations. Classes may be renamed, loggers may not. */
class LoggersTest {
    private static final Path SOURCES = Path.of("src/main/java");

    @Test
    void theirNamesArePublicAndThereAreNoOthers() throws IOException {
        String loggers = Files.readString(SOURCES.resolve("dev/sessionlock/internal/system/Loggers.java"));
        assertThat(loggers.split("getLogger\\(", -1)).as("two loggers").hasSize(3);
        assertThat(loggers).contains("getLogger(\"dev.sessionlock\")", "getLogger(\"dev.sessionlock.events\")");
        try (Stream<Path> sources = Files.walk(SOURCES)) {
            List<Path> others = sources.filter(source -> source.toString().endsWith(".java") && !source.endsWith("Loggers.java"))
                    .filter(LoggersTest::makesLogger).toList();
            assertThat(others).isEmpty();
        }
    }

    private static boolean makesLogger(Path source) {
        try {
            String text = Files.readString(source);
            return text.contains("LoggerFactory") || text.contains("System.getLogger(");
        } catch (IOException e) {
            throw new java.io.UncheckedIOException(e);
        }
    }
}

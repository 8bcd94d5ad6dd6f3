package dev.sessionlock;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** If the stack ends in the middle of a call, no lock stays behind that nobody gives back. */
class StackOverflowTest {
    @TempDir
    Path dir;

    @AfterEach
    void close() {
        Patience.untilLetGo(dir);
    }

    @Test
    void locksAreFreeAfterwards() throws Exception {
        assertThat(Overflows.run(dir, 30)).isGreaterThan(50);
    }

    @Test
    void alsoInterpreted() throws Exception {
        assertThat(inAnotherJvm("-Xint")).contains("all locks are free");
    }

    private String inAnotherJvm(String option) throws Exception {
        List<String> command = new ArrayList<>(List.of(Path.of(System.getProperty("java.home"), "bin", "java").toString(), option, "-cp",
                System.getProperty("java.class.path"), Overflows.class.getName(), dir.toString(), "10"));
        Process process = new ProcessBuilder(command).redirectErrorStream(true).start();
        try {
            return new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
        } finally {
            process.destroyForcibly().waitFor();
        }
    }
}

package dev.sessionlock.metrics;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Assumptions;

/** Prometheus's own judge of metrics and rules, where it is installed. */
public final class PromTool {
    private PromTool() {
    }

    private static boolean isThere() {
        boolean there = List.of(System.getenv("PATH").split(":")).stream().anyMatch(each -> Files.isExecutable(Path.of(each, "promtool")));
        if (!there) {
            System.out.println("promtool is not installed, and the test that needs it is skipped: apt-get install -y prometheus");
        }
        return there;
    }

    /** Checks metrics in the text format. Where there is no promtool, nothing is checked. */
    public static void check(String metrics) throws IOException, InterruptedException {
        if (isThere()) {
            assertThat(said(metrics, List.of("check", "metrics"))).as(metrics).isEqualTo("0");
        }
    }

    /** Checks rules for alerts; skips the test where there is no promtool. */
    static void checkRules(String rules) throws IOException, InterruptedException {
        Assumptions.assumeTrue(isThere());
        Path file = Files.createTempFile("rules", ".yml");
        try {
            Files.writeString(file, rules);
            assertThat(said("", List.of("check", "rules", "--lint=all", "--lint-fatal", file.toString()))).as(rules).startsWith("0");
        } finally {
            Files.delete(file);
        }
    }

    /** {@return the exit code, and what it said unless all is well} */
    private static String said(String input, List<String> arguments) throws IOException, InterruptedException {
        List<String> command = new ArrayList<>(List.of("promtool"));
        command.addAll(arguments);
        Process process = new ProcessBuilder(command).redirectErrorStream(true).start();
        try {
            process.getOutputStream().write(input.getBytes(StandardCharsets.UTF_8));
            process.getOutputStream().close();
            String said = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
            assertThat(process.waitFor(1, TimeUnit.MINUTES)).isTrue();
            return process.exitValue() == 0 ? "0" : process.exitValue() + ": " + said;
        } finally {
            process.destroyForcibly();
        }
    }
}

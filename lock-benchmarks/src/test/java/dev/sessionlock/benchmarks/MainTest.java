package dev.sessionlock.benchmarks;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.EnabledOnOs;
import org.junit.jupiter.api.condition.OS;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;
import picocli.CommandLine;

class MainTest {
    private final StringWriter out = new StringWriter();
    private final StringWriter err = new StringWriter();

    @TempDir
    private Path directory;

    @ParameterizedTest
    @ValueSource(strings = {"", "load", "load NO_SUCH_PEER", "load --jvms 0 STRICT", "load --seconds NaN STRICT", "load --dir /no/such STRICT", "load --hold 1min STRICT", "load --hold -1 STRICT",
        "load --pause 61s STRICT", "start --rounds 0",
        "compare", "compare NO_SUCH_PEER", "compare STRICT@/no/such.jar", "compare --rounds 0 STRICT", "compare --dir /no/such STRICT",
        "report --no-such-option", "report --readme /no/such/README.md", "report --quick --print --dir /no/such"})
    void badUsageIsOneLineAndStatus2(String line) {
        assertThat(run(line.isEmpty() ? new String[0] : line.split(" "))).isEqualTo(2);
        assertThat(err.toString()).startsWith("benchmarks: ").hasLineCount(1);
        assertThat(out.toString()).isEmpty();
    }

    @ParameterizedTest
    @ValueSource(strings = {"--help", "compare --help", "load --help", "report --help", "start --help"})
    void helpHasExamplesAndExitCodes(String line) {
        assertThat(run(line.split(" "))).isZero();
        assertThat(out.toString()).contains("Examples:").contains("java -jar").contains("Exit code");
    }

    /** The chart is looked for before anything is measured. (The directory to measure in is missing, so a report that does not look ends, too.) */
    @Test
    void aReportWithoutAChartToReplaceIsRefused() throws IOException {
        Path readme = Files.writeString(directory.resolve("README.md"), "<!-- benchmarks:begin -->\n<!-- benchmarks:end -->\n");

        assertThat(run("report", "--quick", "--readme", readme.toString(), "--dir", "/no/such")).isEqualTo(2);
        assertThat(err.toString()).startsWith("benchmarks: there is no " + readme.resolveSibling("benchmarks.svg")).hasLineCount(1);
    }

    /** Where the report was until November 2026. */
    @Test
    void theTopReadmeIsRefused() {
        assertThat(run("report", "--quick", "--readme", "../README.md", "--dir", "/no/such")).isEqualTo(2);
        assertThat(err.toString()).startsWith("benchmarks: ../README.md must have the line").hasLineCount(1);
    }

    @Test
    void aLoadLeavesNothingInItsDirectory() throws IOException {
        assertThat(run("load", "--jvms", "1", "--seconds", "0.05", "--dir", directory.toString(), "STRICT")).isZero();
        assertThat(out.toString()).contains("cycles/s").contains("sessionlock, strict").doesNotContain("FAILING");
        try (Stream<Path> left = Files.list(directory)) {
            assertThat(left).isEmpty();
        }
    }

    @Test
    void aLoadWithAHoldRunsAlone() {
        assertThat(run("load", "--jvms", "2", "--threads", "2", "--locks", "2", "--hold", "1ms", "--seconds", "0.2", "--dir", directory.toString(),
                "CHRONICLE")).isZero();
        assertThat(out.toString()).contains("Chronicle Queue write lock").doesNotContain("FAILING");
    }

    @ParameterizedTest
    @CsvSource({"2, 2000000", "0.1, 100000", "1ms, 1000000", "1.5ms, 1500000", "100us, 100000", "0.5s, 500000000"})
    void aTimeWithoutAUnitIsInMilliseconds(String text, long nanos) {
        assertThat(new LoadCommand.TimeConverter().convert(text)).isEqualTo(Duration.ofNanos(nanos));
    }

    @Test
    @EnabledOnOs(OS.LINUX)
    void aFirstAcquisitionIsToldInParts() {
        assertThat(run("start", "--rounds", "1", "--dir", directory.toString())).isZero();
        assertThat(out.toString()).hasLineCount(7).contains("SLF4J", "create().acquire(path)", "undivided");
        assertThat(directory).isEmptyDirectory();
    }

    @Test
    void locksTakeTurnsAndLeaveNothing() {
        assertThat(run("compare", "--warm-up", "0", "--seconds", "1", "--rounds", "2", "--dir", directory.toString(), "BARE_SKETCH", "warm")).isZero();
        assertThat(out.toString()).hasLineCount(6).contains("BARE_SKETCH", "WARM", "1.000");
        assertThat(directory).isEmptyDirectory();
    }

    private int run(String... args) {
        CommandLine main = Main.commandLine();
        main.setOut(new PrintWriter(out)).setErr(new PrintWriter(err));
        return main.execute(args);
    }
}

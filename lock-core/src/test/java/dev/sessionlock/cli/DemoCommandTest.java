package dev.sessionlock.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The demo as its user sees it. */
class DemoCommandTest {
    @TempDir
    private Path directory;
    @TempDir
    private Path scratch;

    @Test
    void outageIsReplayedAndNoLineIsLostTornOrDoubled() throws Exception {
        try (ToolProcess demo = ToolProcess.start(scratch, "demo", "--dir", directory.toString())) {
            assertThat(demo.exitCode()).as(demo.toString()).isZero();

            assertThat(demo.out()).contains("kill -9 of the compaction job", "in the middle of a line",
                    "forgets to close its handle", "kill -STOP",
                    "kill -CONT: its late write of line ", "rm session.jsonl.lock");
            // Unless a compaction has renamed a new file over the one that the frozen writer had open.
            assertThat(demo.out()).containsAnyOf("found the line there, and only counted it", "found the line missing, and wrote it again");
            assertThat(demo.out()).containsSubsequence("event", "writing went on after", "compaction killed", "writer killed",
                    "handle leaked", "holder frozen", ".lock removed by hand", "the outage", "22 min",
                    "lines counted by the writers", "lost 0, torn 0, doubled 0", "Nothing was lost.");
            assertThat(demo.err()).isEmpty();
            await().atMost(ToolProcess.PATIENCE).until(() -> demo.living().isEmpty());
        }
        assertThat(directory).isEmptyDirectory();
    }

    @Test
    void demoThatIsKilledLeavesNoProcessBehindNotEvenAFrozenOne() throws Exception {
        try (ToolProcess demo = ToolProcess.start(scratch, "demo", "--dir", directory.toString())) {
            demo.awaitOut("kill -STOP").signal("KILL");
            await().atMost(ToolProcess.PATIENCE).until(() -> demo.living().isEmpty());
        }
    }

    @Test
    void demoThatIsInterruptedEndsItsProcessesAndRemovesItsFiles() throws Exception {
        try (ToolProcess demo = ToolProcess.start(scratch, "demo", "--dir", directory.toString())) {
            demo.awaitOut("all are at work").signal("TERM"); // like Ctrl-C; SIGINT may be ignored here
            assertThat(demo.exitCode()).isEqualTo(128 + 15);
            await().atMost(ToolProcess.PATIENCE).until(() -> demo.living().isEmpty());
        }
        assertThat(directory).isEmptyDirectory();
    }
}

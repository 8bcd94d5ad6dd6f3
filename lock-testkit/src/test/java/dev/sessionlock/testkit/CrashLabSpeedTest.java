package dev.sessionlock.testkit;

import static java.nio.file.StandardOpenOption.APPEND;
import static java.nio.file.StandardOpenOption.CREATE;
import static org.assertj.core.api.Assertions.assertThat;

import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Tag;

/** The promise of 200 steps in a minute on two cores; run with nothing beside it. */
@Tag("soak")
class CrashLabSpeedTest {

    static final class TwoHundredSteps implements CrashScenario {
        @Override
        public void run(Path directory) throws Exception {
            try (FileChannel channel = FileChannel.open(directory.resolve("log"), CREATE, APPEND)) {
                for (int i = 0; i < 99; i++) {
                    channel.write(java.nio.ByteBuffer.wrap("a line\n".getBytes(java.nio.charset.StandardCharsets.US_ASCII)));
                    channel.force(false);
                }
            }
            Files.delete(directory.resolve("log"));
        }
    }

    @CrashTest
    void twoHundredStepsTakeLessThanAMinute(CrashLab lab) throws Exception {
        CrashSummary summary = lab.scenario(TwoHundredSteps.class).check(directory -> assertThat(directory).isDirectory())
                .killAtEveryStep();
        assertThat(summary.steps()).isEqualTo(200);
    }
}

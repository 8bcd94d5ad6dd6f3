package dev.sessionlock.testkit;

import static java.nio.file.StandardOpenOption.APPEND;
import static java.nio.file.StandardOpenOption.CREATE;
import static org.assertj.core.api.Assertions.assertThat;

import dev.sessionlock.LockOptions;
import dev.sessionlock.SessionLock;
import dev.sessionlock.SessionLocks;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import org.junit.jupiter.api.Tag;

/** The promises: 200 steps in a minute, and 25 frozen steps in 15 s, on two cores. To be run alone. */
@Tag("soak")
class CrashLabSpeedTest {

    static final class TwoHundredSteps implements CrashScenario {
        @Override
        public void run(Path directory) throws Exception {
            try (FileChannel channel = FileChannel.open(directory.resolve("log"), CREATE, APPEND)) {
                for (int i = 0; i < 99; i++) {
                    channel.write(ByteBuffer.wrap("a line\n".getBytes(StandardCharsets.US_ASCII)));
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

    static final class TwentyFiveStepsUnderALock implements CrashScenario {
        @Override
        public void run(Path directory) throws Exception {
            LockOptions options = LockOptions.defaults().withLease(LockOptions.MIN_LEASE);
            try (SessionLocks locks = SessionLocks.create(); SessionLock lock = locks.acquire(directory.resolve("log"), options);
                 FileChannel channel = FileChannel.open(directory.resolve("log"), CREATE, APPEND)) {
                for (int i = 0; i < 12; i++) {
                    lock.ensureHeld();
                    channel.write(ByteBuffer.wrap((CrashLab.process() + "\n").getBytes(StandardCharsets.US_ASCII)));
                    channel.force(false);
                }
            }
        }
    }

    @CrashTest
    void twentyFiveStepsAreFrozenInFifteenSeconds(CrashLab lab) throws Exception {
        CrashSummary summary = lab.scenario(TwentyFiveStepsUnderALock.class).check(directory -> assertThat(directory).isDirectory())
                .freezeAtEveryStep(Duration.ofMillis(1_300));
        assertThat(summary.steps()).isEqualTo(25);
    }
}

package dev.sessionlock.internal.system;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.concurrent.TimeUnit;
import java.util.stream.LongStream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

class GrowingPauseTest {
    private final GrowingPause pause = new GrowingPause();

    @AfterEach
    void clearInterrupt() {
        Thread.interrupted();
    }

    @Test
    void doublesUpToASecondAndStartsAnewAfterASuccess() {
        assertThat(LongStream.generate(pause::grow).limit(9).map(TimeUnit.NANOSECONDS::toMillis))
                .containsExactly(10L, 20L, 40L, 80L, 160L, 320L, 640L, 1_000L, 1_000L);
        pause.reset();
        assertThat(pause.grow()).isEqualTo(TimeUnit.MILLISECONDS.toNanos(10));
    }

    @Test
    void neitherAnInterruptNorAnUnparkCutsItShort() {
        pause.grow();
        pause.grow();
        Thread.currentThread().interrupt();
        long before = System.nanoTime();
        pause.rest();
        assertThat(System.nanoTime() - before).isGreaterThanOrEqualTo(TimeUnit.MILLISECONDS.toNanos(40));
        assertThat(Thread.currentThread().isInterrupted()).isTrue();
    }
}

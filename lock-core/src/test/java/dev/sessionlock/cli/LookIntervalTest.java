package dev.sessionlock.cli;

import static org.assertj.core.api.Assertions.assertThat;

import java.time.Duration;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;

class LookIntervalTest {
    private static final long SECOND = TimeUnit.SECONDS.toNanos(1);

    private long processor;
    private final LookInterval pace = new LookInterval(Duration.ofSeconds(1), () -> processor);

    @Test
    void cheapLooksComeAtTheInterval() {
        assertThat(pace.after(SECOND / 100)).isEqualTo(SECOND);
        processor += SECOND / 100;
        assertThat(pace.after(SECOND / 100)).isEqualTo(SECOND);
    }

    @Test
    void whatAllThreadsUseIsATenthAtMostButForTheStart() {
        processor = 6 * SECOND;
        assertThat(pace.after(SECOND / 4)).isEqualTo(SECOND);
        processor += SECOND;
        assertThat(pace.after(SECOND / 4)).isEqualTo(12 * SECOND);
    }

    @Test
    void slowDiskIsNotAskedWithoutAPause() {
        assertThat(pace.after(3 * SECOND)).isEqualTo(6 * SECOND);
    }

    @Test
    void whereProcessorTimeIsUnknownTheClockCounts() {
        processor = -1;
        assertThat(pace.after(SECOND)).isEqualTo(12 * SECOND);
        assertThat(pace.after(SECOND)).isEqualTo(12 * SECOND);
    }
}

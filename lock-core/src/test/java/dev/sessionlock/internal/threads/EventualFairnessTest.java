package dev.sessionlock.internal.threads;

import static dev.sessionlock.internal.threads.EventualFairness.PATIENCE_NANOS;
import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class EventualFairnessTest {

    @ParameterizedTest
    @ValueSource(longs = {0, 1_000_000_000_000L, -7, Long.MAX_VALUE - 10})
    void aWaiterIsOvertakenForAMillisecondAndNotLonger(long queuedAt) {
        assertThat(EventualFairness.mayOvertake(queuedAt, queuedAt)).isTrue();
        assertThat(EventualFairness.mayOvertake(queuedAt, queuedAt + PATIENCE_NANOS - 1)).isTrue();
        assertThat(EventualFairness.mayOvertake(queuedAt, queuedAt + PATIENCE_NANOS)).isFalse();
        assertThat(EventualFairness.mayOvertake(queuedAt, queuedAt + 1_000 * PATIENCE_NANOS)).isFalse();
    }

    @Test
    void patienceIsAMillisecond() {
        assertThat(PATIENCE_NANOS).isEqualTo(1_000_000);
    }
}

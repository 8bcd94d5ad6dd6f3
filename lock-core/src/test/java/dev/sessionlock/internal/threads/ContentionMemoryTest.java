package dev.sessionlock.internal.threads;

import static dev.sessionlock.internal.threads.ContentionMemory.FIRST_NANOS;
import static dev.sessionlock.internal.threads.ContentionMemory.LONGEST_NANOS;
import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** How long a lock counts as shared once another process was seen at it. */
class ContentionMemoryTest {
    private final ContentionMemory contention = new ContentionMemory();

    @Test
    void lockAtWhichNobodyWasSeenDoesNotCount() {
        for (long now : new long[] {Long.MIN_VALUE, -1, 0, 1, Long.MAX_VALUE}) {
            assertThat(contention.counts(now)).isFalse();
        }
    }

    @ParameterizedTest
    @ValueSource(longs = {Long.MIN_VALUE, -5, 0, 7, Long.MAX_VALUE - 3})
    void countsForAWhileAfterEachSight(long start) {
        contention.seen(start);
        assertCountsUntil(start + FIRST_NANOS);
        contention.seen(start + FIRST_NANOS - 1);
        assertCountsUntil(start + 2 * FIRST_NANOS - 1);
    }

    @Test
    void whileGrowsIfAnotherIsSeenSoonAfterIt() {
        long now = 0;
        contention.seen(now);
        for (long expected = FIRST_NANOS; expected < LONGEST_NANOS; expected *= 2) {
            assertCountsUntil(now + expected);
            now += 2 * expected - 1;
            contention.seen(now);
        }
        assertCountsUntil(now + LONGEST_NANOS);
    }

    @Test
    void whileIsShortAgainOnceNobodyWasSeenForLong() {
        contention.seen(0);
        contention.seen(FIRST_NANOS);
        assertCountsUntil(3 * FIRST_NANOS);
        contention.seen(5 * FIRST_NANOS);
        assertCountsUntil(6 * FIRST_NANOS);
    }

    private void assertCountsUntil(long end) {
        assertThat(contention.counts(end - 1)).isTrue();
        assertThat(contention.counts(end)).isFalse();
    }
}

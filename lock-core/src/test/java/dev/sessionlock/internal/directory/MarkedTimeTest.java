package dev.sessionlock.internal.directory;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Test;

class MarkedTimeTest {
    private static final long MARK = 0xbeef;
    private static final long NOW = 123_456_789_012_345L;
    private static final long PRECISION = 0x1_0000;

    @Test
    void expiryIsNeverBeforeTheTimeAndTellsItsWriter() {
        for (long at = NOW; at < NOW + 2 * PRECISION; at += 999) {
            long word = MarkedTime.expiry(at, MARK);
            assertThat(word - MARK).isBetween(at, at + PRECISION - 1);
            assertThat(MarkedTime.isBy(MARK, word)).isTrue();
            assertThat(MarkedTime.isBy(MARK - 1, word)).isFalse();
        }
    }

    @Test
    void twoWritersNeverWriteTheSameExpiry() {
        assertThat(MarkedTime.expiry(NOW, 1)).isNotEqualTo(MarkedTime.expiry(NOW, 2));
        assertThat(MarkedTime.never(1)).isNotEqualTo(MarkedTime.never(2));
    }

    @Test
    void neverIsNeverPast() {
        assertThat(TableEntry.isNever(MarkedTime.never(0))).isTrue();
        assertThat(TableEntry.isNever(MarkedTime.never(TableEntry.MARK_BITS))).isTrue();
        assertThat(TableEntry.isNever(MarkedTime.expiry(NOW, MARK))).isFalse();
    }

    @Test
    void waiterMarkTellsWhenItWasSetWhoSetItAndWhetherItWaits() {
        for (boolean waits : new boolean[] {true, false}) {
            for (long at = NOW; at < NOW + 4 * PRECISION; at += 999) {
                long word = MarkedTime.waiterMark(at, waits, MARK);
                assertThat(MarkedTime.age(word, at)).as("it is coarse, and is never of the future").isBetween(0L, 2 * PRECISION - 1);
                assertThat(MarkedTime.age(word, at + 1_000_000_000)).isEqualTo(1_000_000_000 + MarkedTime.age(word, at));
                assertThat(MarkedTime.isBy(MARK, word)).isTrue();
                assertThat(MarkedTime.tellsOfWaiting(word)).isEqualTo(waits);
            }
        }
        assertThat(MarkedTime.tellsOfWaiting(0)).as("none was ever set").isFalse();
    }

    @Test
    void ofTheBitsThatAProcessKnowsTheMarkAloneIsWritten() {
        assertThat(MarkedTime.mark(0x7_0000_0000L + MARK)).isEqualTo(MARK);
    }
}

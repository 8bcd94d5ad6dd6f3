package dev.sessionlock.internal.directory;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Nested;
import org.junit.jupiter.api.Test;

/** What an expiry and a token mean, to the nanosecond; and the entry that this process alone knows. */
class TableEntryTest {
    private static final long NOW = 5_000_000_000_000L;

    @Test
    void anExpiryIsPastFromItsVeryNanosecondOn() {
        assertThat(TableEntry.isPast(NOW + 1, NOW, true)).isFalse();
        assertThat(TableEntry.isPast(NOW, NOW, true)).isTrue();
        assertThat(TableEntry.isPast(0, NOW, true)).as("nobody's").isTrue();
    }

    @Test
    void anExpiryFurtherAwayThanAnyLeaseIsOfAnotherBootUnlessItIsNever() {
        assertThat(TableEntry.isPast(NOW + TableEntry.LONGEST_NANOS, NOW, true)).isFalse();
        assertThat(TableEntry.isPast(NOW + TableEntry.LONGEST_NANOS + 1, NOW, true)).isTrue();
        assertThat(TableEntry.isPast(TableEntry.NEVER, NOW, true)).isFalse();
        assertThat(TableEntry.isPast(TableEntry.NEVER & ~TableEntry.MARK_BITS, NOW, true)).as("of the process with the mark 0").isFalse();
        assertThat(TableEntry.isNever((TableEntry.NEVER & ~TableEntry.MARK_BITS) - 1)).isFalse();
    }

    @Test
    void ofAnotherClockOnlyNobodysExpiryIsPast() {
        assertThat(TableEntry.isPast(NOW - 1, NOW, false)).isFalse();
        assertThat(TableEntry.isPast(0, NOW, false)).isTrue();
    }

    @Test
    void aTokenIsGreaterThanTheLastOneAndNotBelowTheClock() {
        assertThat(TableEntry.tokenAfter(7, 5, 1)).isEqualTo(8);
        assertThat(TableEntry.tokenAfter(7, 9, 1)).isEqualTo(9);
        assertThat(TableEntry.tokenAfter(-7, -9, 1)).isOne();
        assertThat(TableEntry.tokenAfter(Long.MAX_VALUE - 1, 5, 1)).isEqualTo(Long.MAX_VALUE);
        assertThat(TableEntry.tokenAfter(Long.MAX_VALUE, 5, 1)).isEqualTo(TableEntry.NO_TOKEN);
    }

    @Test
    void severalTokensAreAllThereOrNone() {
        assertThat(TableEntry.tokenAfter(7, 5, 3)).isEqualTo(8);
        assertThat(TableEntry.tokenAfter(Long.MAX_VALUE - 3, 5, 3)).isEqualTo(Long.MAX_VALUE - 2);
        assertThat(TableEntry.tokenAfter(Long.MAX_VALUE - 2, 5, 3)).isEqualTo(TableEntry.NO_TOKEN);
    }

    /** On network file systems. */
    @Nested
    class OfThisProcessAlone {
        private final HeapEntry entry = new HeapEntry();

        @Test
        void hasAnExpiryForEachSeatThatIsReplacedOnlyIfItIsStillThere() {
            assertThat(entry.expiry(0)).isZero();
            assertThat(entry.replaceExpiry(0, 0, 5)).isTrue();
            assertThat(entry.replaceExpiry(1, 0, 6)).isTrue();
            assertThat(entry.replaceExpiry(0, 4, 7)).isFalse();
            assertThat(entry.expiry(0)).isEqualTo(5);
            assertThat(entry.expiry(1)).isEqualTo(6);
            assertThat(entry.hasExpiry(0, 5)).isTrue();
            assertThat(entry.hasExpiry(0, 6)).isFalse();
            assertThat(entry.isValid()).as("nobody clears it").isTrue();
        }

        @Test
        void drawsTokensThatGrow() {
            assertThat(entry.lastToken()).isZero();
            assertThat(entry.drawToken(100)).isEqualTo(100);
            assertThat(entry.drawToken(50)).isEqualTo(101);
            entry.raiseToken(200);
            entry.raiseToken(150);
            assertThat(entry.lastToken()).isEqualTo(200);
            assertThat(entry.drawToken(50)).isEqualTo(201);
            entry.raiseToken(Long.MAX_VALUE);
            assertThat(entry.drawToken(50)).isEqualTo(TableEntry.NO_TOKEN);
            assertThat(entry.lastToken()).isEqualTo(Long.MAX_VALUE);
        }

        @Test
        void tellsOfNobodyThatWaits() {
            entry.setWaiterMark(7);
            assertThat(entry.waiterMark()).isZero();
        }
    }
}

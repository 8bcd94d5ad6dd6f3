package dev.sessionlock.benchmarks.report;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Test;

class RoundsTest {
    @Test
    void theMedianIsTheValueInTheMiddle() {
        assertThat(Rounds.of(9, 1, 5).median()).isEqualTo(5);
        assertThat(Rounds.of(9, 1, 5, 6).median()).isEqualTo(5.5);
        assertThat(Rounds.of().median()).isNaN();
    }

    /** The machine was three times as slow in the second round, for both. */
    @Test
    void aRatioComparesOnlyWhatWasMeasuredInTheSameRound() {
        Rounds one = Rounds.of(2, 6, 2);
        Rounds other = Rounds.of(1, 3, 1);

        assertThat(one.ratioTo(other)).isEqualTo(2);
        assertThat(Rounds.of(2, 6).ratioTo(Rounds.of(1, 3, 100))).isEqualTo(2);
        assertThat(one.ratioTo(Rounds.of())).isNaN();
    }
}

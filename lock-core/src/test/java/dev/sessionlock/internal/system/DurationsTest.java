package dev.sessionlock.internal.system;

import static org.assertj.core.api.Assertions.assertThat;

import java.time.Duration;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class DurationsTest {

    @ParameterizedTest
    @CsvSource({"PT-5S, 0 s", "PT0S, 0 s", "PT59.9S, 59 s", "PT60S, 1 min 0 s", "PT22M4S, 22 min 4 s", "PT59M59S, 59 min 59 s", "PT1H, 1 h 0 min",
        "PT47H59M59S, 47 h 59 min", "PT48H, 2 days", "PT240H, 10 days"})
    void isSaidInItsTwoGreatestUnits(Duration span, String words) {
        assertThat(Durations.inWords(span)).isEqualTo(words);
    }
}

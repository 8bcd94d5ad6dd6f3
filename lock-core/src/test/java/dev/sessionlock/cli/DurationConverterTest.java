package dev.sessionlock.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.time.Duration;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;
import picocli.CommandLine.TypeConversionException;

class DurationConverterTest {

    @ParameterizedTest
    @CsvSource({
        "0, PT0S", "500ms, PT0.5S", "0ms, PT0S", "10s, PT10S", "5m, PT5M", "1h, PT1H", "090s, PT90S", "999999999999h, PT999999999999H"})
    void numberWithItsUnitIsRead(String text, Duration expected) {
        assertThat(new DurationConverter().convert(text)).isEqualTo(expected);
    }

    @ParameterizedTest
    @ValueSource(strings = {"", " ", "5", "-5s", "+5s", "5 s", "5S",
        "5sec", "1.5s", "1h30m", "s", "5d",
        "PT5S", "5s ", "٥s", "1000000000000s", "1e3ms", "0x5s"})
    void nonsenseIsRefusedWithWhatIsExpected(String text) {
        assertThatThrownBy(() -> new DurationConverter().convert(text))
                .isInstanceOf(TypeConversionException.class)
                .hasMessage("'" + text + "' is not a duration; write a whole number with its unit: 500ms, 10s, 5m, 1h, or 0");
    }
}

package dev.sessionlock.internal.system;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.time.DateTimeException;
import java.time.Instant;
import java.time.LocalDateTime;
import java.time.ZoneOffset;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Beside the JDK's calendar. */
class CivilTimeTest {

    private static void compare(long second) {
        LocalDateTime expected = LocalDateTime.ofEpochSecond(second, 0, ZoneOffset.UTC);
        CivilTime time = CivilTime.ofEpochSecond(second);
        assertThat(time.day(new StringBuilder()).append(' ')).as("second %s", second).hasToString(expected.toLocalDate() + " ");
        assertThat(time.time(new StringBuilder())).hasToString(String.format("%02d:%02d:%02d", expected.getHour(), expected.getMinute(), expected.getSecond()));
        assertThat(time.year()).isEqualTo(expected.getYear());
        assertThat(CivilTime.epochSecond(expected.getYear(), time.month(), time.day(), time.hour(), time.minute(), time.second())).isEqualTo(second);
    }

    @Test
    void eachDayOfEightHundredYearsIsTheJdks() {
        long first = LocalDateTime.of(1599, 12, 31, 23, 59, 59).toEpochSecond(ZoneOffset.UTC);
        for (int day = 0; day < 2 * 146_097 + 2; day++) {
            compare(first + day * 86_400L);
        }
    }

    @Test
    void randomMomentsAreTheJdks() {
        Random random = new Random(1);
        for (int i = 0; i < 100_000; i++) {
            compare(Math.floorMod(random.nextLong(), 40_000L * 31_556_952) - 20_000L * 31_556_952);
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"1970-01-01T00:00:00Z", "1969-12-31T23:59:59Z", "0000-01-01T00:00:00Z", "9999-12-31T23:59:59Z", "-0001-03-01T00:00:00Z", "+10000-01-01T00:00:00Z",
            "2000-02-29T12:00:00Z", "1900-03-01T00:00:00Z", "2026-11-29T23:59:59Z"})
    void edges(String moment) {
        compare(Instant.parse(moment).getEpochSecond());
    }

    @ParameterizedTest
    @CsvSource({"2026,0,1", "2026,13,1", "2026,2,29", "1900,2,29", "2024,2,30", "2026,4,31", "2026,11,0", "2026,12,32"})
    void dayThatDoesNotExistIsRefused(int year, int month, int day) {
        assertThatThrownBy(() -> CivilTime.epochSecond(year, month, day, 0, 0, 0)).isInstanceOf(DateTimeException.class);
    }

    @ParameterizedTest
    @CsvSource({"24,0,0", "0,60,0", "0,0,60"})
    void timeThatDoesNotExistIsRefused(int hour, int minute, int second) {
        assertThatThrownBy(() -> CivilTime.epochSecond(2026, 1, 1, hour, minute, second)).isInstanceOf(DateTimeException.class);
    }
}

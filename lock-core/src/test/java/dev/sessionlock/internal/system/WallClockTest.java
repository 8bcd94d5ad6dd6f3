package dev.sessionlock.internal.system;

import static org.assertj.core.api.Assertions.assertThat;

import java.time.Instant;
import java.time.ZoneId;
import java.time.format.DateTimeFormatter;
import java.util.Random;
import java.util.SimpleTimeZone;
import java.util.TimeZone;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class WallClockTest {
    /** In seconds: the years 1 to 9999; records have no others. */
    private static final long FIRST = -62_135_510_400L;
    private static final long LAST = 253_402_214_400L;

    private final TimeZone before = TimeZone.getDefault();

    @AfterEach
    void restore() {
        TimeZone.setDefault(before);
    }

    @Test
    void digitsAreTwoEach() {
        TimeZone.setDefault(TimeZone.getTimeZone("UTC"));

        assertThat(WallClock.time(Instant.parse("2026-02-09T06:05:09.999Z"))).isEqualTo("06:05:09");
        assertThat(WallClock.dayAndTime(Instant.parse("2026-02-09T16:15:19Z"))).isEqualTo("2026-02-09 16:15:19");
    }

    @ParameterizedTest
    @ValueSource(strings = {"2026-02-09T06:05:09.999Z", "2026-11-29T20:00:00Z", "1999-12-31T23:59:59.000001Z", "2026-01-01T00:00:00.100Z",
            "2026-01-01T00:00:00.000000001Z"})
    void isoIsWhatAnInstantSays(String moment) {
        assertThat(WallClock.iso(Instant.parse(moment))).isEqualTo(moment).isEqualTo(Instant.parse(moment).toString());
    }

    /** As where no descriptor is left for the JDK's file of time zones. */
    @Test
    void withoutTimeZonesItIsThatOfUtcAndSaysSo() {
        TimeZone.setDefault(new SimpleTimeZone(3_600_000, "broken") {
            private static final long serialVersionUID = 1L;

            @Override
            public int getOffset(long date) {
                throw new Error("tzdb.dat (Too many open files)");
            }
        });

        assertThat(WallClock.time(Instant.parse("2026-02-09T06:05:09.999Z"))).isEqualTo("06:05:09 UTC");
        assertThat(WallClock.dayAndTime(Instant.parse("2026-02-09T16:15:19Z"))).isEqualTo("2026-02-09 16:15:19 UTC");
    }

    @ParameterizedTest
    @ValueSource(strings = {"UTC", "Europe/Berlin", "America/St_Johns", "Asia/Kathmandu", "Australia/Lord_Howe", "Pacific/Apia", "GMT-11:30"})
    void itIsWhatAFormatterSays(String zone) {
        TimeZone.setDefault(TimeZone.getTimeZone(zone));
        DateTimeFormatter formatter = DateTimeFormatter.ofPattern("yyyy-MM-dd HH:mm:ss").withZone(ZoneId.systemDefault());
        Random random = new Random(7);
        long recently = Instant.parse("1970-01-01T00:00:00Z").getEpochSecond();
        long soon = Instant.parse("2037-12-31T00:00:00Z").getEpochSecond();
        for (int i = 0; i < 20_000; i++) {
            Instant moment = Instant.ofEpochMilli(random.nextLong(recently * 1000, soon * 1000));
            assertThat(WallClock.dayAndTime(moment)).isEqualTo(formatter.format(moment));
        }
        TimeZone.setDefault(TimeZone.getTimeZone("UTC")); // a zone whose offset was always the same
        for (int i = 0; i < 20_000; i++) {
            Instant moment = Instant.ofEpochSecond(random.nextLong(FIRST, LAST));
            assertThat(WallClock.dayAndTime(moment)).isEqualTo(formatter.withZone(ZoneId.of("UTC")).format(moment));
        }
    }
}

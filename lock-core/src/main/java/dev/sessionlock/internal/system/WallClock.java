package dev.sessionlock.internal.system;

import java.time.Instant;
import java.time.LocalDateTime;
import java.time.ZoneOffset;
import java.util.TimeZone;

/**
 * Moments as a person reads them, in the time zone of this machine. By hand: a {@code DateTimeFormatter} loads a second copy of the time zones and the
 * formats of all locales, which takes a good part of the time in which the tool answers.
 */
public final class WallClock {

    private WallClock() {
    }

    /** {@return the time of the day, such as {@code 09:05:01}} */
    public static String time(Instant moment) {
        return text(moment, false);
    }

    /** {@return day and time, such as {@code 2026-02-09 09:05:01}} */
    public static String dayAndTime(Instant moment) {
        return text(moment, true);
    }

    /** {@return the time of the day in UTC, for moments that other machines have told} */
    public static String utcTime(Instant moment) {
        return text(LocalDateTime.ofEpochSecond(moment.getEpochSecond(), 0, ZoneOffset.UTC), false, " UTC");
    }

    /**
     * {@return a moment as {@link Instant#toString} writes it} By hand: that loads the JDK's formatters at first use, and a class whose first use finds no
     * memory is unusable for good. Messages about lost locks must not fail for it.
     */
    public static String iso(Instant moment) {
        LocalDateTime utc = LocalDateTime.ofEpochSecond(moment.getEpochSecond(), 0, ZoneOffset.UTC);
        StringBuilder text = new StringBuilder(32).append(utc.toLocalDate()).append('T');
        two(text, utc.getHour()).append(':');
        two(text, utc.getMinute()).append(':');
        two(text, utc.getSecond());
        int nano = moment.getNano();
        if (nano != 0) {
            int digits = nano % 1_000_000 == 0 ? 3 : nano % 1_000 == 0 ? 6 : 9;
            String all = String.valueOf(1_000_000_000L + nano);
            text.append('.').append(all, 1, 1 + digits);
        }
        return text.append('Z').toString();
    }

    private static String text(Instant moment, boolean withDay) {
        int offset = 0;
        String zone = "";
        try {
            offset = TimeZone.getDefault().getOffset(moment.toEpochMilli()) / 1000;
        } catch (RuntimeException | Error e) {
            // The JDK reads its file of time zones at first use, and throws an Error if there is no memory or no descriptor for that. This text goes into
            // messages that say who holds a lock: they must not fail for it.
            zone = " UTC";
        }
        return text(LocalDateTime.ofEpochSecond(moment.getEpochSecond(), 0, ZoneOffset.ofTotalSeconds(offset)), withDay, zone);
    }

    private static String text(LocalDateTime local, boolean withDay, String zone) {
        StringBuilder text = new StringBuilder(24);
        if (withDay) {
            text.append(local.toLocalDate()).append(' ');
        }
        two(text, local.getHour()).append(':');
        two(text, local.getMinute()).append(':');
        return two(text, local.getSecond()).append(zone).toString();
    }

    private static StringBuilder two(StringBuilder text, int number) {
        return (number < 10 ? text.append('0') : text).append(number);
    }
}

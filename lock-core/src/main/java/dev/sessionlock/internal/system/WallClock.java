package dev.sessionlock.internal.system;

import java.time.Instant;
import java.time.LocalDateTime;
import java.time.ZoneOffset;
import java.util.TimeZone;
import org.jetbrains.annotations.NotNull;

/**
 * Moments as a person reads them, in the time zone of this machine. By hand: a {@code DateTimeFormatter} loads a second copy of the time zones and the
 * formats of all locales, which takes a good part of the time in which the tool answers.
 */
public final class WallClock {

    private WallClock() {
    }

    /** {@return the time of the day, such as {@code 09:05:01}} */
    public static @NotNull String time(@NotNull Instant moment) {
        return time(local(moment));
    }

    /** {@return the time of the day in UTC, for moments that other machines have told} */
    public static @NotNull String utcTime(@NotNull Instant moment) {
        return time(LocalDateTime.ofEpochSecond(moment.getEpochSecond(), 0, ZoneOffset.UTC)) + " UTC";
    }

    private static String time(LocalDateTime local) {
        StringBuilder text = new StringBuilder(8);
        two(text, local.getHour()).append(':');
        two(text, local.getMinute()).append(':');
        return two(text, local.getSecond()).toString();
    }

    /** {@return day and time, such as {@code 2026-02-09 09:05:01}} */
    public static @NotNull String dayAndTime(@NotNull Instant moment) {
        return local(moment).toLocalDate() + " " + time(moment);
    }

    private static LocalDateTime local(Instant moment) {
        int offset = TimeZone.getDefault().getOffset(moment.toEpochMilli()) / 1000;
        return LocalDateTime.ofEpochSecond(moment.getEpochSecond(), 0, ZoneOffset.ofTotalSeconds(offset));
    }

    private static StringBuilder two(StringBuilder text, int number) {
        return (number < 10 ? text.append('0') : text).append(number);
    }
}

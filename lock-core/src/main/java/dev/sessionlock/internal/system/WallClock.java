package dev.sessionlock.internal.system;

import java.time.Instant;
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
        return text(CivilTime.ofEpochSecond(moment.getEpochSecond()), false, " UTC");
    }

    /**
     * {@return a moment as {@link Instant#toString} writes it} By hand: that loads the JDK's formatters at first use, and a class whose first use finds no
     * memory is unusable for good. Messages about lost locks must not fail for it.
     */
    public static String iso(Instant moment) {
        CivilTime utc = CivilTime.ofEpochSecond(moment.getEpochSecond());
        StringBuilder text = utc.time(utc.day(new StringBuilder(32)).append('T'));
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
        return text(CivilTime.ofEpochSecond(moment.getEpochSecond() + offset), withDay, zone);
    }

    private static String text(CivilTime local, boolean withDay, String zone) {
        StringBuilder text = new StringBuilder(24);
        if (withDay) {
            local.day(text).append(' ');
        }
        return local.time(text).append(zone).toString();
    }
}

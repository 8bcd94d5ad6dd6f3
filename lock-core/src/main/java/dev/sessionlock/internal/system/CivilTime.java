package dev.sessionlock.internal.system;

import java.time.DateTimeException;

/**
 * A moment as calendar and clock show it, without a time zone (ISO 8601, proleptic Gregorian calendar). By hand: {@link java.time.LocalDate} asks
 * {@link java.time.Year} for leap years (JDK 21 and later), and that class makes a formatter as it is first used. If there is no memory for it at that moment, the
 * class is unusable for good; and no record of a lock could be read or written any more.
 */
public final class CivilTime {
    private static final int SECONDS_A_DAY = 86_400;
    /** The calendar repeats after 400 years. */
    private static final int DAYS_OF_400_YEARS = 146_097;
    /** From the first of March of the year 0 to 1970-01-01. */
    private static final int DAYS_TO_1970 = 719_468;

    private final long year;
    private final int month;
    private final int day;
    private final int secondOfDay;

    private CivilTime(long year, int month, int day, int secondOfDay) {
        this.year = year;
        this.month = month;
        this.day = day;
        this.secondOfDay = secondOfDay;
    }

    /** {@return what calendar and clock show} Years begin in March here, so that a leap day is the last one. */
    public static CivilTime ofEpochSecond(long second) {
        long days = Math.floorDiv(second, SECONDS_A_DAY) + DAYS_TO_1970;
        long cycle = Math.floorDiv(days, DAYS_OF_400_YEARS);
        int dayOfCycle = (int) Math.floorMod(days, (long) DAYS_OF_400_YEARS);
        int yearOfCycle = (dayOfCycle - dayOfCycle / 1_460 + dayOfCycle / 36_524 - dayOfCycle / 146_096) / 365;
        int dayOfYear = dayOfCycle - (365 * yearOfCycle + yearOfCycle / 4 - yearOfCycle / 100);
        int monthFromMarch = (5 * dayOfYear + 2) / 153;
        int day = dayOfYear - (153 * monthFromMarch + 2) / 5 + 1;
        int month = monthFromMarch < 10 ? monthFromMarch + 3 : monthFromMarch - 9;
        long year = cycle * 400 + yearOfCycle + (month <= 2 ? 1 : 0);
        return new CivilTime(year, month, day, (int) Math.floorMod(second, (long) SECONDS_A_DAY));
    }

    /**
     * {@return seconds since 1970-01-01T00:00:00Z}
     *
     * @throws DateTimeException if there is no such day, or no such time of the day
     */
    public static long epochSecond(int year, int month, int day, int hour, int minute, int second) {
        if (month < 1 || month > 12 || day < 1 || day > daysOf(year, month) || hour < 0 || hour > 23 || minute < 0 || minute > 59 || second < 0 || second > 59) {
            throw new DateTimeException("no such time: " + year + "-" + month + "-" + day + " " + hour + ":" + minute + ":" + second);
        }
        long yearFromMarch = month <= 2 ? year - 1L : year;
        long cycle = Math.floorDiv(yearFromMarch, 400L);
        int yearOfCycle = (int) Math.floorMod(yearFromMarch, 400L);
        int dayOfYear = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1;
        long days = cycle * DAYS_OF_400_YEARS + yearOfCycle * 365L + yearOfCycle / 4 - yearOfCycle / 100 + dayOfYear - DAYS_TO_1970;
        return days * SECONDS_A_DAY + hour * 3_600 + minute * 60 + second;
    }

    private static int daysOf(int year, int month) {
        if (month == 2) {
            return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) ? 29 : 28;
        }
        return month == 4 || month == 6 || month == 9 || month == 11 ? 30 : 31;
    }

    public long year() {
        return year;
    }

    public int month() {
        return month;
    }

    public int day() {
        return day;
    }

    public int hour() {
        return secondOfDay / 3_600;
    }

    public int minute() {
        return secondOfDay / 60 % 60;
    }

    public int second() {
        return secondOfDay % 60;
    }

    /** Writes the day, such as {@code 2026-02-09}; years of more than four digits have a sign. */
    StringBuilder day(StringBuilder text) {
        long digits = Math.abs(year);
        text.append(year < 0 ? "-" : digits > 9_999 ? "+" : "");
        for (long bound = 1_000; bound > digits && bound > 1; bound /= 10) {
            text.append('0');
        }
        two(text.append(digits).append('-'), month).append('-');
        return two(text, day);
    }

    /** Writes the time of the day, such as {@code 09:05:01}. */
    StringBuilder time(StringBuilder text) {
        two(text, hour()).append(':');
        two(text, minute()).append(':');
        return two(text, second());
    }

    private static StringBuilder two(StringBuilder text, int number) {
        return (number < 10 ? text.append('0') : text).append(number);
    }
}

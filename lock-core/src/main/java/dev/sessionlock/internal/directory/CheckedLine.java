package dev.sessionlock.internal.directory;

import dev.sessionlock.internal.system.WallClock;
import java.nio.charset.StandardCharsets;
import java.time.DateTimeException;
import java.time.Duration;
import java.time.Instant;
import java.util.Arrays;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;

/**
 * One line of a file of lines: a JSON object whose last member is a checksum, {@code "crc":"8 hex digits"}, the CRC-32C of every byte before the comma. A line that
 * was torn, or run into another one, is recognized and skipped. Readers skip members that they do not know, so later versions may add some.
 */
final class CheckedLine {
    private static final byte[] CRC = RecordCodec.CRC.getBytes(StandardCharsets.US_ASCII);
    /** After the checksum's digits. */
    private static final byte[] END = {'"', '}'};
    /** A longer line is not one of ours. */
    static final int LONGEST = 8 * 1024;

    private final StringBuilder text = new StringBuilder(320);

    // ---- writing ----

    /** Adds a number, unless it is null. */
    CheckedLine number(String name, @Nullable Long value) {
        if (value != null) {
            begin(name).append(value.longValue());
        }
        return this;
    }

    /** Adds a duration in microseconds, unless it is null. */
    CheckedLine micros(String name, @Nullable Duration value) {
        return value == null ? this : number(name, TimeUnit.SECONDS.toMicros(value.getSeconds()) + value.getNano() / 1_000);
    }

    /** Adds a moment, such as {@code 2026-11-24T14:19:03.123Z}; what is outside the years 0 to 9999 becomes the nearest time inside. */
    CheckedLine time(String name, @Nullable Instant value) {
        if (value != null) {
            long seconds = Math.max(RecordCodec.FIRST_MILLIS / 1_000, Math.min(RecordCodec.LAST_MILLIS / 1_000, value.getEpochSecond()));
            begin(name).append('"').append(WallClock.iso(Instant.ofEpochSecond(seconds, value.getNano()))).append('"');
        }
        return this;
    }

    /** Adds a text, cut to {@code most} characters, unless it is null. */
    CheckedLine text(String name, @Nullable String value, int most) {
        if (value == null) {
            return this;
        }
        begin(name).append('"');
        for (int i = 0; i < value.length() && i < most; i++) {
            char c = value.charAt(i);
            boolean pair = Character.isHighSurrogate(c) && i + 1 < value.length() && Character.isLowSurrogate(value.charAt(i + 1));
            if (pair) {
                text.append(c).append(value.charAt(++i));
            } else if (c == '"' || c == '\\') {
                text.append('\\').append(c);
            } else if (c < ' ' || c == 0x7f || Character.isSurrogate(c)) {
                escaped(c);
            } else {
                text.append(c);
            }
        }
        text.append('"');
        return this;
    }

    private void escaped(char c) {
        text.append("\\u");
        for (int shift = 12; shift >= 0; shift -= 4) {
            text.append(Character.forDigit(c >>> shift & 0xf, 16));
        }
    }

    private StringBuilder begin(String name) {
        return text.append(text.length() == 0 ? "{\"" : ",\"").append(name).append("\":");
    }

    /** {@return the whole line, without an end of line} */
    byte[] bytes() {
        byte[] checked = text.toString().getBytes(StandardCharsets.UTF_8);
        byte[] all = Arrays.copyOf(checked, checked.length + CRC.length + RecordCodec.CRC_DIGITS + END.length);
        System.arraycopy(CRC, 0, all, checked.length, CRC.length);
        System.arraycopy(RecordCodec.digits(RecordCodec.checksum(checked, checked.length)), 0, all, checked.length + CRC.length, RecordCodec.CRC_DIGITS);
        System.arraycopy(END, 0, all, all.length - END.length, END.length);
        return all;
    }

    // ---- reading ----

    /** {@return the members of a line; null if it is not one that was written whole} */
    static @Nullable Map<String, Object> members(byte[] line) {
        int end = line.length - END.length - RecordCodec.CRC_DIGITS - CRC.length;
        boolean whole = end > 0 && line.length <= LONGEST && Arrays.equals(line, end, end + CRC.length, CRC, 0, CRC.length)
                && Arrays.equals(line, line.length - END.length, line.length, END, 0, END.length)
                && Arrays.equals(line, end + CRC.length, line.length - END.length, RecordCodec.digits(RecordCodec.checksum(line, end)), 0, RecordCodec.CRC_DIGITS);
        try {
            return whole ? Json.object(new String(line, StandardCharsets.UTF_8)) : null;
        } catch (Json.SyntaxException e) {
            return null; // somebody else wrote it, with a checksum
        }
    }

    /** {@return a text; one that is longer than what {@link #text(String, String, int)} writes is cut} */
    static @Nullable String text(Map<String, Object> members, String name, int most) {
        return !(members.get(name) instanceof String text) ? null : text.length() <= most + 1 ? text : text.substring(0, most);
    }

    static @Nullable Long number(Map<String, Object> members, String name) {
        return members.get(name) instanceof Long number ? number : null;
    }

    static @Nullable Duration micros(Map<String, Object> members, String name) {
        Long micros = number(members, name);
        return micros == null || micros < 0 ? null : Duration.ofSeconds(micros / 1_000_000, micros % 1_000_000 * 1_000);
    }

    /** {@return a time of the years 0 to 9999; null for any other} */
    static @Nullable Instant time(Map<String, Object> members, String name) {
        try {
            Instant time = members.get(name) instanceof String text ? Instant.parse(text) : null;
            boolean known = time != null && time.getEpochSecond() >= RecordCodec.FIRST_MILLIS / 1_000 && time.getEpochSecond() <= RecordCodec.LAST_MILLIS / 1_000;
            return known ? time : null;
        } catch (DateTimeException e) {
            return null;
        }
    }
}

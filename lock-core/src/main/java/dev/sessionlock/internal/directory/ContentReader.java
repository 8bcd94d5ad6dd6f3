package dev.sessionlock.internal.directory;

import dev.sessionlock.internal.system.CivilTime;
import java.nio.charset.StandardCharsets;
import java.time.DateTimeException;
import java.time.Instant;
import java.util.Arrays;
import java.util.Map;
import java.util.Set;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/**
 * Tells what the bytes of a lock file are: a record of ours, a foreign lock, the torn beginning of either, or something else. When in doubt it says
 * that it is not a lock, since that is never touched.
 */
final class ContentReader {
    private static final Pattern PID_TEXT = Pattern.compile("\\s*[1-9][0-9]{0,9}\\s*");
    private static final byte[] CRC = RecordCodec.CRC.getBytes(StandardCharsets.US_ASCII);
    private static final Set<String> ONLY_OURS =
            Set.of("takeover", "leaseMs", "leaseUntil", "leaseUntilNanos", "pidns", "timens", "crc");
    private static final String BEGINNING = "{\"pid\":";

    private ContentReader() {
    }

    static LockContent read(byte[] all) {
        byte[] bytes = withoutTail(all);
        int length = withoutZeros(bytes);
        if (length == 0 && bytes.length > 0) {
            return new LockContent.Torn("nothing but zero bytes, as a power cut leaves them");
        }
        String text = new String(bytes, 0, length, StandardCharsets.UTF_8);
        if (text.isBlank()) {
            return new LockContent.Empty();
        } else if (PID_TEXT.matcher(text).matches()) {
            return new LockContent.Foreign(Long.parseLong(text.strip()), null, -1, -1);
        } else if (text.stripLeading().startsWith("{")) {
            return json(bytes, text);
        }
        return new LockContent.NotALock("a file that does not read like a lock");
    }

    /** Text that somebody appended to a whole record does no harm. */
    private static byte[] withoutTail(byte[] bytes) {
        if (bytes.length <= RecordCodec.SIZE) {
            return bytes;
        }
        byte[] record = Arrays.copyOf(bytes, RecordCodec.SIZE);
        int end = endOfChecked(record);
        return end >= 0 && isChecksumRight(record, end) ? record : bytes;
    }

    /** A write that was never forced to the disk may leave zeros after its beginning. */
    private static int withoutZeros(byte[] bytes) {
        int length = bytes.length;
        while (length > 0 && bytes[length - 1] == 0) {
            length--;
        }
        return length;
    }

    private static LockContent json(byte[] bytes, String text) {
        Map<String, Object> members;
        try {
            members = Json.object(text);
        } catch (Json.EndsTooSoonException e) {
            return isBeginning(text) ? new LockContent.Torn("it ends after " + text.length() + " characters, in the middle of a record")
                    : new LockContent.NotALock("a JSON file without an end");
        } catch (Json.SyntaxException e) {
            return isBeginning(text) ? new LockContent.Torn("it begins like a record, and goes on otherwise")
                    : new LockContent.NotALock("a file that does not read like a lock");
        }
        if (isOurs(members)) {
            return ours(bytes, members);
        }
        Long pid = number(members, "pid");
        if (pid == null || pid <= 0 || !(members.get("createdAt") instanceof String)) {
            return new LockContent.NotALock("a JSON file that names no process");
        }
        return foreign(pid, members);
    }

    /** Recognized by any of the members that only we write: in a half-done rewrite some are missing, or two names have run into one. */
    private static boolean isOurs(Map<String, Object> members) {
        return ONLY_OURS.stream().anyMatch(members::containsKey) || members.containsKey("v") && members.containsKey("token");
    }

    private static LockContent foreign(long pid, Map<String, Object> members) {
        return new LockContent.Foreign(pid, instant(members, "createdAt"), orNegative(number(members, "starttime")),
                orNegative(number(members, "maxHoldMs")));
    }

    /** {@return whether some text, white space apart, begins as a record does, or is itself cut off within such a beginning} */
    private static boolean isBeginning(String text) {
        String start = text.substring(0, Math.min(text.length(), 64)).replaceAll("\\s", "");
        return start.length() < BEGINNING.length() ? BEGINNING.startsWith(start) : start.startsWith(BEGINNING);
    }

    private static LockContent ours(byte[] bytes, Map<String, Object> members) {
        int end = endOfChecked(bytes);
        if (end < 0) {
            return new LockContent.Torn("a record of another length or form");
        }
        if (!isChecksumRight(bytes, end)) {
            return new LockContent.Torn("its checksum is wrong");
        }
        Long pid = number(members, "pid");
        Long version = number(members, "v");
        if (pid != null && version != null && version != RecordCodec.VERSION) {
            return foreign(pid, members); // a later version of this library: respected like a foreign lock
        }
        LockRecord record = record(members);
        return record == null ? new LockContent.Torn("it lacks what a record must say") : new LockContent.Ours(record);
    }

    private static boolean isChecksumRight(byte[] bytes, int end) {
        return Arrays.equals(RecordCodec.digits(RecordCodec.checksum(bytes, end)), 0, RecordCodec.CRC_DIGITS,
                bytes, end + CRC.length, end + CRC.length + RecordCodec.CRC_DIGITS);
    }

    /** {@return where the checked part of a record ends; negative if these bytes do not have the form of one} */
    private static int endOfChecked(byte[] bytes) {
        if (bytes.length != RecordCodec.SIZE || bytes[RecordCodec.SIZE - 1] != '\n' || bytes[RecordCodec.SIZE - 2] != '}') {
            return -1;
        }
        int quote = RecordCodec.SIZE - 3;
        while (quote > 0 && bytes[quote] == ' ') {
            quote--;
        }
        int end = quote - RecordCodec.CRC_DIGITS - CRC.length;
        return end > 0 && bytes[quote] == '"' && Arrays.equals(bytes, end, end + CRC.length, CRC, 0, CRC.length) ? end : -1;
    }

    private static @Nullable LockRecord record(Map<String, Object> members) {
        Long pid = number(members, "pid");
        Instant createdAt = instant(members, "createdAt");
        Long token = number(members, "token");
        Long leaseMs = number(members, "leaseMs");
        Instant leaseUntil = instant(members, "leaseUntil");
        Long leaseUntilNanos = number(members, "leaseUntilNanos");
        if (pid == null || pid <= 0 || createdAt == null || token == null || leaseMs == null || leaseUntil == null || leaseUntilNanos == null
                || !(members.get("takeover") instanceof Boolean takeover)) {
            return null;
        }
        Instant started = instant(members, "started");
        return new LockRecord(pid, createdAt.toEpochMilli(), orNegative(number(members, "maxHoldMs")),
                orNegative(number(members, "starttime")), text(members, "name"), token, text(members, "host"),
                started == null ? -1 : started.toEpochMilli(), text(members, "boot"), text(members, "pidns"), text(members, "timens"),
                text(members, "thread"), text(members, "purpose"), takeover, leaseMs, leaseUntil.toEpochMilli(), leaseUntilNanos,
                "shared".equals(text(members, "mode")));
    }

    private static @Nullable String text(Map<String, Object> members, String key) {
        return members.get(key) instanceof String text ? text : null;
    }

    private static @Nullable Long number(Map<String, Object> members, String key) {
        return members.get(key) instanceof Long number ? number : null;
    }

    private static long orNegative(@Nullable Long number) {
        return number == null ? -1 : number;
    }

    /** {@return a time that a record can have; null for any other} Java knows years of ten digits, and throws where it counts their milliseconds. */
    private static @Nullable Instant instant(Map<String, Object> members, String key) {
        try {
            Instant instant = members.get(key) instanceof String text ? instant(text) : null;
            boolean known = instant != null && instant.getEpochSecond() >= RecordCodec.FIRST_MILLIS / 1000
                    && instant.getEpochSecond() <= RecordCodec.LAST_MILLIS / 1000;
            return known ? instant : null;
        } catch (DateTimeException | LinkageError e) { // an error if the JDK's formatter found no memory at its first use
            return null;
        }
    }

    /** Parsed by hand where it has the form that we write: a formatter would take as long as all the rest of reading a record. */
    private static Instant instant(String text) {
        boolean asWritten = text.length() == 24 && text.charAt(4) == '-' && text.charAt(7) == '-' && text.charAt(10) == 'T'
                && text.charAt(13) == ':' && text.charAt(16) == ':' && text.charAt(19) == '.' && text.charAt(23) == 'Z';
        if (!asWritten || text.charAt(11) == '2' && text.charAt(12) >= '4' || text.charAt(17) >= '6') { // a leap second perhaps
            return Instant.parse(text);
        }
        long second = CivilTime.epochSecond(digits(text, 0, 4), digits(text, 5, 7), digits(text, 8, 10), digits(text, 11, 13), digits(text, 14, 16),
                digits(text, 17, 19));
        return Instant.ofEpochSecond(second, digits(text, 20, 23) * 1_000_000L);
    }

    private static int digits(String text, int from, int to) {
        int value = 0;
        for (int i = from; i < to; i++) {
            int digit = text.charAt(i) - '0';
            if (digit < 0 || digit > 9) {
                throw new DateTimeException(text);
            }
            value = 10 * value + digit;
        }
        return value;
    }
}

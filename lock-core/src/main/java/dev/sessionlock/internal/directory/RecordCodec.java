package dev.sessionlock.internal.directory;

import dev.sessionlock.internal.system.CivilTime;
import java.nio.charset.StandardCharsets;
import java.util.zip.CRC32C;
import org.jspecify.annotations.Nullable;

/**
 * Writes records: UTF-8 JSON of always {@value #SIZE} bytes, so that a renewal rewrites one in place with a single write.
 *
 * <pre>
 * {"pid":…,"createdAt":"…","maxHoldMs":…,"starttime":…,      what OpenClaw's locks know; it ignores the rest
 *  "v":1,"token":…,"takeover":…,"mode":"shared","leaseMs":…,"leaseUntil":"…","leaseUntilNanos":…,
 *  "host":"…","started":"…","boot":"…","pidns":"…","timens":"…","name":"…","purpose":"…","thread":"…",
 *  "crc":"8 hex digits"                                       CRC-32C of every byte before the comma
 *  spaces }\n
 * </pre>
 *
 * The mode stands there for a reader only. Texts are cut where they would not fit; numbers never are. {@link ContentReader} reads it back.
 */
final class RecordCodec {
    /** The length of every record. */
    static final int SIZE = 1024;
    /** What stands before the checksum's eight digits. */
    static final String CRC = ",\"crc\":\"";
    static final int CRC_DIGITS = 8;
    /** The version of the format. */
    static final int VERSION = 1;

    private static final byte[] HEX = "0123456789abcdef".getBytes(StandardCharsets.US_ASCII);
    /** Room for the checksum, its quote, the brace and the line feed. */
    private static final int END = SIZE - CRC.length() - CRC_DIGITS - 3;
    private static final int LONGEST_HOST = 64;
    private static final int LONGEST_ID = 40;
    /** The room that a long purpose leaves for the thread's name. */
    private static final int FOR_THREAD = 60;
    static final long FIRST_MILLIS = -62_167_219_200_000L; // 0000-01-01T00:00:00Z; not parsed, which loads all of java.time.format
    static final long LAST_MILLIS = 253_402_300_799_999L; // 9999-12-31T23:59:59.999Z
    private static final int MEMBER_OVERHEAD = "\"purpose\":\"\",".length();

    private RecordCodec() {
    }

    /** {@return the record as bytes} */
    static byte[] encode(LockRecord record) {
        Writer out = new Writer();
        out.number("{\"pid\":", record.pid());
        out.time(",\"createdAt\":\"", record.createdAt());
        if (record.maxHoldMs() >= 0) {
            out.number(",\"maxHoldMs\":", record.maxHoldMs());
        }
        if (record.starttime() >= 0) {
            out.number(",\"starttime\":", record.starttime());
        }
        out.number(",\"v\":", VERSION);
        out.number(",\"token\":", record.token());
        out.ascii(record.takeover() ? ",\"takeover\":true" : ",\"takeover\":false");
        if (record.shared()) {
            out.ascii(",\"mode\":\"shared\"");
        }
        out.number(",\"leaseMs\":", record.leaseMs());
        out.time(",\"leaseUntil\":\"", record.leaseUntil());
        out.number(",\"leaseUntilNanos\":", record.leaseUntilNanos());
        out.text(",\"host\":\"", record.host(), LONGEST_HOST);
        if (record.started() >= 0) {
            out.time(",\"started\":\"", record.started());
        }
        out.text(",\"boot\":\"", record.boot(), LONGEST_ID);
        out.text(",\"pidns\":\"", record.pidns(), LONGEST_ID);
        out.text(",\"timens\":\"", record.timens(), LONGEST_ID);
        out.text(",\"name\":\"", record.name(), SIZE);
        out.text(",\"purpose\":\"", record.purpose(), out.left() - FOR_THREAD);
        out.text(",\"thread\":\"", record.thread(), SIZE);
        return out.close();
    }

    /** {@return the checksum of the bytes before {@code end}} */
    static long checksum(byte[] bytes, int end) {
        CRC32C crc = new CRC32C();
        crc.update(bytes, 0, end);
        return crc.getValue();
    }

    /** {@return the checksum, as it stands in a record} */
    static byte[] digits(long crc) {
        byte[] digits = new byte[CRC_DIGITS];
        for (int i = 0; i < CRC_DIGITS; i++) {
            digits[i] = HEX[(int) (crc >>> 4 * (CRC_DIGITS - 1 - i)) & 0xf];
        }
        return digits;
    }

    /** Fills the one array directly: this is on the path of every acquisition. */
    private static final class Writer {
        private final byte[] bytes = new byte[SIZE];
        private int at;

        int left() {
            return END - at;
        }

        @SuppressWarnings("deprecation") // getBytes(int, int, byte[], int) is the one that neither encodes nor allocates
        void ascii(String text) {
            text.getBytes(0, text.length(), bytes, at);
            at += text.length();
        }

        void number(String label, long value) {
            ascii(label);
            if (value < 0) {
                ascii(Long.toString(value));
                return;
            }
            int digits = 1;
            for (long rest = value; rest >= 10; rest /= 10) {
                digits++;
            }
            padded(value, digits);
        }

        private void padded(long value, int digits) {
            long rest = value;
            for (int i = at + digits - 1; i >= at; i--) {
                bytes[i] = (byte) ('0' + rest % 10);
                rest /= 10;
            }
            at += digits;
        }

        /** As {@code 2026-11-24T14:19:03.123Z}; what is outside the years 0 to 9999 becomes the nearest time inside. */
        void time(String label, long millis) {
            ascii(label);
            long known = Math.max(FIRST_MILLIS, Math.min(LAST_MILLIS, millis));
            CivilTime t = CivilTime.ofEpochSecond(Math.floorDiv(known, 1_000));
            part((int) t.year(), 4, '-');
            part(t.month(), 2, '-');
            part(t.day(), 2, 'T');
            part(t.hour(), 2, ':');
            part(t.minute(), 2, ':');
            part(t.second(), 2, '.');
            part(Math.floorMod(known, 1_000), 3, 'Z');
            bytes[at++] = '"';
        }

        private void part(int value, int digits, char end) {
            padded(value, digits);
            bytes[at++] = (byte) end;
        }

        /** Writes a member of text, cut to {@code most} bytes and to what fits; nothing if it is null or nothing fits. */
        void text(String label, @Nullable String text, int most) {
            int end = Math.min(END - 1, at + label.length() + Math.min(most, SIZE));
            if (text == null || end - at < MEMBER_OVERHEAD) {
                return;
            }
            ascii(label);
            for (int i = plain(text, end); i < text.length(); ) {
                int c = text.codePointAt(i);
                if (at + length(c) > end) {
                    break;
                }
                codePoint(c);
                i += Character.charCount(c);
            }
            bytes[at++] = '"';
        }

        /** Writes what is plain ASCII, which mostly is all of it. Returns how many characters these are. */
        private int plain(String text, int end) {
            int most = Math.min(text.length(), end - at);
            for (int i = 0; i < most; i++) {
                char c = text.charAt(i);
                if (c < ' ' || c >= 0x80 || c == '"' || c == '\\') {
                    at += i;
                    return i;
                }
                bytes[at + i] = (byte) c;
            }
            at += Math.max(most, 0);
            return Math.max(most, 0);
        }

        private static int length(int c) {
            return c < ' ' || isLoneSurrogate(c) ? 6 : c == '"' || c == '\\' ? 2 : c < 0x80 ? 1 : c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
        }

        private static boolean isLoneSurrogate(int c) {
            return c >= Character.MIN_SURROGATE && c <= Character.MAX_SURROGATE;
        }

        private void codePoint(int c) {
            if (c == '"' || c == '\\') {
                bytes[at++] = '\\';
                bytes[at++] = (byte) c;
            } else if (c < ' ' || isLoneSurrogate(c)) {
                ascii("\\u");
                for (int shift = 12; shift >= 0; shift -= 4) {
                    bytes[at++] = HEX[c >>> shift & 0xf];
                }
            } else if (c < 0x80) {
                bytes[at++] = (byte) c;
            } else {
                utf8(c);
            }
        }

        private void utf8(int c) {
            int further = c < 0x800 ? 1 : c < 0x10000 ? 2 : 3;
            int lead = further == 1 ? 0xc0 : further == 2 ? 0xe0 : 0xf0;
            bytes[at++] = (byte) (lead | c >>> 6 * further);
            for (int shift = 6 * (further - 1); shift >= 0; shift -= 6) {
                bytes[at++] = (byte) (0x80 | c >>> shift & 0x3f);
            }
        }

        byte[] close() {
            long crc = checksum(bytes, at);
            ascii(CRC);
            System.arraycopy(digits(crc), 0, bytes, at, CRC_DIGITS);
            at += CRC_DIGITS;
            bytes[at++] = '"';
            java.util.Arrays.fill(bytes, at, SIZE - 2, (byte) ' ');
            bytes[SIZE - 2] = '}';
            bytes[SIZE - 1] = '\n';
            return bytes;
        }
    }
}

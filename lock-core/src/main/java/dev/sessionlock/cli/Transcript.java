package dev.sessionlock.cli;

import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Locale;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.zip.CRC32;
import org.jspecify.annotations.Nullable;

/** The lines of the demo's session file: JSON, one object a line. A writer writes long lines; a compaction makes them short. */
final class Transcript {
    private static final Pattern LINE = Pattern.compile(
            "\\{ *\"id\" *: *\"([\\w-]+)\" *, *\"text\" *: *\"([^\"]*)\" *, *\"crc\" *: *(\\d+) *}");

    private Transcript() {
    }

    /**
     * One message.
     *
     * @param id differs from that of all others
     * @param text what was said
     */
    record TranscriptLine(String id, String text) {

        /** {@return the form in which its writer writes it} */
        String written() {
            return String.format(Locale.ROOT, "{ \"id\" : \"%s\" , \"text\" : \"%s\" , %60s \"crc\" : %d }", id, text, "", crc());
        }

        /** {@return the form in which a compaction writes it} */
        String compact() {
            return "{\"id\":\"" + id + "\",\"text\":\"" + text + "\",\"crc\":" + crc() + "}";
        }

        private long crc() {
            CRC32 crc = new CRC32();
            crc.update((id + text).getBytes(StandardCharsets.UTF_8));
            return crc.getValue();
        }

        /** {@return null if the text is not one whole line} */
        static @Nullable TranscriptLine parse(String text) {
            Matcher matcher = LINE.matcher(text);
            if (!matcher.matches()) {
                return null;
            }
            TranscriptLine entry = new TranscriptLine(matcher.group(1), matcher.group(2));
            return Long.toString(entry.crc()).equals(matcher.group(3)) ? entry : null;
        }
    }

    /** {@return whether there is a line with this id} */
    static boolean has(List<String> lines, String id) {
        return lines.stream().map(TranscriptLine::parse).anyMatch(entry -> entry != null && entry.id().equals(id));
    }

    /** {@return the lines, as short as possible; what cannot be parsed stays as it is} */
    static List<String> compacted(List<String> lines) {
        return lines.stream().map(text -> {
            TranscriptLine entry = TranscriptLine.parse(text);
            return entry == null ? text : entry.compact();
        }).toList();
    }
}

package dev.sessionlock.cli;

import java.io.FileNotFoundException;
import java.io.IOException;
import java.io.RandomAccessFile;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.zip.CRC32;
import org.jetbrains.annotations.Nullable;

/** The demo's session file: JSON, one object a line. A line is long when it is written, and short after a compaction. */
final class Transcript {
    private static final Pattern LINE = Pattern.compile(
            "\\{ *\"id\" *: *\"([\\w-]+)\" *, *\"text\" *: *\"([^\"]*)\" *, *\"crc\" *: *(\\d+) *}");

    private final Path file;

    Transcript(Path file) {
        this.file = file;
    }

    /**
     * One message.
     *
     * @param id tells it from all others
     * @param text what was said
     */
    record Line(String id, String text) {

        /** As its writer writes it. */
        String written() {
            return String.format(Locale.ROOT, "{ \"id\" : \"%s\" , \"text\" : \"%s\" , %60s \"crc\" : %d }", id, text, "", crc());
        }

        /** As a compaction writes it. */
        String compact() {
            return "{\"id\":\"" + id + "\",\"text\":\"" + text + "\",\"crc\":" + crc() + "}";
        }

        private long crc() {
            CRC32 crc = new CRC32();
            crc.update((id + text).getBytes(StandardCharsets.UTF_8));
            return crc.getValue();
        }

        /** {@return null if the text is not one whole line} */
        static @Nullable Line parse(String text) {
            Matcher matcher = LINE.matcher(text);
            if (!matcher.matches()) {
                return null;
            }
            Line line = new Line(matcher.group(1), matcher.group(2));
            return Long.toString(line.crc()).equals(matcher.group(3)) ? line : null;
        }
    }

    /** Appends a text as it is, in one write. */
    void append(String text) throws IOException {
        Files.writeString(file, text, StandardOpenOption.CREATE, StandardOpenOption.APPEND);
    }

    /** {@return whether its last line does not end} */
    boolean isTorn() throws IOException {
        try (RandomAccessFile content = new RandomAccessFile(file.toFile(), "r")) {
            if (content.length() == 0) {
                return false;
            }
            content.seek(content.length() - 1);
            return content.read() != '\n';
        } catch (FileNotFoundException e) {
            return false;
        }
    }

    /**
     * Cuts off what a killed writer has left of a line: it was not counted. Only to be called under a lock that nobody takes over: who
     * freezes in here cuts late.
     */
    void repairTail() throws IOException {
        if (!isTorn()) {
            return;
        }
        try (RandomAccessFile content = new RandomAccessFile(file.toFile(), "rw")) {
            long end = content.length();
            long whole = end;
            while (whole > 0) {
                content.seek(whole - 1);
                if (content.read() == '\n') {
                    break;
                }
                whole--;
            }
            if (whole < end) {
                content.setLength(whole);
            }
        }
    }

    /** {@return its lines, also what is torn} */
    List<String> lines() throws IOException {
        String content;
        try {
            content = Files.readString(file);
        } catch (NoSuchFileException e) {
            return List.of();
        }
        List<String> lines = new ArrayList<>(List.of(content.split("\n", -1)));
        if (lines.get(lines.size() - 1).isEmpty()) {
            lines.remove(lines.size() - 1);
        }
        return lines;
    }

    /** {@return whether it has a line} */
    boolean has(String id) throws IOException {
        for (String text : lines()) {
            Line line = Line.parse(text);
            if (line != null && line.id().equals(id)) {
                return true;
            }
        }
        return false;
    }

    /** Writes it anew, as short as can be, beside it. {@return the new file} */
    Path compacted() throws IOException {
        StringBuilder content = new StringBuilder();
        for (String text : lines()) {
            Line line = Line.parse(text);
            content.append(line == null ? text : line.compact()).append('\n');
        }
        return Files.writeString(beside(), content);
    }

    /** {@return where a compaction writes before it commits} */
    Path beside() {
        return file.resolveSibling(file.getFileName() + ".compacting");
    }

    Path file() {
        return file;
    }
}

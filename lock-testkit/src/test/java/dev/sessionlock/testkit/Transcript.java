package dev.sessionlock.testkit;

import java.io.FileOutputStream;
import java.io.IOException;
import java.io.RandomAccessFile;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * A session file as its writers see it: JSON lines. Some are torn, since their writers were killed; some were begun before a freeze and ended after
 * it. Nothing here truncates: a late repair by a frozen holder would cut off what others have written since.
 */
final class Transcript {
    private static final Pattern WHOLE = Pattern.compile("\\{\"id\":\"([^\"]+)\",\"text\":\"x*\",\"end\":\"([^\"]+)\"}");
    private static final int TAIL = 4 * 1024;

    private final Path file;

    Transcript(Path file) {
        this.file = file;
    }

    static String line(String id, int length) {
        return "{\"id\":\"" + id + "\",\"text\":\"" + "x".repeat(length) + "\",\"end\":\"" + id + "\"}\n";
    }

    /**
     * Appends a line, after a line feed if the last line is torn.
     *
     * @param between runs between the two halves of the line, if it is to be written in two
     */
    void append(String line, Runnable between) throws IOException {
        try (FileOutputStream out = new FileOutputStream(file.toFile(), true)) {
            byte[] bytes = ((isTorn() ? "\n" : "") + line).getBytes(StandardCharsets.UTF_8);
            if (between == null) {
                out.write(bytes);
                return;
            }
            out.write(bytes, 0, bytes.length / 2);
            between.run();
            out.write(bytes, bytes.length / 2, bytes.length - bytes.length / 2);
        }
    }

    private boolean isTorn() throws IOException {
        String tail = tail();
        return !tail.isEmpty() && !tail.endsWith("\n");
    }

    /** {@return whether a line stands whole near the end of the file} */
    boolean endsWith(String line) throws IOException {
        String tail = "\n" + tail();
        return tail.contains("\n" + line);
    }

    /** {@return whether a line stands whole anywhere in the file} */
    boolean contains(String line) throws IOException {
        return Files.exists(file) && ("\n" + Files.readString(file)).contains("\n" + line);
    }

    private String tail() throws IOException {
        if (!Files.exists(file)) {
            return "";
        }
        try (RandomAccessFile in = new RandomAccessFile(file.toFile(), "r")) {
            long length = in.length();
            byte[] bytes = new byte[(int) Math.min(length, TAIL)];
            in.seek(length - bytes.length);
            int got = in.read(bytes);
            return got <= 0 ? "" : new String(bytes, 0, got, StandardCharsets.UTF_8);
        }
    }

    /** {@return the lines that are whole, in their order} */
    List<String> wholeLines() throws IOException {
        List<String> whole = new ArrayList<>();
        for (String line : Files.exists(file) ? Files.readAllLines(file) : List.<String>of()) {
            if (id(line) != null) {
                whole.add(line);
            }
        }
        return whole;
    }

    /** {@return the id of a whole line; null if it is torn} */
    static String id(String line) {
        Matcher matcher = WHOLE.matcher(line);
        return matcher.matches() && matcher.group(1).equals(matcher.group(2)) ? matcher.group(1) : null;
    }
}

package dev.sessionlock.testkit;

import dev.sessionlock.internal.directory.LockDirectory;
import dev.sessionlock.testkit.disk.Plan;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.util.List;
import java.util.Locale;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;

/**
 * What is wrong after a run.
 *
 * @param plan the run, in the form of {@link CrashLab#ONLY}
 * @param title the fault, in words
 * @param stack where the scenario was
 * @param course what happened after that; empty if the run ended there
 * @param listing what the directory contains
 * @param directory where that is
 * @param why what is wrong
 * @param cause what the check threw; null if the lab itself has found it
 * @param more how the run ended, and what it printed
 */
record CrashFinding(Plan plan, String title, String stack, String course, String listing, Path directory, String why, @Nullable Throwable cause,
                    String more) {
    private static final int MOST_ENTRIES = 30;
    private static final int MOST_FRAMES = 12;
    private static final int MOST_TEXT = 60;
    private static final int MOST_LINES = 20;
    private static final int MOST_OF_A_REASON = 120;

    /** {@return the finding in full} */
    String text() {
        StringBuilder text = new StringBuilder(title).append(System.lineSeparator());
        if (!stack.isEmpty()) {
            indent(text, shortened(stack), "     ", MOST_FRAMES);
        }
        if (!course.isEmpty()) {
            indent(text, course, "   ", MOST_LINES);
        }
        text.append("   what is wrong: ");
        indent(text, why, "", MOST_LINES);
        if (!more.isEmpty()) {
            indent(text, more, "   ", MOST_LINES);
        }
        text.append("   the directory, kept in ").append(directory).append(':').append(System.lineSeparator());
        indent(text, listing, "     ", MOST_ENTRIES + 1);
        text.append("   just this run: -D").append(CrashLab.ONLY).append('=').append(plan).append(System.lineSeparator());
        return text.toString();
    }

    /** {@return the finding in one line} */
    String line() {
        String text = why.strip().replaceAll("\\s+", " ");
        String start = text.length() > MOST_OF_A_REASON ? text.substring(0, MOST_OF_A_REASON) + "…" : text;
        return "* " + title + ": " + start + "   -D" + CrashLab.ONLY + "=" + plan + System.lineSeparator();
    }

    /** The call itself, and the line of the scenario that it came from, without what a library does in between. */
    private static String shortened(String stack) {
        List<String> frames = stack.lines().toList();
        int end = frames.size() - (MOST_FRAMES - 1) / 2;
        return frames.size() <= MOST_FRAMES ? stack : String.join("\n", frames.subList(0, MOST_FRAMES / 2)) + "\n... "
                + (end - MOST_FRAMES / 2) + " more\n" + String.join("\n", frames.subList(end, frames.size()));
    }

    private static void indent(StringBuilder text, String lines, String indent, int most) {
        List<String> all = lines.strip().lines().toList();
        boolean first = true;
        for (String line : all.subList(0, Math.min(most, all.size()))) {
            text.append(first && indent.isEmpty() ? "" : indent.isEmpty() ? "     " : indent).append(line).append(System.lineSeparator());
            first = false;
        }
        if (all.size() > most) {
            text.append("     ... ").append(all.size() - most).append(" more").append(System.lineSeparator());
        }
    }

    /** {@return what a directory contains, without the library's own files: names, sizes, and how files end, where a torn line shows} */
    static String listing(Path directory) throws IOException {
        StringBuilder text = new StringBuilder();
        try (Stream<Path> tree = Files.walk(directory)) {
            List<Path> all = tree.filter(path -> !path.equals(directory) && !path.getParent().endsWith(LockDirectory.INNER))
                    .sorted().toList();
            if (all.isEmpty()) {
                return "(empty)";
            }
            for (Path path : all.subList(0, Math.min(MOST_ENTRIES, all.size()))) {
                text.append(entry(directory, path)).append('\n');
            }
            if (all.size() > MOST_ENTRIES) {
                text.append("and ").append(all.size() - MOST_ENTRIES).append(" more\n");
            }
        }
        return text.toString();
    }

    private static String entry(Path directory, Path path) throws IOException {
        String name = directory.relativize(path).toString();
        if (Files.isSymbolicLink(path)) {
            return name + " -> " + Files.readSymbolicLink(path);
        } else if (Files.isDirectory(path, LinkOption.NOFOLLOW_LINKS)) {
            return name + "/";
        }
        byte[] bytes = Files.readAllBytes(path);
        String size = String.format(Locale.ROOT, "%-30s %7d %s", name, bytes.length, bytes.length == 1 ? "byte" : "bytes");
        return bytes.length == 0 ? size : size + "   " + end(bytes);
    }

    private static String end(byte[] bytes) {
        int from = Math.max(0, bytes.length - MOST_TEXT);
        String text = new String(bytes, from, bytes.length - from, StandardCharsets.UTF_8);
        StringBuilder shown = new StringBuilder(from == 0 ? "\"" : "…\"");
        text.chars().forEach(c -> shown.append(c == '\n' ? "\\n" : c == 0 ? "\\0" : c < ' ' || c == 0xfffd ? "?" : Character.toString(c)));
        return shown.append('"').toString();
    }
}

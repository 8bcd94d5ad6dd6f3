package dev.sessionlock.testkit.disk;

import java.io.IOException;
import java.nio.file.DirectoryIteratorException;
import java.nio.file.DirectoryStream;
import java.nio.file.Path;
import java.text.Normalizer;
import java.util.Locale;
import org.jspecify.annotations.Nullable;

/**
 * Finds the file that a name means where several spellings are one name. The name is kept as whoever created the file has written it.
 *
 * @param files to look for them
 * @param rules which spellings are one
 */
record FoldedNames(RealFiles files, SystemRules rules) {
    private static final String PROC = "/proc";
    private static final String NOWHERE = "/no proc on this system";

    /** {@return the path of the file as it is written on the disk; the path as it was given if there is no such file} */
    Path found(Path path) {
        if (rules.has(SystemRule.NO_PROC) && path.startsWith(PROC)) {
            return path.getFileSystem().getPath(NOWHERE + path.toString().substring(PROC.length()));
        }
        return rules.foldsNames() ? spelled(path) : path;
    }

    private Path spelled(Path given) {
        Path path = withoutEnd(given);
        Path absolute = path.toAbsolutePath();
        Path parent = absolute.getParent();
        if (parent == null || path.toString().isEmpty() || files.exists(path)) {
            return path;
        }
        Path folder = spelled(parent);
        Path there = files.exists(folder) ? lookedUp(folder, absolute.getFileName().toString()) : null;
        return there != null ? there : folder.equals(parent) ? path : folder.resolve(absolute.getFileName());
    }

    /** Files that are missing are looked for in the whole folder; that is slow, and right. */
    private @Nullable Path lookedUp(Path folder, String name) {
        String folded = folded(name);
        try (DirectoryStream<Path> all = files.real().newDirectoryStream(folder, entry -> true)) {
            for (Path entry : all) {
                String there = entry.getFileName().toString();
                if (folded(there).equals(folded) || rules.has(SystemRule.OTHER_SPELLINGS) && isShort(name, there)) {
                    return entry;
                }
            }
        } catch (IOException | DirectoryIteratorException e) {
            return null; // no folder, or none that we may read
        }
        return null;
    }

    private Path withoutEnd(Path path) {
        Path last = path.getFileName();
        if (!rules.has(SystemRule.OTHER_SPELLINGS) || last == null) {
            return path;
        }
        String name = last.toString();
        int end = name.length();
        while (end > 0 && (name.charAt(end - 1) == '.' || name.charAt(end - 1) == ' ')) {
            end--;
        }
        return end == 0 || end == name.length() ? path : path.resolveSibling(name.substring(0, end));
    }

    /** {@return whether a name is the first short one of another, which has more than 8 letters before the dot or more than 3 after it} */
    private static boolean isShort(String name, String there) {
        int tilde = name.indexOf("~1");
        String upper = there.toUpperCase(Locale.ROOT);
        String wanted = name.toUpperCase(Locale.ROOT);
        if (tilde < 0 || there.length() <= 8 || !upper.startsWith(wanted.substring(0, tilde))) {
            return false;
        }
        String end = wanted.substring(tilde + 2);
        return end.isEmpty() || upper.lastIndexOf('.') >= 0 && upper.substring(upper.lastIndexOf('.')).startsWith(end);
    }

    /**
     * Windows compares letter by letter in upper case, by a table of its own ("Naming Files"); so does this, by Java's. macOS folds whole words, as Unicode says.
     */
    private String folded(String name) {
        String text = name;
        if (rules.has(SystemRule.FORMS_FOLD)) {
            text = Normalizer.normalize(text, Normalizer.Form.NFD);
        }
        if (rules.has(SystemRule.CASE_FOLDS)) {
            StringBuilder upper = new StringBuilder();
            text.codePoints().forEach(letter -> upper.appendCodePoint(Character.toUpperCase(letter)));
            text = rules.has(SystemRule.FORMS_FOLD) ? text.toUpperCase(Locale.ROOT).toLowerCase(Locale.ROOT) : upper.toString();
        }
        return text;
    }
}

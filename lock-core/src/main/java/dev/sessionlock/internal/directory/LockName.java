package dev.sessionlock.internal.directory;

import java.nio.charset.StandardCharsets;
import java.text.Normalizer;
import java.util.Locale;
import java.util.regex.Pattern;

/** A lock's name, as a number and as the file system folds it. */
final class LockName {
    /** Capital I with a dot is i with a dot in one table of Unicode, and plain i in another. Loaded only where names are folded, which is rare. */
    private static final class DottedI {
        private static final Pattern PATTERN = Pattern.compile("i(\\p{M}*?)\u0307");
    }

    private static final char IOTA = '\u03b9';
    /** The old capitals of Georgian. To Unicode their small letters are others than those that are written today; to HFS+ they are the same. */
    private static final int GEORGIAN_OLD = 0x2d00;
    private static final int GEORGIAN_OLD_END = 0x2d25;
    private static final int GEORGIAN = 0x10d0;

    private LockName() {
    }

    /** {@return the first 8 bytes of the SHA-256 of the name in UTF-8; never 0, which means a free slot} */
    static long hash(String name) {
        long h = Sha256.head(name.getBytes(StandardCharsets.UTF_8));
        return h != 0 ? h : 1;
    }

    /**
     * {@return a name that is the same for all names that some file system takes for one} It folds more than any single file system does, which is
     * the safe side: two files that share a lock wait for each other, two locks on one file would both be held.
     */
    static String fold(String name) {
        String folded = name;
        String before;
        do { // the result of folding may fold further: capital sharp s becomes sharp s, and that becomes ss
            before = folded;
            folded = foldOnce(before);
        } while (!folded.equals(before));
        return folded;
    }

    /** {@return whether this JVM's Unicode has all characters of a name} How those fold never changes any more; later JVMs agree. */
    static boolean hasKnownLetters(String name) {
        return name.codePoints().allMatch(Character::isDefined);
    }

    private static String foldOnce(String name) {
        String plain = Normalizer.normalize(name, Normalizer.Form.NFKD);
        // Down, up and down again: some letters fold only one of the two ways (dotless i, the Kelvin sign, capital sharp s).
        String folded = plain.toLowerCase(Locale.ROOT).toUpperCase(Locale.ROOT).toLowerCase(Locale.ROOT);
        StringBuilder visible = new StringBuilder(folded.length());
        Normalizer.normalize(folded, Normalizer.Form.NFKD).codePoints()
                .filter(c -> !isIgnorable(c))
                .map(LockName::foldedElsewhere)
                .forEach(visible::appendCodePoint);
        return iotasLast(DottedI.PATTERN.matcher(visible).replaceAll("i$1"));
    }

    /** What Java's tables keep apart and some file system does not. */
    private static int foldedElsewhere(int c) {
        return c == 'ς' ? 'σ' : c >= GEORGIAN_OLD && c <= GEORGIAN_OLD_END ? c - GEORGIAN_OLD + GEORGIAN : c;
    }

    /**
     * The iota subscript is a mark, whose place among the marks of a letter says nothing; in upper case it is a letter, whose place does. So a name may
     * have been folded before or after its marks were put in order: here each iota stands behind the marks that it stands among.
     */
    private static String iotasLast(String name) {
        if (name.indexOf(IOTA) < 0) {
            return name;
        }
        StringBuilder text = new StringBuilder(name.length());
        StringBuilder iotas = new StringBuilder();
        name.codePoints().forEach(c -> {
            if (c == IOTA) {
                iotas.append(IOTA);
                return;
            } else if (!isMark(c)) {
                text.append(iotas);
                iotas.setLength(0);
            }
            text.appendCodePoint(c);
        });
        return text.append(iotas).toString();
    }

    private static boolean isMark(int c) {
        int type = Character.getType(c);
        return type == Character.NON_SPACING_MARK || type == Character.COMBINING_SPACING_MARK || type == Character.ENCLOSING_MARK;
    }

    /** What file systems leave out when they compare names: Default_Ignorable_Code_Point of Unicode, and all format characters. */
    private static boolean isIgnorable(int c) {
        return Character.getType(c) == Character.FORMAT
                || c == 0x34F || c == 0x115F || c == 0x1160 || c == 0x17B4 || c == 0x17B5
                || c >= 0x180B && c <= 0x180F || c >= 0x2060 && c <= 0x206F || c == 0x3164
                || c >= 0xFE00 && c <= 0xFE0F || c == 0xFFA0 || c >= 0xFFF0 && c <= 0xFFF8 || c >= 0xE0000 && c <= 0xE0FFF;
    }
}

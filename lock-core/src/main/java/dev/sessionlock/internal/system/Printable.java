package dev.sessionlock.internal.system;

import java.nio.charset.StandardCharsets;
import java.util.Locale;

/**
 * Makes text that others wrote (a file's name, what a record says, a command line) safe to show in a terminal, a log or a message. A character that
 * could move the cursor, begin a line, turn the direction of writing around or hide something becomes an escape such as <code>&#92;u001b</code>.
 * Ordinary letters of all scripts stay. Escaping an escaped text changes nothing.
 *
 * <p>{@link dev.sessionlock.LockException}, {@link dev.sessionlock.LockReport} and {@link Log} apply it to all that they are given, so that their
 * callers need not.
 */
public final class Printable {
    private static final int ZERO_WIDTH_NON_JOINER = 0x200c; // both are part of ordinary names: Persian and Indic words, family emoji
    private static final int ZERO_WIDTH_JOINER = 0x200d;

    private Printable() {
    }

    /**
     * Loads what {@link #throwable} needs, for where there may be no descriptor left to load it by. Not a static field: were there no memory as it is set, this
     * class, and with it all that has a message, would be unusable for good.
     */
    static void load() {
        PrintableCopy.load();
    }

    /** {@return the text on one line, with escapes for what must not be shown as it is} */
    public static String text(String text) {
        int at = firstHidden(text);
        if (at == text.length()) {
            return text;
        }
        StringBuilder visible = new StringBuilder(text.length() + 16).append(text, 0, at);
        while (at < text.length()) {
            int c = text.codePointAt(at);
            append(visible, c);
            at += Character.charCount(c);
        }
        return visible.toString();
    }

    /** {@return a text of ours that has several lines, each as {@link #text} has it} */
    public static String lines(String text) {
        StringBuilder visible = new StringBuilder(text.length());
        int begin = 0;
        for (int end = text.indexOf('\n'); end >= 0; end = text.indexOf('\n', begin)) {
            visible.append(text(text.substring(begin, end))).append('\n');
            begin = end + 1;
        }
        return begin == 0 ? text(text) : visible.append(text(text.substring(begin))).toString();
    }

    /** {@return the throwable itself, or one that prints in the same way, with escapes, if its message or that of a cause needs them} */
    public static Throwable throwable(Throwable thrown) {
        return thrown instanceof PrintableCopy ? thrown : PrintableCopy.ifNeeded(thrown);
    }

    /**
     * {@return a text as one word for a POSIX shell} If it has characters that must not be shown, in the form <code>$'\033'</code> of bash, ksh and
     * zsh.
     */
    public static String shellWord(String text) {
        if (isPlainWord(text)) {
            return text;
        } else if (firstHidden(text) == text.length()) {
            return "'" + text.replace("'", "'\\''") + "'";
        }
        StringBuilder word = new StringBuilder("$'");
        for (int at = 0; at < text.length(); ) {
            int c = text.codePointAt(at);
            at += Character.charCount(c);
            if (c == '\'' || c == '\\') {
                word.append('\\').append((char) c);
            } else if (isPrintable(c)) {
                word.appendCodePoint(c);
            } else {
                for (byte b : Character.toString(c).getBytes(StandardCharsets.UTF_8)) {
                    word.append(String.format(Locale.ROOT, "\\%03o", b & 0xff));
                }
            }
        }
        return word.append('\'').toString();
    }

    /** {@return whether a shell takes a text as it is} */
    private static boolean isPlainWord(String text) {
        for (int i = 0; i < text.length(); i++) {
            char c = text.charAt(i);
            if (!(c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || "_@%+=:,./-".indexOf(c) >= 0)) {
                return false;
            }
        }
        return !text.isEmpty();
    }

    /** Appends a character, or its escape, which is also valid in JSON and Java. */
    public static void append(StringBuilder to, int codePoint) {
        if (isPrintable(codePoint)) {
            to.appendCodePoint(codePoint);
        } else {
            appendEscaped(to, codePoint);
        }
    }

    /** Appends a character's escape; two for one beyond 16 bits. */
    public static void appendEscaped(StringBuilder to, int codePoint) {
        for (char c : Character.toChars(codePoint)) {
            to.append(String.format(Locale.ROOT, "\\u%04x", (int) c));
        }
    }

    /** {@return whether a character may be shown as it is} Half a surrogate pair may not: it cannot be written as UTF-8. */
    public static boolean isPrintable(int codePoint) {
        if (codePoint < 0x7f) {
            return codePoint >= ' ';
        }
        return switch (Character.getType(codePoint)) {
            case Character.CONTROL, Character.LINE_SEPARATOR, Character.PARAGRAPH_SEPARATOR, Character.SURROGATE -> false;
            case Character.FORMAT -> codePoint == ZERO_WIDTH_JOINER || codePoint == ZERO_WIDTH_NON_JOINER;
            case Character.UNASSIGNED -> !isReserved(codePoint);
            default -> true;
        };
    }

    /** {@return whether an unassigned character will never be a letter} Others that are unassigned may have got a meaning since this JDK was made. */
    private static boolean isReserved(int codePoint) {
        return (codePoint & 0xfffe) == 0xfffe || codePoint >= 0xfdd0 && codePoint <= 0xfdef // noncharacters
                || codePoint == 0x2065 || codePoint >= 0xfff0 && codePoint <= 0xfff8 || codePoint >= 0xe0000 && codePoint <= 0xe0fff; // invisible
    }

    private static int firstHidden(String text) {
        int at = 0;
        while (at < text.length() && text.charAt(at) >= ' ' && text.charAt(at) < 0x7f) { // mostly to the end
            at++;
        }
        while (at < text.length()) {
            int c = text.codePointAt(at);
            if (!isPrintable(c)) {
                return at;
            }
            at += Character.charCount(c);
        }
        return at;
    }
}

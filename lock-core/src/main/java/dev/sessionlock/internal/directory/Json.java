package dev.sessionlock.internal.directory;

import java.util.HashMap;
import java.util.Map;

/**
 * As much JSON (RFC 8259) as lock files need: one object, its members by name. Whole numbers are {@link Long}s, texts {@link String}s, {@code true}
 * and {@code false} {@link Boolean}s; any other value is checked and replaced by one constant.
 */
final class Json {
    /** Stands for a value that no lock has: an array, an object, {@code null}, a fraction. */
    private static final Object OTHER = new Object();
    private static final int DEEPEST = 32;

    private final String text;
    private int at;

    private Json(String text) {
        this.text = text;
    }

    /** It is not JSON. */
    static class SyntaxException extends Exception {
        private static final long serialVersionUID = 1L;

        SyntaxException(String message) {
            super(message, null, false, false);
        }
    }

    /** It is JSON as far as it goes. */
    static final class EndsTooSoonException extends SyntaxException {
        private static final long serialVersionUID = 1L;

        EndsTooSoonException() {
            super("it ends too soon");
        }
    }

    /** {@return the members of the one object that the text is} */
    static Map<String, Object> object(String text) throws SyntaxException {
        Json json = new Json(text);
        Map<String, Object> members = json.members(0);
        json.space();
        if (json.at < text.length()) {
            throw new SyntaxException("something follows the object");
        }
        return members;
    }

    private Map<String, Object> members(int depth) throws SyntaxException {
        Map<String, Object> members = new HashMap<>();
        expect('{');
        if (next() == '}') {
            at++;
            return members;
        }
        while (true) {
            if (next() != '"') {
                throw new SyntaxException("a name was expected");
            }
            String name = string();
            expect(':');
            members.put(name, value(depth));
            if (next() == '}') {
                at++;
                return members;
            }
            expect(',');
        }
    }

    private Object value(int depth) throws SyntaxException {
        char c = next();
        if (depth > DEEPEST) {
            throw new SyntaxException("too deep");
        } else if (c == '"') {
            return string();
        } else if (c == '{') {
            members(depth + 1);
            return OTHER;
        } else if (c == '[') {
            return array(depth + 1);
        } else if (c == '-' || c >= '0' && c <= '9') {
            return number();
        }
        return word();
    }

    private Object array(int depth) throws SyntaxException {
        expect('[');
        if (next() == ']') {
            at++;
            return OTHER;
        }
        while (true) {
            value(depth);
            if (next() == ']') {
                at++;
                return OTHER;
            }
            expect(',');
        }
    }

    private Object word() throws SyntaxException {
        for (String word : new String[] {"true", "false", "null"}) {
            if (text.startsWith(word, at)) {
                at += word.length();
                return word.equals("null") ? OTHER : Boolean.valueOf(word);
            } else if (text.length() - at < word.length() && word.startsWith(text.substring(at))) {
                throw new EndsTooSoonException();
            }
        }
        throw new SyntaxException("a value was expected");
    }

    private Object number() {
        int start = at;
        while (at < text.length() && "+-.eE0123456789".indexOf(text.charAt(at)) >= 0) {
            at++;
        }
        try {
            return Long.valueOf(text.substring(start, at));
        } catch (NumberFormatException e) {
            return OTHER;
        }
    }

    private String string() throws SyntaxException {
        int start = ++at; // after the quote
        while (at < text.length() && text.charAt(at) >= ' ' && text.charAt(at) != '\\' && text.charAt(at) != '"') {
            at++;
        }
        if (at < text.length() && text.charAt(at) == '"') { // mostly
            return text.substring(start, at++);
        }
        StringBuilder plain = new StringBuilder(text.substring(start, at));
        while (true) {
            char c = take();
            if (c == '"') {
                return plain.toString();
            } else if (c < ' ') {
                throw new SyntaxException("a control character in a text");
            }
            plain.append(c == '\\' ? escaped() : c);
        }
    }

    private char escaped() throws SyntaxException {
        char c = take();
        return switch (c) {
            case '"', '\\', '/' -> c;
            case 'b' -> '\b';
            case 'f' -> '\f';
            case 'n' -> '\n';
            case 'r' -> '\r';
            case 't' -> '\t';
            case 'u' -> (char) (hex() << 12 | hex() << 8 | hex() << 4 | hex());
            default -> throw new SyntaxException("an unknown escape");
        };
    }

    private int hex() throws SyntaxException {
        int digit = Character.digit(take(), 16);
        if (digit < 0) {
            throw new SyntaxException("a hexadecimal digit was expected");
        }
        return digit;
    }

    private char take() throws SyntaxException {
        if (at == text.length()) {
            throw new EndsTooSoonException();
        }
        return text.charAt(at++);
    }

    private void space() {
        while (at < text.length() && isSpace(text.charAt(at))) {
            at++;
        }
    }

    /** By hand: half of a record is spaces, and {@code list} may read ten thousand. */
    private static boolean isSpace(char c) {
        return c == ' ' || c == '\t' || c == '\r' || c == '\n';
    }

    /** {@return the next character that is not white space, which stays} */
    private char next() throws SyntaxException {
        space();
        if (at == text.length()) {
            throw new EndsTooSoonException();
        }
        return text.charAt(at);
    }

    private void expect(char c) throws SyntaxException {
        if (next() != c) {
            throw new SyntaxException("'" + c + "' was expected");
        }
        at++;
    }
}

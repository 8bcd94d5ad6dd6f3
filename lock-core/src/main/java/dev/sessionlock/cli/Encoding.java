package dev.sessionlock.cli;

import dev.sessionlock.internal.system.Printable;
import java.io.PrintStream;
import java.io.PrintWriter;
import java.io.Writer;
import java.nio.CharBuffer;
import java.nio.charset.Charset;
import java.nio.charset.CharsetEncoder;
import java.util.List;

/**
 * The encoding of one of our streams. A character that it lacks, such as the Chinese name of a session where cron sets no locale, is printed as an
 * escape (<code>&#92;u4f1a</code>). A question mark would name no file, and bytes of another encoding could be control characters of this one. In a
 * JSON document, the escape means the character.
 */
final class Encoding {
    private final Charset charset;
    private final CharsetEncoder encoder;

    Encoding(Charset charset) {
        this.charset = charset;
        this.encoder = charset.newEncoder();
    }

    static Encoding ofStdout() {
        return new Encoding(named("stdout.encoding", "sun.stdout.encoding"));
    }

    static Encoding ofStderr() {
        return new Encoding(named("stderr.encoding", "sun.stderr.encoding"));
    }

    /** JDK 17 knows the encoding of a stream only if the stream is a terminal. */
    private static Charset named(String property, String before19) {
        for (String known : List.of(property, before19, "native.encoding")) {
            String name = System.getProperty(known);
            if (name != null && Charset.isSupported(name) && Charset.forName(name).canEncode()) {
                return Charset.forName(name);
            }
        }
        return Charset.defaultCharset();
    }

    /** {@return whether the encoding has all characters of a text} */
    boolean has(String text) {
        synchronized (encoder) {
            return encoder.canEncode(text);
        }
    }

    /** {@return a text with escapes for what the encoding lacks} */
    String shown(String text) {
        if (has(text)) {
            return text;
        }
        StringBuilder shown = new StringBuilder(text.length() + 16);
        text.codePoints().forEach(c -> {
            if (has(Character.toString(c))) {
                shown.appendCodePoint(c);
            } else {
                Printable.appendEscaped(shown, c);
            }
        });
        return shown.toString();
    }

    byte[] bytes(String text) {
        return shown(text).getBytes(charset);
    }

    /** {@return a printer to a stream} It flushes after each line. */
    PrintWriter printer(PrintStream to) {
        return new PrintWriter(new Writer() {
            @Override
            public void write(char[] text, int offset, int length) {
                byte[] bytes = bytes(CharBuffer.wrap(text, offset, length).toString());
                to.write(bytes, 0, bytes.length);
            }

            @Override
            public void flush() {
                to.flush();
            }

            @Override
            public void close() {
                to.flush();
            }
        }, true);
    }
}

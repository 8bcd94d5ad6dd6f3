package dev.sessionlock.internal.directory;

import dev.sessionlock.internal.system.Printable;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.Charset;
import java.nio.charset.StandardCharsets;
import java.nio.file.DirectoryIteratorException;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.InvalidPathException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Locale;

/**
 * File names as this JVM can encode them. A name is bytes; Java makes text of them by the locale, with U+FFFD for bytes that the locale's encoding
 * does not have. From that text it cannot open the file again. Where no locale is set, as under cron, this concerns every name that is not ASCII, and
 * a running JVM cannot change it.
 */
public final class FileNames {
    private static final String LOCK = ".lock";
    private static final char UNKNOWN = '\ufffd';

    private FileNames() {
    }

    /** {@return the encoding of file names, as this JVM was started} */
    public static String encoding() {
        return System.getProperty("sun.jnu.encoding", "unknown");
    }

    /** {@return whether a path's text names the same file} */
    public static boolean isText(Path path) {
        String text = path.toString();
        try {
            return text.indexOf(UNKNOWN) < 0 || Path.of(text).equals(path);
        } catch (InvalidPathException e) {
            return false;
        }
    }

    /** {@return the lock files in a directory whose names are not text here, by their bytes} {@code list} cannot show them. */
    public static List<Path> locksWithoutText(Path directory) throws IOException {
        List<Path> found = new ArrayList<>();
        try (DirectoryStream<Path> entries = Files.newDirectoryStream(directory)) {
            for (Path entry : entries) {
                if (entry.getFileName().toString().endsWith(LOCK) && !isText(entry)) {
                    found.add(entry.getFileName());
                }
            }
        } catch (DirectoryIteratorException e) {
            throw e.getCause();
        }
        Collections.sort(found);
        return found;
    }

    /** {@return a file's own name for a person: as UTF-8 if it is not text here, or with escapes such as <code>&#92;xe9</code> for its bytes} */
    public static String shown(Path path) {
        Path name = path.getFileName() == null ? path : path.getFileName();
        return isText(name) ? Printable.text(name.toString()) : shown(bytesOf(name));
    }

    /** {@return a name's bytes for a person, in the same way} */
    public static String shown(byte[] name) {
        try {
            return Printable.text(StandardCharsets.UTF_8.newDecoder().decode(ByteBuffer.wrap(name)).toString());
        } catch (CharacterCodingException e) {
            StringBuilder shown = new StringBuilder();
            for (byte b : name) {
                if (b >= ' ' && b < 0x7f) {
                    shown.append((char) b);
                } else {
                    shown.append(String.format(Locale.ROOT, "\\x%02x", b & 0xff));
                }
            }
            return shown.toString();
        }
    }

    /** {@return why a name that is not text cannot be used here, and what to do} */
    public static String why() {
        boolean utf8 = Charset.isSupported(encoding()) && Charset.forName(encoding()).equals(StandardCharsets.UTF_8);
        return utf8 ? "not UTF-8, so that Java cannot name it: it is no lock of this library; if no other program needs it, rename it"
                : "not in the encoding of file names that this JVM has by its locale (" + encoding() + "): start java with LC_ALL=C.UTF-8 in its environment "
                + "(in a crontab, the line LC_ALL=C.UTF-8)";
    }

    /** A path's URI is the only place where Java shows its bytes. */
    private static byte[] bytesOf(Path name) {
        String uri = name.toUri().getRawPath();
        String last = uri.substring(uri.lastIndexOf('/', uri.length() - 2) + 1);
        byte[] bytes = new byte[last.length()];
        int length = 0;
        for (int i = 0; i < last.length() && last.charAt(i) != '/'; i++) {
            boolean escaped = last.charAt(i) == '%';
            bytes[length++] = (byte) (escaped ? Integer.parseInt(last.substring(i + 1, i + 3), 16) : last.charAt(i));
            i += escaped ? 2 : 0;
        }
        return java.util.Arrays.copyOf(bytes, length);
    }
}

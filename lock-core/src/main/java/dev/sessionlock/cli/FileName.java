package dev.sessionlock.cli;

import dev.sessionlock.internal.directory.FileNames;
import java.io.IOException;
import java.nio.charset.Charset;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;

/**
 * The name of a file as it was typed. An empty name is refused: Java would take it for the working directory, and usually it is a shell variable that
 * was not set. A name that Java cannot decode is refused, too: it would mean another file, or none.
 */
final class FileName {

    private FileName() {
    }

    /**
     * {@return the file's path}
     *
     * @throws IllegalArgumentException if it is refused
     */
    static Path path(String text) {
        if (text.isEmpty()) {
            throw new IllegalArgumentException("the name is empty");
        }
        Optional<byte[]> notText = notText(text);
        if (notText.isPresent()) {
            throw new IllegalArgumentException(FileNames.shown(notText.get()) + " is " + FileNames.why());
        }
        return Path.of(text);
    }

    /** {@return the bytes of an argument if Java's text for it is not the name that was typed} A file's name may itself contain U+FFFD. */
    private static Optional<byte[]> notText(String text) {
        if (text.indexOf('\ufffd') < 0) {
            return Optional.empty();
        }
        Charset names = Charset.isSupported(FileNames.encoding()) ? Charset.forName(FileNames.encoding()) : StandardCharsets.UTF_8;
        for (byte[] argument : arguments()) {
            if (new String(argument, names).equals(text)) {
                return Arrays.equals(text.getBytes(names), argument) ? Optional.empty() : Optional.of(argument);
            }
        }
        return names.newEncoder().canEncode(text) ? Optional.empty() : Optional.of(text.getBytes(StandardCharsets.UTF_8));
    }

    /** {@return the arguments with which this process was started, as bytes; none if the system does not tell} */
    private static List<byte[]> arguments() {
        try {
            byte[] all = Files.readAllBytes(Path.of("/proc/self/cmdline"));
            List<byte[]> arguments = new ArrayList<>();
            int begin = 0;
            for (int i = 0; i < all.length; i++) {
                if (all[i] == 0) {
                    arguments.add(Arrays.copyOfRange(all, begin, i));
                    begin = i + 1;
                }
            }
            return arguments;
        } catch (IOException e) {
            return List.of();
        }
    }
}

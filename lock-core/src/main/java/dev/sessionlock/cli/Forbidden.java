package dev.sessionlock.cli;

import dev.sessionlock.internal.directory.LockDirectory;
import dev.sessionlock.internal.system.Printable;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.util.Map;
import java.util.Optional;

/**
 * Reports a {@code .session-locks} that its own owner may not use. Root, which no mode stops, would report that all is well while nobody can lock a
 * session.
 */
final class Forbidden {
    private static final int OWNERS = 0700;

    private Forbidden() {
    }

    /** {@return what to say about a directory's folder; empty if its owner may use it, or if the file system shows no modes} */
    static Optional<String> in(Path directory) {
        Path inner = directory.resolve(LockDirectory.INNER);
        try {
            Map<String, Object> folder = Files.readAttributes(inner, "unix:mode,isDirectory", LinkOption.NOFOLLOW_LINKS);
            int wanted = (int) Files.getAttribute(directory, "unix:mode") & OWNERS; // the modes with which the library creates it
            if (!(boolean) folder.get("isDirectory") || ((int) folder.get("mode") & wanted) == wanted) {
                return Optional.empty();
            }
            return Optional.of(inner + " has mode " + String.format("%03o", (int) folder.get("mode") & 07777)
                    + ", so that not even its owner can lock here: chmod u+rwx " + Printable.shellWord(inner.toString()));
        } catch (IOException | UnsupportedOperationException | IllegalArgumentException e) {
            return Optional.empty(); // it does not exist or has gone, or the file system has no modes
        }
    }
}

package dev.sessionlock.cli;

import dev.sessionlock.internal.directory.FileNames;
import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import java.util.stream.Collectors;

/** Reports files that exist but cannot be named in this JVM. A check that silently leaves them out says "all well" of a dead lock. */
final class UnreadableNames {
    private static final int MOST = 10;

    private UnreadableNames() {
    }

    /** {@return what to say about lock files of a directory that cannot be named; empty if there are none} */
    static Optional<String> in(Path directory) {
        List<Path> locks = locksIn(directory);
        if (locks.isEmpty()) {
            return Optional.empty();
        }
        String names = locks.stream().limit(MOST).map(FileNames::shown).collect(Collectors.joining(", "));
        return Optional.of("cannot look at " + locks.size() + (locks.size() == 1 ? " lock in " : " locks in ") + directory + ": " + names
                + (locks.size() > MOST ? " and " + (locks.size() - MOST) + " more" : "")
                + (locks.size() == 1 ? ": its name is " : ": their names are ") + FileNames.why());
    }

    private static List<Path> locksIn(Path directory) {
        try {
            return FileNames.locksWithoutText(directory);
        } catch (IOException e) {
            return List.of(); // it has gone since the look
        }
    }

    /** {@return what to say about a directory that cannot be named, so that none of its locks can be shown} */
    static String directory(Path directory) {
        return "cannot name the directory " + FileNames.shown(directory) + ": its name is " + FileNames.why();
    }
}

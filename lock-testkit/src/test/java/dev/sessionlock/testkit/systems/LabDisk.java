package dev.sessionlock.testkit.systems;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;

/** What the disk of the tests can play. */
final class LabDisk {
    private LabDisk() {
    }

    /** {@return whether files in a directory can have extended attributes, which play named streams} */
    static boolean hasStreams(Path directory) throws IOException {
        Path probe = Files.createTempFile(directory, "streams", "");
        try {
            Files.setAttribute(probe, "user:probe", new byte[1]);
            return true;
        } catch (IOException | UnsupportedOperationException e) {
            return false;
        } finally {
            Files.delete(probe);
        }
    }
}

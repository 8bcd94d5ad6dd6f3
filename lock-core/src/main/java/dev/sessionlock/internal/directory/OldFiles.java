package dev.sessionlock.internal.directory;

import dev.sessionlock.internal.system.SystemFiles;
import java.io.IOException;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.attribute.FileTime;
import java.util.concurrent.TimeUnit;

/** Deletes files that are only needed for a moment, once they are old. */
final class OldFiles {
    private static final long OLD_MILLIS = TimeUnit.MINUTES.toMillis(10);

    private OldFiles() {
    }

    /**
     * Deletes the old files whose names begin with a prefix.
     *
     * @param time the attribute that tells since when a file lies there
     */
    static void sweep(Path dir, String prefix, String time) throws IOException {
        try (DirectoryStream<Path> left = FolderStream.open(dir, prefix)) {
            for (Path path : left) {
                if (isOld(path, time)) {
                    SystemFiles.OF_THIS_PROCESS.remove(path).done();
                }
            }
        }
    }

    private static boolean isOld(Path left, String time) throws IOException {
        try {
            FileTime since = (FileTime) Files.getAttribute(left, time, LinkOption.NOFOLLOW_LINKS);
            return Files.isRegularFile(left, LinkOption.NOFOLLOW_LINKS) && System.currentTimeMillis() - since.toMillis() > OLD_MILLIS;
        } catch (UnsupportedOperationException | IllegalArgumentException e) {
            return false; // the file system has no time of change
        } catch (NoSuchFileException e) {
            return false;
        }
    }
}

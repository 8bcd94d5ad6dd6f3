package dev.sessionlock.internal.directory;

import dev.sessionlock.internal.system.CurrentUser;
import dev.sessionlock.internal.system.OpenFile;
import dev.sessionlock.internal.system.SystemFiles;
import java.io.IOException;
import java.nio.channels.FileChannel;
import java.nio.file.FileSystemException;
import java.nio.file.LinkOption;
import java.nio.file.NoSuchFileException;
import java.nio.file.OpenOption;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.Set;

/** Opens files of which nobody knows what they are, to read them: no link is followed, and nothing that is opened does something. */
final class FileReading {
    static final Set<OpenOption> WRITTEN = Set.of(StandardOpenOption.READ, StandardOpenOption.WRITE, LinkOption.NOFOLLOW_LINKS);
    static final Set<OpenOption> READ = Set.of(StandardOpenOption.READ, LinkOption.NOFOLLOW_LINKS);

    private FileReading() {
    }

    /**
     * Opens a file for a caller that only reads it. Follows no link, which could lead to a device that does something when it is opened. Root opens
     * it for writing, too, and writes nothing: then a FIFO that somebody puts there in the instant of the look does not block (fifo(7)). Other users
     * may not open every file so; nor may root on a read-only disk.
     */
    static FileChannel openToRead(Path file) throws IOException {
        if (CurrentUser.isRoot()) {
            try {
                return SystemFiles.OF_THIS_PROCESS.openChannel(file, WRITTEN);
            } catch (NoSuchFileException e) {
                throw e;
            } catch (FileSystemException e) {
                return SystemFiles.OF_THIS_PROCESS.openChannel(file, READ);
            }
        }
        return SystemFiles.OF_THIS_PROCESS.openChannel(file, READ);
    }

    /** As {@link #openToRead}, for a caller whose reading no interrupt may end. */
    static OpenFile openToLook(Path file) throws IOException {
        try (FileChannel open = openToRead(file)) {
            Path its = DescriptorPath.isToBeHad() ? DescriptorPath.pathOf(open) : file; // without /proc, or if it was hidden since, reading goes on
            return SystemFiles.OF_THIS_PROCESS.open(its, true);
        }
    }
}

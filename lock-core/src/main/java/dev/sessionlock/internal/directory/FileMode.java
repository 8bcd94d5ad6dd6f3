package dev.sessionlock.internal.directory;

import dev.sessionlock.internal.system.Loggers;
import java.io.IOException;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.util.Map;
import org.jetbrains.annotations.Nullable;

/**
 * Whoever may write to the directory must be able to open what the library makes in it, so the modes of files follow the
 * directory's own and not the umask of whichever process came first; so does their owner, as far as we may say so.
 */
final class FileMode {
    private static final int READ_WRITE = 0666;
    private static final int ALL = 07777;

    /** The directory's mode; negative where the file system has none. */
    private final int directory;
    private final Object uid;
    private final Object gid;

    private FileMode(int directory, Object uid, Object gid) {
        this.directory = directory;
        this.uid = uid;
        this.gid = gid;
    }

    static FileMode of(Path directory) throws IOException {
        try {
            Map<String, Object> unix = Files.readAttributes(directory, "unix:mode,uid,gid");
            return new FileMode((int) unix.get("mode") & ALL, unix.get("uid"), unix.get("gid"));
        } catch (UnsupportedOperationException | IllegalArgumentException e) {
            return new FileMode(-1, 0, 0);
        }
    }

    /** Makes an empty file unless something is there; never follows or opens what is there. */
    void createIfMissing(Path file) throws IOException {
        try {
            Files.createFile(file);
            apply(file, directory & READ_WRITE);
        } catch (FileAlreadyExistsException e) {
            if (!Files.isRegularFile(file, LinkOption.NOFOLLOW_LINKS)) {
                throw new IOException(file + " is not an ordinary file; somebody put it there: remove it", e);
            }
        }
    }

    /** Makes a directory unless one is there. */
    void createDirectoryIfMissing(Path dir) throws IOException {
        try {
            Files.createDirectory(dir);
            apply(dir, directory);
        } catch (FileAlreadyExistsException e) {
            if (!Files.isDirectory(dir, LinkOption.NOFOLLOW_LINKS)) {
                throw notADirectory(dir, e);
            }
        }
    }

    /** {@return what to tell a person of a file or a link in the place of our folder} */
    static IOException notADirectory(Path dir, @Nullable Throwable cause) {
        return new IOException(dir + " is not a directory; somebody put it there: remove it", cause);
    }

    /** Gives a file that this process has just made the mode that follows the directory's. */
    void applyToFile(Path file) throws IOException {
        apply(file, directory & READ_WRITE);
    }

    private void apply(Path path, int mode) throws IOException {
        if (directory < 0) {
            return;
        }
        Map<String, Object> unix = Files.readAttributes(path, "unix:mode,uid,gid");
        if (!unix.get("uid").equals(uid) || !unix.get("gid").equals(gid)) {
            giveToOwner(path);
        }
        if (((int) unix.get("mode") & ALL) != mode) {
            Files.setAttribute(path, "unix:mode", mode);
        }
    }

    /** Root may use the tool in the gateway's directory; the gateway must be able to open what root made. Others may not do this. */
    private void giveToOwner(Path path) {
        try {
            Files.setAttribute(path, "unix:gid", gid);
            Files.setAttribute(path, "unix:uid", uid);
        } catch (IOException e) {
            Loggers.LIBRARY.debug("{} stays ours", path, e);
        }
    }
}

package dev.sessionlock.internal.directory;

import dev.sessionlock.internal.system.SystemFiles;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.attribute.BasicFileAttributes;
import org.jspecify.annotations.Nullable;

/** Tells apart two files that have had the same name, one after the other: on POSIX by device and inode ({@link SystemFiles#identity}). */
final class FileKey {

    private FileKey() {
    }

    /** {@return the key of the file at a path, links not followed} */
    static Object of(Path path) throws IOException {
        return of(path, Files.readAttributes(path, BasicFileAttributes.class, LinkOption.NOFOLLOW_LINKS));
    }

    static Object of(Path path, BasicFileAttributes attributes) throws IOException {
        return SystemFiles.OF_THIS_PROCESS.identity(path, attributes);
    }

    /** {@return the key of a file whose attributes have just been read; null if it has vanished since} Where attributes have no key, its name is looked at again. */
    static @Nullable Object ofIfThere(Path path, BasicFileAttributes attributes) throws IOException {
        try {
            return of(path, attributes);
        } catch (NoSuchFileException e) {
            return null;
        }
    }

    /** {@return whether both are known, and the same} */
    static boolean equal(@Nullable Object one, @Nullable Object other) {
        return one != null && one.equals(other);
    }

    /** {@return the key of the file at a path; null if there is none, or if it cannot be determined} */
    static @Nullable Object ofOrNull(Path path) {
        try {
            return of(path);
        } catch (IOException e) {
            return null;
        }
    }
}

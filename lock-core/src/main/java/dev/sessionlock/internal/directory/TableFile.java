package dev.sessionlock.internal.directory;

import dev.sessionlock.internal.system.OpenFile;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.nio.file.attribute.BasicFileAttributes;

/**
 * A file of the shared table, as it was opened.
 *
 * @param path its name
 * @param key its device and inode
 * @param size how many of its bytes are the table
 */
record TableFile(Path path, Object key, int size) {

    /** How the files of a table are opened. */
    interface Opener {
        TableWords open(Path path, int size, boolean readOnly) throws IOException;
    }

    /** How one file is opened. */
    interface Access {
        OpenFile open(Path path, boolean readOnly) throws IOException;
    }

    /** {@return the file that lies there now} */
    static TableFile at(Path path, int size) throws IOException {
        return new TableFile(path, FileKey.of(path), size);
    }

    /** {@return whether another file is at its name} False if there is none: whoever creates one comes after this look. */
    boolean isReplaced() {
        Object there = FileKey.ofOrNull(path);
        return there != null && !there.equals(key);
    }

    /** {@return whether the file at its name still is this one, and as long} */
    boolean isInPlace() {
        try {
            BasicFileAttributes now = Files.readAttributes(path, BasicFileAttributes.class, LinkOption.NOFOLLOW_LINKS);
            return key.equals(FileKey.of(path, now)) && now.size() >= size;
        } catch (IOException e) {
            return false;
        }
    }
}

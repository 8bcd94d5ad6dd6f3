package dev.sessionlock.internal.directory;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.BasicFileAttributes;
import java.nio.file.attribute.FileTime;
import java.util.Map;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/**
 * What one look at a directory tells about the names in it: if two looks are equal and the state {@link #isSettled}, no name was created, moved or
 * removed there in between.
 *
 * <p>Both times are needed. {@code rsync} and {@code tar} set the time of modification back to what it was before they replaced a file. The time of
 * change stays as it is when a name is removed on exFAT, and on FAT of older Linux kernels.
 *
 * @param key the inode of the directory, as Java tells it
 * @param changed its time of change; null where there is none (not a Unix)
 * @param modified its time of modification
 */
record DirectoryState(Object key, @Nullable FileTime changed, FileTime modified) {
    /** Longer than the resolution of any file system's time stamps. */
    private static final long COARSEST_MILLIS = 3_000;

    static DirectoryState of(Path directory) throws IOException {
        try {
            Map<String, Object> look = Files.readAttributes(directory, "unix:fileKey,ctime,lastModifiedTime");
            return new DirectoryState(look.get("fileKey"), (FileTime) look.get("ctime"), (FileTime) look.get("lastModifiedTime"));
        } catch (UnsupportedOperationException e) {
            BasicFileAttributes look = Files.readAttributes(directory, BasicFileAttributes.class);
            return new DirectoryState(FileKey.of(directory, look), null, look.lastModifiedTime());
        }
    }

    /** {@return whether the last change is old enough that another one would show in the times} Never without a time of change: programs set the other one back. */
    boolean isSettled() {
        long now = System.currentTimeMillis();
        return changed != null && isLongAgo(modified, now) && isLongAgo(changed, now);
    }

    private static boolean isLongAgo(FileTime time, long now) {
        return Math.abs(now - time.toMillis()) > COARSEST_MILLIS;
    }

    /** Written out, like {@link #hashCode}: the JDK's generated ones take 16 ms of a JVM's first acquisition. */
    @Override
    public boolean equals(@Nullable Object other) {
        return other instanceof DirectoryState it && key.equals(it.key) && modified.equals(it.modified) && Objects.equals(changed, it.changed);
    }

    @Override
    public int hashCode() {
        return key.hashCode() + 31 * modified.hashCode();
    }
}

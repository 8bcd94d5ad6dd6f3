package dev.sessionlock.internal.directory;

import dev.sessionlock.internal.system.CurrentUser;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * Whose files and directories are trusted: those of this process's user, of root and of the directory's owner. Others could replace what lies in theirs,
 * or have us write into a file that is not ours. The guide's threat model says what follows from that.
 */
final class OwnerTrust {
    private static final int WRITABLE_BY_OTHERS = 022;
    private static final int STICKY = 01000;

    /** The directory's mode; negative where the file system has none. */
    private final int directory;
    /** The directory's owner. */
    private final Object uid;

    OwnerTrust(int directory, Object uid) {
        this.directory = directory;
        this.uid = uid;
    }

    // ---- who may change names ----

    /** As below, by the real path of a directory; false where files have neither modes nor owners. */
    static boolean othersChangeNames(Path home) throws IOException {
        try {
            return othersChangeNames(home, Files.readAttributes(home, "unix:mode,uid"));
        } catch (UnsupportedOperationException | IllegalArgumentException e) {
            return false;
        }
    }

    /** {@return whether a user who is neither ours nor root could replace what we create there, or the directory itself} */
    static boolean othersChangeNames(Path home, Map<String, Object> unix) throws IOException {
        if (!isOurs(unix, false) || othersRenameOurs(home.getParent())) {
            return true;
        }
        try {
            return !isOurs(Files.readAttributes(home.resolve(LockDirectory.INNER), "unix:mode,uid", LinkOption.NOFOLLOW_LINKS), false);
        } catch (NoSuchFileException e) {
            return false; // it will be created with the directory's mode
        }
    }

    /** {@return whether a user who is neither ours nor root could rename our files in a directory, or the directory itself} */
    static boolean othersRenameOurs(@Nullable Path home) throws IOException {
        for (Path dir = home; dir != null; dir = dir.getParent()) {
            if (!isOurs(Files.readAttributes(dir, "unix:mode,uid"), true)) {
                return true;
            }
        }
        return false;
    }

    /** @param holdsOurs our files in it cannot be renamed by others where the sticky bit is set */
    private static boolean isOurs(Map<String, Object> unix, boolean holdsOurs) {
        int mode = (int) unix.get("mode");
        return CurrentUser.trusts(unix.get("uid")) && ((mode & WRITABLE_BY_OTHERS) == 0 || holdsOurs && (mode & STICKY) != 0);
    }

    // ---- what may be used ----

    /**
     * We must not write to a file that is not ours.
     *
     * @param file its path, as a person knows it
     * @param key which one it must be; null if any
     */
    void requireFile(Path file, Map<String, Object> unix, @Nullable Object key) throws IOException {
        if (!(boolean) unix.get("isRegularFile")) {
            throw notOrdinary(file, null);
        } else if (key != null && !key.equals(unix.get("fileKey"))) {
            throw new NoSuchFileException(file.toString(), null, "somebody put another in its place");
        } else if (key == null && (int) unix.get("nlink") > 1) {
            throw new IOException(file + " has " + unix.get("nlink") + " names (hard links), so it may be somebody's file of another name; "
                    + "somebody put it there: remove it");
        } else if (!mayBelongTo(unix.get("uid")) && (directory & WRITABLE_BY_OTHERS) == 0) {
            throw untrustedOwner(file, unix.get("uid"));
        }
    }

    /** @param dir {@code .session-locks}, by the path that a person knows */
    void requireFolder(Path dir, Map<String, Object> unix) throws IOException {
        int mode = (int) unix.get("mode");
        boolean shared = (directory & WRITABLE_BY_OTHERS) != 0 && ((directory & STICKY) == 0 || (mode & STICKY) != 0);
        if (!mayBelongTo(unix.get("uid")) && !shared) {
            throw untrustedOwner(dir, unix.get("uid"));
        }
    }

    private boolean mayBelongTo(Object user) {
        return CurrentUser.trusts(user) || user.equals(uid);
    }

    private IOException untrustedOwner(Path path, Object user) {
        return new IOException(path + " belongs to user " + user + ", who is neither the user of this process, nor root, nor the owner of the directory (user "
                + uid + "), and could put other files in the place of ours; remove it, or give it to one of these: chown " + uid + " " + path);
    }

    static IOException notOrdinary(Path file, @Nullable Exception cause) {
        return new IOException(file + " is not an ordinary file; somebody put it there: remove it", cause);
    }

    /** {@return what to tell a person about a file or link in place of {@code .session-locks}} */
    static IOException notADirectory(Path dir, @Nullable Throwable cause) {
        return new IOException(dir + " is not a directory; somebody put it there: remove it", cause);
    }
}

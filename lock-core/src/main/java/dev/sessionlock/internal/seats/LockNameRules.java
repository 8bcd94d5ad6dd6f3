package dev.sessionlock.internal.seats;

import dev.sessionlock.LockException;
import dev.sessionlock.internal.directory.FileNames;
import dev.sessionlock.internal.directory.LockDirectory;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.FileSystems;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.BasicFileAttributes;

/** Which names can be locked. A refusal says why, for the person who has to choose another name. */
public final class LockNameRules {
    /** {@code takeover-<name>} and {@code <name>.lock.reclaim} must fit into the 255 bytes that Unix file systems allow. */
    private static final int LONGEST = 255 - ".lock.reclaim".length();

    private LockNameRules() {
    }

    /** Refuses a name if the lock's own files would have names that are too long. */
    public static void requireLockable(String name, Path target) throws LockException {
        int bytes = name.getBytes(StandardCharsets.UTF_8).length;
        if (bytes > LONGEST) {
            throw new LockException("cannot lock " + target + ": its name is " + bytes + " bytes long, and with what the lock adds to it "
                    + "only " + LONGEST + " fit; choose a shorter name");
        }
    }

    /** Refuses an empty path: for Java it names the working directory, and mostly it comes from a missing setting. */
    public static void requireNamed(Path target) throws LockException {
        if (target.toString().isEmpty()) {
            throw new LockException("the path is empty, so it names no file; is a setting missing?");
        }
    }

    /**
     * Refuses a path that exists and is no file, and a path in {@code .session-locks}. What cannot be examined is not refused here: opening its
     * directory gives a better message.
     *
     * @param parent the directory, its real path
     * @param name the file's name in it
     */
    static void requireFile(Path parent, String name) throws LockException {
        Path file = parent.resolve(name);
        if (name.equals(LockDirectory.INNER) || isOurs(parent)) {
            throw new LockException("cannot lock " + file + ": what lies in " + LockDirectory.INNER + " is the locks' own");
        }
        BasicFileAttributes found;
        try {
            found = Files.readAttributes(file, BasicFileAttributes.class);
        } catch (IOException e) {
            return; // absent, as a rule
        }
        if (found.isDirectory()) {
            throw new LockException("cannot lock " + file + ": it is a directory; lock a file in it, which need not exist");
        } else if (!found.isRegularFile()) {
            throw new LockException("cannot lock " + file + ": it is a FIFO, socket or device, and only files can be locked");
        }
    }

    /** Refuses a name of which nobody can tell here whether another one means the same file. */
    static void requireKey(LockDirectory directory, String name) throws LockException {
        if (!directory.knowsKey(name)) {
            throw new LockException("cannot lock " + directory.home().resolve(name) + ": its name has a character that is newer than the Unicode of this JVM (Java "
                    + Runtime.version().feature() + "), and the file system takes some names for one, so the file might have two locks; "
                    + "use a later Java in all processes, or another name");
        }
    }

    private static boolean isOurs(Path parent) {
        for (Path part : parent) {
            if (part.toString().equals(LockDirectory.INNER)) {
                return true;
            }
        }
        return false;
    }

    /** Refuses a path inside a zip file or in memory: the kernel has no locks there. */
    static void requireDefaultFileSystem(Path target) throws LockException {
        if (target.getFileSystem() != FileSystems.getDefault()) {
            throw new LockException("cannot lock " + target + ": it is in " + target.getFileSystem()
                    + ", not on a file system of this machine");
        }
    }

    /** Refuses a path that this JVM cannot encode: our files would lie at another path, and two targets could share one. */
    public static void requireText(Path absolute, Path target) throws LockException {
        if (!FileNames.isText(absolute)) {
            throw new LockException("cannot lock " + FileNames.shown(absolute) + ": its name or that of a directory above it is not text in the "
                    + "encoding that this JVM uses for file names (" + FileNames.encoding() + "); rename it, or run with a locale that has it "
                    + "(LC_ALL=C.UTF-8)");
        }
    }
}

package dev.sessionlock.internal.seats;

import dev.sessionlock.LockException;
import java.nio.charset.StandardCharsets;
import java.nio.file.FileSystems;
import java.nio.file.Path;

/** Which names can be locked. What is refused is refused in words for the person who has to choose another. */
public final class Names {
    /** {@code takeover-<name>} and {@code <name>.lock.reclaim} must fit into the 255 bytes that Unix file systems allow. */
    private static final int LONGEST = 255 - ".lock.reclaim".length();

    private Names() {
    }

    /** Refuses a name with which the files of a lock would have names that are too long. */
    public static void requireLockable(String name, Path target) throws LockException {
        int bytes = name.getBytes(StandardCharsets.UTF_8).length;
        if (bytes > LONGEST) {
            throw new LockException("cannot lock " + target + ": its name is " + bytes + " bytes long, and with what the lock adds to it "
                    + "only " + LONGEST + " fit; choose a shorter name");
        }
    }

    /** A path inside a zip file or in memory: the kernel has no locks there. */
    static void requireDefaultFileSystem(Path target) throws LockException {
        if (target.getFileSystem() != FileSystems.getDefault()) {
            throw new LockException("cannot lock " + target + ": it is in " + target.getFileSystem()
                    + ", not on a file system of this machine");
        }
    }

    /** A path that this JVM cannot write down: what we make of it would lie at another one, and two such files would share it. */
    public static void requireText(Path absolute, Path target) throws LockException {
        String text = absolute.toString();
        if (text.indexOf('\ufffd') >= 0 && !Path.of(text).equals(absolute)) {
            throw new LockException("cannot lock " + target + ": its name or that of a directory above it is not text in the encoding that "
                    + "this JVM uses for file names (" + System.getProperty("sun.jnu.encoding") + "); rename it, or run with a locale that "
                    + "has it");
        }
    }
}

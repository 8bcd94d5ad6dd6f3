package dev.sessionlock.internal.system;

import java.io.FileInputStream;
import java.io.FileNotFoundException;
import java.io.IOException;
import java.nio.file.FileSystemException;
import java.nio.file.Path;

/** How many files this process may have open, and whether the limit is reached. */
public final class OpenFiles {
    private static final String LIMITS_LINE = "Max open files";
    /** Read once, early: when the descriptors have run out, it cannot be read any more. */
    private static final long LIMIT = readLimit();

    private OpenFiles() {
    }

    /** {@return how many descriptors this process may have; negative if not known} Call it once before they run out. */
    public static long limit() {
        return LIMIT;
    }

    private static long readLimit() {
        try {
            for (String line : ProcFile.text(Path.of("/proc/self/limits")).split("\n")) {
                if (line.startsWith(LIMITS_LINE)) {
                    return Long.parseLong(line.substring(LIMITS_LINE.length()).trim().split(" ")[0]);
                }
            }
        } catch (IOException | NumberFormatException e) {
            return -1; // no /proc here, or no limit
        }
        return -1;
    }

    /**
     * {@return whether a failure to open something came of a lack of descriptors} Tried out, since the system's message depends on its language, and
     * a {@link FileNotFoundException} has nothing but a message.
     */
    public static boolean ranOut(IOException failure) {
        boolean couldBe = failure.getClass() == FileNotFoundException.class || failure.getClass() == FileSystemException.class;
        return couldBe && (SystemReason.of(failure).contains("Too many open files") || areUsedUp());
    }

    private static boolean areUsedUp() {
        Path nothing = Path.of("/dev/null");
        try (FileInputStream in = new FileInputStream(nothing.toFile())) {
            return in.read() >= 0;
        } catch (IOException e) {
            return java.nio.file.Files.exists(nothing);
        }
    }
}

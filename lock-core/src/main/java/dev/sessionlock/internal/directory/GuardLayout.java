package dev.sessionlock.internal.directory;

import dev.sessionlock.internal.system.SystemFiles;
import java.nio.file.Path;

/**
 * Which byte of which guard file says what. Processes of all versions must agree on it: two that ask for different bytes do not exclude each other.
 *
 * <pre>
 * byte                        what it says
 * 2^59 + mark                 a living process writes this mark into the table (guard 0)
 * 2^60 + process              this process lives (guard 0); the high 16 of 52 bits tell its time namespace
 * 2^61 - 1                    the setup byte: this process creates or reshapes the table (guard 0)
 * 2^61 + (h >>> 6) * 2 + s    seat s of lock h is taken (guard h & 63)
 * </pre>
 */
final class GuardLayout {
    static final int COUNT = 64;

    /** A process's number: 16 bits of its time namespace, then random ones. */
    static final int PROCESS_BITS = 52;
    static final int RANDOM_BITS = 36;

    static final long MARKS = 1L << 59;
    static final long PROCESSES = 1L << 60;
    static final long SEATS = 1L << 61;
    static final long SETUP = SEATS - 1;

    private GuardLayout() {
    }

    static int guardOf(long h) {
        return (int) (h & (COUNT - 1));
    }

    static long positionOf(long h, int seat) {
        return SEATS + (h >>> 6) * 2 + seat;
    }

    /** {@return the lock, among those of a guard file, that this byte belongs to: the inverse of {@link #positionOf}} */
    static long lockAt(int guard, long position) {
        return (position - SEATS) / 2 << 6 | guard;
    }

    static Path file(Path dir, int guard) {
        return dir.resolve((guard < 16 ? "guard-0" : "guard-") + Integer.toHexString(guard));
    }

    /** {@return the byte that says, in guard 0, that a process lives} */
    static long positionOf(long process) {
        return PROCESSES + process;
    }

    /** {@return the byte that says, in guard 0, that a living process has a mark} */
    static long positionOfMark(long mark) {
        return MARKS + mark;
    }

    /**
     * {@return the 16 bits of a process's number that tell its time namespace; 0 if unknown} Namespaces are numbered consecutively, so two of them
     * differ here.
     */
    static long namespaceNumber(long timeNamespace) {
        return timeNamespace == 0 ? 0 : 1 + Long.remainderUnsigned(timeNamespace, 0xffff);
    }

    /** {@return the inode of a guard file, for a look into {@code /proc/locks}; negative if there is none} */
    static long inode(Path dir, int guard) {
        Path file = file(dir, guard);
        if (!file.toFile().exists()) { // mostly: without an exception, of which a look would meet a hundred
            return -1;
        }
        return SystemFiles.OF_THIS_PROCESS.inodeOf(file);
    }
}

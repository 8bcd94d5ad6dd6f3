package dev.sessionlock.internal.directory;

import java.io.Closeable;
import java.io.File;
import java.io.FileInputStream;
import java.io.IOException;
import java.nio.channels.ClosedByInterruptException;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.FileSystemException;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.concurrent.ThreadLocalRandom;
import org.jspecify.annotations.Nullable;

/**
 * A path that leads to an open file or directory, whatever happens to its name: {@code /proc/self/fd/N}. A user who may rename files in a directory
 * can replace one between two system calls that name it; an open file stays what it is. So an attribute that is read or changed by this path is that
 * of the open file itself, as by {@code fstat(2)}, {@code fchown(2)} and {@code fchmod(2)}. A name below the path of a directory is looked up in that
 * very directory, as by {@code openat(2)}, {@code linkat(2)}, {@code renameat(2)} and {@code unlinkat(2)}. Java has none of these except in
 * {@code SecureDirectoryStream}, which neither makes links nor says whether the file that it changes is the one that was created.
 *
 * <p><b>Which number is N?</b> Java does not tell. So the open file gets a position that no other file has, and is then found by it in
 * {@code /proc/self/fdinfo}; twice, with two random numbers. This opens only files of {@code /proc}: no guard file loses a byte (PROTOCOL.md, trap
 * 1).
 */
final class DescriptorPath implements Closeable {
    private static final Path DESCRIPTORS = Path.of("/proc/self/fd");
    private static final File POSITIONS = Path.of("/proc/self/fdinfo").toFile();
    private static final String POSITION = "pos:";
    /** Every file system allows a file, and a directory, a position below this one. */
    private static final int MOST = Integer.MAX_VALUE - 1;

    /** The number found last: most probably the same again, since the kernel gives the lowest free one. */
    private static volatile @Nullable String last;

    private static final Path CLOSED = DESCRIPTORS.resolve("closed");

    /** Keeps the number from being given to another file. */
    private final FileChannel open;
    private final Path path;

    private DescriptorPath(FileChannel open, Path path) {
        this.open = open;
        this.path = path;
    }

    /**
     * {@return the directory that lies there now, open}
     *
     * @throws IOException if it cannot be opened, is a link, or is not found again among what is open (no {@code /proc})
     */
    static DescriptorPath of(Path directory) throws IOException {
        // With "." after it only a directory is opened: opening a FIFO would wait for ever. It follows a link, which is detected afterwards.
        FileChannel open = FileChannel.open(directory.resolve("."), StandardOpenOption.READ);
        boolean found = false;
        try {
            DescriptorPath anchor = new DescriptorPath(open, pathOf(open));
            if (!FileKey.equal(FileKey.of(anchor.path.resolve(".")), FileKey.of(directory))) {
                throw new FileSystemException(directory.toString(), null, "it is a link, or was replaced");
            }
            found = true;
            return anchor;
        } finally {
            if (!found) {
                open.close();
            }
        }
    }

    /** {@return whether open files have paths here: there is a {@code /proc}} */
    static boolean isToBeHad() {
        return POSITIONS.isDirectory();
    }

    /** {@return the path of the open file; after closing, one that leads nowhere} */
    Path path() {
        return open.isOpen() ? path : CLOSED;
    }

    @Override
    public void close() throws IOException {
        open.close();
    }

    /**
     * {@return the path of an open file, which stays that file's for as long as it is open}
     *
     * @param open at its beginning, where it is left; nobody else uses it meanwhile
     * @throws IOException if it is not found
     */
    static Path pathOf(FileChannel open) throws IOException {
        boolean interrupted = Thread.interrupted(); // else an interrupt would close it
        try {
            return DESCRIPTORS.resolve(numberOf(open));
        } catch (ClosedByInterruptException e) {
            interrupted |= Thread.interrupted();
            throw e;
        } finally {
            if (interrupted) {
                Thread.currentThread().interrupt();
            }
        }
    }

    private static String numberOf(FileChannel open) throws IOException {
        try {
            String known = last;
            if (known != null && isAt(open, known) && isAt(open, known)) {
                return known;
            }
            long position = moved(open);
            String[] all = POSITIONS.list(); // not through a channel: this thread may be interrupted
            for (String number : all == null ? new String[0] : all) {
                if (positionOf(number) == position && isAt(open, number)) {
                    last = number;
                    return number;
                }
            }
            throw new IOException("an open file is not to be found in " + POSITIONS + "; is /proc mounted?");
        } finally {
            open.position(0);
        }
    }

    private static boolean isAt(FileChannel open, String number) throws IOException {
        return moved(open) == positionOf(number);
    }

    private static long moved(FileChannel open) throws IOException {
        long position = ThreadLocalRandom.current().nextLong(1, MOST);
        open.position(position);
        return position;
    }

    /** {@return the position of the file that is open under a number; -1 if none is, or if the position is not shown} */
    private static long positionOf(String number) {
        byte[] text = new byte[64];
        try (FileInputStream in = new FileInputStream(new File(POSITIONS, number))) {
            int length = Math.max(0, in.read(text));
            String line = new String(text, 0, length, StandardCharsets.ISO_8859_1).lines().findFirst().orElse("");
            return line.startsWith(POSITION) ? Long.parseLong(line.substring(POSITION.length()).trim()) : -1;
        } catch (IOException | NumberFormatException e) {
            return -1; // it was closed meanwhile
        }
    }
}

package dev.sessionlock.internal.directory;

import java.io.Closeable;
import java.io.IOException;
import java.nio.MappedByteBuffer;
import java.nio.channels.ClosedChannelException;
import java.nio.channels.FileChannel;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import org.jetbrains.annotations.Nullable;

/**
 * Makes a page of a mapped file dirty by a system call, so that a store that follows is no fault that waits for the disk: {@code read(2)} from {@code /dev/zero}
 * into the page. The kernel takes the fault, while the JVM counts the thread as one in native code, for which no collection of garbage waits. Where the page is
 * not there any more, the call fails (EFAULT), and nothing is written: not so {@code write(2)}, which would make a file that was cut short longer again, with zeros.
 *
 * <p>One for each mapped file, since closing its channel waits for whoever is in a call. Thread-safe. Does nothing where there is no {@code /dev/zero}.
 */
final class Prefault implements Closeable {
    private static final Path ZEROS = Path.of("/dev/zero");
    private static final int MOST_TRIES = 3;

    private volatile @Nullable FileChannel zeros;
    private volatile boolean closed;

    Prefault() {
        zeros = open();
    }

    private static @Nullable FileChannel open() {
        try {
            return FileChannel.open(ZEROS, StandardOpenOption.READ);
        } catch (IOException e) {
            return null;
        }
    }

    /**
     * Writes zeros over some bytes, and waits for as long as the disk does. An interrupt does not cut it short, and stays.
     *
     * @throws IOException if the page is not there, or takes no write
     */
    void zero(MappedByteBuffer page, int offset, int length) throws IOException {
        boolean interrupted = Thread.interrupted(); // which would close the channel
        try {
            for (int tries = 0; tries < MOST_TRIES && zeros != null; tries++) {
                try {
                    zeros.read(page.slice(offset, length), 0); // at a position: else one call would wait for the other
                    return;
                } catch (ClosedChannelException e) {
                    interrupted |= Thread.interrupted(); // this thread's, or that of another one that was here
                    zeros = closed ? null : open();
                }
            }
        } finally {
            if (interrupted) {
                Thread.currentThread().interrupt();
            }
        }
    }

    @Override
    public void close() throws IOException {
        closed = true;
        FileChannel open = zeros;
        zeros = null;
        if (open != null) {
            open.close();
        }
    }
}

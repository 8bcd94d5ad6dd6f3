package dev.sessionlock.cli;

import java.io.IOException;
import java.io.RandomAccessFile;
import java.nio.MappedByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.channels.FileLock;
import java.nio.file.Files;
import java.nio.file.Path;
import org.jspecify.annotations.Nullable;

/**
 * The files that two JVMs share while the doctor tries locks between them, as one of the two has them open. Each file is opened once: a POSIX lock is
 * dropped when any descriptor of its file is closed.
 */
final class PairFiles implements AutoCloseable {
    /** As far beyond any content as the library's own bytes: not every file system can lock there. */
    private static final long BYTE = 1L << 61;
    private static final int PAGE = 4096;

    private final Path probe;
    private final RandomAccessFile guard;
    private @Nullable MappedByteBuffer page;
    private @Nullable FileLock lock;

    PairFiles(Path probe) throws IOException {
        this.probe = probe;
        this.guard = new RandomAccessFile(probe.resolve("exclusion").toFile(), "rw");
    }

    Path session() {
        return probe.resolve("session.jsonl");
    }

    Path guard() {
        return probe.resolve("exclusion");
    }

    boolean tryLock() throws IOException {
        lock = guard.getChannel().tryLock(BYTE, 1, false);
        return lock != null;
    }

    void unlock() throws IOException {
        if (lock != null) {
            lock.release();
            lock = null;
        }
    }

    long read() throws IOException {
        return page().getLong(0);
    }

    void write(long value) throws IOException {
        page().putLong(0, value);
    }

    /** Writes the page before anybody maps it. Touching a page without a block on a full disk kills the JVM. */
    void makePage() throws IOException {
        Files.write(probe.resolve("page"), new byte[PAGE]);
    }

    private MappedByteBuffer page() throws IOException {
        if (page == null) {
            try (RandomAccessFile open = new RandomAccessFile(probe.resolve("page").toFile(), "rw")) {
                page = open.getChannel().map(FileChannel.MapMode.READ_WRITE, 0, PAGE);
            }
        }
        return page;
    }

    @Override
    public void close() throws IOException {
        guard.close();
    }
}

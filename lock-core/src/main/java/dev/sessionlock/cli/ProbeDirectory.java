package dev.sessionlock.cli;

import dev.sessionlock.internal.system.CurrentUser;
import java.io.IOException;
import java.nio.file.DirectoryIteratorException;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.locks.LockSupport;

/** The doctor's own directory inside the one that it examines. All that the doctor has created is removed with it. */
final class ProbeDirectory implements AutoCloseable {
    /** No session and no lock has such a name. Whoever finds it knows who made it. */
    static final String PREFIX = ".sessionlock-doctor-";

    /** The library closes its files a moment after its last lock, and may still create one until then. */
    private static final long PATIENCE_NANOS = TimeUnit.SECONDS.toNanos(3);
    private static final AtomicLong COUNTER = new AtomicLong();

    private final Path path;

    private ProbeDirectory(Path path) {
        this.path = path;
    }

    /** Creates one, with the modes of the directory around it, so that a probe there shows what happens here. */
    static ProbeDirectory in(Path directory) throws IOException {
        String name = PREFIX + ProcessHandle.current().pid() + "-" + Long.toString(System.currentTimeMillis(), 36)
                + Long.toString(COUNTER.incrementAndGet(), 36);
        ProbeDirectory made = new ProbeDirectory(Files.createDirectory(directory.resolve(name)));
        try {
            Files.setAttribute(made.path, "unix:mode", modeIn(directory), LinkOption.NOFOLLOW_LINKS);
        } catch (IOException | UnsupportedOperationException | IllegalArgumentException e) {
            return made; // a file system without modes; the probe of permissions will say so
        }
        return made;
    }

    /** Nobody else may put a link where root is about to write. */
    private static int modeIn(Path directory) throws IOException {
        int mode = (int) Files.getAttribute(directory, "unix:mode") & 07777 | 0700;
        return CurrentUser.isRoot() ? mode & ~022 : mode;
    }

    Path path() {
        return path;
    }

    /** Removes it. Throws if it is still there after a while. */
    @Override
    public void close() throws IOException {
        remove(path);
    }

    /** Removes one, even while other processes create files in it, or remove it as well. */
    static void remove(Path probe) throws IOException {
        if (!probe.getFileName().toString().startsWith(PREFIX)) {
            throw new IOException(probe + " is not a directory of the doctor's");
        }
        for (long start = System.nanoTime(); ; ) {
            try {
                empty(probe);
                return;
            } catch (IOException e) {
                if (System.nanoTime() - start > PATIENCE_NANOS) {
                    throw e;
                }
                LockSupport.parkNanos(5_000_000);
            }
        }
    }

    private static void empty(Path directory) throws IOException {
        if (!Files.isDirectory(directory, LinkOption.NOFOLLOW_LINKS)) {
            return; // it has gone, or is a link, which leads elsewhere
        }
        try (DirectoryStream<Path> all = Files.newDirectoryStream(directory)) {
            for (Path path : all) {
                if (Files.isDirectory(path, LinkOption.NOFOLLOW_LINKS)) {
                    empty(path);
                } else {
                    Files.deleteIfExists(path);
                }
            }
        } catch (NoSuchFileException e) {
            return;
        } catch (DirectoryIteratorException e) {
            throw e.getCause();
        }
        Files.deleteIfExists(directory);
    }
}

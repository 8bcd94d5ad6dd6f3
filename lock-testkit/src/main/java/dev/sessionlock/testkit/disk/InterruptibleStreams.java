package dev.sessionlock.testkit.disk;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.ClosedByInterruptException;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.nio.file.attribute.UserDefinedFileAttributeView;
import java.nio.file.spi.FileSystemProvider;
import java.util.List;

/**
 * Extended attributes as named streams, which the JDK reads and writes through a channel: an interrupt closes it.
 *
 * <p>The lab has a stream of its own, which is not shown: files that were ever mapped have it. So only they are looked for in what all processes have mapped.
 */
record InterruptibleStreams(UserDefinedFileAttributeView real) implements UserDefinedFileAttributeView {

    private static final String MAPPED = "sessionlock.lab.mapped";

    /** Notes that a file is mapped. */
    static void markMapped(FileSystemProvider real, Path file) throws IOException {
        real.setAttribute(file, "user:" + MAPPED, new byte[1]);
    }

    /** {@return whether a file was ever mapped} */
    static boolean wasMapped(FileSystemProvider real, Path file) {
        try {
            return !real.readAttributes(file, "user:" + MAPPED, LinkOption.NOFOLLOW_LINKS).isEmpty();
        } catch (IOException | UnsupportedOperationException e) {
            return false;
        }
    }

    private static void requireNoInterrupt() throws ClosedByInterruptException {
        if (Thread.currentThread().isInterrupted()) {
            throw new ClosedByInterruptException();
        }
    }

    @Override
    public String name() {
        return real.name();
    }

    @Override
    public List<String> list() throws IOException {
        return real.list().stream().filter(name -> !name.equals(MAPPED)).toList();
    }

    @Override
    public int size(String name) throws IOException {
        requireNoInterrupt();
        return real.size(name);
    }

    @Override
    public int read(String name, ByteBuffer dst) throws IOException {
        requireNoInterrupt();
        return real.read(name, dst);
    }

    @Override
    public int write(String name, ByteBuffer src) throws IOException {
        requireNoInterrupt();
        return real.write(name, src);
    }

    @Override
    public void delete(String name) throws IOException {
        real.delete(name);
    }
}

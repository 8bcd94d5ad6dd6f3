package dev.sessionlock.testkit.disk;

import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.MappedByteBuffer;
import java.nio.channels.Channels;
import java.nio.channels.ClosedChannelException;
import java.nio.channels.FileChannel;
import java.nio.channels.FileLock;
import java.nio.channels.ReadableByteChannel;
import java.nio.channels.WritableByteChannel;
import java.nio.file.Files;
import java.nio.file.OpenOption;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.Objects;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * A channel on a file beneath the lab's directory.
 *
 * <p>For channels under streams, and for those by which {@code Files.readAllBytes} reads, an interrupt from before an operation does not close them;
 * the JDK's own behave the same. An interrupt during the operation does close them; only the JDK itself could prevent that.
 */
final class LabFileChannel extends FileChannel {
    private static final int TRANSFERRED_AT_ONCE = 64 * 1024;

    private final FaultInjector injector;
    private final Path path;
    private final FileChannel real;
    private final Written written;
    private final boolean writable;
    private final boolean uninterruptible;
    private final boolean forces;

    LabFileChannel(FaultInjector injector, Path path, FileChannel real, long inode, Set<? extends OpenOption> options, boolean uninterruptible,
            SystemRules rules) {
        this.injector = injector;
        this.path = path;
        this.real = real;
        this.written = new Written(injector, inode, options);
        this.writable = options.contains(StandardOpenOption.WRITE) || options.contains(StandardOpenOption.APPEND);
        this.uninterruptible = uninterruptible;
        this.forces = writable || !rules.has(SystemRule.FORCED_BY_WRITERS_ONLY);
    }

    private <T> T io(FaultInjector.Body<T> body) throws IOException {
        boolean interrupted = uninterruptible && Thread.interrupted();
        try {
            return body.run();
        } catch (ClosedChannelException e) {
            close(); // an interrupt has closed the system's channel
            throw e;
        } finally {
            if (interrupted) {
                Thread.currentThread().interrupt();
            }
        }
    }

    private void look() throws IOException {
        if (real.isOpen()) {
            injector.look(Operation.onChannel(OperationType.READ, path));
        }
    }

    // ---- reading ----

    @Override
    public int read(ByteBuffer dst) throws IOException {
        look();
        return io(() -> real.read(dst));
    }

    @Override
    public long read(ByteBuffer[] dsts, int offset, int length) throws IOException {
        look();
        return io(() -> real.read(dsts, offset, length));
    }

    @Override
    public int read(ByteBuffer dst, long position) throws IOException {
        look();
        return io(() -> real.read(dst, position));
    }

    @Override
    public long transferTo(long position, long count, WritableByteChannel target) throws IOException {
        look();
        return io(() -> real.transferTo(position, count, target)); // to a channel of ours, the data goes through its own write
    }

    // ---- writing ----

    /** How one form of write does a part of it. */
    private interface Form {
        int write(ByteBuffer part) throws IOException;
    }

    /** Writes all that a buffer has left, and advances it by what was written. */
    private int write(ByteBuffer src, long position, Form form) throws IOException {
        return io(() -> injector.alone(() -> {
            long at = written.at(position, real.size());
            int length = src.remaining();
            return injector.write(Operation.write(path, at, length), length, most -> {
                ByteBuffer copy = src.duplicate();
                int limit = src.limit();
                int count;
                try {
                    src.limit(src.position() + most);
                    count = form.write(src);
                } finally {
                    src.limit(limit);
                }
                written.record(at, copy, count);
                return count;
            });
        }));
    }

    private boolean isStep(long length) {
        return writable && length > 0 && real.isOpen(); // otherwise the system's channel refuses it, or has nothing to do
    }

    @Override
    public int write(ByteBuffer src) throws IOException {
        return isStep(src.remaining()) ? write(src, position(), real::write) : io(() -> real.write(src));
    }

    @Override
    public int write(ByteBuffer src, long position) throws IOException {
        return isStep(src.remaining()) && position >= 0 ? write(src, position, part -> real.write(part, position))
                : io(() -> real.write(src, position));
    }

    @Override
    public long write(ByteBuffer[] srcs, int offset, int length) throws IOException {
        Objects.checkFromIndexSize(offset, length, srcs.length);
        long total = 0;
        for (int i = offset; i < offset + length; i++) {
            total += srcs[i].remaining();
        }
        if (!isStep(total)) {
            return io(() -> real.write(srcs, offset, length));
        }
        ByteBuffer gathered = ByteBuffer.allocate((int) Math.min(Integer.MAX_VALUE - 8, total));
        for (int i = offset; i < offset + length && gathered.hasRemaining(); i++) {
            ByteBuffer some = srcs[i].duplicate();
            some.limit(Math.min(some.limit(), some.position() + gathered.remaining()));
            gathered.put(some);
        }
        gathered.flip();
        int count = write(gathered, position(), real::write);
        int left = count;
        for (int i = offset; left > 0; i++) {
            int some = Math.min(left, srcs[i].remaining());
            srcs[i].position(srcs[i].position() + some);
            left -= some;
        }
        return count;
    }

    @Override
    public long transferFrom(ReadableByteChannel src, long position, long count) throws IOException {
        if (!real.isOpen() || !src.isOpen() || !writable || position < 0 || count <= 0 || position > real.size() && !fillsGaps()) {
            return io(() -> real.transferFrom(src, position, count)); // it refuses, or does nothing
        }
        long transferred = 0;
        while (transferred < count) {
            ByteBuffer some = ByteBuffer.allocate((int) Math.min(TRANSFERRED_AT_ONCE, count - transferred));
            if (src.read(some) <= 0) {
                break;
            }
            some.flip();
            while (some.hasRemaining()) {
                transferred += write(some, position + transferred);
            }
        }
        return transferred;
    }

    /** {@return whether a transfer to beyond the end makes the file longer (JDK 25) or does nothing (JDK 17)} */
    private boolean fillsGaps() throws IOException {
        Path probe = Files.createTempFile(path.getFileSystem().getPath(System.getProperty("java.io.tmpdir")), "lab", null);
        try (FileChannel channel = FileChannel.open(probe, StandardOpenOption.WRITE)) {
            return channel.transferFrom(Channels.newChannel(new ByteArrayInputStream(new byte[1])), 1, 1) > 0;
        } finally {
            Files.delete(probe);
        }
    }

    @Override
    public FileChannel truncate(long size) throws IOException {
        io(() -> injector.alone(() -> {
            if (!writable || !real.isOpen() || size < 0 || size >= real.size()) {
                return real.truncate(size); // it refuses, or only moves the position
            }
            return injector.change(Operation.truncate(path, size), () -> {
                real.truncate(size);
                written.resize(size);
                return null;
            });
        }));
        return this;
    }

    @Override
    public void force(boolean metaData) throws IOException {
        io(() -> {
            if (!real.isOpen()) {
                throw new ClosedChannelException();
            } else if (!forces) {
                return null;
            }
            return injector.change(Operation.onChannel(OperationType.FORCE, path), () -> {
                real.force(metaData);
                written.force();
                return null;
            });
        });
    }

    @Override
    public MappedByteBuffer map(MapMode mode, long position, long size) throws IOException {
        return io(() -> injector.alone(() -> {
            if (mode != MapMode.READ_WRITE || !writable || !real.isOpen() || position < 0 || size < 0 || position + size <= real.size()) {
                return real.map(mode, position, size);
            }
            return injector.change(Operation.truncate(path, position + size), () -> { // mapping beyond the end makes the file longer
                MappedByteBuffer mapped = real.map(mode, position, size);
                written.resize(real.size());
                return mapped;
            });
        }));
    }

    // ---- the rest ----

    @Override
    public long position() throws IOException {
        return io(real::position);
    }

    @Override
    public FileChannel position(long newPosition) throws IOException {
        io(() -> real.position(newPosition));
        return this;
    }

    @Override
    public long size() throws IOException {
        return io(real::size);
    }

    @Override
    public FileLock lock(long position, long size, boolean shared) throws IOException {
        return Objects.requireNonNull(LabFileLock.of(this, io(() -> real.lock(position, size, shared))));
    }

    @Override
    public @Nullable FileLock tryLock(long position, long size, boolean shared) throws IOException {
        return LabFileLock.of(this, io(() -> real.tryLock(position, size, shared)));
    }

    @Override
    protected void implCloseChannel() throws IOException {
        real.close();
    }
}

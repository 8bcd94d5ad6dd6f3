package dev.sessionlock.testkit.disk;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.MappedByteBuffer;
import java.nio.channels.ClosedByInterruptException;
import java.nio.channels.ClosedChannelException;
import java.nio.channels.FileChannel;
import java.nio.channels.FileLock;
import java.nio.channels.ReadableByteChannel;
import java.nio.channels.WritableByteChannel;
import java.nio.file.FileSystemException;
import java.nio.file.Path;
import java.util.Queue;
import java.util.Set;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.locks.ReentrantLock;
import org.jspecify.annotations.Nullable;

/**
 * A channel as a handle: its locks are its own and end with it, whatever other channels of the file do; they keep other handles from reading and writing; while it
 * waits for a lock, each other call on it waits as well; and what is mapped cannot be cut.
 */
final class HandleChannel extends FileChannel {
    /** Messages of the system are in the user's language, so no program can go by them. */
    static final String IN_USE = "Der Prozess kann nicht auf die Datei zugreifen, da sie von einem anderen Prozess verwendet wird";
    private static final String LOCKED = "Der Prozess kann nicht auf die Datei zugreifen, da ein anderer Prozess einen Teil der Datei gesperrt hat";
    private static final String MAPPED = "Der Vorgang ist bei einer Datei mit einem geöffneten Bereich nicht zulässig";

    private final RuledProvider provider;
    private final Path path;
    private final Object file;
    private final long inode;
    private final FileChannel real;
    private final Set<OpenHandles.Access> wanted;
    private final Set<OpenHandles.Access> forbidden;
    private final ReentrantLock handle = new ReentrantLock();
    private final Queue<HandleLock> locks = new ConcurrentLinkedQueue<>();

    /**
     * @param file the key of the file
     * @param inode its number
     * @param wanted what the handle does
     * @param forbidden what no other handle may do meanwhile
     */
    HandleChannel(RuledProvider provider, Path path, Object file, long inode, FileChannel real, Set<OpenHandles.Access> wanted, Set<OpenHandles.Access> forbidden) {
        this.provider = provider;
        this.path = path;
        this.file = file;
        this.inode = inode;
        this.real = real;
        this.wanted = wanted;
        this.forbidden = forbidden;
    }

    Object file() {
        return file;
    }

    long inode() {
        return inode;
    }

    Set<OpenHandles.Access> wanted() {
        return wanted;
    }

    Set<OpenHandles.Access> forbidden() {
        return forbidden;
    }

    boolean hasLocks() {
        return locks.stream().anyMatch(FileLock::isValid);
    }

    boolean hasLock(long position, long size, boolean reading) {
        return locks.stream().anyMatch(lock -> lock.isValid() && lock.overlaps(position, size) && !(reading && lock.isShared()));
    }

    private final class HandleLock extends FileLock {
        private final FileLock its;

        HandleLock(FileLock its) {
            super(HandleChannel.this, its.position(), its.size(), its.isShared());
            this.its = its;
        }

        @Override
        public boolean isValid() {
            return HandleChannel.this.isOpen() && its.isValid();
        }

        @Override
        public void release() throws IOException {
            if (!HandleChannel.this.isOpen()) {
                throw new ClosedChannelException();
            }
            its.release();
            locks.remove(this);
        }
    }

    private interface Call<T> {
        T run() throws IOException;
    }

    private <T> T onHandle(Call<T> call) throws IOException {
        handle.lock();
        try {
            if (!isOpen()) {
                throw new ClosedChannelException();
            }
            return call.run();
        } catch (ClosedByInterruptException e) {
            close(); // the system's channel is closed
            throw e;
        } finally {
            handle.unlock();
        }
    }

    // ---- locks ----

    private @Nullable FileLock tryOnce(long position, long size, boolean shared) throws IOException {
        return provider.handles().locking(this, () -> provider.streamsOf(path, file), () -> {
            FileLock got = real.tryLock(position, size, shared);
            if (got == null) {
                return null;
            }
            HandleLock own = new HandleLock(got);
            locks.add(own);
            return own;
        });
    }

    @Override
    public FileLock lock(long position, long size, boolean shared) throws IOException {
        return onHandle(() -> {
            while (true) {
                FileLock got = tryOnce(position, size, shared);
                if (got != null) {
                    return got;
                }
                try {
                    Thread.sleep(1);
                } catch (InterruptedException e) {
                    Thread.currentThread().interrupt();
                    close();
                    throw new ClosedByInterruptException();
                }
            }
        });
    }

    @Override
    public @Nullable FileLock tryLock(long position, long size, boolean shared) throws IOException {
        return onHandle(() -> tryOnce(position, size, shared));
    }

    @Override
    protected void implCloseChannel() throws IOException {
        for (HandleLock own : locks) {
            if (own.its.isValid()) {
                own.its.release();
            }
        }
        provider.handles().closed(this, real);
    }

    private <T> T access(long position, long size, boolean reading, Call<T> call) throws IOException {
        return onHandle(() -> {
            if (size > 0 && provider.isLockedByAnother(this, position, size, reading)) {
                throw new IOException(LOCKED);
            }
            return call.run();
        });
    }

    // ---- reading and writing ----

    private static long sum(ByteBuffer[] buffers, int offset, int length) {
        long sum = 0;
        for (int i = offset; i < offset + length; i++) {
            sum += buffers[i].remaining();
        }
        return sum;
    }

    @Override
    public int read(ByteBuffer dst) throws IOException {
        return access(position(), dst.remaining(), true, () -> real.read(dst));
    }

    @Override
    public long read(ByteBuffer[] dsts, int offset, int length) throws IOException {
        return access(position(), sum(dsts, offset, length), true, () -> real.read(dsts, offset, length));
    }

    @Override
    public int read(ByteBuffer dst, long position) throws IOException {
        return access(position, dst.remaining(), true, () -> real.read(dst, position));
    }

    @Override
    public int write(ByteBuffer src) throws IOException {
        return access(position(), src.remaining(), false, () -> real.write(src));
    }

    @Override
    public long write(ByteBuffer[] srcs, int offset, int length) throws IOException {
        return access(position(), sum(srcs, offset, length), false, () -> real.write(srcs, offset, length));
    }

    @Override
    public int write(ByteBuffer src, long position) throws IOException {
        return access(position, src.remaining(), false, () -> real.write(src, position));
    }

    @Override
    public long transferTo(long position, long count, WritableByteChannel target) throws IOException {
        return access(position, count, true, () -> real.transferTo(position, count, target));
    }

    @Override
    public long transferFrom(ReadableByteChannel src, long position, long count) throws IOException {
        return access(position, count, false, () -> real.transferFrom(src, position, count));
    }

    @Override
    public FileChannel truncate(long size) throws IOException {
        return onHandle(() -> {
            if (size < real.size() && provider.isMapped(path)) {
                throw new FileSystemException(path.toString(), null, MAPPED);
            }
            real.truncate(size);
            return this;
        });
    }

    // ---- as everywhere ----

    @Override
    public MappedByteBuffer map(MapMode mode, long position, long size) throws IOException {
        return onHandle(() -> {
            MappedByteBuffer mapped = real.map(mode, position, size);
            provider.mapped(path);
            return mapped;
        });
    }

    @Override
    public long position() throws IOException {
        return onHandle(real::position);
    }

    @Override
    public FileChannel position(long newPosition) throws IOException {
        return onHandle(() -> {
            real.position(newPosition);
            return this;
        });
    }

    @Override
    public long size() throws IOException {
        return onHandle(real::size);
    }

    @Override
    public void force(boolean metaData) throws IOException {
        onHandle(() -> {
            real.force(metaData);
            return this;
        });
    }
}

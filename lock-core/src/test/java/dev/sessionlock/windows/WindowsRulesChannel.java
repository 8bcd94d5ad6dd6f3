package dev.sessionlock.windows;

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
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.locks.ReentrantLock;

/**
 * A channel as a handle of Windows: its locks are its own and end with it, whatever other channels of the file do; while it waits for a lock, each other call on it
 * waits as well; and what is mapped cannot be cut.
 */
final class WindowsRulesChannel extends FileChannel {
    /** Never closed: on this system that would drop the locks of all channels of the file. */
    private static final Queue<FileChannel> KEPT = new ConcurrentLinkedQueue<>();

    private final WindowsRulesProvider provider;
    private final Path path;
    private final FileChannel real;
    private final ReentrantLock handle = new ReentrantLock();
    private final Queue<OwnLock> locks = new ConcurrentLinkedQueue<>();

    WindowsRulesChannel(WindowsRulesProvider provider, Path path, FileChannel real) {
        this.provider = provider;
        this.path = path;
        this.real = real;
    }

    private final class OwnLock extends FileLock {
        private final FileLock its;

        OwnLock(FileLock its) {
            super(WindowsRulesChannel.this, its.position(), its.size(), its.isShared());
            this.its = its;
        }

        @Override
        public boolean isValid() {
            return WindowsRulesChannel.this.isOpen() && its.isValid();
        }

        @Override
        public void release() throws IOException {
            if (!WindowsRulesChannel.this.isOpen()) {
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
        } finally {
            handle.unlock();
        }
    }

    @Override
    public FileLock lock(long position, long size, boolean shared) throws IOException {
        return onHandle(() -> {
            while (true) {
                FileLock got = real.tryLock(position, size, shared);
                if (got != null) {
                    OwnLock own = new OwnLock(got);
                    locks.add(own);
                    return own;
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
    public FileLock tryLock(long position, long size, boolean shared) throws IOException {
        return onHandle(() -> {
            FileLock got = real.tryLock(position, size, shared);
            if (got == null) {
                return null;
            }
            OwnLock own = new OwnLock(got);
            locks.add(own);
            return own;
        });
    }

    @Override
    protected void implCloseChannel() throws IOException {
        for (OwnLock own : locks) {
            own.its.release();
        }
        if (path.getFileName().toString().startsWith("guard-")) {
            KEPT.add(real);
        } else {
            real.close();
        }
    }

    @Override
    public MappedByteBuffer map(MapMode mode, long position, long size) throws IOException {
        return onHandle(() -> {
            MappedByteBuffer mapped = real.map(mode, position, size);
            provider.map(path);
            return mapped;
        });
    }

    @Override
    public FileChannel truncate(long size) throws IOException {
        return onHandle(() -> {
            if (provider.isMapped(path)) {
                throw new FileSystemException(path.toString(), null, "Der Vorgang ist bei einer Datei mit einem geöffneten Bereich nicht zulässig");
            }
            real.truncate(size);
            return this;
        });
    }

    // ---- as everywhere ----

    @Override
    public int read(ByteBuffer dst) throws IOException {
        return onHandle(() -> real.read(dst));
    }

    @Override
    public long read(ByteBuffer[] dsts, int offset, int length) throws IOException {
        return onHandle(() -> real.read(dsts, offset, length));
    }

    @Override
    public int write(ByteBuffer src) throws IOException {
        return onHandle(() -> real.write(src));
    }

    @Override
    public long write(ByteBuffer[] srcs, int offset, int length) throws IOException {
        return onHandle(() -> real.write(srcs, offset, length));
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
            return null;
        });
    }

    @Override
    public long transferTo(long position, long count, WritableByteChannel target) throws IOException {
        return onHandle(() -> real.transferTo(position, count, target));
    }

    @Override
    public long transferFrom(ReadableByteChannel src, long position, long count) throws IOException {
        return onHandle(() -> real.transferFrom(src, position, count));
    }

    @Override
    public int read(ByteBuffer dst, long position) throws IOException {
        return onHandle(() -> real.read(dst, position));
    }

    @Override
    public int write(ByteBuffer src, long position) throws IOException {
        return onHandle(() -> real.write(src, position));
    }
}

package dev.sessionlock.testkit.disk;

import java.io.IOException;
import java.nio.channels.AsynchronousFileChannel;
import java.nio.channels.FileChannel;
import java.nio.channels.FileLock;
import org.jspecify.annotations.Nullable;

/** A lock of the system, on a channel of the lab's. */
final class LabFileLock extends FileLock {
    private final FileLock real;

    private LabFileLock(FileChannel channel, FileLock real) {
        super(channel, real.position(), real.size(), real.isShared());
        this.real = real;
    }

    private LabFileLock(AsynchronousFileChannel channel, FileLock real) {
        super(channel, real.position(), real.size(), real.isShared());
        this.real = real;
    }

    static @Nullable FileLock of(FileChannel channel, @Nullable FileLock real) {
        return real == null ? null : new LabFileLock(channel, real);
    }

    static @Nullable FileLock of(AsynchronousFileChannel channel, @Nullable FileLock real) {
        return real == null ? null : new LabFileLock(channel, real);
    }

    @Override
    public boolean isValid() {
        return real.isValid();
    }

    @Override
    public void release() throws IOException {
        real.release();
    }
}

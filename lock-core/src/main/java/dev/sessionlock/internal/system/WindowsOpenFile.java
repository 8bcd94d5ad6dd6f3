package dev.sessionlock.internal.system;

import java.io.EOFException;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.MappedByteBuffer;
import java.nio.channels.ClosedByInterruptException;
import java.nio.channels.FileChannel;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;

/**
 * A channel that is opened again if an interrupt closes it. Not a {@code RandomAccessFile}: that opens without {@code FILE_SHARE_DELETE}, and then nobody can
 * rename or delete the file. Closing a channel here frees the bytes of that channel alone, so opening a file twice harms no lock.
 */
final class WindowsOpenFile extends OpenFile {
    private final WindowsFiles files;
    private final Path path;
    private final boolean readOnly;
    private final Object identity;
    private FileChannel channel;
    private long position;
    private boolean closed;

    WindowsOpenFile(WindowsFiles files, Path path, boolean readOnly) throws IOException {
        this.files = files;
        this.path = path;
        this.readOnly = readOnly;
        this.identity = files.identity(path); // before it is opened: if it is replaced in between, nothing is written to it after an interrupt
        this.channel = files.openToWrite(path, readOnly);
    }

    private interface Step<T> {
        T run(FileChannel channel) throws IOException;
    }

    /** Each step says where in the file it begins, so it can be done again. */
    private <T> T uninterrupted(Step<T> step) throws IOException {
        boolean interrupted = Thread.interrupted();
        try {
            while (true) {
                try {
                    return step.run(channel);
                } catch (ClosedByInterruptException e) {
                    interrupted |= Thread.interrupted();
                    if (closed) {
                        throw e;
                    }
                    openAgain();
                }
            }
        } finally {
            if (interrupted) {
                Thread.currentThread().interrupt();
            }
        }
    }

    private void openAgain() throws IOException {
        FileChannel again = files.openToWrite(path, readOnly);
        boolean same = false;
        try {
            same = identity.equals(files.identity(path));
        } finally {
            if (!same) {
                again.close();
            }
        }
        if (!same) {
            throw new NoSuchFileException(path.toString(), null, "somebody put another in its place");
        }
        channel = again;
    }

    @Override
    public void seek(long position) {
        this.position = position;
    }

    @Override
    public void write(byte[] bytes, int length) throws IOException {
        long from = position;
        uninterrupted(open -> {
            ByteBuffer left = ByteBuffer.wrap(bytes, 0, length);
            while (left.hasRemaining()) {
                open.write(left, from + left.position());
            }
            return null;
        });
        position = from + length;
    }

    @Override
    public void readFully(byte[] bytes) throws IOException {
        long from = position;
        uninterrupted(open -> {
            ByteBuffer left = ByteBuffer.wrap(bytes);
            while (left.hasRemaining()) {
                if (open.read(left, from + left.position()) < 0) {
                    throw new EOFException();
                }
            }
            return null;
        });
        position = from + bytes.length;
    }

    @Override
    public long length() throws IOException {
        return uninterrupted(FileChannel::size);
    }

    @Override
    public void setLength(long length) throws IOException {
        uninterrupted(open -> {
            if (length < open.size()) {
                open.truncate(length);
            } else if (length > open.size()) {
                open.write(ByteBuffer.allocate(1), length - 1);
            }
            return null;
        });
    }

    @Override
    public MappedByteBuffer map(boolean readOnly, long size) throws IOException {
        return uninterrupted(open -> open.map(readOnly ? FileChannel.MapMode.READ_ONLY : FileChannel.MapMode.READ_WRITE, 0, size));
    }

    @Override
    public void force() throws IOException {
        uninterrupted(open -> {
            open.force(true);
            return null;
        });
    }

    @Override
    public void close() throws IOException {
        closed = true;
        channel.close();
    }
}

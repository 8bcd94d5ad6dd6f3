package dev.sessionlock.internal.system;

import java.io.IOException;
import java.io.RandomAccessFile;
import java.nio.MappedByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Path;

/** The JDK's own {@link RandomAccessFile}: no channel until it is mapped, so nothing that an interrupt could close. */
final class PosixOpenFile extends OpenFile {
    private final RandomAccessFile file;

    PosixOpenFile(Path path, boolean readOnly) throws IOException {
        this.file = new RandomAccessFile(path.toFile(), readOnly ? "r" : "rw");
    }

    @Override
    public void seek(long position) throws IOException {
        file.seek(position);
    }

    @Override
    public void write(byte[] bytes, int length) throws IOException {
        file.write(bytes, 0, length);
    }

    @Override
    public void readFully(byte[] bytes) throws IOException {
        file.readFully(bytes);
    }

    @Override
    public long length() throws IOException {
        return file.length();
    }

    @Override
    public void setLength(long length) throws IOException {
        file.setLength(length);
    }

    @Override
    public MappedByteBuffer map(boolean readOnly, long size) throws IOException {
        return file.getChannel().map(readOnly ? FileChannel.MapMode.READ_ONLY : FileChannel.MapMode.READ_WRITE, 0, size);
    }

    @Override
    public void force() throws IOException {
        file.getFD().sync();
    }

    @Override
    public void close() throws IOException {
        file.close();
    }
}

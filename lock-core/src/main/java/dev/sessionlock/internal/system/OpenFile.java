package dev.sessionlock.internal.system;

import java.io.Closeable;
import java.io.IOException;
import java.nio.MappedByteBuffer;

/**
 * A file that is open to be read and written. It stays open until it is closed: an interrupt of the thread that reads or writes does not close it, as it would
 * close a {@link java.nio.channels.FileChannel}. Used by one thread at a time.
 */
public abstract class OpenFile implements Closeable {

    /** The next reading or writing begins there. */
    public abstract void seek(long position) throws IOException;

    /** Writes the first bytes, in one call where the system takes them at once. */
    public abstract void write(byte[] bytes, int length) throws IOException;

    /** As above, all of them. */
    public final void write(byte[] bytes) throws IOException {
        write(bytes, bytes.length);
    }

    /**
     * Fills an array.
     *
     * @throws java.io.EOFException if the file ends before
     */
    public abstract void readFully(byte[] bytes) throws IOException;

    /** {@return the size of the file, in bytes} */
    public abstract long length() throws IOException;

    /** Cuts the file, or extends it with zeros. Not while anybody has it mapped: Windows refuses that. */
    public abstract void setLength(long length) throws IOException;

    /**
     * Maps the beginning of the file. The mapping outlives the closing of the file.
     *
     * @throws java.nio.channels.ClosedByInterruptException if an interrupt came; the file is closed then
     */
    public abstract MappedByteBuffer map(boolean readOnly, long size) throws IOException;

    /** Returns once the disk has the content. */
    public abstract void force() throws IOException;
}

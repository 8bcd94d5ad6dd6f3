package dev.sessionlock.internal.directory;

import dev.sessionlock.internal.system.Mutex;
import dev.sessionlock.internal.system.OpenFile;
import java.io.EOFException;
import java.io.IOException;
import java.lang.invoke.VarHandle;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;

/**
 * Words that are read and written by system calls, for file systems that write every change to a new block. On a full disk a store to a mapped page
 * of theirs fails, and {@link MappedWords} says what that does to the JVM. Here it is an error of that one write.
 *
 * <p>Both ways reach the same pages of the kernel's cache. So processes that map the file and processes that do not may share a table. Why this is as
 * good as volatile access:
 * <ul>
 * <li><em>Order.</em> The kernel copies the word to or from the cached page with ordinary instructions, on this thread, within the call. A full fence
 *     after each write and before each read keeps them in order for all processors (rule 3).
 * <li><em>Whole words.</em> An aligned word lies in one page, and the kernel copies it at once on all machines that we know; no manual says so. So a
 *     word is read until two readings agree.
 * <li><em>Compare-and-set</em> is a read, a comparison and a write. A lock in this object makes it one step for the threads of this process. It is
 *     not one for other processes. The expiries and the token are replaced only by the holder of the seat's kernel byte: there the comparison matters
 *     only after a lost byte. The first word of each entry and the header are replaced by any process; for these the directory's setup byte is held.
 * </ul>
 *
 * <p>A {@link OpenFile}, since an interrupt closes a channel. It is closed when nobody refers to it any more.
 *
 * <p>A read takes about 1 µs, a replacement 2 µs; taking a lock that lingers and closing it, some 9 µs instead of 0.2 (measured on a busy machine).
 */
final class PositionedWords implements TableWords {
    private static final int ENTRY = 64;
    private static final int MOST_READINGS = 1_000;

    private final TableFile file;
    private final boolean readOnly;
    private final SharedTable.TableBytes bytes;
    /** Guards the position of the open file and the buffer. */
    private final Mutex access = new Mutex();
    private final OpenFile open;
    private final byte[] buffer = new byte[Long.BYTES];
    private final ByteBuffer word = ByteBuffer.wrap(buffer).order(ByteOrder.nativeOrder());

    private PositionedWords(TableFile file, boolean readOnly, SharedTable.TableBytes bytes, OpenFile open) {
        this.file = file;
        this.readOnly = readOnly;
        this.bytes = bytes;
        this.open = open;
    }

    /** {@return an opener for the files of a table that is reshaped under these bytes} */
    static TableFile.Opener opener(SharedTable.TableBytes bytes, TableFile.Access access) {
        return (path, size, readOnly) -> {
            TableFile file = TableFile.at(path, size); // before it is opened: if it is replaced in between, the keeper sees two that differ
            OpenFile open = access.open(path, readOnly);
            if (open.length() < size) {
                open.close();
                throw TableFault.cutShort(path).getCause();
            }
            return new PositionedWords(file, readOnly, bytes, open);
        };
    }

    @Override
    public long get(int offset) {
        try {
            return access.holding(() -> read(offset));
        } catch (IOException e) {
            throw failed(e);
        }
    }

    @Override
    public void set(int offset, long value) {
        try {
            access.locked(() -> write(offset, value));
        } catch (IOException e) {
            throw failed(e);
        }
    }

    @Override
    public boolean replace(int offset, long expected, long value) {
        try {
            boolean seats = offset >= ENTRY && offset % ENTRY != 0;
            return seats ? replaceAlone(offset, expected, value) : bytes.holdingSetup(() -> replaceAlone(offset, expected, value));
        } catch (IOException e) {
            throw failed(e);
        }
    }

    /** No other thread of this process does so at the same time. */
    private boolean replaceAlone(int offset, long expected, long value) throws IOException {
        return access.holding(() -> {
            if (read(offset) != expected) {
                return false;
            }
            write(offset, value);
            return true;
        });
    }

    private long read(int offset) throws IOException {
        VarHandle.fullFence();
        long last = readOnce(offset);
        for (int i = 0; i < MOST_READINGS; i++) {
            long again = readOnce(offset);
            if (again == last) {
                return again;
            }
            last = again;
        }
        throw new IOException("a word changed " + MOST_READINGS + " times while it was read");
    }

    private long readOnce(int offset) throws IOException {
        open.seek(offset);
        open.readFully(buffer);
        return word.getLong(0);
    }

    private void write(int offset, long value) throws IOException {
        if (open.length() < file.size()) {
            throw new EOFException(); // a write would extend it: zeros, which say that nobody holds anything
        }
        word.putLong(0, value);
        open.seek(offset);
        open.write(buffer);
        if (open.length() < file.size()) {
            throw new EOFException(); // it was cut short, and this write extended it; not to its full size, since the last word of a table is never written
        }
        VarHandle.fullFence();
    }

    private TableFault failed(IOException e) {
        return e instanceof EOFException ? TableFault.cutShort(file.path()) : TableFault.of(file.path(), e);
    }

    @Override
    public int size() {
        return file.size();
    }

    @Override
    public boolean isReadOnly() {
        return readOnly;
    }

    @Override
    public boolean isReplaced() {
        return file.isReplaced();
    }

    @Override
    public boolean isInPlace() {
        return file.isInPlace();
    }
}

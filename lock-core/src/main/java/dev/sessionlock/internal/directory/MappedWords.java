package dev.sessionlock.internal.directory;

import dev.sessionlock.internal.system.Log;
import dev.sessionlock.internal.system.Loggers;
import dev.sessionlock.internal.system.Mutex;
import dev.sessionlock.internal.system.OpenFile;
import dev.sessionlock.internal.system.SystemFiles;
import java.io.IOException;
import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.MappedByteBuffer;
import java.nio.channels.ClosedByInterruptException;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.concurrent.ThreadLocalRandom;
import org.jspecify.annotations.Nullable;

/**
 * Words in a mapped file: memory that all processes share. In the byte order of the machine, since all of them run on it.
 *
 * <p><b>When the page is not there.</b> Another program may cut the file short ({@code truncate}, {@code cp} over it), and a store may need a block
 * that the disk does not have (a copy by reflink, a file system that became read-only). The kernel then sends SIGBUS. What the JVM makes of it was
 * tried on JDK 17 and 25, interpreted, compiled by C1 and by C2:
 * <ul>
 * <li>A read, a write and a bulk copy become an {@link InternalError}. JDK 25 throws it at once. JDK 17 throws it at the thread's next slow call into
 *     the JVM: after a thousand accesses and more, or in some other code much later. Until then a read returns whatever the register held, and a
 *     compare-and-set says yes or no at random.
 * <li>A compare-and-set in the interpreter ends the JVM. ({@code Unsafe_CompareAndSetLong} is the one access that HotSpot does not guard.)
 * </ul>
 * So neither the error nor a result can be relied on. Each access is checked by a bulk copy of a word into an array that held another value before:
 * if the copy fails, the array stays as it was, in every kind of code. Only then is the JVM {@linkplain #isErrorPending asked} for its error, which
 * is caught here and does not reach the user later.
 * <ul>
 * <li>After a read, or several of one entry: a copy from the same entry. A page that is there afterwards was there before, since a file that was cut
 *     short stays so, unless it is filled again in the same moment; then the error tells.
 * <li>Before a compare-and-set: a random number is written to a spare word of the same entry and copied back. Only if that works, so that the page is
 *     there and takes writes, may the compare-and-set run. Afterwards its word is copied, too.
 * </ul>
 * What remains: a file that is cut short in the instant between that check and a compare-and-set in the interpreter ends the JVM. So {@link #replace}
 * is compiled before it is used. A JVM that only interprets ({@code -Xint}), and takes and frees a lock without a pause, has that instant in each
 * cycle. Where the disk can make a page unwritable at any time, a file is not mapped for writing at all: see {@link PositionedWords}.
 *
 * <p><b>When the disk does not answer.</b> A store to a page that the kernel has written back since the last store is a fault, in which the file
 * system may wait for its disk. To the JVM, a thread that waits there runs Java code; the next garbage collection waits for it, and every thread of
 * the process with it. So before a store, a spare word of its page is written by a system call, which may wait for as long as it likes, unless that
 * was done within the last {@value #TOUCHED_MILLIS} ms: the page is dirty then, and the store is no fault that waits. What remains: a disk that stops
 * answering, and a page that was written back, within these milliseconds; and the last entry of a file. It is not done by a read(2) into the page:
 * that holds the lock of the address space while it waits, and sooner or later the JVM waits for that lock.
 *
 * <p>The cost, on a warm page: a read takes 9 ns more, a compare-and-set 16 ns more; taking a lock that lingers and closing it, with two such
 * checks, 20 ns more (145 instead of 125). For a strict cycle the difference is lost in noise.
 */
final class MappedWords implements TableWords {
    private static final Log log = Loggers.LIBRARY;
    private static final VarHandle WORD = MethodHandles.byteBufferViewVarHandle(long[].class, ByteOrder.nativeOrder());
    private static final VarHandle COPIED = MethodHandles.byteArrayViewVarHandle(long[].class, ByteOrder.nativeOrder());
    /** What an array holds before a word is copied into it. A real word is practically never equal to it, and then the only cost is a closer look. */
    private static final long NOT_COPIED = 0x6e6f_7420_7265_6164L;
    private static final int ENTRY = 64;
    /** The last word of each entry means nothing. The header's last word does; there the spare word of the next entry serves for both. */
    private static final int SPARE = 56;

    /** Read at run time, so that no compiler removes the slow call. */
    private static volatile int one = 1;
    private static volatile @Nullable Object garbage;

    private static final long TOUCHED_MILLIS = 10;
    private static final int PAGE_BITS = 12; // larger pages are touched more often than needed

    /** As many calls as it takes until C1 compiles a method. */
    private static final int CALLS_UNTIL_COMPILED = 300;

    /** Loaded before a table is opened to be written. Who only looks does without: an answer of the tool's would take a tenth longer. */
    private static final class Compiled {
        static {
            // A few milliseconds once a JVM, so that the first compare-and-sets are not interpreted for long.
            MappedWords nowhere = new MappedWords((MappedByteBuffer) ByteBuffer.allocateDirect(2 * ENTRY), null, null);
            for (int i = 0; i < CALLS_UNTIL_COMPILED; i++) {
                nowhere.replace(ENTRY, i, i + 1L);
            }
        }

        static void require() {
            // its loading does it
        }
    }

    private final MappedByteBuffer page;
    private final TableFile file;
    /** When each page was last written by a system call, monotonic nanoseconds; races between threads do no harm. */
    private final long[] touchedAt;
    private final Mutex touching = new Mutex();
    /**
     * The mapped file, for the system calls: its name may lead elsewhere by now. Its position is guarded by {@link #touching}. Null if it is only
     * read.
     */
    private final @Nullable OpenFile open;

    private MappedWords(MappedByteBuffer page, TableFile file, @Nullable OpenFile open) {
        this.page = page;
        this.file = file;
        this.open = open;
        this.touchedAt = new long[(page.capacity() >>> PAGE_BITS) + 1];
        Arrays.fill(touchedAt, Long.MIN_VALUE / 2);
    }

    /**
     * Maps a file, also on an interrupted thread: mapping is channel I/O, which an interrupt would end. Maps only the size of the table: where an
     * entry lies follows from the number of entries, which must be the same for all.
     */
    static TableWords open(Path path, int size, boolean readOnly) throws IOException {
        return open(path, size, readOnly, (file, look) -> look ? FileReading.openToLook(file) : SystemFiles.OF_THIS_PROCESS.open(file, false));
    }

    static TableWords open(Path path, int size, boolean readOnly, TableFile.Access access) throws IOException {
        if (!readOnly) {
            Compiled.require();
        }
        TableFile file = TableFile.at(path, size); // before it is opened: if it is replaced in between, the keeper sees two that differ
        boolean interrupted = Thread.interrupted();
        try {
            while (true) {
                OpenFile opened = access.open(path, readOnly);
                boolean kept = false;
                try {
                    MappedWords words = map(opened, file, readOnly);
                    kept = !readOnly;
                    return words;
                } catch (ClosedByInterruptException e) {
                    interrupted |= Thread.interrupted();
                } finally {
                    if (!kept) {
                        opened.close();
                    }
                }
            }
        } finally {
            if (interrupted) {
                Thread.currentThread().interrupt();
            }
        }
    }

    private static MappedWords map(OpenFile opened, TableFile file, boolean readOnly) throws IOException {
        if (opened.length() < file.size()) {
            throw TableFault.cutShort(file.path()).getCause(); // and mapping it would extend it
        }
        return new MappedWords(opened.map(readOnly, file.size()), file, readOnly ? null : opened);
    }

    @Override
    public long get(int offset) {
        try {
            long word = (long) WORD.getVolatile(page, offset);
            requireReadable(offset);
            return word;
        } catch (InternalError e) {
            throw failed(e);
        }
    }

    @Override
    public boolean have(int offset1, long value1, int offset2, long value2, int offset3, long value3) {
        try {
            boolean same = (long) WORD.getVolatile(page, offset1) == value1 & (long) WORD.getVolatile(page, offset2) == value2
                    & (long) WORD.getVolatile(page, offset3) == value3;
            requireReadable(offset1);
            return same;
        } catch (InternalError e) {
            throw failed(e);
        }
    }

    /** After a read: fails unless the page is there. */
    private void requireReadable(int offset) {
        if (copy(offset, NOT_COPIED) == NOT_COPIED) {
            failIfErrorIsPending();
        }
    }

    @Override
    public void set(int offset, long value) {
        touch(offset);
        try {
            WORD.setVolatile(page, offset, value);
            if (copy(offset, ~value) != value) { // it failed, or another process has written since
                failIfErrorIsPending();
            }
        } catch (InternalError e) {
            throw failed(e);
        }
    }

    @Override
    public boolean replace(int offset, long expected, long value) {
        touch(offset);
        try {
            requireWritable(offset);
            boolean replaced = WORD.compareAndSet(page, offset, expected, value);
            long now = copy(offset, ~value);
            if (replaced ? now != value : now == ~value) {
                failIfErrorIsPending();
            }
            return replaced;
        } catch (InternalError e) {
            throw failed(e);
        }
    }

    private void touch(int offset) {
        if (open != null && System.nanoTime() - touchedAt[offset >>> PAGE_BITS] >= TOUCHED_MILLIS * 1_000_000) {
            touchByCall(open, offset);
        }
    }

    /** If the disk does not answer, waits here, and not at the store that follows. A failure here will also occur there, or does no harm. */
    private void touchByCall(OpenFile out, int offset) {
        int outer = touching.depth();
        try {
            touching.lock();
            write(out, spareOf(offset & -(1 << PAGE_BITS)));
        } catch (IOException e) {
            log.debug("{} could not be written", file, e);
        } finally {
            touching.unlock(outer);
        }
        touchedAt[offset >>> PAGE_BITS] = System.nanoTime();
    }

    /**
     * If a file is cut short between the check and the write, the write makes it longer again, with zeros for words. It must not become as long as a
     * table, or it would be taken for whole: so nothing is written at its very end. (The last page of a table is a single entry; its stores are not
     * preceded by a call.)
     */
    private void write(OpenFile out, int spare) throws IOException {
        if (spare + Long.BYTES < file.size() && out.length() >= file.size()) { // else the store will fail
            byte[] number = new byte[Long.BYTES];
            COPIED.set(number, 0, ThreadLocalRandom.current().nextLong());
            out.seek(spare);
            out.write(number);
            if (out.length() < file.size()) {
                throw TableFault.cutShort(file.path());
            }
        }
    }

    @Override
    public void close() throws IOException {
        if (open != null) {
            touching.locked(open::close); // not while a thread writes: its descriptor number may be another file's the moment after
        }
    }

    private static int spareOf(int offset) {
        return Math.max(offset & -ENTRY, ENTRY) + SPARE;
    }

    /**
     * Fails unless the page of a word is there and takes writes. Several threads may do this at once: one that reads another's number looks closer.
     */
    private void requireWritable(int offset) {
        int spare = spareOf(offset);
        long number = ThreadLocalRandom.current().nextLong();
        WORD.setOpaque(page, spare, number);
        if (copy(spare, ~number) != number) {
            failIfErrorIsPending();
        }
    }

    /** {@return a word, by bulk copy; {@code before} if it could not be copied} */
    private long copy(int offset, long before) {
        byte[] word = new byte[Long.BYTES];
        COPIED.set(word, 0, before);
        page.get(offset, word, 0, word.length);
        return (long) COPIED.get(word, 0);
    }

    private void failIfErrorIsPending() {
        if (isErrorPending()) {
            throw TableFault.ofPage(file.path(), null);
        }
    }

    private TableFault failed(InternalError error) {
        isErrorPending(); // a second access may have failed, too: its error must not come later
        return TableFault.ofPage(file.path(), error);
    }

    /**
     * Makes the JVM throw a pending error of this thread. JDK 17 throws it when a slow call into the JVM returns to Java. Making an array of arrays
     * is such a call, in the interpreter and in the code of both compilers.
     *
     * @return whether there was any
     */
    private static boolean isErrorPending() {
        boolean any = false;
        for (int i = 0; i < 3; i++) { // each access that failed may have its own
            try {
                garbage = new byte[one][one];
                return any;
            } catch (InternalError e) {
                any = true;
            }
        }
        return any;
    }

    @Override
    public int size() {
        return page.capacity();
    }

    @Override
    public boolean isReadOnly() {
        return page.isReadOnly();
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

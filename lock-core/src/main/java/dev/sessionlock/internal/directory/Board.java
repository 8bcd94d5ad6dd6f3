package dev.sessionlock.internal.directory;

import dev.sessionlock.internal.system.ProcessIdentity;
import java.io.IOException;
import java.io.RandomAccessFile;
import java.nio.ByteOrder;
import java.nio.channels.ClosedByInterruptException;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.util.UUID;
import java.util.concurrent.locks.ReentrantLock;
import org.jetbrains.annotations.NotNull;
import org.jetbrains.annotations.Nullable;

/**
 * The board of one directory: a mapped file with one line for each lock, shared by all processes.
 *
 * <pre>
 *            word 0    1         2         3         4          5          6       7
 * header     magic     version   lines     boards    boot msb   boot lsb   timens  token floor
 * line       h         until[0]  until[1]  token     waiterSeen -          -       -
 * line       ...
 * </pre>
 *
 * A lock's line is searched in a window of {@value #WINDOW} lines from a place that {@code h} gives, in each board in turn.
 * When no window has room, a line that nobody has used for a minute is cleared, or another board twice as large is added
 * ({@code board-1}, {@code board-2}, ...; the first one's header counts them). A line is never moved.
 *
 * <p>Words are in the byte order of the machine: the file is shared by the processes of one machine only.
 */
final class Board {
    static final String FILE = "board";
    static final int WINDOW = 16;

    private static final long MAGIC = 0x5345_5353_4c4f_434bL; // "SESSLOCK"
    private static final long VERSION = 1;
    private static final int LINE = 64;
    private static final int FIRST_LINES = 256;
    private static final int MOST_BOARDS = 13; // two million locks, 128 MiB
    private static final long IDLE_MICROS = 60_000_000;

    private static final int H = 0;
    private static final int UNTIL = 8;
    private static final int TOKEN = 24;
    private static final int WAITER = 32;

    private static final int HEAD_VERSION = 8;
    private static final int HEAD_LINES = 16;
    private static final int HEAD_BOARDS = 24;
    private static final int HEAD_BOOT = 32;
    private static final int HEAD_TIMENS = 48;
    private static final int HEAD_FLOOR = 56;

    /** The kernel bytes that a change of the board's own shape asks for. */
    interface Bytes {
        /** Runs {@code clear} while both bytes of {@code h} are held; false if they are not to be had at once. */
        boolean holdingBoth(long h, Runnable clear) throws IOException;

        /** Runs {@code step} while the setup byte is held, waiting a while for it. */
        <T> T holdingSetup(Step<T> step) throws IOException;

        /** A step that touches the disk. */
        interface Step<T> {
            T run() throws IOException;
        }
    }

    private final Path dir;
    private final Object key;
    private final long timeNamespace;
    private final ReentrantLock growing = new ReentrantLock();
    private volatile TableWords[] pages;

    private Board(Path dir, Object key, TableWords first, ProcessIdentity self) {
        this.dir = dir;
        this.key = key;
        this.timeNamespace = number(self.timeNamespace());
        this.pages = new TableWords[] {first};
    }

    /**
     * Opens the board, making it first if it is not there or is unfinished, and clears it after a boot. The caller holds the
     * directory's setup byte, so nobody else does the same.
     */
    static Board openForUse(Path dir, FileMode mode, ProcessIdentity self) throws IOException {
        Path file = dir.resolve(FILE);
        if (!isWhole(file, FIRST_LINES)) {
            write(file, FIRST_LINES, mode, self);
        }
        TableWords first = map(file, FIRST_LINES, FileChannel.MapMode.READ_WRITE);
        if (first.get(HEAD_VERSION) != VERSION) {
            throw new IOException(file + " was made by another version of sessionlock (format " + first.get(HEAD_VERSION)
                    + ", this one reads " + VERSION + "): let all processes of this directory use one version");
        }
        Board board = new Board(dir, FileKey.of(file), first, self);
        board.clearAfterBoot(self);
        return board;
    }

    /** Opens a board that needs nothing done to it; null if it does: then the setup byte is wanted, and {@link #openForUse}. */
    static @Nullable Board openIfReady(Path dir, ProcessIdentity self) throws IOException {
        return openIfReady(dir, self, FileChannel.MapMode.READ_WRITE);
    }

    /** Opens the board to read it, for {@code inspect}; null if there is none. Needs no right to write. */
    static @Nullable Board openToLook(Path dir, ProcessIdentity self) throws IOException {
        return openIfReady(dir, self, FileChannel.MapMode.READ_ONLY);
    }

    private static @Nullable Board openIfReady(Path dir, ProcessIdentity self, FileChannel.MapMode how) throws IOException {
        Path file = dir.resolve(FILE);
        if (!isWhole(file, FIRST_LINES)) {
            return null;
        }
        Object key = FileKey.of(file);
        TableWords first = map(file, FIRST_LINES, how);
        boolean ready = first.get(0) == MAGIC && first.get(HEAD_VERSION) == VERSION && isOfThisBoot(first, self);
        return ready && key.equals(FileKey.ofOrNull(file)) ? new Board(dir, key, first, self) : null;
    }

    /** {@return whether the file at the board's name still is the one that is mapped here} */
    boolean isInPlace() {
        return key.equals(FileKey.ofOrNull(dir.resolve(FILE)));
    }

    /** {@return whether the untils on the board can be compared with this process's clock: it shares its time namespace} */
    boolean comparable() {
        return pages[0].get(HEAD_TIMENS) == timeNamespace;
    }

    /** {@return the line of {@code h}; null if it has none} */
    @Nullable Line find(long h) throws IOException {
        int known = 0;
        do {
            TableWords[] all = pages;
            for (; known < all.length; known++) {
                int offset = search(all[known], h);
                if (offset >= 0) {
                    return new TableLine(all, known, offset, h);
                }
            }
        } while (mapFurther());
        return null;
    }

    /** {@return the line of {@code h}, claimed if it has none. The caller holds byte 0 of {@code h}} */
    Line findOrClaim(long h, long wallMicros, FileMode mode, Bytes bytes) throws IOException {
        Line found = find(h);
        while (found == null) {
            found = claimFree(h);
            if (found == null && !makeRoom(h, wallMicros, mode, bytes)) {
                throw new IOException(dir + " has no room for another lock: " + pages.length + " boards are full of locks in use");
            }
        }
        return found;
    }

    private boolean makeRoom(long h, long wallMicros, FileMode mode, Bytes bytes) throws IOException {
        return clearIdle(h, wallMicros - IDLE_MICROS, bytes) || grow(mode, bytes) || clearIdle(h, Long.MAX_VALUE, bytes);
    }

    private @Nullable Line claimFree(long h) {
        TableWords[] all = pages;
        for (int board = 0; board < all.length; board++) {
            for (int i = 0; i < WINDOW; i++) {
                int offset = slot(all[board], h, i);
                if (all[board].get(offset) == 0 && all[board].replace(offset, 0L, h)) {
                    return new TableLine(all, board, offset, h);
                }
            }
        }
        return null;
    }

    /** Clears one idle line of the windows of {@code h}; its token lives on in the floor. */
    private boolean clearIdle(long h, long unusedSince, Bytes bytes) throws IOException {
        TableWords[] all = pages;
        for (TableWords page : all) {
            for (int i = 0; i < WINDOW; i++) {
                int offset = slot(page, h, i);
                long idle = page.get(offset);
                boolean old = page.get(offset + TOKEN) < unusedSince;
                if (idle != 0 && idle != h && old && bytes.holdingBoth(idle, () -> clear(all[0], page, offset, idle))) {
                    return true;
                }
            }
        }
        return false;
    }

    private static void clear(TableWords first, TableWords page, int offset, long h) {
        if (page.get(offset) != h) {
            return; // cleared by another before we had its bytes, and perhaps claimed for another lock since
        }
        first.raise(HEAD_FLOOR, page.get(offset + TOKEN));
        for (int word = UNTIL; word <= WAITER; word += 8) {
            page.set(offset + word, 0);
        }
        page.set(offset, 0);
    }

    /** Adds a board twice as large as the last. False if there are as many as there may be. */
    private boolean grow(FileMode mode, Bytes bytes) throws IOException {
        growing.lock();
        try {
            return mapFurther() || bytes.holdingSetup(() -> {
                if (mapFurther()) {
                    return true; // another process was faster
                }
                int next = pages.length;
                if (next == MOST_BOARDS) {
                    return false;
                }
                write(file(next), FIRST_LINES << next, mode, null);
                pages[0].set(HEAD_BOARDS, next + 1L);
                return mapFurther();
            });
        } finally {
            growing.unlock();
        }
    }

    /** Maps the boards that others have added. */
    private boolean mapFurther() throws IOException {
        if (boards() <= pages.length) {
            return false;
        }
        growing.lock();
        try {
            int boards = boards();
            if (boards <= pages.length) {
                return true; // another thread was faster
            }
            TableWords[] more = java.util.Arrays.copyOf(pages, boards);
            for (int i = pages.length; i < boards; i++) {
                if (!isWhole(file(i), FIRST_LINES << i)) {
                    throw new IOException(file(i) + " is missing or cut short; remove " + dir + " when nobody uses its locks");
                }
                more[i] = map(file(i), FIRST_LINES << i, pages[0].isReadOnly() ? FileChannel.MapMode.READ_ONLY : FileChannel.MapMode.READ_WRITE);
            }
            pages = more;
            return true;
        } finally {
            growing.unlock();
        }
    }

    private int boards() {
        return (int) Math.min(pages[0].get(HEAD_BOARDS), MOST_BOARDS);
    }

    private Path file(int board) {
        return dir.resolve(board == 0 ? FILE : FILE + "-" + board);
    }

    private static int search(TableWords page, long h) {
        for (int i = 0; i < WINDOW; i++) {
            int offset = slot(page, h, i);
            if (page.get(offset) == h) {
                return offset;
            }
        }
        return -1;
    }

    private static int slot(TableWords page, long h, int i) {
        int lines = page.size() / LINE - 1;
        int from = (int) Long.remainderUnsigned(h >>> 6, lines); // the low six bits chose the guard
        return LINE + (from + i) % lines * LINE;
    }

    private void clearAfterBoot(ProcessIdentity self) throws IOException {
        TableWords first = pages[0];
        if (isOfThisBoot(first, self)) {
            return;
        }
        mapFurther();
        for (TableWords page : pages) {
            for (int offset = LINE; offset < page.size(); offset += LINE) {
                page.set(offset + UNTIL, 0);
                page.set(offset + UNTIL + 8, 0);
                page.set(offset + WAITER, 0);
            }
        }
        first.set(HEAD_TIMENS, number(self.timeNamespace()));
        first.set(HEAD_BOOT, bootWord(self, true));
        first.set(HEAD_BOOT + 8, bootWord(self, false));
    }

    /**
     * A board that names no boot, or a process that does not know its own (no {@code /proc}), cannot say that it is of another one.
     * To clear the untils of the living would be two holders; what the dead of another boot left there only costs a wait.
     */
    private static boolean isOfThisBoot(TableWords first, ProcessIdentity self) {
        long most = first.get(HEAD_BOOT);
        long least = first.get(HEAD_BOOT + 8);
        return self.boot() == null || most == 0 && least == 0 || most == bootWord(self, true) && least == bootWord(self, false);
    }

    private static long bootWord(ProcessIdentity self, boolean most) {
        if (self.boot() == null) {
            return 0; // no boot id on this system: what a boot left behind is told by its being further away than any lease
        }
        try {
            UUID id = UUID.fromString(self.boot());
            return most ? id.getMostSignificantBits() : id.getLeastSignificantBits();
        } catch (IllegalArgumentException e) {
            return self.boot().hashCode();
        }
    }

    private static long number(@Nullable String namespace) {
        try {
            return namespace == null ? 0 : Long.parseLong(namespace);
        } catch (NumberFormatException e) {
            return namespace.hashCode();
        }
    }

    /**
     * Writes a board out in full before anyone maps it: touching a mapped page that has no block behind it, on a full disk,
     * kills the JVM with SIGBUS. The magic number comes last, so that one left unfinished is told from a whole one.
     */
    private static void write(Path file, int lines, FileMode mode, @Nullable ProcessIdentity self) throws IOException {
        mode.createIfMissing(file);
        try (RandomAccessFile out = new RandomAccessFile(file.toFile(), "rw")) {
            long size = (lines + 1L) * LINE;
            if (out.length() > size) {
                out.setLength(size);
            }
            byte[] zeros = new byte[(int) Math.min(64 * 1024, size)];
            for (long left = size; left > 0; left -= zeros.length) {
                out.write(zeros, 0, (int) Math.min(left, zeros.length));
            }
            out.seek(0);
            java.nio.ByteBuffer head = java.nio.ByteBuffer.allocate(LINE).order(ByteOrder.nativeOrder());
            head.putLong(HEAD_VERSION, VERSION).putLong(HEAD_LINES, lines).putLong(HEAD_BOARDS, 1);
            if (self != null) {
                head.putLong(HEAD_BOOT, bootWord(self, true)).putLong(HEAD_BOOT + 8, bootWord(self, false));
                head.putLong(HEAD_TIMENS, number(self.timeNamespace()));
            }
            out.write(head.array());
            out.seek(0);
            head.putLong(0, MAGIC);
            out.write(head.array(), 0, 8);
        }
    }

    private static boolean isWhole(Path file, int lines) throws IOException {
        if (!Files.isRegularFile(file, LinkOption.NOFOLLOW_LINKS) || Files.size(file) < (lines + 1L) * LINE) {
            return false;
        }
        try (RandomAccessFile in = new RandomAccessFile(file.toFile(), "r")) {
            byte[] head = new byte[LINE];
            in.readFully(head);
            java.nio.ByteBuffer words = java.nio.ByteBuffer.wrap(head).order(ByteOrder.nativeOrder());
            return words.getLong(0) == MAGIC && words.getLong(HEAD_LINES) == lines;
        }
    }

    /**
     * Maps a file, also on an interrupted thread: mapping is channel I/O, which an interrupt would break off. Only as much of it as
     * a board is: the place of a line follows from the number of lines, which must be the same for all.
     */
    private static TableWords map(Path file, int lines, FileChannel.MapMode how) throws IOException {
        boolean interrupted = Thread.interrupted();
        try {
            while (true) {
                try (RandomAccessFile f = new RandomAccessFile(file.toFile(), how == FileChannel.MapMode.READ_ONLY ? "r" : "rw")) {
                    return new MappedWords(f.getChannel().map(how, 0, (lines + 1L) * LINE));
                } catch (ClosedByInterruptException e) {
                    interrupted |= Thread.interrupted();
                }
            }
        } finally {
            if (interrupted) {
                Thread.currentThread().interrupt();
            }
        }
    }

    /** A line where it lies in the table. */
    private static final class TableLine implements Line {
        private final TableWords first;
        private final TableWords page;
        private final int offset;
        private final long h;

        TableLine(TableWords[] all, int board, int offset, long h) {
            this.first = all[0];
            this.page = all[board];
            this.offset = offset;
            this.h = h;
        }

        @Override
        public long until(int seat) {
            return page.get(offset + UNTIL + 8 * seat);
        }

        @Override
        public boolean says(int seat, long until) {
            return until(seat) == until;
        }

        @Override
        public boolean replace(int seat, long published, long until) {
            return page.replace(offset + UNTIL + 8 * seat, published, until);
        }

        @Override
        public long drawToken(long wallMicros) {
            while (true) {
                long last = page.get(offset + TOKEN);
                long next = Math.max(wallMicros, Math.max(last, first.get(HEAD_FLOOR)) + 1);
                if (page.replace(offset + TOKEN, last, next)) {
                    return next;
                }
            }
        }

        @Override
        public long lastToken() {
            return page.get(offset + TOKEN);
        }

        @Override
        public void raiseToken(long token) {
            page.raise(offset + TOKEN, token);
        }

        @Override
        public long waiterSeen() {
            return page.get(offset + WAITER);
        }

        @Override
        public void raiseHand(long mark) {
            page.set(offset + WAITER, mark);
        }

        @Override
        public boolean stands() {
            return page.get(offset) == h;
        }

        @Override
        public @NotNull String toString() {
            return "line at " + offset + " [until " + until(0) + ", " + until(1) + ", token " + page.get(offset + TOKEN) + "]";
        }
    }
}

package dev.sessionlock.internal.directory;

import dev.sessionlock.internal.system.ProcessIdentity;
import java.io.EOFException;
import java.io.IOException;
import java.io.RandomAccessFile;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.DirectoryIteratorException;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.UUID;
import java.util.concurrent.ThreadLocalRandom;
import java.util.concurrent.locks.ReentrantLock;
import org.jetbrains.annotations.NotNull;
import org.jetbrains.annotations.Nullable;

/**
 * The board of one directory: a mapped file with one line for each lock, shared by all processes.
 *
 * <pre>
 *            word 0    1         2         3         4          5          6       7
 * header     magic     version   lines     boards    boot msb   boot lsb   timens  token floor
 * line       h         until[0]  until[1]  token     waiterSeen -          -       (see MappedWords)
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
    /** In the name of a file that is still being written. */
    private static final String UNFINISHED = ".new-";
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
    private TableFile.Opener files = MappedWords::open;

    private Board(Path dir, Object key, TableWords first, ProcessIdentity self) {
        this.dir = dir;
        this.key = key;
        this.timeNamespace = number(self.timeNamespace());
        this.pages = new TableWords[] {first};
    }

    /** As {@link #openForUse(Path, FileMode, ProcessIdentity, TableFile.Opener)}, mapped. */
    static Board openForUse(Path dir, FileMode mode, ProcessIdentity self) throws IOException {
        return openForUse(dir, mode, self, MappedWords::open);
    }

    /**
     * Opens the board, making it first if it is not there or a part of it is missing, and clears it after a boot. The caller holds the
     * directory's setup byte, so nobody else does the same.
     */
    static Board openForUse(Path dir, FileMode mode, ProcessIdentity self, TableFile.Opener files) throws IOException {
        Path file = dir.resolve(FILE);
        if (!isWhole(dir)) {
            write(file, FIRST_LINES, mode, self);
        }
        TableWords first = files.open(file, sizeOf(FIRST_LINES), false);
        if (first.get(HEAD_VERSION) != VERSION) {
            throw new IOException(file + " was made by another version of sessionlock (format " + first.get(HEAD_VERSION)
                    + ", this one reads " + VERSION + "): let all processes of this directory use one version");
        }
        Board board = new Board(dir, FileKey.of(file), first, self);
        board.files = files;
        board.clearAfterBoot(self);
        return board;
    }

    /** As {@link #openIfReady(Path, ProcessIdentity, TableFile.Opener)}, mapped. */
    static @Nullable Board openIfReady(Path dir, ProcessIdentity self) throws IOException {
        return openIfReady(dir, self, MappedWords::open);
    }

    /** Opens a board that needs nothing done to it; null if it does: then the setup byte is wanted, and {@link #openForUse}. */
    static @Nullable Board openIfReady(Path dir, ProcessIdentity self, TableFile.Opener files) throws IOException {
        return openIfReady(dir, self, files, false);
    }

    /** Opens the board to read it, for {@code inspect}; null if there is none. Needs no right to write. */
    static @Nullable Board openToLook(Path dir, ProcessIdentity self) throws IOException {
        return openIfReady(dir, self, MappedWords::open, true);
    }

    private static @Nullable Board openIfReady(Path dir, ProcessIdentity self, TableFile.Opener files, boolean readOnly) throws IOException {
        Path file = dir.resolve(FILE);
        if (!isWhole(dir)) {
            return null;
        }
        Object key = FileKey.of(file);
        TableWords first = files.open(file, sizeOf(FIRST_LINES), readOnly);
        boolean ready = first.get(0) == MAGIC && first.get(HEAD_VERSION) == VERSION && isOfThisBoot(first, self);
        if (!ready || !key.equals(FileKey.ofOrNull(file))) {
            return null;
        }
        Board board = new Board(dir, key, first, self);
        board.files = files;
        return board;
    }

    /** {@return whether the files at the board's names still are those that are open here, whole, and not overwritten with something else} */
    boolean isInPlace() {
        if (!key.equals(FileKey.ofOrNull(dir.resolve(FILE)))) {
            return false;
        }
        for (TableWords page : pages) {
            if (!page.isInPlace()) {
                return false;
            }
        }
        try {
            return pages[0].get(0) == MAGIC && isWhole(dir);
        } catch (TableFault | IOException e) {
            return false;
        }
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
                    throw new IOException(file(i) + " is missing or cut short; the shared table of " + dir + " is made anew within seconds: try again");
                }
                more[i] = files.open(file(i), sizeOf(FIRST_LINES << i), pages[0].isReadOnly());
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
        return file(dir, board);
    }

    private static Path file(Path dir, int board) {
        return dir.resolve(board == 0 ? FILE : FILE + "-" + board);
    }

    private static int sizeOf(int lines) {
        return (lines + 1) * LINE;
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
     * Makes a board, or replaces one that was cut short. Written out in full, since touching a mapped page that has no block behind it, on a full
     * disk, is a fault; under another name, and then moved into place, so that nobody ever opens one that still grows, and so that the file that others
     * may have mapped stays as it is. The caller holds the setup byte.
     */
    private static void write(Path file, int lines, FileMode mode, @Nullable ProcessIdentity self) throws IOException {
        if (Files.exists(file, LinkOption.NOFOLLOW_LINKS) && !Files.isRegularFile(file, LinkOption.NOFOLLOW_LINKS)) {
            throw new IOException(file + " is not an ordinary file; somebody put it there: remove it");
        }
        sweepUnfinished(file.getParent());
        Path fresh = file.resolveSibling(file.getFileName() + UNFINISHED + Long.toHexString(ThreadLocalRandom.current().nextLong()));
        try {
            mode.createIfMissing(fresh);
            try (RandomAccessFile out = new RandomAccessFile(fresh.toFile(), "rw")) {
                out.write(header(lines, self));
                byte[] zeros = new byte[Math.min(64 * 1024, lines * LINE)];
                for (int left = lines * LINE; left > 0; left -= zeros.length) {
                    out.write(zeros, 0, Math.min(left, zeros.length));
                }
            }
            Files.move(fresh, file, StandardCopyOption.ATOMIC_MOVE);
        } catch (IOException | RuntimeException e) {
            Files.deleteIfExists(fresh);
            throw e;
        }
    }

    private static byte[] header(int lines, @Nullable ProcessIdentity self) {
        ByteBuffer head = ByteBuffer.allocate(LINE).order(ByteOrder.nativeOrder());
        head.putLong(0, MAGIC).putLong(HEAD_VERSION, VERSION).putLong(HEAD_LINES, lines).putLong(HEAD_BOARDS, 1);
        if (self != null) {
            head.putLong(HEAD_BOOT, bootWord(self, true)).putLong(HEAD_BOOT + 8, bootWord(self, false));
            head.putLong(HEAD_TIMENS, number(self.timeNamespace()));
        }
        return head.array();
    }

    /** What was left by those who were killed while they made a board. */
    private static void sweepUnfinished(Path dir) throws IOException {
        try (DirectoryStream<Path> left = Files.newDirectoryStream(dir, FILE + "*" + UNFINISHED + "*")) {
            for (Path path : left) {
                Files.deleteIfExists(path);
            }
        } catch (DirectoryIteratorException e) {
            throw e.getCause();
        }
    }

    /** {@return whether all boards that the first one counts are there, and as long as they were made} One of another version is left alone. */
    private static boolean isWhole(Path dir) throws IOException {
        ByteBuffer head = headOf(dir.resolve(FILE), FIRST_LINES);
        if (head == null || head.getLong(HEAD_VERSION) != VERSION) {
            return head != null;
        }
        long boards = Math.min(head.getLong(HEAD_BOARDS), MOST_BOARDS);
        for (int i = 1; i < boards; i++) {
            if (!isWhole(file(dir, i), FIRST_LINES << i)) {
                return false;
            }
        }
        return true;
    }

    private static boolean isWhole(Path file, int lines) throws IOException {
        return headOf(file, lines) != null;
    }

    /** {@return the header of a file of a board; null if it is none, or not as long as it was made} */
    private static @Nullable ByteBuffer headOf(Path file, int lines) throws IOException {
        if (!Files.isRegularFile(file, LinkOption.NOFOLLOW_LINKS) || Files.size(file) < sizeOf(lines)) {
            return null;
        }
        byte[] head = new byte[LINE];
        try (RandomAccessFile in = new RandomAccessFile(file.toFile(), "r")) {
            in.readFully(head);
        } catch (EOFException e) {
            return null; // it was cut short meanwhile
        }
        ByteBuffer words = ByteBuffer.wrap(head).order(ByteOrder.nativeOrder());
        return words.getLong(0) == MAGIC && words.getLong(HEAD_LINES) == lines ? words : null;
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

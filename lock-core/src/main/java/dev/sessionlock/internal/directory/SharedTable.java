package dev.sessionlock.internal.directory;

import dev.sessionlock.internal.system.Log;
import dev.sessionlock.internal.system.Loggers;
import dev.sessionlock.internal.system.ProcessIdentity;
import dev.sessionlock.spi.Clock;
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
import java.util.ArrayList;
import java.util.List;
import java.util.UUID;
import java.util.concurrent.ThreadLocalRandom;
import java.util.concurrent.locks.ReentrantLock;
import java.util.function.LongSupplier;
import org.jetbrains.annotations.NotNull;
import org.jetbrains.annotations.Nullable;

/**
 * The shared table of one directory: mapped files with one entry for each lock, shared by all processes. On the disk they are called {@code board},
 * {@code board-1}, ...
 *
 * <pre>
 *            word 0    1          2          3         4           5          6       7
 * header     magic     version    entries    files     boot msb    boot lsb   timens  token floor
 * entry      h         expiry[0]  expiry[1]  token     waiterMark  -          -       (see MappedWords)
 * entry      ...
 * </pre>
 *
 * A lock's entry lies in a window of {@value #WINDOW} slots from a place that {@code h} gives, in one of the files. When no window has room, an entry
 * that nobody has used for a minute is cleared, or another file twice as large is added; the first one's header counts them. An entry is never moved.
 * From {@value #ROOMY_FILES} files on, an entry that was not used for a tenth of a second is cleared before another file is added. So a table is
 * larger than a megabyte only where that many locks are held at once, however many names there are. It becomes small again with the first process
 * after a boot.
 *
 * <p><b>One lock, one entry.</b> The holder of byte 0 claims the entry, but the kernel may have dropped a byte unnoticed (PROTOCOL.md, trap 1). So
 * nothing here relies on the bytes:
 * <ul>
 * <li>A process that has claimed an entry looks at all windows once more. If there is another entry of the same lock, it gives its own up. Of two
 *     processes that claim at once, the later one sees the entry of the other, whatever each believed before.
 * <li>An entry is cleared in three steps: its slot says that it is <em>being cleared</em>; its expiries are looked at; the slot becomes free. An
 *     owner publishes its expiry first and then checks that its entry {@linkplain TableEntry#isValid() is valid}. So either the clearing process sees
 *     the expiry and leaves the entry, or the owner sees the clearing mark and takes the entry back. A slot that is being cleared still counts as an
 *     entry of its lock: nobody claims another one beside it. The clearing mark names the process that clears: if that process was frozen there, it
 *     cannot free the slot later, when the entry is in use again. Any process may undo the clearing, since the one that began it may have been
 *     killed.
 * <li>Two entries of one lock are left by a process that was killed between claiming and looking, and by versions before November 2026. Any process
 *     that meets them clears those whose expiries are past. While two are in use, nobody gets in.
 * </ul>
 * A slot that was freed may still have an old token and waiter mark for the next lock: tokens only grow, and a waiter mark counts for a fifth of a
 * second. A late write of a former owner may be there, too. It is withdrawn when its process sees that the entry is gone. Until then, or if that
 * process is killed, it is an expiry like any other that dead processes leave behind.
 *
 * <p>Words are in the byte order of the machine: the file is shared by the processes of one machine only.
 */
final class SharedTable {
    private static final Log log = Loggers.LIBRARY;
    static final String FILE = "board";
    /** In the name of a file that is still being written. */
    private static final String UNFINISHED = ".new-";
    static final int WINDOW = 16;

    private static final long MAGIC = 0x5345_5353_4c4f_434bL; // "SESSLOCK"
    private static final long VERSION = 1;
    private static final int ENTRY = 64;
    private static final int FIRST_ENTRIES = 256;
    private static final int MOST_FILES = 13; // two million locks, 128 MiB
    private static final long IDLE_MICROS = 60_000_000;
    /** 16,128 entries, 1 MiB: room enough for locks that come and go. */
    private static final int ROOMY_FILES = 6;
    private static final long IDLE_MICROS_WHERE_ROOMY = 100_000;
    /** How often it is tried again if others claim and clear at the same time, in a full window. */
    private static final int TRIES = 64;
    /** A slot that is being cleared says {@code h ^ CLEARING}, except for the low bits: they say which process clears it. */
    static final long CLEARING = 0x6c65_6172_696e_0000L;

    private static final int HASH = 0;
    private static final int EXPIRY = 8;
    private static final int TOKEN = 24;
    private static final int WAITER = 32;

    private static final int HEAD_VERSION = 8;
    private static final int HEAD_ENTRIES = 16;
    private static final int HEAD_FILES = 24;
    private static final int HEAD_BOOT = 32;
    private static final int HEAD_TIMENS = 48;
    private static final int HEAD_FLOOR = 56;

    /** The kernel bytes that the table needs to change its own shape. */
    interface TableBytes {
        /** Runs {@code clear} while both bytes of {@code h} are held; false if they are not available at once. */
        boolean holdingBoth(long h, Runnable clear) throws IOException;

        /** Runs {@code step} while the setup byte is held, waiting a while for it. */
        <T> T holdingSetup(BytesStep<T> step) throws IOException;

        /** A step that touches the disk. */
        interface BytesStep<T> {
            T run() throws IOException;
        }
    }

    /** Whether others live here that a change of all entries at once would harm. */
    interface OtherNamespaces {
        /** Runs a step unless a process of another time namespace, or of an unknown one, lives here; none can register meanwhile. */
        boolean holdingOtherNamespaces(TableBytes.BytesStep<?> step) throws IOException;
    }

    private final Path dir;
    private final Object key;
    private final ProcessIdentity self;
    private final long timeNamespace;
    private final ReentrantLock growing = new ReentrantLock();
    /** One thread of a process clears at a time: the clearing mark names the process alone. */
    private final ReentrantLock clearing = new ReentrantLock();
    private volatile TableWords[] pages;
    private Clock clock = Clock.SYSTEM;
    private @Nullable LongSupplier mark;
    /** How further files are opened; null in tests. */
    private final @Nullable TableFile.Opener files;

    private SharedTable(Path dir, Object key, TableWords first, ProcessIdentity self, @Nullable TableFile.Opener files) {
        this.dir = dir;
        this.key = key;
        this.self = self;
        this.timeNamespace = number(self.timeNamespace());
        this.pages = new TableWords[] {first};
        this.files = files;
    }

    /** For tests: a table whose words are not in files. They are zeros, except for the header, which {@code self} describes. */
    SharedTable(TableWords[] pages, ProcessIdentity self, Clock clock) {
        this(Path.of("."), pages, pages[0], self, null);
        this.pages = pages;
        this.clock = clock;
    }

    private long ourMark() {
        return mark == null ? 1 : mark.getAsLong() & TableEntry.MARK_BITS;
    }

    /** {@return this table, which from now on knows the mark of this process} */
    SharedTable markedBy(LongSupplier ours) {
        mark = ours;
        return this;
    }

    /** As {@link #openForUse(Path, FileMode, ProcessIdentity, TableFile.Opener, OtherNamespaces)}, mapped. */
    static SharedTable openForUse(Path dir, FileMode mode, ProcessIdentity self, OtherNamespaces others) throws IOException {
        return openForUse(dir, mode, self, MappedWords::open, others);
    }

    /**
     * Opens the table, and first creates it if it or a part of it is missing; clears it after a boot. The caller holds the directory's setup byte, so
     * nobody else does the same. A living process that does not know its boot may have come before; its namespace counts as unknown
     * ({@link #namespaceNumber}). While there is such a process, the expiries of the boot before stay, and cost a wait of a lease at most. They stay
     * also once it is gone: by then others have published beside them. So the header names this boot in any case.
     */
    static SharedTable openForUse(Path dir, FileMode mode, ProcessIdentity self, TableFile.Opener files, OtherNamespaces others) throws IOException {
        if (!isWhole(dir)) {
            write(dir.resolve(FILE), FIRST_ENTRIES, mode, self, 0);
        }
        SharedTable table = openWhole(dir, self, files);
        boolean kept = false;
        try {
            kept = isOfThisBoot(table.pages[0], self) || table.isKeptAfterBoot(mode, others);
        } finally {
            if (!kept) {
                table.close();
            }
        }
        return kept ? table : openWhole(dir, self, files);
    }

    /** {@return false if another table was created in its place} */
    private boolean isKeptAfterBoot(FileMode mode, OtherNamespaces others) throws IOException {
        boolean[] replaced = new boolean[1];
        boolean alone = others.holdingOtherNamespaces(() -> {
            replaced[0] = fileCount() >= ROOMY_FILES && isMadeSmall(mode);
            if (!replaced[0]) {
                clearExpiries();
                publishOurNamespace();
            }
            return null;
        });
        if (!alone) {
            nameBoot();
        }
        return !replaced[0];
    }

    private static SharedTable openWhole(Path dir, ProcessIdentity self, TableFile.Opener files) throws IOException {
        Path file = dir.resolve(FILE);
        TableWords first = files.open(file, sizeOf(FIRST_ENTRIES), false);
        long version = first.get(HEAD_VERSION);
        if (first.get(0) != MAGIC) {
            first.close();
            throw notATable(file);
        } else if (version != VERSION) {
            first.close();
            throw new IOException(file + " was made by another version of sessionlock (format " + version
                    + ", this one reads " + VERSION + "): let all processes of this directory use one version");
        }
        return new SharedTable(dir, FileKey.of(file), first, self, files);
    }

    /** As {@link #openIfReady(Path, ProcessIdentity, TableFile.Opener)}, mapped. */
    static @Nullable SharedTable openIfReady(Path dir, ProcessIdentity self) throws IOException {
        return openIfReady(dir, self, MappedWords::open);
    }

    /** Opens a table that needs no preparation; null if it does: then take the setup byte and call {@link #openForUse}. */
    static @Nullable SharedTable openIfReady(Path dir, ProcessIdentity self, TableFile.Opener files) throws IOException {
        return openIfReady(dir, self, files, false);
    }

    /** Opens the table to read it, for {@code inspect}; null if there is none. Needs no right to write. */
    static @Nullable SharedTable openToLook(Path dir, ProcessIdentity self) throws IOException {
        return openIfReady(dir, self, MappedWords::open, true);
    }

    private static @Nullable SharedTable openIfReady(Path dir, ProcessIdentity self, TableFile.Opener files, boolean readOnly) throws IOException {
        Path file = dir.resolve(FILE);
        if (!isWhole(dir)) {
            return null;
        }
        Object key = FileKey.of(file);
        TableWords first = files.open(file, sizeOf(FIRST_ENTRIES), readOnly);
        boolean ready = first.get(0) == MAGIC && first.get(HEAD_VERSION) == VERSION && isOfThisBoot(first, self);
        if (!ready || !key.equals(FileKey.ofOrNull(file))) {
            first.close();
            return null;
        }
        return new SharedTable(dir, key, first, self, files);
    }

    /** Closes its files. Mapped words can still be read and written. */
    void close() throws IOException {
        for (TableWords page : pages) {
            page.close();
        }
    }

    /** {@return whether the files at the table's names still are the open ones, whole, and not overwritten with something else} */
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
            return pages[0].get(0) == MAGIC && areFurtherFilesThere();
        } catch (TableFault e) {
            return false;
        }
    }

    /**
     * Also checks files that this process has not opened yet. Opens none: a process that has used up its descriptors must not take its table for
     * replaced.
     */
    private boolean areFurtherFilesThere() {
        for (int i = 1; i < fileCount(); i++) {
            try {
                if (Files.size(file(i)) < sizeOf(FIRST_ENTRIES << i)) {
                    return false;
                }
            } catch (IOException e) {
                return false;
            }
        }
        return true;
    }

    /** {@return whether the table's expiries can be compared with this process's clock: it shares its time namespace} */
    boolean comparable() {
        return pages[0].get(HEAD_TIMENS) == timeNamespace;
    }

    /** {@return whether the header names our time namespace, and the boot, if we know it} */
    boolean isOfOurNamespace() {
        TableWords first = pages[0];
        return comparable() && (self.boot() == null || first.get(HEAD_BOOT) != 0 || first.get(HEAD_BOOT + 8) != 0);
    }

    /**
     * {@return a number for the time namespace of a process; 0, as if unknown, if it does not know its boot} That is so where {@code /proc} shows
     * processes alone ({@code subset=pid}): such a process may have come before the one that clears the table after a boot.
     */
    static long namespaceNumber(ProcessIdentity process) {
        return process.boot() == null ? 0 : GuardFiles.namespaceNumber(number(process.timeNamespace()));
    }

    /**
     * Names our time namespace and boot in the header. The caller holds the setup byte, and no process of another time namespace lives here: from now
     * on expiries of living processes compare.
     *
     * <p>Nothing is cleared. Expiries of living processes of our namespace are by our clock, or never. What dead processes of another one left is an
     * expiry like any other of the dead: the next holder of the seat's byte overwrites it. Otherwise it costs a wait of a lease at most, since what
     * is further away counts as past.
     */
    void publishOurNamespace() {
        nameBoot();
        pages[0].set(HEAD_TIMENS, timeNamespace);
    }

    private void nameBoot() {
        if (self.boot() != null) {
            pages[0].set(HEAD_BOOT, bootWord(self, true));
            pages[0].set(HEAD_BOOT + 8, bootWord(self, false));
        }
    }

    /** {@return the entry of {@code h}; if it has several, one that is in use; null if it has none} */
    @Nullable TableEntry find(long h) throws IOException {
        List<MappedEntry> found = entriesOf(h);
        return found.isEmpty() ? null : inUseOrFirst(found);
    }

    private MappedEntry inUseOrFirst(List<MappedEntry> found) {
        for (int i = 0; found.size() > 1 && i < found.size(); i++) {
            if (!isIdle(found.get(i))) {
                return found.get(i);
            }
        }
        return found.get(0);
    }

    /**
     * {@return the only entry of {@code h}, claimed if it has none; null while two are in use, or others claim and clear too fast} The caller holds
     * byte 0 of {@code h}, or believes so.
     */
    @Nullable TableEntry findOrClaim(long h, long wallMicros, FileMode mode, TableBytes bytes) throws IOException {
        for (int tries = 0; tries < TRIES; tries++) {
            List<MappedEntry> found = entriesOf(h);
            if (found.isEmpty()) {
                MappedEntry claimed = claimFree(h);
                if (claimed == null) {
                    if (!makeRoom(h, wallMicros, mode, bytes)) {
                        throw new IOException(dir + " has no room for another lock: " + pages.length + " boards are full of locks in use");
                    }
                } else if (entriesOf(h).equals(List.of(claimed)) && claimed.isValid()) {
                    return claimed; // published, then looked: nobody else has one, and whoever claims one later sees this
                } else {
                    clear(claimed);
                }
            } else if (found.size() == 1 && found.get(0).isValid()) {
                return found.get(0);
            } else if (found.size() > 1 && !repair(found)) {
                return null;
            }
        }
        return null;
    }

    /**
     * {@return the only entry of {@code h}, as of now; null if it has none, or more than one that is in use} If it has several, those not in use are
     * cleared.
     */
    @Nullable TableEntry findOnly(long h) throws IOException {
        List<MappedEntry> found = entriesOf(h);
        if (found.size() > 1 && repair(found)) {
            found = entriesOf(h);
        }
        return found.size() == 1 && found.get(0).isValid() ? found.get(0) : null;
    }

    /** {@return whether an entry in use is the only one of its lock} Others that are not in use are cleared. */
    boolean isOnly(TableEntry entry) throws IOException {
        MappedEntry mine = (MappedEntry) entry;
        List<MappedEntry> found = entriesOf(mine.h);
        boolean only = true;
        for (MappedEntry other : found) {
            only &= other.equals(mine) || clear(other);
        }
        return only;
    }

    /** Clears all entries of one lock except one: that which is in use, or the first. {@return false if two are in use} */
    private boolean repair(List<MappedEntry> found) {
        MappedEntry kept = inUseOrFirst(found);
        boolean repaired = true;
        for (MappedEntry entry : found) {
            repaired &= entry.equals(kept) || clear(entry);
        }
        return repaired;
    }

    private boolean makeRoom(long h, long wallMicros, FileMode mode, TableBytes bytes) throws IOException {
        long idle = pages.length < ROOMY_FILES ? IDLE_MICROS : IDLE_MICROS_WHERE_ROOMY;
        return clearIdle(h, wallMicros - idle, bytes) || grow(mode, bytes) || clearIdle(h, Long.MAX_VALUE, bytes);
    }

    /** Claims the first free slot; null if there is none. A slot that is taken meanwhile is looked at again: perhaps it was for the same lock. */
    private @Nullable MappedEntry claimFree(long h) {
        TableWords[] all = pages;
        for (int fileIndex = 0; fileIndex < all.length; fileIndex++) {
            for (int i = 0; i < WINDOW; i++) {
                int offset = slot(all[fileIndex], h, i);
                MappedEntry entry = new MappedEntry(all, fileIndex, offset, h);
                if (entry.isOfItsLock() || all[fileIndex].get(offset) == 0 && (all[fileIndex].replace(offset, 0L, h) || entry.isOfItsLock())) {
                    return entry;
                }
            }
        }
        return null;
    }

    /**
     * Clears one idle entry in the windows of {@code h}; the token floor keeps its token. Needs both bytes of its lock, so that nobody is about to
     * use it.
     */
    private boolean clearIdle(long h, long unusedSince, TableBytes bytes) throws IOException {
        TableWords[] all = pages;
        boolean[] cleared = new boolean[1];
        for (int fileIndex = 0; fileIndex < all.length; fileIndex++) {
            for (int i = 0; i < WINDOW && !cleared[0]; i++) {
                int offset = slot(all[fileIndex], h, i);
                long idle = all[fileIndex].get(offset);
                if (idle != 0 && idle != h && all[fileIndex].get(offset + TOKEN) < unusedSince) {
                    MappedEntry entry = new MappedEntry(all, fileIndex, offset, idle);
                    bytes.holdingBoth(idle, () -> cleared[0] = clear(entry));
                }
            }
        }
        return cleared[0];
    }

    /**
     * Frees the slot of an entry that nobody uses. An owner that publishes an expiry there meanwhile keeps it: see above.
     *
     * @return whether it is no entry of its lock any more; false if it is in use
     */
    private boolean clear(MappedEntry entry) {
        clearing.lock();
        try {
            TableWords page = entry.page;
            long said = page.get(entry.offset);
            if (!isOf(entry.h, said)) {
                return true; // cleared by another process, and perhaps claimed for another lock since
            }
            long mine = beingCleared(entry.h) | ourMark();
            if (!isIdle(entry) || !page.replace(entry.offset, said, mine)) {
                return false;
            }
            if (!withdrawPast(entry)) {
                page.replace(entry.offset, mine, entry.h);
                return false;
            }
            entry.first.raise(HEAD_FLOOR, page.get(entry.offset + TOKEN)); // before the slot is free: tokens only grow
            return page.replace(entry.offset, mine, 0);
        } finally {
            clearing.unlock();
        }
    }

    private boolean isIdle(MappedEntry entry) {
        long now = clock.nanos(); // rule 7: before the expiries
        return isPast(entry.expiry(0), now) && isPast(entry.expiry(1), now);
    }

    /** Sets the expiries of an entry to 0. {@return false if one is not past} */
    private boolean withdrawPast(MappedEntry entry) {
        long now = clock.nanos(); // rule 7
        for (int seat = 0; seat < 2; seat++) {
            long expiry = entry.expiry(seat);
            if (!isPast(expiry, now) || expiry != 0 && !entry.replaceExpiry(seat, expiry, 0)) {
                return false;
            }
        }
        return true;
    }

    private boolean isPast(long expiry, long now) {
        return TableEntry.isPast(expiry, now, comparable());
    }

    private static long beingCleared(long h) {
        return (h ^ CLEARING) & ~TableEntry.MARK_BITS;
    }

    /** {@return whether a slot belongs to a lock: it has its entry, or one that is being cleared} */
    private static boolean isOf(long h, long slot) {
        return slot == h || isBeingCleared(h, slot);
    }

    private static boolean isBeingCleared(long h, long slot) {
        return slot != 0 && (slot & ~TableEntry.MARK_BITS) == beingCleared(h);
    }

    /** Adds a file twice as large as the last. False if there are as many as allowed. */
    private boolean grow(FileMode mode, TableBytes bytes) throws IOException {
        growing.lock();
        try {
            return mapFurther() || bytes.holdingSetup(() -> {
                if (mapFurther()) {
                    return true; // another process was faster
                }
                int next = pages.length;
                if (next == MOST_FILES) {
                    return false;
                }
                write(file(next), FIRST_ENTRIES << next, mode, null, 0);
                pages[0].set(HEAD_FILES, next + 1L);
                return mapFurther();
            });
        } finally {
            growing.unlock();
        }
    }

    /** The open file differs from the file looked at before: only the open file is known to be the one that would be written to. */
    private static IOException notATable(Path file) {
        return new IOException(file + " was replaced while it was opened, by something else than a table; try again");
    }

    /** Maps the files that others have added. */
    private boolean mapFurther() throws IOException {
        if (fileCount() <= pages.length) {
            return false;
        }
        growing.lock();
        try {
            int count = fileCount();
            if (count <= pages.length) {
                return true; // another thread was faster
            }
            TableWords[] more = java.util.Arrays.copyOf(pages, count);
            for (int i = pages.length; i < count; i++) {
                if (!isWhole(file(i), FIRST_ENTRIES << i)) {
                    throw new IOException(file(i) + " is missing or cut short; the shared table of " + dir + " is made anew within seconds: try again");
                }
                more[i] = files.open(file(i), sizeOf(FIRST_ENTRIES << i), pages[0].isReadOnly());
                if (more[i].get(0) != MAGIC || more[i].get(HEAD_ENTRIES) != FIRST_ENTRIES << i) {
                    more[i].close();
                    throw notATable(file(i));
                }
            }
            pages = more;
            return true;
        } finally {
            growing.unlock();
        }
    }

    /** Within bounds, whatever somebody has written there. */
    private int fileCount() {
        return (int) Math.max(1, Math.min(pages[0].get(HEAD_FILES), MOST_FILES));
    }

    private Path file(int fileIndex) {
        return file(dir, fileIndex);
    }

    private static Path file(Path dir, int fileIndex) {
        return dir.resolve(fileIndex == 0 ? FILE : FILE + "-" + fileIndex);
    }

    private static int sizeOf(int entries) {
        return (entries + 1) * ENTRY;
    }

    /** {@return all entries of {@code h}, in the order in which everybody looks: one, unless something went wrong} */
    private List<MappedEntry> entriesOf(long h) throws IOException {
        List<MappedEntry> found = new ArrayList<>(1);
        int known = 0;
        do {
            TableWords[] all = pages;
            for (; known < all.length; known++) {
                for (int i = 0; i < WINDOW; i++) {
                    int offset = slot(all[known], h, i);
                    if (isOf(h, all[known].get(offset))) {
                        found.add(new MappedEntry(all, known, offset, h));
                    }
                }
            }
        } while (mapFurther());
        return found;
    }

    private static int slot(TableWords page, long h, int i) {
        int entries = page.size() / ENTRY - 1;
        int from = (int) Long.remainderUnsigned(h >>> 6, entries); // the low six bits chose the guard
        return ENTRY + (from + i) % entries * ENTRY;
    }

    /**
     * Replaces this table by one of a single small file. This process is the first after a boot: no other has the table open, and only its tokens
     * count.
     *
     * @return false if it cannot be replaced: it is another user's, where the sticky bit is set, or the disk is full
     */
    private boolean isMadeSmall(FileMode mode) throws IOException {
        mapFurther();
        long floor = pages[0].get(HEAD_FLOOR);
        for (TableWords page : pages) {
            for (int offset = ENTRY; offset < page.size(); offset += ENTRY) {
                floor = Math.max(floor, page.get(offset + TOKEN));
            }
        }
        try {
            write(file(0), FIRST_ENTRIES, mode, self, floor);
        } catch (IOException e) {
            log.debug("the table of {} stays as large as it is", dir, e);
            return false;
        }
        for (int i = pages.length - 1; i > 0; i--) { // after the header that counts them: if this is interrupted, they are merely unused
            deleteIfAllowed(file(i));
        }
        return true;
    }

    private static void deleteIfAllowed(Path file) {
        try {
            Files.deleteIfExists(file);
        } catch (IOException e) {
            log.debug("{} stays", file, e);
        }
    }

    private void clearExpiries() throws IOException {
        mapFurther();
        for (TableWords page : pages) {
            for (int offset = ENTRY; offset < page.size(); offset += ENTRY) {
                page.set(offset + EXPIRY, 0);
                page.set(offset + EXPIRY + 8, 0);
                page.set(offset + WAITER, 0);
            }
        }
    }

    /**
     * A table that names no boot may be of this one, and a process that does not know its own (no {@code /proc}) cannot tell. Clearing the expiries
     * of living processes would mean two holders; what dead processes of another boot left only costs a wait.
     */
    private static boolean isOfThisBoot(TableWords first, ProcessIdentity self) {
        long most = first.get(HEAD_BOOT);
        long least = first.get(HEAD_BOOT + 8);
        return self.boot() == null || most == 0 && least == 0 || most == bootWord(self, true) && least == bootWord(self, false);
    }

    private static long bootWord(ProcessIdentity self, boolean most) {
        if (self.boot() == null) {
            return 0; // no boot id on this system: expiries of an earlier boot are recognized as further away than any lease
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
     * Creates a file of the table, or replaces one that was cut short. It is written out in full: touching a mapped page that has no block behind it
     * is a fault on a full disk. It is written under another name and then renamed: so nobody ever opens one that still grows, and a file that others
     * may have mapped stays as it is. The caller holds the setup byte.
     */
    private static void write(Path file, int entries, FileMode mode, @Nullable ProcessIdentity self, long floor) throws IOException {
        if (Files.exists(file, LinkOption.NOFOLLOW_LINKS) && !Files.isRegularFile(file, LinkOption.NOFOLLOW_LINKS)) {
            throw new IOException(file + " is not an ordinary file; somebody put it there: remove it");
        }
        sweepUnfinished(file.getParent());
        Path fresh = file.resolveSibling(file.getFileName() + UNFINISHED + Long.toHexString(ThreadLocalRandom.current().nextLong()));
        try {
            try (RandomAccessFile out = mode.create(fresh).file()) {
                out.write(header(entries, self, floor));
                byte[] zeros = new byte[Math.min(64 * 1024, entries * ENTRY)];
                for (int left = entries * ENTRY; left > 0; left -= zeros.length) {
                    out.write(zeros, 0, Math.min(left, zeros.length));
                }
                if (floor != 0) {
                    out.getFD().sync(); // a power cut must not take the tokens that the replaced file still had
                }
            }
            Files.move(fresh, file, StandardCopyOption.ATOMIC_MOVE);
        } catch (IOException | RuntimeException e) {
            Files.deleteIfExists(fresh);
            throw e;
        }
    }

    private static byte[] header(int entries, @Nullable ProcessIdentity self, long floor) {
        ByteBuffer head = ByteBuffer.allocate(ENTRY).order(ByteOrder.nativeOrder());
        head.putLong(0, MAGIC).putLong(HEAD_VERSION, VERSION).putLong(HEAD_ENTRIES, entries).putLong(HEAD_FILES, 1)
                .putLong(HEAD_FLOOR, floor);
        if (self != null) {
            head.putLong(HEAD_BOOT, bootWord(self, true)).putLong(HEAD_BOOT + 8, bootWord(self, false));
            head.putLong(HEAD_TIMENS, number(self.timeNamespace()));
        }
        return head.array();
    }

    /** Deletes what killed processes left while they created a table. */
    private static void sweepUnfinished(Path dir) throws IOException {
        try (DirectoryStream<Path> left = FolderStream.open(dir, FILE)) {
            for (Path path : left) {
                if (path.getFileName().toString().contains(UNFINISHED)) {
                    deleteIfAllowed(path);
                }
            }
        } catch (DirectoryIteratorException e) {
            throw e.getCause();
        }
    }

    /** {@return whether all files that the first one counts are there, and as long as they were created} A table of another version is left alone. */
    private static boolean isWhole(Path dir) throws IOException {
        ByteBuffer head = headOf(dir.resolve(FILE), FIRST_ENTRIES);
        if (head == null || head.getLong(HEAD_VERSION) != VERSION) {
            return head != null;
        }
        long count = Math.min(head.getLong(HEAD_FILES), MOST_FILES);
        for (int i = 1; i < count; i++) {
            if (!isWhole(file(dir, i), FIRST_ENTRIES << i)) {
                return false;
            }
        }
        return true;
    }

    private static boolean isWhole(Path file, int entries) throws IOException {
        return headOf(file, entries) != null;
    }

    /** {@return the header of a file of a table; null if it is none, or shorter than it was created} */
    private static @Nullable ByteBuffer headOf(Path file, int entries) throws IOException {
        if (!Files.isRegularFile(file, LinkOption.NOFOLLOW_LINKS) || Files.size(file) < sizeOf(entries)) {
            return null;
        }
        byte[] head = new byte[ENTRY];
        try (RandomAccessFile in = FileReading.openToLook(file)) {
            in.readFully(head);
        } catch (EOFException e) {
            return null; // it was cut short meanwhile
        }
        ByteBuffer words = ByteBuffer.wrap(head).order(ByteOrder.nativeOrder());
        return words.getLong(0) == MAGIC && words.getLong(HEAD_ENTRIES) == entries ? words : null;
    }

    /** A table entry where it lies in the table. */
    private static final class MappedEntry implements TableEntry {
        private final TableWords first;
        private final TableWords page;
        private final int offset;
        private final long h;

        MappedEntry(TableWords[] all, int fileIndex, int offset, long h) {
            this.first = all[0];
            this.page = all[fileIndex];
            this.offset = offset;
            this.h = h;
        }

        boolean isOfItsLock() {
            return isOf(h, page.get(offset));
        }

        @Override
        public boolean equals(Object other) {
            return other instanceof MappedEntry entry && entry.page == page && entry.offset == offset && entry.h == h;
        }

        @Override
        public int hashCode() {
            return Long.hashCode(h) + offset;
        }

        @Override
        public long expiry(int seat) {
            return page.get(offset + EXPIRY + 8 * seat);
        }

        @Override
        public boolean hasExpiry(int seat, long expiry) {
            return expiry(seat) == expiry;
        }

        @Override
        public boolean replaceExpiry(int seat, long published, long expiry) {
            return page.replace(offset + EXPIRY + 8 * seat, published, expiry);
        }

        @Override
        public void requireInPlace() {
            if (first.isReplaced() || page != first && page.isReplaced()) {
                throw TableFault.replaced();
            }
        }

        @Override
        public long drawToken(long wallMicros) {
            while (true) {
                long last = page.get(offset + TOKEN);
                long next = TableEntry.tokenAfter(Math.max(last, first.get(HEAD_FLOOR)), wallMicros);
                if (next == NO_TOKEN || page.replace(offset + TOKEN, last, next)) {
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
        public long waiterMark() {
            return page.get(offset + WAITER);
        }

        @Override
        public void setWaiterMark(long mark) {
            page.set(offset + WAITER, mark);
        }

        @Override
        public boolean isValid() {
            long slot = page.get(offset);
            // The process that marked it looks at the expiries after that, or has been killed. Its own next step fails because of this replacement.
            return slot == h || isBeingCleared(h, slot) && page.replace(offset, slot, h);
        }

        @Override
        public @NotNull String toString() {
            return "line at " + offset + " [until " + expiry(0) + ", " + expiry(1) + ", token " + page.get(offset + TOKEN) + "]";
        }
    }
}

package dev.sessionlock.internal.directory;

import dev.sessionlock.internal.system.ProcessIdentity;
import dev.sessionlock.spi.Clock;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.locks.ReentrantLock;
import java.util.function.LongSupplier;
import org.jspecify.annotations.Nullable;

/**
 * The shared table of one directory: mapped files with one entry for each lock, shared by all processes. On the disk they are called {@code board},
 * {@code board-1}, ...
 *
 * <pre>
 *            word 0    1          2          3         4           5          6       7
 * header     magic     version    entries    files     boot msb    boot lsb   timens  high water
 * entry      h         expiry[0]  expiry[1]  token     waiterMark  readers  writerMark  (see MappedWords)
 * entry      ...
 * </pre>
 *
 * A lock's entry lies in a window of {@value #WINDOW} slots from a place that {@code h} gives, in one of the files. When no window has room, an entry
 * that nobody has used for a minute is cleared, or another file twice as large is added; the first one's header counts them. An entry is never moved.
 * From {@value TableLayout#ROOMY_FILES} files on, an entry that was not used for a tenth of a second is cleared before another file is added. So a
 * table is larger than a megabyte only where that many locks are held at once, however many names there are. It becomes small again with the first
 * process after a boot.
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
 *
 * <p>This class finds, claims and clears entries. {@link TablePages} has the files and the header, {@link TableCreation} makes the files,
 * {@link TableLayout} says what lies where, {@link MappedEntry} reads and writes one entry.
 */
final class SharedTable {
    static final int WINDOW = 16;
    private static final long IDLE_MICROS = 60_000_000;
    private static final long IDLE_MICROS_WHERE_ROOMY = 100_000;
    /** How often it is tried again if others claim and clear at the same time, in a full window. */
    private static final int TRIES = 64;

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

    private final TablePages pages;
    /** One thread of a process clears at a time: the clearing mark names the process alone. */
    private final ReentrantLock clearing = new ReentrantLock();
    private Clock clock = Clock.SYSTEM;
    private @Nullable LongSupplier mark;

    private SharedTable(TablePages pages) {
        this.pages = pages;
    }

    /** For tests: a table whose words are not in files. They are zeros, except for the header, which {@code self} describes. */
    SharedTable(TableWords[] words, ProcessIdentity self, Clock clock) {
        this(new TablePages(words, self));
        this.clock = clock;
    }

    /** {@return this table, which from now on knows the mark of this process} */
    SharedTable markedBy(LongSupplier ours) {
        mark = ours;
        return this;
    }

    private long ourMark() {
        return mark == null ? 1 : mark.getAsLong() & TableEntry.MARK_BITS;
    }

    /** As {@link #openForUse(Path, FileMode, ProcessIdentity, TableFile.Opener, OtherNamespaces)}, mapped. */
    static SharedTable openForUse(Path dir, FileMode mode, ProcessIdentity self, OtherNamespaces others) throws IOException {
        return openForUse(dir, mode, self, MappedWords::open, others);
    }

    /** Opens the table, and first creates it if need be: see {@link TablePages#openForUse}. The caller holds the setup byte. */
    static SharedTable openForUse(Path dir, FileMode mode, ProcessIdentity self, TableFile.Opener files, OtherNamespaces others) throws IOException {
        return new SharedTable(TablePages.openForUse(dir, mode, self, files, others));
    }

    /** As {@link #openIfReady(Path, ProcessIdentity, TableFile.Opener)}, mapped. */
    static @Nullable SharedTable openIfReady(Path dir, ProcessIdentity self) throws IOException {
        return openIfReady(dir, self, MappedWords::open);
    }

    /** Opens a table that needs no preparation; null if it does: then take the setup byte and call {@link #openForUse}. */
    static @Nullable SharedTable openIfReady(Path dir, ProcessIdentity self, TableFile.Opener files) throws IOException {
        return orNull(TablePages.openIfReady(dir, self, files, false));
    }

    /** Opens the table to read it, for {@code inspect}; null if there is none. Needs no right to write. */
    static @Nullable SharedTable openToLook(Path dir, ProcessIdentity self) throws IOException {
        return orNull(TablePages.openIfReady(dir, self, MappedWords::open, true));
    }

    private static @Nullable SharedTable orNull(@Nullable TablePages open) {
        return open == null ? null : new SharedTable(open);
    }

    // ---- its files and header: see TablePages ----

    /** Closes its files. Mapped words can still be read and written. */
    void close() throws IOException {
        pages.close();
    }

    /** {@return whether the files at the table's names still are the open ones, whole, and not overwritten with something else} */
    boolean isInPlace() {
        return pages.isInPlace();
    }

    /** {@return whether the table's expiries can be compared with this process's clock: it shares its time namespace} */
    boolean comparable() {
        return pages.comparable();
    }

    /** {@return whether the header names our time namespace, and the boot, if we know it} */
    boolean isOfOurNamespace() {
        return pages.isOfOurNamespace();
    }

    /** Names our time namespace and boot in the header. The caller holds the setup byte, and no process of another time namespace lives here. */
    void publishOurNamespace() {
        pages.publishOurNamespace();
    }

    // ---- entries ----

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
                        throw new IOException(pages.dir() + " has no room for another lock: " + pages.all().length + " table files are full of locks in use");
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

    /** Clears all entries of one lock except one: that which is in use, or the first. Returns false if two are in use. */
    private boolean repair(List<MappedEntry> found) {
        MappedEntry kept = inUseOrFirst(found);
        boolean repaired = true;
        for (MappedEntry entry : found) {
            repaired &= entry.equals(kept) || clear(entry);
        }
        return repaired;
    }

    private boolean makeRoom(long h, long wallMicros, FileMode mode, TableBytes bytes) throws IOException {
        long idle = pages.all().length < TableLayout.ROOMY_FILES ? IDLE_MICROS : IDLE_MICROS_WHERE_ROOMY;
        return clearIdle(h, wallMicros - idle, bytes) || pages.grow(mode, bytes) || clearIdle(h, Long.MAX_VALUE, bytes);
    }

    /** Claims the first free slot; null if there is none. A slot that is taken meanwhile is looked at again: perhaps it was for the same lock. */
    private @Nullable MappedEntry claimFree(long h) {
        TableWords[] all = pages.all();
        for (int fileIndex = 0; fileIndex < all.length; fileIndex++) {
            for (int i = 0; i < WINDOW; i++) {
                int offset = TableLayout.slot(all[fileIndex], h, i);
                MappedEntry entry = new MappedEntry(all, fileIndex, offset, h);
                if (entry.isOfItsLock() || all[fileIndex].get(offset) == 0 && (all[fileIndex].replace(offset, 0L, h) || entry.isOfItsLock())) {
                    return entry;
                }
            }
        }
        return null;
    }

    /**
     * Clears one idle entry in the windows of {@code h}; the high-water mark keeps its token. Needs both bytes of its lock, so that nobody is about to
     * use it.
     */
    private boolean clearIdle(long h, long unusedSince, TableBytes bytes) throws IOException {
        TableWords[] all = pages.all();
        boolean[] cleared = new boolean[1];
        for (int fileIndex = 0; fileIndex < all.length; fileIndex++) {
            for (int i = 0; i < WINDOW && !cleared[0]; i++) {
                int offset = TableLayout.slot(all[fileIndex], h, i);
                long idle = all[fileIndex].get(offset);
                if (idle != 0 && idle != h && all[fileIndex].get(offset + TableLayout.TOKEN) < unusedSince) {
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
            if (!MappedEntry.isOf(entry.h, said)) {
                return true; // cleared by another process, and perhaps claimed for another lock since
            }
            long mine = MappedEntry.beingCleared(entry.h) | ourMark();
            if (!isIdle(entry) || !page.replace(entry.offset, said, mine)) {
                return false;
            }
            if (!withdrawPast(entry)) {
                page.replace(entry.offset, mine, entry.h);
                return false;
            }
            entry.first.raise(TableLayout.HEAD_HIGH_WATER, page.get(entry.offset + TableLayout.TOKEN)); // before the slot is free: tokens only grow
            return page.replace(entry.offset, mine, 0);
        } finally {
            clearing.unlock();
        }
    }

    private boolean isIdle(MappedEntry entry) {
        long now = clock.nanos(); // rule 7: before the expiries
        return isPast(entry.expiry(0), now) && isPast(entry.expiry(1), now) && isWithoutReaders(entry);
    }

    /** Asked after the expiries: a reader registers first, and then withdraws the expiry that it had meanwhile. */
    private static boolean isWithoutReaders(MappedEntry entry) {
        return TableEntry.readersIn(entry.readers()) == 0;
    }

    /** Sets the expiries of an entry to 0. Returns false if one is not past, or if readers are registered. */
    private boolean withdrawPast(MappedEntry entry) {
        long now = clock.nanos(); // rule 7
        for (int seat = 0; seat < 2; seat++) {
            long expiry = entry.expiry(seat);
            if (!isPast(expiry, now) || expiry != 0 && !entry.replaceExpiry(seat, expiry, 0)) {
                return false;
            }
        }
        return isWithoutReaders(entry);
    }

    private boolean isPast(long expiry, long now) {
        return TableEntry.isPast(expiry, now, pages.comparable());
    }

    /** {@return all entries of {@code h}, in the order in which everybody looks: one, unless something went wrong} */
    private List<MappedEntry> entriesOf(long h) throws IOException {
        List<MappedEntry> found = new ArrayList<>(1);
        int known = 0;
        do {
            TableWords[] all = pages.all();
            for (; known < all.length; known++) {
                for (int i = 0; i < WINDOW; i++) {
                    int offset = TableLayout.slot(all[known], h, i);
                    if (MappedEntry.isOf(h, all[known].get(offset))) {
                        found.add(new MappedEntry(all, known, offset, h));
                    }
                }
            }
        } while (pages.mapFurther());
        return found;
    }
}

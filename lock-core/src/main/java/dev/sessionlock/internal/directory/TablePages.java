package dev.sessionlock.internal.directory;

import dev.sessionlock.internal.system.Failures;
import dev.sessionlock.internal.system.Log;
import dev.sessionlock.internal.system.Loggers;
import dev.sessionlock.internal.system.ProcessIdentity;
import dev.sessionlock.internal.system.SystemFiles;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.concurrent.locks.ReentrantLock;
import org.jspecify.annotations.Nullable;

/**
 * The files of one shared table, as this process has them open, and the header of the first. It opens, creates, extends and replaces them; it knows no
 * lock and no entry. There may be more files than this process has opened: whoever searches asks {@link #mapFurther} when it has looked at all.
 */
final class TablePages {
    private static final Log log = Loggers.LIBRARY;

    private final Path dir;
    private final Object key;
    private final ProcessIdentity self;
    private final long timeNamespace;
    private final ReentrantLock growing = new ReentrantLock();
    private volatile TableWords[] pages;
    /** How further files are opened; null in tests. */
    private final TableFile.@Nullable Opener files;

    private TablePages(Path dir, Object key, TableWords first, ProcessIdentity self, TableFile.@Nullable Opener files) {
        this.dir = dir;
        this.key = key;
        this.self = self;
        this.timeNamespace = TableLayout.number(self.timeNamespace());
        this.pages = new TableWords[] {first};
        this.files = files;
    }

    /** For tests: words that are not in files. They are zeros, except for the header, which {@code self} describes. */
    TablePages(TableWords[] pages, ProcessIdentity self) {
        this(Path.of("."), pages, pages[0], self, null);
        this.pages = pages;
    }

    /** {@return the files that are open, in their order; never changed, but replaced when there are more} */
    TableWords[] all() {
        return pages;
    }

    Path dir() {
        return dir;
    }

    /**
     * Opens the table, and first creates it if it or a part of it is missing; clears it after a boot. The caller holds the directory's setup byte, so
     * nobody else does the same. A living process that does not know its boot may have come before; its namespace counts as unknown
     * ({@link TableLayout#namespaceNumber}). While there is such a process, the expiries of the boot before stay, and cost a wait of a lease at most. They stay
     * also once it is gone: by then others have published beside them. So the header names this boot in any case.
     */
    static TablePages openForUse(Path dir, FileMode mode, ProcessIdentity self, TableFile.Opener files, SharedTable.OtherNamespaces others) throws IOException {
        if (!TableCreation.isWhole(dir)) {
            TableCreation.write(dir.resolve(TableLayout.FILE), TableLayout.FIRST_ENTRIES, mode, self, 0);
        }
        TablePages table = openWhole(dir, self, files);
        boolean kept = false;
        try {
            kept = TableLayout.isOfThisBoot(table.pages[0], self) || table.isKeptAfterBoot(mode, others);
        } finally {
            if (!kept) {
                table.close();
            }
        }
        return kept ? table : openWhole(dir, self, files);
    }

    /**
     * Opens a table that needs no preparation; null if it does, or if there is none.
     *
     * @param readOnly whether it is only looked at: needs no right to write
     */
    static @Nullable TablePages openIfReady(Path dir, ProcessIdentity self, TableFile.Opener files, boolean readOnly) throws IOException {
        Path file = dir.resolve(TableLayout.FILE);
        if (!TableCreation.isWhole(dir)) {
            return null;
        }
        Object key = FileKey.of(file);
        TableWords first = files.open(file, TableLayout.sizeOf(TableLayout.FIRST_ENTRIES), readOnly);
        boolean ready = first.get(0) == TableLayout.MAGIC && first.get(TableLayout.HEAD_VERSION) == TableLayout.VERSION
                && TableLayout.isOfThisBoot(first, self);
        if (!ready || !key.equals(FileKey.ofOrNull(file))) {
            first.close();
            return null;
        }
        return new TablePages(dir, key, first, self, files);
    }

    /** {@return false if another table was created in its place} */
    private boolean isKeptAfterBoot(FileMode mode, SharedTable.OtherNamespaces others) throws IOException {
        boolean[] replaced = new boolean[1];
        boolean alone = others.holdingOtherNamespaces(() -> {
            replaced[0] = SystemFiles.OF_THIS_PROCESS.mayReplaceMapped() && fileCount() >= TableLayout.ROOMY_FILES && isMadeSmall(mode);
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

    private static TablePages openWhole(Path dir, ProcessIdentity self, TableFile.Opener files) throws IOException {
        Path file = dir.resolve(TableLayout.FILE);
        TableWords first = files.open(file, TableLayout.sizeOf(TableLayout.FIRST_ENTRIES), false);
        long version = first.get(TableLayout.HEAD_VERSION);
        if (first.get(0) != TableLayout.MAGIC) {
            first.close();
            throw notATable(file);
        } else if (version != TableLayout.VERSION) {
            first.close();
            throw new IOException(file + " was made by another version of sessionlock (format " + version
                    + ", this one reads " + TableLayout.VERSION + "): let all processes of this directory use one version");
        }
        return new TablePages(dir, FileKey.of(file), first, self, files);
    }

    /** Closes its files. Mapped words can still be read and written. */
    void close() throws IOException {
        Failures.closeAll(Arrays.asList(pages));
    }

    /** {@return whether the files at the table's names still are the open ones, whole, and not overwritten with something else} */
    boolean isInPlace() {
        if (!key.equals(FileKey.ofOrNull(dir.resolve(TableLayout.FILE)))) {
            return false;
        }
        for (TableWords page : pages) {
            if (!page.isInPlace()) {
                return false;
            }
        }
        try {
            return pages[0].get(0) == TableLayout.MAGIC && areFurtherFilesThere();
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
                if (Files.size(file(i)) < TableLayout.sizeOf(TableLayout.FIRST_ENTRIES << i)) {
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
        return pages[0].get(TableLayout.HEAD_TIMENS) == timeNamespace;
    }

    /** {@return whether the header names our time namespace, and the boot, if we know it} */
    boolean isOfOurNamespace() {
        TableWords first = pages[0];
        return comparable() && (self.boot() == null || first.get(TableLayout.HEAD_BOOT) != 0 || first.get(TableLayout.HEAD_BOOT + 8) != 0);
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
        pages[0].set(TableLayout.HEAD_TIMENS, timeNamespace);
    }

    private void nameBoot() {
        if (self.boot() != null) {
            pages[0].set(TableLayout.HEAD_BOOT, TableLayout.bootWord(self, true));
            pages[0].set(TableLayout.HEAD_BOOT + 8, TableLayout.bootWord(self, false));
        }
    }

    /** Adds a file twice as large as the last. False if there are as many as allowed. */
    boolean grow(FileMode mode, SharedTable.TableBytes bytes) throws IOException {
        growing.lock();
        try {
            return mapFurther() || bytes.holdingSetup(() -> {
                if (mapFurther()) {
                    return true; // another process was faster
                }
                int next = pages.length;
                if (next == TableLayout.MOST_FILES) {
                    return false;
                }
                TableCreation.write(file(next), TableLayout.FIRST_ENTRIES << next, mode, null, 0);
                pages[0].set(TableLayout.HEAD_FILES, next + 1L);
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
    boolean mapFurther() throws IOException {
        if (fileCount() <= pages.length) {
            return false;
        }
        growing.lock();
        try {
            int count = fileCount();
            if (count <= pages.length) {
                return true; // another thread was faster
            }
            TableWords[] more = Arrays.copyOf(pages, count);
            try {
                openFurther(more, pages.length);
                pages = more;
            } finally {
                if (pages != more) {
                    Failures.closeAll(Arrays.asList(more).subList(pages.length, count));
                }
            }
            return true;
        } finally {
            growing.unlock();
        }
    }

    private void openFurther(TableWords[] more, int from) throws IOException {
        for (int i = from; i < more.length; i++) {
            if (!TableCreation.isWhole(file(i), TableLayout.FIRST_ENTRIES << i)) {
                throw new IOException(file(i) + " is missing or cut short; the shared table of " + dir + " is made anew within seconds: try again");
            }
            more[i] = files.open(file(i), TableLayout.sizeOf(TableLayout.FIRST_ENTRIES << i), pages[0].isReadOnly());
            if (more[i].get(0) != TableLayout.MAGIC || more[i].get(TableLayout.HEAD_ENTRIES) != TableLayout.FIRST_ENTRIES << i) {
                throw notATable(file(i));
            }
        }
    }

    /** Within bounds, whatever somebody has written there. */
    private int fileCount() {
        return (int) Math.max(1, Math.min(pages[0].get(TableLayout.HEAD_FILES), TableLayout.MOST_FILES));
    }

    private Path file(int fileIndex) {
        return TableLayout.file(dir, fileIndex);
    }

    /**
     * Replaces this table by one of a single small file. This process is the first after a boot: no other has the table open, and only its tokens
     * count.
     *
     * @return false if it cannot be replaced: it is another user's, where the sticky bit is set, or the disk is full
     */
    private boolean isMadeSmall(FileMode mode) throws IOException {
        mapFurther();
        long highWater = pages[0].get(TableLayout.HEAD_HIGH_WATER);
        for (TableWords page : pages) {
            for (int offset = TableLayout.ENTRY; offset < page.size(); offset += TableLayout.ENTRY) {
                highWater = Math.max(highWater, page.get(offset + TableLayout.TOKEN));
            }
        }
        try {
            TableCreation.write(file(0), TableLayout.FIRST_ENTRIES, mode, self, highWater);
        } catch (IOException e) {
            log.debug("the table of {} stays as large as it is", dir, e);
            return false;
        }
        for (int i = pages.length - 1; i > 0; i--) { // after the header that counts them: if this is interrupted, they are merely unused
            TableCreation.deleteIfAllowed(file(i));
        }
        return true;
    }

    private void clearExpiries() throws IOException {
        mapFurther();
        for (TableWords page : pages) {
            for (int offset = TableLayout.ENTRY; offset < page.size(); offset += TableLayout.ENTRY) {
                page.set(offset + TableLayout.EXPIRY, 0);
                page.set(offset + TableLayout.EXPIRY + 8, 0);
                page.set(offset + TableLayout.WAITER, 0);
                page.set(offset + TableLayout.READERS, 0);
                page.set(offset + TableLayout.WRITER, 0);
            }
        }
    }
}

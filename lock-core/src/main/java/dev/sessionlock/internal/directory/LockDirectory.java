package dev.sessionlock.internal.directory;

import dev.sessionlock.internal.system.Failures;
import dev.sessionlock.internal.system.Log;
import dev.sessionlock.internal.system.Loggers;
import dev.sessionlock.internal.system.Mutex;
import dev.sessionlock.internal.system.ProcessIdentity;
import dev.sessionlock.internal.system.ProcessTable;
import dev.sessionlock.internal.system.SystemFiles;
import dev.sessionlock.spi.Clock;
import java.io.Closeable;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicReference;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;

/**
 * One directory whose files are locked, as this process has it open: its guard files, its shared table, its record files. There is one object for
 * each {@code .session-locks}, found by inode in {@link OpenDirectories}: if a guard file were opened twice, closing either would drop the bytes of
 * both.
 */
public final class LockDirectory {
    /** The directory beside the locked files that holds everything but the records. */
    public static final String INNER = ".session-locks";

    private static final String[] NAMES = {"guard-", "board", "claim-", "takeover-", "release-", ReaderSlotStore.PREFIX, OldFiles.ASIDE, HistoryFiles.NAME, WaitingFile.PREFIX};

    private static final Log log = Loggers.LIBRARY;
    private static final long LATELY_NANOS = TimeUnit.MILLISECONDS.toNanos(250);

    private final Path home;
    private final Path inner;
    private final Object innerKey;
    private final FileSystemTraits traits;
    private final FileMode mode;
    private final GuardFiles guards;
    private final RecordFilePool recordFiles;
    private final ProcessMark mark;
    private final ProcessTable processes = new ProcessTable();
    private final SetupByte setup;
    private final Mutex verifyLock = new Mutex();
    private final AtomicReference<@Nullable Object> view = new AtomicReference<>();
    private boolean wasIncomplete;
    private volatile boolean displaced;
    private long verifiedAt = Long.MIN_VALUE / 2;
    private final Map<String, TableEntry> heapEntries = new ConcurrentHashMap<>();
    private volatile @Nullable SharedTable table;
    private volatile boolean hardLinks = true;
    private final HeldBytes heldBytes;
    private final DirectoryChanges changes;
    private final DirectoryNotes notes;

    /** How many locks of this JVM, waiting threads and acquisitions use this directory. */
    final Pins pins = new Pins();
    /** Guarded by OpenDirectories. */
    long idleSince;
    /** How often another copy of the library may have dropped our bytes. Written by OpenDirectories. */
    private volatile int doubts;
    /** The number of doubts before the last look that was made because of them. */
    private volatile int doubtsSettled;

    /** Registers with the guard files, which it may share with the same directory under its former path. */
    LockDirectory(Path home, Object innerKey, FileSystemTraits traits, FileMode mode, GuardFiles guards) throws IOException {
        this.home = home;
        this.inner = home.resolve(INNER);
        this.innerKey = innerKey;
        this.traits = traits;
        this.mode = mode;
        this.guards = guards;
        this.recordFiles = new RecordFilePool(mode.inner(), mode, guards, TableLayout.namespaceNumber(ProcessIdentity.current()));
        this.mark = new ProcessMark(guards);
        this.setup = new SetupByte(inner, guards);
        this.heldBytes = new HeldBytes(inner, guards);
        this.changes = new DirectoryChanges(home, inner, mode);
        this.notes = new DirectoryNotes(this);
        guards.enter(inner);
        boolean opened = false;
        try {
            this.table = traits.network() == null ? openTableAlive() : null;
            opened = true;
        } finally {
            if (!opened) {
                letGoOfBytes();
                if (!LibraryCopies.OF_THIS_JVM.closeIfAlone(guards::leave)) {
                    guards.leaveOpen();
                }
            }
        }
    }

    /**
     * {@return whether a user who is neither ours nor root could replace a directory that we create in this one}
     *
     * @param home its real path
     */
    public static boolean othersRenameOurs(Path home) throws IOException {
        return OwnerTrust.othersRenameOurs(home);
    }

    /** {@return whether a file of {@code .session-locks} is one that the library makes} */
    static boolean isNameOfOurs(String file) {
        for (String beginning : NAMES) {
            if (file.startsWith(beginning)) {
                return true;
            }
        }
        return false;
    }

    /** {@return the real path that it was opened by} */
    public Path home() {
        return home;
    }

    Path inner() {
        return inner;
    }

    Object innerKey() {
        return innerKey;
    }

    FileSystemTraits traits() {
        return traits;
    }

    FileMode mode() {
        return mode;
    }

    GuardFiles guards() {
        return guards;
    }

    RecordFilePool recordFiles() {
        return recordFiles;
    }

    /** {@return which bytes the kernel has for this process, as of the last {@link #verify}} */
    HeldBytes heldBytes() {
        return heldBytes;
    }

    /** {@return whether anything was changed here, as the directories' times tell} */
    DirectoryChanges changes() {
        return changes;
    }

    /** {@return what this process writes down here for those who look} */
    public DirectoryNotes notes() {
        return notes;
    }

    /** {@return the setup byte} */
    SetupByte setup() {
        return setup;
    }

    /** {@return whether files may be created in here: not if somebody is just deleting or replacing it} */
    boolean mayCreate() {
        return isInPlace() && !isIncomplete();
    }

    ProcessTable processes() {
        return processes;
    }

    Log log() {
        return log;
    }

    /** {@return the shared table; null on a network file system, where mapped pages are not shared by all} */
    @Nullable SharedTable table() {
        return table;
    }

    /**
     * {@return an object of the floor above for this directory, the same for as long as it is open}
     *
     * @param make run at the first call; if several threads call first, all get the object that one of them has made
     */
    public <T> T view(Class<T> type, Function<LockDirectory, T> make) {
        if (view.get() == null) {
            view.compareAndSet(null, make.apply(this));
        }
        return type.cast(view.get());
    }

    /**
     * {@return the disk and kernel side of a lock}
     *
     * @param name the target's file name
     */
    public LockStore store(String name) {
        return new FileLockStore(this, name, LockName.hash(key(name)));
    }

    /** {@return the form of a name under which this file system knows the file: names that it folds are one lock} */
    public String key(String name) {
        return traits.foldsNames() ? LockName.fold(name) : name;
    }

    /**
     * {@return whether that form can be told} Not where names are folded and a letter is newer than this JVM's Unicode: the file system, or a later JVM,
     * may fold it. Then one file would have two locks.
     */
    public boolean knowsKey(String name) {
        return !traits.foldsNames() || LockName.hasKnownLetters(name);
    }

    /** {@return the low bits by which others recognize what this process writes to the table} */
    long mark() {
        return mark.getAsLong();
    }

    // ---- the table, created and reshaped under the setup byte ----

    /** Others must see that this process lives before it depends on the table's header: see {@link #publishOurNamespace}. */
    private SharedTable openTableAlive() throws IOException {
        recordFiles.register();
        mark.take();
        SharedTable opened = openTable();
        publishOurNamespace(opened);
        return opened;
    }

    /** For a directory that could not be opened: the guard files may stay open, for others that use them. */
    private void letGoOfBytes() {
        try {
            Failures.closeAll(List.of(recordFiles::close, mark::free));
        } catch (IOException e) {
            log.debug("could not free the bytes of this process in {}", inner, e);
        }
    }

    /**
     * The table's header may name a time namespace whose processes are all gone, or none, if the first process here had no {@code /proc}. Then nobody
     * could compare expiries, and nobody would be taken over by time. This waits for nobody: the keeper tries it again.
     */
    private void publishOurNamespace(SharedTable mapped) throws IOException {
        if (mapped.isOfOurNamespace()) {
            return;
        }
        setup.tryHolding(() -> {
            if (holdingOtherNamespaces(() -> {
                mapped.publishOurNamespace();
                return null;
            })) {
                log.info("the shared table of {} is of this time namespace from now on: no process of another one uses it any more", inner);
            }
        });
    }

    private SharedTable openTable() throws IOException {
        TableFile.Opener files = FileSystemTraits.copiesOnWrite(FileSystemTraits.type(home)) ? PositionedWords.opener(setup, mode)
                : (path, size, readOnly) -> MappedWords.open(path, size, readOnly, mode);
        Path dir = mode.inner();
        try {
            SharedTable ready = SharedTable.openIfReady(dir, ProcessIdentity.current(), files);
            SharedTable opened = ready != null ? ready
                    : setup.holdingSetup(() -> SharedTable.openForUse(dir, mode, ProcessIdentity.current(), files, this::holdingOtherNamespaces));
            return opened.markedBy(mark);
        } catch (TableFault e) {
            throw e.getCause(); // it is being cut short just now
        } catch (IOException e) {
            throw mode.named(e);
        }
    }

    private boolean holdingOtherNamespaces(SharedTable.TableBytes.BytesStep<?> step) throws IOException {
        return guards.holdingOtherNamespaces(TableLayout.namespaceNumber(ProcessIdentity.current()), step);
    }

    /** {@return the kernel bytes that the table needs when it reshapes itself} */
    SharedTable.TableBytes bytes() {
        return setup;
    }

    /** {@return the table entry of a lock on a network file system: known to this process alone, so it bounds nobody} */
    TableEntry heapEntry(String name) {
        return heapEntries.computeIfAbsent(key(name), n -> new HeapEntry());
    }

    // ---- hard links ----

    boolean hardLinks() {
        return hardLinks;
    }

    /** For tests: works as on file systems that refuse hard links. */
    void withoutHardLinks() {
        hardLinks = false;
    }

    /** A link was refused: only this one, or does the disk take no new names now, or does the file system refuse all links? */
    void noteLinkRefused(Path recordFile, Exception refusal) throws IOException {
        Path probe = mode.inner().resolve(recordFile.getFileName() + RecordFilePool.LINK_PROBE);
        Files.createFile(probe);
        SystemFiles.OF_THIS_PROCESS.remove(probe).requireDone();
        try {
            SystemFiles.OF_THIS_PROCESS.link(probe, recordFile).requireDone();
            SystemFiles.OF_THIS_PROCESS.remove(probe).requireDone();
        } catch (IOException | UnsupportedOperationException e) {
            if (hardLinks) {
                log.info("{} refuses hard links ({}): records are created and written in two steps here", home, refusal.toString());
            }
            hardLinks = false;
            throw new LinksRefusedException(inner);
        }
    }

    // ---- what people, backups and killed processes do to it ----

    /**
     * Looks. Returns whether the directory at its name still is this one, and was at every look. If it was away and is back, others may have come in
     * meanwhile: what is held here is lost, and the next acquisition opens the directory again.
     */
    boolean isInPlace() {
        if (!innerKey.equals(FileKey.ofOrNull(inner))) {
            displaced = true;
        }
        return !displaced;
    }

    /** {@return whether {@link #verify}, or a later look, has found another directory at its name} Once true, it stays true. */
    boolean isDisplaced() {
        return displaced;
    }

    /** Somebody else has this directory under another path now, or another directory at this one. */
    void displace() {
        displaced = true;
    }

    /**
     * The keeper's deep check of this directory: guard files and table by inode, and what the kernel says that it has locked.
     *
     * @return whether the directory is still the one at its name, as at every look before
     */
    public boolean verify() throws IOException {
        return verifyLock.holding(this::verifyAlone); // two at once would each map a new table, and one table would look replaced to the other's holders
    }

    /** Another copy of the library has closed guard files, perhaps these: the next user looks first. */
    void doubt() {
        doubts++;
    }

    /** Verifies, if nobody has since the last {@linkplain #doubt doubt}. Further callers wait meanwhile. */
    void verifyIfDoubted() throws IOException {
        if (doubts != doubtsSettled) {
            verifyLock.locked(() -> {
                int now = doubts;
                if (now != doubtsSettled) {
                    verifyAlone();
                    doubtsSettled = now;
                }
            });
        }
    }

    /** {@return whether the kernel may have dropped bytes, as far as was noticed since the last two looks at all that is held here} Memory only. */
    public boolean isSuspect() {
        return guards.isSuspect();
    }

    /** A look at all that is held here begins. Not called for any {@link #verify}: a user's is followed by a look at the user's own lock alone. */
    public void isLookedAt() {
        guards.isLookedAt();
    }

    /** Verifies, unless that was done a moment ago: thousands of locks may ask for it at once. */
    void verifyUnlessLately() throws IOException {
        verifyLock.locked(() -> {
            if (Clock.SYSTEM.nanos() - verifiedAt > LATELY_NANOS) {
                verifyAlone();
            }
        });
    }

    private boolean verifyAlone() throws IOException {
        verifiedAt = Clock.SYSTEM.nanos();
        if (!isInPlace()) {
            return false;
        }
        guards.reopenClosed();
        guards.settle();
        if (guards.putDisplacedAside()) {
            log.warn("somebody removed guard files of {} while locks were in use; they are made anew", inner);
        }
        heldBytes.readAnew();
        SharedTable open = table;
        boolean tableInPlace = open == null || open.isInPlace(); // first: a table that is deleted between the two looks is replaced at the next verify
        boolean incomplete = isIncomplete();
        if (incomplete && !wasIncomplete) {
            wasIncomplete = true;
            return true; // perhaps somebody is deleting everything just now: a file that we create would get in the way
        }
        wasIncomplete = incomplete;
        if (!tableInPlace) {
            replaceTableUnlessInPlace();
        }
        recordFiles.verify((position, takenAt) -> heldBytes.has(0, position, takenAt));
        mark.verify((position, takenAt) -> heldBytes.has(0, position, takenAt));
        SharedTable inUse = table;
        if (inUse != null) {
            publishOurNamespace(inUse);
        }
        return true;
    }

    /** What is held on the old one is lost: its holders see that they use another table (PROTOCOL.md, section 2). */
    private void replaceTableUnlessInPlace() throws IOException {
        SharedTable open = table;
        if (open != null && !open.isInPlace()) {
            table = openTable(); // if something is in its way, the next acquisition reports that
            log.warn("somebody removed, cut short or overwrote the shared table of {} while locks were in use; it was made anew", inner);
            open.close();
        }
    }

    /** A word of the table could not be read or written: if the table was cut short, a new one is created at once. */
    void lookAtTable() throws IOException {
        verifyLock.locked(() -> {
            if (isInPlace() && !isIncomplete()) {
                replaceTableUnlessInPlace();
            }
        });
    }

    private boolean isIncomplete() {
        return table != null && !Files.exists(inner.resolve(TableLayout.FILE)) || !Files.exists(GuardLayout.file(inner, 0));
    }

    /**
     * Deletes what killed processes and unanswered requests have left. While guard 0 is missing, all is being deleted, perhaps: judging a process would
     * create it anew, in the way of whoever deletes the directory.
     */
    public void sweep() throws IOException {
        if (!guards.isOpen(0)) {
            return;
        }
        try { // no lambdas: the first sweep comes with the first acquisition, and linking them takes long
            recordFiles.sweep();
        } finally {
            try {
                notes.sweep();
            } finally {
                OldFiles.sweep(mode.inner());
            }
        }
    }

    /**
     * Closes the guard files, if no other copy of the library in this JVM could lose its bytes by that. Not while the history's file has to be made in a moment.
     *
     * @param guardsClosed run if this closed them
     */
    boolean close(Runnable guardsClosed) throws IOException {
        if (!LibraryCopies.OF_THIS_JVM.isAlone() || notes.isAboutToMakeFile()) {
            return false;
        }
        notes.write(true);
        despite(recordFiles::dropSpares); // outside the monitor below: a disk that does not answer must not block other directories and copies
        SharedTable open = table;
        return LibraryCopies.OF_THIS_JVM.closeIfAlone(() -> {
            despite(recordFiles::close, mark::free, open == null ? null : open::close);
            if (guards.leave()) {
                guardsClosed.run();
            }
            despite(mode::leave); // not thrown: the guard files must not be left a second time
        });
    }

    /** Closes all of these. What the disk refuses does not keep the guard files open: with them the kernel frees our bytes, and others sweep what we leave. */
    private void despite(@Nullable Closeable... all) {
        try {
            Failures.closeAll(Arrays.asList(all));
        } catch (IOException e) {
            log.warn("{} is closed, though not all went well", inner, e);
        }
    }

    @Override
    public String toString() {
        return home.toString();
    }
}

package dev.sessionlock.internal.seats;

import dev.sessionlock.internal.directory.LinksRefusedException;
import dev.sessionlock.internal.directory.LockContent;
import dev.sessionlock.internal.directory.LockRecord;
import dev.sessionlock.internal.directory.LockSnapshot;
import dev.sessionlock.internal.directory.LockStore;
import dev.sessionlock.internal.directory.TableEntry;
import dev.sessionlock.internal.directory.TableFault;
import dev.sessionlock.internal.seats.Journal.Op;
import dev.sessionlock.internal.seats.SimulatedDirectory.Inode;
import dev.sessionlock.internal.system.Liveness;
import dev.sessionlock.internal.system.ProcessIdentity;
import dev.sessionlock.spi.Clock;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Instant;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.concurrent.TimeUnit;
import java.util.function.BooleanSupplier;
import org.jspecify.annotations.Nullable;

/**
 * The store of a lock as one simulated process has it. Every operation is a step of its {@link Journal}, at which the process may be stopped. What
 * the real store does in two system calls takes two steps.
 *
 * <p>It is long because {@link LockStore} is wide: one method for each operation, and all of them on one state.
 */
class SimulatedStore implements LockStore {
    private static final long OLD_RECLAIM_MICROS = TimeUnit.SECONDS.toMicros(30);

    /** A record in a file of its own. */
    static final class SimulatedRecordFile implements RecordFile {
        private Inode file;
        private LockRecord record;
        private boolean linkable;

        Inode file() {
            return file;
        }
    }

    final SimulatedDirectory directory;
    /** The lock itself, or one of its reader slots. */
    final SimulatedLock lock;
    /** The same process's store of the lock itself, which has what the stores of a process share. */
    final SimulatedStore main;
    /** The stores of the reader slots that this process has asked for. */
    final List<SimulatedReaderSlot> slots = new ArrayList<>();
    final Journal journal;
    private final ProcessIdentity self;
    /** How far its monotonic clock is ahead of the machine's: not 0 in a time namespace of its own. */
    private final long clockOffset;
    private final boolean comparable;
    private final Clock clock;
    private SimulatedEntry line;
    /** Which table the process has open, and on which the line is that it has found last. */
    private int opened;

    /** What the JDK counts as locked, though the kernel may have lost it. */
    final boolean[] jvm = new boolean[2];
    /** A kernel waiter of this process waits for the byte: then no other thread of the process can ask for it. */
    final boolean[] waitsInKernel = new boolean[2];
    /** A kernel waiter of this process has acquired the byte, and nobody has accepted it yet. */
    private final boolean[] unaccepted = new boolean[2];
    private final long[] takenAt = new long[2];
    private long viewedAt = Long.MIN_VALUE;
    private final boolean[] viewed = new boolean[2];
    /** Why its directory is no longer what it was. */
    String displaced;
    /** A record may be given back or given up twice: a caller that a throwable has interrupted does not know whether it was done. */
    boolean forgiving;

    private boolean linksRefused;
    /** The directory that announces a reclaim is its own. */
    private boolean reclaims;
    private final ArrayDeque<Inode> pool = new ArrayDeque<>();
    /** Records that it has neither given back nor given up. */
    final Set<SimulatedRecordFile> recordFiles = new HashSet<>();
    /** What it has linked in order to rename it. */
    private Inode temporary;
    /** The record whose writing a throwable has interrupted. */
    private SimulatedRecordFile unfinished;
    private final LockContent[] seen = new LockContent[2];
    private final long[] seenSince = new long[2];

    SimulatedStore(SimulatedDirectory directory, Journal journal, ProcessIdentity self, long clockOffset) {
        this(null, directory, directory, journal, self, clockOffset);
    }

    /** The store of a reader slot. */
    SimulatedStore(SimulatedStore main, SimulatedLock slot) {
        this(main, slot, main.directory, main.journal, main.self, main.clockOffset);
    }

    private SimulatedStore(@Nullable SimulatedStore main, SimulatedLock lock, SimulatedDirectory directory, Journal journal, ProcessIdentity self, long clockOffset) {
        this.main = main == null ? this : main;
        this.lock = lock;
        this.directory = directory;
        this.journal = journal;
        this.self = self;
        this.clockOffset = clockOffset;
        this.comparable = clockOffset == 0;
        this.clock = new Clock() {
            @Override
            public long nanos() {
                return journal.safely(Op.CLOCK, SimulatedStore.this::readClock);
            }

            @Override
            public long wallMicros() {
                return journal.safely(Op.WALL, () -> {
                    directory.pass(directory.replacesTables ? 1_000 : 0); // to draw a token takes time: two tables must not give out the same one
                    return directory.wallMicros;
                });
            }
        };
        this.opened = directory.generation;
        this.line = new SimulatedEntry(this.main.opened);
    }

    static ProcessIdentity process(long pid, long startTicks, String pidns, String timens) {
        return new ProcessIdentity(pid, startTicks, started(startTicks), SimulatedDirectory.BOOT, pidns, timens, "moss", true);
    }

    /** {@return the identity of a process where there is no {@code /proc}} */
    static ProcessIdentity processWithoutProc(long pid, long startTicks, @Nullable String boot) {
        return new ProcessIdentity(pid, -1, started(startTicks), boot, null, null, "moss", false);
    }

    static Instant started(long startTicks) {
        return Instant.ofEpochSecond(1_700_000_000L + startTicks);
    }

    /** {@return what its clock shows; no step} */
    long ownNow() {
        return directory.nanos + clockOffset;
    }

    // ---- what a broken protocol does differently ----

    long readClock() {
        return ownNow();
    }

    long readExpiry(int seat) {
        return lock.expiries[seat];
    }

    void writeExpiry(int seat, long value) {
        lock.expiries[seat] = value;
    }

    /** {@return whether the seat's word is what was written when {@code meant} was to be written} */
    boolean isWord(int seat, long meant, long written) {
        return lock.expiries[seat] == written;
    }

    long draw(long wallMicros) {
        long next = TableEntry.tokenAfter(directory.token, wallMicros, 1);
        directory.token = next == TableEntry.NO_TOKEN ? directory.token : next;
        return next;
    }

    boolean kernelGives(int seat) {
        if (lock.owner[seat] != null) {
            return false;
        }
        lock.owner[seat] = this;
        return true;
    }

    Liveness look(long pid, long startTicks) {
        return directory.judge(pid, startTicks);
    }

    /** {@return how many reader slots count, and the number of changes} */
    long readReaders() {
        return lock.readers;
    }

    /** Compare and set. */
    boolean changeReaders(long read, long next) {
        boolean still = lock.readers == read;
        lock.readers = still ? next : lock.readers;
        return still;
    }

    /** A record has just been linked. */
    void linked() {
    }

    /** A record has just been rewritten. */
    void rewritten() {
    }

    /** The hold whose lease is being renewed late; null if none is. */
    @Nullable SeatHold renewsLate;
    /** A reader's lease is being renewed late. */
    boolean readerRenewsLate;

    long readLastToken() {
        return directory.token;
    }

    // ---- names and clocks ----

    @Override
    public String name() {
        return "session.jsonl";
    }

    @Override
    public Path target() {
        return Path.of("/sessions/session.jsonl");
    }

    @Override
    public Path lockFile() {
        return Path.of("/sessions/session.jsonl.lock");
    }

    @Override
    public Clock clock() {
        return clock;
    }

    @Override
    public long wakeUpNanos() {
        return directory.wakeUpNanos;
    }

    @Override
    public ProcessIdentity self() {
        return self;
    }

    @Override
    public Liveness judge(long pid, long startTicks, Instant started) {
        return journal.safely(Op.JUDGE, () -> directory.hasProc() ? look(pid, startTicks) : directory.judge(pid, started));
    }

    @Override
    public long mark() {
        return self.pid() & TableEntry.MARK_BITS;
    }

    @Override
    public boolean comparable() {
        return comparable;
    }

    @Override
    public boolean shared() {
        return directory.shared;
    }

    @Override
    public boolean sharesAmongReaders() {
        return directory.sharing && journal.safely(Op.SHARES, () -> directory.shared && !linksRefused);
    }

    @Override
    public LockStore readerSlot(int slot) {
        while (slots.size() <= slot) {
            slots.add(new SimulatedReaderSlot(this, slots.size()));
        }
        return slots.get(slot);
    }

    // ---- bytes ----

    @Override
    public boolean tryByte(int seat) throws IOException {
        return journal.step(Op.TRY_BYTE, () -> take(seat));
    }

    private boolean take(int seat) {
        if (jvm[seat] || waitsInKernel[seat] || !kernelGives(seat)) {
            return false; // the first two: OverlappingFileLockException
        }
        got(seat);
        return true;
    }

    private void got(int seat) {
        jvm[seat] = true;
        takenAt[seat] = ownNow();
    }

    /** The kernel gives the byte to the thread that waits for it. No step: this happens to the process. */
    void acquireAhead(int seat) {
        lock.owner[seat] = this;
        unaccepted[seat] = true;
        got(seat);
    }

    /** The kernel did not give it after all. */
    void undoAcquireAhead(int seat) {
        lock.owner[seat] = null;
        unaccepted[seat] = false;
        jvm[seat] = false;
    }

    @Override
    public void awaitByte(int seat) {
        throw new AssertionError("waiting is simulated by bells");
    }

    @Override
    public boolean acceptByte(int seat) {
        return journal.safely(Op.ACCEPT_BYTE, () -> {
            boolean any = unaccepted[seat];
            unaccepted[seat] = false;
            return any;
        });
    }

    @Override
    public void declineByte(int seat) throws IOException {
        journal.step(Op.FREE_BYTE, () -> {
            if (unaccepted[seat]) {
                unaccepted[seat] = false;
                free(seat);
            }
            return null;
        });
    }

    @Override
    public void freeByte(int seat) throws IOException {
        journal.step(Op.FREE_BYTE, () -> {
            if (!unaccepted[seat]) {
                free(seat);
            }
            return null;
        });
    }

    void free(int seat) {
        if (jvm[seat] && lock.owner[seat] == this) {
            lock.owner[seat] = null;
        }
        jvm[seat] = false;
    }

    /** The process is gone: the kernel takes its bytes back. */
    void die() {
        slots.forEach(SimulatedStore::die);
        directory.temporaryLinks.remove(temporary);
        for (int seat = 0; seat < 2; seat++) {
            if (lock.owner[seat] == this) {
                lock.owner[seat] = null;
            }
            jvm[seat] = false;
            waitsInKernel[seat] = false;
            unaccepted[seat] = false;
        }
    }

    /** Some code of its JVM opened and closed the guard file. */
    void loseBytes() {
        for (int seat = 0; seat < 2; seat++) {
            if (lock.owner[seat] == this) {
                lock.owner[seat] = null;
            }
        }
    }

    /** {@return whether its process has a hold of the byte, or is just getting one; one that a kernel waiter has acquired ahead does not count} */
    boolean uses(int seat) {
        return jvm[seat] && !unaccepted[seat];
    }

    boolean hasLost(int seat) {
        return jvm[seat] && lock.owner[seat] != this;
    }

    // ---- the table entry ----

    @Override
    public TableEntry findEntry() throws IOException {
        return journal.step(Op.FIND_ENTRY, () -> hasEntry() && directory.shared ? entry() : null);
    }

    @Override
    public TableEntry claimEntry() throws IOException {
        return journal.step(Op.CLAIM_ENTRY, () -> {
            if (isOpenTableThere()) {
                lock.hasEntry = true;
            } else {
                lock.replaced.get(main.opened).hasEntry = true;
            }
            return entry();
        });
    }

    private boolean isOpenTableThere() {
        return main.opened == directory.generation;
    }

    private boolean hasEntry() {
        return isOpenTableThere() ? lock.hasEntry : lock.replaced.get(main.opened).hasEntry;
    }

    private SimulatedEntry entry() {
        if (line.table != main.opened) {
            line = new SimulatedEntry(main.opened);
        }
        return line;
    }

    @Override
    public void requireInPlace(RecordFile recordFile, RecordLocation location, TableEntry of) throws IOException {
        of.requireInPlace();
    }

    @Override
    public void entryFailed() throws IOException {
        if (directory.replacesTables) {
            journal.step(Op.OPEN_TABLE, () -> main.opened = directory.generation);
        }
    }

    private final class SimulatedEntry implements TableEntry {
        private final int table;
        /** What was to be written last, and what a broken protocol made of it. */
        private final long[] meant = new long[2];
        private final long[] written = new long[2];

        SimulatedEntry(int table) {
            this.table = table;
        }

        @Override
        public void requireInPlace() {
            if (directory.replacesTables && !journal.safely(Op.IN_PLACE, () -> table == directory.generation)) {
                throw TableFault.cutShort(Path.of("table"));
            }
        }

        /** {@return the table that it is on, if that was replaced; else null} */
        private SimulatedLock.Table old() {
            return table == directory.generation ? null : lock.replaced.get(table);
        }

        private long word(int seat) {
            return old() == null ? readExpiry(seat) : old().expiries[seat];
        }

        @Override
        public long expiry(int seat) {
            return journal.safely(Op.READ_EXPIRY, () -> word(seat));
        }

        @Override
        public boolean hasExpiry(int seat, long value) {
            return journal.safely(Op.HAS_EXPIRY, () -> isStill(seat, value));
        }

        private boolean isStill(int seat, long value) {
            if (old() != null) {
                return old().expiries[seat] == value;
            }
            // Its own word, which a broken protocol may have written otherwise than it meant; or one that it has read.
            return meant[seat] == value ? isWord(seat, value, written[seat]) : lock.expiries[seat] == value;
        }

        @Override
        public boolean replaceExpiry(int seat, long published, long value) {
            return journal.safely(Op.REPLACE, () -> {
                boolean still = isStill(seat, published);
                if (still && old() != null) {
                    old().expiries[seat] = value;
                } else if (still) {
                    writeExpiry(seat, value);
                    meant[seat] = value;
                    written[seat] = lock.expiries[seat];
                }
                return still;
            });
        }

        @Override
        public long drawTokens(long wallMicros, int many) {
            return journal.safely(Op.DRAW_TOKEN, () -> {
                if (old() == null) {
                    long first = draw(wallMicros);
                    directory.token += first == TableEntry.NO_TOKEN ? 0 : many - 1;
                    return first;
                }
                long first = TableEntry.tokenAfter(old().token, wallMicros, many);
                old().token = first + many - 1;
                return first;
            });
        }

        @Override
        public long lastToken() {
            return journal.safely(Op.LAST_TOKEN, () -> old() == null ? readLastToken() : old().token);
        }

        @Override
        public void raiseToken(long least) {
            journal.safely(Op.RAISE_TOKEN, () -> old() == null ? (directory.token = Math.max(directory.token, least))
                    : (old().token = Math.max(old().token, least)));
        }

        @Override
        public long waiterMark() {
            return journal.safely(Op.READ_WAITER_MARK, () -> old() == null ? lock.waiterMark : old().waiterMark);
        }

        @Override
        public void setWaiterMark(long mark) {
            journal.safely(Op.SET_WAITER_MARK, () -> old() == null ? (lock.waiterMark = mark) : (old().waiterMark = mark));
        }

        @Override
        public long writerMark() {
            return !directory.sharing ? 0 : journal.safely(Op.READ_WAITER_MARK, () -> old() == null ? lock.writerMark : old().writerMark);
        }

        @Override
        public void setWriterMark(long mark) {
            if (directory.sharing) {
                journal.safely(Op.SET_WAITER_MARK, () -> old() == null ? (lock.writerMark = mark) : (old().writerMark = mark));
            }
        }

        @Override
        public long readers() {
            return !directory.sharing ? 0 : journal.safely(Op.READ_READERS, () -> old() == null ? readReaders() : old().readers);
        }

        @Override
        public boolean replaceReaders(long read, long next) {
            return journal.safely(Op.REPLACE_READERS, () -> {
                if (old() == null) {
                    return changeReaders(read, next);
                }
                boolean still = old().readers == read;
                old().readers = still ? next : old().readers;
                return still;
            });
        }

        @Override
        public boolean isValid() {
            return journal.safely(Op.IS_VALID, () -> !lock.entryCleared);
        }
    }

    // ---- records ----

    @Override
    public RecordFile write(LockRecord record) throws IOException {
        RecordFile written = journal.step(Op.WRITE, () -> {
            SimulatedRecordFile recordFile = new SimulatedRecordFile();
            unfinished = recordFile;
            recordFile.record = record;
            recordFile.linkable = !linksRefused;
            if (recordFile.linkable) {
                recordFile.file = main.pool.isEmpty() ? new Inode() : main.pool.pop();
                recordFile.file.write(new LockContent.Ours(record), directory.wallMicros);
            }
            main.recordFiles.add(recordFile);
            return recordFile;
        });
        unfinished = null;
        return written;
    }

    @Override
    public void giveBackOwed() throws IOException {
        if (unfinished != null) {
            retire(unfinished);
            unfinished = null;
        }
    }

    @Override
    public void rewrite(RecordFile recordFile, LockRecord record) throws IOException {
        journal.step(Op.REWRITE, () -> {
            SimulatedRecordFile mine = (SimulatedRecordFile) recordFile;
            if (!main.recordFiles.contains(mine)) {
                if (forgiving) {
                    return null;
                }
                throw new AssertionError("wrote into a record that was given back: it may be another lock's by now");
            }
            mine.record = record;
            if (mine.file != null) {
                mine.file.write(new LockContent.Ours(record), directory.wallMicros);
            }
            rewritten();
            return null;
        });
    }

    @Override
    public boolean link(RecordFile recordFile, RecordLocation location) throws IOException {
        SimulatedRecordFile mine = (SimulatedRecordFile) recordFile;
        if (!mine.linkable) {
            return create(mine, location);
        }
        return journal.step(Op.LINK, () -> {
            if (directory.refusesLinks) {
                main.linksRefused = true;
                throw new LinksRefusedException(lockFile());
            }
            if (lock.at(location) != null) {
                return false;
            }
            lock.put(location, mine.file);
            linked();
            return true;
        });
    }

    @Override
    public boolean cover(RecordFile recordFile, Object key) throws IOException {
        SimulatedRecordFile mine = (SimulatedRecordFile) recordFile;
        if (!mine.linkable || !journal.step(Op.IS_AT, () -> lock.at(RecordLocation.LOCK) == key)) {
            return false;
        }
        if (directory.system == SimulatedDirectory.HostSystem.WINDOWS) {
            delete(RecordLocation.LOCK, key);
            return link(recordFile, RecordLocation.LOCK);
        }
        return journal.step(Op.LINK, () -> {
            boolean there = isStill(lock.at(RecordLocation.LOCK) == key);
            if (there) {
                lock.put(RecordLocation.LOCK, mine.file);
            }
            return there;
        });
    }

    /** First a further link to the other record, by a name of this process; then it is renamed. */
    @Override
    public boolean coverBy(RecordFile recordFile, LockStore slot, Found found, Object key) throws IOException {
        SimulatedLock of = ((SimulatedStore) slot).lock;
        if (!((SimulatedRecordFile) recordFile).linkable || !journal.step(Op.IS_AT, () -> lock.at(RecordLocation.LOCK) == key)) {
            return false;
        }
        if (directory.system == SimulatedDirectory.HostSystem.WINDOWS) {
            delete(RecordLocation.LOCK, key);
            return journal.step(Op.LINK, () -> {
                Inode other = of.at(RecordLocation.LOCK);
                if (other == null || lock.at(RecordLocation.LOCK) != null) {
                    return false;
                }
                lock.put(RecordLocation.LOCK, other);
                return other == found.key();
            });
        }
        Inode linked = journal.step(Op.LINK, () -> {
            temporary = of.at(RecordLocation.LOCK) == found.key() ? (Inode) found.key() : null;
            if (temporary != null) {
                directory.temporaryLinks.add(temporary);
            }
            return temporary;
        });
        return linked != null && journal.step(Op.RENAME, () -> {
            boolean there = isStill(lock.at(RecordLocation.LOCK) == key);
            if (there) {
                lock.put(RecordLocation.LOCK, linked);
            }
            directory.temporaryLinks.remove(linked);
            return there;
        });
    }

    /** {@return whether a record that was seen a moment ago is assumed to be still there} */
    private boolean isStill(boolean there) {
        return there || !directory.looksAndActsAtOnce;
    }

    /** Without hard links: first the file, then its content. */
    private boolean create(SimulatedRecordFile recordFile, RecordLocation location) throws IOException {
        Inode file = journal.step(Op.CREATE, () -> {
            if (recordFile.file != null || lock.at(location) != null) {
                return null; // without links one file cannot be in two locations
            }
            Inode created = new Inode();
            created.write(new LockContent.Empty(), directory.wallMicros);
            lock.put(location, created);
            return created;
        });
        if (file == null) {
            return false;
        }
        journal.step(Op.FILL, () -> {
            recordFile.file = file;
            file.write(new LockContent.Ours(recordFile.record), directory.wallMicros);
            linked();
            return null;
        });
        return true;
    }

    @Override
    public boolean isAt(RecordFile recordFile, RecordLocation location) throws IOException {
        return journal.step(Op.IS_AT, () -> {
            Inode file = ((SimulatedRecordFile) recordFile).file;
            return file != null && main.recordFiles.contains(recordFile) && lock.at(location) == file;
        });
    }

    @Override
    public void delete(RecordLocation location, Object key) throws IOException {
        boolean there = journal.step(Op.IS_AT, () -> lock.at(location) == key);
        if (!there) {
            return;
        }
        Inode moved = journal.step(Op.DELETE, () -> { // aside, whatever it is now
            Inode lies = lock.at(location);
            lock.put(location, null);
            return lies;
        });
        if (moved != null && moved != key && directory.looksAndActsAtOnce) {
            journal.step(Op.LINK, () -> { // back, unless others were faster
                if (lock.at(location) == null) {
                    lock.put(location, moved);
                }
                return null;
            });
        }
    }

    @Override
    public void unlink(RecordFile recordFile, RecordLocation location) throws IOException {
        remove(Op.UNLINK, location, () -> lock.at(location) == ((SimulatedRecordFile) recordFile).file);
    }

    private void remove(Op op, RecordLocation location, BooleanSupplier isThere) throws IOException {
        journal.step(op, () -> {
            if (isStill(isThere.getAsBoolean())) {
                lock.put(location, null);
            }
            return null;
        });
    }

    @Override
    public void recycle(RecordFile recordFile) throws IOException {
        journal.step(Op.RECYCLE, () -> {
            SimulatedRecordFile mine = (SimulatedRecordFile) recordFile;
            if (!main.recordFiles.remove(mine)) {
                if (forgiving) {
                    return null;
                }
                throw new AssertionError("a record was given back twice");
            }
            if (mine.file != null && directory.isLinked(mine.file)) {
                throw new AssertionError("a record was given back while it is still linked: the next one is written into it");
            }
            if (mine.linkable && !main.linksRefused) {
                main.pool.push(mine.file);
            }
            return null;
        });
    }

    @Override
    public void retire(RecordFile recordFile) throws IOException {
        journal.step(Op.RETIRE, () -> {
            if (!main.recordFiles.remove((SimulatedRecordFile) recordFile) && !forgiving) {
                throw new AssertionError("a record was given up that had been given back");
            }
            return null;
        });
    }

    /** {@return whether a record that may be written for another lock is linked somewhere: this must never be} */
    boolean spareIsLinked() {
        return main.pool.stream().anyMatch(directory::isLinked);
    }

    @Override
    public Found find(RecordLocation location) throws IOException {
        return journal.step(Op.FIND, () -> {
            Inode file = lock.at(location);
            int at = location.ordinal();
            if (file == null || !file.content.equals(seen[at])) {
                seen[at] = file == null ? null : file.content;
                seenSince[at] = ownNow();
            }
            long watched = TimeUnit.NANOSECONDS.toMillis(ownNow() - seenSince[at]);
            return file == null ? null : new Found(file.content, file, directory.ageMillis(file), watched);
        });
    }

    @Override
    public boolean targetExists() {
        return journal.safely(Op.TARGET, () -> directory.targetExists);
    }

    @Override
    public boolean wasTaken() {
        return journal.safely(Op.LAST_TOKEN, () -> directory.token != 0);
    }

    @Override
    public boolean beginReclaim() throws IOException {
        return journal.step(Op.BEGIN_RECLAIM, () -> {
            if (directory.reclaiming && directory.wallMicros - directory.reclaimingSince < OLD_RECLAIM_MICROS) {
                return false;
            }
            directory.reclaiming = true;
            directory.reclaimingSince = directory.wallMicros;
            reclaims = true;
            return true;
        });
    }

    @Override
    public void endReclaim() throws IOException {
        journal.step(Op.END_RECLAIM, () -> {
            directory.reclaiming &= !reclaims;
            reclaims = false;
            return null;
        });
    }

    // ---- requests, and what the kernel says ----

    @Override
    public boolean releaseRequested(long token) {
        return journal.safely(Op.REQUESTED, () -> directory.requests.contains(token));
    }

    @Override
    public void requestRelease(long token) {
        journal.safely(Op.REQUEST, () -> directory.request(token));
    }

    @Override
    public void dropReleaseRequest(long token) {
        journal.safely(Op.DROP_REQUEST, () -> directory.requests.remove(token));
    }

    /** The keeper reads what the kernel has locked for this process. No step: the engine does not do this. */
    void viewKernel() {
        slots.forEach(SimulatedStore::viewKernel);
        viewedAt = ownNow();
        for (int seat = 0; seat < 2; seat++) {
            viewed[seat] = lock.owner[seat] == this;
        }
    }

    @Override
    public void lookAfresh() throws IOException {
        journal.step(Op.KERNEL, () -> {
            main.viewKernel();
            main.opened = directory.generation;
            return null;
        });
    }

    @Override
    public Boolean kernelHasByte(int seat) {
        return journal.safely(Op.KERNEL, () -> !directory.hasProc() || viewedAt < takenAt[seat] ? null : (Boolean) viewed[seat]);
    }

    @Override
    public boolean retakeByte(int seat) throws IOException {
        freeByte(seat);
        return tryByte(seat);
    }

    @Override
    public LockSnapshot snapshot() {
        return new LockSnapshot(target(), found(RecordLocation.LOCK), found(RecordLocation.TAKEOVER), null, List.of(lock.expiries[0], lock.expiries[1]), comparable,
                directory.targetExists, lock.hasEntry, directory.token, ownNow(), self);
    }

    private Found found(RecordLocation location) {
        Inode file = lock.at(location);
        return file == null ? null : new Found(file.content, file, directory.ageMillis(file), 0);
    }

    @Override
    public String displaced() {
        return journal.safely(Op.DISPLACED, () -> displaced == null && line.table != main.opened ? "the table was replaced" : displaced);
    }

    @Override
    public String toString() {
        return "pid " + self.pid();
    }
}

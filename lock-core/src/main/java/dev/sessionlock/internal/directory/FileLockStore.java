package dev.sessionlock.internal.directory;

import dev.sessionlock.internal.system.Liveness;
import dev.sessionlock.spi.Clock;
import java.io.IOException;
import java.nio.channels.FileLock;
import java.nio.file.DirectoryNotEmptyException;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.attribute.BasicFileAttributes;
import java.time.Instant;
import java.util.concurrent.atomic.AtomicReferenceFieldUpdater;
import org.jspecify.annotations.Nullable;

/** The disk and kernel side of one lock, in a real directory. */
class FileLockStore implements LockStore {
    private static final AtomicReferenceFieldUpdater<FileLockStore, KernelByte> BYTE_1 =
            AtomicReferenceFieldUpdater.newUpdater(FileLockStore.class, KernelByte.class, "byte1");

    private final LockDirectory directory;
    private final String name;
    private final long hash;
    /** Not kept while the record {@linkplain #rest rests}: ten thousand held locks would keep as many paths. */
    private @Nullable Path lockFile;
    private final KernelByte byte0;
    /** Null until it is first asked for, which is rare. Set once: two objects for one byte would not know of each other's. */
    private volatile @Nullable KernelByte byte1;
    private final KnownEntry entry;

    /** What {@link #find} saw last. Null while it has seen nothing: most locks never meet a record, and keep nothing for that. */
    private @Nullable SeenRecords seen;

    /** The state of the directory when our record was last seen at {@link RecordLocation#LOCK}; null if that told nothing. */
    private @Nullable DirectoryState thereSince;

    /** The record file that is being written just now, and that has no owner yet. */
    private RecordFilePool.@Nullable PooledFile unfinished;

    /** Null before it is first needed, which is rare. */
    private @Nullable ReclaimDirectory reclaim;

    FileLockStore(LockDirectory directory, String name, long h) {
        this.directory = directory;
        this.name = name;
        this.hash = h;
        this.byte0 = new KernelByte(this, 0);
        this.entry = new KnownEntry(this);
    }

    LockDirectory directory() {
        return directory;
    }

    /** {@return the number of the lock} */
    long hash() {
        return hash;
    }

    @Override
    public String name() {
        return name;
    }

    @Override
    public Path target() {
        return directory.home().resolve(name);
    }

    @Override
    public Path lockFile() {
        Path known = lockFile;
        if (known == null) {
            known = directory.home().resolve(name + ".lock");
            lockFile = known;
        }
        return known;
    }

    /** {@return the path by which a record is reached} */
    Path at(RecordLocation location) {
        FileMode by = directory.mode();
        return location == RecordLocation.TAKEOVER ? by.inner().resolve("takeover-" + name) : by.isShared() ? by.home().resolve(name + ".lock") : lockFile();
    }

    @Override
    public Clock clock() {
        return Clock.SYSTEM;
    }

    @Override
    public DirectoryNotes notes() {
        return directory.notes();
    }

    @Override
    public long mark() {
        return directory.mark();
    }

    @Override
    public Liveness judge(long pid, long startTicks, @Nullable Instant started) {
        return directory.processes().judge(pid, startTicks, started);
    }

    @Override
    public boolean comparable() {
        SharedTable table = directory.table();
        return table == null || table.comparable();
    }

    @Override
    public boolean shared() {
        return directory.table() != null;
    }

    @Override
    public boolean sharesAmongReaders() {
        return shared() && directory.hardLinks();
    }

    @Override
    public LockStore readerSlot(int slot) {
        return new ReaderSlotStore(this, slot);
    }

    /** {@return the byte of a seat} Any thread: a kernel waiter may be the first to need that of seat 1. */
    private KernelByte byteOf(int seat) {
        if (byteIfAny(seat) == null) {
            BYTE_1.compareAndSet(this, null, new KernelByte(this, 1));
        }
        return byteIfAny(seat);
    }

    /** {@return the byte of a seat; null if it was never asked for: then it is not ours, nor awaited, nor owed} */
    private @Nullable KernelByte byteIfAny(int seat) {
        return seat == 0 ? byte0 : byte1;
    }

    @Override
    public boolean tryByte(int seat) throws IOException {
        return byteOf(seat).tryTake();
    }

    @Override
    public void awaitByte(int seat) throws IOException {
        byteOf(seat).await();
    }

    @Override
    public boolean acceptByte(int seat) {
        return byteOf(seat).accept();
    }

    @Override
    public void declineByte(int seat) throws IOException {
        byteOf(seat).decline();
    }

    @Override
    public void freeByte(int seat) throws IOException {
        KernelByte known = byteIfAny(seat);
        if (known != null) {
            known.free();
        }
    }

    @Override
    public void giveBackOwed() throws IOException {
        try {
            KernelByte.settle(byte0, byte1);
        } finally {
            retireUnfinished();
        }
    }

    @Override
    public boolean knowsByteLost(int seat) {
        KernelByte known = byteIfAny(seat);
        return known != null && known.isKnownToBeLost();
    }

    @Override
    public @Nullable TableEntry findEntry() throws IOException {
        return entry.find();
    }

    @Override
    public @Nullable TableEntry claimEntry() throws IOException {
        return entry.claim();
    }

    @Override
    public @Nullable TableEntry findOnlyEntry() throws IOException {
        return entry.findOnly();
    }

    // ---- records ----

    private static @Nullable Object keyOf(RecordFile recordFile) {
        return recordFile instanceof RecordFilePool.PooledFile file ? file.isLetGo() ? null : file.key() : ((UnlinkedRecord) recordFile).key();
    }

    @Override
    public RecordFile write(LockRecord record) throws IOException {
        byte[] bytes = RecordCodec.encode(record);
        if (!directory.hardLinks()) {
            return new UnlinkedRecord(bytes);
        }
        retireUnfinished();
        unfinished = directory.recordFiles().take();
        RecordFilePool.PooledFile file = unfinished;
        try {
            file.write(bytes);
        } catch (IOException | RuntimeException e) {
            retireUnfinished();
            throw e;
        }
        unfinished = null;
        return file;
    }

    /** Gives up the record file of a write that failed, or that a throwable interrupted. */
    private void retireUnfinished() {
        RecordFilePool.PooledFile file = unfinished;
        if (file == null) {
            return;
        }
        try {
            directory.recordFiles().retire(file);
        } catch (IOException e) {
            directory.log().debug("{} stays; it is swept when this process has ended", file, e);
        }
        unfinished = null;
    }

    @Override
    public void rewrite(RecordFile recordFile, LockRecord record) throws IOException {
        byte[] bytes = RecordCodec.encode(record);
        if (recordFile instanceof RecordFilePool.PooledFile file) {
            file.mayBeLonger();
            file.write(bytes);
            return;
        }
        ((UnlinkedRecord) recordFile).rewrite(bytes, at(RecordLocation.LOCK), at(RecordLocation.TAKEOVER));
    }

    @Override
    public boolean link(RecordFile recordFile, RecordLocation location) throws IOException {
        thereSince = null;
        if (!(recordFile instanceof RecordFilePool.PooledFile file)) {
            UnlinkedRecord mine = (UnlinkedRecord) recordFile;
            return mine.key() == null && mine.create(at(location), directory); // without links one file cannot be at two locations
        }
        return RecordLinks.link(directory, file, at(location));
    }

    /**
     * While no name in {@code .session-locks} has changed since both were found in place, one look at that directory tells as much as a look at each.
     */
    @Override
    public void requireInPlace(RecordFile recordFile, RecordLocation location, TableEntry entry) throws IOException {
        if (!(recordFile instanceof RecordFilePool.PooledFile file)) {
            entry.requireInPlace();
            return;
        }
        DirectoryState now = !this.entry.isOfATable() ? null : directory.changes().settledInner(); // before the checks that it stands for
        if (now != null && now.equals(file.inPlaceAsOf) && this.entry.wasInPlaceAsOf(now, entry)) {
            return;
        }
        try {
            RecordLinks.requireLinked(file, at(location));
        } catch (NoSuchFileException e) {
            directory.recordFiles().giveUpSwept(file);
            throw directory.mode().named(e);
        }
        entry.requireInPlace();
        file.inPlaceAsOf = now;
        this.entry.inPlace(now, entry);
    }

    @Override
    public boolean cover(RecordFile recordFile, Object key) throws IOException {
        Path record = at(RecordLocation.LOCK);
        if (!(recordFile instanceof RecordFilePool.PooledFile file) || !key.equals(FileKey.ofOrNull(record))) {
            return false;
        }
        return RecordLinks.cover(directory, file, record, key);
    }

    @Override
    public boolean coverBy(RecordFile recordFile, LockStore slot, Found found, Object key) throws IOException {
        Path record = at(RecordLocation.LOCK);
        return recordFile instanceof RecordFilePool.PooledFile file && key.equals(FileKey.ofOrNull(record))
                && RecordLinks.coverBy(directory, file, ((FileLockStore) slot).at(RecordLocation.LOCK), found.key(), record, key);
    }

    @Override
    public void rest(RecordFile recordFile) throws IOException {
        if (recordFile instanceof RecordFilePool.PooledFile file) {
            file.restForLong();
        }
        lockFile = null;
        seen = null; // of what was in the way before the lock was ours
    }

    @Override
    public boolean isAt(RecordFile recordFile, RecordLocation location) throws IOException {
        Object key = keyOf(recordFile);
        BasicFileAttributes attributes = key == null ? null : LockFileReader.attributesOf(at(location));
        if (attributes == null || !key.equals(FileKey.ofIfThere(at(location), attributes))) {
            return false;
        }
        if (attributes.size() != RecordCodec.SIZE && recordFile instanceof RecordFilePool.PooledFile file) {
            file.mayBeLonger();
        }
        return true;
    }

    @Override
    public boolean isStillAt(RecordFile recordFile, RecordLocation location) throws IOException {
        DirectoryState changed = location == RecordLocation.LOCK && shared() ? directory.changes().namesChanged() : null; // before the look
        if (changed != null && changed.equals(thereSince)) {
            return true;
        }
        boolean there = isAt(recordFile, location);
        thereSince = there ? changed : null;
        return there;
    }

    @Override
    public void delete(RecordLocation location, Object key) throws IOException {
        Path path = at(location);
        if (key.equals(FileKey.ofOrNull(path))) {
            try {
                FileRemoval.deleteOnly(path, key, directory.mode().inner());
            } catch (DirectoryNotEmptyException e) {
                throw directory.mode().named(new IOException(path + " is not an ordinary file; somebody put it there: remove it", e));
            } catch (IOException e) {
                throw directory.mode().named(e);
            }
        }
    }

    @Override
    public void unlink(RecordFile recordFile, RecordLocation location) throws IOException {
        FileRemoval.unlink(at(location));
    }

    @Override
    public void recycle(RecordFile recordFile) throws IOException {
        if (recordFile instanceof RecordFilePool.PooledFile file) {
            directory.recordFiles().recycle(file);
        } else {
            ((UnlinkedRecord) recordFile).unpin();
        }
    }

    @Override
    public void retire(RecordFile recordFile) throws IOException {
        if (recordFile instanceof RecordFilePool.PooledFile file) {
            directory.recordFiles().retire(file);
        } else {
            ((UnlinkedRecord) recordFile).unpin();
        }
    }

    // ---- what others left ----

    @Override
    public @Nullable Found find(RecordLocation location) throws IOException {
        Found found = LockFileReader.read(at(location), directory.mode().inner());
        if (found == null) {
            if (seen != null) {
                seen.gone(location);
            }
            return null;
        }
        seen = seen == null ? new SeenRecords() : seen;
        return seen.watched(location, found, clock().nanos());
    }

    @Override
    public boolean targetExists() {
        return Files.exists(target(), LinkOption.NOFOLLOW_LINKS);
    }

    @Override
    public boolean wasTaken() {
        try {
            TableEntry known = findEntry();
            return known != null && known.lastToken() != 0;
        } catch (IOException e) {
            directory.log().debug("cannot tell whether {} was ever taken", this, e);
            return false;
        }
    }

    @Override
    public boolean beginReclaim() throws IOException {
        ReclaimDirectory its = reclaim;
        if (its == null) {
            its = new ReclaimDirectory(directory.mode(), name);
            reclaim = its;
        }
        return its.begin();
    }

    @Override
    public void endReclaim() throws IOException {
        ReclaimDirectory its = reclaim;
        if (its != null) {
            its.end();
        }
    }

    // ---- release requests, and what the kernel says ----

    ReleaseRequests requests() {
        return new ReleaseRequests(directory);
    }

    @Override
    public boolean releaseRequested(long token) throws IOException {
        return requests().isThere(token);
    }

    @Override
    public void requestRelease(long token) throws IOException {
        requests().make(token);
    }

    @Override
    public void dropReleaseRequest(long token) {
        requests().drop(token);
    }

    @Override
    public void lookAfresh() throws IOException {
        thereSince = null;
        directory.changes().forgetRequests();
        directory.verify(); // displaced() tells what it finds
    }

    @Override
    public void lookAround() throws IOException {
        directory.verifyUnlessLately();
        directory.isInPlace(); // this directory is looked at in any case; displaced() tells what was found
    }

    @Override
    public void entryFailed() throws IOException {
        directory.lookAtTable();
    }

    @Override
    public @Nullable Boolean kernelHasByte(int seat) {
        KernelByte known = byteIfAny(seat);
        long takenAt = known == null ? Long.MIN_VALUE : known.takenAt();
        return knowsByteLost(seat) ? Boolean.FALSE : directory.heldBytes().has(GuardLayout.guardOf(hash), GuardLayout.positionOf(hash, seat), takenAt);
    }

    @Override
    public boolean retakeByte(int seat) throws IOException {
        freeByte(seat); // the JDK still counts it as held and would refuse to ask the kernel
        return tryByte(seat);
    }

    @Override
    public LockSnapshot snapshot() throws IOException {
        return LockSnapshot.at(directory.home(), name);
    }

    @Override
    public @Nullable String displaced() {
        for (int seat = 0; seat < 2; seat++) {
            KernelByte known = byteIfAny(seat);
            FileLock lock = known == null ? null : known.lock();
            if (lock != null && !directory.guards().isOfThisFile(hash, lock)) {
                return "the guard files of " + directory.inner() + " were replaced";
            }
        }
        if (directory.isDisplaced()) {
            return directory.inner() + " was replaced";
        }
        if (entry.isOfAReplacedTable()) {
            return "the shared table of " + directory.inner() + " was replaced";
        }
        return entry.hasAnother() ? "the lock has another entry in the shared table of " + directory.inner() + ", which is in use" : null;
    }

    @Override
    public String toString() {
        return lockFile().toString();
    }
}

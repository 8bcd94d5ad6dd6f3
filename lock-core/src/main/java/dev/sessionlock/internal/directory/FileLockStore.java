package dev.sessionlock.internal.directory;

import dev.sessionlock.internal.system.ProcessIdentity;
import dev.sessionlock.internal.system.Liveness;
import dev.sessionlock.spi.Clock;
import java.io.EOFException;
import java.io.IOException;
import java.io.RandomAccessFile;
import java.nio.ByteBuffer;
import java.nio.channels.ClosedByInterruptException;
import java.nio.channels.FileChannel;
import java.nio.channels.FileLock;
import java.nio.file.AccessDeniedException;
import java.nio.file.DirectoryNotEmptyException;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.FileSystemException;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.NoSuchFileException;
import java.nio.file.NotDirectoryException;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.attribute.BasicFileAttributes;
import java.time.Instant;
import java.util.concurrent.ThreadLocalRandom;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;
import org.jetbrains.annotations.Nullable;

/** The disk and kernel side of one lock, in a real directory. */
final class FileLockStore implements LockStore {
    private static final int MOST_BYTES = 64 * 1024;
    private static final int REREADS = 5;
    private static final long OLD_RECLAIM_MILLIS = 30_000;

    private final LockDirectory directory;
    private final String name;
    private final long hash;
    /** Not kept while the record {@linkplain #rest rests}: ten thousand held locks would keep as many paths. */
    private @Nullable Path lockFile;
    private final KernelByte byte0;
    private final KernelByte byte1;

    /** The table entry, and the table in which it was found: a table that was replaced by hand is not ours any more. */
    private @Nullable TableEntry entry;
    private @Nullable SharedTable entryOf;
    /** The state of {@code .session-locks} when the table files of the entry were last found in place; null if that told nothing. */
    private @Nullable DirectoryState entryInPlaceAsOf;
    /** It was seen to be the only entry of this lock: a process that claims another one sees ours, and gives its own up. */
    private boolean isOnlyEntry;

    /** What {@link #find} saw last at each location, and since when it has been unchanged. Null before the first look. */
    private @Nullable LastFound @Nullable [] lastFound;

    private record LastFound(@Nullable LockContent content, long since) {
    }

    /** The state of the directory when our record was last seen at {@link RecordLocation#LOCK}; null if that told nothing. */
    private @Nullable DirectoryState thereSince;

    /** The record file that is being written just now, and that has no owner yet. */
    private RecordFilePool.@Nullable PooledFile unfinished;

    /** The {@code .reclaim} that lies there is ours. */
    private boolean reclaims;
    /** The {@code .reclaim} of another process that was seen last, and since when. */
    private @Nullable Object reclaimSeen;
    private long reclaimSeenSince;

    FileLockStore(LockDirectory directory, String name, long h) {
        this.directory = directory;
        this.name = name;
        this.hash = h;
        this.byte0 = new KernelByte(directory, h, 0);
        this.byte1 = new KernelByte(directory, h, 1);
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

    private Path at(RecordLocation location) {
        FileMode by = directory.mode();
        return location == RecordLocation.TAKEOVER ? by.inner().resolve("takeover-" + name) : by.isShared() ? by.home().resolve(name + ".lock") : lockFile();
    }

    @Override
    public Clock clock() {
        return Clock.SYSTEM;
    }

    @Override
    public ProcessIdentity self() {
        return ProcessIdentity.current();
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

    private KernelByte byteOf(int seat) {
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
        byteOf(seat).free();
    }

    @Override
    public void giveBackOwed() throws IOException {
        byte0.settle();
        byte1.settle();
        retireUnfinished();
    }

    @Override
    public boolean knowsByteLost(int seat) {
        return byteOf(seat).isKnownToBeLost();
    }

    @Override
    public @Nullable TableEntry findEntry() throws IOException {
        SharedTable table = directory.table();
        if (table == null) {
            return null;
        }
        if (!isKnown(table)) {
            know(table, table.find(hash), false);
        }
        return entry;
    }

    @Override
    public @Nullable TableEntry claimEntry() throws IOException {
        SharedTable table = directory.table();
        if (table == null) {
            return directory.heapEntry(name);
        }
        if (!isKnown(table) || !isOnlyEntry) {
            know(table, table.findOrClaim(hash, clock().wallMicros(), directory.mode(), directory.bytes()), true);
        }
        return entry;
    }

    @Override
    public @Nullable TableEntry findOnlyEntry() throws IOException {
        SharedTable table = directory.table();
        if (table == null) {
            return null;
        }
        know(table, table.findOnly(hash), true);
        return entry;
    }

    private boolean isKnown(SharedTable table) {
        return entry != null && entryOf == table && entry.isValid();
    }

    private void know(SharedTable table, @Nullable TableEntry found, boolean only) {
        if (found != entry || table != entryOf) {
            entryInPlaceAsOf = null;
        }
        entry = found;
        entryOf = table;
        isOnlyEntry = only;
    }

    // ---- records ----

    /**
     * A record where hard links are refused: its bytes, until they are in a file of their own. Elsewhere it is a {@link RecordFilePool.PooledFile}.
     */
    private static final class UnlinkedRecord implements RecordFile {
        private byte[] record;
        private @Nullable Object key;
        /** The record's own file, open while it is ours, so that no other file is given its inode number. */
        private @Nullable RandomAccessFile pin;

        UnlinkedRecord(byte[] record) {
            this.record = record;
        }

        private void unpin() throws IOException {
            RandomAccessFile open = pin;
            pin = null;
            if (open != null) {
                open.close();
            }
        }
    }

    private static @Nullable Object keyOf(RecordFile recordFile) {
        return recordFile instanceof RecordFilePool.PooledFile file ? file.isLetGo() ? null : file.key() : ((UnlinkedRecord) recordFile).key;
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
        UnlinkedRecord mine = (UnlinkedRecord) recordFile;
        mine.record = bytes;
        for (RecordLocation location : RecordLocation.values()) {
            if (mine.pin != null && mine.key != null && mine.key.equals(FileKey.ofOrNull(at(location)))) {
                mine.pin.seek(0);
                mine.pin.write(bytes);
            }
        }
    }

    @Override
    public boolean link(RecordFile recordFile, RecordLocation location) throws IOException {
        thereSince = null;
        if (!(recordFile instanceof RecordFilePool.PooledFile file)) {
            UnlinkedRecord mine = (UnlinkedRecord) recordFile;
            return mine.key == null && create(mine, at(location)); // without links one file cannot be at two locations
        }
        requireInPlace();
        try {
            Files.createLink(at(location), file.path());
            file.rest();
            return true;
        } catch (FileAlreadyExistsException e) {
            return false;
        } catch (NoSuchFileException e) {
            // The directory is gone or was moved, or somebody swept it: our other spare record files are gone, too.
            directory.recordFiles().giveUpSwept(file);
            throw directory.mode().named(e);
        } catch (AccessDeniedException e) {
            throw directory.mode().named(e);
        } catch (FileSystemException | UnsupportedOperationException e) {
            if (!file.isInPlace()) { // a directory lies at its name by now: that says nothing about links
                directory.recordFiles().giveUpSwept(file);
                throw file.replaced();
            }
            directory.noteLinkRefused(file.path(), e);
            throw e;
        }
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
        DirectoryState now = entryOf == null ? null : directory.settledInner(); // before the checks that it stands for
        if (now != null && now.equals(file.inPlaceAsOf) && now.equals(entryInPlaceAsOf) && entry == this.entry) {
            return;
        }
        try {
            requireLinked(file, at(location));
        } catch (NoSuchFileException e) {
            directory.recordFiles().giveUpSwept(file);
            throw directory.mode().named(e);
        }
        entry.requireInPlace();
        file.inPlaceAsOf = now;
        entryInPlaceAsOf = entry == this.entry ? now : null;
    }

    /**
     * The link took whatever was at the record file's name. If somebody has put another file there, a FIFO or a link, it would pass for a record, or
     * keep everybody out for ever.
     */
    private static void requireLinked(RecordFilePool.PooledFile file, Path path) throws IOException {
        Object linked = FileKey.ofOrNull(path);
        if (!file.key().equals(linked)) {
            if (FileKey.equal(linked, FileKey.ofOrNull(file.path()))) { // else somebody has replaced our record in this instant
                Files.deleteIfExists(path);
            }
            throw file.replaced();
        }
    }

    @Override
    public boolean cover(RecordFile recordFile, Object key) throws IOException {
        Path record = at(RecordLocation.LOCK);
        if (!(recordFile instanceof RecordFilePool.PooledFile file) || !key.equals(FileKey.ofOrNull(record))) {
            return false;
        }
        requireInPlace();
        Path cover = directory.mode().inner().resolve(file.path().getFileName() + RecordFilePool.LINK_PROBE); // a name that only this process uses
        Files.deleteIfExists(cover);
        boolean covered = false;
        try {
            Files.createLink(cover, file.path());
            requireLinked(file, cover);
            Files.move(cover, record, StandardCopyOption.ATOMIC_MOVE);
            covered = true;
        } finally {
            if (!covered) {
                Files.deleteIfExists(cover);
            }
        }
        return true;
    }

    /** Where names are looked up in an open directory, a link does not tell that the directory was replaced. */
    private void requireInPlace() throws NoSuchFileException {
        if (directory.mode().isShared() && !directory.isInPlace()) {
            throw new NoSuchFileException(directory.inner().toString()); // what a link by the whole path would have thrown
        }
    }

    /**
     * For file systems that refuse hard links: a reader may meet an empty or half-written record. Not through a channel: an interrupt would leave it
     * so.
     */
    private boolean create(UnlinkedRecord mine, Path path) throws IOException {
        if (!directory.isInPlace()) {
            throw new NoSuchFileException(directory.inner().toString()); // what linking a record file would have thrown
        }
        FileMode.Made made;
        try {
            made = directory.mode().create(path);
        } catch (FileAlreadyExistsException e) {
            return false;
        }
        boolean whole = false;
        try {
            mine.pin = made.file();
            mine.key = made.key();
            mine.pin.write(mine.record);
            whole = true;
        } finally {
            if (!whole) {
                mine.unpin();
                Files.deleteIfExists(path);
            }
        }
        return true;
    }

    @Override
    public void rest(RecordFile recordFile) throws IOException {
        if (recordFile instanceof RecordFilePool.PooledFile file) {
            file.restForLong();
        }
        lockFile = null;
    }

    @Override
    public boolean isAt(RecordFile recordFile, RecordLocation location) throws IOException {
        Object key = keyOf(recordFile);
        BasicFileAttributes attributes = key == null ? null : attributesOf(at(location));
        if (attributes == null || !key.equals(FileKey.of(at(location), attributes))) {
            return false;
        }
        if (attributes.size() != RecordCodec.SIZE && recordFile instanceof RecordFilePool.PooledFile file) {
            file.mayBeLonger();
        }
        return true;
    }

    @Override
    public boolean isStillAt(RecordFile recordFile, RecordLocation location) throws IOException {
        DirectoryState changed = location == RecordLocation.LOCK && shared() ? directory.namesChanged() : null; // before the look
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
                deleteOnly(path, key, directory.mode().inner());
            } catch (DirectoryNotEmptyException e) {
                throw directory.mode().named(new IOException(path + " is not an ordinary file; somebody put it there: remove it", e));
            } catch (IOException e) {
                throw directory.mode().named(e);
            }
        }
    }

    /**
     * Deletes the file at a path if it has this key. Between a look and an unlink, another program may put its own lock there by a rename. So the
     * file is first moved aside, whatever it is, and looked at where nobody else changes it. If it is the wrong one, it is put back.
     *
     * @param folder where it is moved to
     */
    static void deleteOnly(Path path, Object key, Path folder) throws IOException {
        Path aside = folder.resolve(LockDirectory.ASIDE + Long.toHexString(ThreadLocalRandom.current().nextLong()));
        try {
            Files.move(path, aside, StandardCopyOption.ATOMIC_MOVE);
        } catch (NoSuchFileException e) {
            return;
        }
        if (!key.equals(FileKey.ofOrNull(aside))) {
            try {
                Files.createLink(path, aside);
            } catch (FileAlreadyExistsException e) {
                throw new IOException("two other programs have replaced " + path.getFileName() + " at the same time; what the first one put there is "
                        + aside + " now", e);
            } catch (FileSystemException | UnsupportedOperationException e) { // a directory, or no links here
                Files.move(aside, path);
                return;
            }
        }
        try {
            Files.deleteIfExists(aside);
        } catch (DirectoryNotEmptyException e) {
            Files.move(aside, path);
            throw e;
        }
    }

    @Override
    public void unlink(RecordFile recordFile, RecordLocation location) throws IOException {
        Path path = at(location);
        // File.delete is one system call; Files.delete is two, since it looks first whether this is a directory.
        if (!isOfTheJdk(path) || !FileNames.isText(path) || !path.toFile().delete()) {
            Files.deleteIfExists(path);
        }
    }

    /** {@return whether nobody stands between the JDK and the disk} Crash labs do, by a file system provider: what goes round it, they cannot undo. */
    private static boolean isOfTheJdk(Path path) {
        return path.getFileSystem().provider().getClass().getModule() == Object.class.getModule();
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
        Found found = read(at(location), directory.mode().inner());
        int at = location.ordinal();
        lastFound = lastFound == null ? new LastFound[RecordLocation.values().length] : lastFound;
        if (found == null || lastFound[at] == null || !found.content().equals(lastFound[at].content())) {
            lastFound[at] = new LastFound(found == null ? null : found.content(), clock().nanos());
        }
        long watched = TimeUnit.NANOSECONDS.toMillis(clock().nanos() - lastFound[at].since());
        return found == null ? null : new Found(found.content(), found.key(), found.ageMillis(), watched);
    }

    /** {@return the file at a path, read as far as it can be a lock; null if there is none} */
    static @Nullable Found read(Path path) throws IOException {
        return read(path, innerOf(path));
    }

    private static @Nullable Found read(Path path, Path inner) throws IOException {
        for (int i = 1; ; i++) {
            BasicFileAttributes attributes = attributesOf(path);
            if (attributes == null) {
                return null;
            }
            Found found = found(path, attributes, inner);
            if (i == REREADS || found != null && !(found.content() instanceof LockContent.Torn)) {
                return found;
            }
            LockSupport.parkNanos(200_000); // it vanished between two looks, or was read while its owner rewrote it
        }
    }

    /** As {@link #read}, but without a second reading: the caller looks again if it is in doubt. */
    static @Nullable Found readOnce(Path path) throws IOException {
        BasicFileAttributes attributes = attributesOf(path);
        return attributes == null ? null : found(path, attributes, innerOf(path));
    }

    private static @Nullable BasicFileAttributes attributesOf(Path path) throws IOException {
        try {
            return Files.readAttributes(path, BasicFileAttributes.class, LinkOption.NOFOLLOW_LINKS);
        } catch (NoSuchFileException e) {
            return null;
        }
    }

    /** {@return the file; null if it has vanished since its attributes were read} */
    private static @Nullable Found found(Path path, BasicFileAttributes attributes, Path inner) throws IOException {
        LockContent content = contentOf(path, attributes);
        if (content == null) {
            return null;
        }
        Object key = FileKey.of(path, attributes);
        long age = System.currentTimeMillis() - attributes.lastModifiedTime().toMillis();
        return new Found(told(content, path, key, inner), key, Math.max(0, age), 0);
    }

    /**
     * {@return what the content is, if its text alone does not tell} A power cut may leave only an empty file of a record, and somebody may have
     * edited one. That the file is ours is then known by its other name, that of a spare record file. Otherwise a session whose file does not exist
     * yet could never be locked again.
     */
    private static LockContent told(LockContent content, Path path, Object key, Path inner) throws IOException {
        if (content instanceof LockContent.Ours) {
            return content;
        }
        boolean explained = content instanceof LockContent.Torn || content instanceof LockContent.Foreign foreign && foreign.createdAt() != null;
        if (!explained && RecordFilePool.contains(inner, path, key)) {
            return new LockContent.Torn(content instanceof LockContent.Empty ? "it is one of our record files and empty, as a power cut leaves it"
                    : "it is one of our record files and holds something else: somebody edited it");
        }
        String known = KnownLockFiles.at(path);
        return known == null ? content : new LockContent.NotALock(known);
    }

    private static Path innerOf(Path record) {
        Path parent = record.getParent();
        return parent.endsWith(LockDirectory.INNER) ? parent : parent.resolve(LockDirectory.INNER);
    }

    private static @Nullable LockContent contentOf(Path path, BasicFileAttributes attributes) throws IOException {
        if (!attributes.isRegularFile()) {
            return new LockContent.NotALock(attributes.isDirectory() ? "a directory"
                    : attributes.isSymbolicLink() ? "a symbolic link" : "a FIFO, socket or device");
        }
        boolean huge = attributes.size() > MOST_BYTES;
        try {
            LockContent content = LockContent.parse(bytesOf(path, huge ? RecordCodec.SIZE : MOST_BYTES));
            return !huge || content instanceof LockContent.Ours ? content : new LockContent.NotALock("a file of " + attributes.size() + " bytes");
        } catch (EOFException e) {
            return new LockContent.Torn("it shrank while it was read");
        } catch (NoSuchFileException e) {
            return null;
        } catch (AccessDeniedException e) {
            return new LockContent.NotALock("a file that this user may not read");
        } catch (FileSystemException e) {
            if (Files.isSymbolicLink(path)) {
                return new LockContent.NotALock("a symbolic link"); // put there just now: it is not followed
            }
            throw e;
        }
    }

    /** Follows no link, and also works on an interrupted thread, for which a channel is closed. */
    private static byte[] bytesOf(Path path, int most) throws IOException {
        boolean interrupted = Thread.interrupted();
        try {
            while (true) {
                try (FileChannel file = FileMode.openToRead(path)) {
                    ByteBuffer bytes = ByteBuffer.allocate((int) Math.min(file.size(), most));
                    while (bytes.hasRemaining()) {
                        if (file.read(bytes) < 0) {
                            throw new EOFException();
                        }
                    }
                    return bytes.array();
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
        Path reclaim = reclaim();
        for (int tries = 0; tries < 2; tries++) {
            try {
                Files.createDirectory(reclaim);
                reclaims = true;
                return true;
            } catch (FileAlreadyExistsException e) {
                if (!sweepOld(reclaim)) {
                    return false;
                }
            }
        }
        return false;
    }

    /** Old by the wall clock, or seen from here for as long: the clock may have been set back. */
    private boolean sweepOld(Path reclaim) throws IOException {
        try {
            BasicFileAttributes attributes = Files.readAttributes(reclaim, BasicFileAttributes.class, LinkOption.NOFOLLOW_LINKS);
            Object key = FileKey.of(reclaim, attributes);
            if (!key.equals(reclaimSeen)) {
                reclaimSeen = key;
                reclaimSeenSince = clock().nanos();
            }
            long watched = TimeUnit.NANOSECONDS.toMillis(clock().nanos() - reclaimSeenSince);
            long age = Math.max(watched, System.currentTimeMillis() - attributes.lastModifiedTime().toMillis());
            if (!attributes.isDirectory() || age < OLD_RECLAIM_MILLIS) {
                return false;
            }
            Files.delete(reclaim);
            return true;
        } catch (NoSuchFileException e) {
            return true;
        } catch (DirectoryNotEmptyException e) {
            return false;
        }
    }

    @Override
    public void endReclaim() throws IOException {
        if (reclaims) {
            Files.deleteIfExists(reclaim());
            reclaims = false;
        }
    }

    private Path reclaim() {
        return directory.mode().home().resolve(name + ".lock.reclaim");
    }

    // ---- release requests, and what the kernel says ----

    @Override
    public boolean releaseRequested(long token) throws IOException {
        try {
            return directory.hasRequests() && Files.exists(request(token), LinkOption.NOFOLLOW_LINKS);
        } catch (NoSuchFileException | NotDirectoryException e) {
            return false; // the directory is gone, or something lies in its place: the deep check says so, and the lock is lost
        }
    }

    @Override
    public void requestRelease(long token) throws IOException {
        directory.mode().createIfMissing(request(token));
        directory.forgetRequests();
    }

    @Override
    public void dropReleaseRequest(long token) {
        try {
            Files.deleteIfExists(request(token));
        } catch (IOException e) {
            directory.log().debug("a request to let go stays in {}; it is swept later", directory.inner(), e);
        }
    }

    private Path request(long token) {
        return directory.mode().inner().resolve("release-" + token);
    }

    @Override
    public void lookAfresh() throws IOException {
        thereSince = null;
        directory.forgetRequests();
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
        return knowsByteLost(seat) ? Boolean.FALSE
                : directory.kernelHas(GuardFiles.guardOf(hash), GuardFiles.positionOf(hash, seat), byteOf(seat).takenAt());
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
            FileLock lock = byteOf(seat).lock();
            if (lock != null && !directory.guards().isOfThisFile(hash, lock)) {
                return "the guard files of " + directory.inner() + " were replaced";
            }
        }
        if (directory.isDisplaced()) {
            return directory.inner() + " was replaced";
        }
        if (entryOf != null && entryOf != directory.table()) {
            return "the board of " + directory.inner() + " was replaced";
        }
        return hasAnotherEntry() ? "the lock has another line on the board of " + directory.inner() + ", which is in use" : null;
    }

    private boolean hasAnotherEntry() {
        TableEntry known = entry;
        SharedTable table = entryOf;
        try {
            return table != null && known != null && !table.isOnly(known);
        } catch (IOException e) {
            directory.log().debug("could not look for further lines of {}", this, e);
            return false;
        }
    }

    @Override
    public String toString() {
        return lockFile().toString();
    }
}

package dev.sessionlock.internal.directory;

import java.io.IOException;
import java.nio.file.Path;
import java.util.function.BooleanSupplier;
import org.jspecify.annotations.Nullable;

/**
 * The disk and kernel side of one reader slot of a lock. A slot is a lock of its own: it has a number, bytes and a table entry like any other, and its record lies in
 * {@code .session-locks}, as {@code reader-<number>}. Its tokens are those of the lock.
 */
final class ReaderSlotStore extends FileLockStore {
    /** Begins the name of a reader's record. */
    static final String PREFIX = "reader-";
    private static final String TAKEOVER = ".takeover";
    /** The time of change of a new file may be so much behind the clock: the kernel takes it from its last tick. */
    private static final long TICK_MILLIS = 10;

    private final FileLockStore lock;
    private final int slot;
    /** What this slot's entry was last shown as: it is compared by identity. */
    private @Nullable SlotEntry entry;
    /** Tells whether nobody else can have linked its record, so that the file may serve another lock; null if somebody may have. */
    private @Nullable BooleanSupplier nobodyCame;
    /** Since when this process reads, wall clock: a request that is older was for others. */
    private long readsSince;

    /**
     * @param lock the lock
     * @param slot which of its slots
     */
    ReaderSlotStore(FileLockStore lock, int slot) {
        super(lock.directory(), lock.name(), number(lock.directory().key(lock.name()), slot));
        this.lock = lock;
        this.slot = slot;
    }

    /** {@return the number of a slot, as that of a lock; no file has such a name} */
    static long number(String key, int slot) {
        return LockName.hash(key + "/" + slot);
    }

    /** {@return the name of a reader's record in {@code .session-locks}} */
    static String fileName(long number) {
        return PREFIX + Long.toHexString(number);
    }

    @Override
    Path at(RecordLocation location) {
        String file = fileName(hash());
        return directory().mode().inner().resolve(location == RecordLocation.LOCK ? file : file + TAKEOVER);
    }

    @Override
    public Path lockFile() {
        return directory().inner().resolve(fileName(hash()));
    }

    // ---- the entry ----

    @Override
    public @Nullable TableEntry findEntry() throws IOException {
        return shown(super.findEntry());
    }

    @Override
    public @Nullable TableEntry claimEntry() throws IOException {
        return shown(super.claimEntry());
    }

    @Override
    public @Nullable TableEntry findOnlyEntry() throws IOException {
        return shown(super.findOnlyEntry());
    }

    private @Nullable TableEntry shown(@Nullable TableEntry its) throws IOException {
        TableEntry of = its == null ? null : lock.findEntry();
        if (its == null || of == null) {
            return null;
        }
        SlotEntry known = entry;
        if (known == null || known.its() != its || known.ofLock() != of) {
            known = new SlotEntry(its, of);
            entry = known;
        }
        return known;
    }

    // ---- records: nobody but the library looks for them ----

    @Override
    public RecordFile write(LockRecord record) throws IOException {
        readsSince = record.createdAt();
        nobodyCame = null;
        return super.write(record);
    }

    @Override
    public void keepRecordFileIf(BooleanSupplier condition) {
        nobodyCame = condition;
    }

    /** Another reader may have linked it to {@code x.lock} just now. Then it must not serve another lock. */
    @Override
    public void recycle(RecordFile recordFile) throws IOException {
        BooleanSupplier condition = nobodyCame;
        nobodyCame = null;
        if (condition != null && condition.getAsBoolean()) {
            super.recycle(recordFile);
        } else {
            retire(recordFile);
        }
    }

    @Override
    public boolean targetExists() {
        return true; // so that a torn record of a slot is replaced, like any other, once it is old
    }

    @Override
    public boolean beginReclaim() {
        return true;
    }

    @Override
    public void endReclaim() {
        // Other programs do not look here.
    }

    @Override
    public boolean sharesAmongReaders() {
        return false;
    }

    // ---- requests are for all readers that have a token ----

    @Override
    public boolean releaseRequested(long token) throws IOException {
        return requests().isThereSince(token, readsSince - TICK_MILLIS);
    }

    /** It stays for the others. It is swept once it is old. */
    @Override
    public void dropReleaseRequest(long token) {
        // Nothing is dropped.
    }

    @Override
    public String toString() {
        return lock + ", reader slot " + slot;
    }
}

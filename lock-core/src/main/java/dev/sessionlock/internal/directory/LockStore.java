package dev.sessionlock.internal.directory;

import dev.sessionlock.internal.system.Liveness;
import dev.sessionlock.internal.system.ProcessIdentity;
import dev.sessionlock.internal.system.SystemFiles;
import dev.sessionlock.spi.Clock;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Instant;
import java.util.concurrent.TimeUnit;
import java.util.function.BooleanSupplier;
import org.jspecify.annotations.Nullable;

/**
 * The disk and kernel side of one lock: everything that the seat protocol asks of the world, and nothing more - two kernel bytes, a table entry, the
 * record, the clock. The real one is {@link FileLockStore}. The simulation has another, in which every call is a point where the process may be
 * stopped or killed.
 *
 * <p>Used by one thread at a time, except for {@link #awaitByte}, which blocks a thread of its own.
 */
public interface LockStore {

    /** Where a record of this lock may lie. */
    enum RecordLocation {
        /** {@code x.lock}, beside the target: created by the holder of either seat, deleted only by the holder of byte 0. A successor may also rename its own over it. */
        LOCK,
        /** {@code takeover-x}: the record of a successor on seat 1, touched only by the holder of byte 1. */
        TAKEOVER;

        /** {@return where the record of a seat lies} */
        public static RecordLocation ofSeat(int seat) {
            return seat == 0 ? LOCK : TAKEOVER;
        }
    }

    /** A record of ours, written but perhaps not yet linked anywhere. Opaque above this floor. */
    interface RecordFile {
    }

    /**
     * A file that was found where a record may lie.
     *
     * @param content what it says
     * @param key its device and inode
     * @param ageMillis how long ago it was last written, by the wall clock
     * @param watchedMillis for how long it has been seen unchanged from here, by the monotonic clock
     */
    record Found(LockContent content, Object key, long ageMillis, long watchedMillis) {
    }

    /** {@return the lock's name: the target's file name} */
    String name();

    /** {@return the user's file; never opened} */
    Path target();

    /** {@return where the record is while the lock is held} */
    Path lockFile();

    /** {@return the clocks} */
    Clock clock();

    /**
     * {@return for how long a process that wants the lock waits for an owner whose lease is over, in case the machine slept and the owner lives; 0 where no lease
     * runs out meanwhile} The owner needs about a second, which is how often its keeper looks, and more if the machine is busy after it has woken.
     */
    default long wakeUpNanos() {
        return SystemFiles.OF_THIS_PROCESS.clockCountsSleep() ? TimeUnit.SECONDS.toNanos(5) : 0;
    }

    /** {@return the identity of this process} */
    default ProcessIdentity self() {
        return ProcessIdentity.current();
    }

    /** {@return where this process writes down what happened here, and who waits; null if nowhere} */
    default @Nullable DirectoryNotes notes() {
        return null;
    }

    /** {@return the low bits by which others recognize what this process writes to the entry: {@link TableEntry#MARK_BITS}} */
    long mark();

    /** {@return whether a process lives} */
    Liveness judge(long pid, long startTicks, @Nullable Instant started);

    /** {@return false if expiries and leases of other processes cannot be compared with our clock (another time namespace)} */
    boolean comparable();

    /** {@return whether all processes share the table; without it (network file systems) nobody is taken over} */
    boolean shared();

    /** {@return whether several processes can hold the lock in mode SHARED} Not without hard links, and not without a shared table. */
    default boolean sharesAmongReaders() {
        return false;
    }

    /**
     * {@return the store of one of this lock's reader slots: a lock of its own, which one reader's process holds} Its tokens are those of this lock; to take it
     * draws none. Its record lies in {@code .session-locks}, and {@link #cover} and {@link #coverBy} may put it at {@code x.lock} as well.
     */
    default LockStore readerSlot(int slot) {
        throw new UnsupportedOperationException("no reader slots: " + this);
    }

    /**
     * When the record of this reader slot is let go of next, its file may serve another lock if this is true: nobody else can have linked it anywhere. Asked once it does not lie in
     * the slot any more.
     */
    default void keepRecordFileIf(BooleanSupplier nobodyCame) {
    }

    /** Takes a seat's byte. False if another process has it, if this one has it already, or if a thread of this one waits for it. This decides who owns a lock. */
    boolean tryByte(int seat) throws IOException;

    /**
     * Waits until this process has a seat's byte. Cannot be cancelled. The byte is nobody's until {@link #acceptByte} or {@link #declineByte}:
     * neither {@link #tryByte} nor {@link #freeByte} touches it.
     */
    void awaitByte(int seat) throws IOException;

    /** From now on the byte that {@link #awaitByte} got counts as one that {@link #tryByte} has taken. Returns false if there is none. */
    boolean acceptByte(int seat);

    /** Frees the byte that {@link #awaitByte} got, if there is one. */
    void declineByte(int seat) throws IOException;

    /** Frees a seat's byte, if it is ours. If that fails, {@link #giveBackOwed} tries it again. */
    void freeByte(int seat) throws IOException;

    /** Frees what {@link #freeByte} could not, and what a throwable interrupted, and fails if it still cannot. */
    default void giveBackOwed() throws IOException {
    }

    /**
     * {@return whether our byte of this seat is known to be lost, without asking the kernel: its channel has been closed} Memory only, any thread.
     */
    default boolean knowsByteLost(int seat) {
        return false;
    }

    /** {@return the table entry of this lock; null if it has none} Completely certain only with one of its bytes held. */
    @Nullable TableEntry findEntry() throws IOException;

    /** {@return the only table entry of this lock, claimed if it had none; null while it has two that are in use} Requires byte 0. */
    @Nullable TableEntry claimEntry() throws IOException;

    /** {@return the only table entry of this lock, searched anew; null if it has none, or two that are in use} */
    default @Nullable TableEntry findOnlyEntry() throws IOException {
        return findEntry();
    }

    /** Writes a record where nobody sees it yet. */
    RecordFile write(LockRecord record) throws IOException;

    /** Writes a record anew, in place; readers see the change. */
    void rewrite(RecordFile recordFile, LockRecord record) throws IOException;

    /** Puts a record at a location, whole. False if a file is there. */
    boolean link(RecordFile recordFile, RecordLocation location) throws IOException;

    /**
     * Called once our record is linked: checks that it is our record indeed, and that others who open the table now find this entry. A process that
     * opens another table after that finds the record, and waits for it. A process that used another table before could not be seen by us, nor we by
     * it.
     *
     * @throws java.nio.file.NoSuchFileException if something else was linked
     * @throws TableFault if another file is at the name of one that the entry depends on
     */
    default void requireInPlace(RecordFile recordFile, RecordLocation location, TableEntry entry) throws IOException {
        entry.requireInPlace();
    }

    /**
     * Puts a record at {@link RecordLocation#LOCK} in place of the one with this key, so that the location is never empty in between; where the
     * system replaces no open file (Windows), it is empty for a moment. Requires byte 1. False if another file is there, or where one record cannot be at two locations.
     */
    boolean cover(RecordFile recordFile, Object key) throws IOException;

    /**
     * As {@link #cover}, with the record that lies in a reader slot, of whichever process. Requires byte 0, which is ours.
     *
     * @param recordFile a record of ours, whose name is used in between
     * @param slot the slot
     * @param found what {@link #find} has found in that slot, at {@link RecordLocation#LOCK}
     * @param key of what lies at {@code x.lock}
     */
    default boolean coverBy(RecordFile recordFile, LockStore slot, Found found, Object key) throws IOException {
        return false;
    }

    /** Lets go of what a record costs beyond its file: it will stay linked for long. */
    default void rest(RecordFile recordFile) throws IOException {
    }

    /** {@return whether this very record is at a location: the inode, not only the name} */
    boolean isAt(RecordFile recordFile, RecordLocation location) throws IOException;

    /** As {@link #isAt}, for a caller that asks repeatedly: need not look if nothing can have changed since the last {@link #lookAfresh}. */
    default boolean isStillAt(RecordFile recordFile, RecordLocation location) throws IOException {
        return isAt(recordFile, location);
    }

    /** Deletes the file at a location, if it has this key. */
    void delete(RecordLocation location, Object key) throws IOException;

    /** Deletes our record from a location, where it was just seen. */
    void unlink(RecordFile recordFile, RecordLocation location) throws IOException;

    /** Lets go of a record that is linked nowhere. One that was let go of before is left alone: it may be another lock's. */
    void recycle(RecordFile recordFile) throws IOException;

    /** Lets go of a record that may still be linked somewhere. One that was let go of before is left alone: it may be another lock's. */
    void retire(RecordFile recordFile) throws IOException;

    /** {@return the file at a location; null if there is none} */
    @Nullable Found find(RecordLocation location) throws IOException;

    /** {@return whether the target exists} */
    boolean targetExists();

    /**
     * {@return whether this lock was taken here before, as far as the table knows} Then an empty file at x.lock is a record of ours that a power cut
     * has emptied, and not a foreign lock.
     */
    boolean wasTaken();

    /** Announces, as OpenClaw's locks expect it, that a dead lock is about to be replaced. False while another process does so. */
    boolean beginReclaim() throws IOException;

    /** Ends what {@link #beginReclaim} began, if it did. */
    void endReclaim() throws IOException;

    /** {@return whether somebody asked the holder of this token to release} */
    boolean releaseRequested(long token) throws IOException;

    /** Asks the holder of this token to release. */
    void requestRelease(long token) throws IOException;

    /** Removes a release request that was obeyed. */
    void dropReleaseRequest(long token);

    /** Reads anew what {@link #kernelHasByte} and {@link #displaced} use for their answers. */
    default void lookAfresh() throws IOException {
    }

    /** {@return whether the kernel has our byte; null if it does not say} */
    @Nullable Boolean kernelHasByte(int seat);

    /** Takes a byte again that the kernel has lost. False if another process has it by now. */
    boolean retakeByte(int seat) throws IOException;

    /** {@return what can be seen of this lock without touching it} */
    LockSnapshot snapshot() throws IOException;

    /** Has {@link #displaced} answer for now; for guard files and table, for a moment ago. Cheaper than {@link #lookAfresh} if many locks ask. */
    default void lookAround() throws IOException {
    }

    /** The lock's table entry could not be read or written: a new table is created if it was cut short, and {@link #displaced} tells. */
    default void entryFailed() throws IOException {
    }

    /** {@return what was found replaced at the last look afresh or around: the directory, a guard file, the table; null if all is in place} */
    @Nullable String displaced();
}

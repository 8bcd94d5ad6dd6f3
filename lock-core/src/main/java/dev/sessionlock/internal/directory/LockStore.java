package dev.sessionlock.internal.directory;

import dev.sessionlock.internal.system.ProcessIdentity;
import dev.sessionlock.internal.system.Liveness;
import dev.sessionlock.spi.Clock;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Instant;
import org.jetbrains.annotations.Nullable;

/**
 * One lock's place in its directory: everything that the seat protocol asks of the world, and nothing more - two kernel bytes,
 * a line of the board, the record, the clock. The real one is {@link FileLockStore}; the simulation has another, in which every
 * call is a point where the process may be stopped or killed.
 *
 * <p>Used by one thread at a time, but for {@link #awaitByte}, which blocks one of its own.
 */
public interface LockStore {

    /** Where a record of this lock may lie. */
    enum RecordLocation {
        /** {@code x.lock}, beside the target: created by whoever holds a seat, deleted only by the holder of byte 0. */
        LOCK,
        /** {@code takeover-x}: the record of a successor on seat 1, touched only by the holder of byte 1. */
        TAKEOVER
    }

    /** A record of ours, written but perhaps not yet linked anywhere. Opaque above this floor. */
    interface RecordFile {
    }

    /**
     * What lies at a spot.
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

    /** {@return where the record lies while the lock is held} */
    Path lockFile();

    /** {@return the clocks} */
    Clock clock();

    /** {@return who we are} */
    ProcessIdentity self();

    /** {@return the low bits by which others know what this process writes on the line: {@link BarRow#MARK_BITS}} */
    long mark();

    /** {@return whether a process lives} */
    Liveness judge(long pid, long startTicks, @Nullable Instant started);

    /** {@return false if untils and leases of other processes cannot be compared with our clock (another time namespace)} */
    boolean comparable();

    /** {@return whether all processes share the board; without it (network file systems) nobody is passed over} */
    boolean shared();

    /** Takes a seat's byte. False if another process has it, or a thread of this one waits for it. */
    boolean tryByte(int seat) throws IOException;

    /**
     * Waits until this process has a seat's byte. Cannot be broken off. The byte is nobody's until {@link #acceptByte} or {@link #declineByte}: neither
     * {@link #tryByte} nor {@link #freeByte} touches it.
     */
    void awaitByte(int seat) throws IOException;

    /** Makes the byte that {@link #awaitByte} got one as {@link #tryByte} takes it. {@return false if there is none} */
    boolean acceptByte(int seat);

    /** Gives back the byte that {@link #awaitByte} got, if there is one. */
    void declineByte(int seat) throws IOException;

    /** Gives a seat's byte back, if it is ours. If that fails, {@link #giveBackOwed} tries it again. */
    void freeByte(int seat) throws IOException;

    /** Gives back what {@link #freeByte} could not, and what a throwable broke off, and fails if it still cannot. */
    default void giveBackOwed() throws IOException {
    }

    /**
     * {@return whether it is known without asking the kernel that our byte of this seat is gone: what it was taken through has been closed} Memory only,
     * any thread.
     */
    default boolean knowsByteLost(int seat) {
        return false;
    }

    /** {@return the line of this lock; null if it has none. Wholly sure only with one of its bytes in hand} */
    @Nullable TableEntry findEntry() throws IOException;

    /** {@return the only line of this lock, claimed if it had none; null while it has two that are in use. With byte 0 in hand} */
    @Nullable TableEntry claimEntry() throws IOException;

    /** {@return the only line of this lock, looked for afresh; null if it has none, or two that are in use} */
    default @Nullable TableEntry findOnlyEntry() throws IOException {
        return findEntry();
    }

    /** Writes a record where nobody sees it yet. */
    RecordFile write(LockRecord record) throws IOException;

    /** Writes a record anew, in place; who sees it sees the change. */
    void rewrite(RecordFile recordFile, LockRecord record) throws IOException;

    /** Puts a record at a spot, whole. False if something lies there. */
    boolean link(RecordFile recordFile, RecordLocation location) throws IOException;

    /**
     * To be asked once our record is linked: whether that is our record indeed, and whether others who open the table now find this line. Whoever opens
     * another table after that finds the record, and waits for it. Whoever stood on another one before was not to be seen by us, nor we by him.
     *
     * @throws java.nio.file.NoSuchFileException if something else was linked
     * @throws TableFault if another file lies at the name of one that the line depends on
     */
    default void requireInPlace(RecordFile recordFile, RecordLocation location, TableEntry entry) throws IOException {
        entry.requireInPlace();
    }

    /**
     * Puts a record at {@link RecordLocation#LOCK} in place of the one with this key, so that nobody meets that spot empty. With byte 1 in hand. False
     * if another lies there, or where one record cannot lie at two spots.
     */
    boolean cover(RecordFile recordFile, Object key) throws IOException;

    /** Lets go of what a record costs beyond its file: it will stay linked for long. */
    default void rest(RecordFile recordFile) throws IOException {
    }

    /** {@return whether the very record lies at a spot: the inode, not only the name} */
    boolean isAt(RecordFile recordFile, RecordLocation location) throws IOException;

    /** As {@link #isAt}, for one who asks again and again: need not look where, since the last {@link #lookAfresh}, nothing can have changed. */
    default boolean isStillAt(RecordFile recordFile, RecordLocation location) throws IOException {
        return isAt(recordFile, location);
    }

    /** Deletes what lies at a spot, if it has this key. */
    void delete(RecordLocation location, Object key) throws IOException;

    /** Deletes our record from a spot, having seen that it is there. */
    void unlink(RecordFile recordFile, RecordLocation location) throws IOException;

    /** Lets go of a record that is linked nowhere. One that has been let go of already is left alone: it may be another lock's. */
    void recycle(RecordFile recordFile) throws IOException;

    /** Lets go of a record that may still be linked somewhere. One that has been let go of already is left alone: it may be another lock's. */
    void retire(RecordFile recordFile) throws IOException;

    /** {@return what lies at a spot; null if nothing does} */
    @Nullable Found find(RecordLocation location) throws IOException;

    /** {@return whether the target exists} */
    boolean targetExists();

    /**
     * {@return whether this lock was taken here before, as far as the table knows} Then an empty file in its place is a record of ours whose content a
     * power cut has taken, and not another program's.
     */
    boolean wasTaken();

    /** Announces, as OpenClaw's locks expect it, that a dead lock is about to be replaced. False while another does so. */
    boolean beginReclaim() throws IOException;

    /** Ends what {@link #beginReclaim} began, if it did. */
    void endReclaim() throws IOException;

    /** {@return whether somebody asked the holder of this token to let go} */
    boolean releaseRequested(long token) throws IOException;

    /** Asks the holder of this token to let go. */
    void requestRelease(long token) throws IOException;

    /** Takes a request to let go away, once it has been followed. */
    void dropReleaseRequest(long token);

    /** Reads anew what {@link #kernelHasByte} and {@link #displaced} answer from. */
    default void lookAfresh() throws IOException {
    }

    /** {@return whether the kernel has our byte, as it says itself; null if it does not say} */
    @Nullable Boolean kernelHasByte(int seat);

    /** Takes a byte again that the kernel has lost. False if another has it by now. */
    boolean retakeByte(int seat) throws IOException;

    /** {@return what can be seen of this lock without touching it} */
    LockSnapshot snapshot() throws IOException;

    /**
     * Has {@link #displaced} tell what is so now: of guards and board, what was so a moment ago. Less dear than {@link #lookAfresh} if it is asked
     * for many locks.
     */
    default void lookAround() throws IOException {
    }

    /** The lock's line could not be read or written: has the table made anew if it was cut short, and {@link #displaced} tell. */
    default void entryFailed() throws IOException {
    }

    /** {@return what is no longer what it was as of the last look afresh or around - the directory, a guard, the board; null if all is in place} */
    @Nullable String displaced();
}

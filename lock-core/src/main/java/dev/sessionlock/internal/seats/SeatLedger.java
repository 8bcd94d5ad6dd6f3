package dev.sessionlock.internal.seats;

import dev.sessionlock.internal.directory.LockRecord;
import dev.sessionlock.internal.directory.LockStore;
import dev.sessionlock.internal.directory.LockStore.RecordFile;
import dev.sessionlock.internal.directory.LockStore.RecordLocation;
import dev.sessionlock.internal.directory.TableEntry;
import dev.sessionlock.internal.directory.TableFault;
import dev.sessionlock.internal.system.Log;
import dev.sessionlock.internal.system.Loggers;
import dev.sessionlock.spi.Hold;
import java.io.IOException;
import org.jspecify.annotations.Nullable;

/**
 * What this process has of one lock, so that it can be given back whatever was thrown: an error may come out of any call, between any two steps.
 *
 * <p>What the kernel gives is stored by the assignment that follows the call, and forgotten after it was given back. {@link #unsettled} is set before
 * a call takes bytes, and is not cleared if the call is interrupted. What a call puts on a seat is in {@link #attempt}, each step noted before it is
 * made. A hold that is given out is noted last, in {@link #out}. Whoever changes the order of these assignments loses a byte or a record when an error
 * comes between them; {@code SeatEngineErrorsTest} injects one before and after each operation.
 */
final class SeatLedger {
    private static final Log log = Loggers.LIBRARY;

    final LockStore store;
    /** Null until a record could not be deleted, which hardly ever happens. */
    private @Nullable PendingDeletes pendingDeletes;
    /**
     * The last token that this process is known to have drawn here; 0 before the first. If the entry has another one later, another process had the
     * lock.
     */
    long lastToken;
    /** The bytes that a kernel waiter acquired ahead for the next take, one bit per seat. */
    private int bytesAhead;
    /** The hold that was given out. Set as the last step of giving it, cleared once it has been given back. */
    @Nullable SeatHold out;
    /** What the current call, or one that a throwable has interrupted, has put on a seat. */
    @Nullable SeatAttempt attempt;
    /** A call that takes bytes is running, or was interrupted by a throwable: then we may have a byte that belongs to no hold. */
    boolean unsettled;

    /** The entry at whose first use no successor's record was in the way: see {@link SeatAcquisition#waitForSuccessorOnAnotherTable}. */
    @Nullable TableEntry withoutSuccessor;
    /** For how long seat 0's expiry has been past at every look of this process, which is trying to take the lock; null if it was not at the last one. */
    @Nullable TakeoverPatience seat0Past;
    /** The same of seat 1, where the clock counts the time for which the machine sleeps. */
    @Nullable TakeoverPatience seat1Past;

    SeatLedger(LockStore store) {
        this.store = store;
    }

    // ---- what a call has put on a seat ----

    /**
     * Undoes what an attempt has done: its record, then its expiry, then its byte. If a throwable interrupts this, the next call goes on. The byte
     * must not be freed before the record is gone: only the holder of the byte may delete the record.
     */
    void takeBack(SeatAttempt mine) throws IOException {
        Exception failure = null;
        try {
            if (mine.reclaiming) {
                store.endReclaim();
                mine.reclaiming = false;
            }
            takeBackRecord(mine);
        } catch (IOException | RuntimeException e) { // not an Error: after one it may be unknown what was done
            failure = e;
        }
        try {
            if (mine.entry != null) {
                mine.entry.replaceExpiry(mine.seat, mine.expiry, 0);
            }
        } catch (TableFault e) { // the expiry runs out by itself; the byte must not stay for it
            failure = failure == null ? e : failure;
        }
        if (!hasByteAhead(mine.seat)) {
            store.freeByte(mine.seat);
        }
        attempt = null;
        if (failure instanceof IOException e) {
            throw e;
        } else if (failure != null) {
            throw (RuntimeException) failure;
        }
    }

    /** Deletes the record of an attempt that did not become a hold. */
    private void takeBackRecord(SeatAttempt mine) throws IOException {
        RecordFile recordFile = mine.recordFile;
        if (recordFile == null) {
            return;
        }
        RecordLocation location = RecordLocation.ofSeat(mine.seat);
        try {
            if (mine.covering && store.isAt(recordFile, RecordLocation.LOCK)) {
                deleteLater(recordFile, RecordLocation.LOCK); // deleting needs byte 0, which is not ours
                giveUp(recordFile, mine.record);
            }
            if (store.isAt(recordFile, location)) {
                store.unlink(recordFile, location);
            }
        } catch (IOException | RuntimeException e) {
            deleteLater(recordFile, location);
            mine.recordFile = null;
            giveUp(recordFile, mine.record);
            throw e;
        }
        try {
            if (pendingDeletes == null || !pendingDeletes.needs(recordFile)) {
                store.recycle(recordFile);
            }
            mine.recordFile = null;
        } catch (IOException | RuntimeException e) {
            mine.recordFile = null;
            throw e;
        }
    }

    /** Rewrites a record that has to stay for a while, so that nobody waits for it. */
    private void giveUp(RecordFile recordFile, LockRecord record) throws IOException {
        store.rewrite(recordFile, record.givenBack(store.clock().wallMillis() + record.leaseMs()));
    }

    /**
     * Finishes what a throwable has interrupted. Afterwards nothing of the lock is ours except the hold that was given out, what waits in
     * {@link PendingDeletes}, and bytes acquired ahead.
     */
    void releaseFailedAttempt() throws IOException {
        SeatAttempt left = attempt;
        if (left != null) {
            log.warn("{}: an earlier call was broken off by an error; what it has left is taken back", store.lockFile());
            takeBack(left);
        }
        for (int seat = 0; seat < 2; seat++) {
            if (!hasByteAhead(seat) && (out == null || out.seat != seat)) {
                store.freeByte(seat);
            }
        }
        store.giveBackOwed();
        unsettled = false;
    }

    void releaseFailedAttemptQuietly() {
        try {
            if (unsettled) {
                releaseFailedAttempt();
            }
        } catch (IOException | RuntimeException e) {
            log.debug("still cannot clean up after the lock {}", store.lockFile(), e);
        }
    }

    // ---- records that wait for a byte ----

    /** Only the holder of a location's byte may delete a record there, and the byte is not ours now. */
    void deleteLater(RecordFile recordFile, RecordLocation location) {
        if (pendingDeletes == null) {
            pendingDeletes = new PendingDeletes(store);
        }
        pendingDeletes.add(recordFile, location);
    }

    /** {@return whether any record waits for a byte} */
    boolean hasPendingDeletes() {
        return pendingDeletes != null && !pendingDeletes.isEmpty();
    }

    /** Deletes them, each with the byte of its location, which is taken for it if nobody has it. */
    void deletePending() throws IOException {
        for (int seat = 0; seat < 2 && hasPendingDeletes(); seat++) {
            if (!hasByteAhead(1 - seat)) { // rule 3: never both bytes
                deletePendingOf(seat);
            }
        }
    }

    private void deletePendingOf(int seat) throws IOException {
        RecordLocation location = RecordLocation.ofSeat(seat);
        if (!pendingDeletes.isAnyAt(location)) {
            return;
        }
        boolean before = unsettled;
        unsettled = true;
        if (store.tryByte(seat)) {
            try {
                pendingDeletes.deleteAt(location);
            } finally {
                store.freeByte(seat);
            }
        }
        unsettled = before;
    }

    // ---- bytes ----

    /**
     * Takes byte 0. A byte acquired ahead came without a value read before; unless the expiry is 0, it is freed and requested once more (rule 1).
     *
     * @param expiry seat 0's, read before this call
     */
    boolean tryByte0(long expiry) throws IOException {
        if (hasByteAhead(0) && expiry == 0 && !store.knowsByteLost(0)) {
            forgetByteAhead(0);
            return true;
        } else if (hasByteAhead(0)) {
            giveBackByteAhead(0);
        }
        return store.tryByte(0);
    }

    void acceptAwaited(int what) {
        releaseFailedAttemptQuietly();
        boolean before = unsettled;
        unsettled = true;
        if (store.acceptByte(what)) { // else a throwable interrupted an earlier acceptance, and the byte was given back
            bytesAhead |= 1 << what;
        }
        unsettled = before;
        if (hasByteAhead(0) && hasByteAhead(1)) { // rule 3: never both bytes
            giveBackByteAhead(1);
        }
    }

    void declineAwaited(int what) {
        freeQuietly(() -> store.declineByte(what));
    }

    void declineAllAwaited() {
        releaseFailedAttemptQuietly();
        for (int what = 0; what < 2; what++) {
            if (hasByteAhead(what)) {
                giveBackByteAhead(what);
            }
        }
    }

    boolean hasByteAhead(int seat) {
        return (bytesAhead & 1 << seat) != 0;
    }

    private void forgetByteAhead(int seat) {
        bytesAhead &= ~(1 << seat);
    }

    void giveBackByteAhead(int seat) {
        boolean before = unsettled;
        unsettled = true;
        forgetByteAhead(seat); // first: a byte acquired ahead that is not ours any more would serve a take
        freeQuietly(() -> store.freeByte(seat));
        unsettled = before;
    }

    private void freeQuietly(ReleaseStep free) {
        try {
            free.run();
        } catch (IOException e) {
            log.warn("could not give back a kernel lock of {}", store.lockFile(), e);
        }
    }

    interface ReleaseStep {
        void run() throws IOException;
    }

    /** A failure while giving back does not concern the user: it is logged, and the keeper tries again. */
    boolean quietly(Hold hold, ReleaseStep step) {
        try {
            step.run();
            return true;
        } catch (IOException | RuntimeException e) {
            log.warn("could not clean up after the lock {} (token {}); it is tried again", store.lockFile(), hold.token(), e);
            return false;
        }
    }
}

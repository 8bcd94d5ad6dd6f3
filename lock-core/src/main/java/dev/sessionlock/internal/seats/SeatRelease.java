package dev.sessionlock.internal.seats;

import dev.sessionlock.internal.directory.LockRecord;
import dev.sessionlock.internal.directory.LockStore;
import dev.sessionlock.internal.directory.LockStore.RecordLocation;
import dev.sessionlock.internal.directory.TableFault;
import dev.sessionlock.internal.system.Log;
import dev.sessionlock.internal.system.Loggers;
import dev.sessionlock.spi.Hold;
import java.io.IOException;

/**
 * Gives a lock back: the record, then the expiry, then the byte. In another order, the next holder could lose its record to us, or meet our expiry. A
 * step that fails is logged and tried again by {@link #tidy}; one that a throwable interrupts is done again by the next call, since {@link SeatLedger}
 * still says that it is ours. Made for one call; it keeps nothing.
 */
final class SeatRelease {
    private static final Log log = Loggers.LIBRARY;

    private final LockStore store;
    private final Expiries expiries;
    private final SeatLedger ledger;

    SeatRelease(LockStore store, Expiries expiries, SeatLedger ledger) {
        this.store = store;
        this.expiries = expiries;
        this.ledger = ledger;
    }

    void release(Hold held) {
        SeatHold hold = ledger.out;
        if (hold == null || hold.recordFile != ((SeatHold) held).recordFile) {
            return; // given back already: its record file and byte may serve another hold by now
        }
        ledger.lastToken = hold.lastDrawn(); // it may have been reused since it was taken
        giveBack(hold); // the hold that is out: after a hand-over that the caller did not learn of, the caller gives back the older one
        ledger.out = null;
        tidyOtherSeatQuietly(hold);
    }

    /** A caller that takes the lock or tidies up has no hold. If one is out, something was thrown before the caller was told of it. */
    void releaseUnknown() {
        SeatHold unknown = ledger.out;
        if (unknown != null) {
            release(unknown);
        }
    }

    /** Gives back all that belongs to a hold. What a throwable interrupts in here, the next call finishes. */
    void giveBack(SeatHold hold) {
        hold.byteLost |= !hold.recordSettled && hold.isByteMissing(store);
        if (!hold.recordSettled && !ledger.quietly(hold, () -> removeRecord(hold))) {
            ledger.deleteLater(hold.recordFile, RecordLocation.ofSeat(hold.seat));
        }
        hold.recordSettled = true;
        // An expiry that still is ours is withdrawn even if the byte is lost: it would shield a frozen process that has the byte now from takeover.
        // Not on seat 1, where it says that a record lies there.
        if (!hold.byteLost || hold.seat == 0) {
            withdrawExpiry(hold);
        }
        if (!ledger.hasByteAhead(hold.seat)) {
            ledger.quietly(hold, () -> store.freeByte(hold.seat));
        }
    }

    /** If the table cannot be written, the expiry runs out by itself: the byte must not stay for it. */
    private void withdrawExpiry(SeatHold hold) {
        try {
            hold.settleExpiry();
            hold.entry.replaceExpiry(hold.seat, hold.published, 0);
        } catch (TableFault e) {
            hold.trouble = e.getMessage();
            log.debug("the lock {} is given back, though the table does not say so", store.lockFile(), e);
        }
    }

    void tidyOtherSeatQuietly(SeatHold hold) {
        boolean before = ledger.unsettled;
        ledger.unsettled = true;
        ledger.quietly(hold, () -> tidyOtherSeat(hold));
        ledger.unsettled = before;
    }

    private void removeRecord(SeatHold hold) throws IOException {
        RecordLocation location = RecordLocation.ofSeat(hold.seat);
        hold.isAtLock(store);
        if (hold.byteLost) {
            ledger.deleteLater(hold.recordFile, location); // only the holder of the byte may delete it
            if (hold.atLock) {
                ledger.deleteLater(hold.recordFile, RecordLocation.LOCK);
            }
            giveUp(hold);
        } else if (hold.atLock) {
            // Deleting x.lock needs byte 0, which is not ours yet. Until then our record must not look like a living one.
            ledger.deleteLater(hold.recordFile, RecordLocation.LOCK);
            giveUp(hold);
            if (store.isAt(hold.recordFile, location)) {
                store.unlink(hold.recordFile, location);
            }
        } else if (store.isAt(hold.recordFile, location)) {
            unlinkOrGiveUp(hold, location);
            store.recycle(hold.recordFile);
        } else {
            // Somebody removed or moved it, perhaps with its directory. When that is moved back, it must not speak for a process that has released.
            giveUp(hold);
            store.retire(hold.recordFile);
        }
    }

    private void unlinkOrGiveUp(SeatHold hold, RecordLocation location) throws IOException {
        try {
            store.unlink(hold.recordFile, location);
        } catch (IOException e) {
            giveUp(hold);
            throw e;
        }
    }

    /** Rewrites a record that has to stay for a while, so that nobody waits for it. */
    private void giveUp(SeatHold hold) throws IOException {
        LockRecord record = SeatRecords.of(store, hold.terms(), hold.token(), hold.createdAtMillis, 0, hold.renewedAt());
        store.rewrite(hold.recordFile, record.givenBack(record.leaseUntil()));
    }

    /** After the seat is free: deletes what is left on the other seat, or at x.lock. Each byte is requested alone. */
    private void tidyOtherSeat(SeatHold hold) throws IOException {
        if (ledger.hasPendingDeletes()) {
            tidy();
        }
        long leftOver = hold.seat == 0 ? hold.entry.expiry(1) : 0;
        if (leftOver != 0 && hold.entry.isValid() && expiries.isPast(leftOver, expiries.now())) {
            StaleRecords stale = new StaleRecords(store, expiries, ledger);
            long before = expiries.expiryOf(1);
            if (store.tryByte(1)) {
                stale.clearSeat1(before);
            }
        }
    }

    void abandon(Hold held) {
        SeatHold hold = (SeatHold) held;
        ledger.quietly(hold, () -> {
            if (store.isAt(hold.recordFile, RecordLocation.ofSeat(hold.seat))) {
                store.unlink(hold.recordFile, RecordLocation.ofSeat(hold.seat));
            }
            store.retire(hold.recordFile);
        });
    }

    boolean tidy() {
        try {
            releaseUnknown();
            if (ledger.unsettled) {
                ledger.releaseFailedAttempt();
            }
            store.giveBackOwed();
            ledger.deletePending();
            return !ledger.hasPendingDeletes();
        } catch (IOException | RuntimeException e) {
            log.debug("still cannot clean up after the lock {}", store.lockFile(), e);
            return false;
        }
    }
}

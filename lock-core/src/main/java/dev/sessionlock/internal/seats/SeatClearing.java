package dev.sessionlock.internal.seats;

import dev.sessionlock.internal.directory.LockStore;
import dev.sessionlock.internal.directory.LockStore.Found;
import dev.sessionlock.internal.directory.LockStore.RecordLocation;
import dev.sessionlock.internal.directory.TableEntry;
import dev.sessionlock.internal.directory.TableFault;
import dev.sessionlock.spi.Busy;
import dev.sessionlock.spi.EngineLock.ClearOutcome;
import dev.sessionlock.spi.EngineLock.Cleared;
import dev.sessionlock.spi.Terms;
import java.io.IOException;
import java.util.concurrent.TimeUnit;
import java.util.function.Supplier;

/**
 * The command {@code clear}: removes the record of a dead holder without taking the lock (PROTOCOL.md, section 5). Under the kernel bytes, as an
 * acquisition does it. Nothing is removed on account of a lease that is over: only the death of its process is proof. Made for one call.
 */
final class SeatClearing {
    /** The lease of a process that only clears: if it is frozen meanwhile, it blocks others for no longer. */
    private static final long CLEARING_NANOS = TimeUnit.SECONDS.toNanos(1);
    /** The terms of a caller that does not want the lock. */
    static final Terms NOBODYS = new Terms(CLEARING_NANOS, true, 0, null, null, false);
    private static final Cleared NOTHING = new Cleared(ClearOutcome.NOTHING, "nothing lies there any more");

    private final LockStore store;
    private final Expiries expiries;
    private final SeatLedger ledger;
    private final StaleRecords stale;
    private final Supplier<ReaderSlots> readers;

    SeatClearing(LockStore store, Expiries expiries, SeatLedger ledger, Supplier<ReaderSlots> readers) {
        this.readers = readers;
        this.store = store;
        this.expiries = expiries;
        this.ledger = ledger;
        this.stale = new StaleRecords(store, expiries, ledger);
    }

    /**
     * Under the kernel bytes, as an acquisition does it, but without entering: no token is drawn and no record written. What a dead successor left is
     * cleared first, since its expiry would be in the way. Each byte is requested alone (rule 3).
     */
    Cleared clear(boolean takeForeign) throws IOException {
        if (ledger.unsettled) {
            ledger.releaseFailedAttempt();
        }
        ledger.declineAllAwaited(); // while we have a byte acquired ahead, the other byte must not be requested
        ledger.unsettled = true;
        try {
            Cleared successor = clearTakeover();
            Cleared lock = clearLock(new Terms(CLEARING_NANOS, true, 0, null, null, takeForeign));
            ledger.unsettled = false;
            return lock.outcome() == ClearOutcome.NOTHING ? successor : lock;
        } catch (TableFault e) {
            store.entryFailed();
            throw e.getCause();
        }
    }

    private Cleared clearLock(Terms terms) throws IOException {
        long before = expiries.expiryOf(0);
        if (!ledger.tryByte0(before)) {
            return new Cleared(ClearOutcome.KEPT, "the kernel lock is held: a process has it now, or is just taking it");
        }
        SeatAttempt mine = new SeatAttempt(0);
        ledger.attempt = mine;
        try {
            Found found = store.find(RecordLocation.LOCK);
            if (found == null) {
                return NOTHING;
            }
            StaleLockPolicy.Judgement judgement = new StaleLockPolicy(store).judgeDead(found, terms.takeForeign());
            if (!(judgement instanceof StaleLockPolicy.Replace gone)) {
                return new Cleared(ClearOutcome.KEPT,
                        judgement instanceof StaleLockPolicy.WaitFor wait ? wait.why() : ((StaleLockPolicy.Refuse) judgement).what());
            }
            // Publish, then look, as rule 3 says: a successor would put its record in place of the dead one's, and we would delete it.
            TableEntry entry = store.claimEntry();
            if (entry == null) {
                return new Cleared(ClearOutcome.KEPT, "it has two entries in the shared table, which are both in use");
            }
            mine.expiry = expiries.expiryFor(terms, expiries.now());
            mine.entry = entry;
            if (!expiries.publishOnSeat0(entry, before, mine.expiry)) {
                return new Cleared(ClearOutcome.KEPT, "another process has taken it just now");
            }
            long now = expiries.now();
            if (!expiries.isPast(entry.expiry(1), now)) {
                return new Cleared(ClearOutcome.KEPT, "a successor holds it");
            }
            Busy busy = TableEntry.readersIn(entry.readers()) == 0 ? null : readers.get().drain(entry, terms);
            return busy == null ? takeAway(found, gone, entry) : new Cleared(ClearOutcome.KEPT, busy.why());
        } finally {
            ledger.takeBack(mine);
        }
    }

    private Cleared takeAway(Found found, StaleLockPolicy.Replace gone, TableEntry entry) throws IOException {
        // Before its record is gone: if the table is younger than the record and the clock was set back, a later token would be smaller.
        entry.raiseToken(gone.token());
        if (!stale.reclaim(found)) {
            return new Cleared(ClearOutcome.KEPT, "another process is replacing it just now (" + store.lockFile() + ".reclaim is there)");
        }
        if (store.find(RecordLocation.LOCK) != null) {
            return new Cleared(ClearOutcome.KEPT, "it changed while it was looked at");
        }
        LeftHolds.note(store, found, new StaleLockPolicy(store));
        return new Cleared(ClearOutcome.REMOVED, gone.evidence());
    }

    /** A successor's record is deleted only if its process is gone, and its byte is free. */
    private Cleared clearTakeover() throws IOException {
        if (store.find(RecordLocation.TAKEOVER) == null) {
            return NOTHING;
        }
        long before = expiries.expiryOf(1);
        if (!store.tryByte(1)) {
            return NOTHING;
        }
        boolean cleared = false;
        try {
            Found left = store.find(RecordLocation.TAKEOVER);
            if (left != null && new StaleLockPolicy(store).judgeDead(left, false) instanceof StaleLockPolicy.Replace gone) {
                cleared = true; // clearSeat1() frees the byte
                stale.clearSeat1(before);
                return new Cleared(ClearOutcome.REMOVED, gone.evidence());
            }
            return NOTHING;
        } finally {
            if (!cleared) {
                store.freeByte(1);
            }
        }
    }
}

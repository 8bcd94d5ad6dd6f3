package dev.sessionlock.internal.seats;

import dev.sessionlock.internal.directory.LockContent;
import dev.sessionlock.internal.directory.LockRecord;
import dev.sessionlock.internal.directory.LockStore;
import dev.sessionlock.internal.directory.LockStore.Found;
import dev.sessionlock.internal.directory.LockStore.RecordLocation;
import dev.sessionlock.internal.directory.TableEntry;
import dev.sessionlock.spi.Busy;
import dev.sessionlock.spi.Terms;
import java.io.IOException;
import java.util.Objects;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;

/**
 * The record at {@code x.lock} while a lock is read: that of one reader, which stands for all of them, so that other programs stay out. When its reader leaves, it puts
 * another reader's record there in one step. Only the holder of byte 0 removes or replaces it, or a reader on seat 1. Between our own processes it decides nothing, except
 * as a cross-check, like any record.
 */
final class Representative {
    private static final long LOOK_AGAIN_NANOS = TimeUnit.MILLISECONDS.toNanos(4);
    private static final int TRIES = 16;

    private final SeatLedger ledger;
    private final Expiries expiries;
    private final ReaderSlots slots;
    private final LockStore store;
    /** A record of ours may still lie at {@code x.lock} though we do not read: byte 0 was not free. It says that it was given back. */
    private boolean left;

    Representative(SeatLedger ledger, Expiries expiries, ReaderSlots slots) {
        this.ledger = ledger;
        this.expiries = expiries;
        this.slots = slots;
        this.store = ledger.store;
    }

    /** {@return whether a record speaks for readers, and its own reader may live} */
    boolean standsForReaders(@Nullable Found found, Terms terms) {
        return found != null && found.content() instanceof LockContent.Ours ours && ours.record().shared() && !ours.record().isGivenBack()
                && new StaleLockPolicy(store).judge(found, terms) instanceof StaleLockPolicy.WaitFor;
    }

    /**
     * A reader that has registered, and still has a seat, makes sure that a reader's record lies at {@code x.lock}.
     *
     * @param seat the seat
     * @return what is in the way; null if a record lies there
     */
    @Nullable Busy place(ReaderHold hold, int seat) throws IOException {
        for (int tries = 0; tries < TRIES; tries++) {
            if (store.link(hold.held.recordFile, RecordLocation.LOCK)) {
                store.requireInPlace(hold.held.recordFile, RecordLocation.LOCK, hold.entry);
                return null;
            }
            Found found = store.find(RecordLocation.LOCK);
            if (standsForReaders(found, hold.terms())) {
                return null;
            } else if (found != null && seat == 1) {
                return coverFrozen(hold, found);
            } else if (found != null && new StaleRecords(store, expiries, ledger).clear(RecordLocation.LOCK, hold.terms()) instanceof StaleRecords.InTheWay it) {
                return it.busy();
            }
        }
        return new Busy(Busy.NOTHING, expiries.now() + LOOK_AGAIN_NANOS, "what lies at " + store.lockFile() + " changes too fast");
    }

    /** On seat 1: the owner of seat 0 is frozen past its lease, or dead. */
    private @Nullable Busy coverFrozen(ReaderHold hold, Found found) throws IOException {
        String objection = new StaleLockPolicy(store).objection(found);
        if (objection != null || !(found.content() instanceof LockContent.Ours)) {
            return new Busy(0, expiries.now() + StaleRecords.OBJECTION_NANOS, objection != null ? objection : "another file lies at " + store.lockFile());
        }
        return store.cover(hold.held.recordFile, found.key()) ? null
                : new Busy(Busy.NOTHING, expiries.now() + LOOK_AGAIN_NANOS, "what lies at " + store.lockFile() + " changes too fast");
    }

    // ---- at a tick ----

    /**
     * A reader looks whether a living reader's record lies at {@code x.lock}, and puts its own there if its reader is dead.
     *
     * @return false if somebody has removed it: then the reader is asked to leave
     */
    boolean isInPlace(ReaderHold hold) throws IOException {
        if (store.isStillAt(hold.held.recordFile, RecordLocation.LOCK)) {
            return true;
        }
        Found found = store.find(RecordLocation.LOCK);
        if (found != null && !isReplaceable(found, hold)) {
            return !(found.content() instanceof LockContent.Foreign);
        }
        boolean before = ledger.unsettled;
        ledger.unsettled = true;
        if (!store.tryByte(0)) { // somebody comes or goes; it is looked at again at the next tick
            ledger.unsettled = before;
            return true;
        }
        try {
            return isInPlaceOrReplaced(hold);
        } finally {
            store.freeByte(0);
            ledger.unsettled = before;
        }
    }

    private boolean isReplaceable(Found found, ReaderHold hold) throws IOException {
        return found.content() instanceof LockContent.Ours && new StaleLockPolicy(store).judge(found, hold.terms()) instanceof StaleLockPolicy.Replace;
    }

    /** With byte 0. Other programs are kept out by the {@code .reclaim} directory meanwhile. */
    private boolean isInPlaceOrReplaced(ReaderHold hold) throws IOException {
        Found found = store.find(RecordLocation.LOCK);
        if (found == null) {
            return false;
        } else if (isReplaceable(found, hold) && store.beginReclaim()) {
            try {
                store.cover(hold.held.recordFile, found.key());
            } finally {
                store.endReclaim();
            }
        }
        return true;
    }

    // ---- leaving ----

    /** A reader is about to leave: another one's record takes the place of its own, or none does. */
    void withdraw(ReaderHold hold) throws IOException {
        if (hold.held.byteLost || !store.isAt(hold.held.recordFile, RecordLocation.LOCK)) {
            if (hold.held.byteLost) {
                left = true; // the slot's release says in the record that it was given back
            }
            return;
        }
        if (!withByte0(() -> handOnOrRemove(hold))) {
            left = true;
            giveUp(hold);
        }
    }

    private void giveUp(ReaderHold hold) throws IOException {
        SeatHold held = hold.held;
        LockRecord record = SeatRecords.of(store, hold.terms(), held.token(), held.createdAtMillis, 0, held.renewedAt());
        store.rewrite(held.recordFile, record.givenBack(record.leaseUntil()));
    }

    private boolean withByte0(SeatLedger.ReleaseStep step) throws IOException {
        boolean before = ledger.unsettled;
        ledger.unsettled = true;
        boolean got = store.tryByte(0);
        if (got) {
            try {
                step.run();
            } finally {
                store.freeByte(0);
            }
        }
        ledger.unsettled = before;
        return got;
    }

    private void handOnOrRemove(ReaderHold hold) throws IOException {
        int counted = TableEntry.readersIn(hold.entry.readers());
        if (counted == 0) {
            store.unlink(hold.held.recordFile, RecordLocation.LOCK);
            return;
        }
        Found there = store.find(RecordLocation.LOCK);
        for (int slot = counted - 1; there != null && slot >= 0; slot--) {
            if (slot != hold.slot) {
                LockStore other = slots.store(slot);
                Found reader = other.find(RecordLocation.LOCK);
                if (standsForReaders(reader, hold.terms()) && store.coverBy(hold.held.recordFile, other, reader, there.key())) {
                    Found still = other.find(RecordLocation.LOCK);
                    if (still != null && still.key().equals(reader.key())) {
                        return; // it has not left; if it leaves now, it looks at x.lock after its own record is gone
                    }
                }
                there = store.find(RecordLocation.LOCK);
            }
        }
        if (there != null && there.content() instanceof LockContent.Ours ours && ours.record().shared()) {
            store.delete(RecordLocation.LOCK, there.key());
        }
    }

    /** We do not read any more, and our record may lie at {@code x.lock} all the same. Whatever reader's record of this process lies there is removed or replaced. */
    void withdrawWhatIsLeft() throws IOException {
        left = true;
        tidyUp();
    }

    /** {@return whether nothing of ours lies there any more} */
    boolean tidy() {
        try {
            tidyUp();
            return !left;
        } catch (IOException | RuntimeException e) {
            return false;
        }
    }

    private void tidyUp() throws IOException {
        if (!left) {
            return;
        }
        Found there = store.find(RecordLocation.LOCK);
        if (isOurs(there)) {
            if (!withByte0(this::removeOurs)) {
                return;
            }
        }
        left = false;
    }

    /** With byte 0. If there are other readers, one of them puts its own there at its next tick, as after our death. */
    private void removeOurs() throws IOException {
        Found there = store.find(RecordLocation.LOCK);
        if (isOurs(there) && !isReadByOthers()) {
            store.delete(RecordLocation.LOCK, there.key());
        }
    }

    private boolean isReadByOthers() throws IOException {
        TableEntry entry = store.findEntry();
        for (int slot = 0; entry != null && slot < TableEntry.readersIn(entry.readers()); slot++) {
            Found reader = slots.store(slot).find(RecordLocation.LOCK);
            if (!isOurs(reader) && standsForReaders(reader, SeatClearing.NOBODYS)) {
                return true;
            }
        }
        return false;
    }

    /** {@return whether a record is one that this process wrote as a reader} */
    private boolean isOurs(@Nullable Found found) {
        return found != null && found.content() instanceof LockContent.Ours ours && ours.record().shared() && ours.record().pid() == store.self().pid()
                && ours.record().starttime() == store.self().startTicks() && Objects.equals(ours.record().boot(), store.self().boot())
                && Objects.equals(ours.record().pidns(), store.self().pidNamespace());
    }
}

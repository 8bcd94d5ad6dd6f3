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
    /** A record of ours may still lie at {@code x.lock} though we do not read: byte 0 was not free. It says that it was given back, so nobody of ours waits for it. */
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
            }
            Busy busy = found == null ? null : replaceStale(hold, found);
            if (busy != null) {
                return busy;
            }
        }
        return new Busy(Busy.NOTHING, expiries.now() + LOOK_AGAIN_NANOS, "what lies at " + store.lockFile() + " changes too fast");
    }

    /** {@return what is in the way; null if it is replaced, or if something else lies there by now} */
    private @Nullable Busy replaceStale(ReaderHold hold, Found found) throws IOException {
        StaleRecords stale = new StaleRecords(store, expiries, ledger);
        return stale.judge(found, hold.terms()) instanceof StaleLockPolicy.WaitFor wait ? stale.busy(wait) : stale.replace(found, hold.held.recordFile);
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
        boolean[] inPlace = {true}; // if somebody comes or goes just now, it is looked at again at the next tick
        onSeat0(hold.entry, () -> inPlace[0] = isInPlaceOrReplaced(hold));
        return inPlace[0];
    }

    private boolean isReplaceable(Found found, ReaderHold hold) throws IOException {
        return found.content() instanceof LockContent.Ours && new StaleLockPolicy(store).judge(found, hold.terms()) instanceof StaleLockPolicy.Replace;
    }

    /** On seat 0. Other programs are kept out by the {@code .reclaim} directory meanwhile. */
    private boolean isInPlaceOrReplaced(ReaderHold hold) throws IOException {
        Found found = store.find(RecordLocation.LOCK);
        if (found == null) {
            return false;
        } else if (isReplaceable(found, hold)) {
            new StaleRecords(store, expiries, ledger).replace(found, hold.held.recordFile); // if another process is at it, it is looked at again at the next tick
        }
        return true;
    }

    // ---- leaving ----

    /** A reader is about to leave: another one's record takes the place of its own, or none does. */
    void withdraw(ReaderHold hold) throws IOException {
        boolean before = left;
        left = true; // until we know better
        if (!hold.held.byteLost && (!store.isAt(hold.held.recordFile, RecordLocation.LOCK) || onSeat0(hold.entry, () -> handOnOrRemove(hold)))) {
            left = before;
        }
    }

    /** {@return whether a record of ours may lie at {@code x.lock} though we do not read: its file must not serve another lock} */
    boolean mayHaveLeftARecord() {
        return left;
    }

    /** Says in our record that it was given back: nobody waits for it, or hands {@code x.lock} on to it. */
    void giveUp(ReaderHold hold) throws IOException {
        SeatHold held = hold.held;
        LockRecord record = SeatRecords.of(store, hold.terms(), held.token(), held.createdAtMillis, 0, held.renewedAt());
        store.rewrite(held.recordFile, record.givenBack(record.leaseUntil()));
    }

    /**
     * Does something on seat 0. Without an expiry there, others would go to seat 1 if this process is stopped for a moment.
     *
     * @return false if a seat is taken, perhaps by the caller itself: then nothing was done
     */
    private boolean onSeat0(TableEntry entry, SeatLedger.ReleaseStep step) throws IOException {
        if (ledger.attempt != null) {
            return false; // rule 3: a process that is frozen with both bytes would stop everybody
        }
        long before = expiries.expiryOf(0);
        boolean unsettled = ledger.unsettled;
        ledger.unsettled = true;
        boolean done = store.tryByte(0) && isDoneOnSeat0(entry, before, step);
        ledger.unsettled = unsettled;
        return done;
    }

    private boolean isDoneOnSeat0(TableEntry entry, long before, SeatLedger.ReleaseStep step) throws IOException {
        SeatAttempt mine = new SeatAttempt(0);
        ledger.attempt = mine;
        try {
            mine.expiry = expiries.expiryFor(SeatClearing.NOBODYS, expiries.now());
            mine.entry = entry;
            boolean ours = expiries.publishOnSeat0(entry, before, mine.expiry);
            long now = expiries.now(); // rule 7
            if (!ours || !expiries.isPast(entry.expiry(1), now)) {
                return false;
            }
            step.run();
            return true;
        } finally {
            ledger.takeBack(mine);
        }
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
                    if (standsForReaders(still, hold.terms()) && still.key().equals(reader.key())) {
                        return; // it has not begun to leave; if it does now, it finds its record at x.lock
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
        TableEntry entry = isOurs(there) ? store.findEntry() : null;
        left = entry != null && !onSeat0(entry, this::removeOurs);
    }

    /** On seat 0. If there are other readers, one of them puts its own there at its next tick, as after our death. */
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

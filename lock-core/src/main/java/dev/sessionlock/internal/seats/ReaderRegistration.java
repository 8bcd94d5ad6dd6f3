package dev.sessionlock.internal.seats;

import dev.sessionlock.internal.directory.LockContent;
import dev.sessionlock.internal.directory.LockStore;
import dev.sessionlock.internal.directory.LockStore.Found;
import dev.sessionlock.internal.directory.LockStore.RecordLocation;
import dev.sessionlock.internal.directory.TableEntry;
import dev.sessionlock.spi.AcquireResult;
import dev.sessionlock.spi.Busy;
import dev.sessionlock.spi.Terms;
import java.io.IOException;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;

/**
 * What a process does that has a seat and wants to read: it takes a reader slot, registers it, and then looks that it still has the seat, which it gives up after that. No
 * writer can have come in before it was registered, and a later one finds its slot. Made for one call.
 */
final class ReaderRegistration {
    private static final long LOOK_AGAIN_NANOS = TimeUnit.MILLISECONDS.toNanos(1);

    private final LockStore store;
    private final Expiries expiries;
    private final SeatLedger ledger;
    private final ReaderSlots slots;

    ReaderRegistration(SeatLedger ledger, Expiries expiries, ReaderSlots slots) {
        this.store = ledger.store;
        this.expiries = expiries;
        this.ledger = ledger;
        this.slots = slots;
    }

    /**
     * @param seat the seat that this process has
     * @param published when it published its expiry there, monotonic nanoseconds
     * @param takenOver why the owner of the other seat is taken over; null if nobody is
     * @return a {@link ReaderHold}, or what is in the way
     */
    AcquireResult enter(int seat, TableEntry entry, Terms terms, long published, @Nullable String takenOver) throws IOException {
        String reclaimed = takenOver;
        Found found = store.find(RecordLocation.LOCK);
        if (found != null && seat == 0 && !slots.representative().standsForReaders(found, terms)) {
            StaleRecords stale = new StaleRecords(store, expiries, ledger);
            StaleLockPolicy.Judgement judgement = stale.judge(found, terms);
            if (judgement instanceof StaleLockPolicy.WaitFor wait) {
                return stale.busy(wait);
            }
            StaleLockPolicy.Replace gone = (StaleLockPolicy.Replace) judgement; // it stays until ours takes its place: there may be other readers
            reclaimed = isGivenBack(found) ? null : gone.evidence();
            entry.raiseToken(gone.token()); // before the token is read
        }
        ReaderHold hold = slots.take(entry, terms, reclaimed);
        if (hold == null) {
            return again("no reader slot is free");
        }
        Busy busy = settle(hold, seat, published);
        if (busy != null) {
            slots.leave(hold);
            return busy;
        }
        return hold;
    }

    private static boolean isGivenBack(Found found) {
        return found.content() instanceof LockContent.Ours ours && ours.record().isGivenBack();
    }

    private Busy again(String why) {
        return new Busy(Busy.NOTHING, expiries.now() + LOOK_AGAIN_NANOS, why);
    }

    /** {@return why it is not a reader; null if it is one} */
    private @Nullable Busy settle(ReaderHold hold, int seat, long published) throws IOException {
        TableEntry entry = hold.entry;
        if (!store.sharesAmongReaders()) {
            return again("links were refused just now");
        } else if (!slots.register(hold, seat)) {
            return again("readers come and go");
        }
        Busy busy = slots.representative().place(hold, seat);
        if (busy != null) {
            return busy;
        }
        entry.requireInPlace();
        SeatAttempt mine = ledger.attempt;
        // Whoever has had the seat since has published there. It has done so before our registration, or finds that.
        if (!SeatAcquisition.isKeptWhileTaking(store, seat) || !entry.hasExpiry(seat, mine.expiry) || !entry.isValid() || entry.lastToken() != hold.token()) {
            return again("the kernel lost our lock while we took it, and another has had it since");
        }
        long now = expiries.now(); // last of all, as in rule 4
        boolean late = now >= expiries.deadlineOf(hold.terms(), published) || now >= hold.deadline();
        return late ? new Busy(Busy.NOTHING, now, SeatAcquisition.SLEPT) : null;
    }
}

package dev.sessionlock.internal.seats;

import dev.sessionlock.internal.directory.LockStore;
import dev.sessionlock.internal.directory.TableEntry;
import dev.sessionlock.spi.AcquireResult;
import dev.sessionlock.spi.Busy;
import dev.sessionlock.spi.EngineLock.HoldStatus;
import dev.sessionlock.spi.Hold;
import dev.sessionlock.spi.Terms;
import java.io.IOException;
import java.util.Arrays;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;

/**
 * The reader slots of one lock (PROTOCOL.md, "Readers"). Each process that reads holds a slot, and a slot is a lock of its own, taken as any other is: so a writer finds
 * out about a killed, frozen or woken reader as it does about a writer. The entry of the lock says how many slots count. Nobody registers without a seat of the lock.
 *
 * <p>One call at a time, except for those about a kernel waiter.
 */
final class ReaderSlots {
    /** What a kernel waiter may wait for has this number or a higher one if it is the byte of a slot: two for each slot. */
    static final int FIRST_BYTE = 2;
    /** The floor above counts what its threads wait for in the bits of an int. For the bytes of further slots it polls. */
    private static final int BYTES_TO_WAIT_FOR = 28;
    private static final int TRIES = 16;
    private static final long LOOK_AGAIN_NANOS = TimeUnit.MILLISECONDS.toNanos(4);
    /** For how long a writer has a slot: if it is frozen meanwhile, it blocks others for no longer. */
    private static final long MOMENT_NANOS = TimeUnit.SECONDS.toNanos(1);

    private final SeatLedger ledger;
    private final Expiries expiries;
    private final Representative representative;
    /** Made as they are needed, in the order of their numbers. */
    private volatile SeatEngine[] engines = {};
    private volatile LockStore[] stores = {};
    /** The slot that this process had last: mostly it is free, and has its files. */
    private int last;
    /** The hold that a call is about to give out, or has given out. Until it is given back, the process is a reader, or may be taken for one. */
    private @Nullable ReaderHold current;

    ReaderSlots(SeatLedger ledger, Expiries expiries) {
        this.ledger = ledger;
        this.expiries = expiries;
        this.representative = new Representative(ledger, expiries, this);
    }

    Representative representative() {
        return representative;
    }

    /** {@return the engine of a slot} Made here only by a call that takes or drains; all others ask for slots that these have met. */
    SeatEngine engine(int slot) {
        makeUpTo(slot);
        return engines[slot];
    }

    LockStore store(int slot) {
        makeUpTo(slot);
        return stores[slot];
    }

    private void makeUpTo(int slot) {
        while (engines.length <= slot) {
            LockStore store = ledger.store.readerSlot(engines.length);
            LockStore[] more = Arrays.copyOf(stores, engines.length + 1);
            SeatEngine[] further = Arrays.copyOf(engines, engines.length + 1);
            more[engines.length] = store;
            further[engines.length] = new SeatEngine(store);
            stores = more;
            engines = further; // last: its length says how many there are
        }
    }

    // ---- a writer ----

    /**
     * A writer that has a seat, and has looked, makes sure that nobody reads: it takes each slot that counts for a moment, and then sets their number to 0. A reader that has
     * registered since has changed the word, and one that wants to register needs a seat.
     *
     * @return what is in the way; null if nobody reads
     */
    @Nullable Busy drain(TableEntry entry, Terms terms) throws IOException {
        Terms moment = new Terms(MOMENT_NANOS, true, 0, terms.thread(), terms.purpose(), terms.takeForeign());
        for (int tries = 0; tries < TRIES; tries++) {
            long read = entry.readers(); // before the first slot
            for (int slot = 0; slot < TableEntry.readersIn(read); slot++) {
                SeatEngine engine = engine(slot);
                AcquireResult taken = engine.take(moment);
                if (taken instanceof Busy busy) {
                    return ofSlot(slot, busy);
                }
                engine.release((Hold) taken);
            }
            if (entry.replaceReaders(read, TableEntry.withReaders(read, 0))) {
                return null;
            } // else a reader has left meanwhile
        }
        return new Busy(Busy.NOTHING, expiries.now() + LOOK_AGAIN_NANOS, "its readers come and go");
    }

    private Busy ofSlot(int slot, Busy busy) {
        int what = FIRST_BYTE + 2 * slot + busy.waitFor();
        boolean waits = busy.waitFor() >= 0 && what < BYTES_TO_WAIT_FOR;
        long soon = expiries.now() + LOOK_AGAIN_NANOS;
        return new Busy(waits ? what : Busy.NOTHING, waits ? busy.retryAt() : Math.min(busy.retryAt(), soon), "it is read (" + busy.why() + ")", busy.failure());
    }

    // ---- a reader ----

    /** {@return whether another process waits to write while the lock is read: then no further reader gets in} */
    static boolean isKeptForWriter(Expiries expiries, TableEntry entry, long nanos) {
        long mark = entry.writerMark();
        return TableEntry.readersIn(entry.readers()) != 0 && expiries.tellsOfWaiting(mark) && expiries.isSetByOthers(mark, nanos);
    }

    /**
     * Takes a slot: one that counts and is free, or the next one. It does not count for this process yet.
     *
     * @return null if none was free, or if the one was lost at once
     */
    @Nullable ReaderHold take(TableEntry entry, Terms terms, @Nullable String reclaimed) throws IOException {
        int counted = TableEntry.readersIn(entry.readers());
        int first = Math.min(last, counted);
        SeatHold held = takeSlot(first, terms);
        int slot = first;
        for (int i = 0; held == null && i <= counted && i < TableEntry.MOST_READERS; i++) {
            if (i != first) {
                slot = i;
                held = takeSlot(i, terms);
            }
        }
        if (held == null) {
            return null;
        }
        last = slot;
        ReaderHold taken = new ReaderHold(terms, slot, held, entry, reclaimed);
        taken.wasOthers = ledger.lastToken != 0 && taken.token() != ledger.lastToken;
        ledger.lastToken = taken.token();
        current = taken; // from here on, leave() gives it back
        return taken;
    }

    /** On seat 0: behind a frozen reader there is always another slot. */
    private @Nullable SeatHold takeSlot(int slot, Terms terms) throws IOException {
        SeatEngine engine = engine(slot);
        AcquireResult taken = engine.takeSlot(terms);
        if (taken instanceof SeatHold held && held.seat == 0) {
            return held;
        } else if (taken instanceof Hold other) {
            engine.release(other);
        }
        return null;
    }

    /** Has the slot count. The word changes also if it counts already: a writer that was stopped in the middle of {@link #drain} must find that somebody has come. */
    boolean register(ReaderHold hold, int seat) {
        for (int tries = 0; tries < TRIES; tries++) {
            long read = hold.entry.readers();
            long next = TableEntry.withReaders(read, Math.max(TableEntry.readersIn(read), hold.slot + 1));
            if (hold.entry.replaceReaders(read, next)) {
                hold.registered = next;
                hold.onSeat0 = seat == 0;
                return true;
            } // else a reader has left meanwhile
        }
        return false;
    }

    /**
     * Has the slot not count any more, if it is the last one that counts. That it is still ours is looked at after the word was read: whoever has had it since has changed
     * the word. A slot that counts and is free costs the next writer a look.
     */
    private void withdraw(ReaderHold hold) {
        long read = hold.entry.readers();
        if (TableEntry.readersIn(read) == hold.slot + 1 && hold.held.entry.hasExpiry(hold.held.seat, hold.held.published)) {
            hold.entry.replaceReaders(read, TableEntry.withReaders(read, hold.slot));
        }
    }

    /** Gives back a hold, and all that belongs to it: what counts it, what lies at {@code x.lock} for it, its slot. Does nothing if it was given back before. */
    void leave(ReaderHold hold) {
        ReaderHold mine = current;
        if (mine == null || mine.held.recordFile != hold.held.recordFile) {
            return;
        }
        ledger.quietly(mine, () -> representative.giveUp(mine)); // first: from now on nobody hands x.lock on to us
        ledger.quietly(mine, () -> withdraw(mine));
        ledger.quietly(mine, () -> representative.withdraw(mine));
        store(mine.slot).keepRecordFileIf(() -> !representative.mayHaveLeftARecord() && mine.wasAlone());
        engine(mine.slot).release(mine.held);
        if (!mine.wasAlone()) { // somebody may have been handing x.lock on to us, and have been killed
            ledger.quietly(mine, representative::withdrawWhatIsLeft);
        }
        current = null;
    }

    /** A caller that takes the lock or tidies up has no hold. If there is one, something was thrown before the caller was told of it. */
    void leaveUnknown() {
        ReaderHold unknown = current;
        if (unknown != null) {
            leave(unknown);
        }
    }

    // ---- holding ----

    HoldStatus check(ReaderHold hold, boolean deeply) throws IOException {
        HoldStatus status = engine(hold.slot).check(hold.held, deeply);
        if (status != HoldStatus.INTACT) {
            return status;
        } else if (!hold.isCounted() || deeply && ledger.store.displaced() != null) { // its slot is looked at alike: here it is the entry of the lock
            return HoldStatus.LOST;
        }
        return representative.isInPlace(hold) ? HoldStatus.INTACT : HoldStatus.REMOVED;
    }

    boolean renew(ReaderHold hold, long holdUntilMillis) throws IOException {
        if (!engine(hold.slot).renew(hold.held, holdUntilMillis) || !hold.isCounted()) {
            return false;
        }
        hold.renewed();
        return true;
    }

    /**
     * After rule 8 of the slot. A writer may have looked at the slot while its expiry was past, and not have set the number of slots to 0 yet. Our change of the word keeps it
     * from doing so.
     */
    boolean renewLate(ReaderHold hold, long holdUntilMillis) throws IOException {
        long read = hold.entry.readers();
        if (!hold.isCounted() || !engine(hold.slot).renewLate(hold.held, holdUntilMillis)) {
            return false;
        }
        long next = TableEntry.withReaders(read, TableEntry.readersIn(read));
        if (!hold.entry.replaceReaders(read, next) || !hold.entry.isValid() || hold.entry.lastToken() != hold.token() || expiries.now() >= hold.held.deadline()) {
            return false;
        }
        hold.registered = next;
        hold.renewed();
        return true;
    }

    void abandon(ReaderHold hold) {
        ledger.quietly(hold, () -> representative.withdraw(hold));
        engine(hold.slot).abandon(hold.held);
    }

    // ---- what is left ----

    /** {@return whether nothing is left to give back} */
    boolean tidy() {
        leaveUnknown();
        boolean tidied = true;
        for (SeatEngine engine : engines) {
            tidied &= engine.tidy();
        }
        return tidied & representative.tidy();
    }

    // ---- kernel waiters ----

    void awaitKernel(int what) throws IOException {
        ofByte(what).awaitKernel(seatOf(what));
    }

    void declineAwaited(int what) {
        ofByte(what).declineAwaited(seatOf(what));
    }

    private SeatEngine ofByte(int what) {
        return engine((what - FIRST_BYTE) / 2);
    }

    private static int seatOf(int what) {
        return (what - FIRST_BYTE) % 2;
    }

    boolean spin(Busy busy, long nanos) {
        int what = busy.waitFor();
        return ofByte(what).spin(new Busy(seatOf(what), busy.retryAt(), busy.why()), nanos);
    }
}

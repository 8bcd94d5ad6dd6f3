package dev.sessionlock.internal.seats;

import dev.sessionlock.LockException;
import dev.sessionlock.internal.directory.LinksRefusedException;
import dev.sessionlock.internal.directory.LockDirectory;
import dev.sessionlock.internal.directory.LockStore;
import dev.sessionlock.internal.directory.LockStore.Found;
import dev.sessionlock.internal.directory.LockStore.RecordFile;
import dev.sessionlock.internal.directory.LockStore.RecordLocation;
import dev.sessionlock.internal.directory.TableEntry;
import dev.sessionlock.internal.directory.TableFault;
import dev.sessionlock.internal.system.Log;
import dev.sessionlock.internal.system.Loggers;
import dev.sessionlock.spi.AcquireResult;
import dev.sessionlock.spi.Busy;
import dev.sessionlock.spi.Hold;
import dev.sessionlock.spi.Terms;
import java.io.IOException;
import java.nio.file.Path;
import java.util.concurrent.TimeUnit;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/**
 * Takes a lock, on seat 0 or, from a frozen or dead owner, on seat 1. Who owns it is decided in {@link #tryOnce}: by {@link LockStore#tryByte}, then by
 * {@link #publishAndLook}, then by {@link #enter}. Each of them is an order of steps that the rules give (PROTOCOL.md, section 3). Another order lets
 * two in. Made for one call: what has to be remembered until the next one is in {@link SeatLedger}.
 *
 * <p>An expiry that is to be replaced is read before the byte of its seat is requested, and handed on as {@code before} (rule 1).
 */
final class SeatAcquisition {
    private static final Log log = Loggers.LIBRARY;

    private static final long LOOK_AGAIN_NANOS = TimeUnit.MILLISECONDS.toNanos(4);
    private static final int TRIES = 16;
    /** In less time, nobody moves the folder away and back, or removes it twice. Well above what a write and a link take: whoever is late writes its record twice. */
    private static final long LATE_MICROS = 1_000;
    static final String SLEPT = "this process slept for a whole lease while it took the lock";

    private final LockStore store;
    private final Expiries expiries;
    private final SeatLedger ledger;
    private final SeatHolding holding;
    private final SeatRelease release;
    private final Supplier<ReaderSlots> readers;

    /** @param readers the lock's reader slots, made when they are first needed */
    SeatAcquisition(LockStore store, Expiries expiries, SeatLedger ledger, SeatHolding holding, SeatRelease release, Supplier<ReaderSlots> readers) {
        this.store = store;
        this.expiries = expiries;
        this.ledger = ledger;
        this.holding = holding;
        this.release = release;
        this.readers = readers;
    }

    AcquireResult take(Terms terms) throws IOException {
        release.releaseUnknown();
        if (ledger.unsettled) {
            try {
                ledger.releaseFailedAttempt();
            } catch (IOException e) { // mostly passes by itself
                return new Busy(Busy.NOTHING, expiries.now() + LOOK_AGAIN_NANOS, "what an earlier try of this process has left cannot be taken back yet", e);
            }
        }
        expiries.readMark();
        if (ledger.hasPendingDeletes()) {
            release.tidy(); // our own old record may be in our way
        }
        ledger.unsettled = true;
        AcquireResult taken = tryUntilClear(terms);
        ledger.unsettled = false;
        if (taken instanceof SeatHold hold) {
            ledger.attempt = null;
            ledger.out = hold; // last: until here it is an attempt, which releaseFailedAttempt() undoes
        }
        return taken;
    }

    private AcquireResult tryUntilClear(Terms terms) throws IOException {
        AcquireResult taken = null;
        boolean failed = false;
        for (int tries = 0; taken == null; tries++) {
            if (tries == TRIES) {
                return new Busy(Busy.NOTHING, expiries.now() + LOOK_AGAIN_NANOS, "the lock changes hands too fast");
            }
            try {
                taken = tryOnce(terms);
            } catch (LinksRefusedException e) {
                log.debug("trying again without hard links", e);
            } catch (TableFault e) {
                store.entryFailed();
                if (failed) {
                    throw e.getCause();
                }
                failed = true; // the table was cut short; entryFailed() has created a new one
            }
        }
        return taken;
    }

    /** One attempt; null: something in the way was deleted, start over. */
    private @Nullable AcquireResult tryOnce(Terms terms) throws IOException {
        if (ledger.hasByteAhead(1)) { // the owner of seat 1 has gone, or has lost its byte
            ledger.giveBackByteAhead(1);
            StaleRecords stale = staleRecords();
            long before = expiries.expiryOf(1);
            if (store.tryByte(1)) {
                stale.clearSeat1(before);
            }
        }
        long before = expiries.expiryOf(0);
        if (ledger.tryByte0(before)) {
            ledger.seat0Past = null;
            AcquireResult taken = claimSeat(0, before, terms);
            // Rule 3: only now that byte 0 is freed. A process frozen with both bytes would stop everybody.
            return taken instanceof Busy busy && busy.waitFor() == 1 ? clearSeat1(busy) : taken;
        }
        Busy busy = waitForSeat0();
        return busy != null ? busy : takeOverSeat0(terms);
    }

    /** {@return null if seat 1 was cleared: start over} */
    private @Nullable Busy clearSeat1(Busy busy) throws IOException {
        StaleRecords stale = staleRecords();
        long before = expiries.expiryOf(1);
        if (!store.tryByte(1)) {
            return busy;
        }
        String objection = stale.clearSeat1(before);
        return objection == null ? null : new Busy(Busy.NOTHING, expiries.now() + StaleRecords.OBJECTION_NANOS, objection);
    }

    private StaleRecords staleRecords() {
        return new StaleRecords(store, expiries, ledger);
    }

    /** Rule 2. {@return null if seat 1 may be tried} */
    private @Nullable Busy waitForSeat0() throws IOException {
        if (!store.shared()) {
            return new Busy(0, Long.MAX_VALUE, "another process holds it");
        }
        TableEntry entry = store.findEntry();
        long now = expiries.now(); // rule 7: before the expiry
        if (entry == null) {
            return new Busy(0, now + LOOK_AGAIN_NANOS, "another process takes it for the first time");
        }
        long expiry = entry.expiry(0);
        if (!expiries.isPast(expiry, now)) {
            ledger.seat0Past = null;
            return new Busy(0, expiries.momentAfter(expiry), "another process holds it");
        }
        TakeoverPatience patience = ledger.seat0Past = TakeoverPatience.after(ledger.seat0Past, expiry, now, store.wakeUpNanos());
        return patience.isOverForSeat0(store.wakeUpNanos()) ? null
                : new Busy(0, patience.lookAgainAt(LOOK_AGAIN_NANOS), "it changes hands, or its holder is frozen");
    }

    private AcquireResult takeOverSeat0(Terms terms) throws IOException {
        long before = expiries.expiryOf(1);
        if (!store.tryByte(1)) {
            TableEntry entry = store.findEntry();
            long again = entry == null ? expiries.now() + LOOK_AGAIN_NANOS : Math.max(expiries.momentAfter(entry.expiry(1)), expiries.now() + LOOK_AGAIN_NANOS);
            return new Busy(1, again, "a successor holds it, from the second seat");
        }
        AcquireResult taken = claimSeat(1, before, terms);
        return taken instanceof SeatHold hold ? covered(hold) : taken;
    }

    private AcquireResult covered(SeatHold hold) {
        if (ledger.attempt != null) {
            ledger.attempt.covering = true;
        }
        ledger.quietly(hold, () -> holding.coverLock(hold));
        if (expiries.now() < hold.deadline()) { // last of all, as in rule 4
            return hold;
        }
        release.giveBack(hold);
        ledger.attempt = null;
        release.tidyOtherSeatQuietly(hold);
        return new Busy(Busy.NOTHING, expiries.now(), SLEPT);
    }

    /**
     * With a seat's byte held: publish, look, and enter. Gives the seat up again unless the result is a hold of it: a reader has a slot instead.
     *
     * @param before the seat's expiry as it was before its byte was requested
     */
    private AcquireResult claimSeat(int seat, long before, Terms terms) throws IOException {
        SeatAttempt mine = new SeatAttempt(seat);
        ledger.attempt = mine;
        AcquireResult taken = null;
        try {
            // Before anything is published there: the former successor's expiry must stay as it is if that process lives.
            String objection = seat == 0 ? null : staleRecords().takeAwayTakeover();
            if (objection != null) {
                return taken = new Busy(Busy.NOTHING, expiries.now() + StaleRecords.OBJECTION_NANOS, objection);
            }
            TableEntry entry = seat == 0 ? store.claimEntry() : store.findOnlyEntry();
            if (entry == null) {
                taken = seat == 0 ? new Busy(Busy.NOTHING, expiries.now() + LOOK_AGAIN_NANOS, "it has two entries in the shared table, which are both in use")
                        : new Busy(0, expiries.now() + LOOK_AGAIN_NANOS, "it has no table entry of its own, so nobody takes over from its owner");
            } else {
                long published = expiries.now();
                mine.expiry = expiries.expiryFor(terms, published);
                mine.entry = entry;
                taken = publishAndLook(seat, entry, before, terms, published);
            }
            return taken;
        } finally {
            if (!(taken instanceof SeatHold)) {
                ledger.takeBack(mine);
            }
        }
    }

    /** Rule 3. */
    private AcquireResult publishAndLook(int seat, TableEntry entry, long before, Terms terms, long published) throws IOException {
        if (seat == 0 && !expiries.publishOnSeat0(entry, before, expiries.expiryFor(terms, published))) {
            // If the kernel lost our byte, that process may hold the seat now.
            return new Busy(Busy.NOTHING, expiries.now() + LOOK_AGAIN_NANOS, "another process has claimed the seat since");
        } else if (seat == 1 && !entry.replaceExpiry(1, before, expiries.expiryFor(terms, published))) {
            return new Busy(1, expiries.now() + LOOK_AGAIN_NANOS, "another process has claimed the second seat since");
        }
        long now = expiries.now(); // rule 7: before the expiry
        long other = entry.expiry(1 - seat);
        if (!expiries.isPast(other, now)) {
            return new Busy(1 - seat, expiries.momentAfter(other), seat == 0 ? "a successor holds it" : "its holder has woken");
        }
        if (seat == 0) {
            Busy busy = waitForSuccessorToWake(other, now);
            busy = busy != null ? busy : waitForSuccessorOnAnotherTable(entry);
            return busy != null ? busy : enterAlone(seat, entry, terms, published, null);
        }
        Found ofSeat0 = store.find(RecordLocation.LOCK);
        StaleLockPolicy policy = new StaleLockPolicy(store);
        String objection = policy.objection(ofSeat0);
        if (objection != null) {
            return new Busy(0, now + StaleRecords.OBJECTION_NANOS, objection);
        }
        // An expiry of 0 is nobody's: the other is just taking the lock or giving it back, so nobody was taken over.
        AcquireResult entered = enterAlone(seat, entry, terms, published, other == 0 ? null : policy.whyTakenOver(ofSeat0));
        if (entered instanceof Hold && other != 0) {
            LeftHolds.note(store, ofSeat0, policy);
        }
        return entered;
    }

    /**
     * Rule 8. If the successor is dead, its byte is free, and the caller clears its expiry and starts over.
     *
     * @param expiry seat 1's, which is past
     * @return null if no successor holds seat 1 that may only have to wake, since the machine slept
     */
    private @Nullable Busy waitForSuccessorToWake(long expiry, long now) {
        long wakeUp = store.wakeUpNanos();
        if (wakeUp == 0 || expiry == 0) {
            return null;
        }
        TakeoverPatience patience = ledger.seat1Past = TakeoverPatience.after(ledger.seat1Past, expiry, now, wakeUp);
        return patience.isOver(wakeUp) ? null : new Busy(1, patience.lookAgainAt(LOOK_AGAIN_NANOS), "a successor holds it, and has not renewed its lease since this machine slept, or is frozen");
    }

    /**
     * A successor claims its seat on the table that it has open, and at first its record does not lie at {@code x.lock}. If the table was replaced
     * since, nothing of the successor shows on the new one. So at the first use of an entry, once its table is open, the successor's record is looked
     * for. A successor that links its record after this look finds the other table in place, and gives up ({@link LockStore#requireInPlace}).
     *
     * @return null if there is none, or none that still counts
     */
    private @Nullable Busy waitForSuccessorOnAnotherTable(TableEntry entry) throws IOException {
        if (entry == ledger.withoutSuccessor) {
            return null;
        }
        Found left = store.find(RecordLocation.TAKEOVER);
        StaleLockPolicy policy = new StaleLockPolicy(store);
        String objection = policy.objection(left);
        if (left == null || objection == null && !policy.asksToBeWaitedFor(left)) {
            ledger.withoutSuccessor = entry; // also if the record stays, because its process is frozen past its lease and holds byte 1
        }
        return left == null ? null
                : new Busy(1, expiries.now() + LOOK_AGAIN_NANOS, objection != null ? objection : "what a successor has left is deleted first");
    }

    /** With a seat, after the look at the other one: nobody else enters meanwhile. A reader registers; a writer waits for those that are registered. */
    private AcquireResult enterAlone(int seat, TableEntry entry, Terms terms, long published, @Nullable String takenOver) throws IOException {
        if (terms.shared() && store.sharesAmongReaders()) {
            return new ReaderRegistration(ledger, expiries, readers.get()).enter(seat, entry, terms, published, takenOver);
        }
        Busy busy = TableEntry.readersIn(entry.readers()) == 0 ? null : readers.get().drain(entry, terms);
        return busy != null ? busy : enter(seat, entry, terms, published, takenOver);
    }

    /**
     * Rule 4: draw the token, link the record, and read the clock last of all. A token drawn before the look could be older than that of a successor
     * that came in while this process slept.
     *
     * @param takenOver why the owner of the other seat is taken over; null if nobody is
     */
    private AcquireResult enter(int seat, TableEntry entry, Terms terms, long published, @Nullable String takenOver) throws IOException {
        String reclaimed = takenOver;
        long last = entry.lastToken();
        boolean wasOthers = ledger.lastToken != 0 && last != ledger.lastToken;
        if (last == 0 && seat == 0) {
            // Once a token is drawn, the lock counts as taken here, and an empty file at x.lock as ours. So first look what lies there now.
            StaleRecords.Clearance clearance = staleRecords().clear(RecordLocation.LOCK, terms);
            if (clearance instanceof StaleRecords.InTheWay it) {
                return it.busy();
            } else if (clearance instanceof StaleRecords.Deleted it) {
                reclaimed = it.judgement().evidence();
                entry.raiseToken(it.judgement().token());
            }
        }
        long drawnAt = store.clock().wallMicros();
        long token = draw(store, entry, drawnAt);
        ledger.lastToken = token;
        long createdAt = store.clock().wallMillis();
        SeatAttempt mine = ledger.attempt; // claimSeat() undoes what it has, unless the result is a hold
        mine.record = SeatRecords.of(store, terms, token, createdAt, terms.maxHoldMillis(), published);
        RecordFile recordFile = mine.recordFile = store.write(mine.record);
        RecordLocation location = RecordLocation.ofSeat(seat);
        boolean late = false;
        while (!store.link(recordFile, location)) {
            late = true;
            StaleRecords.Clearance clearance = staleRecords().clear(location, terms);
            if (clearance instanceof StaleRecords.InTheWay it) {
                return it.busy();
            } else if (clearance instanceof StaleRecords.Deleted it) {
                reclaimed = it.judgement().evidence();
                entry.raiseToken(it.judgement().token()); // the table may be new since then, and the wall clock set back
            }
        }
        late |= hasTakenLong(drawnAt); // here: the record is linked by now, and the check that follows takes time of its own
        store.requireInPlace(recordFile, location, entry);
        if (late) {
            token = draw(store, entry, store.clock().wallMicros());
            ledger.lastToken = token;
            mine.record = SeatRecords.of(store, terms, token, createdAt, terms.maxHoldMillis(), published);
            store.rewrite(recordFile, mine.record);
        }
        long expiry = expiries.expiryFor(terms, published);
        if (!isKeptWhileTaking(store, seat) || !entry.hasExpiry(seat, expiry) || !entry.isValid()) {
            return new Busy(Busy.NOTHING, expiries.now(), "the kernel lost our lock while we took it, and another has had it since");
        }
        if (expiries.isOurs(entry.writerMark())) {
            entry.setWriterMark(0); // we do not wait any more
        }
        long deadline = expiries.deadlineOf(terms, published);
        if (expiries.now() >= deadline) {
            return new Busy(Busy.NOTHING, expiries.now(), SLEPT);
        }
        SeatHold hold = new SeatHold(seat, entry, recordFile, terms, token, createdAt, published, deadline, reclaimed);
        hold.notePublished(expiry);
        hold.wasOthers = wasOthers;
        return hold;
    }

    /** {@return the next token} Never a smaller one than the last, which would let the writes of a frozen holder pass a fence: rather none at all. */
    static long draw(LockStore store, TableEntry entry, long wallMicros) throws LockException {
        long token = entry.drawToken(wallMicros);
        if (token == TableEntry.NO_TOKEN) {
            Path home = store.lockFile().getParent();
            throw new LockException("cannot lock " + store.target() + ": its fencing tokens are used up: the last one is " + Long.MAX_VALUE
                    + ", the greatest that there is. No clock leads there: somebody has written it into a lock file or into "
                    + home.resolve(LockDirectory.INNER) + ", and whoever may write there can do it again. To go on: end all processes that lock files in "
                    + home + ", have all that remembers their tokens (fences) forget them, remove " + home.resolve(LockDirectory.INNER) + " and "
                    + store.lockFile() + ", and start the processes again");
        }
        return token;
    }

    /**
     * {@return whether so much time has passed before the record was linked that its token must be drawn once more} If somebody moves {@code
     * .session-locks} away and back, or removes it twice, processes on another one draw from another table meanwhile. A process that was there before us may have drawn its
     * token after ours. Now that our record is linked, none can.
     */
    private boolean hasTakenLong(long drawnAt) {
        return Math.abs(store.clock().wallMicros() - drawnAt) > LATE_MICROS;
    }

    /**
     * Whether we still have the byte now that our record is linked. On seat 0 linking has shown it: it fails if another record is there. On seat 1 a
     * process that took our lost byte for a dead successor's may have looked for a record before ours was there.
     */
    static boolean isKeptWhileTaking(LockStore store, int seat) throws IOException {
        if (store.knowsByteLost(seat)) {
            return false;
        } else if (seat == 0) {
            return true;
        }
        store.lookAfresh();
        return !Boolean.FALSE.equals(store.kernelHasByte(seat));
    }
}

package dev.sessionlock.internal.seats;

import dev.sessionlock.internal.directory.LockContent;
import dev.sessionlock.internal.directory.LockStore;
import dev.sessionlock.internal.directory.LockStore.Found;
import dev.sessionlock.internal.directory.LockStore.RecordLocation;
import dev.sessionlock.internal.directory.TableFault;
import dev.sessionlock.internal.system.Log;
import dev.sessionlock.internal.system.Loggers;
import dev.sessionlock.spi.EngineLock.HoldStatus;
import dev.sessionlock.spi.Hold;
import dev.sessionlock.spi.Terms;
import java.io.IOException;
import org.jspecify.annotations.Nullable;

/**
 * What is done with a lock while it is held: renew it, hand it over within the JVM, check that it still is ours (PROTOCOL.md, rules 4 to 6
 * and section 5). It writes to the table entry only by compare-and-set from what was published or read before, and takes no byte but one that the
 * kernel has lost. Made for one call; it keeps nothing. What needs no more than the hold itself is in {@link SeatHold}.
 */
final class SeatHolding {
    private static final Log log = Loggers.LIBRARY;

    private final LockStore store;
    private final Expiries expiries;
    private final SeatLedger ledger;

    SeatHolding(LockStore store, Expiries expiries, SeatLedger ledger) {
        this.store = store;
        this.expiries = expiries;
        this.ledger = ledger;
    }

    boolean renew(Hold held, long holdUntilMillis) throws IOException {
        SeatHold hold = (SeatHold) held;
        try { // not by withEntry(): a renewal should need as little memory as possible
            return renewInTime(hold, holdUntilMillis);
        } catch (TableFault e) {
            throw failedBy(e, hold);
        }
    }

    private interface EntryAction<T> {
        T get() throws IOException;
    }

    /**
     * Does something with the table entry of a hold. If that fails, the next {@link #check} looks deeply, and the hold can say what it is lost by.
     */
    private <T> T withEntry(SeatHold hold, EntryAction<T> step) throws IOException {
        try {
            return step.get();
        } catch (TableFault e) {
            throw failedBy(e, hold);
        }
    }

    /** {@return what is thrown as a table entry failed} */
    private IOException failedBy(TableFault e, SeatHold hold) throws IOException {
        hold.trouble = e.getMessage();
        store.entryFailed();
        return e.getCause();
    }

    private boolean renewInTime(SeatHold hold, long holdUntilMillis) throws IOException {
        if (expiries.now() >= hold.deadline()) {
            return false;
        }
        long token = hold.token(); // before the thread: a reuse in between is written at the next renewal
        if (!hold.isRecorded()) {
            hold.createdAtMillis = store.clock().wallMillis();
        }
        if (publishAnew(hold, hold.terms().of(hold.thread()), token, hold.createdAtMillis, holdUntilMillis, false) == null) {
            return false;
        }
        hold.recordTells(token);
        hold.trouble = null;
        return true;
    }

    boolean renewLate(Hold held, long holdUntilMillis) throws IOException {
        SeatHold hold = (SeatHold) held;
        return withEntry(hold, () -> publishLate(hold, holdUntilMillis));
    }

    /**
     * Rule 8: the lock is taken again on the seat whose byte is still ours, with the token that we have. As in rules 3 and 4: publish, then look at the other seat,
     * then at the token, then renew the record, then look whether nobody has come between, and read the clock last.
     */
    private boolean publishLate(SeatHold hold, long holdUntilMillis) throws IOException {
        if (hold.byteLost || !isLastToHaveIt(hold)) { // before we publish: it would disturb a successor
            return false;
        }
        long now = expiries.now();
        long expiry = expiries.expiryFor(hold.terms(), now);
        hold.settleExpiry();
        hold.intended = expiry;
        if (!hold.entry.replaceExpiry(hold.seat, hold.published, expiry)) {
            hold.byteLost = true;
            return false;
        }
        hold.notePublished(expiry);
        long looked = expiries.now(); // rule 7: before the expiry
        if (!expiries.isPast(hold.entry.expiry(1 - hold.seat), looked) || !isLastToHaveIt(hold)) {
            return false;
        }
        long token = hold.token();
        long maxHold = holdUntilMillis < 0 ? -1 : Math.max(0, holdUntilMillis - hold.createdAtMillis);
        store.rewrite(hold.recordFile, SeatRecords.of(store, hold.terms().of(hold.thread()), token, hold.createdAtMillis, maxHold, now));
        // A process that uses another table, or has got a byte that we have lost, either shows in these looks, or will find that our record objects.
        RecordLocation location = RecordLocation.ofSeat(hold.seat);
        store.requireInPlace(hold.recordFile, location, hold.entry);
        boolean kept = store.isAt(hold.recordFile, location) && !hold.isByteMissing(store) && hold.entry.hasExpiry(hold.seat, expiry) && hold.entry.isValid();
        long deadline = expiries.deadlineOf(hold.terms(), now);
        if (!kept || expiries.now() >= deadline) {
            return false;
        }
        hold.leaseBegins(now, deadline);
        hold.recordTells(token);
        hold.trouble = null;
        return true;
    }

    /** {@return whether nobody has drawn a token since the last one of this hold} */
    private static boolean isLastToHaveIt(SeatHold hold) {
        return hold.entry.lastToken() == hold.lastDrawn();
    }

    /**
     * Rule 6: read the clock, write expiry and record, read the clock again; it counts only if the old deadline had not passed.
     *
     * @return the hold as it is now: the same one, or with {@code handingOver} a new one on new terms; null if it came too late
     */
    private @Nullable Hold publishAnew(SeatHold hold, Terms terms, long token, long createdAt, long holdUntilMillis, boolean handingOver)
            throws IOException {
        long now = expiries.now();
        long oldDeadline = hold.deadline();
        long deadline = expiries.deadlineOf(terms, now);
        if (!publishAgain(hold, expiries.expiryFor(terms, now))) {
            return null;
        }
        long maxHold = holdUntilMillis < 0 ? -1 : Math.max(0, holdUntilMillis - createdAt);
        try {
            store.rewrite(hold.recordFile, SeatRecords.of(store, terms, token, createdAt, maxHold, now));
        } catch (IOException e) {
            if (handingOver || !store.shared()) {
                throw e; // on a network file system other machines see a renewal by the record alone
            }
            if (isDisplaced()) { // others use new guard files by now, and wait only for the lease in the record
                hold.byteLost = true;
                return null;
            }
            log.warn("could not renew the record {}; the lock itself is renewed", store.lockFile(), e);
        } catch (OutOfMemoryError e) {
            if (handingOver || !store.shared()) {
                throw e;
            } // else the table tells of the renewal, which takes no memory
        }
        if (expiries.now() >= oldDeadline) {
            return null;
        }
        if (handingOver) {
            SeatHold handedOver = new SeatHold(hold.seat, hold.entry, hold.recordFile, terms, token, createdAt, now, deadline, null);
            handedOver.notePublished(hold.published);
            return handedOver;
        }
        hold.leaseBegins(now, deadline);
        return hold;
    }

    private boolean isDisplaced() throws IOException {
        store.lookAround();
        String displaced = store.displaced();
        if (displaced != null) {
            log.warn("{}: {}", store.lockFile(), displaced);
        }
        return displaced != null;
    }

    /** False if another process has our byte. The entry shows that before the keeper asks the kernel. */
    private boolean publishAgain(SeatHold hold, long expiry) throws IOException {
        hold.settleExpiry();
        hold.intended = expiry;
        if (!hold.entry.replaceExpiry(hold.seat, hold.published, expiry)) {
            long before = hold.entry.expiry(hold.seat);
            store.lookAfresh();
            boolean ours = Boolean.TRUE.equals(store.kernelHasByte(hold.seat)) || retakeByte(hold);
            // Whoever had the byte has seen our record and withdrawn: 0. If the byte was lost once more, the next process has written its expiry.
            if (!ours || !hold.entry.replaceExpiry(hold.seat, before, expiry) && !hold.entry.replaceExpiry(hold.seat, 0, expiry)) {
                hold.byteLost = true;
                return false;
            }
            long now = expiries.now(); // rule 7
            if (!expiries.isPast(hold.entry.expiry(1 - hold.seat), now)) { // rule 3: while our expiry was missing, another process may have come in
                log.warn("{}: what this process had published in the shared table was overwritten, and another process has come in", store.lockFile());
                return false;
            }
        }
        hold.notePublished(expiry);
        hold.byteLost = !hold.entry.isValid(); // published, then looked: the entry was cleared while the kernel had lost our byte
        return !hold.byteLost;
    }

    /** If a throwable interrupts this, {@link SeatHold#isByteMissing} returns true. */
    private boolean retakeByte(SeatHold hold) throws IOException {
        hold.retaking = true;
        boolean back = store.retakeByte(hold.seat);
        hold.retaking = false;
        return back;
    }

    @Nullable Hold handOver(Hold held, Terms terms) throws IOException {
        SeatHold from = (SeatHold) held;
        return withEntry(from, () -> handOverInMemory(from, terms));
    }

    private @Nullable Hold handOverInMemory(SeatHold from, Terms terms) throws IOException {
        if (from.seat != 0 || expiries.now() >= from.deadline() || !store.isAt(from.recordFile, RecordLocation.LOCK)) {
            return null; // taken over; or removed by hand, which asks for the lock to become free
        }
        if (from.isByteMissing(store) && !isKept(from)) {
            from.byteLost = true;
            return null;
        }
        boolean sameTerms = terms.equals(from.terms().of(terms.thread()));
        if (sameTerms && from.reuse(store, terms.thread() == null ? "" : terms.thread()) && expiries.now() < from.deadline()) { // clock last: rule 4
            return from; // in memory: the keeper updates the record at its next tick
        }
        // Not from the wall clock: the token must stay near the time at which this JVM got the byte. A process that comes in after us over a replaced
        // table draws from the wall clock, perhaps a moment before we end.
        long token = SeatAcquisition.draw(store, from.entry, 0);
        long createdAt = store.clock().wallMillis();
        long holdUntil = terms.maxHoldMillis() < 0 ? -1 : createdAt + terms.maxHoldMillis();
        Hold handedOver = publishAnew(from, terms, token, createdAt, holdUntil, true);
        if (handedOver != null) {
            ledger.out = (SeatHold) handedOver; // last, as in take()
        }
        return handedOver;
    }

    HoldStatus check(Hold held, boolean deeply) throws IOException {
        SeatHold hold = (SeatHold) held;
        boolean failed = hold.trouble != null;
        if (failed) {
            store.entryFailed();
        }
        HoldStatus status = withEntry(hold, () -> statusOf(hold, deeply || failed));
        // Last, so that what the check opened is let go, too. Quietly, since a release request has been consumed and would not come again.
        ledger.quietly(hold, () -> store.rest(hold.recordFile));
        return status;
    }

    private HoldStatus statusOf(SeatHold hold, boolean deeply) throws IOException {
        long token = hold.token(); // once: reuse() may draw another meanwhile
        if (store.releaseRequested(token)) {
            store.dropReleaseRequest(token);
            return HoldStatus.REQUESTED;
        }
        if ((deeply || hold.isByteMissing(store)) && !isKept(hold)) {
            hold.byteLost = true;
            return HoldStatus.LOST;
        }
        if (!hold.entry.hasExpiry(hold.seat, hold.published) && !isPublishedAgain(hold)) {
            return HoldStatus.LOST;
        }
        coverLock(hold);
        boolean there = store.isStillAt(hold.recordFile, RecordLocation.ofSeat(hold.seat));
        there = there && (!hold.atLock || store.isAt(hold.recordFile, RecordLocation.LOCK));
        return there ? HoldStatus.INTACT : HoldStatus.REMOVED;
    }

    /**
     * Our expiry was overwritten: by a process that got the byte that the kernel has lost, or by a backup restored over the table in use. A backup
     * overwrites the record, too, so no witness is left: publish again as soon as possible.
     */
    private boolean isPublishedAgain(SeatHold hold) throws IOException {
        if (!publishAgain(hold, expiries.expiryFor(hold.terms(), hold.renewedAt()))) {
            return false;
        }
        log.warn("{}: what this process had published in the shared table was overwritten; it is published again", store.lockFile());
        hold.recordTells(0); // the record is rewritten by this check
        return true;
    }

    /**
     * On seat 1: puts our record at x.lock, in place of the owner's that was taken over, or where the owner has deleted its own. Otherwise, once the
     * owner is killed, other programs would find a dead process's lock there and come in. Our own processes do not interfere: whoever gets byte 0
     * waits for our expiry before it links anything.
     */
    void coverLock(SeatHold hold) throws IOException {
        if (hold.seat == 1 && !hold.isAtLock(store)) {
            Found there = store.find(RecordLocation.LOCK);
            hold.covering = true;
            hold.atLock = there == null ? store.link(hold.recordFile, RecordLocation.LOCK)
                    : isTakenOver(there, hold) && store.cover(hold.recordFile, there.key());
            hold.covering = false;
        }
    }

    private static boolean isTakenOver(Found there, SeatHold hold) {
        return there.content() instanceof LockContent.Ours ours && ours.record().token() < hold.token();
    }

    /** Whether the kernel still has our byte, or has it again. */
    private boolean isKept(SeatHold hold) throws IOException {
        String displaced = store.displaced();
        if (displaced != null) {
            log.warn("{}: {}", store.lockFile(), displaced);
            return false;
        }
        if (!hold.entry.isValid()) {
            log.warn("{}: its table entry was cleared, since the kernel had lost our lock", store.lockFile());
            return false;
        }
        if (!hold.isByteMissing(store) && !Boolean.FALSE.equals(store.kernelHasByte(hold.seat))) {
            return true;
        }
        hold.settleExpiry();
        long before = hold.entry.expiry(hold.seat); // before the byte is ours again, as in publishAgain
        long expiry = expiries.expiryFor(hold.terms(), hold.renewedAt());
        hold.intended = expiry;
        // 0 was written by a process that had our byte meanwhile, and withdrew when it saw our record.
        boolean back = retakeByte(hold) && (hold.entry.replaceExpiry(hold.seat, before, expiry) || hold.entry.replaceExpiry(hold.seat, 0, expiry));
        if (back) {
            hold.notePublished(expiry);
            back = hold.entry.isValid(); // published, then looked
        }
        log.warn("{}: the kernel had lost our lock (some code of this JVM opened and closed a file in {}); {}", store.lockFile(),
                ".session-locks", back ? "it was taken again in time" : "another process has it");
        return back;
    }
}

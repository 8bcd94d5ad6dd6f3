package dev.sessionlock.internal.seats;

import dev.sessionlock.LockException;
import dev.sessionlock.LockReport;
import dev.sessionlock.NotALockFileException;
import dev.sessionlock.internal.directory.TableEntry;
import dev.sessionlock.internal.directory.LinksRefusedException;
import dev.sessionlock.internal.directory.LockContent;
import dev.sessionlock.internal.directory.LockDirectory;
import dev.sessionlock.internal.directory.LockStore;
import dev.sessionlock.internal.directory.LockStore.Found;
import dev.sessionlock.internal.directory.LockStore.RecordFile;
import dev.sessionlock.internal.directory.LockStore.RecordLocation;
import dev.sessionlock.internal.directory.LockRecord;
import dev.sessionlock.internal.directory.MarkedTime;
import dev.sessionlock.internal.directory.TableFault;
import dev.sessionlock.internal.system.Log;
import dev.sessionlock.internal.system.Loggers;
import dev.sessionlock.internal.system.ProcessIdentity;
import dev.sessionlock.spi.Busy;
import dev.sessionlock.spi.EngineLock;
import dev.sessionlock.spi.Hold;
import dev.sessionlock.spi.AcquireResult;
import dev.sessionlock.spi.Terms;
import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import org.jetbrains.annotations.Nullable;

/**
 * The two-seat protocol. Rule numbers in the comments are those of PROTOCOL.md, section 3, which also has the glossary. Written against
 * {@link LockStore} alone, so that the same code runs on a real directory and on a simulated one.
 *
 * <p>Who owns a lock is decided in {@code tryOnce}: by {@link LockStore#tryByte}, then by {@code publishAndLook}.
 */
public final class SeatEngine implements EngineLock {
    private static final Log log = Loggers.LIBRARY;

    /** Rule 2: seat 0's expiry must be past at every look for this long before seat 1 is tried. */
    static final long SEAT_1_PATIENCE_NANOS = TimeUnit.MILLISECONDS.toNanos(20);
    private static final long LOOK_AGAIN_NANOS = TimeUnit.MILLISECONDS.toNanos(4);
    private static final long RECLAIM_AGAIN_NANOS = TimeUnit.MILLISECONDS.toNanos(10);
    private static final long A_MOMENT_NANOS = TimeUnit.MILLISECONDS.toNanos(1);
    private static final int TRIES = 16;
    /** In less time, no other process links a record, uses the lock and unlinks the record again. */
    private static final long LATE_MICROS = 10;
    /** The lease of a process that only clears: if it is frozen meanwhile, it blocks others for no longer. */
    private static final long CLEARING_NANOS = TimeUnit.SECONDS.toNanos(1);
    private static final Cleared NOTHING = new Cleared(ClearOutcome.NOTHING, "nothing lies there any more");
    private static final String SLEPT = "this process slept for a whole lease while it took the lock";

    private final LockStore store;
    /** The mark in all that this process writes to the table entry. It must not change between publishing an expiry and withdrawing it. */
    private volatile long mark;

    /** Since when seat 0's expiry was past at every look; 0 if it was not at the last one. */
    private long pastSince;
    /**
     * The last token that this process is known to have drawn here; 0 before the first. If the entry has another one later, another process had the
     * lock.
     */
    private long lastToken;
    /** The bytes that a kernel waiter acquired ahead for the next take, one bit per seat. */
    private int bytesAhead;
    /** The expiries of the seats as they were before their bytes were requested (rule 1). */
    private long expiryOfSeat0;
    private long expiryOfSeat1;
    /** Records that could not be deleted where they lie: deleting them needs a byte that is not ours. Almost always empty, so none keeps a list. */
    private List<PendingDelete> pendingDeletes = List.of();

    private record PendingDelete(RecordFile recordFile, RecordLocation location) {
    }

    /** The hold that was given out. Set as the last step of giving it, cleared once it has been given back. */
    private @Nullable SeatHold out;
    /** What the current call, or one that a throwable has interrupted, has put on a seat. */
    private @Nullable SeatAttempt attempt;
    /** A call that takes bytes is running, or was interrupted by a throwable: then we may have a byte that belongs to no hold. */
    private boolean unsettled;

    /** @param store the lock's files, bytes and table entry */
    public SeatEngine(LockStore store) {
        this.store = store;
        this.mark = MarkedTime.mark(store.mark());
    }

    @Override
    public String name() {
        return store.name();
    }

    @Override
    public Path target() {
        return store.target();
    }

    @Override
    public Path lockFile() {
        return store.lockFile();
    }

    // ---- taking ----

    @Override
    public AcquireResult take(Terms terms) throws IOException {
        releaseUnknown();
        if (unsettled) {
            try {
                releaseFailedAttempt();
            } catch (IOException e) { // mostly passes by itself
                return new Busy(Busy.NOTHING, now() + LOOK_AGAIN_NANOS, "what an earlier try of this process has left cannot be taken back yet", e);
            }
        }
        mark = MarkedTime.mark(store.mark()); // may have been drawn anew
        if (!pendingDeletes.isEmpty()) {
            tidy(); // our own old record may be in our way
        }
        unsettled = true;
        AcquireResult taken = tryUntilClear(terms);
        unsettled = false;
        if (taken instanceof SeatHold hold) {
            attempt = null;
            out = hold; // last: until here it is an attempt, which releaseFailedAttempt() undoes
        }
        return taken;
    }

    private AcquireResult tryUntilClear(Terms terms) throws IOException {
        AcquireResult taken = null;
        boolean failed = false;
        for (int tries = 0; taken == null; tries++) {
            if (tries == TRIES) {
                return new Busy(Busy.NOTHING, now() + LOOK_AGAIN_NANOS, "the lock changes hands too fast");
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
        if (hasByteAhead(1)) { // the owner of seat 1 has gone, or has lost its byte
            giveBackByteAhead(1);
            if (tryByte1()) {
                clearSeat1();
            }
        }
        if (tryByte0()) {
            pastSince = 0;
            AcquireResult taken = claimSeat(0, terms);
            // Rule 3: only now that byte 0 is freed. A process frozen with both bytes would stop everybody.
            if (taken instanceof Busy busy && busy.waitFor() == 1 && tryByte1()) {
                String objection = clearSeat1();
                return objection == null ? null : new Busy(Busy.NOTHING, now() + LOOK_AGAIN_NANOS * 5, objection);
            }
            return taken;
        }
        Busy busy = waitForSeat0();
        return busy != null ? busy : takeOverSeat0(terms);
    }

    private StaleLockPolicy staleLocks() {
        return new StaleLockPolicy(store); // rarely needed: not kept
    }

    /** Rule 2. {@return null if seat 1 may be tried} */
    private @Nullable Busy waitForSeat0() throws IOException {
        if (!store.shared()) {
            return new Busy(0, Long.MAX_VALUE, "another process holds it");
        }
        TableEntry entry = store.findEntry();
        long now = now(); // rule 7: before the expiry
        if (entry == null) {
            return new Busy(0, now + LOOK_AGAIN_NANOS, "another process takes it for the first time");
        }
        long expiry = entry.expiry(0);
        if (!isPast(expiry, now)) {
            pastSince = 0;
            return new Busy(0, momentAfter(expiry), "another process holds it");
        }
        if (pastSince == 0) {
            pastSince = now;
        }
        return now - pastSince < SEAT_1_PATIENCE_NANOS ? new Busy(0, now + LOOK_AGAIN_NANOS, "it changes hands, or its holder is frozen") : null;
    }

    private AcquireResult takeOverSeat0(Terms terms) throws IOException {
        if (!tryByte1()) {
            TableEntry entry = store.findEntry();
            long again = entry == null ? now() + LOOK_AGAIN_NANOS : Math.max(momentAfter(entry.expiry(1)), now() + LOOK_AGAIN_NANOS);
            return new Busy(1, again, "a successor holds it, from the second seat");
        }
        AcquireResult taken = claimSeat(1, terms);
        return taken instanceof SeatHold hold ? covered(hold) : taken;
    }

    /**
     * As {@link #tryByte1}. A byte acquired ahead came without a value read before; unless the expiry is 0, it is freed and requested once more (rule
     * 1).
     */
    private boolean tryByte0() throws IOException {
        expiryOfSeat0 = expiryOf(0);
        if (hasByteAhead(0) && expiryOfSeat0 == 0 && !store.knowsByteLost(0)) {
            forgetByteAhead(0);
            return true;
        } else if (hasByteAhead(0)) {
            giveBackByteAhead(0);
        }
        return store.tryByte(0);
    }

    /**
     * Requests byte 1 after reading its expiry: only this value may be replaced. If the kernel has dropped our byte, and another process holds the
     * seat by then, that process has written another value.
     */
    private boolean tryByte1() throws IOException {
        expiryOfSeat1 = expiryOf(1);
        return store.tryByte(1);
    }

    private long expiryOf(int seat) throws IOException {
        TableEntry entry = store.findEntry();
        return entry == null ? 0 : entry.expiry(seat);
    }

    private AcquireResult covered(SeatHold hold) {
        if (attempt != null) {
            attempt.covering = true;
        }
        quietly(hold, () -> coverLock(hold));
        if (now() < hold.deadline()) { // last of all, as in rule 4
            return hold;
        }
        giveBack(hold);
        attempt = null;
        tidyOtherSeatQuietly(hold);
        return new Busy(Busy.NOTHING, now(), SLEPT);
    }

    /**
     * We hold byte 1, and not byte 0: the last owner of seat 1 is gone, unless its record objects. Clears what it left, and frees the byte.
     *
     * @return why nothing was cleared; null if the seat is clear
     */
    private @Nullable String clearSeat1() throws IOException {
        try {
            String objection = takeAwayTakeover();
            TableEntry entry = objection != null ? null : store.findEntry();
            if (entry != null) {
                entry.replaceExpiry(1, expiryOfSeat1, 0); // last: while it is not 0, some process will come back for what lies here
            }
            return objection;
        } finally {
            store.freeByte(1);
        }
    }

    /**
     * With byte 1 held: deletes the record of the last successor. The record is the second witness: if its process lives and its lease runs, we have
     * the byte only because code of that process made the kernel drop it.
     *
     * @return why it was not deleted; null if there is none any more
     */
    private @Nullable String takeAwayTakeover() throws IOException {
        Found left = store.find(RecordLocation.TAKEOVER);
        String objection = staleLocks().objection(left);
        if (left != null && objection == null) {
            store.delete(RecordLocation.TAKEOVER, left.key());
        }
        return objection;
    }

    /** With a seat's byte held: publish, look, and enter. Gives the seat up again unless the result is a hold. */
    private AcquireResult claimSeat(int seat, Terms terms) throws IOException {
        SeatAttempt mine = new SeatAttempt(seat, terms);
        attempt = mine;
        AcquireResult taken = null;
        try {
            // Before anything is published there: the former successor's expiry must stay as it is if that process lives.
            String objection = seat == 0 ? null : takeAwayTakeover();
            if (objection != null) {
                return taken = new Busy(Busy.NOTHING, now() + LOOK_AGAIN_NANOS * 5, objection);
            }
            TableEntry entry = seat == 0 ? store.claimEntry() : store.findOnlyEntry();
            if (entry == null) {
                taken = new Busy(seat == 0 ? Busy.NOTHING : 0, now() + LOOK_AGAIN_NANOS,
                        seat == 0 ? "it has two lines on the board, which are both in use" : "it has no line of its own to pass its owner over");
            } else {
                long published = now();
                mine.expiry = expiryFor(terms, published);
                mine.entry = entry;
                taken = publishAndLook(seat, entry, terms, published);
            }
            return taken;
        } finally {
            if (!(taken instanceof Hold)) {
                takeBack(mine);
            }
        }
    }

    /** Rule 3. */
    private AcquireResult publishAndLook(int seat, TableEntry entry, Terms terms, long published) throws IOException {
        if (seat == 0 && !publishOnSeat0(entry, expiryFor(terms, published))) {
            return new Busy(Busy.NOTHING, now() + LOOK_AGAIN_NANOS, "another has sat on the seat since"); // if the kernel lost our byte, that process may hold the seat now
        } else if (seat == 1 && !entry.replaceExpiry(1, expiryOfSeat1, expiryFor(terms, published))) {
            return new Busy(1, now() + LOOK_AGAIN_NANOS, "another has sat on the second seat since");
        }
        long now = now(); // rule 7: before the expiry
        long other = entry.expiry(1 - seat);
        if (!isPast(other, now)) {
            return new Busy(1 - seat, momentAfter(other), seat == 0 ? "a successor holds it" : "its holder has woken");
        }
        if (seat == 0) {
            return enter(seat, entry, terms, published, null);
        }
        Found ofSeat0 = store.find(RecordLocation.LOCK);
        String objection = staleLocks().objection(ofSeat0);
        if (objection != null) {
            return new Busy(0, now + LOOK_AGAIN_NANOS * 5, objection);
        }
        // An expiry of 0 is nobody's: the other is just taking the lock or giving it back, so nobody was taken over.
        return enter(seat, entry, terms, published, other == 0 ? null : staleLocks().whyTakenOver(ofSeat0));
    }

    /**
     * Replaces only the expiry of a dead process (rule 1). If the kernel lost our byte and another process holds the seat by now, that process has
     * written another value. The kernel is not asked: for a reader of {@code /proc/locks} it first waits for all processors, some eight milliseconds.
     *
     * @return false if another process has written its expiry
     */
    private boolean publishOnSeat0(TableEntry entry, long expiry) {
        long before = store.shared() ? expiryOfSeat0 : entry.expiry(0); // an entry that is not shared is written by this process alone
        return entry.replaceExpiry(0, before, expiry) || before != 0 && entry.replaceExpiry(0, 0, expiry); // 0 was written by a holder that gave the lock back
    }

    /**
     * Undoes what an attempt has done: its record, then its expiry, then its byte. If a throwable interrupts this, the next call goes on. The byte
     * must not be freed before the record is gone: only the holder of the byte may delete the record.
     */
    private void takeBack(SeatAttempt mine) throws IOException {
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
        RecordLocation location = locationOf(mine.seat);
        try {
            if (mine.covering && store.isAt(recordFile, RecordLocation.LOCK)) {
                deleteLater(recordFile, RecordLocation.LOCK); // deleting needs byte 0, which is not ours
                giveUp(recordFile, mine.terms, mine.token, mine.createdAtMillis);
            }
            if (store.isAt(recordFile, location)) {
                store.unlink(recordFile, location);
            }
        } catch (IOException | RuntimeException e) {
            deleteLater(recordFile, location);
            mine.recordFile = null;
            giveUp(recordFile, mine.terms, mine.token, mine.createdAtMillis);
            throw e;
        }
        try {
            if (pendingDeletes.stream().noneMatch(left -> left.recordFile() == recordFile)) {
                store.recycle(recordFile);
            }
            mine.recordFile = null;
        } catch (IOException | RuntimeException e) {
            mine.recordFile = null;
            throw e;
        }
    }

    /**
     * Finishes what a throwable has interrupted. Afterwards nothing of the lock is ours except the hold that was given out, what waits in
     * {@link #pendingDeletes}, and bytes acquired ahead.
     */
    private void releaseFailedAttempt() throws IOException {
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

    private void releaseFailedAttemptQuietly() {
        try {
            if (unsettled) {
                releaseFailedAttempt();
            }
        } catch (IOException | RuntimeException e) {
            log.debug("still cannot clean up after the lock {}", store.lockFile(), e);
        }
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
        boolean wasOthers = lastToken != 0 && last != lastToken;
        if (last == 0 && seat == 0) {
            // Once a token is drawn, the lock counts as taken here, and an empty file at x.lock as ours. So first look what lies there now.
            Object obstacle = clear(RecordLocation.LOCK, terms);
            if (obstacle instanceof Busy busy) {
                return busy;
            } else if (obstacle instanceof StaleLockPolicy.Replace gone) {
                reclaimed = gone.evidence();
                entry.raiseToken(gone.token());
            }
        }
        long drawnAt = store.clock().wallMicros();
        long token = draw(entry, drawnAt);
        lastToken = token;
        long createdAt = store.clock().wallMillis();
        SeatAttempt mine = attempt; // claimSeat() undoes what it has, unless the result is a hold
        mine.token = token;
        mine.createdAtMillis = createdAt;
        RecordFile recordFile = mine.recordFile = store.write(record(terms, token, createdAt, terms.maxHoldMillis(), published));
        RecordLocation location = locationOf(seat);
        boolean late = false;
        while (!store.link(recordFile, location)) {
            late = true;
            Object obstacle = clear(location, terms);
            if (obstacle instanceof Busy busy) {
                return busy;
            } else if (obstacle instanceof StaleLockPolicy.Replace gone) {
                reclaimed = gone.evidence();
                entry.raiseToken(gone.token()); // the table may be new since then, and the wall clock set back
            }
        }
        late |= hasTakenLong(drawnAt); // here: the record is linked by now, and the check that follows takes time of its own
        store.requireInPlace(recordFile, location, entry);
        if (late) {
            token = draw(entry, store.clock().wallMicros());
            lastToken = token;
            mine.token = token;
            store.rewrite(recordFile, record(terms, token, createdAt, terms.maxHoldMillis(), published));
        }
        long expiry = expiryFor(terms, published);
        if (!isKeptWhileTaking(seat) || !entry.hasExpiry(seat, expiry) || !entry.isValid()) {
            return new Busy(Busy.NOTHING, now(), "the kernel lost our lock while we took it, and another has had it since");
        }
        long deadline = deadlineOf(terms, published);
        if (now() >= deadline) {
            return new Busy(Busy.NOTHING, now(), SLEPT);
        }
        SeatHold hold = new SeatHold(seat, entry, recordFile, terms, token, createdAt, published, deadline, reclaimed);
        hold.notePublished(expiry);
        hold.wasOthers = wasOthers;
        return hold;
    }

    /** {@return the next token} Never a smaller one than the last, which would let the writes of a frozen holder pass a fence: rather none at all. */
    private long draw(TableEntry entry, long wallMicros) throws LockException {
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

    @Override
    public boolean wasOthers(Hold hold) {
        return ((SeatHold) hold).wasOthers;
    }

    /**
     * {@return whether so much time has passed before the record was linked that its token must be drawn once more} If {@code .session-locks} was
     * replaced, processes on the old one draw from another table, and only the record at x.lock keeps them out. A process that was there before us
     * may have drawn its token after ours. Now that our record is linked, none can.
     */
    private boolean hasTakenLong(long drawnAt) {
        return Math.abs(store.clock().wallMicros() - drawnAt) > LATE_MICROS;
    }

    /**
     * Whether we still have the byte now that our record is linked. On seat 0 linking has shown it: it fails if another record is there. On seat 1 a
     * process that took our lost byte for a dead successor's may have looked for a record before ours was there.
     */
    private boolean isKeptWhileTaking(int seat) throws IOException {
        if (store.knowsByteLost(seat)) {
            return false;
        } else if (seat == 0) {
            return true;
        }
        store.lookAfresh();
        return !Boolean.FALSE.equals(store.kernelHasByte(seat));
    }

    /**
     * A file lies where our record is to be linked. {@return a {@link Busy} if we have to wait, a {@link StaleLockPolicy.Replace} if the file was
     * deleted, null if it had gone by itself}
     */
    private @Nullable Object clear(RecordLocation location, Terms terms) throws IOException {
        if (location == RecordLocation.TAKEOVER) {
            String objection = takeAwayTakeover(); // not there a moment ago: put there by a person, or by a process whose byte was lost
            return objection == null ? null : new Busy(Busy.NOTHING, now() + LOOK_AGAIN_NANOS * 5, objection);
        }
        Found found = store.find(location);
        if (found == null) {
            return null;
        }
        StaleLockPolicy.Judgement judgement = staleLocks().judge(found, terms);
        if (judgement instanceof StaleLockPolicy.Refuse refuse) {
            throw new NotALockFileException(store.lockFile() + " is not a lock file but " + refuse.what()
                    + ". It was not touched. If nobody needs it, move it away; else choose another name for " + store.name());
        } else if (judgement instanceof StaleLockPolicy.WaitFor wait) {
            return new Busy(Busy.NOTHING, now() + wait.nanos(), wait.why());
        }
        return reclaim(found) ? judgement : new Busy(Busy.NOTHING, now() + RECLAIM_AGAIN_NANOS, "another process is replacing a dead lock (" + store.lockFile() + ".reclaim is there)");
    }

    /**
     * Deletes what a dead owner left. Byte 0 keeps out our own processes. Other programs, which judge and unlink, are kept out by the
     * {@code .reclaim} directory, which they expect to see.
     */
    private boolean reclaim(Found found) throws IOException {
        SeatAttempt mine = attempt;
        mine.reclaiming = true;
        boolean begun = store.beginReclaim();
        mine.reclaiming = begun;
        if (!begun) {
            return false;
        }
        try {
            Found still = store.find(RecordLocation.LOCK);
            if (still != null && still.key().equals(found.key()) && still.content().equals(found.content())) {
                store.delete(RecordLocation.LOCK, found.key());
            }
            return true;
        } finally {
            store.endReclaim();
            mine.reclaiming = false;
        }
    }

    // ---- holding ----

    @Override
    public boolean renew(Hold held, long holdUntilMillis) throws IOException {
        SeatHold hold = (SeatHold) held;
        return withEntry(hold, () -> renewInTime(hold, holdUntilMillis));
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
            hold.trouble = e.getMessage();
            store.entryFailed();
            throw e.getCause();
        }
    }

    private boolean renewInTime(SeatHold hold, long holdUntilMillis) throws IOException {
        if (now() >= hold.deadline()) {
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

    /**
     * Rule 6: read the clock, write expiry and record, read the clock again; it counts only if the old deadline had not passed.
     *
     * @return the hold as it is now: the same one, or with {@code handingOver} a new one on new terms; null if it came too late
     */
    private @Nullable Hold publishAnew(SeatHold hold, Terms terms, long token, long createdAt, long holdUntilMillis, boolean handingOver)
            throws IOException {
        long now = now();
        long oldDeadline = hold.deadline();
        long deadline = deadlineOf(terms, now);
        if (!publishAgain(hold, expiryFor(terms, now))) {
            return null;
        }
        long maxHold = holdUntilMillis < 0 ? -1 : Math.max(0, holdUntilMillis - createdAt);
        try {
            store.rewrite(hold.recordFile, record(terms, token, createdAt, maxHold, now));
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
        if (now() >= oldDeadline) {
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
        settleExpiry(hold);
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
            hold.notePublished(expiry);
            long now = now(); // rule 7
            if (!isPast(hold.entry.expiry(1 - hold.seat), now)) { // rule 3: while our expiry was missing, another process may have come in
                log.warn("{}: what this process had published on the board was overwritten, and another process has come in", store.lockFile());
                return false;
            }
        }
        hold.notePublished(expiry);
        hold.byteLost = !hold.entry.isValid(); // published, then looked: the entry was cleared while the kernel had lost our byte
        return !hold.byteLost;
    }

    /** A throwable may have come between publishing and noting it. */
    private static void settleExpiry(SeatHold hold) {
        if (hold.intended != hold.published && hold.entry.hasExpiry(hold.seat, hold.intended)) {
            hold.published = hold.intended;
        }
    }

    /** If a throwable interrupts this, {@link #isMissing} returns true. */
    private boolean retakeByte(SeatHold hold) throws IOException {
        hold.retaking = true;
        boolean back = store.retakeByte(hold.seat);
        hold.retaking = false;
        return back;
    }

    /** {@return whether our byte is known to be lost, without asking the kernel} */
    private boolean isMissing(SeatHold hold) {
        return hold.retaking || store.knowsByteLost(hold.seat);
    }

    @Override
    public @Nullable Hold handOver(Hold held, Terms terms) throws IOException {
        SeatHold from = (SeatHold) held;
        return withEntry(from, () -> handOverInMemory(from, terms));
    }

    private @Nullable Hold handOverInMemory(SeatHold from, Terms terms) throws IOException {
        if (from.seat != 0 || now() >= from.deadline() || !store.isAt(from.recordFile, RecordLocation.LOCK)) {
            return null; // taken over; or removed by hand, which asks for the lock to become free
        }
        if (isMissing(from) && !isKept(from)) {
            from.byteLost = true;
            return null;
        }
        boolean sameTerms = terms.equals(from.terms().of(terms.thread()));
        if (sameTerms && reuse(from, terms.thread() == null ? "" : terms.thread()) && now() < from.deadline()) { // clock last: rule 4
            return from; // in memory: the keeper updates the record at its next tick
        }
        // Not from the wall clock: the token must stay near the time at which this JVM got the byte. A process that comes in after us over a replaced
        // table draws from the wall clock, perhaps a moment before we end.
        long token = draw(from.entry, 0);
        long createdAt = store.clock().wallMillis();
        long holdUntil = terms.maxHoldMillis() < 0 ? -1 : createdAt + terms.maxHoldMillis();
        Hold handedOver = publishAnew(from, terms, token, createdAt, holdUntil, true);
        if (handedOver != null) {
            out = (SeatHold) handedOver; // last, as in take()
        }
        return handedOver;
    }

    /** A frozen holder with {@code takeover(false)} would stop everybody although nobody uses the lock, so it is not reused. */
    @Override
    public boolean isReusable(Hold held) {
        SeatHold hold = (SeatHold) held;
        return hold.seat == 0 && hold.terms().takeover() && store.shared() && !hold.byteLost;
    }

    @Override
    public boolean reuse(Hold held, String thread) {
        SeatHold hold = (SeatHold) held;
        try {
            if (!isReusable(hold) || isMissing(hold)) {
                return false;
            }
            long token = hold.entry.drawToken(0); // rule 4: before the clock is read
            if (token == TableEntry.NO_TOKEN) {
                return false; // an ordinary acquisition says why
            }
            hold.usedBy(thread, token);
            // And before this check: if the kernel has lost our byte, the process that has it drew an older token and will come in with it.
            return hold.entry.hasExpiry(hold.seat, hold.published) && hold.entry.isValid();
        } catch (TableFault e) {
            hold.trouble = e.getMessage();
            return false; // an ordinary acquisition has the table created anew
        }
    }

    @Override
    public HoldStatus check(Hold held, boolean deeply) throws IOException {
        SeatHold hold = (SeatHold) held;
        boolean failed = hold.trouble != null;
        if (failed) {
            store.entryFailed();
        }
        HoldStatus status = withEntry(hold, () -> statusOf(hold, deeply || failed));
        // Last, so that what the check opened is let go, too. Quietly, since a release request has been consumed and would not come again.
        quietly(hold, () -> store.rest(hold.recordFile));
        return status;
    }

    private HoldStatus statusOf(SeatHold hold, boolean deeply) throws IOException {
        long token = hold.token(); // once: reuse() may draw another meanwhile
        if (store.releaseRequested(token)) {
            store.dropReleaseRequest(token);
            return HoldStatus.REQUESTED;
        }
        if ((deeply || isMissing(hold)) && !isKept(hold)) {
            hold.byteLost = true;
            return HoldStatus.LOST;
        }
        if (!hold.entry.hasExpiry(hold.seat, hold.published) && !isPublishedAgain(hold)) {
            return HoldStatus.LOST;
        }
        coverLock(hold);
        boolean there = store.isStillAt(hold.recordFile, locationOf(hold.seat));
        there = there && (!hold.atLock || store.isAt(hold.recordFile, RecordLocation.LOCK));
        return there ? HoldStatus.INTACT : HoldStatus.REMOVED;
    }

    /**
     * Our expiry was overwritten: by a process that got the byte that the kernel has lost, or by a backup restored over the table in use. A backup
     * overwrites the record, too, so no witness is left: publish again as soon as possible.
     */
    private boolean isPublishedAgain(SeatHold hold) throws IOException {
        if (!publishAgain(hold, expiryFor(hold.terms(), hold.renewedAt()))) {
            return false;
        }
        log.warn("{}: what this process had published on the board was overwritten; it is published again", store.lockFile());
        hold.recordTells(0); // the record is rewritten by this check
        return true;
    }

    /**
     * On seat 1: puts our record at x.lock, in place of the owner's that was taken over, or where the owner has deleted its own. Otherwise, once the
     * owner is killed, other programs would find a dead process's lock there and come in. Our own processes do not interfere: whoever gets byte 0
     * waits for our expiry before it links anything.
     */
    private void coverLock(SeatHold hold) throws IOException {
        if (hold.seat == 1 && !isAtLock(hold)) {
            Found there = store.find(RecordLocation.LOCK);
            hold.covering = true;
            hold.atLock = there == null ? store.link(hold.recordFile, RecordLocation.LOCK) : isTakenOver(there, hold) && store.cover(hold.recordFile, there.key());
            hold.covering = false;
        }
    }

    /** A throwable may have come between covering and noting it. */
    private boolean isAtLock(SeatHold hold) throws IOException {
        if (hold.covering && !hold.atLock) {
            hold.atLock = store.isAt(hold.recordFile, RecordLocation.LOCK);
        }
        hold.covering = false;
        return hold.atLock;
    }

    private static boolean isTakenOver(Found there, SeatHold hold) {
        return there.content() instanceof LockContent.Ours ours && ours.record().token() < hold.token();
    }

    @Override
    public void lookAfresh() throws IOException {
        store.lookAfresh();
    }

    /** Whether the kernel still has our byte, or has it again. */
    private boolean isKept(SeatHold hold) throws IOException {
        String displaced = store.displaced();
        if (displaced != null) {
            log.warn("{}: {}", store.lockFile(), displaced);
            return false;
        }
        if (!hold.entry.isValid()) {
            log.warn("{}: its line on the board was cleared, since the kernel had lost our lock", store.lockFile());
            return false;
        }
        if (!isMissing(hold) && !Boolean.FALSE.equals(store.kernelHasByte(hold.seat))) {
            return true;
        }
        settleExpiry(hold);
        long before = hold.entry.expiry(hold.seat); // before the byte is ours again, as in publishAgain
        long expiry = expiryFor(hold.terms(), hold.renewedAt());
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

    // ---- giving back ----

    @Override
    public void release(Hold held) {
        SeatHold hold = out;
        if (hold == null || hold.recordFile != ((SeatHold) held).recordFile) {
            return; // given back already: its record file and byte may serve another hold by now
        }
        lastToken = hold.token(); // it may have been reused since it was taken
        giveBack(hold); // the hold that is out: after a hand-over that the caller did not learn of, the caller gives back the older one
        out = null;
        tidyOtherSeatQuietly(hold);
    }

    /** A caller that takes the lock or tidies up has no hold. If one is out, something was thrown before the caller was told of it. */
    private void releaseUnknown() {
        SeatHold unknown = out;
        if (unknown != null) {
            release(unknown);
        }
    }

    /** Gives back all that belongs to a hold. What a throwable interrupts in here, the next call finishes. */
    private void giveBack(SeatHold hold) {
        hold.byteLost |= !hold.recordSettled && isMissing(hold);
        if (!hold.recordSettled && !quietly(hold, () -> removeRecord(hold))) {
            deleteLater(hold.recordFile, locationOf(hold.seat));
        }
        hold.recordSettled = true;
        // An expiry that still is ours is withdrawn even if the byte is lost: it would shield a frozen process that has the byte now from takeover.
        // Not on seat 1, where it says that a record lies there.
        if (!hold.byteLost || hold.seat == 0) {
            withdrawExpiry(hold);
        }
        if (!hasByteAhead(hold.seat)) {
            quietly(hold, () -> store.freeByte(hold.seat));
        }
    }

    /** If the table cannot be written, the expiry runs out by itself: the byte must not stay for it. */
    private void withdrawExpiry(SeatHold hold) {
        try {
            settleExpiry(hold);
            hold.entry.replaceExpiry(hold.seat, hold.published, 0);
        } catch (TableFault e) {
            hold.trouble = e.getMessage();
            log.debug("the lock {} is given back, though the table does not say so", store.lockFile(), e);
        }
    }

    private void tidyOtherSeatQuietly(SeatHold hold) {
        boolean before = unsettled;
        unsettled = true;
        quietly(hold, () -> tidyOtherSeat(hold));
        unsettled = before;
    }

    private void removeRecord(SeatHold hold) throws IOException {
        RecordLocation location = locationOf(hold.seat);
        isAtLock(hold);
        if (hold.byteLost) {
            deleteLater(hold.recordFile, location); // only the holder of the byte may delete it
            if (hold.atLock) {
                deleteLater(hold.recordFile, RecordLocation.LOCK);
            }
            giveUp(hold);
        } else if (hold.atLock) {
            // Deleting x.lock needs byte 0, which is not ours yet. Until then our record must not look like a living one.
            deleteLater(hold.recordFile, RecordLocation.LOCK);
            giveUp(hold);
            if (store.isAt(hold.recordFile, location)) {
                store.unlink(hold.recordFile, location);
            }
        } else if (store.isAt(hold.recordFile, location)) {
            unlinkOrGiveUp(hold, location);
            store.recycle(hold.recordFile);
        } else {
            store.retire(hold.recordFile); // somebody removed or moved it: it may be linked elsewhere
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

    private void giveUp(SeatHold hold) throws IOException {
        giveUp(hold.recordFile, hold.terms(), hold.token(), hold.createdAtMillis);
    }

    /** Rewrites a record that has to stay for a while, so that nobody waits for it. */
    private void giveUp(RecordFile recordFile, Terms terms, long token, long createdAt) throws IOException {
        Terms over = new Terms(terms.leaseNanos(), true, 0, terms.thread(), terms.purpose(), true);
        store.rewrite(recordFile, record(over, token, createdAt, 0, LockRecord.GIVEN_BACK - terms.leaseNanos()));
    }

    /** After the seat is free: deletes what is left on the other seat, or at x.lock. Each byte is requested alone. */
    private void tidyOtherSeat(SeatHold hold) throws IOException {
        if (!pendingDeletes.isEmpty()) {
            tidy();
        }
        long leftOver = hold.seat == 0 ? hold.entry.expiry(1) : 0;
        if (leftOver != 0 && hold.entry.isValid() && isPast(leftOver, now()) && tryByte1()) {
            clearSeat1();
        }
    }

    @Override
    public void abandon(Hold held) {
        SeatHold hold = (SeatHold) held;
        quietly(hold, () -> {
            if (store.isAt(hold.recordFile, locationOf(hold.seat))) {
                store.unlink(hold.recordFile, locationOf(hold.seat));
            }
            store.retire(hold.recordFile);
        });
    }

    @Override
    public boolean tidy() {
        try {
            releaseUnknown();
            if (unsettled) {
                releaseFailedAttempt();
            }
            store.giveBackOwed();
            for (int seat = 0; seat < 2 && !pendingDeletes.isEmpty(); seat++) {
                if (!hasByteAhead(1 - seat)) { // rule 3: never both bytes
                    deletePending(seat);
                }
            }
            return pendingDeletes.isEmpty();
        } catch (IOException | RuntimeException e) {
            log.debug("still cannot clean up after the lock {}", store.lockFile(), e);
            return false;
        }
    }

    private void deletePending(int seat) throws IOException {
        if (pendingDeletes.stream().noneMatch(left -> left.location() == locationOf(seat))) {
            return;
        }
        boolean before = unsettled;
        unsettled = true;
        if (store.tryByte(seat)) {
            try {
                for (PendingDelete left : pendingDeletes) {
                    if (left.location() == locationOf(seat)) {
                        deleteNow(left);
                    }
                }
            } finally {
                store.freeByte(seat);
            }
        }
        unsettled = before;
    }

    private void deleteLater(RecordFile recordFile, RecordLocation location) {
        if (pendingDeletes.stream().anyMatch(left -> left.recordFile() == recordFile && left.location() == location)) {
            return;
        }
        pendingDeletes = Stream.concat(pendingDeletes.stream(), Stream.of(new PendingDelete(recordFile, location))).toList();
    }

    private void deleteNow(PendingDelete left) throws IOException {
        if (store.isAt(left.recordFile(), left.location())) {
            store.unlink(left.recordFile(), left.location());
        }
        if (pendingDeletes.stream().noneMatch(other -> other != left && other.recordFile() == left.recordFile())) {
            store.retire(left.recordFile());
        }
        pendingDeletes = pendingDeletes.stream().filter(other -> other != left).toList(); // last: what a throwable interrupts is done again
    }

    private interface ReleaseStep {
        void run() throws IOException;
    }

    /** A failure while giving back does not concern the user: it is logged, and the keeper tries again. */
    private boolean quietly(Hold hold, ReleaseStep step) {
        try {
            step.run();
            return true;
        } catch (IOException | RuntimeException e) {
            log.warn("could not clean up after the lock {} (token {}); it is tried again", store.lockFile(), hold.token(), e);
            return false;
        }
    }

    // ---- clearing ----

    /**
     * Under the kernel bytes, as an acquisition does it, but without entering: no token is drawn and no record written. What a dead successor left is
     * cleared first, since its expiry would be in the way. Each byte is requested alone (rule 3).
     */
    @Override
    public Cleared clear(boolean takeForeign) throws IOException {
        if (unsettled) {
            releaseFailedAttempt();
        }
        declineAllAwaited(); // while we have a byte acquired ahead, the other byte must not be requested
        unsettled = true;
        try {
            Cleared successor = clearTakeover();
            Cleared lock = clearLock(new Terms(CLEARING_NANOS, true, 0, null, null, takeForeign));
            unsettled = false;
            return lock.outcome() == ClearOutcome.NOTHING ? successor : lock;
        } catch (TableFault e) {
            store.entryFailed();
            throw e.getCause();
        }
    }

    private Cleared clearLock(Terms terms) throws IOException {
        if (!tryByte0()) {
            return new Cleared(ClearOutcome.KEPT, "the kernel lock is held: a process has it now, or is just taking it");
        }
        SeatAttempt mine = new SeatAttempt(0, terms);
        attempt = mine;
        try {
            Found found = store.find(RecordLocation.LOCK);
            if (found == null) {
                return NOTHING;
            }
            StaleLockPolicy.Judgement judgement = staleLocks().judgeDead(found, terms.takeForeign());
            if (!(judgement instanceof StaleLockPolicy.Replace gone)) {
                return new Cleared(ClearOutcome.KEPT, judgement instanceof StaleLockPolicy.WaitFor wait ? wait.why() : ((StaleLockPolicy.Refuse) judgement).what());
            }
            // Publish, then look, as rule 3 says: a successor would put its record in place of the dead one's, and we would delete it.
            TableEntry entry = store.claimEntry();
            if (entry == null) {
                return new Cleared(ClearOutcome.KEPT, "it has two lines on the board, which are both in use");
            }
            mine.expiry = expiryFor(terms, now());
            mine.entry = entry;
            if (!publishOnSeat0(entry, mine.expiry)) {
                return new Cleared(ClearOutcome.KEPT, "another process has taken it just now");
            }
            long now = now();
            return isPast(entry.expiry(1), now) ? takeAway(found, gone, entry) : new Cleared(ClearOutcome.KEPT, "a successor holds it");
        } finally {
            takeBack(mine);
        }
    }

    private Cleared takeAway(Found found, StaleLockPolicy.Replace gone, TableEntry entry) throws IOException {
        // Before its record is gone: if the table is younger than the record and the clock was set back, a later token would be smaller.
        entry.raiseToken(gone.token());
        if (!reclaim(found)) {
            return new Cleared(ClearOutcome.KEPT, "another process is replacing it just now (" + store.lockFile() + ".reclaim is there)");
        }
        return store.find(RecordLocation.LOCK) == null ? new Cleared(ClearOutcome.REMOVED, gone.evidence())
                : new Cleared(ClearOutcome.KEPT, "it changed while it was looked at");
    }

    /** A successor's record is deleted only if its process is gone, and its byte is free. */
    private Cleared clearTakeover() throws IOException {
        if (store.find(RecordLocation.TAKEOVER) == null || !tryByte1()) {
            return NOTHING;
        }
        boolean cleared = false;
        try {
            Found left = store.find(RecordLocation.TAKEOVER);
            if (left != null && staleLocks().judgeDead(left, false) instanceof StaleLockPolicy.Replace gone) {
                cleared = true; // clearSeat1() frees the byte
                clearSeat1();
                return new Cleared(ClearOutcome.REMOVED, gone.evidence());
            }
            return NOTHING;
        } finally {
            if (!cleared) {
                store.freeByte(1);
            }
        }
    }

    @Override
    public void askForRelease(long token) throws IOException {
        store.requestRelease(token);
    }

    @Override
    public boolean withdrawAsking(long token) throws IOException {
        boolean unheard = store.releaseRequested(token);
        store.dropReleaseRequest(token);
        return unheard;
    }

    // ---- looking and waiting ----

    @Override
    public LockReport inspect() throws IOException {
        try {
            return Inspector.report(store.snapshot());
        } catch (TableFault e) {
            throw e.getCause();
        }
    }

    @Override
    public void setWaiterMark(boolean waits) {
        try {
            TableEntry entry = store.findEntry();
            if (entry != null && (waits || !isSet(entry.waiterMark(), WAITER_MARK_NANOS))) { // a single try must not hide a waiting process
                entry.setWaiterMark(MarkedTime.waiterMark(now(), waits, mark));
            }
        } catch (IOException | TableFault e) {
            log.debug("could not tell other processes that we wait for {}", store.lockFile(), e);
        }
    }

    @Override
    public boolean othersWait(Hold held, long nanos) {
        long word = waiterMark((SeatHold) held);
        return MarkedTime.tellsOfWaiting(word) && isSet(word, nanos);
    }

    @Override
    public boolean othersTryOrWait(Hold held, long nanos) {
        return isSet(waiterMark((SeatHold) held), nanos);
    }

    /** {@return the waiter mark; 0 if it cannot be read: then the lock does not linger for long, and the waiting process gets in} */
    private static long waiterMark(SeatHold hold) {
        try {
            return hold.entry.waiterMark();
        } catch (TableFault e) {
            hold.trouble = e.getMessage();
            return 0;
        }
    }

    /** {@return whether another process has set a waiter mark within the last {@code nanos}} */
    private boolean isSet(long word, long nanos) {
        if (word == 0 || MarkedTime.isBy(mark, word)) {
            return false;
        }
        long age = MarkedTime.age(word, now());
        return age >= 0 && age < nanos; // one from the future is of another time namespace
    }

    @Override
    public void awaitKernel(int what) throws IOException {
        store.awaitByte(what);
    }

    @Override
    public void acceptAwaited(int what) {
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

    private boolean hasByteAhead(int seat) {
        return (bytesAhead & 1 << seat) != 0;
    }

    private void forgetByteAhead(int seat) {
        bytesAhead &= ~(1 << seat);
    }

    private void giveBackByteAhead(int seat) {
        boolean before = unsettled;
        unsettled = true;
        forgetByteAhead(seat); // first: a byte acquired ahead that is not ours any more would serve a take
        freeQuietly(() -> store.freeByte(seat));
        unsettled = before;
    }

    @Override
    public void declineAwaited(int what) {
        freeQuietly(() -> store.declineByte(what));
    }

    private void freeQuietly(ReleaseStep free) {
        try {
            free.run();
        } catch (IOException e) {
            log.warn("could not give back a kernel lock of {}", store.lockFile(), e);
        }
    }

    @Override
    public void declineAllAwaited() {
        releaseFailedAttemptQuietly();
        for (int what = 0; what < 2; what++) {
            if (hasByteAhead(what)) {
                giveBackByteAhead(what);
            }
        }
    }

    // ---- clocks ----

    private long now() {
        return store.clock().nanos();
    }

    /** {@return the expiry that others see: deadline and grace; never, if takeover is excluded or clocks do not compare} */
    private long expiryFor(Terms terms, long from) {
        boolean bounded = terms.takeover() && store.comparable();
        return bounded ? MarkedTime.expiry(from + terms.leaseNanos() + terms.graceNanos(), mark) : MarkedTime.never(mark);
    }

    /** {@return rule 5: until when it is ours} Where the table is not shared, only the record bounds it, for everyone. */
    private long deadlineOf(Terms terms, long from) {
        return terms.takeover() || !store.shared() ? from + terms.leaseNanos() : Hold.NEVER;
    }

    private boolean isPast(long expiry, long now) {
        return TableEntry.isPast(expiry, now, store.comparable());
    }

    /** {@return when to look again} Where clocks do not compare the expiry says nothing: it may be past, and we would look without a pause. */
    private long momentAfter(long expiry) {
        return TableEntry.isNever(expiry) || !store.comparable() ? Long.MAX_VALUE : expiry + A_MOMENT_NANOS;
    }

    private static RecordLocation locationOf(int seat) {
        return seat == 0 ? RecordLocation.LOCK : RecordLocation.TAKEOVER;
    }

    private LockRecord record(Terms terms, long token, long createdAt, long maxHoldMillis, long from) {
        ProcessIdentity self = store.self();
        long leaseMillis = TimeUnit.NANOSECONDS.toMillis(terms.leaseNanos());
        return new LockRecord(self.pid(), createdAt, maxHoldMillis, self.startTicks(), store.name(), token, self.host(),
                self.started() == null ? -1 : self.started().toEpochMilli(), self.boot(), self.pidNamespace(), self.timeNamespace(),
                terms.thread(), terms.purpose(), terms.takeover(), leaseMillis, store.clock().wallMillis() + leaseMillis,
                from + terms.leaseNanos());
    }

    @Override
    public String toString() {
        return store.toString();
    }
}

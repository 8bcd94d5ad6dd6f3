package dev.sessionlock.internal.seats;

import dev.sessionlock.LockException;
import dev.sessionlock.LockReport;
import dev.sessionlock.NotALockFileException;
import dev.sessionlock.internal.directory.Line;
import dev.sessionlock.internal.directory.LinksRefusedException;
import dev.sessionlock.internal.directory.LockContent;
import dev.sessionlock.internal.directory.LockDirectory;
import dev.sessionlock.internal.directory.LockPlace;
import dev.sessionlock.internal.directory.LockPlace.Found;
import dev.sessionlock.internal.directory.LockPlace.Slip;
import dev.sessionlock.internal.directory.LockPlace.Spot;
import dev.sessionlock.internal.directory.LockRecord;
import dev.sessionlock.internal.directory.TableFault;
import dev.sessionlock.internal.system.Log;
import dev.sessionlock.internal.system.Loggers;
import dev.sessionlock.internal.system.ProcessIdentity;
import dev.sessionlock.spi.Busy;
import dev.sessionlock.spi.EngineLock;
import dev.sessionlock.spi.Hold;
import dev.sessionlock.spi.Taken;
import dev.sessionlock.spi.Terms;
import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import org.jetbrains.annotations.Nullable;

/**
 * The two-seat protocol (PROTOCOL.md, section 3; the numbers of the rules in the comments are its). Written against
 * {@link LockPlace} alone, so that the same code runs on a real directory and on a simulated one.
 */
public final class SeatEngine implements EngineLock {
    private static final Log log = Loggers.LIBRARY;

    /** Rule 2: so long seat 0's until must be past at every look before seat 1 is tried. */
    static final long SEAT_1_PATIENCE_NANOS = TimeUnit.MILLISECONDS.toNanos(20);
    private static final long LOOK_AGAIN_NANOS = TimeUnit.MILLISECONDS.toNanos(4);
    private static final long RECLAIM_AGAIN_NANOS = TimeUnit.MILLISECONDS.toNanos(10);
    private static final long A_MOMENT_NANOS = TimeUnit.MILLISECONDS.toNanos(1);
    private static final int TRIES = 16;
    /** In less, nobody links a record, uses the lock and unlinks the record again. */
    private static final long LATE_MICROS = 10;
    /** As the lease of one who but clears: frozen in the middle of it, it holds nobody up for longer. */
    private static final long CLEARING_NANOS = TimeUnit.SECONDS.toNanos(1);
    private static final Cleared NOTHING = new Cleared(Outcome.NOTHING, "nothing lies there any more");
    private static final String SLEPT = "this process slept for a whole lease while it took the lock";
    /**
     * 65 microseconds of the clock are given up to tell whose hand it is, and whose until: were the words of two owners alike, one who
     * has lost its byte would take back the next one's for its own.
     */
    private static final long HAND_BITS = Line.MARK_BITS;
    /** On a raised hand: its process does not wait, it has but tried. */
    private static final long TRIED = HAND_BITS + 1;

    private final LockPlace place;
    /** Low bits of what this process writes on the line. One and the same from the publishing of a word to its withdrawing. */
    private volatile long hand;

    /** The line at whose first use no successor's record was in the way: see {@link #waitForSuccessorOnAnotherTable}. */
    private @Nullable Line withoutSuccessor;
    /** Since when seat 0's until was past at every look; 0 if it was not at the last one. */
    private long pastSince;
    /** The last token that this process drew here, as far as it was noted; 0 before the first. If the line has another one by then, another process had the lock. */
    private long lastToken;
    /** The bytes that a waiting thread got for the next take, a bit for each seat. */
    private int gifts;
    /** What the seats' untils were before their bytes were asked for. */
    private long wordOfSeat0;
    private long wordOfSeat1;
    /** Records that could not be deleted where they lie, and so wait for the byte that it takes. Hardly ever any: none keeps a list. */
    private List<Undeleted> undeleted = List.of();

    private record Undeleted(Slip slip, Spot spot) {
    }

    /** The hold that is out. Set as the last step of giving it, cleared once it has been given back. */
    private @Nullable SeatHold out;
    /** What the call that is under way has put on a seat, or one that a throwable has broken off. */
    private @Nullable Attempt attempt;
    /** A call is under way that takes bytes, or a throwable has broken one off: then some byte may be ours that belongs to nothing. */
    private boolean unsettled;

    /** @param place the lock's place */
    public SeatEngine(LockPlace place) {
        this.place = place;
        this.hand = place.mark() & HAND_BITS;
    }

    @Override
    public String name() {
        return place.name();
    }

    @Override
    public Path target() {
        return place.target();
    }

    @Override
    public Path lockFile() {
        return place.lockFile();
    }

    // ---- taking ----

    @Override
    public Taken take(Terms terms) throws IOException {
        releaseUnknown();
        if (unsettled) {
            try {
                settle();
            } catch (IOException e) { // it passes by itself, mostly
                return new Busy(Busy.NOTHING, now() + LOOK_AGAIN_NANOS, "what an earlier try of this process has left cannot be taken back yet", e);
            }
        }
        hand = place.mark() & HAND_BITS; // it may have been drawn anew
        if (!undeleted.isEmpty()) {
            tidy(); // our own record in our own way
        }
        unsettled = true;
        Taken taken = tryUntilClear(terms);
        unsettled = false;
        if (taken instanceof SeatHold hold) {
            attempt = null;
            out = hold; // last: until here it is an attempt, which settle() takes back
        }
        return taken;
    }

    private Taken tryUntilClear(Terms terms) throws IOException {
        Taken taken = null;
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
                place.lineFailed();
                if (failed) {
                    throw e.getCause();
                }
                failed = true; // the table was cut short, and is made anew by now
            }
        }
        return taken;
    }

    /** One pass; null: something was cleared away, start over. */
    private @Nullable Taken tryOnce(Terms terms) throws IOException {
        if (hasGift(1)) { // its owner has gone, or has lost its byte
            giveBackGift(1);
            if (tryByte1()) {
                clearSeat1();
            }
        }
        if (tryByte0()) {
            pastSince = 0;
            Taken taken = sit(0, terms);
            // Rule 3. Only now, with byte 0 given back: who froze with both in hand would stop everybody.
            if (taken instanceof Busy busy && busy.waitFor() == 1 && tryByte1()) {
                String objection = clearSeat1();
                return objection == null ? null : new Busy(Busy.NOTHING, now() + LOOK_AGAIN_NANOS * 5, objection);
            }
            return taken;
        }
        Busy busy = waitForSeat0();
        return busy != null ? busy : passOverSeat0(terms);
    }

    private Residue residue() {
        return new Residue(place); // seldom asked: not kept
    }

    /** Rule 2. {@return null if seat 1 may be tried} */
    private @Nullable Busy waitForSeat0() throws IOException {
        if (!place.shared()) {
            return new Busy(0, Long.MAX_VALUE, "another process holds it");
        }
        Line line = place.findLine();
        long now = now(); // rule 7: before the until
        if (line == null) {
            return new Busy(0, now + LOOK_AGAIN_NANOS, "another process takes it for the first time");
        }
        long until = line.until(0);
        if (!isPast(until, now)) {
            pastSince = 0;
            return new Busy(0, momentAfter(until), "another process holds it");
        }
        if (pastSince == 0) {
            pastSince = now;
        }
        return now - pastSince < SEAT_1_PATIENCE_NANOS ? new Busy(0, now + LOOK_AGAIN_NANOS, "it changes hands, or its holder is frozen") : null;
    }

    private Taken passOverSeat0(Terms terms) throws IOException {
        if (!tryByte1()) {
            Line line = place.findLine();
            long again = line == null ? now() + LOOK_AGAIN_NANOS : Math.max(momentAfter(line.until(1)), now() + LOOK_AGAIN_NANOS);
            return new Busy(1, again, "a successor holds it, from the second seat");
        }
        Taken taken = sit(1, terms);
        return taken instanceof SeatHold hold ? covered(hold) : taken;
    }

    /** As {@link #tryByte1}. One that a waiting thread got is given back and asked for once more, if there is a word: it was not read before. */
    private boolean tryByte0() throws IOException {
        wordOfSeat0 = wordOf(0);
        if (hasGift(0) && wordOfSeat0 == 0 && !place.knowsByteLost(0)) {
            forgetGift(0);
            return true;
        } else if (hasGift(0)) {
            giveBackGift(0);
        }
        return place.tryByte(0);
    }

    /**
     * Asks for byte 1, having read its until: only that very word may be replaced. Whoever sits there by then though we believe to have the
     * byte, since the kernel has dropped it, has written another.
     */
    private boolean tryByte1() throws IOException {
        wordOfSeat1 = wordOf(1);
        return place.tryByte(1);
    }

    private long wordOf(int seat) throws IOException {
        Line line = place.findLine();
        return line == null ? 0 : line.until(seat);
    }

    private Taken covered(SeatHold hold) {
        if (attempt != null) {
            attempt.covering = true;
        }
        quietly(hold, () -> coverLock(hold));
        if (now() < hold.deadline()) { // last of all, as in rule 4
            return hold;
        }
        giveBack(hold);
        attempt = null;
        tidySeatsQuietly(hold);
        return new Busy(Busy.NOTHING, now(), SLEPT);
    }

    /**
     * With byte 1 in hand, and byte 0 not: whoever sat there is gone, unless its record says otherwise. Takes away what he left, and
     * gives the byte back.
     *
     * @return why nothing was taken away; null if the seat is clear
     */
    private @Nullable String clearSeat1() throws IOException {
        try {
            String objection = takeAwayTakeover();
            Line line = objection != null ? null : place.findLine();
            if (line != null) {
                line.replace(1, wordOfSeat1, 0); // last: as long as it is not 0, somebody will come back for what lies here
            }
            return objection;
        } finally {
            place.freeByte(1);
        }
    }

    /**
     * With byte 1 in hand: deletes the record of the last successor. The record is the second witness: if its process lives and its
     * lease runs, then the byte is ours only because some code of that process made the kernel drop it.
     *
     * @return why it was not deleted; null if there is none any more
     */
    private @Nullable String takeAwayTakeover() throws IOException {
        Found left = place.find(Spot.TAKEOVER);
        String objection = residue().objection(left);
        if (left != null && objection == null) {
            place.delete(Spot.TAKEOVER, left.key());
        }
        return objection;
    }

    /** Holding a seat's byte: publish, look, and enter. Gives the seat up again unless it comes to a hold. */
    private Taken sit(int seat, Terms terms) throws IOException {
        Attempt mine = new Attempt(seat, terms);
        attempt = mine;
        Taken taken = null;
        try {
            // Before anything is published there: his until must stay as it is if he lives.
            String objection = seat == 0 ? null : takeAwayTakeover();
            if (objection != null) {
                return taken = new Busy(Busy.NOTHING, now() + LOOK_AGAIN_NANOS * 5, objection);
            }
            Line line = seat == 0 ? place.claimLine() : place.findOnlyLine();
            if (line == null) {
                taken = new Busy(seat == 0 ? Busy.NOTHING : 0, now() + LOOK_AGAIN_NANOS,
                        seat == 0 ? "it has two lines on the board, which are both in use" : "it has no line of its own to pass its owner over");
            } else {
                long published = now();
                mine.word = untilOf(terms, published);
                mine.line = line;
                taken = publishAndLook(seat, line, terms, published);
            }
            return taken;
        } finally {
            if (!(taken instanceof Hold)) {
                takeBack(mine);
            }
        }
    }

    /** Rule 3. */
    private Taken publishAndLook(int seat, Line line, Terms terms, long published) throws IOException {
        if (seat == 0 && !publishOnSeat0(line, untilOf(terms, published))) {
            return new Busy(Busy.NOTHING, now() + LOOK_AGAIN_NANOS, "another has sat on the seat since"); // and if the kernel lost our byte, sits there
        } else if (seat == 1 && !line.replace(1, wordOfSeat1, untilOf(terms, published))) {
            return new Busy(1, now() + LOOK_AGAIN_NANOS, "another has sat on the second seat since");
        }
        long now = now(); // rule 7: before the until
        long other = line.until(1 - seat);
        if (!isPast(other, now)) {
            return new Busy(1 - seat, momentAfter(other), seat == 0 ? "a successor holds it" : "its holder has woken");
        }
        if (seat == 0) {
            Busy busy = waitForSuccessorOnAnotherTable(line);
            return busy != null ? busy : enter(seat, line, terms, published, null);
        }
        Found ofSeat0 = place.find(Spot.LOCK);
        String objection = residue().objection(ofSeat0);
        if (objection != null) {
            return new Busy(0, now + LOOK_AGAIN_NANOS * 5, objection);
        }
        // 0 is nobody's: the other is just taking the lock or giving it back, and nothing was taken away from anybody.
        return enter(seat, line, terms, published, other == 0 ? null : residue().whyPassedOver(ofSeat0));
    }

    /**
     * A successor takes its seat on the table that it has open, and its record does not lie at {@code x.lock} yet. If the table was replaced since, nothing
     * of that shows on the new one. So at the first use of a line, once the table is open, its record is looked for: a successor that links its record
     * after this look finds the other table in place, and gives up ({@link LockPlace#requireInPlace}).
     *
     * @return null if there is none, or none that still counts
     */
    private @Nullable Busy waitForSuccessorOnAnotherTable(Line line) throws IOException {
        if (line == withoutSuccessor) {
            return null;
        }
        Found left = place.find(Spot.TAKEOVER);
        String objection = residue().objection(left);
        if (left == null || objection == null && !residue().asksToBeWaitedFor(left)) {
            withoutSuccessor = line; // also if the record stays, because its process is frozen past its lease, with byte 1
        }
        return left == null ? null : new Busy(1, now() + LOOK_AGAIN_NANOS, objection != null ? objection : "what a successor has left is taken away first");
    }

    /**
     * Over what the dead left, and over nobody who lives: the kernel may have lost our byte, and another sit here by now, who has written
     * another word. The kernel itself is not asked: for a reader of {@code /proc/locks} it first waits for all processors, some
     * eight milliseconds.
     *
     * @return false if so
     */
    private boolean publishOnSeat0(Line line, long until) {
        long word = place.shared() ? wordOfSeat0 : line.until(0); // a line that is not shared, nobody else writes on
        return line.replace(0, word, until) || word != 0 && line.replace(0, 0, until); // to 0 it was set by whoever gave the lock back
    }

    /**
     * Takes back what an attempt has done: its record, then its word, then its byte. What a throwable breaks off in here is done by the next call:
     * the byte is not given back before the record is gone, since that alone allows to delete it.
     */
    private void takeBack(Attempt mine) throws IOException {
        Exception failure = null;
        try {
            if (mine.reclaiming) {
                place.endReclaim();
                mine.reclaiming = false;
            }
            takeBackRecord(mine);
        } catch (IOException | RuntimeException e) { // not an error: after one it may not be known what was done
            failure = e;
        }
        try {
            if (mine.line != null) {
                mine.line.replace(mine.seat, mine.word, 0);
            }
        } catch (TableFault e) { // it is past by itself; the byte must not stay for it
            failure = failure == null ? e : failure;
        }
        if (!hasGift(mine.seat)) {
            place.freeByte(mine.seat);
        }
        attempt = null;
        if (failure instanceof IOException e) {
            throw e;
        } else if (failure != null) {
            throw (RuntimeException) failure;
        }
    }

    /** The record of one who did not come in after all. */
    private void takeBackRecord(Attempt mine) throws IOException {
        Slip slip = mine.slip;
        if (slip == null) {
            return;
        }
        Spot spot = spotOf(mine.seat);
        try {
            if (mine.covering && place.isAt(slip, Spot.LOCK)) {
                deleteLater(slip, Spot.LOCK); // it takes byte 0, which is not ours
                giveUp(slip, mine.terms, mine.token, mine.createdAtMillis);
            }
            if (place.isAt(slip, spot)) {
                place.unlink(slip, spot);
            }
        } catch (IOException | RuntimeException e) {
            deleteLater(slip, spot);
            mine.slip = null;
            giveUp(slip, mine.terms, mine.token, mine.createdAtMillis);
            throw e;
        }
        try {
            if (undeleted.stream().noneMatch(left -> left.slip() == slip)) {
                place.recycle(slip);
            }
            mine.slip = null;
        } catch (IOException | RuntimeException e) {
            mine.slip = null;
            throw e;
        }
    }

    /**
     * Finishes what a throwable has broken off. Afterwards nothing of the lock is ours but the hold that is out, what waits in {@link #undeleted}, and
     * gifts.
     */
    private void settle() throws IOException {
        Attempt left = attempt;
        if (left != null) {
            log.warn("{}: an earlier call was broken off by an error; what it has left is taken back", place.lockFile());
            takeBack(left);
        }
        for (int seat = 0; seat < 2; seat++) {
            if (!hasGift(seat) && (out == null || out.seat != seat)) {
                place.freeByte(seat);
            }
        }
        place.settle();
        unsettled = false;
    }

    private void settleQuietly() {
        try {
            if (unsettled) {
                settle();
            }
        } catch (IOException | RuntimeException e) {
            log.debug("still cannot clean up after the lock {}", place.lockFile(), e);
        }
    }

    /**
     * Rule 4: draw the token, link the record, and last of all read the clock again. A token drawn before the look could be older
     * than that of a successor who came in while this process slept.
     *
     * @param passedOver why whoever sat on the other seat is passed over; null if nobody is
     */
    private Taken enter(int seat, Line line, Terms terms, long published, @Nullable String passedOver) throws IOException {
        String reclaimed = passedOver;
        long last = line.lastToken();
        boolean wasOthers = lastToken != 0 && last != lastToken;
        if (last == 0 && seat == 0) {
            // A token tells from now on that the lock was taken here, and so that an empty file in its place is ours. First see what lies there now.
            Object obstacle = clear(Spot.LOCK, terms);
            if (obstacle instanceof Busy busy) {
                return busy;
            } else if (obstacle instanceof Residue.Replace gone) {
                reclaimed = gone.evidence();
                line.raiseToken(gone.token());
            }
        }
        long drawnAt = place.clock().wallMicros();
        long token = draw(line, drawnAt);
        lastToken = token;
        long createdAt = place.clock().wallMillis();
        Attempt mine = attempt; // what it has, sit() takes back unless it comes to a hold
        mine.token = token;
        mine.createdAtMillis = createdAt;
        Slip slip = mine.slip = place.write(record(terms, token, createdAt, terms.maxHoldMillis(), published));
        Spot spot = spotOf(seat);
        boolean late = false;
        while (!place.link(slip, spot)) {
            late = true;
            Object obstacle = clear(spot, terms);
            if (obstacle instanceof Busy busy) {
                return busy;
            } else if (obstacle instanceof Residue.Replace gone) {
                reclaimed = gone.evidence();
                line.raiseToken(gone.token()); // the table may have been made anew since, and the wall clock set back
            }
        }
        late |= hasTakenLong(drawnAt); // by now the record is there, and the look that follows takes its own time
        place.requireInPlace(slip, spot, line);
        if (late) {
            token = draw(line, place.clock().wallMicros());
            lastToken = token;
            mine.token = token;
            place.rewrite(slip, record(terms, token, createdAt, terms.maxHoldMillis(), published));
        }
        long until = untilOf(terms, published);
        if (!isKeptWhileTaking(seat) || !line.says(seat, until) || !line.stands()) {
            return new Busy(Busy.NOTHING, now(), "the kernel lost our lock while we took it, and another has had it since");
        }
        long deadline = deadlineOf(terms, published);
        if (now() >= deadline) {
            return new Busy(Busy.NOTHING, now(), SLEPT);
        }
        SeatHold hold = new SeatHold(seat, line, slip, terms, token, createdAt, published, deadline, reclaimed);
        hold.says(until);
        hold.wasOthers = wasOthers;
        return hold;
    }

    /** {@return the next token} A smaller one than the last would let the writes of a frozen holder pass a fence, so none is better. */
    private long draw(Line line, long wallMicros) throws LockException {
        long token = line.drawToken(wallMicros);
        if (token == Line.NO_TOKEN) {
            Path home = place.lockFile().getParent();
            throw new LockException("cannot lock " + place.target() + ": its fencing tokens are used up: the last one is " + Long.MAX_VALUE
                    + ", the greatest that there is. No clock leads there: somebody has written it into a lock file or into "
                    + home.resolve(LockDirectory.INNER) + ", and whoever may write there can do it again. To go on: end all processes that lock files in "
                    + home + ", have all that remembers their tokens (fences) forget them, remove " + home.resolve(LockDirectory.INNER) + " and "
                    + place.lockFile() + ", and start the processes again");
        }
        return token;
    }

    @Override
    public boolean wasOthers(Hold hold) {
        return ((SeatHold) hold).wasOthers;
    }

    /**
     * {@return whether so much time has passed before the record was linked that its token is drawn once more} Where {@code .session-locks} was
     * replaced, those on the old one draw from another table, and only the record at x.lock keeps them out. So whoever was there before us may have
     * drawn its token after ours. Now that our record is there, nobody can.
     */
    private boolean hasTakenLong(long drawnAt) {
        return Math.abs(place.clock().wallMicros() - drawnAt) > LATE_MICROS;
    }

    /**
     * Whether we still have the byte now that our record is linked. On seat 0 the linking itself has told: it fails if another's record is
     * there. On seat 1 somebody who took our lost byte for a dead successor's may have looked for a record before there was one.
     */
    private boolean isKeptWhileTaking(int seat) throws IOException {
        if (place.knowsByteLost(seat)) {
            return false;
        } else if (seat == 0) {
            return true;
        }
        place.lookAfresh();
        return !Boolean.FALSE.equals(place.kernelHasByte(seat));
    }

    /**
     * Something lies where our record is to lie. {@return a {@link Busy} if we have to wait for it, a {@link Residue.Replace} if it
     * was taken away, null if it had gone by itself}
     */
    private @Nullable Object clear(Spot spot, Terms terms) throws IOException {
        if (spot == Spot.TAKEOVER) {
            String objection = takeAwayTakeover(); // it was not there a moment ago: a hand's, or of one whose byte was lost
            return objection == null ? null : new Busy(Busy.NOTHING, now() + LOOK_AGAIN_NANOS * 5, objection);
        }
        Found found = place.find(spot);
        if (found == null) {
            return null;
        }
        Residue.Judgement judgement = residue().judge(found, terms);
        if (judgement instanceof Residue.Refuse refuse) {
            throw new NotALockFileException(place.lockFile() + " is not a lock file but " + refuse.what()
                    + ". It was not touched. If nobody needs it, move it away; else choose another name for " + place.name());
        } else if (judgement instanceof Residue.Wait wait) {
            return new Busy(Busy.NOTHING, now() + wait.nanos(), wait.why());
        }
        return reclaim(found) ? judgement : new Busy(Busy.NOTHING, now() + RECLAIM_AGAIN_NANOS, "another process is replacing a dead lock (" + place.lockFile() + ".reclaim is there)");
    }

    /**
     * Deletes what a dead owner left. Our own processes are kept out by byte 0; other programs, which judge and unlink, by the
     * directory that they expect to see meanwhile.
     */
    private boolean reclaim(Found found) throws IOException {
        Attempt mine = attempt;
        mine.reclaiming = true;
        boolean begun = place.beginReclaim();
        mine.reclaiming = begun;
        if (!begun) {
            return false;
        }
        try {
            Found still = place.find(Spot.LOCK);
            if (still != null && still.key().equals(found.key()) && still.content().equals(found.content())) {
                place.delete(Spot.LOCK, found.key());
            }
            return true;
        } finally {
            place.endReclaim();
            mine.reclaiming = false;
        }
    }

    // ---- holding ----

    @Override
    public boolean renew(Hold held, long holdUntilMillis) throws IOException {
        SeatHold hold = (SeatHold) held;
        return ofItsLine(hold, () -> renewInTime(hold, holdUntilMillis));
    }

    private interface OfItsLine<T> {
        T get() throws IOException;
    }

    /** Does something with the line of a hold. If that fails, the next {@link #check} looks closely, and the hold can tell what it is lost by. */
    private <T> T ofItsLine(SeatHold hold, OfItsLine<T> step) throws IOException {
        try {
            return step.get();
        } catch (TableFault e) {
            hold.trouble = e.getMessage();
            place.lineFailed();
            throw e.getCause();
        }
    }

    private boolean renewInTime(SeatHold hold, long holdUntilMillis) throws IOException {
        if (now() >= hold.deadline()) {
            return false;
        }
        long token = hold.token(); // before the thread: whoever comes in between is told of at the next renewal
        if (!hold.isRecorded()) {
            hold.createdAtMillis = place.clock().wallMillis();
        }
        if (publishAnew(hold, hold.terms().of(hold.thread()), token, hold.createdAtMillis, holdUntilMillis, false) == null) {
            return false;
        }
        hold.recordTells(token);
        hold.trouble = null;
        return true;
    }

    /**
     * Rule 6: read the clock, write until and record, read the clock again; it counts only if the old deadline had not passed.
     *
     * @return the hold as it is now: the same one, or with {@code pass} a new one on new terms; null if it came too late
     */
    private @Nullable Hold publishAnew(SeatHold hold, Terms terms, long token, long createdAt, long holdUntilMillis, boolean pass)
            throws IOException {
        long now = now();
        long oldDeadline = hold.deadline();
        long deadline = deadlineOf(terms, now);
        if (!publishAgain(hold, untilOf(terms, now))) {
            return null;
        }
        long maxHold = holdUntilMillis < 0 ? -1 : Math.max(0, holdUntilMillis - createdAt);
        try {
            place.rewrite(hold.slip, record(terms, token, createdAt, maxHold, now));
        } catch (IOException e) {
            if (pass || !place.shared()) {
                throw e; // on a network file system the record is all that other machines see of a renewal
            }
            if (isDisplaced()) { // others stand on other guards by now, and let the record's lease alone keep them out
                hold.byteLost = true;
                return null;
            }
            log.warn("could not renew the record {}; the lock itself is renewed", place.lockFile(), e);
        } catch (OutOfMemoryError e) {
            if (pass || !place.shared()) {
                throw e;
            } // else the table says it, which takes no memory
        }
        if (now() >= oldDeadline) {
            return null;
        }
        if (pass) {
            SeatHold passed = new SeatHold(hold.seat, hold.line, hold.slip, terms, token, createdAt, now, deadline, null);
            passed.says(hold.published);
            return passed;
        }
        hold.leaseBegins(now, deadline);
        return hold;
    }

    private boolean isDisplaced() throws IOException {
        place.lookAround();
        String displaced = place.displaced();
        if (displaced != null) {
            log.warn("{}: {}", place.lockFile(), displaced);
        }
        return displaced != null;
    }

    /** False if another has our byte: the line tells it before the keeper asks the kernel. */
    private boolean publishAgain(SeatHold hold, long until) throws IOException {
        settleWord(hold);
        hold.intended = until;
        if (!hold.line.replace(hold.seat, hold.published, until)) {
            long word = hold.line.until(hold.seat);
            place.lookAfresh();
            boolean ours = Boolean.TRUE.equals(place.kernelHasByte(hold.seat)) || retakeByte(hold);
            // Whoever had it has withdrawn at the sight of our record. If it was lost once more since, the next one has written.
            if (!ours || !hold.line.replace(hold.seat, word, until) && !hold.line.replace(hold.seat, 0, until)) {
                hold.byteLost = true;
                return false;
            }
            hold.says(until);
            long now = now(); // rule 7
            if (!isPast(hold.line.until(1 - hold.seat), now)) { // rule 3: while our word was not there, another may have come in
                log.warn("{}: what this process had published on the board was overwritten, and another process has come in", place.lockFile());
                return false;
            }
        }
        hold.says(until);
        hold.byteLost = !hold.line.stands(); // published, then looked: the line was cleared while the kernel had lost our byte
        return !hold.byteLost;
    }

    /** A throwable may have come between a publishing and the note of it. */
    private static void settleWord(SeatHold hold) {
        if (hold.intended != hold.published && hold.line.says(hold.seat, hold.intended)) {
            hold.published = hold.intended;
        }
    }

    /** If a throwable breaks it off, {@link #isMissing} says so. */
    private boolean retakeByte(SeatHold hold) throws IOException {
        hold.retaking = true;
        boolean back = place.retakeByte(hold.seat);
        hold.retaking = false;
        return back;
    }

    /** {@return whether it is known, without asking the kernel, that our byte is gone} */
    private boolean isMissing(SeatHold hold) {
        return hold.retaking || place.knowsByteLost(hold.seat);
    }

    @Override
    public @Nullable Hold handOver(Hold held, Terms terms) throws IOException {
        SeatHold from = (SeatHold) held;
        return ofItsLine(from, () -> passOn(from, terms));
    }

    private @Nullable Hold passOn(SeatHold from, Terms terms) throws IOException {
        if (from.seat != 0 || now() >= from.deadline() || !place.isAt(from.slip, Spot.LOCK)) {
            return null; // passed over, or removed by hand: that is a wish to see it free
        }
        if (isMissing(from) && !isKept(from)) {
            from.byteLost = true;
            return null;
        }
        boolean sameTerms = terms.equals(from.terms().of(terms.thread()));
        if (sameTerms && reuse(from, terms.thread() == null ? "" : terms.thread()) && now() < from.deadline()) { // the clock last: rule 4
            return from; // in memory: the record tells of it at the keeper's next tick
        }
        // Not from the wall clock, so that it stays near the time at which this JVM got the byte: who comes in after us over a replaced table draws
        // from the wall clock, perhaps a moment before we end.
        long token = draw(from.line, 0);
        long createdAt = place.clock().wallMillis();
        long holdUntil = terms.maxHoldMillis() < 0 ? -1 : createdAt + terms.maxHoldMillis();
        Hold passed = publishAnew(from, terms, token, createdAt, holdUntil, true);
        if (passed != null) {
            out = (SeatHold) passed; // last, as in take()
        }
        return passed;
    }

    /** One that is not to be passed over would stop everybody were its process frozen, though nobody has the lock. */
    @Override
    public boolean isReusable(Hold held) {
        SeatHold hold = (SeatHold) held;
        return hold.seat == 0 && hold.terms().takeover() && place.shared() && !hold.byteLost;
    }

    @Override
    public boolean reuse(Hold held, String thread) {
        SeatHold hold = (SeatHold) held;
        try {
            if (!isReusable(hold) || isMissing(hold)) {
                return false;
            }
            long token = hold.line.drawToken(0); // rule 4: before the clock is read
            if (token == Line.NO_TOKEN) {
                return false; // and whoever asks in the ordinary way is told
            }
            hold.usedBy(thread, token);
            // And before the word is: whoever has our byte, if the kernel has lost it, has drawn an older token, and will come in with it.
            return hold.line.says(hold.seat, hold.published) && hold.line.stands();
        } catch (TableFault e) {
            hold.trouble = e.getMessage();
            return false; // and whoever asks in the ordinary way has the table made anew
        }
    }

    @Override
    public Standing check(Hold held, boolean deeply) throws IOException {
        SeatHold hold = (SeatHold) held;
        boolean failed = hold.trouble != null;
        if (failed) {
            place.lineFailed();
        }
        Standing standing = ofItsLine(hold, () -> standingOf(hold, deeply || failed));
        // Last: what the look has made is let go, too. And quietly: who was asked to let go is not asked again.
        quietly(hold, () -> place.rest(hold.slip));
        return standing;
    }

    private Standing standingOf(SeatHold hold, boolean deeply) throws IOException {
        long token = hold.token(); // once: reuse() may draw another meanwhile
        if (place.releaseRequested(token)) {
            place.dropReleaseRequest(token);
            return Standing.REQUESTED;
        }
        if ((deeply || isMissing(hold)) && !isKept(hold)) {
            hold.byteLost = true;
            return Standing.LOST;
        }
        if (!hold.line.says(hold.seat, hold.published) && !isPublishedAgain(hold)) {
            return Standing.LOST;
        }
        coverLock(hold);
        boolean there = place.isStillAt(hold.slip, spotOf(hold.seat));
        there = there && (!hold.atLock || place.isAt(hold.slip, Spot.LOCK));
        return there ? Standing.INTACT : Standing.REMOVED;
    }

    /**
     * Somebody has written over our word: one who got the byte that the kernel has lost, or a backup that was restored over the board in use. That
     * overwrites the record, too, so that no witness is left: the sooner the word is there again, the better.
     */
    private boolean isPublishedAgain(SeatHold hold) throws IOException {
        if (!publishAgain(hold, untilOf(hold.terms(), hold.renewedAt()))) {
            return false;
        }
        log.warn("{}: what this process had published on the board was overwritten; it is published again", place.lockFile());
        hold.recordTells(0); // it is written anew, at this very look
        return true;
    }

    /**
     * On seat 1: our record takes the place of the one at x.lock, whose owner is passed over, or has taken it away: were that owner killed,
     * strangers would find the lock of a dead process there, and come in. Our own processes are not in the way: whoever gets byte 0 waits
     * for our until before it links anything.
     */
    private void coverLock(SeatHold hold) throws IOException {
        if (hold.seat == 1 && !isAtLock(hold)) {
            Found there = place.find(Spot.LOCK);
            hold.covering = true;
            hold.atLock = there == null ? place.link(hold.slip, Spot.LOCK) : isPassedOver(there, hold) && place.cover(hold.slip, there.key());
            hold.covering = false;
        }
    }

    /** A throwable may have come between the covering and the note of it. */
    private boolean isAtLock(SeatHold hold) throws IOException {
        if (hold.covering && !hold.atLock) {
            hold.atLock = place.isAt(hold.slip, Spot.LOCK);
        }
        hold.covering = false;
        return hold.atLock;
    }

    private static boolean isPassedOver(Found there, SeatHold hold) {
        return there.content() instanceof LockContent.Ours ours && ours.record().token() < hold.token();
    }

    @Override
    public void lookAfresh() throws IOException {
        place.lookAfresh();
    }

    /** Whether the kernel still has our byte, or has it again. */
    private boolean isKept(SeatHold hold) throws IOException {
        String displaced = place.displaced();
        if (displaced != null) {
            log.warn("{}: {}", place.lockFile(), displaced);
            return false;
        }
        if (!hold.line.stands()) {
            log.warn("{}: its line on the board was cleared, since the kernel had lost our lock", place.lockFile());
            return false;
        }
        if (!isMissing(hold) && !Boolean.FALSE.equals(place.kernelHasByte(hold.seat))) {
            return true;
        }
        settleWord(hold);
        long word = hold.line.until(hold.seat); // before the byte is ours again, as in publishAgain
        long until = untilOf(hold.terms(), hold.renewedAt());
        hold.intended = until;
        // To 0 it was set by one who had our byte meanwhile, and has withdrawn at the sight of our record.
        boolean back = retakeByte(hold) && (hold.line.replace(hold.seat, word, until) || hold.line.replace(hold.seat, 0, until));
        if (back) {
            hold.says(until);
            back = hold.line.stands(); // published, then looked
        }
        log.warn("{}: the kernel had lost our lock (some code of this JVM opened and closed a file in {}); {}", place.lockFile(),
                ".session-locks", back ? "it was taken again in time" : "another process has it");
        return back;
    }

    // ---- giving back ----

    @Override
    public void release(Hold held) {
        SeatHold hold = out;
        if (hold == null || hold.slip != ((SeatHold) held).slip) {
            return; // it has been given back: its record file and its byte may serve another by now
        }
        lastToken = hold.token(); // it may have been used again since it was taken
        giveBack(hold); // what is out, if that was handed over to: one who was not told of it may give back what he knows
        out = null;
        tidySeatsQuietly(hold);
    }

    /** Who asks for the lock, or for tidying up, has no hold: if one is out, something was thrown before the caller was told of it. */
    private void releaseUnknown() {
        SeatHold unknown = out;
        if (unknown != null) {
            release(unknown);
        }
    }

    /** Gives back all that belongs to a hold. What a throwable breaks off in here, the next call does. */
    private void giveBack(SeatHold hold) {
        hold.byteLost |= !hold.recordSettled && isMissing(hold);
        if (!hold.recordSettled && !quietly(hold, () -> removeRecord(hold))) {
            deleteLater(hold.slip, spotOf(hold.seat));
        }
        hold.recordSettled = true;
        // A word that still is ours goes even if the byte is lost, or whoever has the byte by now and is frozen would stand behind it. But not on
        // seat 1, where it says that a record lies there.
        if (!hold.byteLost || hold.seat == 0) {
            withdrawWord(hold);
        }
        if (!hasGift(hold.seat)) {
            quietly(hold, () -> place.freeByte(hold.seat));
        }
    }

    /** If the table cannot be written, the word is past by itself: the byte must not stay for it. */
    private void withdrawWord(SeatHold hold) {
        try {
            settleWord(hold);
            hold.line.replace(hold.seat, hold.published, 0);
        } catch (TableFault e) {
            hold.trouble = e.getMessage();
            log.debug("the lock {} is given back, though the table does not say so", place.lockFile(), e);
        }
    }

    private void tidySeatsQuietly(SeatHold hold) {
        boolean before = unsettled;
        unsettled = true;
        quietly(hold, () -> tidySeats(hold));
        unsettled = before;
    }

    private void removeRecord(SeatHold hold) throws IOException {
        Spot spot = spotOf(hold.seat);
        isAtLock(hold);
        if (hold.byteLost) {
            deleteLater(hold.slip, spot); // to delete it takes the byte
            if (hold.atLock) {
                deleteLater(hold.slip, Spot.LOCK);
            }
            giveUp(hold);
        } else if (hold.atLock) {
            // Deleting x.lock takes byte 0, which is not ours yet. Until then our record must not look like a living one.
            deleteLater(hold.slip, Spot.LOCK);
            giveUp(hold);
            if (place.isAt(hold.slip, spot)) {
                place.unlink(hold.slip, spot);
            }
        } else if (place.isAt(hold.slip, spot)) {
            unlinkOrGiveUp(hold, spot);
            place.recycle(hold.slip);
        } else {
            place.retire(hold.slip); // a hand has removed it, or moved it: it may be linked elsewhere
        }
    }

    private void unlinkOrGiveUp(SeatHold hold, Spot spot) throws IOException {
        try {
            place.unlink(hold.slip, spot);
        } catch (IOException e) {
            giveUp(hold);
            throw e;
        }
    }

    private void giveUp(SeatHold hold) throws IOException {
        giveUp(hold.slip, hold.terms(), hold.token(), hold.createdAtMillis);
    }

    /** Rewrites a record that has to stay for a while, so that it holds nobody up. */
    private void giveUp(Slip slip, Terms terms, long token, long createdAt) throws IOException {
        Terms over = new Terms(terms.leaseNanos(), true, 0, terms.thread(), terms.purpose(), true);
        place.rewrite(slip, record(over, token, createdAt, 0, LockRecord.GIVEN_BACK - terms.leaseNanos()));
    }

    /** After the seat is free: what is left on the other one, or at x.lock. Each byte is asked for alone. */
    private void tidySeats(SeatHold hold) throws IOException {
        if (!undeleted.isEmpty()) {
            tidy();
        }
        long leftOver = hold.seat == 0 ? hold.line.until(1) : 0;
        if (leftOver != 0 && hold.line.stands() && isPast(leftOver, now()) && tryByte1()) {
            clearSeat1();
        }
    }

    @Override
    public void abandon(Hold held) {
        SeatHold hold = (SeatHold) held;
        quietly(hold, () -> {
            if (place.isAt(hold.slip, spotOf(hold.seat))) {
                place.unlink(hold.slip, spotOf(hold.seat));
            }
            place.retire(hold.slip);
        });
    }

    @Override
    public boolean tidy() {
        try {
            releaseUnknown();
            if (unsettled) {
                settle();
            }
            place.settle();
            for (int seat = 0; seat < 2 && !undeleted.isEmpty(); seat++) {
                if (!hasGift(1 - seat)) { // rule 3: never both bytes
                    deleteUndeleted(seat);
                }
            }
            return undeleted.isEmpty();
        } catch (IOException | RuntimeException e) {
            log.debug("still cannot clean up after the lock {}", place.lockFile(), e);
            return false;
        }
    }

    private void deleteUndeleted(int seat) throws IOException {
        if (undeleted.stream().noneMatch(left -> left.spot() == spotOf(seat))) {
            return;
        }
        boolean before = unsettled;
        unsettled = true;
        if (place.tryByte(seat)) {
            try {
                for (Undeleted left : undeleted) {
                    if (left.spot() == spotOf(seat)) {
                        deleteAtLast(left);
                    }
                }
            } finally {
                place.freeByte(seat);
            }
        }
        unsettled = before;
    }

    private void deleteLater(Slip slip, Spot spot) {
        if (undeleted.stream().anyMatch(left -> left.slip() == slip && left.spot() == spot)) {
            return;
        }
        undeleted = Stream.concat(undeleted.stream(), Stream.of(new Undeleted(slip, spot))).toList();
    }

    private void deleteAtLast(Undeleted left) throws IOException {
        if (place.isAt(left.slip(), left.spot())) {
            place.unlink(left.slip(), left.spot());
        }
        if (undeleted.stream().noneMatch(other -> other != left && other.slip() == left.slip())) {
            place.retire(left.slip());
        }
        undeleted = undeleted.stream().filter(other -> other != left).toList(); // last: what a throwable breaks off is done again
    }

    private interface Step {
        void run() throws IOException;
    }

    /** Nothing that goes wrong in giving back is the user's business: it is logged, and the keeper tries again. */
    private boolean quietly(Hold hold, Step step) {
        try {
            step.run();
            return true;
        } catch (IOException | RuntimeException e) {
            log.warn("could not clean up after the lock {} (token {}); it is tried again", place.lockFile(), hold.token(), e);
            return false;
        }
    }

    // ---- clearing ----

    /**
     * Under the kernel bytes, as an acquisition does it, but without entering: no token is drawn and no record made. What a dead successor
     * left goes first, since its until would stand in the way. Each byte is asked for alone (rule 3).
     */
    @Override
    public Cleared clear(boolean takeStrangers) throws IOException {
        if (unsettled) {
            settle();
        }
        putBack(); // what was got for the next take: with it in hand, the other byte must not be asked for
        unsettled = true;
        try {
            Cleared successor = clearTakeover();
            Cleared lock = clearLock(new Terms(CLEARING_NANOS, true, 0, null, null, takeStrangers));
            unsettled = false;
            return lock.outcome() == Outcome.NOTHING ? successor : lock;
        } catch (TableFault e) {
            place.lineFailed();
            throw e.getCause();
        }
    }

    private Cleared clearLock(Terms terms) throws IOException {
        if (!tryByte0()) {
            return new Cleared(Outcome.KEPT, "the kernel lock is held: a process has it now, or is just taking it");
        }
        Attempt mine = new Attempt(0, terms);
        attempt = mine;
        try {
            Found found = place.find(Spot.LOCK);
            if (found == null) {
                return NOTHING;
            }
            Residue.Judgement judgement = residue().judgeDead(found, terms.takeStrangers());
            if (!(judgement instanceof Residue.Replace gone)) {
                return new Cleared(Outcome.KEPT, judgement instanceof Residue.Wait wait ? wait.why() : ((Residue.Refuse) judgement).what());
            }
            // Publish, then look, as rule 3 says: a successor puts its record in place of the dead one's, and we would delete it.
            Line line = place.claimLine();
            if (line == null) {
                return new Cleared(Outcome.KEPT, "it has two lines on the board, which are both in use");
            }
            mine.word = untilOf(terms, now());
            mine.line = line;
            if (!publishOnSeat0(line, mine.word)) {
                return new Cleared(Outcome.KEPT, "another process has taken it just now");
            }
            long now = now();
            return isPast(line.until(1), now) ? takeAway(found, gone, line) : new Cleared(Outcome.KEPT, "a successor holds it");
        } finally {
            takeBack(mine);
        }
    }

    private Cleared takeAway(Found found, Residue.Replace gone, Line line) throws IOException {
        // Before its record is gone: if the board is younger than it and the clock was set back, a later token would be smaller.
        line.raiseToken(gone.token());
        if (!reclaim(found)) {
            return new Cleared(Outcome.KEPT, "another process is replacing it just now (" + place.lockFile() + ".reclaim is there)");
        }
        return place.find(Spot.LOCK) == null ? new Cleared(Outcome.REMOVED, gone.evidence())
                : new Cleared(Outcome.KEPT, "it changed while it was looked at");
    }

    /** A successor's record is taken away only if its process is gone, and its byte is free. */
    private Cleared clearTakeover() throws IOException {
        if (place.find(Spot.TAKEOVER) == null || !tryByte1()) {
            return NOTHING;
        }
        boolean cleared = false;
        try {
            Found left = place.find(Spot.TAKEOVER);
            if (left != null && residue().judgeDead(left, false) instanceof Residue.Replace gone) {
                cleared = true; // and the byte is given back by it
                clearSeat1();
                return new Cleared(Outcome.REMOVED, gone.evidence());
            }
            return NOTHING;
        } finally {
            if (!cleared) {
                place.freeByte(1);
            }
        }
    }

    @Override
    public void askForRelease(long token) throws IOException {
        place.requestRelease(token);
    }

    @Override
    public boolean withdrawAsking(long token) throws IOException {
        boolean unheard = place.releaseRequested(token);
        place.dropReleaseRequest(token);
        return unheard;
    }

    // ---- looking and waiting ----

    @Override
    public LockReport look() throws IOException {
        try {
            return Inspector.report(place.glance());
        } catch (TableFault e) {
            throw e.getCause();
        }
    }

    @Override
    public void raiseHand(boolean waits) {
        try {
            Line line = place.findLine();
            if (line != null && (waits || !isRaised(line.waiterSeen(), HAND_NANOS))) { // who but tries hides nobody who waits
                line.raiseHand(now() & ~HAND_BITS & ~TRIED | (waits ? 0 : TRIED) | hand);
            }
        } catch (IOException | TableFault e) {
            log.debug("could not tell other processes that we wait for {}", place.lockFile(), e);
        }
    }

    @Override
    public boolean othersWait(Hold held, long nanos) {
        long mark = waiterSeen((SeatHold) held);
        return (mark & TRIED) == 0 && isRaised(mark, nanos);
    }

    @Override
    public boolean othersWant(Hold held, long nanos) {
        return isRaised(waiterSeen((SeatHold) held), nanos);
    }

    /** {@return when a process last said that it waits; 0 if that cannot be read: then the hold ends, and who waits gets in} */
    private static long waiterSeen(SeatHold hold) {
        try {
            return hold.line.waiterSeen();
        } catch (TableFault e) {
            hold.trouble = e.getMessage();
            return 0;
        }
    }

    private boolean isRaised(long mark, long nanos) {
        if (mark == 0 || (mark & HAND_BITS) == hand) {
            return false;
        }
        long age = now() - (mark & ~HAND_BITS & ~TRIED);
        return age >= 0 && age < nanos; // one from the future is of another time namespace
    }

    @Override
    public void await(int what) throws IOException {
        place.awaitByte(what);
    }

    @Override
    public void accept(int what) {
        settleQuietly();
        boolean before = unsettled;
        unsettled = true;
        if (place.acceptByte(what)) { // else a throwable broke an earlier acceptance off, and the byte has been given back
            gifts |= 1 << what;
        }
        unsettled = before;
        if (hasGift(0) && hasGift(1)) { // rule 3: never both bytes
            giveBackGift(1);
        }
    }

    private boolean hasGift(int seat) {
        return (gifts & 1 << seat) != 0;
    }

    private void forgetGift(int seat) {
        gifts &= ~(1 << seat);
    }

    private void giveBackGift(int seat) {
        boolean before = unsettled;
        unsettled = true;
        forgetGift(seat); // first: a gift whose byte is not ours any more would serve a take
        freeQuietly(() -> place.freeByte(seat));
        unsettled = before;
    }

    @Override
    public void decline(int what) {
        freeQuietly(() -> place.declineByte(what));
    }

    private void freeQuietly(Step free) {
        try {
            free.run();
        } catch (IOException e) {
            log.warn("could not give back a kernel lock of {}", place.lockFile(), e);
        }
    }

    @Override
    public void putBack() {
        settleQuietly();
        for (int what = 0; what < 2; what++) {
            if (hasGift(what)) {
                giveBackGift(what);
            }
        }
    }

    // ---- clocks ----

    private long now() {
        return place.clock().nanos();
    }

    /** {@return what others see: the deadline and the grace; never, for one who is not to be passed over or does not compare} */
    private long untilOf(Terms terms, long from) {
        boolean bounded = terms.takeover() && place.comparable();
        long until = bounded ? from + terms.leaseNanos() + terms.graceNanos() + HAND_BITS : Line.NEVER;
        return until & ~HAND_BITS | hand;
    }

    /** {@return rule 5: until when it is ours. Where the board is not shared the record alone bounds it, for everyone} */
    private long deadlineOf(Terms terms, long from) {
        return terms.takeover() || !place.shared() ? from + terms.leaseNanos() : Hold.NEVER;
    }

    private boolean isPast(long until, long now) {
        return Line.isPast(until, now, place.comparable());
    }

    /** {@return when to look again} Of one whose clock does not compare, its until says nothing: it may be past, and we would look without a pause. */
    private long momentAfter(long until) {
        return Line.isNever(until) || !place.comparable() ? Long.MAX_VALUE : until + A_MOMENT_NANOS;
    }

    private static Spot spotOf(int seat) {
        return seat == 0 ? Spot.LOCK : Spot.TAKEOVER;
    }

    private LockRecord record(Terms terms, long token, long createdAt, long maxHoldMillis, long from) {
        ProcessIdentity self = place.self();
        long leaseMillis = TimeUnit.NANOSECONDS.toMillis(terms.leaseNanos());
        return new LockRecord(self.pid(), createdAt, maxHoldMillis, self.startTicks(), place.name(), token, self.host(),
                self.started() == null ? -1 : self.started().toEpochMilli(), self.boot(), self.pidNamespace(), self.timeNamespace(),
                terms.thread(), terms.purpose(), terms.takeover(), leaseMillis, place.clock().wallMillis() + leaseMillis,
                from + terms.leaseNanos());
    }

    @Override
    public String toString() {
        return place.toString();
    }
}

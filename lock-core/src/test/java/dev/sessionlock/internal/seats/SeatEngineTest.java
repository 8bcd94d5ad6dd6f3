package dev.sessionlock.internal.seats;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.sessionlock.internal.directory.LockContent;
import dev.sessionlock.internal.directory.LockRecord;
import dev.sessionlock.internal.directory.LockStore.RecordLocation;
import dev.sessionlock.spi.Busy;
import dev.sessionlock.spi.EngineLock.ClearOutcome;
import dev.sessionlock.spi.EngineLock.Cleared;
import dev.sessionlock.spi.EngineLock.HoldStatus;
import dev.sessionlock.spi.Hold;
import dev.sessionlock.spi.Terms;
import java.io.IOException;
import java.nio.file.Path;
import java.util.concurrent.atomic.AtomicReference;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Nested;
import org.junit.jupiter.api.Test;

/** What the engine answers and what it writes, to the nanosecond where a nanosecond decides. */
class SeatEngineTest {
    private static final long MILLI = 1_000_000;
    private static final long LEASE = 1_000 * MILLI;
    private static final long GRACE = 100 * MILLI;
    private static final long MARK_TIME_BITS = 0xffff;
    private static final Terms TERMS = new Terms(LEASE, true, -1, "main", null, true);
    private static final Terms NOT_TO_BE_PASSED_OVER = new Terms(LEASE, false, -1, "main", null, true);

    private final SimulatedDirectory directory = new SimulatedDirectory();
    private final Party one = new Party(70_100);
    private final Party two = new Party(70_200);
    private final Party three = new Party(70_300);

    /** Something that happens at a moment that the engine does not choose. */
    private interface Event {
        void happen() throws IOException;
    }

    private static final Event NOTHING = () -> { };

    private final class Party extends SimulatedStore {
        private final SeatEngine engine;
        private Event afterLink = NOTHING;
        private Event afterRewrite = NOTHING;
        private Event beforeByte = NOTHING;
        private Event afterByte = NOTHING;
        private Event afterReclaimMark = NOTHING;
        private Event afterDraw = NOTHING;
        private boolean wordsStay;
        private boolean cannotFindItsEntry;
        private boolean cannotUnlink;
        private boolean cannotRest;

        Party(long pid) {
            this(pid, 0);
        }

        /** @param clockOffset not 0 for a process of another time namespace */
        Party(long pid, long clockOffset) {
            this(pid, clockOffset, SeatEngineTest.this.directory);
        }

        Party(long pid, long clockOffset, SimulatedDirectory directory) {
            super(directory, new Journal(op -> { }), process(pid, pid, "pids-1", "time-1"), clockOffset);
            engine = new SeatEngine(this);
            directory.processes.put(pid, pid);
        }

        @Override
        void linked() {
            Event event = afterLink;
            afterLink = NOTHING;
            happens(event);
        }

        @Override
        public void rest(RecordFile recordFile) throws IOException {
            if (cannotRest) {
                throw new IOException("could not be closed");
            }
        }

        @Override
        void rewritten() {
            Event event = afterRewrite;
            afterRewrite = NOTHING;
            happens(event);
        }

        @Override
        boolean kernelGives(int seat) {
            Event event = beforeByte;
            beforeByte = NOTHING;
            happens(event);
            return gives(seat);
        }

        @Override
        long draw(long wallMicros) {
            long token = super.draw(wallMicros);
            Event event = afterDraw;
            afterDraw = NOTHING;
            happens(event);
            return token;
        }

        private boolean gives(int seat) {
            boolean gives = super.kernelGives(seat);
            if (gives) {
                Event event = afterByte;
                afterByte = NOTHING;
                happens(event);
            }
            return gives;
        }

        @Override
        public boolean beginReclaim() throws IOException {
            boolean begun = super.beginReclaim();
            afterReclaimMark.happen();
            return begun;
        }

        @Override
        public dev.sessionlock.internal.directory.TableEntry findEntry() throws IOException {
            if (cannotFindItsEntry) {
                throw new IOException("no board");
            }
            return super.findEntry();
        }

        @Override
        public void unlink(RecordFile recordFile, RecordLocation location) throws IOException {
            if (cannotUnlink) {
                throw new IOException("no unlinking");
            }
            super.unlink(recordFile, location);
        }

        @Override
        void writeExpiry(int seat, long value) {
            if (!wordsStay || value != 0) {
                super.writeExpiry(seat, value);
            }
        }

        private void happens(Event event) {
            try {
                event.happen();
            } catch (IOException e) {
                throw new AssertionError(e);
            }
        }

        SeatHold take() throws IOException {
            return (SeatHold) engine.take(TERMS);
        }

        Busy busy() throws IOException {
            return (Busy) engine.take(TERMS);
        }

        void gone() {
            die();
            directory.processes.remove(self().pid());
        }

        /** A kernel waiter of this process acquires the byte. */
        void accept(int seat) {
            acquireAhead(seat);
            engine.acceptAwaited(seat);
        }
    }

    private long inMillis(long millis) {
        return directory.nanos + millis * MILLI;
    }

    private void assertBusy(Busy busy, int waitFor, long retryAt, String why) {
        assertThat(busy.waitFor()).isEqualTo(waitFor);
        assertThat(busy.retryAt()).isEqualTo(retryAt);
        assertThat(busy.why()).contains(why);
    }

    /** Process one is frozen, and two is on the other seat. */
    private SeatHold takeOver() throws IOException {
        directory.pass(LEASE + GRACE + MILLI);
        two.busy();
        directory.pass(20 * MILLI);
        return two.take();
    }

    private LockRecord recordAt(RecordLocation location) {
        return ((LockContent.Ours) directory.at(location).content).record();
    }

    private LockContent.Ours record(long pid, long token, boolean takeover, long leaseUntilNanos) {
        return new LockContent.Ours(new LockRecord(pid, 0, -1, pid, "session.jsonl", token, "moss", -1, SimulatedDirectory.BOOT, "pids-1", "time-1",
                null, null, takeover, 1_000, 0, leaseUntilNanos));
    }

    private LockContent.Ours ofTheDead(long token) {
        return record(999, token, true, directory.nanos + LEASE);
    }

    private void assertNothingHeld() {
        assertThat(directory.owner).containsOnlyNulls();
        assertThat(directory.expiries).containsOnly(0L);
    }

    // ---- taking ----

    @Nested
    class WhoTakesItAgain {

        private void assertWasOthers(Party party, boolean others) throws IOException {
            SeatHold hold = party.take();
            assertThat(party.engine.wasOthers(hold)).isEqualTo(others);
            party.engine.release(hold);
        }

        @Test
        void isToldWhetherAnotherProcessHadItMeanwhile() throws IOException {
            assertWasOthers(one, false);
            assertWasOthers(one, false);
            assertWasOthers(two, false); // the first time: it does not know yet that the lock is shared
            assertWasOthers(one, true);
            assertWasOthers(one, false);
            assertWasOthers(two, true);
        }

        @Test
        void isNotToldOfWhatItDidItself() throws IOException {
            SeatHold hold = one.take();
            one.engine.reuse(hold, "another thread");
            hold = (SeatHold) one.engine.handOver(hold, NOT_TO_BE_PASSED_OVER);
            one.engine.release(hold);
            assertWasOthers(one, false);
            one.afterDraw = () -> directory.expiries[0] = 0; // it fails once it has drawn its token
            one.busy();
            assertWasOthers(one, false);
        }
    }

    @Nested
    class WhoFindsItBusy {

        @Test
        void isToldWhenItMayTakeOver() throws IOException {
            SeatHold hold = one.take();

            assertBusy(two.busy(), 0, hold.published + MILLI, "another process holds it");
            assertThat(hold.published).isBetween(directory.nanos + LEASE + GRACE, directory.nanos + LEASE + GRACE + MARK_TIME_BITS);
        }

        @Test
        void canOnlyWaitInTheKernelForAHolderWithoutTakeover() throws IOException {
            one.engine.take(NOT_TO_BE_PASSED_OVER);

            assertBusy(two.busy(), 0, Long.MAX_VALUE, "another process holds it");
        }

        @Test
        void canOnlyWaitInTheKernelWhereExpiriesAreNotShared() throws IOException {
            directory.shared = false;
            one.take();
            directory.pass(100 * LEASE);

            assertBusy(two.busy(), 0, Long.MAX_VALUE, "another process holds it");
        }

        @Test
        void canOnlyWaitInTheKernelIfItsClockIsNotComparable() throws IOException {
            one.take();
            assertBusy(new Party(103, 1_000 * LEASE).busy(), 0, Long.MAX_VALUE, "another process holds it");
        }

        @Test
        void looksAgainSoonWhileTheLockHasNoEntry() throws IOException {
            directory.owner[0] = one;

            assertBusy(two.busy(), 0, inMillis(4), "takes it for the first time");
            assertThat(directory.owner[1]).isNull();
        }

        @Test
        void looksAgainSoonWhenTheExpiryIsPast() throws IOException {
            SeatHold hold = one.take();
            directory.pass(hold.published - directory.nanos); // past from this very nanosecond on

            assertBusy(two.busy(), 0, inMillis(4), "changes hands, or its holder is frozen");
            directory.pass(20 * MILLI - 1);
            assertBusy(two.busy(), 0, inMillis(4), "changes hands, or its holder is frozen");
            directory.pass(1);
            assertThat(two.take().seat).isOne();
        }

        @Test
        void countsTheTwentyMillisecondsAnewWhenTheHolderHasShownALifeSign() throws IOException {
            SeatHold hold = one.take();
            long beforeItsEnd = hold.published - directory.nanos;
            directory.pass(beforeItsEnd);
            two.busy();
            directory.expiries[0] = directory.nanos + 1;
            two.busy();
            directory.pass(25 * MILLI);

            assertBusy(two.busy(), 0, inMillis(4), "changes hands, or its holder is frozen");
        }

        @Test
        void waitsForTheSuccessorWhenBothSeatsAreTaken() throws IOException {
            one.take();
            SeatHold successor = takeOver();
            three.busy();
            directory.pass(20 * MILLI);

            assertBusy(three.busy(), 1, successor.published + MILLI, "a successor holds it");
            directory.expiries[1] = 0;
            assertBusy(three.busy(), 1, inMillis(4), "a successor holds it");
        }

        @Test
        void waitsForTheSuccessorWhenOnlySeat0IsFree() throws IOException {
            SeatHold frozen = one.take();
            SeatHold successor = takeOver();
            one.engine.release(frozen);

            assertBusy(three.busy(), 1, successor.published + MILLI, "a successor holds it");
            assertThat(directory.owner[0]).isNull();
            assertThat(directory.expiries[0]).isZero();
        }

        /** On its own table its word tells; on the new one its record alone does. */
        @Test
        void waitsForASuccessorOnATableThatWasReplaced() throws IOException {
            SeatHold frozen = one.take();
            SeatHold successor = takeOver();
            directory.put(RecordLocation.LOCK, null); // it does not lie there in the moment before the successor covers it
            one.engine.release(frozen);
            directory.replaceTable();
            Party newcomer = new Party(40_000, 0);

            assertBusy(newcomer.busy(), 1, inMillis(4), "lease runs");
            assertThat(directory.owner[0]).isNull();
            assertThat(directory.expiries[0]).isZero();
            two.engine.release(successor);
            assertThat(newcomer.take()).isNotNull();
        }

        @Test
        void passesOverASuccessorOnATableThatWasReplacedOnceItsLeaseIsOver() throws IOException {
            SeatHold frozen = one.take();
            takeOver();
            directory.put(RecordLocation.LOCK, null);
            one.engine.release(frozen);
            directory.replaceTable();
            Party newcomer = new Party(40_000, 0);
            directory.pass(LEASE + GRACE + MILLI);

            newcomer.busy(); // its byte cannot be had, nor its record be taken away
            assertThat(newcomer.take().seat).isZero();
        }

        @Test
        void takesAwayWhatAKilledSuccessorLeftOnATableThatWasReplaced() throws IOException {
            SeatHold frozen = one.take();
            takeOver();
            directory.put(RecordLocation.LOCK, null);
            one.engine.release(frozen);
            two.gone();
            directory.replaceTable();

            assertThat(new Party(40_000, 0).take()).isNotNull();
            assertThat(directory.at(RecordLocation.TAKEOVER)).isNull();
        }

        @Test
        void waitsForASuccessorThatHasLostItsByteOnEitherWay() throws IOException {
            SeatHold frozen = one.take();
            SeatHold successor = takeOver();
            two.loseBytes();
            three.busy();
            directory.pass(20 * MILLI);

            assertBusy(three.busy(), Busy.NOTHING, inMillis(20), "lease runs"); // from seat 1
            one.engine.release(frozen);
            assertBusy(three.busy(), Busy.NOTHING, inMillis(20), "lease runs"); // from seat 0
            assertThat(directory.expiries[1]).isEqualTo(successor.published);
        }

        @Test
        void withdrawsFromSeat1IfAnotherHasSatThereSinceItLooked() throws IOException {
            one.take();
            directory.pass(LEASE + GRACE + MILLI);
            two.busy();
            directory.pass(20 * MILLI);
            two.afterByte = () -> directory.expiries[1] = 5;

            assertBusy(two.busy(), 1, inMillis(4), "another process has claimed the second seat since");
            assertThat(directory.expiries[1]).isEqualTo(5);
            assertThat(directory.owner[1]).isNull();
        }

        @Test
        void withdrawsFromSeat1IfTheHolderHasWoken() throws IOException {
            SeatHold hold = one.take();
            directory.pass(LEASE + GRACE + MILLI);
            two.busy();
            directory.pass(20 * MILLI);
            long woken = directory.nanos + LEASE;
            two.afterByte = () -> directory.expiries[0] = woken;

            assertBusy(two.busy(), 0, woken + MILLI, "its holder has woken");
            assertThat(directory.expiries[1]).isZero();
            assertThat(directory.owner[1]).isNull();
            assertThat(hold.seat).isZero();
        }

        @Test
        void believesTheRecordWhenTheTableSaysNothing() throws IOException {
            one.take();
            directory.expiries[0] = 0; // the table was created anew
            two.busy();
            directory.pass(20 * MILLI);

            assertBusy(two.busy(), 0, inMillis(20), "its record says that its lease runs");
            assertThat(directory.expiries[1]).isZero();
            assertThat(directory.owner[1]).isNull();
        }

        @Test
        void waitsAsLongAsWhatLiesThereSays() throws IOException {
            directory.leave(RecordLocation.LOCK, new LockContent.Foreign(one.self().pid(), null, -1, -1));

            assertBusy(two.busy(), Busy.NOTHING, inMillis(20), "another program's lock");
            assertNothingHeld();
        }

        @Test
        void waitsForAnotherWhoReplacesADeadLock() throws IOException {
            directory.leave(RecordLocation.LOCK, ofTheDead(1));
            directory.reclaiming = true;
            directory.reclaimingSince = directory.wallMicros;

            assertBusy(two.busy(), Busy.NOTHING, inMillis(10), "another process is replacing a dead lock (/sessions/session.jsonl.lock.reclaim is there)");
            assertThat(directory.at(RecordLocation.LOCK)).isNotNull();
        }

        @Test
        void givesUpForTheMomentIfThereIsNoEndToClearingAway() throws IOException {
            two.wordsStay = true;
            directory.lined = true;
            directory.expiries[1] = directory.nanos + LEASE; // a dead successor's, which comes back again and again

            assertBusy(two.busy(), Busy.NOTHING, inMillis(4), "changes hands too fast");
        }
    }

    @Nested
    class WhoComesIn {

        @Test
        void writesWhoItIsAndForHowLong() throws IOException {
            SeatHold hold = (SeatHold) one.engine.take(new Terms(LEASE, false, 60_000, "compactor-1", "flush", true));

            LockRecord record = recordAt(RecordLocation.LOCK);
            long wall = directory.wallMicros / 1_000;
            assertThat(record).isEqualTo(new LockRecord(70_100, wall, 60_000, 70_100, "session.jsonl", hold.token(), "moss",
                    one.self().started().toEpochMilli(), SimulatedDirectory.BOOT, "pids-1", "time-1", "compactor-1", "flush", false, 1_000, wall + 1_000,
                    directory.nanos + LEASE));
            assertThat(hold.deadline()).isEqualTo(Hold.NEVER);
            assertThat(directory.expiries[0] & MARK_TIME_BITS).as("whose word it is").isEqualTo(70_100 & MARK_TIME_BITS);
        }

        @Test
        void hasADeadlineWithoutTakeoverWhereExpiriesAreNotShared() throws IOException {
            directory.shared = false;

            assertThat(((SeatHold) one.engine.take(NOT_TO_BE_PASSED_OVER)).deadline()).isEqualTo(directory.nanos + LEASE);
        }

        @Test
        void isTooLateFromTheEndOfItsLeaseOn() throws IOException {
            one.afterLink = () -> directory.pass(LEASE - 1);
            SeatHold hold = one.take();
            one.engine.release(hold);
            one.afterLink = () -> directory.pass(LEASE);

            assertBusy(one.busy(), Busy.NOTHING, directory.nanos, "slept for a whole lease");
            assertNothingHeld();
            assertThat(directory.at(RecordLocation.LOCK)).isNull();
        }

        @Test
        void onSeat1IsTooLateFromTheEndOfItsLeaseOn() throws IOException {
            one.take();
            directory.pass(LEASE + GRACE + MILLI);
            two.busy();
            directory.pass(20 * MILLI);
            directory.put(RecordLocation.LOCK, null);
            two.afterLink = () -> two.afterLink = () -> directory.pass(LEASE - 1); // the second link, of its record to x.lock
            SeatHold hold = two.take();
            two.engine.release(hold);
            two.afterLink = () -> two.afterLink = () -> directory.pass(LEASE);
            directory.put(RecordLocation.LOCK, null);

            assertBusy(two.busy(), Busy.NOTHING, directory.nanos, "slept for a whole lease");
            assertThat(directory.expiries[1]).isZero();
            assertThat(directory.at(RecordLocation.TAKEOVER)).isNull();
        }

        @Test
        void onSeat1NoticesThatItsByteWasLostBeforeItsRecordLayThere() throws IOException {
            one.take();
            directory.pass(LEASE + GRACE + MILLI);
            two.busy();
            directory.pass(20 * MILLI);
            two.afterLink = () -> {
                directory.pass(1);
                two.loseBytes();
            };

            assertBusy(two.busy(), Busy.NOTHING, directory.nanos, "the kernel lost our lock while we took it");
            assertThat(directory.at(RecordLocation.TAKEOVER)).isNull();
            assertThat(two.recordFiles).isEmpty();
        }

        @Test
        void onSeat0LeavesTheExpiryOfWhoeverGotItsLostByte() throws IOException {
            directory.lined = true;
            directory.expiries[0] = directory.nanos; // from a dead process
            AtomicReference<SeatHold> next = new AtomicReference<>();
            two.afterByte = () -> {
                two.loseBytes();
                next.set(three.take());
            };

            assertBusy(two.busy(), Busy.NOTHING, inMillis(4), "another process has claimed the seat since");
            assertThat(directory.expiries[0]).isEqualTo(next.get().published);
            assertThat(two.recordFiles).isEmpty();
        }

        @Test
        void onSeat0ComesInAtOnceAfterAReleaseBetweenItsTwoSteps() throws IOException {
            SeatHold before = one.take();
            two.beforeByte = () -> one.engine.release(before);

            SeatHold hold = two.take();
            assertThat(hold.token()).isGreaterThan(before.token());
            two.engine.release(hold);
            assertNothingHeld();
        }

        @Test
        void onSeat0OverwritesAnEntryThatNoOtherProcessSees() throws IOException {
            directory.shared = false;
            directory.expiries[0] = 7; // our own, whatever has left it

            SeatHold hold = two.take();
            assertThat(directory.expiries[0]).isEqualTo(hold.published);
            two.engine.release(hold);
            assertNothingHeld();
        }

        @Test
        void asksAgainForAByteAcquiredAheadIfThereIsAnExpiry() throws IOException {
            directory.lined = true;
            directory.expiries[0] = directory.nanos; // from a dead process
            two.accept(0);
            two.loseBytes();
            SeatHold next = three.take();

            assertBusy(two.busy(), 0, next.published + MILLI, "another process holds it");
            assertThat(directory.expiries[0]).isEqualTo(next.published);

            three.engine.release(next);
            directory.expiries[0] = directory.nanos;
            two.accept(0);
            SeatHold hold = two.take();
            assertThat(directory.owner).containsExactly(two, null);
            two.engine.release(hold);
            assertNothingHeld();
        }

        @Test
        void noticesThatAnotherHasOverwrittenItsExpiry() throws IOException {
            one.afterLink = () -> directory.expiries[0] = 7;

            assertBusy(one.busy(), Busy.NOTHING, directory.nanos, "another has had it since");
            assertThat(directory.expiries[0]).as("not its own to take back").isEqualTo(7);
        }

        @Test
        void doesNotDeleteWhatIsNoLongerWhatItJudged() throws IOException {
            directory.leave(RecordLocation.LOCK, ofTheDead(1));
            LockContent living = new LockContent.Foreign(two.self().pid(), null, -1, -1);
            one.afterReclaimMark = () -> directory.leave(RecordLocation.LOCK, living);

            assertBusy(one.busy(), Busy.NOTHING, inMillis(20), "another program's lock");

            assertThat(directory.at(RecordLocation.LOCK).content).isEqualTo(living);
        }

        @Test
        void doesNotDeleteAFileThatSaysSomethingElseByNow() throws IOException {
            directory.leave(RecordLocation.LOCK, ofTheDead(1));
            LockContent living = new LockContent.Foreign(two.self().pid(), null, -1, -1);
            one.afterReclaimMark = () -> directory.at(RecordLocation.LOCK).write(living, directory.wallMicros);

            assertThat(one.busy().why()).contains("another program's lock");

            assertThat(directory.at(RecordLocation.LOCK).content).isEqualTo(living);
        }

        /**
         * A token says that the lock was taken here. If one were drawn, the second try would take the file for a record that a power cut has emptied.
         */
        @Test
        void drawsNoTokenForANewLockBehindAForeignLock() throws IOException {
            directory.targetExists = false;
            directory.leave(RecordLocation.LOCK, new LockContent.Empty());
            assertThat(one.busy().why()).contains("new and empty");
            directory.pass(3_600_000 * MILLI);
            for (int i = 0; i < 3; i++) {
                assertThatThrownBy(one::take).isInstanceOf(dev.sessionlock.NotALockFileException.class).hasMessageContaining("power cut");
            }
            assertThat(directory.token).isZero();
            assertThat(directory.at(RecordLocation.LOCK)).isNotNull();
            assertNothingHeld();
        }

        @Test
        void drawsItsTokenOnceMoreAfterADeadOnesRecordWasInItsWay() throws IOException {
            directory.token = 1; // it was taken here before
            directory.leave(RecordLocation.LOCK, ofTheDead(directory.wallMicros - 1));
            assertThat(one.take().token()).as("the second one of this microsecond").isEqualTo(directory.wallMicros + 1);
            assertThat(recordAt(RecordLocation.LOCK).token()).isEqualTo(directory.token);

            one.gone();
            directory.leave(RecordLocation.LOCK, ofTheDead(directory.wallMicros + 9));
            assertThat(two.take().token()).as("after the dead one's").isEqualTo(directory.wallMicros + 10);
            assertThat(recordAt(RecordLocation.LOCK).token()).isEqualTo(directory.token);
        }
    }

    // ---- holding ----

    /** What a successor says of the holder before it: the log, the count of reclaimed locks and the listeners tell it to people. */
    @Nested
    class WhyItWasReclaimed {

        private SeatHold comeInFromTheSecondSeat() throws IOException {
            two.busy();
            directory.pass(20 * MILLI);
            return two.take();
        }

        @Test
        void isNothingIfTheOtherIsJustTakingTheLockOrGivingItBack() throws IOException {
            two.engine.release(two.take());
            directory.owner[0] = one; // between its byte and its word, on a busy machine

            SeatHold hold = comeInFromTheSecondSeat();

            assertThat(hold.seat).isOne();
            assertThat(hold.reclaimed()).isNull();
        }

        @Test
        void isThatItsHolderIsFrozenIfItsLeaseIsOver() throws IOException {
            one.take();

            assertThat(takeOver().reclaimed()).isEqualTo("its holder is frozen past its lease");
        }

        @Test
        void isThatItsHolderIsDeadIfItsProcessIs() throws IOException {
            one.take();
            one.gone();
            directory.pass(LEASE + GRACE + MILLI);
            directory.owner[0] = three; // which has not published anything yet

            assertThat(comeInFromTheSecondSeat().reclaimed()).isEqualTo("pid 70100 does not exist");
        }

        @Test
        void isThatItsHolderIsFrozenIfItsRecordWasRemoved() throws IOException {
            one.take();
            directory.put(RecordLocation.LOCK, null);

            assertThat(takeOver().reclaimed()).isEqualTo("its holder is frozen past its lease");
        }
    }

    /**
     * Somebody has removed {@code .session-locks}. Processes that held or knew the lock go on with its bytes and its table; processes that come later
     * create new ones. Only the record excludes the ones from the others, and no table says which token the others have drawn last.
     */
    @Nested
    class TokensOverAReplacedDirectory {
        private final Terms others = new Terms(2 * LEASE, true, -1, "writer-2", null, true);
        private final SimulatedDirectory replacement = new SimulatedDirectory(directory);
        private final Party late = new Party(70_400, 0, replacement);

        @BeforeEach
        void lockWasTakenThereBefore() {
            replacement.token = 1; // otherwise it looks at x.lock before it draws
        }

        private void pass(long nanos) {
            directory.pass(nanos);
            replacement.pass(nanos);
        }

        private void assertLateComesInWithAGreaterToken(Event meanwhile) throws IOException {
            late.afterDraw = () -> {
                meanwhile.happen();
                pass(1_000); // that much it takes
            };
            SeatHold hold = late.take();
            assertThat(hold.token()).isGreaterThan(directory.token);
            assertThat(recordAt(RecordLocation.LOCK).token()).isEqualTo(hold.token());
            assertThat(replacement.token).isEqualTo(hold.token());
        }

        @Test
        void growThoughTheOldHolderHandsOverBetweenDrawingAndLinking() throws IOException {
            SeatHold old = one.take();
            pass(MILLI);

            assertLateComesInWithAGreaterToken(() -> {
                pass(MILLI / 2);
                one.engine.release(one.engine.handOver(old, others));
            });
        }

        @Test
        void growThoughTheOldHolderHandsOverFor260Milliseconds() throws IOException {
            SeatHold old = one.take();

            assertLateComesInWithAGreaterToken(() -> {
                Hold last = old;
                for (int i = 0; i < 26; i++) {
                    pass(10 * MILLI);
                    last = one.engine.handOver(last, i % 2 == 0 ? others : TERMS);
                }
                one.engine.release(last);
            });
        }

        @Test
        void growThoughAnotherComesAndGoesOnTheOldBytesMeanwhile() throws IOException {
            assertLateComesInWithAGreaterToken(() -> {
                pass(2 * MILLI);
                one.engine.release(one.take());
            });
        }

        @Test
        void growThoughTheMachineWasSuspendedMeanwhile() throws IOException {
            assertLateComesInWithAGreaterToken(() -> {
                directory.wallMicros += 5_000_000; // its monotonic clock stood still
                replacement.wallMicros += 5_000_000;
                one.engine.release(one.take());
            });
        }

        @Test
        void growThoughADeadOnesRecordWasInTheWay() throws IOException {
            directory.leave(RecordLocation.LOCK, ofTheDead(7));
            SeatHold hold = late.take();

            assertThat(hold.token()).isEqualTo(recordAt(RecordLocation.LOCK).token()).isEqualTo(replacement.token);
        }

        @Test
        void areDrawnOnceOnTheGoodPath() throws IOException {
            long before = replacement.token;
            SeatHold hold = late.take();

            assertThat(hold.token()).isEqualTo(replacement.wallMicros).isNotEqualTo(before);
        }
    }

    @Nested
    class Renewing {

        @Test
        void countsUntilTheVeryEndOfTheLease() throws IOException {
            SeatHold hold = one.take();
            directory.pass(LEASE - 1);
            assertThat(one.engine.renew(hold, -1)).isTrue();
            assertThat(hold.deadline()).isEqualTo(directory.nanos + LEASE);
            assertThat(hold.renewedAt()).isEqualTo(directory.nanos);

            directory.pass(LEASE);
            long before = directory.expiries[0];
            assertThat(one.engine.renew(hold, -1)).isFalse();
            assertThat(directory.expiries[0]).isEqualTo(before);
        }

        @Test
        void doesNotCountIfTheLeaseEndsWhileItIsMade() throws IOException {
            SeatHold hold = one.take();
            one.afterRewrite = () -> directory.pass(LEASE);

            assertThat(one.engine.renew(hold, -1)).isFalse();
            assertThat(hold.deadline()).isEqualTo(directory.nanos);
        }

        @Test
        void writesTheNewLeaseAndTheEndOfTheHoldIntoTheRecord() throws IOException {
            SeatHold hold = one.take();
            long createdAt = directory.wallMicros / 1_000;
            directory.pass(LEASE / 2);

            one.engine.renew(hold, createdAt + 5_000);

            assertThat(recordAt(RecordLocation.LOCK).createdAt()).isEqualTo(createdAt);
            assertThat(recordAt(RecordLocation.LOCK).maxHoldMs()).isEqualTo(5_000);
            assertThat(recordAt(RecordLocation.LOCK).leaseUntil()).isEqualTo(createdAt + 1_500);
            assertThat(recordAt(RecordLocation.LOCK).leaseUntilNanos()).isEqualTo(directory.nanos + LEASE);
            one.engine.renew(hold, createdAt - 1);
            assertThat(recordAt(RecordLocation.LOCK).maxHoldMs()).as("no negative one: that would be for ever").isZero();
            one.engine.renew(hold, 0);
            assertThat(recordAt(RecordLocation.LOCK).maxHoldMs()).isZero();
            one.engine.renew(hold, -1);
            assertThat(recordAt(RecordLocation.LOCK).maxHoldMs()).isNegative();
        }

        @Test
        void asksTheKernelAfreshWhenItsExpiryHasChanged() throws IOException {
            SeatHold hold = one.take();
            directory.pass(1);
            one.viewKernel();
            directory.pass(1);
            one.loseBytes();
            directory.expiries[0] = 7;
            directory.owner[0] = two;

            assertThat(one.engine.renew(hold, -1)).isFalse();
            assertThat(directory.expiries[0]).isEqualTo(7);
        }
    }

    @Nested
    class HandingOver {

        @Test
        void writesTheNewHoldIntoTheOldOnesPlace() throws IOException {
            SeatHold from = one.take();
            directory.pass(LEASE / 2);

            SeatHold to = (SeatHold) one.engine.handOver(from, new Terms(2 * LEASE, true, 7_000, "writer-2", "append", true));

            long wall = directory.wallMicros / 1_000;
            LockRecord record = recordAt(RecordLocation.LOCK);
            assertThat(to.token()).isGreaterThan(from.token()).isEqualTo(record.token());
            assertThat(record.createdAt()).isEqualTo(wall);
            assertThat(record.maxHoldMs()).isEqualTo(7_000);
            assertThat(record.thread()).isEqualTo("writer-2");
            assertThat(to.deadline()).isEqualTo(directory.nanos + 2 * LEASE);
            assertThat(to.reclaimed()).isNull();
            one.engine.release(to);
            assertNothingHeld();
        }

        @Test
        void onTheSameTermsIsDoneInMemoryAndToldOfAtTheNextRenewal() throws IOException {
            SeatHold hold = one.take();
            long first = hold.token();
            LockRecord before = recordAt(RecordLocation.LOCK);

            assertThat(one.engine.handOver(hold, TERMS.of("writer-2"))).isSameAs(hold);

            assertThat(hold.token()).isGreaterThan(first);
            assertThat(recordAt(RecordLocation.LOCK)).isEqualTo(before);
            one.engine.renew(hold, -1);
            assertThat(recordAt(RecordLocation.LOCK).token()).isEqualTo(hold.token());
            assertThat(recordAt(RecordLocation.LOCK).thread()).isEqualTo("writer-2");
            directory.pass(LEASE);
            assertThat(one.engine.handOver(hold, TERMS)).isNull();
        }

        @Test
        void ofAHoldWithoutLimitOrWithoutTimeIsWrittenAsSuch() throws IOException {
            SeatHold hold = (SeatHold) one.engine.handOver(one.take(), TERMS);
            assertThat(recordAt(RecordLocation.LOCK).maxHoldMs()).isNegative();

            one.engine.handOver(hold, new Terms(LEASE, true, 0, "main", null, true));
            assertThat(recordAt(RecordLocation.LOCK).maxHoldMs()).isZero();
        }

        @Test
        void isNotDoneFromTheEndOfTheLeaseOn() throws IOException {
            SeatHold hold = one.take();
            directory.pass(LEASE);
            long token = directory.token;

            assertThat(one.engine.handOver(hold, TERMS)).isNull();
            assertThat(directory.token).as("none was drawn").isEqualTo(token);
        }

        @Test
        void isNotDoneFromSeat1() throws IOException {
            one.take();
            SeatHold successor = takeOver();

            assertThat(two.engine.handOver(successor, TERMS)).isNull();
        }
    }

    @Nested
    class UsingAgain {

        @Test
        void drawsATokenAndChangesNothingElseBeforeTheRenewal() throws IOException {
            SeatHold hold = one.take();
            long first = hold.token();
            long deadline = hold.deadline();
            LockRecord before = recordAt(RecordLocation.LOCK);
            directory.pass(LEASE / 2);

            assertThat(one.engine.isReusable(hold)).isTrue();
            assertThat(one.engine.reuse(hold, "writer-2")).isTrue();
            assertThat(hold.token()).isGreaterThan(first);
            assertThat(hold.thread()).isEqualTo("writer-2");
            assertThat(hold.deadline()).isEqualTo(deadline);
            assertThat(recordAt(RecordLocation.LOCK)).isEqualTo(before);
            assertThat(hold.isRecorded()).isFalse();

            assertThat(one.engine.renew(hold, -1)).isTrue();
            assertThat(hold.isRecorded()).isTrue();
            assertThat(recordAt(RecordLocation.LOCK).token()).isEqualTo(hold.token());
            assertThat(recordAt(RecordLocation.LOCK).thread()).isEqualTo("writer-2");
            assertThat(recordAt(RecordLocation.LOCK).createdAt()).isEqualTo(directory.wallMicros / 1_000);
            one.engine.release(hold);
            assertNothingHeld();
            assertThat(two.take().token()).isGreaterThan(hold.token());
        }

        @Test
        void isRefusedOnceAnotherHasOverwrittenItsExpiry() throws IOException {
            SeatHold hold = one.take();
            one.loseBytes();
            directory.expiries[0] = hold.published + 1;
            assertThat(one.engine.reuse(hold, "main")).isFalse();
        }

        @Test
        void isOnlyForAnOwnerWithByteAndTakeover() throws IOException {
            SeatHold stubborn = (SeatHold) one.engine.take(new Terms(LEASE, false, -1, "main", null, true));
            assertThat(one.engine.isReusable(stubborn)).isFalse();
            assertThat(one.engine.reuse(stubborn, "main")).isFalse();
            one.engine.release(stubborn);

            SeatHold hold = one.take();
            hold.byteLost = true;
            assertThat(one.engine.isReusable(hold)).isFalse();
            hold.byteLost = false;

            SeatHold successor = takeOver();
            assertThat(two.engine.isReusable(successor)).isFalse();
            assertThat(two.engine.reuse(successor, "main")).isFalse();
        }
    }

    @Nested
    class Checking {

        @Test
        void findsAHoldLostWhoseDirectoryIsAnother() throws IOException {
            SeatHold hold = one.take();
            one.displaced = "the directory was replaced";

            assertThat(one.engine.check(hold, false)).isEqualTo(HoldStatus.INTACT);
            assertThat(one.engine.check(hold, true)).isEqualTo(HoldStatus.LOST);
        }

        @Test
        void putsTheSuccessorsRecordWhereTheFrozenOnesWas() throws IOException {
            SeatHold frozen = one.take();
            SeatHold successor = takeOver();
            assertThat(recordAt(RecordLocation.LOCK).token()).isEqualTo(successor.token());
            assertThat(successor.atLock).isTrue();

            directory.put(RecordLocation.LOCK, null);
            assertThat(two.engine.check(successor, false)).as("a hand").isEqualTo(HoldStatus.REMOVED);
            assertThat(frozen.atLock).isFalse();
        }

        @Test
        void putsTheSuccessorsRecordThereAsSoonAsThereIsRoom() throws IOException {
            one.take();
            LockContent theirs = new LockContent.Foreign(77, null, -1, -1);
            directory.leave(RecordLocation.LOCK, theirs);
            SeatHold successor = takeOver();
            assertThat(directory.at(RecordLocation.LOCK).content).as("a stranger's is not covered").isEqualTo(theirs);
            assertThat(two.engine.check(successor, false)).isEqualTo(HoldStatus.INTACT);
            assertThat(directory.at(RecordLocation.LOCK).content).isEqualTo(theirs);

            directory.put(RecordLocation.LOCK, null);
            assertThat(two.engine.check(successor, false)).isEqualTo(HoldStatus.INTACT);
            assertThat(recordAt(RecordLocation.LOCK).token()).isEqualTo(successor.token());
        }

        @Test
        void doesNotCoverARecordThatIsNotOlder() throws IOException {
            one.take();
            directory.leave(RecordLocation.LOCK, ofTheDead(0));
            SeatHold successor = takeOver();
            directory.leave(RecordLocation.LOCK, ofTheDead(successor.token()));
            successor.atLock = false;

            assertThat(two.engine.check(successor, false)).isEqualTo(HoldStatus.INTACT);
            assertThat(successor.atLock).isFalse();
            directory.leave(RecordLocation.LOCK, ofTheDead(successor.token() - 1));
            two.engine.check(successor, false);
            assertThat(successor.atLock).isTrue();
        }

        @Test
        void findsTheSuccessorsOwnRecordRemoved() throws IOException {
            one.take();
            SeatHold successor = takeOver();
            directory.put(RecordLocation.TAKEOVER, null);

            assertThat(two.engine.check(successor, false)).isEqualTo(HoldStatus.REMOVED);
        }

        @Test
        void looksAfreshWhenItIsToldTo() throws IOException {
            SeatHold hold = one.take();
            directory.pass(1);
            one.viewKernel();
            one.loseBytes();
            directory.owner[0] = two;
            assertThat(one.engine.check(hold, true)).as("by the old view").isEqualTo(HoldStatus.INTACT);

            one.engine.lookAfresh();

            assertThat(one.engine.check(hold, true)).isEqualTo(HoldStatus.LOST);
        }
    }

    // ---- giving back ----

    @Nested
    class GivingBack {

        @Test
        void withdrawsItsOwnExpiryThoughTheByteIsLost() throws IOException {
            SeatHold hold = (SeatHold) one.engine.take(NOT_TO_BE_PASSED_OVER);
            one.loseBytes();
            directory.owner[0] = two; // frozen before it publishes
            one.engine.lookAfresh();
            assertThat(one.engine.check(hold, true)).isEqualTo(HoldStatus.LOST);
            one.engine.release(hold);
            assertThat(directory.expiries[0]).as("others would take the frozen one for one who is not to be passed over").isZero();
        }

        @Test
        void leavesASuccessorsRecordAtTheLockThatHoldsNobodyUp() throws IOException {
            one.take();
            directory.pass(LEASE + GRACE + MILLI);
            two.engine.take(NOT_TO_BE_PASSED_OVER);
            directory.pass(20 * MILLI);
            SeatHold successor = (SeatHold) two.engine.take(NOT_TO_BE_PASSED_OVER);

            two.engine.release(successor);

            assertThat(directory.at(RecordLocation.TAKEOVER)).isNull();
            LockRecord left = recordAt(RecordLocation.LOCK);
            assertThat(left.takeover()).isTrue();
            assertThat(left.leaseUntilNanos()).isEqualTo(1);
            assertThat(left.maxHoldMs()).isZero();
            assertThat(two.engine.tidy()).isFalse();
        }

        @Test
        void ofASuccessorThatHasLostItsByteLeavesBothRecordsToTidy() throws IOException {
            SeatHold frozen = one.take();
            SeatHold successor = takeOver();
            directory.pass(1);
            two.loseBytes();
            directory.owner[1] = three;
            two.viewKernel();
            assertThat(two.engine.check(successor, true)).isEqualTo(HoldStatus.LOST);

            two.engine.release(successor);

            assertThat(recordAt(RecordLocation.TAKEOVER).leaseUntilNanos()).isEqualTo(1);
            assertThat(directory.expiries[1]).as("another's by now").isEqualTo(successor.published);
            directory.owner[1] = null;
            one.engine.release(frozen);
            assertThat(two.engine.tidy()).isTrue();
            assertThat(directory.at(RecordLocation.LOCK)).isNull();
            assertThat(directory.at(RecordLocation.TAKEOVER)).isNull();
            assertThat(two.recordFiles).isEmpty();
        }

        @Test
        void clearsWhatADeadSuccessorHasLeftOnTheOtherSeat() throws IOException {
            SeatHold frozen = one.take();
            takeOver();
            two.gone();
            directory.pass(LEASE + GRACE + MILLI);

            one.engine.release(frozen);

            assertThat(directory.expiries[1]).isZero();
            assertThat(directory.at(RecordLocation.TAKEOVER)).isNull();
            assertThat(directory.owner).containsOnlyNulls();
        }

        @Test
        void leavesALivingSuccessorAlone() throws IOException {
            SeatHold frozen = one.take();
            SeatHold successor = takeOver();

            one.engine.release(frozen);

            assertThat(directory.expiries[1]).isEqualTo(successor.published);
            assertThat(directory.owner[1]).isEqualTo(two);
        }

        @Test
        void deletesASuccessorsRecordAtTheLockAtOnceIfTheOtherSeatIsFree() throws IOException {
            one.take();
            Hold successor = takeOver();
            one.gone();

            two.engine.release(successor);

            assertThat(directory.at(RecordLocation.LOCK)).isNull();
            assertThat(two.recordFiles).isEmpty();
        }

        @Test
        void leavesARecordThatCannotBeTakenBackButHoldsNobodyUp() throws IOException {
            one.cannotUnlink = true;
            one.afterLink = () -> directory.expiries[0] = 7; // the byte was lost, and another process has had it

            assertThatThrownBy(() -> one.engine.take(NOT_TO_BE_PASSED_OVER)).hasMessage("no unlinking");

            assertThat(recordAt(RecordLocation.LOCK).takeover()).isTrue();
            assertThat(recordAt(RecordLocation.LOCK).leaseUntilNanos()).isEqualTo(1);
            assertThat(two.take().reclaimed()).contains("its lease had run out");
        }

        @Test
        void forTheLastMomentsKeepsByteAndExpiry() throws IOException {
            SeatHold hold = one.take();

            one.engine.abandon(hold);

            assertThat(directory.at(RecordLocation.LOCK)).isNull();
            assertThat(directory.owner[0]).isEqualTo(one);
            assertThat(directory.expiries[0]).isEqualTo(hold.published);
            assertThat(one.recordFiles).isEmpty();
            assertThat(two.engine.take(TERMS)).isInstanceOf(Busy.class);
        }

        @Test
        void forTheLastMomentsLeavesAForeignLockAlone() throws IOException {
            SeatHold hold = one.take();
            directory.leave(RecordLocation.LOCK, new LockContent.Foreign(77, null, -1, -1));

            one.engine.abandon(hold);

            assertThat(directory.at(RecordLocation.LOCK)).isNotNull();
        }

        @Test
        void beginsTheNextTakeWithWhatIsStillToBeDeleted() throws IOException {
            one.take();
            SeatHold successor = takeOver();
            two.engine.release(successor);
            one.die();

            SeatHold again = two.take();

            assertThat(again.reclaimed()).as("its own record was not in its way").isNull();
            assertThat(two.engine.tidy()).isTrue();
        }
    }

    // ---- clearing ----

    @Nested
    class Clearing {

        @Test
        void findsNothing() throws IOException {
            assertThat(one.engine.clear(true).outcome()).isEqualTo(ClearOutcome.NOTHING);
            assertNothingHeld();
        }

        @Test
        void takesAwayWhatTheDeadHasLeftAndDrawsNoToken() throws IOException {
            long theirs = directory.wallMicros + 50;
            directory.leave(RecordLocation.LOCK, ofTheDead(theirs));

            assertThat(one.engine.clear(true)).isEqualTo(new Cleared(ClearOutcome.REMOVED, "pid 999 does not exist"));

            assertThat(directory.at(RecordLocation.LOCK)).isNull();
            assertThat(directory.token).as("so that no later one is smaller").isEqualTo(theirs);
            assertNothingHeld();
            assertThat(directory.reclaiming).isFalse();
        }

        @Test
        void touchesNothingThatMayBeAlive() throws IOException {
            directory.leave(RecordLocation.LOCK, record(two.self().pid(), 1, true, 0));
            assertThat(one.engine.clear(true)).isEqualTo(new Cleared(ClearOutcome.KEPT, "pid 70200 runs: alive"));

            directory.leave(RecordLocation.LOCK, new LockContent.NotALock("a directory"));
            assertThat(one.engine.clear(true)).isEqualTo(new Cleared(ClearOutcome.KEPT, "a directory"));
            assertNothingHeld();
            assertThat(directory.at(RecordLocation.LOCK)).isNotNull();
        }

        @Test
        void touchesNothingWhoseByteIsHeld() throws IOException {
            two.take();

            Cleared cleared = one.engine.clear(true);

            assertThat(cleared.outcome()).isEqualTo(ClearOutcome.KEPT);
            assertThat(cleared.why()).contains("the kernel lock is held");
            assertThat(directory.owner[0]).isEqualTo(two);
        }

        @Test
        void leavesAForeignLockIfItIsToldTo() throws IOException {
            directory.leave(RecordLocation.LOCK, new LockContent.Foreign(999, null, -1, -1));

            assertThat(one.engine.clear(false).outcome()).isEqualTo(ClearOutcome.KEPT);
            assertThat(one.engine.clear(true).outcome()).isEqualTo(ClearOutcome.REMOVED);
        }

        @Test
        void leavesTheRecordToASuccessor() throws IOException {
            one.take();
            directory.leave(RecordLocation.LOCK, ofTheDead(0));
            SeatHold successor = takeOver();
            directory.leave(RecordLocation.LOCK, ofTheDead(0));
            one.gone();

            assertThat(three.engine.clear(true)).isEqualTo(new Cleared(ClearOutcome.KEPT, "a successor holds it"));

            assertThat(directory.at(RecordLocation.LOCK)).isNotNull();
            assertThat(directory.expiries[0]).isZero();
            assertThat(directory.owner[0]).isNull();
            assertThat(directory.expiries[1]).isEqualTo(successor.published);
        }

        @Test
        void saysForALookWhatASuccessorsExpiryMustNotMiss() throws IOException {
            directory.leave(RecordLocation.LOCK, ofTheDead(1));
            long[] seen = new long[1];
            one.afterReclaimMark = () -> seen[0] = directory.expiries[0];

            one.engine.clear(true);

            assertThat(seen[0]).as("while it deletes, its word keeps successors out").isBetween(directory.nanos + LEASE + GRACE,
                    directory.nanos + LEASE + GRACE + MARK_TIME_BITS);
        }

        @Test
        void leavesItToAnotherWhoReplacesIt() throws IOException {
            directory.leave(RecordLocation.LOCK, ofTheDead(1));
            directory.reclaiming = true;
            directory.reclaimingSince = directory.wallMicros;

            Cleared cleared = one.engine.clear(true);

            assertThat(cleared.outcome()).isEqualTo(ClearOutcome.KEPT);
            assertThat(cleared.why()).contains("another process is replacing it");
            assertThat(directory.at(RecordLocation.LOCK)).isNotNull();
            assertNothingHeld();
        }

        @Test
        void leavesWhatHasChangedWhileItLooked() throws IOException {
            directory.leave(RecordLocation.LOCK, ofTheDead(1));
            one.afterReclaimMark = () -> directory.leave(RecordLocation.LOCK, new LockContent.Foreign(77, null, -1, -1));

            assertThat(one.engine.clear(true)).isEqualTo(new Cleared(ClearOutcome.KEPT, "it changed while it was looked at"));
            assertThat(directory.at(RecordLocation.LOCK)).isNotNull();
        }

        @Test
        void givesBackAByteThatWasGotForTheNextTake() throws IOException {
            one.accept(0);
            directory.leave(RecordLocation.LOCK, ofTheDead(1));

            assertThat(one.engine.clear(true).outcome()).isEqualTo(ClearOutcome.REMOVED);

            assertNothingHeld();
            one.engine.release(one.take());
            assertNothingHeld();
        }

        @Test
        void takesAwayWhatADeadSuccessorHasLeft() throws IOException {
            directory.lined = true;
            directory.leave(RecordLocation.TAKEOVER, ofTheDead(1));
            directory.expiries[1] = directory.nanos + LEASE;

            assertThat(one.engine.clear(true)).isEqualTo(new Cleared(ClearOutcome.REMOVED, "pid 999 does not exist"));

            assertThat(directory.at(RecordLocation.TAKEOVER)).isNull();
            assertNothingHeld();
        }

        @Test
        void saysOfBothWhatBecameOfTheLock() throws IOException {
            directory.lined = true;
            directory.leave(RecordLocation.TAKEOVER, ofTheDead(1));
            directory.leave(RecordLocation.LOCK, record(two.self().pid(), 1, true, 0));

            assertThat(one.engine.clear(true).outcome()).isEqualTo(ClearOutcome.KEPT);
            assertThat(directory.at(RecordLocation.TAKEOVER)).isNull();
        }

        @Test
        void leavesALivingSuccessorsRecord() throws IOException {
            directory.leave(RecordLocation.TAKEOVER, record(two.self().pid(), 1, true, 0));

            assertThat(one.engine.clear(true).outcome()).isEqualTo(ClearOutcome.NOTHING);

            assertThat(directory.at(RecordLocation.TAKEOVER)).isNotNull();
            assertNothingHeld();
            one.accept(1);
            assertThat(one.engine.clear(true).outcome()).isEqualTo(ClearOutcome.NOTHING);
            assertNothingHeld(); // also what was acquired for the next take: the entry's content before that is unknown
        }

        @Test
        void leavesASuccessorsRecordWhoseByteIsHeld() throws IOException {
            directory.leave(RecordLocation.TAKEOVER, ofTheDead(1));
            directory.owner[1] = two;

            assertThat(one.engine.clear(true).outcome()).isEqualTo(ClearOutcome.NOTHING);
            assertThat(directory.at(RecordLocation.TAKEOVER)).isNotNull();
            assertThat(directory.owner[1]).isEqualTo(two);
        }
    }

    // ---- asking and waiting ----

    @Test
    void whatALookFoundIsToldThoughItsRecordsFileCannotBeClosed() throws IOException {
        SeatHold hold = one.take();
        two.engine.askForRelease(hold.token());
        one.cannotRest = true;
        assertThat(one.engine.check(hold, false)).as("else nobody is asked any more, and nobody has heard it").isEqualTo(HoldStatus.REQUESTED);
        one.displaced = "somebody replaced it";
        assertThat(one.engine.check(hold, true)).isEqualTo(HoldStatus.LOST);
    }

    @Test
    void whoIsAskedToLetGoHearsItUnlessItIsTakenBack() throws IOException {
        SeatHold hold = one.take();
        two.engine.askForRelease(hold.token());
        assertThat(two.engine.withdrawAsking(hold.token())).as("nobody had heard it").isTrue();
        assertThat(one.engine.check(hold, false)).isEqualTo(HoldStatus.INTACT);
        two.engine.askForRelease(hold.token());
        assertThat(one.engine.check(hold, false)).isEqualTo(HoldStatus.REQUESTED);

        assertThat(two.engine.withdrawAsking(hold.token())).as("nobody had heard it").isFalse();
    }

    @Test
    void aWaiterMarkIsSeenByTheHolderForAWhile() throws IOException {
        SeatHold hold = two.take();
        assertThat(two.engine.othersWait(hold, 100 * MILLI)).as("nobody has raised one").isFalse();
        two.engine.setWaiterMark(true);
        assertThat(two.engine.othersWait(hold, 100 * MILLI)).as("its own").isFalse();
        one.engine.setWaiterMark(true);

        assertThat(two.engine.othersWait(hold, 100 * MILLI)).isTrue();
        directory.pass(99 * MILLI);
        assertThat(two.engine.othersWait(hold, 100 * MILLI)).isTrue();
        directory.pass(MILLI);
        assertThat(two.engine.othersWait(hold, 100 * MILLI)).isFalse();
        directory.waiterSeen = directory.nanos + LEASE;
        assertThat(two.engine.othersWait(hold, 100 * MILLI)).as("from another time namespace").isFalse();
    }

    @Test
    void whoButTriesIsSeenAsSuchAndHidesNobodyWhoWaits() throws IOException {
        SeatHold hold = two.take();
        one.engine.setWaiterMark(false);
        assertThat(two.engine.othersTryOrWait(hold, 100 * MILLI)).isTrue();
        assertThat(two.engine.othersWait(hold, 100 * MILLI)).isFalse();
        one.engine.setWaiterMark(true);
        assertThat(two.engine.othersWait(hold, 100 * MILLI)).isTrue();
        three.engine.setWaiterMark(false);
        assertThat(two.engine.othersWait(hold, 100 * MILLI)).isTrue();
        directory.pass(200 * MILLI);
        assertThat(two.engine.othersTryOrWait(hold, 100 * MILLI)).isFalse();
        three.engine.setWaiterMark(false);
        assertThat(two.engine.othersTryOrWait(hold, 100 * MILLI)).isTrue();
    }

    @Test
    void aWaiterMarkIsSeenToTheLastNanosecond() throws IOException {
        SeatHold hold = two.take();
        one.engine.setWaiterMark(true);
        long raised = directory.waiterSeen & ~MARK_TIME_BITS;
        directory.nanos = raised;
        assertThat(two.engine.othersWait(hold, 10)).as("from this very moment").isTrue();
        directory.nanos = raised + 9;
        assertThat(two.engine.othersWait(hold, 10)).isTrue();
        directory.nanos = raised + 10;
        assertThat(two.engine.othersWait(hold, 10)).isFalse();
    }

    @Test
    void withoutAnEntryNoWaiterMarkIsSet() {
        one.engine.setWaiterMark(true);
        assertThat(directory.waiterSeen).as("nobody has ever taken it").isZero();
        one.cannotFindItsEntry = true;
        one.engine.setWaiterMark(true);
    }

    @Test
    void byte1AcquiredAheadServesToClearTheSeat() throws IOException {
        directory.lined = true;
        directory.expiries[1] = directory.nanos + LEASE;
        directory.leave(RecordLocation.TAKEOVER, ofTheDead(1));
        one.accept(1);

        SeatHold hold = one.take();

        assertThat(hold.seat).isZero();
        assertThat(directory.at(RecordLocation.TAKEOVER)).isNull();
        assertThat(directory.expiries[1]).isZero();
        assertThat(directory.owner[1]).isNull();
    }

    @Test
    void anUnusedByteAcquiredAheadIsGivenBackOnceForEachSeat() {
        one.accept(1);
        one.engine.declineAllAwaited();
        assertThat(directory.owner[1]).isNull();

        directory.owner[1] = two;
        one.engine.declineAllAwaited();
        assertThat(directory.owner[1]).isEqualTo(two);
    }

    /** As when the whole directory is moved away, and back later. */
    @Test
    void aRecordThatIsElsewhereWhileItsLockIsGivenBackKeepsNobodyOutWhenItIsBack() throws IOException {
        Hold hold = (Hold) one.engine.take(NOT_TO_BE_PASSED_OVER);
        SimulatedDirectory.Inode record = directory.at(RecordLocation.LOCK);
        directory.put(RecordLocation.LOCK, null);
        one.engine.release(hold);
        directory.put(RecordLocation.LOCK, record);

        assertThat(two.take()).isNotNull();
    }

    /** Frozen between the two it would stop everybody. */
    @Test
    void withAGiftInHandItDoesNotAskForTheOtherByteToTidyUp() throws IOException {
        two.engine.release(two.take()); // so that it has looked for a successor's record before, and does not clear it for that reason
        Hold frozen = one.take();
        Hold successor = takeOver();
        two.cannotUnlink = true;
        two.engine.release(successor);
        two.cannotUnlink = false;
        one.engine.release(frozen);
        two.accept(0);
        two.afterByte = () -> assertThat(directory.owner).as("rule 3").doesNotContainSequence(two, two);

        Hold hold = two.take();

        assertThat(directory.at(RecordLocation.TAKEOVER)).as("it has to wait").isNotNull();
        two.engine.release(hold);
        assertThat(two.engine.tidy()).isTrue();
        assertThat(directory.at(RecordLocation.TAKEOVER)).isNull();
        assertThat(two.recordFiles).isEmpty();
    }

    @Test
    void ofTwoBytesThatWereWaitedForTheFirstSeatsIsKept() throws IOException {
        one.acquireAhead(1);
        one.engine.acceptAwaited(1);
        one.acquireAhead(0);
        one.engine.acceptAwaited(0);
        assertThat(directory.owner).containsExactly(one, null);

        one.acquireAhead(1);
        one.engine.acceptAwaited(1);
        assertThat(directory.owner).containsExactly(one, null);
        one.engine.declineAllAwaited();
        assertNothingHeld();
    }

    @Test
    void bothBytesAreNeverHeldAtOnceInClear() throws IOException {
        one.accept(0);
        directory.leave(RecordLocation.TAKEOVER, ofTheDead(1));
        one.afterByte = () -> assertThat(directory.owner).as("rule 3").doesNotContainSequence(one, one);

        assertThat(one.engine.clear(true).outcome()).isEqualTo(ClearOutcome.REMOVED);
        assertNothingHeld();
    }

    @Test
    void saysWhatItIsTheEngineOf() throws IOException {
        assertThat(one.engine.name()).isEqualTo("session.jsonl");
        assertThat(one.engine.target()).isEqualTo(Path.of("/sessions/session.jsonl"));
        assertThat(one.engine.lockFile()).isEqualTo(Path.of("/sessions/session.jsonl.lock"));
        assertThat(one.take().terms()).isEqualTo(TERMS);
        assertThat(one.engine).hasToString("pid 70100");
        assertThat(two.engine.inspect().owner().pid()).isEqualTo(70_100);
    }
}

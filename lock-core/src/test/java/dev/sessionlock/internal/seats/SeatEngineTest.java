package dev.sessionlock.internal.seats;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.sessionlock.internal.directory.LockContent;
import dev.sessionlock.internal.directory.LockRecord;
import dev.sessionlock.internal.directory.LockStore.RecordLocation;
import dev.sessionlock.spi.Busy;
import dev.sessionlock.spi.Hold;
import dev.sessionlock.spi.Terms;
import java.io.IOException;
import java.util.concurrent.atomic.AtomicReference;
import org.junit.jupiter.api.Nested;
import org.junit.jupiter.api.Test;

/** What the engine answers to whoever asks for a lock, and what it writes, to the nanosecond where a nanosecond decides. */
class SeatEngineTest extends SeatEngineFixture {
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
            one.engine.take(WITHOUT_TAKEOVER);

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
        void takesOverFromASuccessorOnATableThatWasReplacedOnceItsLeaseIsOver() throws IOException {
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
        void looksAgainSoonWhileTheLockHasTwoEntries() throws IOException {
            SeatHold hold = one.take();
            one.engine.release(hold);
            one.hasTwoEntries = true;
            assertBusy(one.busy(), Busy.NOTHING, inMillis(4), "two entries in the shared table");
            assertNothingHeld();

            two.take();
            directory.pass(LEASE + GRACE + MILLI);
            one.busy();
            directory.pass(20 * MILLI);
            assertBusy(one.busy(), 0, inMillis(4), "no table entry of its own");
            assertThat(directory.owner).as("nobody is taken over then").containsExactly(two, null);
        }

        @Test
        void waitsForWhoeverHasPutItsRecordInItsWayOnSeat1() throws IOException {
            one.take();
            letTwoTakeOverNext();
            two.afterDraw = () -> directory.leave(RecordLocation.TAKEOVER, record(three.self().pid(), 1, true, directory.nanos + LEASE));

            assertBusy(two.busy(), Busy.NOTHING, inMillis(20), "lease runs");
            assertThat(directory.owner[1]).isNull();
            assertThat(recordAt(RecordLocation.TAKEOVER).pid()).isEqualTo(three.self().pid());
        }

        @Test
        void givesUpForTheMomentIfThereIsNoEndToClearingAway() throws IOException {
            two.wordsStay = true;
            directory.hasEntry = true;
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

            assertThat(((SeatHold) one.engine.take(WITHOUT_TAKEOVER)).deadline()).isEqualTo(directory.nanos + LEASE);
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
        void onSeat1IsTooLateAndLeavesNothingToTheNextOneIfTheHolderIsGone() throws IOException {
            one.take();
            letTwoTakeOverNext();
            directory.put(RecordLocation.LOCK, null);
            two.afterLink = () -> two.afterLink = () -> {
                directory.pass(LEASE);
                one.gone();
            };

            assertThat(two.busy().why()).contains("slept for a whole lease");

            assertThat(directory.at(RecordLocation.LOCK)).isNull();
            assertThat(two.recordFiles).isEmpty();
            assertThat(directory.owner).containsOnlyNulls();
        }

        @Test
        void onSeat1TakesAwayWhatADeadSuccessorHasInItsWay() throws IOException {
            one.take();
            letTwoTakeOverNext();
            two.afterDraw = () -> directory.leave(RecordLocation.TAKEOVER, ofTheDead(1));

            SeatHold hold = two.take();

            assertThat(hold.seat).isOne();
            assertThat(recordAt(RecordLocation.TAKEOVER).token()).isEqualTo(hold.token());
        }

        /** Processes that open the new table see nothing of what was published on the old one. */
        @Test
        void isOnTheNewTableIfTheOldOneWasReplacedMeanwhile() throws IOException {
            directory.replacesTables = true;
            one.afterLink = directory::replaceTable;

            SeatHold hold = one.take();

            assertThat(directory.expiries[0]).isEqualTo(hold.published);
            assertThat(directory.token).isEqualTo(hold.token());
        }

        /** Another process that has drawn the same number must not be taken for it. */
        @Test
        void writesTheMarkThatItsProcessHasDrawnLast() throws IOException {
            one.laterMark = 0x1234;

            one.take();

            assertThat(directory.expiries[0] & MARK_TIME_BITS).isEqualTo(0x1234);
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
            directory.hasEntry = true;
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
            directory.hasEntry = true;
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
            assertThat(hold.seat).isZero();
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
}

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
import java.io.IOException;
import org.junit.jupiter.api.Nested;
import org.junit.jupiter.api.Test;

/** How the engine gives a lock back, and how it clears one that others have left. */
class SeatEngineReleaseTest extends SeatEngineFixture {
    @Nested
    class GivingBack {

        @Test
        void withdrawsItsOwnExpiryThoughTheByteIsLost() throws IOException {
            SeatHold hold = (SeatHold) one.engine.take(WITHOUT_TAKEOVER);
            one.loseBytes();
            directory.owner[0] = two; // frozen before it publishes
            one.engine.lookAfresh();
            assertThat(one.engine.check(hold, true)).isEqualTo(HoldStatus.LOST);
            one.engine.release(hold);
            assertThat(directory.expiries[0]).as("others would take the frozen one for one that excludes takeover").isZero();
        }

        @Test
        void leavesASuccessorsRecordAtTheLockThatHoldsNobodyUp() throws IOException {
            one.take();
            directory.pass(LEASE + GRACE + MILLI);
            two.engine.take(WITHOUT_TAKEOVER);
            directory.pass(20 * MILLI);
            SeatHold successor = (SeatHold) two.engine.take(WITHOUT_TAKEOVER);

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

            assertThatThrownBy(() -> one.engine.take(WITHOUT_TAKEOVER)).hasMessage("no unlinking");

            assertThat(recordAt(RecordLocation.LOCK).takeover()).isTrue();
            assertThat(recordAt(RecordLocation.LOCK).leaseUntilNanos()).isEqualTo(1);
            assertThat(recordAt(RecordLocation.LOCK).leaseUntil()).as("for people").isEqualTo(directory.wallMicros / 1_000 + 1_000);
            assertThat(two.take().reclaimed()).contains("its lease had run out");
        }

        @Test
        void deletesLaterARecordThatCouldNotBeTakenBack() throws IOException {
            one.cannotUnlink = true;
            one.afterLink = () -> directory.expiries[0] = 7;
            assertThatThrownBy(one::take).hasMessage("no unlinking");
            one.cannotUnlink = false;

            assertThat(one.engine.tidy()).isTrue();

            assertThat(directory.at(RecordLocation.LOCK)).isNull();
            assertThat(one.recordFiles).isEmpty();
        }

        /** Only whoever has the byte may delete the record. */
        @Test
        void leavesTheRecordIfItKnowsThatAnotherHasTheByte() throws IOException {
            one.knowsItsLosses = true;
            SeatHold hold = one.take();
            loseByteTo(two);

            one.engine.release(hold);

            assertThat(recordAt(RecordLocation.LOCK).leaseUntilNanos()).as("it holds nobody up").isEqualTo(1);
            assertThat(one.engine.tidy()).isFalse();
            directory.owner[0] = null;
            assertThat(one.engine.tidy()).isTrue();
            assertThat(directory.at(RecordLocation.LOCK)).isNull();
            assertThat(one.recordFiles).isEmpty();
        }

        @Test
        void keepsNoRecordFileForARecordThatLiesNowhere() throws IOException {
            one.take();
            two.engine.release(takeOver()); // one is left at x.lock
            one.gone();
            directory.owner[0] = three;
            two.afterLink = () -> directory.expiries[1] = 7;
            assertThat(two.busy().why()).contains("another has had it since");

            assertThat(two.recordFiles).hasSize(1);
        }

        @Test
        void freesAByteLaterThatCannotBeFreedYet() throws IOException {
            one.cannotFree = true;
            one.engine.release(one.take());
            assertThat(one.engine.tidy()).isFalse();
            assertThat(directory.owner[0]).isSameAs(one);
            one.cannotFree = false;

            assertThat(one.engine.tidy()).isTrue();

            assertNothingHeld();
        }

        @Test
        void asksOnlyForTheByteOfTheSeatWhereSomethingIsLeft() throws IOException {
            one.take();
            two.engine.release(takeOver());
            two.requested.clear();

            assertThat(two.engine.tidy()).as("the frozen one has the byte").isFalse();

            assertThat(two.requested).containsExactly(0);
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
            directory.hasEntry = true;
            directory.leave(RecordLocation.TAKEOVER, ofTheDead(1));
            directory.expiries[1] = directory.nanos + LEASE;

            assertThat(one.engine.clear(true)).isEqualTo(new Cleared(ClearOutcome.REMOVED, "pid 999 does not exist"));

            assertThat(directory.at(RecordLocation.TAKEOVER)).isNull();
            assertNothingHeld();
        }

        @Test
        void saysOfBothWhatBecameOfTheLock() throws IOException {
            directory.hasEntry = true;
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
}

package dev.sessionlock.internal.seats;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.sessionlock.LockMode;
import dev.sessionlock.internal.directory.LockStore.RecordLocation;
import dev.sessionlock.spi.Busy;
import dev.sessionlock.spi.EngineLock.ClearOutcome;
import dev.sessionlock.spi.EngineLock.HoldStatus;
import dev.sessionlock.spi.Hold;
import java.io.IOException;
import java.nio.file.Path;
import org.junit.jupiter.api.Nested;
import org.junit.jupiter.api.Test;

/** Requests to release, waiter marks, and bytes that a kernel waiter has acquired ahead. */
class SeatEngineWaitingTest extends SeatEngineFixture {

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
    void aHolderThatIsAskedToReleaseHearsItUnlessTheRequestIsWithdrawn() throws IOException {
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
        assertThat(two.engine.othersWait(hold, 100 * MILLI)).as("nobody has set one").isFalse();
        two.engine.setWaiterMark(LockMode.EXCLUSIVE, true);
        assertThat(two.engine.othersWait(hold, 100 * MILLI)).as("its own").isFalse();
        one.engine.setWaiterMark(LockMode.EXCLUSIVE, true);

        assertThat(two.engine.othersWait(hold, 100 * MILLI)).isTrue();
        directory.pass(99 * MILLI);
        assertThat(two.engine.othersWait(hold, 100 * MILLI)).isTrue();
        directory.pass(MILLI);
        assertThat(two.engine.othersWait(hold, 100 * MILLI)).isFalse();
        directory.waiterMark = directory.nanos + LEASE;
        assertThat(two.engine.othersWait(hold, 100 * MILLI)).as("from another time namespace").isFalse();
    }

    @Test
    void aProcessThatTriesOnceIsSeenAsSuchAndHidesNobodyThatWaits() throws IOException {
        SeatHold hold = two.take();
        one.engine.setWaiterMark(LockMode.EXCLUSIVE, false);
        assertThat(two.engine.othersTryOrWait(hold, 100 * MILLI)).isTrue();
        assertThat(two.engine.othersWait(hold, 100 * MILLI)).isFalse();
        one.engine.setWaiterMark(LockMode.EXCLUSIVE, true);
        assertThat(two.engine.othersWait(hold, 100 * MILLI)).isTrue();
        three.engine.setWaiterMark(LockMode.EXCLUSIVE, false);
        assertThat(two.engine.othersWait(hold, 100 * MILLI)).isTrue();
        directory.pass(200 * MILLI);
        assertThat(two.engine.othersTryOrWait(hold, 100 * MILLI)).isFalse();
        three.engine.setWaiterMark(LockMode.EXCLUSIVE, false);
        assertThat(two.engine.othersTryOrWait(hold, 100 * MILLI)).isTrue();
    }

    @Test
    void aWaiterMarkIsSeenToTheLastNanosecond() throws IOException {
        SeatHold hold = two.take();
        one.engine.setWaiterMark(LockMode.EXCLUSIVE, true);
        long set = directory.waiterMark & ~MARK_TIME_BITS;
        directory.nanos = set;
        assertThat(two.engine.othersWait(hold, 10)).as("from this very moment").isTrue();
        directory.nanos = set + 9;
        assertThat(two.engine.othersWait(hold, 10)).isTrue();
        directory.nanos = set + 10;
        assertThat(two.engine.othersWait(hold, 10)).isFalse();
    }

    @Test
    void withoutAnEntryNoWaiterMarkIsSet() {
        one.engine.setWaiterMark(LockMode.EXCLUSIVE, true);
        assertThat(directory.waiterMark).as("nobody has ever taken it").isZero();
        one.cannotFindItsEntry = true;
        one.engine.setWaiterMark(LockMode.EXCLUSIVE, true);
    }

    @Nested
    class Spinning {
        private final Busy ownerHasIt = new Busy(0, Long.MAX_VALUE, "another process holds it");
        private static final long LONG = 10_000_000_000L;

        @Test
        void itPaysOnceTheOwnerHasWithdrawnItsExpiry() throws IOException {
            SeatHold hold = one.take();
            assertThat(two.engine.spin(ownerHasIt, 1_000)).isFalse();
            one.engine.release(hold);
            assertThat(two.engine.spin(ownerHasIt, LONG)).isTrue();
            assertThat(two.take()).isNotNull();
        }

        /** Seat 1 is in use only while an owner is frozen, and what is not in the kernel is not in the table. */
        @Test
        void nobodySpinsForAnythingElse() throws IOException {
            one.engine.release(one.take());
            assertThat(two.engine.spin(new Busy(1, Long.MAX_VALUE, "a successor holds it"), LONG)).isFalse();
            assertThat(two.engine.spin(new Busy(Busy.NOTHING, Long.MAX_VALUE, "it changes hands too fast"), LONG)).isFalse();
        }

        @Test
        void nobodySpinsWithoutAnEntry() {
            assertThat(two.engine.spin(ownerHasIt, LONG)).isFalse();
            two.cannotFindItsEntry = true;
            assertThat(two.engine.spin(ownerHasIt, LONG)).isFalse();
        }
    }

    @Test
    void whoWaitsInTheKernelGetsTheByteForTheNextTake() throws IOException {
        one.engine.awaitKernel(0);
        assertThat(directory.owner[0]).isSameAs(one);

        one.engine.acceptAwaited(0);
        one.engine.release(one.take());
        assertNothingHeld();
    }

    @Test
    void aByteAcquiredAheadThatIsKnownToBeLostServesNoTake() throws IOException {
        two.knowsItsLosses = true;
        two.accept(0);
        two.loseBytes();
        directory.owner[0] = three; // which has not published yet

        assertThat(two.busy().why()).contains("another process takes it for the first time");
        assertThat(directory.owner[0]).isSameAs(three);
    }

    /** A thread waited for the second seat's byte, and the first seat's came sooner. */
    @Test
    void aByteWhoseAcceptanceAnErrorBrokeOffIsGivenBackWithoutTheHolds() throws IOException {
        SeatHold hold = one.take();
        one.acquireAhead(1);
        one.afterAccepting = SeatEngineFixture::overflow;
        assertThatThrownBy(() -> one.engine.acceptAwaited(1)).isInstanceOf(StackOverflowError.class);

        one.engine.declineAllAwaited();

        assertThat(directory.owner).containsExactly(one, null);
        assertThat(one.engine.check(hold, true)).isEqualTo(HoldStatus.INTACT);
    }

    @Test
    void byte1AcquiredAheadServesToClearTheSeat() throws IOException {
        directory.hasEntry = true;
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

    @Test
    void aByteThatWasGivenBackIsNotTakenForOneThatWaitsForTheNextTake() throws IOException {
        one.take();
        two.accept(1);
        two.engine.declineAllAwaited();

        two.engine.release(takeOver());

        assertThat(directory.owner).as("else it keeps the seat's").containsExactly(one, null);
    }

    /** As when the whole directory is moved away, and back later. */
    @Test
    void aRecordThatIsElsewhereWhileItsLockIsGivenBackKeepsNobodyOutWhenItIsBack() throws IOException {
        Hold hold = (Hold) one.engine.take(WITHOUT_TAKEOVER);
        SimulatedDirectory.Inode record = directory.at(RecordLocation.LOCK);
        directory.put(RecordLocation.LOCK, null);
        one.engine.release(hold);
        directory.put(RecordLocation.LOCK, record);

        assertThat(two.take()).isNotNull();
    }

    /** Frozen between the two it would stop everybody. */
    @Test
    void withAByteAcquiredAheadItDoesNotAskForTheOtherByteToTidyUp() throws IOException {
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

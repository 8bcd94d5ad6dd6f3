package dev.sessionlock.internal.seats;

import static org.assertj.core.api.Assertions.assertThat;

import dev.sessionlock.internal.directory.LockContent;
import dev.sessionlock.internal.directory.LockStore.RecordLocation;
import dev.sessionlock.spi.Busy;
import dev.sessionlock.spi.EngineLock.HoldStatus;
import java.io.IOException;
import org.junit.jupiter.api.Test;

/** What the engine makes of a second seat, lost bytes, and changes by hand. */
class SeatEngineLossTest extends SeatEngineFaultsFixture {
    // ---- the second seat ----

    @Test
    void successorTakesTheOtherSeatAndTheFrozenHolderWakesToALostLock() throws IOException {
        SeatHold frozen = one.take();
        directory.pass(LEASE + GRACE - MILLI);
        assertThat(two.engine.take(TERMS)).isInstanceOf(Busy.class);
        directory.pass(MILLI);
        SeatHold successor = takeOver();

        assertThat(successor.seat).isOne();
        assertThat(successor.token()).isGreaterThan(frozen.token());
        assertThat(one.engine.renew(frozen, -1)).isFalse();
        assertThat(one.engine.handOver(frozen, TERMS)).isNull();
        one.engine.release(frozen);
        assertThat(one.engine.take(TERMS)).isInstanceOf(Busy.class);
        assertThat(two.engine.check(successor, false)).isEqualTo(HoldStatus.INTACT);
        assertThat(directory.at(RecordLocation.LOCK)).as("the successor's record keeps other programs out").isNotNull();
        two.engine.release(successor);
        two.engine.tidy();
        assertNothingHeldOrLeft();
        assertThat(one.waitToTake()).isZero();
    }

    @Test
    void aHolderWithoutTakeoverIsWaitedFor() throws IOException {
        one.engine.take(WITHOUT_TAKEOVER);

        assertThat(two.waitToTake()).isEqualTo(Long.MAX_VALUE);
        one.die();
        assertThat(two.waitToTake()).isZero();
    }

    @Test
    void aDeadSuccessorIsNoticedAtOnce() throws IOException {
        SeatHold frozen = one.take();
        takeOver();
        two.die();
        one.engine.release(frozen);

        assertThat(one.waitToTake()).isZero();
        assertNothingHeldOrLeft();
    }

    @Test
    void aSuccessorThatHasLostItsByteIsNotTakenForDead() throws IOException {
        SeatHold frozen = one.take();
        SeatHold successor = takeOver();
        two.store.loseBytes();
        one.engine.release(frozen);

        assertThat(one.engine.take(TERMS)).isInstanceOfSatisfying(Busy.class, busy -> assertThat(busy.why()).contains("lease runs"));

        assertThat(directory.expiries[1]).as("its word stays").isEqualTo(successor.published);
        two.store.viewKernel();
        assertThat(two.engine.check(successor, true)).isEqualTo(HoldStatus.INTACT);
        assertThat(directory.owner[1]).as("its byte was taken again").isEqualTo(two.store);
    }

    @Test
    void aSecondSuccessorWaitsForAFirstThatHasLostItsByte() throws IOException {
        one.take();
        SeatHold successor = takeOver();
        two.store.loseBytes();
        Process three = new Process(300);
        three.engine.take(TERMS);
        directory.pass(21 * MILLI);

        assertThat(three.engine.take(TERMS)).isInstanceOfSatisfying(Busy.class, busy -> assertThat(busy.why()).contains("lease runs"));
        assertThat(directory.expiries[1]).as("its word stays").isEqualTo(successor.published);
    }

    // ---- lost bytes ----

    @Test
    void aByteThatTheKernelHasLostIsTakenAgain() throws IOException {
        SeatHold hold = one.take();
        one.store.loseBytes();
        assertThat(two.engine.take(TERMS)).isInstanceOfSatisfying(Busy.class, busy -> assertThat(busy.why()).contains("without a kernel lock"));
        directory.pass(MILLI);
        one.store.viewKernel();

        assertThat(one.engine.check(hold, true)).isEqualTo(HoldStatus.INTACT);
        assertThat(directory.owner[0]).isEqualTo(one.store);
        assertThat(directory.expiries[0]).isEqualTo(hold.published);
    }

    @Test
    void whoHasLostItsByteToAnotherTakesNothingOfTheOthersAway() throws IOException {
        SeatHold hold = one.take();
        one.store.loseBytes();
        directory.put(RecordLocation.LOCK, null); // two faults: otherwise the record would keep the other out
        directory.pass(MILLI);
        SeatHold other = two.take();
        directory.pass(MILLI);
        one.store.viewKernel();

        assertThat(one.engine.check(hold, true)).isEqualTo(HoldStatus.LOST);
        one.engine.release(hold);

        assertThat(directory.owner[0]).isEqualTo(two.store);
        assertThat(directory.expiries[0]).isEqualTo(other.published);
        assertThat(two.engine.check(other, false)).isEqualTo(HoldStatus.INTACT);
        two.engine.release(other);
        assertThat(one.engine.tidy()).isTrue();
        assertNothingHeldOrLeft();
        assertThat(one.store.recordFiles).isEmpty();
    }

    @Test
    void aRenewalAfterALostByteDoesNotOverwriteTheNextExpiry() throws IOException {
        SeatHold hold = one.take();
        one.store.loseBytes();
        directory.put(RecordLocation.LOCK, null);
        directory.pass(MILLI);
        SeatHold other = two.take();

        assertThat(one.engine.renew(hold, -1)).isFalse();
        assertThat(directory.expiries[0]).isEqualTo(other.published);
    }

    @Test
    void aClearedExpiryCostsNobodyItsByte() throws IOException {
        SeatHold hold = one.take();
        directory.expiries[0] = 0;
        directory.pass(MILLI);

        assertThat(one.engine.renew(hold, -1)).isTrue();
        assertThat(directory.owner[0]).isEqualTo(one.store);
        assertThat(directory.expiries[0]).isBetween(directory.nanos + LEASE + GRACE, directory.nanos + LEASE + GRACE + MILLI);
    }

    // ---- requests, and changes by hand ----

    @Test
    void aRequestToLetGoIsSeenOnceByTheHolderThatItNames() throws IOException {
        SeatHold hold = one.take();
        directory.requests.add(hold.token() + 1);
        assertThat(one.engine.check(hold, false)).isEqualTo(HoldStatus.INTACT);
        directory.requests.add(hold.token());

        assertThat(one.engine.check(hold, false)).isEqualTo(HoldStatus.REQUESTED);
        assertThat(directory.requests).containsExactly(hold.token() + 1);
    }

    @Test
    void aRemovedRecordIsNoticedAndLetsNobodyIn() throws IOException {
        SeatHold hold = one.take();
        directory.put(RecordLocation.LOCK, null);

        assertThat(two.engine.take(TERMS)).isInstanceOf(Busy.class);
        assertThat(one.engine.check(hold, false)).isEqualTo(HoldStatus.REMOVED);
        assertThat(one.engine.handOver(hold, TERMS)).isNull();
        one.engine.release(hold);
        assertNothingHeldOrLeft();
    }

    @Test
    void aForeignLockInThePlaceOfOursIsLeftAloneOnRelease() throws IOException {
        SeatHold hold = one.take();
        LockContent theirs = new LockContent.Foreign(77, null, -1, -1);
        directory.leave(RecordLocation.LOCK, theirs);

        assertThat(one.engine.check(hold, false)).isEqualTo(HoldStatus.REMOVED);
        one.engine.release(hold);

        assertThat(directory.at(RecordLocation.LOCK).content).isEqualTo(theirs);
    }

    // ---- bytes acquired ahead ----

    @Test
    void aByteThatAWaitingThreadGotServesTheNextTry() throws IOException {
        SeatHold hold = one.take();
        two.store.waitsInKernel[0] = true;
        one.engine.release(hold);
        two.store.acquireAhead(0);
        two.store.waitsInKernel[0] = false;
        two.engine.acceptAwaited(0);

        assertThat(one.engine.take(TERMS)).isInstanceOf(Busy.class);
        two.engine.release(two.take());
        assertNothingHeldOrLeft();
    }

    @Test
    void aByteThatNobodyWantsAnyMoreIsPutBack() {
        two.store.waitsInKernel[0] = true;
        two.store.acquireAhead(0);
        two.store.waitsInKernel[0] = false;
        two.engine.acceptAwaited(0);

        two.engine.declineAllAwaited();

        assertNothingHeldOrLeft();
    }
}

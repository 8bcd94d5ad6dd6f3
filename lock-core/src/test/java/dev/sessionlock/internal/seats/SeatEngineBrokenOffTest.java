package dev.sessionlock.internal.seats;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.sessionlock.internal.directory.LockStore.RecordLocation;
import dev.sessionlock.spi.Busy;
import dev.sessionlock.spi.EngineLock.ClearOutcome;
import java.io.IOException;
import org.junit.jupiter.api.Nested;
import org.junit.jupiter.api.Test;

/** What a call leaves that an error broke off is given back by the next call, whichever that is. */
class SeatEngineBrokenOffTest extends SeatEngineFixture {
    /** A caller that takes or tidies has no hold: an error came before it was told of the one that it got. */
    @Nested
    class AHoldThatNobodyKnowsOf {

        @Test
        void isGivenBackByTheNextTake() throws IOException {
            SeatHold unknown = one.take();

            SeatHold hold = one.take();

            assertThat(hold.token()).isGreaterThan(unknown.token());
            assertThat(recordAt(RecordLocation.LOCK).token()).isEqualTo(hold.token());
            one.engine.release(hold);
            assertNothingHeld();
            assertThat(one.recordFiles).isEmpty();
        }

        @Test
        void isGivenBackByTidying() throws IOException {
            one.take();

            assertThat(one.engine.tidy()).isTrue();

            assertNothingHeld();
            assertThat(directory.at(RecordLocation.LOCK)).isNull();
        }
    }

    /** Byte, expiry and record stay until any further call. */
    @Nested
    class ATakeThatAnErrorBrokeOff {

        @Test
        void isTakenBackByTheNextTake() throws IOException {
            breakOffATakeOf(one);

            SeatHold hold = one.take();

            assertThat(hold.reclaimed()).as("its own record was not in its way").isNull();
            one.engine.release(hold);
            assertNothingHeld();
            assertThat(one.recordFiles).isEmpty();
        }

        @Test
        void isWaitedForWhileItCannotBeTakenBack() throws IOException {
            breakOffATakeOf(one);
            one.cannotUnlink = true;

            assertBusy(one.busy(), Busy.NOTHING, inMillis(4), "what an earlier try of this process has left cannot be taken back yet");

            assertThat(directory.owner).as("its byte holds nobody up").containsOnlyNulls();
            one.cannotUnlink = false;
            assertThat(one.take()).isNotNull();
        }

        @Test
        void isTakenBackBeforeSomethingIsCleared() throws IOException {
            breakOffATakeOf(one);

            assertThat(one.engine.clear(true).outcome()).isEqualTo(ClearOutcome.NOTHING);

            assertNothingHeld();
            assertThat(directory.at(RecordLocation.LOCK)).isNull();
        }

        @Test
        void isNotForgottenByAClearingThatCannotTakeItBack() throws IOException {
            breakOffATakeOf(one);
            one.cannotUnlink = true;
            assertThatThrownBy(() -> one.engine.clear(true)).hasMessage("no unlinking");
            one.cannotUnlink = false;

            assertThat(one.engine.tidy()).isTrue();

            assertNothingHeld();
            assertThat(directory.at(RecordLocation.LOCK)).isNull();
            assertThat(one.recordFiles).isEmpty();
        }

        @Test
        void isTakenBackBeforeTheOtherByteIsAccepted() {
            breakOffATakeOf(one);

            one.accept(1);

            assertThat(directory.owner).as("never both bytes").containsExactly(null, one);
            assertThat(directory.at(RecordLocation.LOCK)).isNull();
        }

        @Test
        void isTakenBackOnceNobodyWaitsAnyMore() {
            breakOffATakeOf(one);

            one.engine.declineAllAwaited();

            assertNothingHeld();
            assertThat(directory.at(RecordLocation.LOCK)).isNull();
        }

        @Test
        void ofTheSecondSeatLeavesNoRecordAtTheLockThatHoldsSomebodyUp() throws IOException {
            one.engine.take(TERMS);
            letTwoTakeOverNext();
            directory.put(RecordLocation.LOCK, null);
            two.afterLink = () -> two.afterLink = SeatEngineFixture::overflow; // its record lies at x.lock then
            assertThatThrownBy(two::take).isInstanceOf(StackOverflowError.class);

            assertThat(two.engine.tidy()).as("the frozen one has the byte for that").isFalse();

            assertThat(directory.owner[1]).isNull();
            assertThat(directory.at(RecordLocation.TAKEOVER)).isNull();
            assertThat(recordAt(RecordLocation.LOCK).leaseUntilNanos()).isEqualTo(1);
            one.gone();
            assertThat(two.engine.tidy()).isTrue();
            assertThat(directory.at(RecordLocation.LOCK)).isNull();
        }
    }
}

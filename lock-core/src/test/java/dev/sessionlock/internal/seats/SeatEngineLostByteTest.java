package dev.sessionlock.internal.seats;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.sessionlock.internal.directory.LockStore.RecordLocation;
import dev.sessionlock.spi.Busy;
import dev.sessionlock.spi.EngineLock.HoldStatus;
import java.io.IOException;
import org.junit.jupiter.api.Nested;
import org.junit.jupiter.api.Test;

/** What a holder makes of a byte that the kernel has lost, and of an expiry that somebody has overwritten. */
class SeatEngineLostByteTest extends SeatEngineFixture {
    /** Some code of this JVM has opened and closed a guard file. */
    @Nested
    class ALostByte {

        @Test
        void isNoticedBeforeTheLockIsGivenOut() throws IOException {
            one.knowsItsLosses = true;
            one.afterLink = one::loseBytes;

            assertBusy(one.busy(), Busy.NOTHING, directory.nanos, "the kernel lost our lock while we took it");
            assertThat(directory.expiries[0]).isZero();
            assertThat(directory.at(RecordLocation.LOCK)).isNull();
        }

        @Test
        void isTakenAgainWithoutADeepLookOnceItIsKnown() throws IOException {
            one.knowsItsLosses = true;
            SeatHold hold = one.take();
            one.loseBytes();

            assertThat(one.engine.check(hold, false)).isEqualTo(HoldStatus.INTACT);
            assertThat(directory.owner[0]).isSameAs(one);

            loseByteTo(two);
            assertThat(one.engine.check(hold, false)).isEqualTo(HoldStatus.LOST);
            assertThat(directory.owner[0]).isSameAs(two);
        }

        /** It has seen our record, and withdrawn. */
        @Test
        void isTakenAgainFromAProcessThatWasOnlyLooking() throws IOException {
            SeatHold hold = one.take();
            one.loseBytes();
            one.viewKernel();
            one.beforeByte = () -> directory.expiries[0] = 0;

            assertThat(one.engine.check(hold, true)).isEqualTo(HoldStatus.INTACT);
            assertThat(directory.expiries[0]).isNotZero().isEqualTo(hold.published);
        }

        @Test
        void isALossIfTheNextProcessHasPublishedMeanwhile() throws IOException {
            SeatHold hold = one.take();
            one.loseBytes();
            one.viewKernel();
            one.beforeByte = () -> directory.expiries[0] = 7;

            assertThat(one.engine.check(hold, true)).isEqualTo(HoldStatus.LOST);
            one.engine.release(hold);
            assertThat(directory.expiries[0]).as("not its own to withdraw").isEqualTo(7);
        }

        /** It would shield the process that has the byte now, and is frozen before it publishes, from takeover. */
        @Test
        void leavesNoExpiryBehindThoughAnErrorBrokeOffTheRenewalBefore() throws IOException {
            SeatHold hold = one.take();
            directory.pass(LEASE / 2);
            one.afterPublishing = SeatEngineFixture::overflow;
            assertThatThrownBy(() -> one.engine.renew(hold, -1)).isInstanceOf(StackOverflowError.class);
            loseByteTo(two);
            one.viewKernel();

            assertThat(one.engine.check(hold, true)).isEqualTo(HoldStatus.LOST);
            one.engine.release(hold);

            assertThat(directory.expiries[0]).isZero();
        }

        /** Its lease is shorter than what it had published, but still no other process has written anything. */
        @Test
        void thatIsTakenAgainDoesNotCountAsAnOverwrittenExpiry() throws IOException {
            SeatHold hold = one.take();
            directory.pass(LEASE / 2);
            one.afterPublishing = SeatEngineFixture::overflow;
            assertThatThrownBy(() -> one.engine.renew(hold, -1)).isInstanceOf(StackOverflowError.class);
            one.loseBytes();
            one.viewKernel();

            assertThat(one.engine.check(hold, true)).isEqualTo(HoldStatus.INTACT);
            assertThat(hold.isRecorded()).as("its record need not be written anew").isTrue();
            assertThat(directory.expiries[0]).isEqualTo(hold.published);
        }
    }

    /** By a process that had the byte while the kernel had lost it, or by a backup restored over the table. */
    @Nested
    class AnOverwrittenExpiry {

        @Test
        void isPublishedAgainByTheNextCheckAndPromisesNoLongerLease() throws IOException {
            SeatHold hold = one.take();
            long renewedAt = hold.renewedAt();
            directory.pass(LEASE / 2);
            directory.expiries[0] = 5;

            assertThat(one.engine.check(hold, false)).isEqualTo(HoldStatus.INTACT);
            assertThat(hold.published).isEqualTo(directory.expiries[0]);
            assertThat(directory.expiries[0]).isBetween(renewedAt + LEASE + GRACE, renewedAt + LEASE + GRACE + MARK_TIME_BITS);
            assertThat(hold.byteLost).isFalse();
            assertThat(hold.isRecorded()).as("a backup has overwritten the record, too").isFalse();
            one.engine.release(hold);
            assertNothingHeld();
        }

        @Test
        void isPublishedAgainByARenewal() throws IOException {
            SeatHold hold = one.take();
            directory.expiries[0] = 5;

            assertThat(one.engine.renew(hold, -1)).isTrue();
            assertThat(hold.published).isEqualTo(directory.expiries[0]).isGreaterThan(directory.nanos + LEASE);
        }

        @Test
        void isALossIfASuccessorHasComeInMeanwhile() throws IOException {
            SeatHold renewed = one.take();
            directory.expiries[0] = 0;
            directory.expiries[1] = directory.nanos + LEASE;

            assertThat(one.engine.check(renewed, false)).isEqualTo(HoldStatus.LOST);
            directory.expiries[0] = 0;
            assertThat(one.engine.renew(renewed, -1)).isFalse();
            one.engine.release(renewed);
            assertThat(directory.expiries[0]).as("what was published before that look is withdrawn").isZero();
        }

        @Test
        void ofASuccessorIsPublishedAgainUnlessTheHolderHasWoken() throws IOException {
            one.take();
            SeatHold successor = takeOver();
            directory.expiries[1] = 5;
            assertThat(two.engine.renew(successor, -1)).isTrue();
            assertThat(directory.expiries[1]).isEqualTo(successor.published);

            directory.expiries[1] = 5;
            directory.expiries[0] = directory.nanos + LEASE;
            assertThat(two.engine.renew(successor, -1)).isFalse();
        }

        @Test
        void isPublishedAgainIfWhoeverHadTheByteHasWithdrawn() throws IOException {
            SeatHold hold = one.take();
            one.loseBytes();
            directory.expiries[0] = 5;
            one.beforeByte = () -> directory.expiries[0] = 0;

            assertThat(one.engine.renew(hold, -1)).isTrue();
            assertThat(directory.expiries[0]).isNotZero().isEqualTo(hold.published);
        }

        @Test
        void isALossIfTheNextOneHasTheSeatBeforeTheByteIsTakenAgain() throws IOException {
            SeatHold hold = one.take();
            one.loseBytes();
            directory.expiries[0] = 5;
            one.beforeByte = () -> directory.expiries[0] = 7;

            assertThat(one.engine.renew(hold, -1)).isFalse();
            assertThat(hold.byteLost).isTrue();
            assertThat(directory.expiries[0]).isEqualTo(7);
        }

        /** What is past keeps nobody: the very nanosecond decides. */
        @Test
        void isNoLossIfTheSuccessorsExpiryIsPast() throws IOException {
            SeatHold hold = one.take();
            directory.expiries[0] = 0;
            directory.expiries[1] = directory.nanos;

            assertThat(one.engine.renew(hold, -1)).isTrue();
        }

        @Test
        void isALossIfAnotherHasTheByte() throws IOException {
            SeatHold hold = one.take();
            one.loseBytes();
            directory.owner[0] = two;
            directory.expiries[0] = directory.nanos + LEASE;
            directory.pass(1);

            assertThat(one.engine.check(hold, false)).isEqualTo(HoldStatus.LOST);
            assertThat(hold.byteLost).isTrue();
            assertThat(directory.owner[0]).isEqualTo(two);
        }
    }
}

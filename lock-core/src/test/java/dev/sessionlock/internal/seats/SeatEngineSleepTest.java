package dev.sessionlock.internal.seats;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIOException;

import dev.sessionlock.internal.directory.LockContent;
import dev.sessionlock.internal.directory.LockStore.RecordLocation;
import java.io.IOException;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Nested;
import org.junit.jupiter.api.Test;

/** Rule 8: the machine sleeps for an hour, and the monotonic clock counts it. */
class SeatEngineSleepTest extends SeatEngineFixture {
    private static final long SECOND = 1_000 * MILLI;
    private static final long HOUR = 3_600 * SECOND;

    @BeforeEach
    void clockCountsSleep() {
        directory.wakeUpNanos = 5 * SECOND;
    }

    /** Process two has taken over from process one, which is frozen. */
    private SeatHold successor() throws IOException {
        directory.wakeUpNanos = 0;
        SeatHold successor = takeOver();
        directory.wakeUpNanos = 5 * SECOND;
        return successor;
    }

    @Nested
    class Holder {

        @Test
        void keepsItsLockAndItsToken() throws IOException {
            SeatHold hold = one.take();
            long token = hold.token();
            directory.pass(HOUR);
            assertThat(one.engine.renew(hold, -1)).isFalse();

            assertThat(one.engine.renewLate(hold, -1)).isTrue();

            assertThat(hold.deadline()).isEqualTo(directory.nanos + LEASE);
            assertThat(hold.token()).isEqualTo(token);
            assertThat(recordAt(RecordLocation.LOCK).leaseUntilNanos()).isEqualTo(directory.nanos + LEASE);
            assertThat(two.busy().why()).contains("another process holds it");
            one.engine.release(hold);
            assertNothingHeld();
        }

        @Test
        void keepsWhatItHasReused() throws IOException {
            SeatHold hold = one.take();
            one.engine.reuse(hold, "next");
            directory.pass(HOUR);
            assertThat(one.engine.renewLate(hold, -1)).isTrue();
            assertThat(one.engine.reuse(hold, "third")).isTrue();
        }

        @Test
        void losesItWhereTheClockStandsStillMeanwhile() throws IOException {
            directory.wakeUpNanos = 0;
            SeatHold hold = one.take();
            directory.pass(HOUR);
            assertThat(one.engine.mayRenewLate()).isFalse();
            assertThat(one.engine.renewLate(hold, -1)).isFalse();
        }

        @Test
        void losesItToASuccessor() throws IOException {
            SeatHold hold = one.take();
            SeatHold successor = successor();
            long expiry = directory.expiries[0];

            assertThat(one.engine.renewLate(hold, -1)).isFalse();

            assertThat(directory.expiries[0]).as("it does not disturb the successor").isEqualTo(expiry);
            assertThat(two.engine.renew(successor, -1)).isTrue();
        }

        @Test
        void losesItToASuccessorThatHasGoneSince() throws IOException {
            SeatHold hold = one.take();
            two.engine.release(successor());
            assertThat(one.engine.renewLate(hold, -1)).isFalse();
        }

        @Test
        void losesItToASuccessorThatSleepsAsWell() throws IOException {
            SeatHold hold = one.take();
            SeatHold successor = successor();
            directory.pass(HOUR);
            assertThat(one.engine.renewLate(hold, -1)).isFalse();
            assertThat(two.engine.renewLate(successor, -1)).isTrue();
        }

        /** The look at the other seat comes after the publishing. */
        @Test
        void losesItToASuccessorThatComesWhileItPublishes() throws IOException {
            SeatHold hold = one.take();
            letTwoTakeOverNext();
            one.afterPublishing = () -> directory.expiries[1] = directory.nanos + LEASE;
            assertThat(one.engine.renewLate(hold, -1)).isFalse();
        }

        @Test
        void losesItIfATokenIsDrawnWhileItPublishes() throws IOException {
            SeatHold hold = one.take();
            directory.pass(HOUR);
            one.afterPublishing = () -> directory.token++;
            assertThat(one.engine.renewLate(hold, -1)).isFalse();
        }

        @Test
        void losesItIfItsRecordIsGone() throws IOException {
            SeatHold hold = one.take();
            directory.pass(HOUR);
            one.afterRewrite = () -> directory.put(RecordLocation.LOCK, null);
            assertThat(one.engine.renewLate(hold, -1)).isFalse();
        }

        @Test
        void losesItIfItsExpiryWasOverwritten() throws IOException {
            SeatHold hold = one.take();
            directory.pass(HOUR);
            directory.expiries[0] = 7;
            assertThat(one.engine.renewLate(hold, -1)).isFalse();
            assertThat(directory.expiries[0]).isEqualTo(7);
        }

        @Test
        void losesItIfItsExpiryIsOverwrittenWhileItRenews() throws IOException {
            SeatHold hold = one.take();
            directory.pass(HOUR);
            one.afterRewrite = () -> directory.expiries[0] = 7;
            assertThat(one.engine.renewLate(hold, -1)).isFalse();
        }

        @Test
        void losesItIfOthersUseAnotherTable() throws IOException {
            directory.replacesTables = true;
            SeatHold hold = one.take();
            directory.pass(HOUR);
            one.afterRewrite = directory::replaceTable;
            assertThatIOException().isThrownBy(() -> one.engine.renewLate(hold, -1));
            assertThat(hold.deadline()).isLessThan(directory.nanos);
        }

        @Test
        void losesItIfItKnowsThatItsByteIsLost() throws IOException {
            SeatHold hold = one.take();
            directory.pass(HOUR);
            one.knowsItsLosses = true;
            one.loseBytes();
            assertThat(one.engine.renewLate(hold, -1)).isFalse();
        }

        @Test
        void renewsOnceMoreIfTheMachineSleepsMeanwhile() throws IOException {
            SeatHold hold = one.take();
            directory.pass(HOUR);
            one.afterRewrite = () -> directory.pass(HOUR);
            assertThat(one.engine.renewLate(hold, -1)).isFalse();
            assertThat(hold.deadline()).isLessThan(directory.nanos);
            assertThat(one.engine.renewLate(hold, -1)).isTrue();
        }
    }

    @Nested
    class Taker {

        /** It has not seen when the machine slept, so it counts what it sees itself. */
        @Test
        void waitsForTheHolderToWake() throws IOException {
            SeatHold hold = one.take();
            directory.pass(HOUR);
            for (long waited = 0; waited < 5 * SECOND; waited += 50 * MILLI) {
                assertThat(two.busy().waitFor()).isZero();
                directory.pass(50 * MILLI);
            }
            assertThat(two.take().seat).isEqualTo((byte) 1);
            assertThat(one.engine.renewLate(hold, -1)).as("frozen all the time").isFalse();
        }

        @Test
        void takesOverFromAFrozenHolderThoughTheMachineDidNotSleep() throws IOException {
            one.take();
            directory.pass(LEASE + GRACE + MILLI);
            two.busy();
            for (int looks = 0; looks < 5; looks++) {
                directory.pass(SECOND);
                assertThat(looks < 4 ? two.busy() : two.take()).isNotNull();
            }
        }

        @Test
        void countsASecondOfTheTimeBetweenTwoLooks() throws IOException {
            SeatHold hold = one.take();
            directory.pass(LEASE + GRACE + MILLI);
            two.busy();
            directory.pass(HOUR);
            assertThat(two.busy().waitFor()).isZero();
            assertThat(one.engine.renewLate(hold, -1)).isTrue();
        }

        @Test
        void countsAnewWhenTheHolderHasRenewed() throws IOException {
            SeatHold hold = one.take();
            directory.pass(HOUR);
            two.busy();
            assertThat(one.engine.renewLate(hold, -1)).isTrue();
            directory.pass(HOUR);
            for (int looks = 0; looks < 5; looks++) {
                assertThat(two.busy().waitFor()).isZero();
                directory.pass(SECOND);
            }
            assertThat(two.take().seat).isEqualTo((byte) 1);
        }

        @Test
        void takesTheLockOfADeadHolderAtOnce() throws IOException {
            one.take();
            directory.pass(HOUR);
            one.gone();
            assertThat(two.take().seat).isZero();
        }

        /** An expiry of 0 is no lease: its owner is taking the lock or giving it back. */
        @Test
        void doesNotWaitLongerForAnOwnerWithoutALease() throws IOException {
            one.take();
            directory.expiries[0] = 0;
            directory.put(RecordLocation.LOCK, null);
            assertThat(two.busy().waitFor()).isZero();
            directory.pass(20 * MILLI);
            assertThat(two.take().seat).isEqualTo((byte) 1);
        }

        @Test
        void waitsForASuccessorToWake() throws IOException {
            one.take();
            SeatHold successor = successorOfTheDead();
            directory.pass(HOUR);

            assertThat(three.busy().why()).contains("a successor holds it");
            assertThat(directory.owner[0]).isNull();
            assertThat(two.engine.renewLate(successor, -1)).isTrue();
            assertThat(three.busy().why()).contains("a successor holds it");
        }

        @Test
        void takesOverFromAFrozenSuccessor() throws IOException {
            one.take();
            SeatHold successor = successorOfTheDead();
            directory.pass(HOUR);
            for (int looks = 0; looks < 5; looks++) {
                assertThat(three.busy().waitFor()).isEqualTo(1);
                directory.pass(SECOND);
            }
            assertThat(three.busy().why()).contains("what a successor has left is deleted first");
            assertThat(three.take().seat).isZero();
            assertThat(two.engine.renewLate(successor, -1)).isFalse();
        }

        @Test
        void takesTheLockOfADeadSuccessorAtOnce() throws IOException {
            one.take();
            successorOfTheDead();
            directory.pass(HOUR);
            two.gone();
            assertThat(three.take().seat).isZero();
            assertThat(directory.at(RecordLocation.TAKEOVER)).isNull();
        }

        private SeatHold successorOfTheDead() throws IOException {
            SeatHold successor = successor();
            one.gone();
            return successor;
        }
    }

    @Test
    void recordOfAHolderThatHasRenewedLateObjectsAgain() throws IOException {
        SeatHold hold = one.take();
        directory.pass(HOUR);
        assertThat(one.engine.renewLate(hold, -1)).isTrue();
        one.loseBytes();
        directory.expiries[0] = 0;
        assertThat(two.busy()).isNotNull();
        assertThat(directory.at(RecordLocation.LOCK).content).isInstanceOf(LockContent.Ours.class);
        assertThat(recordAt(RecordLocation.LOCK).token()).isEqualTo(hold.token());
    }
}

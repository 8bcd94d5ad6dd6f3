package dev.sessionlock.internal.seats;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.sessionlock.internal.directory.LockContent;
import dev.sessionlock.internal.directory.LockRecord;
import dev.sessionlock.internal.directory.LockStore.RecordLocation;
import dev.sessionlock.spi.EngineLock.HoldStatus;
import dev.sessionlock.spi.Terms;
import java.io.IOException;
import org.junit.jupiter.api.Nested;
import org.junit.jupiter.api.Test;

/** What the engine does for a lock that is held. */
class SeatEngineHoldTest extends SeatEngineFixture {
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

        /** A full disk, for instance: the table tells of the renewal. */
        @Test
        void countsThoughItsRecordCannotBeWritten() throws IOException {
            SeatHold hold = one.take();
            directory.pass(LEASE / 2);
            one.cannotRewrite = true;

            assertThat(one.engine.renew(hold, -1)).isTrue();
            assertThat(hold.deadline()).isEqualTo(directory.nanos + LEASE);
        }

        /** Then its own record may be in another directory by now, where it tells nobody anything. */
        @Test
        void isALossIfItsRecordCannotBeWrittenSinceTheDirectoryWasReplaced() throws IOException {
            SeatHold hold = one.take();
            one.cannotRewrite = true;
            one.onLookingAround = () -> one.displaced = "the directory was replaced";

            assertThat(one.engine.renew(hold, -1)).isFalse();
            assertThat(hold.byteLost).isTrue();
        }

        @Test
        void needsNoMemoryForItsRecord() throws IOException {
            SeatHold hold = one.take();
            directory.pass(LEASE / 2);
            one.afterRewrite = SeatEngineHoldTest::runOutOfMemory;

            assertThat(one.engine.renew(hold, -1)).isTrue();
            assertThat(hold.deadline()).isEqualTo(directory.nanos + LEASE);
        }

        /** There other machines see a renewal by the record alone. */
        @Test
        void doesNotCountWithoutItsRecordWhereTheTableIsNotShared() throws IOException {
            directory.shared = false;
            SeatHold hold = one.take();
            long deadline = hold.deadline();
            directory.pass(LEASE / 2);

            one.afterRewrite = SeatEngineHoldTest::runOutOfMemory;
            assertThatThrownBy(() -> one.engine.renew(hold, -1)).isInstanceOf(OutOfMemoryError.class);
            one.cannotRewrite = true;
            assertThatThrownBy(() -> one.engine.renew(hold, -1)).hasMessage("no rewriting");
            assertThat(hold.deadline()).isEqualTo(deadline);
        }

        @Test
        void isALossIfTheEntryWasClearedMeanwhile() throws IOException {
            SeatHold hold = one.take();
            directory.entryCleared = true;

            assertThat(one.engine.renew(hold, -1)).isFalse();
            assertThat(hold.byteLost).isTrue();
        }

        /** What it had published is its own: nobody has overwritten it, and a successor that is only looking costs it nothing. */
        @Test
        void isSimplyRepeatedAfterAnErrorThatCameOnceItHadPublished() throws IOException {
            SeatHold hold = one.take();
            directory.pass(LEASE / 2);
            one.afterPublishing = SeatEngineFixture::overflow;
            assertThatThrownBy(() -> one.engine.renew(hold, -1)).isInstanceOf(StackOverflowError.class);
            directory.expiries[1] = directory.nanos + LEASE; // it looks next, sees ours, and withdraws

            directory.pass(LEASE / 4);
            assertThat(one.engine.renew(hold, -1)).isTrue();
            assertThat(directory.expiries[0]).isEqualTo(hold.published);
        }
    }

    private static void runOutOfMemory() {
        throw new OutOfMemoryError("injected");
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

        @Test
        void onTheSameTermsIsNotDoneIfTheLeaseEndsMeanwhile() throws IOException {
            SeatHold hold = one.take();
            one.afterDraw = () -> directory.nanos = hold.deadline();

            assertThat(one.engine.handOver(hold, TERMS)).isNull();
        }

        @Test
        void isNotDoneWithoutItsRecord() throws IOException {
            SeatHold hold = one.take();
            Terms others = new Terms(2 * LEASE, true, -1, "writer-2", null, true);
            one.afterRewrite = SeatEngineHoldTest::runOutOfMemory;
            assertThatThrownBy(() -> one.engine.handOver(hold, others)).isInstanceOf(OutOfMemoryError.class);
            one.cannotRewrite = true;
            assertThatThrownBy(() -> one.engine.handOver(hold, others)).hasMessage("no rewriting");

            one.cannotRewrite = false;
            one.engine.release(hold);
            assertNothingHeld();
        }

        @Test
        void takesAByteAgainThatIsKnownToBeLost() throws IOException {
            one.knowsItsLosses = true;
            SeatHold hold = one.take();
            one.loseBytes();

            assertThat(one.engine.handOver(hold, TERMS.of("writer-2"))).isSameAs(hold);
            assertThat(directory.owner[0]).isSameAs(one);
        }

        @Test
        void isNotDoneIfAnotherHasTheByteThatWasLost() throws IOException {
            one.knowsItsLosses = true;
            SeatHold hold = one.take();
            loseByteTo(two);

            assertThat(one.engine.handOver(hold, new Terms(2 * LEASE, true, -1, "writer-2", null, true))).isNull();
            assertThat(hold.byteLost).isTrue();
            assertThat(directory.owner[0]).isSameAs(two);
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
        void drawsManyTokensAtOnceForThoseWhoComeNext() throws IOException {
            SeatHold hold = one.take();
            assertThat(one.engine.reuse(hold, "writer-2")).isTrue();
            long drawn = directory.token;
            for (long last = hold.token(); last < drawn; last++) {
                assertThat(one.engine.reuse(hold, "writer-2")).isTrue();
                assertThat(hold.token()).isEqualTo(last + 1);
            }
            assertThat(directory.token).as("nothing is drawn meanwhile").isEqualTo(drawn);
            assertThat(one.engine.reuse(hold, "writer-2")).isTrue();
            assertThat(hold.token()).as("all were used").isEqualTo(drawn + 1);
            one.engine.release(hold);
            assertThat(two.take().token()).as("what was drawn ahead, and used by nobody, is skipped").isGreaterThan(drawn + 2);
        }

        @Test
        void usesNoTokenThatWasDrawnAheadOnceAnotherHasDrawnOne() throws IOException {
            SeatHold hold = one.take();
            assertThat(one.engine.reuse(hold, "main")).isTrue();
            long others = ++directory.token;
            assertThat(one.engine.reuse(hold, "main")).isFalse();
            assertThat(one.engine.reuse(hold, "main")).isTrue();
            assertThat(hold.token()).isGreaterThan(others);
        }

        @Test
        void tokensDrawnAheadAreNobodyElses() throws IOException {
            SeatHold hold = one.take();
            assertThat(one.engine.reuse(hold, "main")).isTrue();
            one.engine.release(hold);
            SeatHold again = one.take();
            assertThat(again.wasOthers).isFalse();
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

        @Test
        void isRefusedOnceTheTokensAreUsedUp() throws IOException {
            SeatHold hold = one.take();
            directory.token = Long.MAX_VALUE;

            assertThat(one.engine.reuse(hold, "main")).isFalse();
            assertThatThrownBy(() -> one.engine.handOver(hold, TERMS)).hasMessageContaining("its fencing tokens are used up");
            one.engine.release(hold);
            assertNothingHeld();
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
            assertThat(directory.at(RecordLocation.LOCK).content).as("another program's is not covered").isEqualTo(theirs);
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

        @Test
        void findsAHoldLostWhoseEntryWasCleared() throws IOException {
            SeatHold hold = one.take();
            directory.entryCleared = true;

            assertThat(one.engine.check(hold, true)).isEqualTo(HoldStatus.LOST);
            assertThat(hold.byteLost).isTrue();
        }

        @Test
        void closesTheFileThatItHasOpened() throws IOException {
            SeatHold hold = one.take();

            one.engine.check(hold, false);

            assertThat(one.rested).isOne();
        }
    }
}

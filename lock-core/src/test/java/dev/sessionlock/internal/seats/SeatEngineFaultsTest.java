package dev.sessionlock.internal.seats;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.sessionlock.NotALockFileException;
import dev.sessionlock.internal.directory.LockContent;
import dev.sessionlock.internal.directory.LockRecord;
import dev.sessionlock.internal.directory.LockStore.RecordLocation;
import dev.sessionlock.internal.seats.Journal.Op;
import dev.sessionlock.spi.AcquireResult;
import dev.sessionlock.spi.Busy;
import dev.sessionlock.spi.EngineLock.HoldStatus;
import dev.sessionlock.spi.Terms;
import java.io.IOException;
import org.junit.jupiter.api.Test;

/** The engine over a disk that fails, and processes that are frozen or killed, at each operation. */
class SeatEngineFaultsTest extends SeatEngineFaultsFixture {
    private LockContent recordOfTheDead() {
        return new LockContent.Ours(new LockRecord(999, 0, -1, 1, "session.jsonl", 1, "moss", -1, SimulatedDirectory.BOOT, "pids-1", "time-1",
                null, null, true, 1_000, 0, directory.nanos + LEASE));
    }

    // ---- one operation fails ----

    @Test
    void aTryThatFailsAtAnyOperationLeavesNothingBehind() throws IOException {
        int at = 0;
        do {
            one.failed = false;
            one.done = 0;
            one.failingAt = at++;
            directory.leave(RecordLocation.LOCK, recordOfTheDead()); // so that clearing it away is among the operations
            AcquireResult taken = null;
            try {
                taken = one.engine.take(TERMS);
            } catch (IOException e) {
                assertThat(e).as("operation %d", at).hasMessageStartingWith("no ");
            }
            assertThat(taken != null && one.failed).as("came in though operation %d had failed", at).isFalse();
            one.failingAt = -1;
            if (taken instanceof SeatHold hold) {
                one.engine.release(hold);
            }
            one.engine.tidy();
            directory.reclaiming = false; // a mark that could not be removed is respected for 30 s
            if (directory.at(RecordLocation.LOCK) != null) {
                directory.put(RecordLocation.LOCK, null); // the dead one's
            }
            assertNothingHeldOrLeft();
            assertThat(one.store.recordFiles).isEmpty();
        } while (one.failed);
        assertThat(at).as("operations that were made to fail").isGreaterThan(8);
    }

    @Test
    void aRecordThatCannotBeTakenBackHoldsNobodyUpAndIsDeletedLater() throws IOException {
        one.failing.add(Op.UNLINK);
        // It sleeps for its whole lease just before it last reads its clock.
        SimulatedStore sleepy = new SimulatedStore(directory, new Journal(one), one.store.self(), 0) {
            @Override
            void linked() {
                directory.pass(2 * LEASE);
            }
        };
        SeatEngine engine = new SeatEngine(sleepy);

        assertThatThrownBy(() -> engine.take(TERMS)).hasMessage("no UNLINK");

        assertThat(directory.at(RecordLocation.LOCK)).isNotNull();
        assertThat(two.waitToTake()).isZero();
        one.failing.clear();
        assertThat(engine.tidy()).isTrue();
        assertNothingHeldOrLeft();
    }

    @Test
    void aRecordThatCannotBeDeletedOnReleaseHoldsNobodyUpAndIsDeletedByTidy() throws IOException {
        SeatHold hold = (SeatHold) one.engine.take(WITHOUT_TAKEOVER);
        one.failing.add(Op.UNLINK);

        one.engine.release(hold);

        assertThat(directory.owner).containsOnlyNulls();
        assertThat(directory.at(RecordLocation.LOCK)).isNotNull();
        assertThat(one.engine.tidy()).isFalse();
        one.failing.clear();
        assertThat(one.engine.tidy()).isTrue();
        assertNothingHeldOrLeft();
        assertThat(one.store.recordFiles).isEmpty();

        SeatHold again = (SeatHold) one.engine.take(WITHOUT_TAKEOVER);
        one.failing.add(Op.UNLINK);
        one.engine.release(again);
        assertThat(two.waitToTake()).isZero();
    }

    @Test
    void tidyLeavesTheRecordOfTheNextHolderAlone() throws IOException {
        SeatHold hold = one.take();
        one.failing.add(Op.UNLINK);
        one.engine.release(hold);
        one.failing.clear();
        SeatHold next = two.take();

        assertThat(one.engine.tidy()).isFalse();
        assertThat(two.engine.check(next, false)).isEqualTo(HoldStatus.INTACT);
        two.engine.release(next);
        assertThat(one.engine.tidy()).isTrue();
        assertNothingHeldOrLeft();
    }

    @Test
    void aSuccessorsRecordThatCannotBeDeletedIsDeletedByTidy() throws IOException {
        one.take();
        SeatHold successor = takeOver();
        two.failing.add(Op.UNLINK);

        two.engine.release(successor);
        assertThat(directory.at(RecordLocation.TAKEOVER)).isNotNull();
        two.failing.clear();
        assertThat(two.engine.tidy()).as("its record at x.lock waits for byte 0, which the frozen one has").isFalse();
        assertThat(directory.at(RecordLocation.TAKEOVER)).isNull();
        one.store.die();
        assertThat(two.engine.tidy()).isTrue();

        assertThat(directory.at(RecordLocation.LOCK)).isNull();
        assertThat(two.store.recordFiles).isEmpty();
    }

    @Test
    void aRenewalWhoseRecordCannotBeWrittenIsStillARenewal() throws IOException {
        SeatHold hold = one.take();
        directory.pass(LEASE / 3);
        one.failing.add(Op.REWRITE);

        assertThat(one.engine.renew(hold, -1)).isTrue();
        assertThat(hold.deadline()).isEqualTo(directory.nanos + LEASE);
        assertThat(directory.expiries[0]).isBetween(directory.nanos + LEASE + GRACE, directory.nanos + LEASE + GRACE + MILLI);
    }

    @Test
    void aRenewalWhoseRecordCannotBeWrittenFailsWhereTheRecordIsAllThatOthersSee() throws IOException {
        directory.shared = false;
        SeatHold hold = one.take();
        long deadline = hold.deadline();
        directory.pass(LEASE / 3);
        one.failing.add(Op.REWRITE);

        assertThatThrownBy(() -> one.engine.renew(hold, -1)).hasMessage("no REWRITE");
        assertThat(hold.deadline()).isEqualTo(deadline);
    }

    @Test
    void aHandOverThatFailsLeavesTheHoldToBeReleased() throws IOException {
        SeatHold hold = one.take();
        one.failing.add(Op.REWRITE);

        Terms others = new Terms(2 * LEASE, true, -1, "main", null, true); // on the same terms nothing is written
        assertThatThrownBy(() -> one.engine.handOver(hold, others)).hasMessage("no REWRITE");
        one.failing.clear();
        one.engine.release(hold);
        assertNothingHeldOrLeft();
    }

    @Test
    void worksWithoutHardLinks() throws IOException {
        directory.refusesLinks = true;

        SeatHold hold = one.take();
        assertThat(directory.at(RecordLocation.LOCK).content).isInstanceOf(LockContent.Ours.class);
        assertThat(two.engine.take(TERMS)).isInstanceOf(Busy.class);
        one.engine.release(hold);

        assertNothingHeldOrLeft();
        assertThat(one.store.recordFiles).isEmpty();
        assertThat(two.waitToTake()).isZero();
    }

    @Test
    void whatIsNoLockIsRefusedAndLeftAlone() {
        directory.leave(RecordLocation.LOCK, new LockContent.NotALock("a directory"));

        assertThatThrownBy(() -> one.engine.take(TERMS)).isInstanceOf(NotALockFileException.class).hasMessageContaining("a directory");

        assertThat(directory.at(RecordLocation.LOCK).content).isEqualTo(new LockContent.NotALock("a directory"));
        directory.put(RecordLocation.LOCK, null);
        assertNothingHeldOrLeft();
        assertThat(one.store.recordFiles).isEmpty();
    }

    @Test
    void aTokenOnTheRecordOfTheDeadIsNeverGivenOutAgain() throws IOException {
        long theirs = directory.wallMicros + 1_000_000;
        LockContent dead = new LockContent.Ours(new LockRecord(999, 0, -1, 1, "session.jsonl", theirs, "moss", -1, SimulatedDirectory.BOOT, "pids-1",
                "time-1", null, null, true, 1_000, 0, 0));
        directory.leave(RecordLocation.LOCK, dead);

        SeatHold hold = one.take();

        assertThat(hold.token()).isGreaterThan(theirs);
        assertThat(((LockContent.Ours) directory.at(RecordLocation.LOCK).content).record().token()).isEqualTo(hold.token());
        assertThat(hold.reclaimed()).isEqualTo("pid 999 does not exist");
    }

    // ---- the process is frozen, or killed, at each operation ----

    private interface Life {
        void of(Process process) throws IOException;
    }

    private static final Life TAKE_RENEW_RELEASE = process -> {
        SeatHold hold = process.take();
        process.engine.check(hold, true);
        process.engine.renew(hold, -1);
        SeatHold passed = (SeatHold) process.engine.handOver(hold, TERMS);
        process.engine.release(passed);
    };

    @Test
    void killedAtAnyOperationItLetsOthersInAtOnce() throws IOException {
        for (int operations = 0; ; operations++) {
            SeatEngineFaultsTest world = new SeatEngineFaultsTest();
            boolean stopped = world.stop(operations);
            world.one.die();

            assertThat(world.two.waitToTake()).as("killed after %d operations", operations).isZero();
            world.assertNothingHeldOrLeft();
            if (!stopped) {
                assertThat(operations).isGreaterThan(30);
                return;
            }
        }
    }

    @Test
    void frozenAtAnyOperationOthersTakeOverAndItFindsItsHandleLost() throws IOException {
        for (int operations = 0; stopsAndIsTakenOver(operations); operations++) {
            assertThat(operations).isLessThan(200);
        }
    }

    private static boolean stopsAndIsTakenOver(int operations) throws IOException {
        SeatEngineFaultsTest world = new SeatEngineFaultsTest();
        // If the very first process to take a lock freezes before it has its entry, others wait for it: nobody else can claim it.
        world.directory.hasEntry = true;
        boolean stopped = world.stop(operations);
        assertThat(world.two.waitToTake()).as("frozen after %d operations", operations).isLessThanOrEqualTo(LEASE + GRACE + 25 * MILLI);
        assertThat(world.directory.owner[1]).isNull();
        return stopped;
    }

    /** {@return whether the life of process one was stopped after this many operations, and was not over before} */
    private boolean stop(int operations) throws IOException {
        try {
            one.stopAfter(operations, () -> TAKE_RENEW_RELEASE.of(one));
            return false;
        } catch (Journal.Stopped e) {
            return true;
        }
    }
}

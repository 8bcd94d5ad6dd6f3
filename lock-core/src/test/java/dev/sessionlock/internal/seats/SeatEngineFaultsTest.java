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
import java.util.EnumSet;
import java.util.Set;
import org.junit.jupiter.api.Test;

/** What the engine does when an operation fails, for each operation in turn; and when it is stopped or killed at each in turn. */
class SeatEngineFaultsTest {
    private static final long MILLI = 1_000_000;
    private static final long LEASE = 1_000 * MILLI;
    private static final long GRACE = 100 * MILLI;
    private static final Terms TERMS = new Terms(LEASE, true, -1, "main", null, true);
    private static final Terms NOT_TO_BE_PASSED_OVER = new Terms(LEASE, false, -1, "main", null, true);

    private final SimulatedDirectory directory = new SimulatedDirectory();
    private final Process one = new Process(100);
    private final Process two = new Process(200);

    /** A process whose operations fail, or at which it stops, by their number or kind. */
    private final class Process implements Journal.Watcher {
        private final Journal journal = new Journal(this);
        private final SimulatedStore store;
        private final SeatEngine engine;
        private final Set<Op> failing = EnumSet.noneOf(Op.class);
        private int failingAt = -1;
        private boolean failed;
        private int done;

        Process(long pid) {
            store = new SimulatedStore(directory, journal, SimulatedStore.process(pid, pid, "pids-1", "time-1"), 0);
            engine = new SeatEngine(store);
            directory.processes.put(pid, pid);
        }

        @Override
        public void before(Op op) throws IOException {
            boolean canFail = op != Op.CLOCK && op != Op.WALL && op != Op.READ_EXPIRY && op != Op.REPLACE && op != Op.SAYS
                    && op != Op.DRAW_TOKEN && op != Op.RAISE_TOKEN && op != Op.LAST_TOKEN && op != Op.STANDS && op != Op.JUDGE && op != Op.TARGET
                    && op != Op.REQUESTED && op != Op.DROP_REQUEST && op != Op.DISPLACED && op != Op.KERNEL && op != Op.FREE_BYTE
                    && op != Op.ACCEPT_BYTE;
            if (canFail && (failing.contains(op) || done++ == failingAt)) {
                failed = true;
                throw new IOException("no " + op);
            }
        }

        SeatHold take() throws IOException {
            return (SeatHold) engine.take(TERMS);
        }

        /** Runs this many operations of a call, and no more, ever: the process is frozen there, or killed. */
        void stopAfter(int operations, Call call) throws IOException {
            journal.beginCall();
            journal.run(operations);
            call.run();
            journal.endCall();
        }

        void die() {
            store.die();
            directory.processes.remove(store.self().pid());
        }

        /** Tries until it has the lock. Returns how long that took. */
        long waitToTake() throws IOException {
            long start = directory.nanos;
            while (directory.nanos - start < 60_000 * MILLI) {
                if (engine.take(TERMS) instanceof SeatHold hold) {
                    engine.release(hold);
                    return directory.nanos - start;
                }
                directory.pass(MILLI);
            }
            return Long.MAX_VALUE;
        }
    }

    private interface Call {
        void run() throws IOException;
    }

    private void assertNothingHeldOrLeft() {
        assertThat(directory.owner).containsOnlyNulls();
        assertThat(directory.expiries).containsOnly(0L);
        assertThat(directory.at(RecordLocation.LOCK)).isNull();
        assertThat(directory.at(RecordLocation.TAKEOVER)).isNull();
        assertThat(directory.reclaiming).isFalse();
    }

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
        SeatHold hold = (SeatHold) one.engine.take(NOT_TO_BE_PASSED_OVER);
        one.failing.add(Op.UNLINK);

        one.engine.release(hold);

        assertThat(directory.owner).containsOnlyNulls();
        assertThat(directory.at(RecordLocation.LOCK)).isNotNull();
        assertThat(one.engine.tidy()).isFalse();
        one.failing.clear();
        assertThat(one.engine.tidy()).isTrue();
        assertNothingHeldOrLeft();
        assertThat(one.store.recordFiles).isEmpty();

        SeatHold again = (SeatHold) one.engine.take(NOT_TO_BE_PASSED_OVER);
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
        for (int operations = 0; stopsAndIsPassedOver(operations); operations++) {
            assertThat(operations).isLessThan(200);
        }
    }

    private static boolean stopsAndIsPassedOver(int operations) throws IOException {
        SeatEngineFaultsTest world = new SeatEngineFaultsTest();
        // If the very first process to take a lock freezes before it has its entry, others wait for it: nobody else can claim it.
        world.directory.lined = true;
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

    // ---- the second seat ----

    /** Process one is frozen; two comes in on the other seat. */
    private SeatHold takeOver() throws IOException {
        directory.pass(LEASE + GRACE + MILLI); // the low bits of an expiry tell whose it is
        assertThat(two.engine.take(TERMS)).as("not before the until was past for 20 ms").isInstanceOf(Busy.class);
        directory.pass(20 * MILLI);
        return two.take();
    }

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
        assertThat(directory.at(RecordLocation.LOCK)).as("the successor's record keeps strangers out").isNotNull();
        two.engine.release(successor);
        two.engine.tidy();
        assertNothingHeldOrLeft();
        assertThat(one.waitToTake()).isZero();
    }

    @Test
    void aHolderWithoutTakeoverIsWaitedFor() throws IOException {
        one.engine.take(NOT_TO_BE_PASSED_OVER);

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

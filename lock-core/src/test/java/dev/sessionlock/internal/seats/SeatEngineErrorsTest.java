package dev.sessionlock.internal.seats;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.fail;

import dev.sessionlock.internal.directory.LockContent;
import dev.sessionlock.internal.directory.LockRecord;
import dev.sessionlock.internal.directory.LockStore.RecordLocation;
import dev.sessionlock.internal.seats.Journal.Op;
import dev.sessionlock.spi.AcquireResult;
import dev.sessionlock.spi.Busy;
import dev.sessionlock.spi.EngineLock.HoldStatus;
import dev.sessionlock.spi.Hold;
import dev.sessionlock.spi.Terms;
import java.io.IOException;
import org.junit.jupiter.api.Test;

/**
 * What the engine leaves behind when an {@link Error} comes out of any operation, before it was done or after, once or twice in a row: nothing that
 * the calls of the contract ({@link dev.sessionlock.spi.EngineLock}) do not finish.
 */
class SeatEngineErrorsTest {
    private static final long MILLI = 1_000_000;
    private static final long LEASE = 1_000 * MILLI;
    private static final long GRACE = 100 * MILLI;
    private static final Terms TERMS = new Terms(LEASE, true, -1, "main", null, true);
    private static final Terms OTHER_TERMS = new Terms(2 * LEASE, true, -1, "main", null, true);
    private static final int MOST_CALLS = 20;

    /** Like a stack overflow: anywhere, and again in whatever cleans up. */
    private static final class Injected extends Error {
        private static final long serialVersionUID = 1L;

        Injected(String where) {
            super(where);
        }
    }

    /** Where errors come out of operations. */
    private record Fault(int first, boolean afterIt, int second, boolean afterSecond) {
        private static final int NEVER = Integer.MAX_VALUE;

        private boolean comes(int operation, boolean after) {
            return operation == first && after == afterIt || second != NEVER && operation == first + second && after == afterSecond;
        }

        @Override
        public String toString() {
            return "error " + (afterIt ? "after" : "before") + " operation " + first
                    + (second == NEVER ? "" : " and " + (afterSecond ? "after" : "before") + " the " + second + ". operation after that");
        }
    }

    private final class Process implements Journal.Watcher {
        private final SimulatedStore store;
        private final SeatEngine engine;
        private Fault fault;
        private int done;
        private boolean struck;

        Process(long pid) {
            store = new SimulatedStore(directory, new Journal(this), SimulatedStore.process(pid, pid, "pids-1", "time-1"), 0);
            store.forgiving = true;
            engine = new SeatEngine(store);
            directory.processes.put(pid, pid);
        }

        @Override
        public void before(Op op) {
            done++;
            strike(op, false);
        }

        @Override
        public void after(Op op, Object result) {
            strike(op, true);
        }

        private void strike(Op op, boolean after) {
            if (fault != null && fault.comes(done, after)) {
                struck = true;
                throw new Injected((after ? "after " : "before ") + op);
            }
        }

        SeatHold take() throws IOException {
            return (SeatHold) engine.take(TERMS);
        }
    }

    private SimulatedDirectory directory;
    /** The process in which errors occur. */
    private Process one;
    private Process other;
    /** What is held before the call, or by it. */
    private SeatHold hold;

    private void newWorld() {
        directory = new SimulatedDirectory();
        hold = null;
        one = new Process(100);
        other = new Process(200);
    }

    private interface Step {
        void run() throws IOException;
    }

    private void takeNow() throws IOException {
        AcquireResult taken = one.engine.take(TERMS);
        hold = taken instanceof SeatHold it ? it : null;
    }

    /** Calls with an error at each operation in turn, alone and followed by a second one. After each, {@code ending} finishes it; then looks at what is left. */
    private void inject(Step prepare, Step call, Step ending) throws IOException {
        for (int second = Fault.NEVER; second != 4; second = second == Fault.NEVER ? 1 : second + 1) {
            for (int variant = 0; variant < (second == Fault.NEVER ? 2 : 4); variant++) {
                int first = 1;
                boolean struck = true;
                for (; struck; first++) {
                    struck = strikes(prepare, call, ending, new Fault(first, (variant & 1) != 0, second, (variant & 2) != 0));
                }
                assertThat(first).as("operations that were struck").isGreaterThan(1);
            }
        }
    }

    private boolean strikes(Step prepare, Step call, Step ending, Fault fault) throws IOException {
        newWorld();
        prepare.run();
        one.done = 0;
        one.struck = false;
        one.fault = fault;
        try {
            call.run();
        } catch (Injected e) {
            assertThat(one.struck).isTrue();
        }
        boolean struck = one.struck;
        try {
            ending.run();
            for (int calls = 0; !tidies(); calls++) {
                assertThat(calls).as("calls of tidy").isLessThan(MOST_CALLS);
                directory.pass(10 * MILLI);
            }
            assertNothingLeft();
        } catch (IOException | AssertionError e) {
            throw new AssertionError(fault + ": " + e, e);
        }
        return struck;
    }

    private boolean tidies() {
        try {
            return one.engine.tidy();
        } catch (Injected e) {
            return false;
        }
    }

    private void assertNothingLeft() throws IOException {
        for (int seat = 0; seat < 2; seat++) {
            assertThat(directory.owner[seat]).as("owner of byte %d", seat).isNotEqualTo(one.store);
            assertThat(one.store.jvm[seat]).as("byte %d in the JVM's eyes", seat).isFalse();
            assertThat(directory.expiries[seat] & 0xffff).as("whose word %d is", seat).isNotEqualTo(one.store.self().pid());
        }
        assertThat(one.store.recordFiles).as("records that are neither spare nor given up").isEmpty();
        assertThat(directory.reclaiming).as("the mark of a reclaim").isFalse();
        one.store.die(); // so that the byte of a frozen process is free as well
        other.store.die();
        directory.processes.remove(200L);
        Process late = new Process(300);
        SeatHold next = (SeatHold) late.engine.take(TERMS);
        assertThat(next.seat).isZero();
        late.engine.release(next);
        assertThat(late.engine.tidy()).isTrue();
        assertThat(directory.expiries).containsOnly(0L);
        assertThat(directory.at(RecordLocation.LOCK)).isNull();
        assertThat(directory.at(RecordLocation.TAKEOVER)).isNull();
        assertThat(one.store.spareIsLinked()).as("a spare record that is linked").isFalse();
    }

    /** Releases until nothing is thrown, and once more: that must do nothing. */
    private void release() {
        if (hold == null) {
            return;
        }
        for (int calls = 0; ; calls++) {
            try {
                one.engine.release(hold);
                break;
            } catch (Injected e) {
                assertThat(calls).isLessThan(MOST_CALLS);
            }
        }
    }

    private void releaseBesideTheDead() {
        release();
        other.store.die(); // its byte is needed to delete what lies at x.lock
    }

    private void leaveRecordOfTheDead() {
        directory.leave(RecordLocation.LOCK, new LockContent.Ours(new LockRecord(999, 0, -1, 1, "session.jsonl", 1, "moss", -1, SimulatedDirectory.BOOT,
                "pids-1", "time-1", null, null, true, 1_000, 0, directory.nanos + LEASE)));
    }

    // ---- taking ----

    @Test
    void aTakeOfAFreeLock() throws IOException {
        inject(() -> { }, this::takeNow, this::release);
    }

    @Test
    void aTakeOfALockOfTheDead() throws IOException {
        inject(this::leaveRecordOfTheDead, this::takeNow, this::release);
    }

    @Test
    void aTakeThatIsRepeatedInsteadOfTidied() throws IOException {
        inject(this::leaveRecordOfTheDead, this::takeNow, () -> {
            for (int calls = 0; hold == null; calls++) {
                assertThat(calls).isLessThan(MOST_CALLS);
                try {
                    takeNow();
                } catch (Injected e) {
                    assertThat(e).isNotNull();
                }
                directory.pass(11 * MILLI);
            }
            assertThat(directory.owner[0]).isEqualTo(one.store);
            assertThat(directory.expiries[0]).isEqualTo(hold.published);
            assertThat(directory.at(RecordLocation.LOCK)).isEqualTo(((SimulatedStore.SimulatedRecordFile) hold.recordFile).file());
            release();
        });
    }

    @Test
    void aTakeOfAHeldLock() throws IOException {
        inject(() -> other.take(), this::takeNow, this::release);
    }

    @Test
    void aTakeOfTheSecondSeat() throws IOException {
        inject(this::letTheOtherFreeze, this::takeNow, this::releaseBesideTheDead);
    }

    /** The other process sleeps past its lease, so that others take over. */
    private void letTheOtherFreeze() throws IOException {
        other.take();
        directory.pass(LEASE + GRACE + MILLI);
        assertThat(one.engine.take(TERMS)).isInstanceOf(Busy.class);
        directory.pass(21 * MILLI);
    }

    @Test
    void aTakeBesideADeadSuccessor() throws IOException {
        inject(() -> {
            letTheOtherFreeze();
            Process successor = new Process(400);
            successor.engine.take(TERMS);
            directory.pass(21 * MILLI);
            successor.take();
            successor.store.die();
            directory.processes.remove(400L);
            other.store.die();
            directory.processes.remove(200L);
        }, this::takeNow, this::release);
    }

    // ---- holding and giving back ----

    private void hold() throws IOException {
        hold = one.take();
        directory.pass(LEASE / 3);
    }

    private void holdSecondSeat() throws IOException {
        letTheOtherFreeze();
        hold = one.take();
        assertThat(hold.seat).isOne();
        directory.pass(LEASE / 3);
    }

    @Test
    void aRelease() throws IOException {
        inject(this::hold, () -> one.engine.release(hold), this::release);
    }

    @Test
    void aReleaseThatIsRepeatedTouchesNothingOfTheNextHolder() throws IOException {
        inject(this::hold, () -> one.engine.release(hold), () -> {
            release();
            while (!tidies()) {
                directory.pass(MILLI);
            }
            one.fault = null;
            SeatHold next = one.take();
            Object record = directory.at(RecordLocation.LOCK);
            one.engine.release(hold);
            assertThat(directory.owner[0]).isEqualTo(one.store);
            assertThat(directory.expiries[0]).isEqualTo(next.published);
            assertThat(directory.at(RecordLocation.LOCK)).isEqualTo(record);
            assertThat(one.engine.check(next, false)).isEqualTo(HoldStatus.INTACT);
            one.engine.release(next);
        });
    }

    @Test
    void aReleaseOfTheSecondSeat() throws IOException {
        inject(this::holdSecondSeat, () -> one.engine.release(hold), this::releaseBesideTheDead);
    }

    @Test
    void aReleaseOfALockThatTheKernelHasLost() throws IOException {
        inject(() -> {
            hold();
            one.store.loseBytes();
            directory.put(RecordLocation.LOCK, null);
            SeatHold others = other.take();
            one.store.viewKernel();
            assertThat(one.engine.check(hold, true)).isEqualTo(HoldStatus.LOST);
            other.engine.release(others);
        }, () -> one.engine.release(hold), this::release);
    }

    @Test
    void aRenewal() throws IOException {
        inject(this::hold, () -> one.engine.renew(hold, -1), this::release);
    }

    @Test
    void aHandOver() throws IOException {
        inject(this::hold, () -> {
            if (one.engine.handOver(hold, OTHER_TERMS) instanceof SeatHold passed) {
                hold = passed;
            }
        }, this::release);
    }

    @Test
    void aHandOverOnTheSameTerms() throws IOException {
        inject(this::hold, () -> {
            Hold passed = one.engine.handOver(hold, TERMS);
            assertThat(passed).isSameAs(hold);
        }, this::release);
    }

    @Test
    void aCheck() throws IOException {
        inject(this::hold, () -> one.engine.check(hold, true), this::release);
    }

    @Test
    void aCheckThatTakesALostByteAgain() throws IOException {
        inject(() -> {
            hold();
            one.store.loseBytes();
            one.store.viewKernel();
        }, () -> one.engine.check(hold, true), this::release);
    }

    @Test
    void aCheckThatTakesALostByteAgainIsFinishedByTheNext() throws IOException {
        inject(() -> {
            hold();
            one.store.loseBytes();
            one.store.viewKernel();
        }, () -> one.engine.check(hold, true), () -> {
            for (int calls = 0; ; calls++) {
                assertThat(calls).isLessThan(MOST_CALLS);
                try {
                    boolean begun = !one.store.jvm[0]; // the byte was just being acquired again: that is known without a deep look
                    HoldStatus standing = one.engine.check(hold, !begun);
                    assertThat(standing == HoldStatus.LOST || directory.owner[0] == one.store && directory.expiries[0] != 0)
                            .as("%s, byte of %s, word %d", standing, directory.owner[0], directory.expiries[0]).isTrue();
                    break;
                } catch (Injected e) {
                    assertThat(e).isNotNull();
                }
            }
            release();
        });
    }

    @Test
    void aSuccessorsCheck() throws IOException {
        inject(this::holdSecondSeat, () -> one.engine.check(hold, true), this::releaseBesideTheDead);
    }

    @Test
    void aSuccessorsCheckThatPutsItsRecordAtTheLock() throws IOException {
        inject(() -> {
            letTheOtherFreeze();
            directory.leave(RecordLocation.LOCK, new LockContent.Foreign(77, null, -1, -1));
            hold = one.take();
            directory.put(RecordLocation.LOCK, null);
        }, () -> one.engine.check(hold, true), this::releaseBesideTheDead);
    }

    // ---- clearing, tidying, bytes acquired ahead ----

    @Test
    void aClearing() throws IOException {
        inject(this::leaveRecordOfTheDead, () -> one.engine.clear(true), () -> { });
    }

    @Test
    void aTidying() throws IOException {
        inject(() -> {
            holdSecondSeat();
            one.engine.release(hold);
            hold = null;
            other.store.die(); // now what lies at x.lock can be deleted
        }, () -> one.engine.tidy(), () -> { });
    }

    private void acquireAhead(int seat) {
        one.store.waitsInKernel[seat] = true;
        one.store.acquireAhead(seat);
        one.store.waitsInKernel[seat] = false;
    }

    private void untilDone(Step call) throws IOException {
        for (int calls = 0; calls < MOST_CALLS; calls++) {
            try {
                call.run();
                return;
            } catch (Injected e) {
                assertThat(e).isNotNull();
            }
        }
        fail("never done");
    }

    @Test
    void anAcceptedByteThatServesATake() throws IOException {
        inject(() -> {
            acquireAhead(0);
            one.engine.acceptAwaited(0);
        }, this::takeNow, () -> {
            release();
            untilDone(() -> one.engine.declineAllAwaited()); // if the take had not got so far
        });
    }

    @Test
    void anAcceptance() throws IOException {
        inject(() -> acquireAhead(0), () -> one.engine.acceptAwaited(0), () -> {
            untilDone(() -> one.engine.acceptAwaited(0));
            untilDone(() -> one.engine.declineAllAwaited());
        });
    }

    @Test
    void aDeclining() throws IOException {
        inject(() -> acquireAhead(0), () -> one.engine.declineAwaited(0), () -> untilDone(() -> one.engine.declineAwaited(0)));
    }

    @Test
    void aPuttingBack() throws IOException {
        inject(() -> {
            acquireAhead(0);
            one.engine.acceptAwaited(0);
        }, () -> one.engine.declineAllAwaited(), () -> untilDone(() -> one.engine.declineAllAwaited()));
    }

    /** It may be another process's by then, which has not published yet. */
    @Test
    void aByteThatWasGivenBackServesNoTakeWhateverWasThrown() throws IOException {
        inject(() -> {
            acquireAhead(0);
            one.engine.acceptAwaited(0);
        }, () -> one.engine.declineAllAwaited(), () -> {
            if (other.store.tryByte(0)) {
                untilDone(this::takeNow);
                assertThat(hold).as("a hold without its byte").isNull();
                other.store.freeByte(0);
            }
            untilDone(() -> one.engine.declineAllAwaited());
        });
    }

    @Test
    void aByteAcquiredAheadStaysUntilAcceptedOrDeclined() throws IOException {
        newWorld();
        acquireAhead(0);

        assertThat(one.engine.tidy()).isTrue();
        assertThat(directory.owner[0]).isEqualTo(one.store);
        assertThat(one.engine.take(TERMS)).as("it is nobody's yet").isInstanceOf(Busy.class);
        assertThat(directory.owner[0]).isEqualTo(one.store);

        one.engine.acceptAwaited(0);
        hold = one.take();
        release();
        assertThat(directory.owner[0]).isNull();
    }
}

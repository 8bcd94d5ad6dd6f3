package dev.sessionlock.internal.seats;

import static org.assertj.core.api.Assertions.assertThat;

import dev.sessionlock.internal.directory.LockStore.RecordLocation;
import dev.sessionlock.internal.seats.Journal.Op;
import dev.sessionlock.spi.Busy;
import dev.sessionlock.spi.Terms;
import java.io.IOException;
import java.util.EnumSet;
import java.util.Set;

/** Processes whose operations on the disk fail, or at which they are frozen or killed. */
abstract class SeatEngineFaultsFixture {
    static final long MILLI = 1_000_000;
    static final long LEASE = 1_000 * MILLI;
    static final long GRACE = 100 * MILLI;
    static final Terms TERMS = new Terms(LEASE, true, -1, "main", null, true);
    static final Terms WITHOUT_TAKEOVER = new Terms(LEASE, false, -1, "main", null, true);
    final SimulatedDirectory directory = new SimulatedDirectory();
    final Process one = new Process(100);
    final Process two = new Process(200);

    /** A process whose operations fail, or at which it stops, by their number or kind. */
    final class Process implements Journal.Watcher {
        final Journal journal = new Journal(this);
        final SimulatedStore store;
        final SeatEngine engine;
        final Set<Op> failing = EnumSet.noneOf(Op.class);
        int failingAt = -1;
        boolean failed;
        int done;

        Process(long pid) {
            store = new SimulatedStore(directory, journal, SimulatedStore.process(pid, pid, "pids-1", "time-1"), 0);
            engine = new SeatEngine(store);
            directory.processes.put(pid, pid);
        }

        @Override
        public void before(Op op) throws IOException {
            boolean canFail = op != Op.CLOCK && op != Op.WALL && op != Op.READ_EXPIRY && op != Op.REPLACE && op != Op.HAS_EXPIRY
                    && op != Op.DRAW_TOKEN && op != Op.RAISE_TOKEN && op != Op.LAST_TOKEN && op != Op.IS_VALID && op != Op.JUDGE && op != Op.TARGET
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

    interface Call {
        void run() throws IOException;
    }

    void assertNothingHeldOrLeft() {
        assertThat(directory.owner).containsOnlyNulls();
        assertThat(directory.expiries).containsOnly(0L);
        assertThat(directory.at(RecordLocation.LOCK)).isNull();
        assertThat(directory.at(RecordLocation.TAKEOVER)).isNull();
        assertThat(directory.reclaiming).isFalse();
    }

    /** Process one is frozen; two comes in on the other seat. */
    SeatHold takeOver() throws IOException {
        directory.pass(LEASE + GRACE + MILLI); // the low bits of an expiry tell whose it is
        assertThat(two.engine.take(TERMS)).as("not before the expiry was past for 20 ms").isInstanceOf(Busy.class);
        directory.pass(20 * MILLI);
        return two.take();
    }
}

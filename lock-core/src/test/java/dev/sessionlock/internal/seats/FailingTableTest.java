package dev.sessionlock.internal.seats;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIOException;

import dev.sessionlock.LockLostException.Reason;
import dev.sessionlock.LockMode;
import dev.sessionlock.internal.directory.LockContent;
import dev.sessionlock.internal.directory.LockRecord;
import dev.sessionlock.internal.directory.LockStore.RecordLocation;
import dev.sessionlock.internal.directory.TableEntry;
import dev.sessionlock.internal.directory.TableFault;
import dev.sessionlock.spi.AcquireResult;
import dev.sessionlock.spi.EngineLock;
import dev.sessionlock.spi.Terms;
import java.io.IOException;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Proxy;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;

/** The shared table fails, from each access on in turn: whoever needs it gets an IOException, and no byte stays locked. */
class FailingTableTest {
    private static final Terms TERMS = new Terms(1_000_000_000, true, -1, "main", null, true);
    private static final Terms OTHER_TERMS = new Terms(2_000_000_000, true, -1, "other", null, true);

    private final SimulatedDirectory directory = new SimulatedDirectory();
    private final Table store = new Table();
    private final SeatEngine engine = new SeatEngine(store);

    /** A store whose table fails from some access on, until it is created anew, if it ever is. */
    private final class Table extends SimulatedStore {
        private int accessesLeft = Integer.MAX_VALUE;
        private boolean failed;
        private boolean isMadeAnew;
        private int timesMadeAnew;

        Table() {
            super(FailingTableTest.this.directory, new Journal(op -> { }), SimulatedStore.process(100, 100, "pids-1", "time-1"), 0);
            directory.processes.put(100L, 100L);
        }

        private void access() {
            if (accessesLeft-- <= 0) {
                accessesLeft = 0;
                failed = true;
                throw TableFault.cutShort(Path.of("board"));
            }
        }

        void failFrom(int access, boolean madeAnew) {
            accessesLeft = access;
            failed = false;
            isMadeAnew = madeAnew;
        }

        void works() {
            accessesLeft = Integer.MAX_VALUE;
        }

        @Override
        public void entryFailed() {
            if (isMadeAnew) {
                timesMadeAnew++;
                works();
            }
        }

        @Override
        public boolean comparable() {
            access();
            return super.comparable();
        }

        @Override
        public TableEntry findEntry() throws IOException {
            TableEntry entry = super.findEntry();
            return entry == null ? null : failing(entry);
        }

        @Override
        public TableEntry claimEntry() throws IOException {
            return failing(super.claimEntry());
        }

        private TableEntry failing(TableEntry entry) {
            return (TableEntry) Proxy.newProxyInstance(TableEntry.class.getClassLoader(), new Class<?>[] {TableEntry.class}, (proxy, method, args) -> {
                access();
                try {
                    return method.invoke(entry, args);
                } catch (InvocationTargetException e) {
                    throw e.getCause();
                }
            });
        }
    }

    private void assertNobodyHasAByte() {
        assertThat(directory.owner).containsOnlyNulls();
        assertThat(directory.at(RecordLocation.LOCK)).isNull();
    }

    @Test
    void acquisitionFailsAndGivesItsByteBack() throws IOException {
        int at = 0;
        do {
            store.failFrom(at++, false);
            try {
                AcquireResult taken = engine.take(TERMS);
                assertThat(taken).isInstanceOf(SeatHold.class);
                assertThat(store.failed).as("got it from a table that failed").isFalse();
                engine.release((SeatHold) taken); // this may fail itself
            } catch (IOException e) {
                assertThat(e).hasMessageContaining("board").hasMessageContaining("cut short");
            }
            boolean failed = store.failed;
            store.works();
            engine.tidy();
            assertNobodyHasAByte();
            directory.expiries[0] = 0; // what could not be withdrawn from a table that is gone
            store.failed = failed;
        } while (store.failed);
        assertThat(at).as("accesses").isGreaterThan(8);
    }

    @Test
    void acquisitionSucceedsIfTheTableIsMadeAnewMeanwhile() throws IOException {
        int at = 0;
        do {
            directory.expiries[0] = 0;
            store.failFrom(at++, true);
            SeatHold hold = (SeatHold) engine.take(TERMS);
            assertThat(directory.owner[0]).isNotNull();
            boolean failed = store.failed;
            store.works();
            engine.release(hold);
            assertNobodyHasAByte();
            store.failed = failed;
        } while (store.failed && at < 8); // at later accesses it is the release that fails
    }

    @Test
    void renewalFailsAndTheReleaseGivesEverythingBack() throws IOException {
        for (int at = 0; at < 4; at++) {
            SeatHold hold = (SeatHold) engine.take(TERMS);
            store.failFrom(at, false);
            if (at == 0) {
                assertThatIOException().isThrownBy(() -> engine.renew(hold, -1)).withMessageContaining("cut short");
                assertThat(hold.lossInWords(Reason.LEASE_EXPIRED)).contains("could not be renewed").contains("cut short");
                assertThat(engine.othersWait(hold, 1_000)).isFalse();
                assertThat(engine.othersTryOrWait(hold, 1_000)).isFalse();
                assertThat(engine.reuse(hold, "next")).isFalse();
                assertThatIOException().isThrownBy(() -> engine.handOver(hold, OTHER_TERMS));
                engine.setWaiterMark(LockMode.EXCLUSIVE, true);
            }
            engine.release(hold);
            store.works();
            engine.tidy();
            assertNobodyHasAByte();
            directory.expiries[0] = 0;
        }
    }

    /** The next process that asks for a lock needs a table at once. */
    @Test
    void renewalThatFailsHasTheTableMadeAnew() throws IOException {
        SeatHold hold = (SeatHold) engine.take(TERMS);
        store.failFrom(0, true);

        assertThatIOException().isThrownBy(() -> engine.renew(hold, -1)).withMessageContaining("cut short");

        assertThat(store.timesMadeAnew).isOne();
    }

    @Test
    void clearingThatFailsHasTheTableMadeAnew() throws IOException {
        directory.hasEntry = true;
        store.failFrom(0, true);

        assertThatIOException().isThrownBy(() -> engine.clear(true)).withMessageContaining("cut short");

        assertThat(engine.clear(true).outcome()).isEqualTo(EngineLock.ClearOutcome.NOTHING);
    }

    /** What failed may have been a look at the waiter mark, whose caller is told nothing. */
    @Test
    void checkAfterAFailureHasTheTableMadeAnewAndLooksDeeply() throws IOException {
        SeatHold hold = (SeatHold) engine.take(TERMS);
        store.failFrom(0, true);
        engine.othersWait(hold, 1_000);

        assertThat(engine.check(hold, false)).isEqualTo(EngineLock.HoldStatus.INTACT);
        assertThat(store.timesMadeAnew).isOne();
        store.displaced = "the table was replaced";
        assertThat(engine.check(hold, false)).isEqualTo(EngineLock.HoldStatus.LOST);
    }

    @Test
    void clearingFailsAndGivesItsByteBack() throws IOException {
        LockContent dead = new LockContent.Ours(new LockRecord(999, 0, -1, 1, "session.jsonl", 1, "moss", -1, SimulatedDirectory.BOOT, "pids-1", "time-1",
                null, null, true, 1_000, 0, directory.nanos));
        for (int at = 0; at < 8; at++) {
            directory.leave(RecordLocation.LOCK, dead);
            store.failFrom(at, false);
            try {
                engine.clear(true);
            } catch (IOException e) {
                assertThat(e).hasMessageContaining("cut short");
            }
            assertThat(directory.owner).containsOnlyNulls();
            store.works();
            directory.expiries[0] = 0;
            directory.reclaiming = false;
        }
        assertThat(engine.clear(true).outcome()).isIn(EngineLock.ClearOutcome.REMOVED, EngineLock.ClearOutcome.NOTHING);
    }
}

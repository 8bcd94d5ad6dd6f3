package dev.sessionlock.jdbc;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import dev.sessionlock.LockMode;
import dev.sessionlock.LockReport;
import dev.sessionlock.PastHold;
import dev.sessionlock.internal.system.Liveness;
import dev.sessionlock.spi.EngineLock;
import dev.sessionlock.spi.EngineLock.ClearOutcome;
import dev.sessionlock.spi.LockEngine;
import dev.sessionlock.testkit.ChildJvm;
import dev.sessionlock.testkit.ChildScenario;
import dev.sessionlock.testkit.ParentJvm;
import dev.sessionlock.testkit.SmallJvm;
import java.time.Duration;
import java.util.List;
import org.junit.jupiter.api.Nested;
import org.junit.jupiter.api.Test;

/** Readers of a lock in a table whose processes are killed, or frozen. */
class JdbcReaderProcessesTest extends JdbcReadersFixture {

    private ChildJvm reader(Duration lease) throws Exception {
        ChildJvm child = SmallJvm.of(Reader.class).args(PostgresServer.url(), schema, lease.toString()).start();
        child.awaitMark("reads", PATIENCE);
        return child;
    }

    /** Reads, and renews its lease, until it is killed. */
    static final class Reader implements ChildScenario {
        @Override
        public void run(ParentJvm parent) throws Exception {
            LockEngine engine = JdbcLockEngine.postgresql(PostgresServer.plain(parent.args().get(0))).withSchema(parent.args().get(1));
            EngineLock warm = lock(engine, "b"); // the first statement of a JVM may take longer than a short lease
            warm.release(take(warm, READ));
            EngineLock lock = lock(engine, "a");
            JdbcHold hold = take(lock, terms(LockMode.SHARED, Duration.parse(parent.args().get(2))));
            parent.mark("reads", hold.token());
            while (lock.renew(hold, -1)) {
                sleep(Duration.ofMillis(20));
            }
            parent.mark("lost", String.valueOf(hold.isValid(System.nanoTime())));
            parent.awaitLine("never");
        }
    }

    private static long deadReaders(JdbcHold beside) throws Exception {
        return beside.table.readers().inside(List.of("a"), LIMIT).stream().filter(row -> row.liveness().verdict() == Liveness.Verdict.DEAD).count();
    }

    @Nested
    class Killed {
        @Test
        void readerIsNoLongerWaitedFor() throws Exception {
            try (ChildJvm child = reader(LONG)) {
                isBusy(another(), WRITE);
                child.kill();
            }
            await().atMost(PATIENCE).until(() -> another().inspect().state() == LockReport.State.STALE);
            assertThat(take(another(), WRITE).reclaimed()).contains("pid ");
            assertThat(ask("SELECT count(*) FROM READERS")).isEqualTo("0");
        }

        @Test
        void readerGoesAndTheOthersStay() throws Exception {
            EngineLock other = another();
            JdbcHold hold;
            try (ChildJvm child = reader(LONG)) {
                hold = take(other, READ);
                child.kill();
            }
            EngineLock writer = another();
            await().atMost(PATIENCE).until(() -> deadReaders(hold) == 1);
            assertThat(writer.inspect().state()).isEqualTo(LockReport.State.HELD);
            assertThat(writer.inspect().readers()).hasSize(1);
            isBusy(writer, WRITE);
            assertThat(writer.clear(false).outcome()).isEqualTo(ClearOutcome.KEPT);
            other.release(hold);
            take(writer, WRITE);
        }

        @Test
        void readersAreClearedByHand() throws Exception {
            try (ChildJvm one = reader(LONG); ChildJvm two = reader(LONG)) {
                one.kill();
                two.kill();
            }
            EngineLock operator = another();
            await().atMost(PATIENCE).until(() -> operator.inspect().state() == LockReport.State.STALE);
            assertThat(operator.clear(false).outcome()).isEqualTo(ClearOutcome.REMOVED);
            assertThat(operator.clear(false).outcome()).isEqualTo(ClearOutcome.NOTHING);
            assertThat(ask("SELECT holder IS NULL FROM LOCKS")).isEqualTo("t");
        }

        @Test
        void readersAreInTheHistory() throws Exception {
            JdbcLockEngine engine = engine().withHistory(100);
            engine.createSchema();
            try (ChildJvm one = reader(LONG); ChildJvm two = reader(LONG)) {
                one.kill();
                two.kill();
            }
            EngineLock writer = lock(engine, "a");
            await().atMost(PATIENCE).until(() -> writer.take(WRITE) instanceof JdbcHold);
            List<PastHold> past = engine.history(engine.idOfName("a"), 10);
            assertThat(past).extracting(PastHold::ending).containsExactly(PastHold.Ending.PROCESS_DIED, PastHold.Ending.PROCESS_DIED);
            assertThat(past).extracting(PastHold::purpose).containsOnly("a test");
        }
    }

    @Nested
    class Frozen {
        @Test
        void readerIsWaitedForUntilItsLeaseIsOverAndHasLostTheLockThen() throws Exception {
            try (ChildJvm child = reader(Duration.ofSeconds(2))) {
                EngineLock other = another();
                other.release(take(other, READ)); // whose lease is longer
                child.freeze();
                long frozenAt = System.nanoTime();
                EngineLock writer = another();
                isBusy(writer, WRITE);
                await().atMost(PATIENCE).until(() -> writer.take(WRITE) instanceof JdbcHold);
                assertThat(Duration.ofNanos(System.nanoTime() - frozenAt)).isLessThan(Duration.ofSeconds(30));
                child.wake();
                assertThat(child.awaitMark("lost", PATIENCE).text()).contains("false");
            }
        }

        @Test
        void readerIsInTheHistory() throws Exception {
            JdbcLockEngine engine = engine().withHistory(100);
            engine.createSchema();
            try (ChildJvm child = reader(Duration.ofSeconds(2))) {
                child.freeze();
                EngineLock writer = lock(engine, "a");
                await().atMost(PATIENCE).until(() -> writer.take(WRITE) instanceof JdbcHold);
                assertThat(engine.history(engine.idOfName("a"), 10)).extracting(PastHold::ending).containsExactly(PastHold.Ending.LEASE_EXPIRED);
                assertThat(engine.history(engine.idOfName("a"), 10)).extracting(PastHold::pid).containsExactly(child.pid());
            }
        }
    }
}

package dev.sessionlock.jdbc;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.catchThrowableOfType;
import static org.awaitility.Awaitility.await;

import dev.sessionlock.LockException;
import dev.sessionlock.LockMode;
import dev.sessionlock.LockOptions;
import dev.sessionlock.LockReport;
import dev.sessionlock.SessionLock;
import dev.sessionlock.SessionLocks;
import dev.sessionlock.spi.EngineLock;
import dev.sessionlock.spi.EngineLock.ClearOutcome;
import dev.sessionlock.spi.EngineLock.HoldStatus;
import dev.sessionlock.spi.Inspection;
import java.sql.Connection;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.Nested;
import org.junit.jupiter.api.Test;

/** Readers of locks in a table, and the writers beside them. */
class JdbcReadersTest extends JdbcReadersFixture {

    @Nested
    class Sharing {
        @Test
        void severalProcessesReadAndNoneWritesMeanwhile() throws Exception {
            EngineLock one = another();
            EngineLock other = another();
            EngineLock writer = another();
            JdbcHold first = take(one, READ);
            JdbcHold second = take(other, READ);
            assertThat(isBusy(writer, WRITE).why()).contains("read");
            one.release(first);
            isBusy(writer, WRITE);
            other.release(second);
            JdbcHold written = take(writer, WRITE);
            isBusy(one, READ);
            writer.release(written);
            take(one, READ);
        }

        @Test
        void tokenOfReadersIsThatOfTheLastWriter() throws Exception {
            EngineLock writer = another();
            EngineLock one = another();
            EngineLock other = another();
            JdbcHold written = take(writer, WRITE);
            writer.release(written);
            JdbcHold first = take(one, READ);
            assertThat(first.token()).isEqualTo(written.token());
            assertThat(take(other, READ).token()).isEqualTo(written.token());
            one.release(first);
            assertThat(take(one, READ).token()).isEqualTo(written.token());
        }

        @Test
        void firstReaderOfALockThatWasNeverTakenDrawsAToken() throws Exception {
            EngineLock one = another();
            JdbcHold first = take(one, READ);
            EngineLock other = another();
            JdbcHold second = take(other, READ);
            assertThat(first.token()).isPositive().isEqualTo(second.token());
            one.release(first);
            other.release(second);
            assertThat(take(another(), WRITE).token()).isGreaterThan(first.token());
        }

        @Test
        void nothingOfThemIsLeft() throws Exception {
            List<EngineLock> locks = new ArrayList<>();
            List<JdbcHold> holds = new ArrayList<>();
            for (int i = 0; i < 5; i++) {
                locks.add(another());
                holds.add(take(locks.get(i), READ));
            }
            assertThat(ask("SELECT count(*) FROM READERS")).isEqualTo("5");
            for (int i = 0; i < 5; i++) {
                locks.get(i).release(holds.get(i));
                locks.get(i).release(holds.get(i));
                assertThat(locks.get(i).tidy()).isTrue();
            }
            assertThat(ask("SELECT count(*) FROM READERS")).isEqualTo("0");
            assertThat(ask("SELECT holder IS NULL AND lease_until IS NULL FROM LOCKS")).isEqualTo("t");
        }

        @Test
        void holdIsNotHandedOverToReadersNorByThem() throws Exception {
            EngineLock lock = another();
            JdbcHold read = take(lock, READ);
            assertThat(lock.handOver(read, READ)).isNull();
            assertThat(lock.handOver(read, WRITE)).isNull();
            assertThat(isValid(read)).isTrue();
            lock.release(read);
            JdbcHold written = take(lock, WRITE);
            assertThat(lock.handOver(written, READ)).isNull();
            assertThat(isValid(written)).isTrue();
        }

        @Test
        void reportNamesThem() throws Exception {
            EngineLock one = another();
            JdbcHold first = take(one, READ);
            EngineLock other = another();
            JdbcHold second = take(other, READ);
            EngineLock writer = another();
            waitToWrite(writer);
            LockReport report = writer.inspect();
            assertThat(report.state()).isEqualTo(LockReport.State.HELD);
            assertThat(report.owner().pid()).isEqualTo(ProcessHandle.current().pid());
            assertThat(report.owner().token()).isEqualTo(first.token());
            assertThat(report.owner().purpose()).isEqualTo("a test");
            assertThat(report.facts().waitedFor()).isTrue();
            assertThat(report.readers()).hasSize(2);
            other.release(second);
            assertThat(writer.inspect().readers()).hasSize(1);
            assertThat(JdbcReadersTest.this.first.inspectAll("").stream().map(Inspection::report)).extracting(LockReport::name).containsExactly("a");
            one.release(first);
            assertThat(writer.inspect().state()).isEqualTo(LockReport.State.FREE);
        }

        @Test
        void rowThatIsTakenAwayByHandIsALoss() throws Exception {
            EngineLock lock = another();
            JdbcHold hold = take(lock, READ);
            execute("UPDATE LOCKS SET holder = NULL");
            lock.lookAfresh();
            assertThat(lock.check(hold, true)).isEqualTo(HoldStatus.LOST);
            lock.releaseSoon(hold);
            execute("DELETE FROM LOCKS");
            EngineLock next = another();
            JdbcHold again = take(next, READ);
            execute("DELETE FROM LOCKS");
            take(another(), WRITE);
            next.lookAfresh();
            assertThat(next.check(again, true)).isEqualTo(HoldStatus.LOST);
        }
    }

    @Nested
    class WaitingWriter {
        private EngineLock one;
        private EngineLock writer;
        private JdbcHold read;

        private void wait(EngineLock writer) throws Exception {
            one = another();
            read = take(one, READ);
            this.writer = writer;
            waitToWrite(writer);
        }

        @Test
        void keepsNewReadersOutAndIsNext() throws Exception {
            wait(another());
            EngineLock next = another();
            assertThat(isBusy(next, READ).why()).contains("another process waits");
            next.setWaiterMark(LockMode.SHARED, true);
            one.release(read);
            isBusy(one, READ);
            isBusy(next, READ);
            take(writer, WRITE);
        }

        @Test
        void keepsOutNoReadersOfItsOwnProcess() throws Exception {
            JdbcLockEngine engine = engine();
            wait(lock(engine, "a"));
            take(lock(engine, "a"), READ);
        }

        @Test
        void thatHasGivenUpKeepsNobodyOut() throws Exception {
            wait(another());
            EngineLock next = another();
            isBusy(next, READ);
            execute("UPDATE LOCKS SET hand_at = hand_at - interval '1 second'");
            take(next, READ);
        }

        @Test
        void isNoReader() throws Exception {
            one = another();
            read = take(one, READ);
            EngineLock reader = another();
            isBusy(reader, WRITE); // it has seen that others read, and now wants to read
            reader.setWaiterMark(LockMode.SHARED, true);
            take(another(), READ);
        }

        @Test
        void isSeenByReadersThatAreInside() throws Exception {
            wait(another());
            assertThat(one.mayShare(read)).isTrue();
            await().atMost(PATIENCE).until(() -> {
                waitToWrite(writer);
                return !one.mayShare(read);
            });
            await().atMost(PATIENCE).until(() -> one.mayShare(read));
        }
    }

    @Nested
    class Asked {
        @Test
        void allReadersLetGoAndNoneThatComesLater() throws Exception {
            EngineLock one = another();
            EngineLock other = another();
            JdbcHold first = take(one, READ);
            JdbcHold second = take(other, READ);
            EngineLock operator = another();
            operator.askForRelease(first.token());
            await().atMost(PATIENCE).until(() -> one.check(first, false) == HoldStatus.REQUESTED && other.check(second, false) == HoldStatus.REQUESTED);
            await().atMost(PATIENCE).until(() -> ask("SELECT count(*) FROM READERS WHERE release_requested").equals("0"));
            assertThat(operator.withdrawAsking(first.token())).isFalse();
            EngineLock later = another();
            JdbcHold third = take(later, READ);
            first.table.readers().hear(List.of(first), LIMIT);
            third.table.readers().hear(List.of(third), LIMIT);
            assertThat(later.check(third, false)).isEqualTo(HoldStatus.INTACT);
        }

        @Test
        void requestIsTakenBackFromThoseThatHaveNotSeenIt() throws Exception {
            JdbcHold first = take(another(), READ);
            EngineLock operator = another();
            operator.askForRelease(first.token());
            assertThat(operator.withdrawAsking(first.token())).isTrue();
            execute("UPDATE READERS SET release_requested = true, process = gen_random_uuid(), holder = gen_random_uuid()"); // of a frozen process
            assertThat(operator.withdrawAsking(first.token())).isTrue();
            assertThat(operator.withdrawAsking(first.token())).isFalse();
        }

        @Test
        void nothingOfALivingReaderIsCleared() throws Exception {
            EngineLock one = another();
            JdbcHold hold = take(one, READ);
            assertThat(another().clear(false).outcome()).isEqualTo(ClearOutcome.KEPT);
            one.release(hold);
            assertThat(another().clear(false).outcome()).isEqualTo(ClearOutcome.NOTHING);
        }
    }

    @Nested
    class Fenced {
        @Test
        void noWriterGetsInBeforeTheTransactionOfAReaderEnds() throws Exception {
            EngineLock one = another();
            JdbcHold hold = take(one, READ);
            EngineLock writer = another();
            try (Connection connection = source.getConnection()) {
                connection.setAutoCommit(false);
                assertThat(hold.table.fence(connection, hold)).isTrue();
                EngineLock other = another();
                JdbcHold second = take(other, READ);
                assertThat(second.table.readers().renew(List.of(hold, second), LIMIT)).hasSize(2);
                other.release(second);
                one.release(hold);
                isBusy(writer, WRITE);
                connection.commit();
                JdbcHold written = take(writer, WRITE);
                assertThat(hold.table.fence(connection, hold)).isFalse();
                assertThat(written.table.fence(connection, written)).isTrue();
                connection.rollback();
            }
        }

        @Test
        void readerWhoseLeaseIsOverHasNoFence() throws Exception {
            JdbcHold hold = take(another(), READ);
            take(another(), READ);
            execute("UPDATE READERS SET lease_until = clock_timestamp() WHERE holder = '" + hold.id() + "'");
            try (Connection connection = source.getConnection()) {
                connection.setAutoCommit(false);
                assertThat(hold.table.fence(connection, hold)).isFalse();
                connection.rollback();
            }
        }
    }

    /** The same, through the API: each {@link SessionLocks} is a process. */
    @Nested
    class ThroughSessionLocks {
        private final LockOptions reading = LockOptions.defaults().withMode(LockMode.SHARED).withTimeout(PATIENCE);
        private final LockOptions writing = LockOptions.defaults().withTimeout(PATIENCE);

        @Test
        void processesReadTogetherAndAWriterThatWaitsIsNext() throws Exception {
            try (SessionLocks one = SessionLocks.over(engine()); SessionLocks other = SessionLocks.over(engine());
                    SessionLocks third = SessionLocks.over(engine())) {
                SessionLock first = one.acquire("a", reading);
                SessionLock second = other.acquire("a", reading);
                assertThat(first.token()).isEqualTo(second.token());
                assertThat(third.tryAcquire("a")).isEmpty();
                CompletableFuture<SessionLock> writer = third.acquireAsync("a", writing).toCompletableFuture();
                await().atMost(PATIENCE).until(() -> other.tryAcquire("a", reading).map(lock -> {
                    lock.close();
                    return lock;
                }).isEmpty()); // other threads of a process that reads are kept out, too
                first.close();
                assertThat(writer).isNotDone();
                second.close();
                SessionLock written = writer.get(PATIENCE.toSeconds(), TimeUnit.SECONDS);
                assertThat(written.token()).isGreaterThan(first.token());
                assertThat(one.tryAcquire("a", reading)).isEmpty();
                written.close();
                one.acquire("a", reading).close();
            }
        }

        @Test
        void lossIsToldToTheReaderAndRequestsReachAllOfThem() throws Exception {
            try (SessionLocks one = SessionLocks.over(engine()); SessionLocks other = SessionLocks.over(engine())) {
                SessionLock first = one.acquire("a", reading);
                SessionLock second = other.acquire("a", reading);
                AtomicInteger lost = new AtomicInteger();
                first.onLost(why -> lost.incrementAndGet());
                second.onLost(why -> lost.incrementAndGet());
                another().askForRelease(first.token());
                await().atMost(PATIENCE).until(() -> lost.get() == 2);
                first.close();
                second.close();
                take(another(), WRITE);
            }
        }
    }

    /** A table that an earlier version has made, and processes that run that version. */
    @Nested
    class EarlierVersion {
        @Test
        void itsTableDoesForWritersAndIsUpgradedForReaders() throws Exception {
            execute("DROP TABLE READERS");
            EngineLock one = another();
            JdbcHold written = take(one, WRITE);
            isBusy(another(), WRITE);
            one.release(written);
            assertThat(catchThrowableOfType(LockException.class, () -> another().take(READ))).hasMessageContaining("session_lock_readers\"")
                    .hasMessageContaining("createSchema()");
            take(another(), WRITE);
            engine().createSchema();
            isBusy(another(), READ);
            execute("UPDATE LOCKS SET holder = NULL");
            take(one, READ);
            take(another(), READ);
        }

        @Test
        void itSeesALockThatIsHeldByAProcessThatNobodyCanProveDead() throws Exception {
            JdbcHold read = take(another(), READ);
            LockTable theirs = new LockTable(new Database(source), schema, LockTable.DEFAULT_NAME, Notifications.newProcess(false));
            LockTable.Answer answer = theirs.take(new RowAttempt("a", WRITE, LIMIT), WRITE, null, LIMIT);
            assertThat(answer.token()).isNull();
            assertThat(answer.before().liveness().processState()).isEqualTo(LockReport.ProcessState.UNKNOWN);
            assertThat(answer.before().left()).isGreaterThan(Duration.ofMinutes(5));
            assertThat(answer.before().token()).isEqualTo(read.token());
        }

        @Test
        void itWaitsForTheLastReaderNoLongerThanForThatOnesLease() throws Exception {
            take(another(), terms(LockMode.SHARED, Duration.ofSeconds(20)));
            EngineLock other = another();
            JdbcHold longer = take(other, READ);
            other.release(longer);
            assertThat(ask("SELECT l.lease_until = r.lease_until FROM LOCKS l JOIN READERS r USING (name)")).isEqualTo("t");
        }

        @Test
        void tableOfALongNameHasReadersOfItsOwn() {
            String name = "t".repeat(63);
            assertThat(ReaderTable.nameFor(name)).hasSize(63).isNotEqualTo(ReaderTable.nameFor("t".repeat(62) + "u"));
            assertThat(ReaderTable.nameFor("t".repeat(55))).isEqualTo("t".repeat(55) + "_readers");
        }
    }
}

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
    class LeaseOver {
        private final Duration brief = Duration.ofMillis(700);

        /** A frozen process renews nothing. */
        @Test
        void frozenReaderIsWaitedForNoLongerThanItsLeaseWhateverOthersHad() throws Exception {
            EngineLock frozen = another();
            JdbcHold hold = take(frozen, terms(LockMode.SHARED, brief));
            EngineLock other = another();
            other.release(take(other, READ));
            EngineLock writer = another();
            await().atMost(PATIENCE).pollInterval(Duration.ofMillis(5)).until(() -> {
                boolean valid = isValid(hold);
                boolean isIn = writer.take(WRITE) instanceof JdbcHold;
                assertThat(valid && isIn && isValid(hold)).isFalse();
                return isIn;
            });
            assertThat(isValid(hold)).isFalse();
            assertThat(Duration.ofNanos(System.nanoTime() - hold.renewedAt())).isLessThan(LONG);
            assertThat(ask("SELECT count(*) FROM READERS")).isEqualTo("0");
            assertThat(((JdbcLock) frozen).renew(hold, -1)).isFalse();
        }

        @Test
        void readerKeepsWritersOutForItsOwnLeaseThoughTheFirstOneHadABrieferOne() throws Exception {
            EngineLock first = another();
            JdbcHold brieflyRead = take(first, terms(LockMode.SHARED, brief));
            JdbcHold hold = take(another(), READ);
            await().atMost(PATIENCE).until(() -> !isValid(brieflyRead));
            sleep(brief.multipliedBy(2)); // the grace is over, too
            isBusy(another(), WRITE);
            first.release(brieflyRead);
            isBusy(another(), WRITE);
            assertThat(isValid(hold)).isTrue();
        }

        @Test
        void takeoverSaysWhoseLeaseIsOver() throws Exception {
            take(another(), terms(LockMode.SHARED, brief));
            take(another(), READ);
            execute("UPDATE READERS SET lease_until = clock_timestamp()");
            EngineLock writer = another();
            assertThat(take(writer, WRITE).reclaimed()).contains("the lease of pid " + ProcessHandle.current().pid());
        }

        @Test
        void nextReaderBeginsAnewAndTheFormerOneIsNotRenewed() throws Exception {
            EngineLock one = another();
            JdbcHold former = take(one, READ);
            execute("UPDATE READERS SET lease_until = clock_timestamp()");
            execute("UPDATE LOCKS SET lease_until = clock_timestamp()");
            JdbcHold next = take(another(), READ);
            assertThat(next.token()).isEqualTo(former.token());
            assertThat(next.reclaimed()).contains("ran out");
            assertThat(former.table.readers().renew(List.of(former, next), LIMIT)).containsExactly(next.id());
            one.lookAfresh();
            assertThat(one.check(former, true)).isEqualTo(HoldStatus.LOST);
        }

        @Test
        void renewalOfOneKeepsTheWriterOut() throws Exception {
            EngineLock one = another();
            JdbcHold hold = take(one, terms(LockMode.SHARED, brief));
            EngineLock writer = another();
            long end = System.nanoTime() + brief.multipliedBy(3).toNanos();
            while (System.nanoTime() < end) {
                assertThat(one.renew(hold, -1)).isTrue();
                isBusy(writer, WRITE);
                sleep(Duration.ofMillis(20));
            }
            one.release(hold);
            take(writer, WRITE);
        }

        @Test
        void manyAreRenewedAtOnce() throws Exception {
            JdbcLockEngine other = engine();
            List<JdbcHold> holds = new ArrayList<>();
            for (int i = 0; i < 40; i++) {
                holds.add(take(lock(first, "many-" + i), terms(LockMode.SHARED, Duration.ofSeconds(20))));
                take(lock(other, "many-" + i), READ);
            }
            execute("UPDATE LOCKS SET lease_until = clock_timestamp() + interval '10 s'");
            assertThat(holds.get(0).table.readers().renew(holds, LIMIT)).hasSize(40);
            assertThat(ask("SELECT count(*) FROM LOCKS l WHERE lease_until > clock_timestamp() + interval '15 s'")).isEqualTo("40");
        }

        @Test
        void locksThatSomebodyKeepsLockedAreLeftOut() throws Exception {
            JdbcHold a = take(lock(first, "a"), READ);
            JdbcHold b = take(lock(first, "b"), READ);
            try (Connection connection = source.getConnection()) {
                connection.setAutoCommit(false);
                connection.createStatement().execute("SELECT 1 FROM " + schema + ".session_lock WHERE name = 'a' FOR UPDATE");
                assertThat(a.table.readers().renew(List.of(a, b), LIMIT)).containsExactly(b.id());
                isBusy(another(), READ);
                connection.rollback();
            }
            assertThat(a.table.readers().renew(List.of(a, b), LIMIT)).hasSize(2);
        }

        @Test
        void abandonedReaderIsWaitedForSomeSeconds() throws Exception {
            EngineLock one = another();
            one.abandon(take(one, READ));
            EngineLock writer = another();
            isBusy(writer, WRITE);
            await().atMost(Duration.ofSeconds(30)).until(() -> writer.take(WRITE) instanceof JdbcHold);
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

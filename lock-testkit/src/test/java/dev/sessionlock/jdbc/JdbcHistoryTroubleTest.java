package dev.sessionlock.jdbc;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.awaitility.Awaitility.await;

import com.zaxxer.hikari.HikariDataSource;
import dev.sessionlock.LockException;
import dev.sessionlock.PastHold;
import dev.sessionlock.PastHold.Ending;
import dev.sessionlock.SessionLock;
import dev.sessionlock.SessionLocks;
import java.lang.reflect.Proxy;
import java.sql.Connection;
import java.sql.Statement;
import java.time.Duration;
import java.time.Instant;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;
import javax.sql.DataSource;
import org.junit.jupiter.api.Nested;
import org.junit.jupiter.api.Test;

/** Whatever keeps the history of a table from being written: locks go on, and it is written later. */
class JdbcHistoryTroubleTest extends JdbcHistoryFixture {
    private static final PastHold HOLD = new PastHold("a", 1L, 1, null, null, null, null, Instant.now(), Ending.LEAKED, 1, null, Duration.ZERO, null);

    private void isWrittenLater(SessionLocks on) throws Exception {
        assertThat(on.historyOfAll("", PLENTY)).as("is known here").hasSize(4);
        await().atMost(PATIENCE).until(() -> written().size() == 4);
        assertThat(written()).extracting(PastHold::ending).containsExactlyInAnyOrder(Ending.RELEASED, Ending.MAX_HOLD, Ending.MAX_HOLD, Ending.MAX_HOLD);
    }

    @Nested
    class LocksGoOn {
        @Test
        void whileTheTableIsMissing() throws Exception {
            execute("DROP TABLE " + table);
            locksGoOn(locks);
            assertThat(locks.history("a", PLENTY)).hasSize(3);
            assertThat(written()).isEmpty();
            engine.createSchema();
            isWrittenLater(locks);
        }

        @Test
        void whileItIsAnother() throws Exception {
            execute("DROP TABLE " + table);
            execute("CREATE TABLE " + table + " (name text)");
            locksGoOn(locks);
            assertThatThrownBy(() -> locks.history("a", 1)).isInstanceOf(LockException.class).hasMessageContaining("is not the one").hasMessageContaining("postgresql-history.sql");
            execute("DROP TABLE " + table);
            engine.createSchema();
            isWrittenLater(locks);
        }

        @Test
        void withoutPermission() throws Exception {
            String user = "u" + schema;
            execute("CREATE ROLE " + user);
            execute("GRANT USAGE ON SCHEMA " + schema + " TO " + user);
            execute("GRANT SELECT, INSERT, UPDATE ON " + schema + ".session_lock TO " + user);
            try (HikariDataSource poor = PostgresServer.pool(PostgresServer.url("options=-c%20role=" + user), 2)) {
                SessionLocks theirs = over(JdbcLockEngine.postgresql(poor).withSchema(schema).withHistory(ROWS));
                locksGoOn(theirs);
                assertThatThrownBy(() -> theirs.history("a", 1)).isInstanceOf(LockException.class).hasMessageContaining("GRANT SELECT, INSERT, DELETE ON \"" + schema);
                execute("GRANT SELECT, INSERT, DELETE ON " + table + " TO " + user);
                isWrittenLater(theirs);
            } finally {
                execute("DROP OWNED BY " + user);
                execute("DROP ROLE " + user);
            }
        }

        @Test
        void whileTheServerIsAway() throws Exception {
            try (FaultyProxy proxy = FaultyProxy.before(PostgresServer.url()); HikariDataSource behind = PostgresServer.pool(proxy.url(), 2)) {
                SessionLocks theirs = over(JdbcLockEngine.postgresql(behind).withSchema(schema).withHistory(ROWS));
                SessionLock lock = theirs.acquire("a", OPTIONS.withLease(SHORT_LEASE));
                proxy.goAway();
                await().atMost(PATIENCE).until(() -> !lock.isHeld());
                lock.close();
                proxy.comeBack();
                assertThat(untilWritten(Ending.LEASE_EXPIRED).token()).isEqualTo(lock.token());
                theirs.acquire("a", OPTIONS).close();
                untilWritten(Ending.RELEASED);
                theirs.close();
            }
        }

        @Test
        void whileADataSourceThrowsWhatItLikes() throws Exception {
            AtomicBoolean moody = new AtomicBoolean(true);
            DataSource some = (DataSource) Proxy.newProxyInstance(getClass().getClassLoader(), new Class<?>[] {DataSource.class}, (proxy, method, args) -> {
                if (moody.get() && Thread.currentThread().getName().equals("sessionlock-worker")) {
                    throw new LinkageError("moody");
                }
                return source.getConnection();
            });
            SessionLocks on = over(JdbcLockEngine.postgresql(some).withSchema(schema).withHistory(ROWS));
            locksGoOn(on);
            assertThat(written()).isEmpty();
            moody.set(false);
            isWrittenLater(on);
        }
    }

    /** The worker that writes the history may wait for as long as it likes. */
    @Nested
    class WorkerThatHangs {
        @Test
        void keepsNoLeaseFromBeingRenewed() throws Exception {
            CountDownLatch end = new CountDownLatch(1);
            CountDownLatch hangs = new CountDownLatch(1);
            DataSource some = (DataSource) Proxy.newProxyInstance(getClass().getClassLoader(), new Class<?>[] {DataSource.class}, (proxy, method, args) -> {
                if (Thread.currentThread().getName().equals("sessionlock-worker")) {
                    hangs.countDown();
                    end.await();
                }
                return source.getConnection();
            });
            SessionLocks on = over(JdbcLockEngine.postgresql(some).withSchema(schema).withHistory(ROWS));
            on.acquire("b", OPTIONS).close();
            try (SessionLock lock = on.acquire("a", OPTIONS.withLease(SHORT_LEASE))) {
                assertThat(hangs.await(PATIENCE.toSeconds(), TimeUnit.SECONDS)).isTrue();
                await().atMost(PATIENCE).until(() -> !lock.isHeld()
                        || ask("SELECT renewed_at - since > interval '4 seconds' FROM " + schema + ".session_lock WHERE name = 'a'").equals("t"));
                lock.ensureHeld();
            } finally {
                end.countDown();
            }
            untilWritten(Ending.RELEASED);
        }
    }

    /** Whoever keeps the table locked keeps neither the locks' connections nor the server's processes. */
    @Nested
    class LockedTable {
        private String waiting(String longerThan) throws Exception {
            return ask("SELECT count(*) FROM pg_locks l JOIN pg_stat_activity a USING (pid) WHERE NOT l.granted AND l.relation = '" + table
                    + "'::regclass AND clock_timestamp() - a.query_start > interval '" + longerThan + "'");
        }

        @Test
        void keepsNobodyWaiting() throws Exception {
            try (HikariDataSource one = PostgresServer.pool(PostgresServer.url(), 1); Connection person = PostgresServer.plain(PostgresServer.url()).getConnection()) {
                SessionLocks on = over(JdbcLockEngine.postgresql(one).withSchema(schema).withHistory(ROWS));
                person.setAutoCommit(false);
                try (Statement statement = person.createStatement()) {
                    statement.execute("LOCK TABLE " + table + " IN ACCESS EXCLUSIVE MODE");
                }
                AtomicInteger held = new AtomicInteger();
                AtomicBoolean enough = new AtomicBoolean();
                CompletableFuture<Void> user = CompletableFuture.runAsync(() -> {
                    try {
                        while (!enough.get()) {
                            on.acquire("a", OPTIONS).close();
                            held.incrementAndGet();
                        }
                    } catch (Exception e) {
                        throw new IllegalStateException(e);
                    }
                }, task -> new Thread(task).start());
                Instant end = Instant.now().plusSeconds(5);
                while (Instant.now().isBefore(end)) {
                    assertThat(waiting("1 second")).isEqualTo("0");
                }
                enough.set(true);
                user.get(PATIENCE.toSeconds(), TimeUnit.SECONDS);
                assertThat(held).hasValueGreaterThan(10);
                person.rollback();
                untilWritten(Ending.RELEASED);
                on.close();
            }
        }
    }

    /** Whoever writes keeps the others waiting for a moment only, and nobody is alarmed. */
    @Nested
    class OtherWriters {
        @Test
        void areWaitedForByTheNextRound() throws Exception {
            try (Connection other = PostgresServer.plain(PostgresServer.url()).getConnection()) {
                other.setAutoCommit(false);
                try (Statement statement = other.createStatement()) {
                    statement.execute("SELECT pg_advisory_xact_lock(" + HistoryTable.WRITERS + ", '" + table + "'::regclass::oid::int)");
                }
                JdbcHistory history = new JdbcHistory(HistoryTable.of(new Database(source), schema, "session_lock"), ROWS, Duration.ofSeconds(5));
                history.note(HOLD);
                history.record(false);
                assertThat(history.unwritten()).hasSize(1);
                assertThat(history.closeIdle(true)).as("it is no failure").isFalse();
                for (int i = 1; i < 10; i++) {
                    history.record(false);
                }
                assertThat(history.closeIdle(true)).as("now it is one").isTrue();
                other.rollback();
                history.record(true);
                assertThat(history.unwritten()).isEmpty();
                assertThat(written()).hasSize(1);
            }
        }
    }

    @Nested
    class Closing {
        private final JdbcHistory missing = new JdbcHistory(historyOf("nowhere"), ROWS, Duration.ofSeconds(5));

        private HistoryTable historyOf(String locks) {
            return HistoryTable.of(new Database(PostgresServer.plain(PostgresServer.url())), schema, locks);
        }

        @Test
        void waitsForWhatIsNotWrittenYet() {
            JdbcHistory history = new JdbcHistory(historyOf("session_lock"), ROWS, Duration.ofSeconds(5));
            assertThat(history.closeIdle(false)).isTrue();
            history.note(HOLD);
            assertThat(history.closeIdle(true)).isFalse();
            history.record(false);
            assertThat(history.closeIdle(true)).isTrue();
        }

        @Test
        void waitsForNothingThatCannotBeWritten() {
            missing.note(HOLD);
            missing.record(false);
            assertThat(missing.closeIdle(false)).as("for a while").isFalse();
            assertThat(missing.closeIdle(true)).isTrue();
            assertThat(missing.unwritten()).hasSize(1);
        }

        @Test
        void triesOnceMoreAtTheEnd() throws Exception {
            missing.note(HOLD);
            missing.record(false);
            without.withTable("nowhere").withHistory(ROWS).createSchema();
            missing.record(false);
            assertThat(missing.unwritten()).as("it has failed a moment ago").hasSize(1);
            missing.record(true);
            assertThat(missing.unwritten()).isEmpty();
        }

        @Test
        void leavesWhatWasReleasedJustNowWritten() throws Exception {
            SessionLocks on = over(without.withHistory(ROWS));
            on.acquire("a", OPTIONS).close();
            on.close();
            untilWritten(Ending.RELEASED);
        }
    }
}

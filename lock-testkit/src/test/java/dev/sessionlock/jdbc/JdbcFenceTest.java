package dev.sessionlock.jdbc;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.awaitility.Awaitility.await;

import com.zaxxer.hikari.HikariDataSource;
import dev.sessionlock.LockLostException;
import dev.sessionlock.LockOptions;
import dev.sessionlock.SessionLock;
import dev.sessionlock.SessionLocks;
import dev.sessionlock.testkit.ChildJvm;
import dev.sessionlock.testkit.ChildScenario;
import dev.sessionlock.testkit.InMemoryLocks;
import dev.sessionlock.testkit.ParentJvm;
import dev.sessionlock.testkit.SmallJvm;
import java.nio.file.Path;
import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.SQLException;
import java.sql.Statement;
import java.time.Duration;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** What is written in a transaction that is tied to a lock is written by the lock's holder. */
class JdbcFenceTest {
    private static final Duration PATIENCE = Duration.ofSeconds(60);
    /** Long enough for a busy machine to let a process run within it. */
    private static final LockOptions SHORT = LockOptions.defaults().withLease(Duration.ofSeconds(3)).withTimeout(PATIENCE);

    private final String schema = PostgresServer.newSchema();
    private HikariDataSource source;
    private SessionLocks locks;

    @BeforeEach
    void open() throws Exception {
        source = PostgresServer.pool(PostgresServer.url(), 5);
        JdbcLockEngine engine = JdbcLockEngine.postgresql(source).withSchema(schema);
        engine.createSchema();
        PostgresServer.execute(source, "CREATE TABLE " + schema + ".message (session text, line text)");
        locks = SessionLocks.over(engine);
    }

    @AfterEach
    void close() {
        locks.close();
        source.close();
    }

    private Connection transaction() throws SQLException {
        Connection connection = source.getConnection();
        connection.setAutoCommit(false);
        return connection;
    }

    private static void insert(Connection connection, String schema, String line) throws SQLException {
        try (PreparedStatement insert = connection.prepareStatement("INSERT INTO " + schema + ".message VALUES ('s', ?)")) {
            insert.setString(1, line);
            insert.executeUpdate();
        }
    }

    private String lines() throws SQLException {
        return PostgresServer.ask(source, "SELECT coalesce(string_agg(line, ',' ORDER BY line), '') FROM " + schema + ".message");
    }

    @Test
    void fencedTransactionOfAHolderCommits() throws Exception {
        try (SessionLock lock = locks.acquire("s"); Connection connection = transaction()) {
            JdbcLockEngine.fence(connection, lock);
            insert(connection, schema, "one");
            connection.commit();
        }
        assertThat(lines()).isEqualTo("one");
    }

    /** Its lease is over by the server's clock, and still nobody gets the lock before the transaction ends. */
    @Test
    void nobodyGetsInBetweenTheFenceAndTheCommitHoweverLateThatComes() throws Exception {
        staysOutUntilTheEnd(true);
    }

    @Test
    @Tag("soak")
    void nobodyGetsInBetweenTheFenceAndTheRollbackHoweverLateThatComes() throws Exception {
        staysOutUntilTheEnd(false);
    }

    private void staysOutUntilTheEnd(boolean commits) throws Exception {
        SessionLocks cutOff;
        SessionLock lock;
        try (FaultyProxy proxy = FaultyProxy.before(PostgresServer.url()); HikariDataSource behind = PostgresServer.pool(proxy.url(), 2);
                Connection connection = transaction(); Statement busy = connection.createStatement()) {
            cutOff = SessionLocks.over(JdbcLockEngine.postgresql(behind).withSchema(schema));
            lock = cutOff.acquire("s", SHORT);
            JdbcLockEngine.fence(connection, lock);
            insert(connection, schema, "one");
            proxy.goAway();
            await().atMost(PATIENCE).pollInterval(Duration.ofMillis(50)).until(() -> {
                busy.execute("SELECT 1"); // otherwise the server would end it as frozen
                return PostgresServer.ask(source, "SELECT lease_until < clock_timestamp() FROM " + schema + ".session_lock").equals("t");
            });
            assertThat(lock.isHeld()).isFalse();
            for (int tries = 0; tries < 20; tries++) {
                assertThat(locks.tryAcquire("s", SHORT)).isEmpty();
                busy.execute("SELECT 1");
                Thread.sleep(20);
            }
            if (commits) {
                connection.commit();
            } else {
                connection.rollback();
            }
            try (SessionLock next = locks.acquire("s", SHORT)) {
                assertThat(next.token()).isGreaterThan(lock.token());
                assertThat(lines()).isEqualTo(commits ? "one" : "");
            }
            lock.close();
            cutOff.close();
        }
    }

    @Test
    void holderMayCloseBeforeItCommitsAndTheLockIsFreeAfterwards() throws Exception {
        try (Connection connection = transaction()) {
            SessionLock lock = locks.acquire("s", SHORT);
            JdbcLockEngine.fence(connection, lock);
            insert(connection, schema, "one");
            lock.close();
            assertThat(locks.tryAcquire("s", SHORT)).isEmpty();
            connection.commit();
        }
        locks.acquire("s", SHORT).close();
        assertThat(lines()).isEqualTo("one");
    }

    @Test
    void leaseIsRenewedBesideAFencedTransaction() throws Exception {
        try (SessionLock lock = locks.acquire("s", SHORT); Connection connection = transaction()) {
            JdbcLockEngine.fence(connection, lock);
            await().atMost(PATIENCE).until(() -> PostgresServer.ask(source, "SELECT renewed_at > since FROM " + schema + ".session_lock")
                    .equals("t"));
            lock.verifyHeld();
            connection.commit();
        }
    }

    @Test
    void transactionOfOneWhoHasLostTheLockFails() throws Exception {
        SessionLock lock = locks.acquire("s", SHORT);
        PostgresServer.execute(source, "UPDATE " + schema + ".session_lock SET lease_until = clock_timestamp()");
        try (Connection connection = transaction()) {
            assertThatThrownBy(() -> JdbcLockEngine.fence(connection, lock)).isInstanceOf(LockLostException.class)
                    .hasMessageContaining("Roll this transaction back");
            connection.rollback();
        }
        lock.close();
    }

    @Test
    void strictTransactionFromBeforeTheLockIsRefusedWithTheReason() throws Exception {
        try (Connection connection = transaction(); Statement first = connection.createStatement()) {
            connection.setTransactionIsolation(Connection.TRANSACTION_REPEATABLE_READ);
            first.execute("SELECT 1 FROM " + schema + ".message");
            try (SessionLock lock = locks.acquire("s", SHORT)) {
                assertThatThrownBy(() -> JdbcLockEngine.fence(connection, lock)).hasMessageContaining("let fence() be its first statement");
            }
            connection.rollback();
        }
    }

    @Test
    void whatCannotBeFencedIsRefused() throws Exception {
        SessionLock lock = locks.acquire("s");
        try (Connection connection = source.getConnection(); InMemoryLocks memory = InMemoryLocks.create()) {
            assertThatThrownBy(() -> JdbcLockEngine.fence(connection, lock)).isInstanceOf(IllegalStateException.class)
                    .hasMessageContaining("setAutoCommit(false)");
            connection.setAutoCommit(false);
            try (SessionLock file = memory.locks().acquire(Path.of("s"))) {
                assertThatThrownBy(() -> JdbcLockEngine.fence(connection, file)).isInstanceOf(IllegalArgumentException.class)
                        .hasMessageContaining("is not in a database");
            }
            lock.close();
            assertThatThrownBy(() -> JdbcLockEngine.fence(connection, lock)).isInstanceOf(IllegalStateException.class);
        }
    }

    @Test
    void fenceOfSeveralLocksIsOneForEach() throws Exception {
        SessionLock all = locks.acquireAllNamed(List.of("b", "a"), SHORT);
        try (Connection connection = transaction()) {
            JdbcLockEngine.fence(connection, all);
            all.close();
            assertThat(locks.tryAcquire("a", SHORT)).isEmpty();
            assertThat(locks.tryAcquire("b", SHORT)).isEmpty();
            connection.commit();
        }
    }

    /** Freezes before its fence, or in the middle of the transaction. */
    @ParameterizedTest
    @ValueSource(strings = {"acquired", "fenced"})
    void clientThatFreezesPastItsLeaseWritesNothingWhenItWakes(String where) throws Exception {
        try (ChildJvm client = SmallJvm.of(Writer.class).args(PostgresServer.url(), schema, where).start()) {
            long token = client.awaitMark(where, PATIENCE).number(0);
            client.freeze();
            try (SessionLock next = locks.acquire("s", SHORT.withLease(Duration.ofSeconds(30))); Connection connection = transaction()) {
                assertThat(next.token()).isGreaterThan(token);
                JdbcLockEngine.fence(connection, next);
                insert(connection, schema, "successor's");
                client.send("go on");
                client.wake();
                assertThat(client.awaitMark("ended", PATIENCE).text()).isNotEqualTo("committed");
                connection.commit();
            }
        }
        assertThat(lines()).isEqualTo("successor's");
    }

    static final class Writer implements ChildScenario {
        @Override
        public void run(ParentJvm parent) throws Exception {
            String url = parent.args().get(0);
            String schema = parent.args().get(1);
            String stop = parent.args().get(2);
            try (SessionLocks locks = SessionLocks.over(JdbcLockEngine.postgresql(PostgresServer.plain(url)).withSchema(schema));
                    SessionLock lock = locks.acquire("s", SHORT); Connection connection = PostgresServer.plain(url).getConnection()) {
                connection.setAutoCommit(false);
                pause(parent, stop, "acquired", lock);
                JdbcLockEngine.fence(connection, lock);
                insert(connection, schema, "late");
                pause(parent, stop, "fenced", lock);
                connection.commit();
                parent.mark("ended", "committed");
            } catch (LockLostException | SQLException e) {
                parent.mark("ended", e.getClass().getSimpleName());
            }
        }

        private static void pause(ParentJvm parent, String stop, String here, SessionLock lock) throws InterruptedException {
            if (stop.equals(here)) {
                parent.mark(here, lock.token());
                parent.awaitLine("go on");
            }
        }
    }
}

package dev.sessionlock.jdbc;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.awaitility.Awaitility.await;

import com.zaxxer.hikari.HikariDataSource;
import dev.sessionlock.LockException;
import dev.sessionlock.LockLostException;
import dev.sessionlock.LockOptions;
import dev.sessionlock.LockTimeoutException;
import dev.sessionlock.SessionLock;
import dev.sessionlock.SessionLocks;
import java.lang.reflect.Proxy;
import java.sql.Connection;
import java.sql.DatabaseMetaData;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.Semaphore;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicReference;
import javax.sql.DataSource;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/** Waiting for locks in a table, and connections and tables in unusual states. */
class JdbcOutageTest extends JdbcLocksFixture {
    // ---- waiting ----

    @Test
    void longestWaiterOfAnotherProcessIsServedDespiteThreadsHere() throws Exception {
        ExecutorService pool = Executors.newFixedThreadPool(3);
        CompletableFuture<Void> enough = new CompletableFuture<>();
        List<Future<?>> here = new ArrayList<>();
        for (int i = 0; i < 3; i++) {
            here.add(pool.submit(() -> {
                while (!enough.isDone()) {
                    locks.acquire("a", PATIENT).close();
                }
                return null;
            }));
        }
        try {
            for (int i = 0; i < 3; i++) {
                others.acquire("a", PATIENT).close();
            }
        } finally {
            enough.complete(null);
            pool.shutdown();
        }
        for (Future<?> one : here) {
            one.get(PATIENCE.toSeconds(), TimeUnit.SECONDS);
        }
    }

    @Test
    void noConnectionIsHeldWhileHoldingOrWaiting() throws Exception {
        try (HikariDataSource one = PostgresServer.pool(PostgresServer.url(), 1)) {
            SessionLocks poor = SessionLocks.over(JdbcLockEngine.postgresql(one).withSchema(schema));
            SessionLock lock = poor.acquire("a", PATIENT);
            CompletableFuture<Long> waiter = CompletableFuture.supplyAsync(() -> {
                try (SessionLock next = poor.acquire("a", PATIENT)) {
                    return next.token();
                } catch (Exception e) {
                    throw new IllegalStateException(e);
                }
            }, task -> new Thread(task).start());
            await().atMost(PATIENCE).until(() -> poor.stats().waiting() == 1);
            try (SessionLock second = poor.acquire("b", PATIENT); Connection users = one.getConnection()) {
                assertThat(users.isValid(5)).isTrue();
                assertThat(second.isHeld()).isTrue();
            }
            lock.close();
            assertThat(waiter.get(PATIENCE.toSeconds(), TimeUnit.SECONDS)).isGreaterThan(lock.token());
            poor.close();
        }
    }

    // ---- connections and tables in unusual states ----

    @Test
    void connectionsGoBackAsTheyCame() throws Exception {
        try (Connection connection = PostgresServer.plain(PostgresServer.url()).getConnection()) {
            connection.setAutoCommit(false);
            connection.setReadOnly(true);
            connection.setTransactionIsolation(Connection.TRANSACTION_SERIALIZABLE);
            connection.setNetworkTimeout(Runnable::run, 77_000);
            Semaphore free = new Semaphore(1); // a pool of one: the engine gives back on a thread of its own
            DataSource same = (DataSource) Proxy.newProxyInstance(getClass().getClassLoader(), new Class<?>[] {DataSource.class},
                    (proxy, method, args) -> lent(connection, free));
            SessionLocks on = SessionLocks.over(JdbcLockEngine.postgresql(same).withSchema(schema));
            on.acquire("a", PATIENT).close();
            on.close();
            await().atMost(PATIENCE).until(() -> PostgresServer.ask(source, "SELECT holder IS NULL FROM " + schema
                    + ".session_lock WHERE name = 'a'").equals("t"));
            assertThat(free.tryAcquire(PATIENCE.toSeconds(), TimeUnit.SECONDS)).isTrue();
            assertThat(connection.getAutoCommit()).isFalse();
            assertThat(connection.isReadOnly()).isTrue();
            assertThat(connection.getTransactionIsolation()).isEqualTo(Connection.TRANSACTION_SERIALIZABLE);
            assertThat(connection.getNetworkTimeout()).isEqualTo(77_000);
        }
    }

    private static Connection lent(Connection connection, Semaphore free) throws InterruptedException {
        free.acquire();
        return (Connection) Proxy.newProxyInstance(JdbcLocksTest.class.getClassLoader(), new Class<?>[] {Connection.class},
                (proxy, method, args) -> {
                    if (method.getName().equals("close")) {
                        free.release();
                        return null;
                    }
                    return method.invoke(connection, args);
                });
    }

    @Test
    void serializableConnectionsDoNotDisturb() throws Exception {
        try (HikariDataSource strict = PostgresServer.pool(PostgresServer.url("options=-c%20default_transaction_isolation=serializable"), 4)) {
            SessionLocks one = SessionLocks.over(JdbcLockEngine.postgresql(strict).withSchema(schema));
            ExecutorService pool = Executors.newFixedThreadPool(4);
            List<Future<?>> all = new ArrayList<>();
            for (int i = 0; i < 4; i++) {
                SessionLocks mine = i % 2 == 0 ? one : locks;
                all.add(pool.submit(() -> {
                    for (int n = 0; n < 15; n++) {
                        mine.acquire("a", PATIENT).close();
                    }
                    return null;
                }));
            }
            pool.shutdown();
            for (Future<?> each : all) {
                each.get(PATIENCE.toSeconds(), TimeUnit.SECONDS);
            }
            one.close();
        }
    }

    @Test
    void schemaIsMadeByManyAtOnceAndAgain() throws Exception {
        JdbcLockEngine fresh = JdbcLockEngine.postgresql(source).withSchema(PostgresServer.newSchema()).withTable("Locks");
        ExecutorService pool = Executors.newFixedThreadPool(4);
        List<Future<?>> all = new ArrayList<>();
        for (int i = 0; i < 8; i++) {
            all.add(pool.submit(() -> {
                fresh.createSchema();
                return null;
            }));
        }
        pool.shutdown();
        for (Future<?> each : all) {
            each.get(PATIENCE.toSeconds(), TimeUnit.SECONDS);
        }
        try (SessionLocks on = SessionLocks.over(fresh); SessionLock lock = on.acquire("a")) {
            assertThat(lock.isHeld()).isTrue();
        }
    }

    @Test
    void tableThatIsMissingOrAnotherIsSaidWithWhatToDo() throws Exception {
        SessionLocks none = SessionLocks.over(engine.withTable("nowhere"));
        assertThatThrownBy(() -> none.acquire("a")).isInstanceOf(LockException.class).isNotInstanceOf(LockTimeoutException.class)
                .hasMessageContaining("createSchema()").hasMessageContaining("postgresql.sql");
        assertThatThrownBy(() -> none.inspect("a")).hasMessageContaining("createSchema()");
        assertThatThrownBy(() -> SessionLocks.over(engine.withSchema("nowhere")).acquire("a")).hasMessageContaining("createSchema()");
        PostgresServer.execute(source, "CREATE TABLE " + schema + ".theirs (name text)");
        assertThatThrownBy(() -> SessionLocks.over(engine.withTable("theirs")).acquire("a")).hasMessageContaining("is not the one");
        none.close();
    }

    @Test
    void userWithoutPermissionIsToldWhichOneIsMissing() throws Exception {
        String user = "u" + schema;
        PostgresServer.execute(source, "CREATE ROLE " + user);
        PostgresServer.execute(source, "GRANT USAGE ON SCHEMA " + schema + " TO " + user);
        try (HikariDataSource poor = PostgresServer.pool(PostgresServer.url("options=-c%20role=" + user), 1)) {
            JdbcLockEngine theirs = JdbcLockEngine.postgresql(poor).withSchema(schema);
            assertThatThrownBy(() -> SessionLocks.over(theirs).acquire("a")).isInstanceOf(LockException.class)
                    .hasMessageContaining("GRANT SELECT, INSERT, UPDATE ON \"" + schema + "\".\"session_lock\"");
            theirs.createSchema(); // it is there
            assertThatThrownBy(() -> theirs.withTable("another").createSchema()).isInstanceOf(LockException.class)
                    .hasMessageContaining("no permission");
            PostgresServer.execute(source, "GRANT SELECT, INSERT, UPDATE ON " + schema + ".session_lock TO " + user);
            SessionLocks.over(theirs).acquire("a").close();
        } finally {
            PostgresServer.execute(source, "DROP OWNED BY " + user);
            PostgresServer.execute(source, "DROP ROLE " + user);
        }
    }

    @Test
    void otherProductsAreRefused() {
        DatabaseMetaData oracle = (DatabaseMetaData) Proxy.newProxyInstance(getClass().getClassLoader(), new Class<?>[] {DatabaseMetaData.class},
                (proxy, method, args) -> "Oracle");
        DataSource data = (DataSource) Proxy.newProxyInstance(getClass().getClassLoader(), new Class<?>[] {DataSource.class},
                (proxy, method, args) -> {
                    Connection real = source.getConnection();
                    return Proxy.newProxyInstance(getClass().getClassLoader(), new Class<?>[] {Connection.class},
                            (it, asked, with) -> asked.getName().equals("getMetaData") ? oracle : asked.invoke(real, with));
                });
        assertThatThrownBy(() -> SessionLocks.over(JdbcLockEngine.postgresql(data)).acquire("a")).isInstanceOf(LockException.class)
                .hasMessageContaining("leads to Oracle");
    }

    @Test
    void readOnlyServerIsRefusedInWords() throws Exception {
        try (HikariDataSource replica = PostgresServer.pool(PostgresServer.url("options=-c%20default_transaction_read_only=on"), 1)) {
            assertThatThrownBy(() -> SessionLocks.over(JdbcLockEngine.postgresql(replica).withSchema(schema)).acquire("a"))
                    .isInstanceOf(LockException.class).hasMessageContaining("connect to the primary");
        }
    }

    @Test
    void nonsenseIsRefusedAtOnce() {
        assertThatIllegalArgumentException().isThrownBy(() -> engine.withSchema("a\"; DROP TABLE x; --"));
        assertThatIllegalArgumentException().isThrownBy(() -> engine.withTable("1a"));
        assertThatIllegalArgumentException().isThrownBy(() -> engine.withStatementTimeout(Duration.ZERO));
    }

    @Test
    @Tag("soak")
    void dataSourceThatThrowsNoSqlExceptionHarmsNobodyElse() throws Exception {
        AtomicReference<RuntimeException> trouble = new AtomicReference<>();
        DataSource moody = (DataSource) Proxy.newProxyInstance(getClass().getClassLoader(), new Class<?>[] {DataSource.class},
                (proxy, method, args) -> {
                    if (trouble.get() != null) {
                        throw trouble.get();
                    }
                    return source.getConnection();
                });
        SessionLocks on = SessionLocks.over(JdbcLockEngine.postgresql(moody).withSchema(schema));
        SessionLock lock = on.acquire("a", PATIENT.withLease(Duration.ofSeconds(6)));
        trouble.set(new IllegalStateException("pool is closed"));
        assertThatThrownBy(() -> on.acquire("b")).hasMessageContaining("pool is closed");
        Thread.sleep(2_500); // a renewal fails meanwhile
        trouble.set(null);
        String before = PostgresServer.ask(source, "SELECT renewed_at FROM " + schema + ".session_lock WHERE name = 'a'");
        await().atMost(PATIENCE).until(() -> !before.equals(PostgresServer.ask(source,
                "SELECT renewed_at FROM " + schema + ".session_lock WHERE name = 'a'")));
        lock.close();
        on.close();
    }

    @Test
    @Tag("soak")
    void rowThatIsLockedByAPersonKeepsNoOtherLeaseFromBeingRenewed() throws Exception {
        LockOptions brief = PATIENT.withLease(Duration.ofSeconds(4));
        try (SessionLock one = locks.acquire("a", brief); SessionLock two = locks.acquire("b", brief);
                Connection person = source.getConnection()) {
            person.setAutoCommit(false);
            try (java.sql.Statement statement = person.createStatement()) {
                statement.execute("SELECT 1 FROM " + schema + ".session_lock WHERE name = 'a' FOR UPDATE");
            }
            AtomicReference<LockLostException> told = new AtomicReference<>();
            one.onLost(told::set);
            await().atMost(PATIENCE).until(() -> told.get() != null);
            assertThat(told.get()).hasMessageContaining("its row is locked by another transaction");
            assertThat(two.isHeld()).isTrue();
            assertThat(others.tryAcquire("a")).isEmpty();
            person.rollback();
        }
        others.acquire("a", PATIENT).close();
    }
}

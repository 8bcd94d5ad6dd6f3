package dev.sessionlock.jdbc;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import com.zaxxer.hikari.HikariDataSource;
import dev.sessionlock.LockMode;
import dev.sessionlock.LockOptions;
import dev.sessionlock.SessionLock;
import dev.sessionlock.SessionLocks;
import dev.sessionlock.spi.Busy;
import dev.sessionlock.spi.EngineLock;
import dev.sessionlock.spi.LockEngine;
import dev.sessionlock.spi.Terms;
import java.sql.SQLException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import javax.sql.DataSource;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;

/** Locks in a table, and processes that wait for them and are woken by the server. */
abstract class JdbcListeningFixture {
    static final Duration PATIENCE = Duration.ofSeconds(60);
    static final LockOptions PATIENT = LockOptions.defaults().withTimeout(PATIENCE);
    static final Terms TERMS = new Terms(TimeUnit.SECONDS.toNanos(60), true, -1, "test", null, false);

    final String schema = PostgresServer.newSchema();
    private final List<SessionLocks> opened = new ArrayList<>();
    HikariDataSource source;
    DataSource direct;
    JdbcLockEngine polling;
    JdbcLockEngine listening;

    @BeforeEach
    void open() throws Exception {
        source = PostgresServer.pool(PostgresServer.url(), 6);
        direct = PostgresServer.plain(PostgresServer.url());
        polling = JdbcLockEngine.postgresql(source).withSchema(schema);
        polling.createSchema();
        listening = polling.withListening(direct);
    }

    @AfterEach
    void close() {
        opened.forEach(SessionLocks::close);
        source.close();
    }

    SessionLocks over(LockEngine engine) {
        SessionLocks locks = SessionLocks.over(engine);
        opened.add(locks);
        return locks;
    }

    static EngineLock lock(LockEngine of, String name) throws Exception {
        return of.pin(of.idOfName(name)).lock(name);
    }

    String ask(String sql) throws SQLException {
        return PostgresServer.ask(source, sql);
    }

    /** {@return the server's processes that listen for whoever waits for that lock} */
    String listeners(String name) {
        try {
            return ask("SELECT string_agg(pid::text, ',') FROM pg_stat_activity WHERE query = (SELECT 'LISTEN \"sessionlock_' || hand || '\"' FROM " + schema
                    + ".session_lock WHERE name = '" + name.replace("'", "''") + "')");
        } catch (SQLException e) {
            throw new IllegalStateException(e);
        }
    }

    /** Waits for a lock as a head does, except that it never polls by itself: what wakes it is the server. */
    final class Waiting {
        final EngineLock lock;
        final AtomicInteger woken = new AtomicInteger();

        Waiting(LockEngine engine, String name) throws Exception {
            lock = lock(engine, name);
            lock.onFreed(woken::incrementAndGet);
        }

        Waiting say() throws Exception {
            assertThat(lock.take(TERMS)).isInstanceOf(Busy.class);
            lock.setWaiterMark(LockMode.EXCLUSIVE, true);
            return this;
        }

        Waiting isHeard() throws Exception {
            say();
            await().atMost(PATIENCE).pollInterval(Duration.ofMillis(20)).until(() -> {
                say();
                return listeners(lock.name()) != null;
            });
            return say();
        }

        void awaitWoken() {
            await().atMost(PATIENCE).until(() -> woken.get() > 0);
        }
    }

    static CompletableFuture<Long> inBackground(SessionLocks locks, String name, LockOptions options) {
        return CompletableFuture.supplyAsync(() -> {
            try {
                SessionLock lock = locks.acquire(name, options);
                long in = System.nanoTime();
                lock.close();
                return in;
            } catch (Exception e) {
                throw new IllegalStateException(e);
            }
        }, task -> new Thread(task).start());
    }
}

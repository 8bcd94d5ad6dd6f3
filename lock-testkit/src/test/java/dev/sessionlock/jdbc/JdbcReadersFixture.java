package dev.sessionlock.jdbc;

import static org.assertj.core.api.Assertions.assertThat;

import com.zaxxer.hikari.HikariDataSource;
import dev.sessionlock.LockMode;
import dev.sessionlock.spi.AcquireResult;
import dev.sessionlock.spi.Busy;
import dev.sessionlock.spi.EngineLock;
import dev.sessionlock.spi.Hold;
import dev.sessionlock.spi.LockEngine;
import dev.sessionlock.spi.Terms;
import java.sql.SQLException;
import java.time.Duration;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;

/** Locks in a table that are shared. Each engine plays a process. */
abstract class JdbcReadersFixture {
    static final Duration PATIENCE = Duration.ofSeconds(60);
    /** For what nobody waits for. */
    static final Duration LONG = Duration.ofMinutes(5);
    static final Duration LIMIT = Duration.ofSeconds(5);
    static final Terms READ = terms(LockMode.SHARED, LONG);
    static final Terms WRITE = terms(LockMode.EXCLUSIVE, LONG);

    final String schema = PostgresServer.newSchema();
    HikariDataSource source;
    JdbcLockEngine first;

    @BeforeEach
    void open() throws Exception {
        source = PostgresServer.pool(PostgresServer.url(), 8);
        first = engine();
        first.createSchema();
    }

    @AfterEach
    void close() {
        source.close();
    }

    JdbcLockEngine engine() {
        return JdbcLockEngine.postgresql(source).withSchema(schema);
    }

    static Terms terms(LockMode mode, Duration lease) {
        return new Terms(lease.toNanos(), true, -1, "test", "a test", false, mode);
    }

    static EngineLock lock(LockEngine of, String name) throws Exception {
        return of.pin(of.idOfName(name)).lock(name);
    }

    /** {@return the lock {@code a} of another process} */
    EngineLock another() throws Exception {
        return lock(engine(), "a");
    }

    static JdbcHold take(EngineLock lock, Terms terms) throws Exception {
        AcquireResult taken = lock.take(terms);
        assertThat(taken).isInstanceOf(Hold.class);
        return (JdbcHold) taken;
    }

    static Busy isBusy(EngineLock lock, Terms terms) throws Exception {
        AcquireResult taken = lock.take(terms);
        assertThat(taken).isInstanceOf(Busy.class);
        return (Busy) taken;
    }

    /** Waits as a thread does that wants to write. */
    static Busy waitToWrite(EngineLock lock) throws Exception {
        Busy busy = isBusy(lock, WRITE);
        lock.setWaiterMark(LockMode.EXCLUSIVE, true);
        return busy;
    }

    static boolean isValid(Hold hold) {
        return hold.isValid(System.nanoTime());
    }

    String ask(String sql) throws SQLException {
        return PostgresServer.ask(source, sql.replace("LOCKS", schema + ".session_lock").replace("READERS", schema + ".session_lock_readers"));
    }

    void execute(String sql) throws SQLException {
        PostgresServer.execute(source, sql.replace("LOCKS", schema + ".session_lock").replace("READERS", schema + ".session_lock_readers"));
    }

    static void sleep(Duration time) throws InterruptedException {
        TimeUnit.NANOSECONDS.sleep(time.toNanos());
    }
}

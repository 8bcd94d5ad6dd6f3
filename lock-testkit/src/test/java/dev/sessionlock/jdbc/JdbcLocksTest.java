package dev.sessionlock.jdbc;

import static org.assertj.core.api.Assertions.assertThat;

import com.zaxxer.hikari.HikariDataSource;
import dev.sessionlock.LockReport.State;
import dev.sessionlock.SessionLock;
import dev.sessionlock.SessionLocks;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** The locks in a table as their users see them. */
class JdbcLocksTest {
    private HikariDataSource source;
    private JdbcLockEngine engine;
    private SessionLocks locks;

    @BeforeEach
    void open() throws Exception {
        source = PostgresServer.pool(PostgresServer.url(), 4);
        engine = JdbcLockEngine.postgresql(source).withSchema(PostgresServer.newSchema());
        engine.createSchema();
        locks = SessionLocks.over(engine);
    }

    @AfterEach
    void close() {
        locks.close();
        source.close();
    }

    @Test
    void lockIsHeldAndGivenBackUnderItsName() throws Exception {
        long token;
        try (SessionLock lock = locks.acquire("session-4711")) {
            token = lock.token();
            assertThat(lock.name()).isEqualTo("session-4711");
            assertThat(lock.lockFile()).isNull();
            lock.verifyHeld();
            assertThat(locks.inspect("session-4711").state()).isEqualTo(State.HELD);
            assertThat(locks.inspect("session-4711").owner().pid()).isEqualTo(ProcessHandle.current().pid());
        }
        assertThat(locks.inspect("session-4711").state()).isEqualTo(State.FREE);
        try (SessionLock lock = locks.acquire("session-4711")) {
            assertThat(lock.token()).isGreaterThan(token);
        }
    }
}

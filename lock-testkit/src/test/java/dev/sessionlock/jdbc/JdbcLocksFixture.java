package dev.sessionlock.jdbc;

import com.zaxxer.hikari.HikariDataSource;
import dev.sessionlock.LockOptions;
import dev.sessionlock.SessionLocks;
import java.time.Duration;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;

/** Locks in a table, as two users see them. */
abstract class JdbcLocksFixture {
    static final Duration PATIENCE = Duration.ofSeconds(60);
    static final LockOptions PATIENT = LockOptions.defaults().withTimeout(PATIENCE);
    final String schema = PostgresServer.newSchema();
    HikariDataSource source;
    JdbcLockEngine engine;
    SessionLocks locks;
    SessionLocks others;

    @BeforeEach
    void open() throws Exception {
        source = PostgresServer.pool(PostgresServer.url(), 4);
        engine = JdbcLockEngine.postgresql(source).withSchema(schema);
        engine.createSchema();
        locks = SessionLocks.over(engine);
        others = SessionLocks.over(JdbcLockEngine.postgresql(source).withSchema(schema));
    }

    @AfterEach
    void close() {
        locks.close();
        others.close();
        source.close();
    }
}

package dev.sessionlock.jdbc;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import com.zaxxer.hikari.HikariDataSource;
import dev.sessionlock.LockException;
import dev.sessionlock.LockOptions;
import dev.sessionlock.PastHold;
import dev.sessionlock.PastHold.Ending;
import dev.sessionlock.SessionLock;
import dev.sessionlock.SessionLocks;
import dev.sessionlock.testkit.ChildJvm;
import dev.sessionlock.testkit.ChildScenario;
import dev.sessionlock.testkit.ParentJvm;
import java.sql.SQLException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;

/** Locks in a table whose history is written, and somebody who reads it as another process would. */
abstract class JdbcHistoryFixture {
    static final Duration PATIENCE = Duration.ofSeconds(60);
    static final int PLENTY = 10_000;
    static final int ROWS = 1_000;
    static final LockOptions OPTIONS = LockOptions.defaults().withTimeout(PATIENCE).withPurpose("append");
    static final Duration SHORT_LEASE = Duration.ofSeconds(2);
    /** Its ending is unusual, and comes soon. */
    static final LockOptions BRIEF = OPTIONS.withMaxHold(Duration.ofMillis(100));

    final String schema = PostgresServer.newSchema();
    final String table = schema + ".session_lock_history";
    private final List<AutoCloseable> opened = new ArrayList<>();
    HikariDataSource source;
    JdbcLockEngine without;
    JdbcLockEngine engine;
    SessionLocks locks;
    /** Of an engine that has nothing in memory. */
    SessionLocks reader;

    @BeforeEach
    void open() throws Exception {
        source = PostgresServer.patientPool(PostgresServer.url(), 4);
        without = JdbcLockEngine.postgresql(source).withSchema(schema);
        engine = without.withHistory(ROWS);
        engine.createSchema();
        locks = over(engine);
        reader = over(without);
    }

    @AfterEach
    void close() throws Exception {
        for (AutoCloseable each : opened) {
            each.close();
        }
        source.close();
    }

    <T extends AutoCloseable> T closing(T fresh) {
        opened.add(0, fresh);
        return fresh;
    }

    SessionLocks over(JdbcLockEngine some) {
        return closing(SessionLocks.over(some));
    }

    void execute(String sql) throws SQLException {
        PostgresServer.execute(source, sql);
    }

    String ask(String sql) throws SQLException {
        return PostgresServer.ask(source, sql);
    }

    /** {@return what is in the table} */
    List<PastHold> written() throws LockException {
        return reader.historyOfAll("", PLENTY);
    }

    PastHold untilWritten(Ending ending) throws LockException {
        await().atMost(PATIENCE).untilAsserted(() -> assertThat(written()).extracting(PastHold::ending).contains(ending));
        return written().stream().filter(hold -> hold.ending() == ending).findFirst().orElseThrow();
    }

    void untilRows(int rows) {
        await().atMost(PATIENCE).untilAsserted(() -> assertThat(written()).hasSize(rows));
    }

    /** Three holds that end in a way that is written at once. */
    static void locksGoOn(SessionLocks on) throws Exception {
        for (int i = 0; i < 3; i++) {
            try (SessionLock lock = on.acquire("a", BRIEF)) {
                await().atMost(PATIENCE).until(() -> !lock.isHeld());
            }
        }
        assertThat(on.tryAcquire("b", OPTIONS)).hasValueSatisfying(SessionLock::close);
    }

    ChildJvm child(Class<? extends ChildScenario> what) throws Exception {
        return child(what, OPTIONS.lease());
    }

    ChildJvm child(Class<? extends ChildScenario> what, Duration lease) throws Exception {
        return closing(ChildJvm.of(what).args(PostgresServer.url(), schema, lease.toString()).jvmArgs("-Xmx96m", "-XX:TieredStopAtLevel=1").start());
    }

    private static JdbcLockEngine engineOf(ParentJvm parent) {
        return JdbcLockEngine.postgresql(PostgresServer.patientPool(parent.args().get(0), 3)).withSchema(parent.args().get(1));
    }

    /** Holds a lock until it is told to close it. */
    static final class Holding implements ChildScenario {
        @Override
        public void run(ParentJvm parent) throws Exception {
            SessionLocks locks = SessionLocks.over(engineOf(parent).withHistory(ROWS));
            SessionLock lock = locks.acquire("a", OPTIONS.withPurpose("child").withLease(Duration.parse(parent.args().get(2))));
            parent.mark("held", lock.token());
            parent.awaitLine("close");
            lock.close();
            locks.close();
        }
    }

    /** Says what it reads. */
    static final class Reading implements ChildScenario {
        @Override
        public void run(ParentJvm parent) throws Exception {
            try (SessionLocks locks = SessionLocks.over(engineOf(parent))) {
                parent.mark("read", locks.history("a", PLENTY).stream().map(PastHold::toString).toArray());
            }
        }
    }
}

package dev.sessionlock.jdbc;

import static org.assertj.core.api.Assertions.assertThat;

import com.zaxxer.hikari.HikariDataSource;
import dev.sessionlock.LockException;
import dev.sessionlock.PastHold;
import dev.sessionlock.SessionLock;
import dev.sessionlock.SessionLocks;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.SQLException;
import java.util.List;
import javax.sql.DataSource;
import org.junit.jupiter.api.Test;

/** The guide's example for many machines, word for word. */
class JdbcExamplesTest {

    // guide begins
    record MessageStore(DataSource database, SessionLocks locks) {

        void append(String session, List<String> lines) throws LockException, InterruptedException, SQLException {
            try (SessionLock lock = locks.acquire(session); Connection connection = database.getConnection()) {
                connection.setAutoCommit(false);
                try (PreparedStatement insert = connection.prepareStatement("INSERT INTO message (session, line) VALUES (?, ?)")) {
                    JdbcLockEngine.fence(connection, lock);        // first; from here to the commit nobody else gets the lock
                    for (String line : lines) {
                        insert.setString(1, session);
                        insert.setString(2, line);
                        insert.executeUpdate();
                    }
                    connection.commit();
                } catch (LockException | SQLException e) {
                    connection.rollback();                         // nothing of it was written
                    throw e;
                }
            }
        }
    }
    // guide ends

    @Test
    void messagesAreAppendedUnderTheFence() throws Exception {
        String schema = PostgresServer.newSchema();
        JdbcLockEngine engine = JdbcLockEngine.postgresql(PostgresServer.plain(PostgresServer.url())).withSchema(schema);
        engine.createSchema();
        try (HikariDataSource source = PostgresServer.pool(PostgresServer.url("currentSchema=" + schema), 3);
                SessionLocks locks = SessionLocks.over(JdbcLockEngine.postgresql(source))) {
            PostgresServer.execute(source, "CREATE TABLE message (session text, line text)");
            new MessageStore(source, locks).append("session-4711", List.of("one", "two"));
            assertThat(PostgresServer.ask(source, "SELECT string_agg(line, ',' ORDER BY line) FROM message")).isEqualTo("one,two");
        }
    }

    @Test
    void waitingThreadsAreWoken() throws Exception {
        DataSource direct = PostgresServer.plain(PostgresServer.url());
        try (HikariDataSource pool = PostgresServer.pool(PostgresServer.url(), 3)) {
            JdbcLockEngine engine = JdbcLockEngine.postgresql(pool).withListening(direct);
            engine = engine.withSchema(PostgresServer.newSchema());
            engine.createSchema();
            SessionLocks locks = SessionLocks.over(engine);
            SessionLock lock = locks.acquire("session-4711");
            assertThat(lock.isHeld()).isTrue();
            lock.close();
            locks.close();
        }
    }

    @Test
    void historyIsWritten() throws Exception {
        try (HikariDataSource pool = PostgresServer.pool(PostgresServer.url(), 3)) {
            JdbcLockEngine engine = JdbcLockEngine.postgresql(pool).withHistory(10_000);
            engine = engine.withSchema(PostgresServer.newSchema());
            engine.createSchema();
            SessionLocks locks = SessionLocks.over(engine);
            locks.acquire("session-4711").close();
            for (PastHold hold : locks.history("session-4711", 10)) {
                assertThat(hold.ending()).isEqualTo(PastHold.Ending.RELEASED);
            }
            assertThat(locks.historyOfAll("session-", 10)).hasSize(1);
            locks.close();
        }
    }

    @Test
    void theGuideHasIt() throws Exception {
        String source = Files.readString(Path.of("src/test/java/dev/sessionlock/jdbc/JdbcExamplesTest.java"), StandardCharsets.UTF_8);
        String example = source.substring(source.indexOf("// guide begins\n") + "// guide begins\n".length(), source.indexOf("    // guide ends"));
        assertThat(Files.readString(Path.of("..", "lock-core", "README.md"), StandardCharsets.UTF_8)).contains(example.stripTrailing().stripIndent().strip());
    }
}

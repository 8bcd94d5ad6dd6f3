package dev.sessionlock.jdbc;

import dev.sessionlock.LockException;
import dev.sessionlock.LockLostException;
import dev.sessionlock.SessionLock;
import dev.sessionlock.internal.system.Loggers;
import dev.sessionlock.spi.Clock;
import dev.sessionlock.spi.EngineLock;
import dev.sessionlock.spi.LockEngine;
import dev.sessionlock.spi.Inspection;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.Objects;
import java.util.Set;
import java.util.concurrent.ThreadFactory;
import java.util.regex.Matcher;
import javax.sql.DataSource;
import org.jetbrains.annotations.NotNull;
import org.jetbrains.annotations.Nullable;

/**
 * Locks for many machines, in a table of PostgreSQL (12 or later; tested with 14). The driver and the data source are the user's.
 *
 * <pre>{@code
 * JdbcLockEngine engine = JdbcLockEngine.postgresql(dataSource);
 * engine.createSchema();                                       // once; or run postgresql.sql, which is in the jar
 * SessionLocks locks = SessionLocks.over(engine);
 *
 * try (SessionLock lock = locks.acquire("session-4711");
 *         Connection connection = dataSource.getConnection()) {
 *     connection.setAutoCommit(false);
 *     JdbcLockEngine.fence(connection, lock);                  // from here to the commit nobody else gets the lock
 *     insertMessage(connection, message);
 *     connection.commit();
 * }
 * }</pre>
 *
 * <p><b>What is relied upon</b>: the server's clock, its transactions, its durability. A server whose clock is set forward gives locks
 * away under their holders, as does a fail-over to a replica that had not got the last commits ({@code synchronous_commit} with a
 * synchronous standby keeps it from that); {@link #fence} does not depend on any clock, but on the one database.
 *
 * <p><b>The clocks of the machines that lock</b> may be wrong, by hours, and the locks exclude each other all the same. But a holder whose
 * wall clock is set <em>ahead</em> while it holds, by more than is left of its lease (20 to 30 s of the 30 s that are the default), loses
 * its lock: a machine that has slept looks the same, and there others may have the lock by now. The {@link LockLostException} says so, and
 * by how much the clock jumped. A clock that is set back changes nothing.
 *
 * <p><b>How long a lock can be stuck</b>: a holder that was killed, is frozen, or is cut off from the database, for its lease and a grace
 * (the greater of 50 ms and a tenth of the lease) since its last renewal; that of a process that died on the same machine, not at all,
 * since there its death can be seen. Nobody can tell a dead machine from a silent one, so {@code takeover(false)} means another lease
 * here: the longest there is, 10 min.
 *
 * <p><b>What it costs</b>: a connection is had from the data source for each statement, and given back at once; none is held while holding
 * or waiting. Taking and releasing are one statement each; all locks of a process are renewed in one. A thread that waits tries again
 * after 8 to 250 ms, one for a name and process. If a process holds anything, it asks once a second whether it is to let go. A pool that is
 * used up by other work is a database that is away: leases run out meanwhile, so a data source of its own, with a few connections, is a
 * good idea. The connections come back as they came (auto-commit, read-only, network timeout); their isolation and schema do not matter.
 *
 * <p><b>When the database is away</b>: who waits goes on until its timeout, whose message has the cause; a single try fails with a
 * {@link LockException}; a holder loses its lock before the server would let others in, and its {@link LockLostException} says why. A
 * statement that gets no answer is given up after 5 s ({@link #withStatementTimeout}), so that a timeout may come later by as much, and
 * by as long as the data source takes to give a connection. Whatever else the data source or the driver throws, also an {@code Error}, is
 * thrown on to whoever called; the lock is nobody's then, within a second or two, or once the database is back.
 *
 * <p>Names are any text of 1 to 1,024 bytes in UTF-8 without control characters. The same name is the same lock, whoever uses it. One
 * engine is enough for a JVM. Thread-safe.
 */
public final class JdbcLockEngine implements LockEngine {
    private static final int LONGEST_NAME = 1024;
    private static final Duration STATEMENT_TIMEOUT = Duration.ofSeconds(5);
    private static final int CREATE_TRIES = 5;
    /** A name that is there already, in three ways. */
    private static final Set<String> MADE_BY_ANOTHER = Set.of("23505", "42P06", "42P07");
    private static final long SCHEMA_LOCK = 0x5e5510_10c4L;

    private final DataSource source;
    private final @Nullable String schema;
    private final String tableName;
    private final Duration statementTimeout;
    private final Clock clock;
    private final LockTable table;
    private final RenewalWorker renewals;
    private final LockNamespace namespace = new Rows();

    JdbcLockEngine(DataSource source, @Nullable String schema, String tableName, Duration statementTimeout, Clock clock) {
        this(source, schema, tableName, statementTimeout, clock, RenewalWorker::daemon);
    }

    /** @param threads makes the thread that renews */
    JdbcLockEngine(DataSource source, @Nullable String schema, String tableName, Duration statementTimeout, Clock clock,
            ThreadFactory threads) {
        this.source = source;
        this.schema = schema;
        this.tableName = tableName;
        this.statementTimeout = statementTimeout;
        this.clock = clock;
        this.table = new LockTable(new Database(source), schema, tableName);
        this.renewals = new RenewalWorker(table, clock, statementTimeout, threads);
    }

    /**
     * {@return the locks of a PostgreSQL database, in the table {@code session_lock} of whatever schema its connections find it in} Nothing
     * is asked of the database yet.
     *
     * @param dataSource where connections come from; a pool, or else each statement makes a connection of its own
     */
    public static @NotNull JdbcLockEngine postgresql(@NotNull DataSource dataSource) {
        return new JdbcLockEngine(Objects.requireNonNull(dataSource, "dataSource"), null, LockTable.DEFAULT_NAME, STATEMENT_TIMEOUT, Clock.SYSTEM);
    }

    /**
     * Names the schema of the table, rather than leaving it to the search path.
     *
     * @param schema letters, digits, {@code _} and {@code $}; upper and lower case differ
     * @return another engine
     * @throws IllegalArgumentException if it is no such name
     */
    public @NotNull JdbcLockEngine withSchema(@NotNull String schema) {
        return new JdbcLockEngine(source, Objects.requireNonNull(schema, "schema"), tableName, statementTimeout, clock);
    }

    /**
     * Names the table; {@code session_lock} unless named.
     *
     * @param table letters, digits, {@code _} and {@code $}; upper and lower case differ
     * @return another engine
     * @throws IllegalArgumentException if it is no such name
     */
    public @NotNull JdbcLockEngine withTable(@NotNull String table) {
        return new JdbcLockEngine(source, schema, Objects.requireNonNull(table, "table"), statementTimeout, clock);
    }

    /**
     * How long a statement is waited for before its connection is given up; renewals are given up sooner if their lease is short. 5 s
     * unless said.
     *
     * @param timeout 100 ms to 1 min
     * @return another engine
     * @throws IllegalArgumentException if it is outside
     */
    public @NotNull JdbcLockEngine withStatementTimeout(@NotNull Duration timeout) {
        if (timeout.compareTo(Duration.ofMillis(100)) < 0 || timeout.compareTo(Duration.ofMinutes(1)) > 0) {
            throw new IllegalArgumentException("statementTimeout must be from 100ms to 1m, not " + timeout);
        }
        return new JdbcLockEngine(source, schema, tableName, timeout, clock);
    }

    // ---- the table ----

    /**
     * Makes the table, and its schema if one was {@linkplain #withSchema named}, unless it is there. May be called by many at once.
     *
     * @throws LockException if it cannot be made: mostly the user may not create tables, and {@code dev/sessionlock/jdbc/postgresql.sql},
     *     a resource of this module, is to be run by one who may
     */
    public void createSchema() throws LockException {
        try {
            for (int tries = 1; !exists(); tries++) {
                try {
                    table.database().inTransaction(statementTimeout, this::create);
                } catch (SQLException e) {
                    if (tries == CREATE_TRIES || !MADE_BY_ANOTHER.contains(String.valueOf(e.getSQLState()))) {
                        throw e;
                    }
                }
            }
        } catch (SQLException e) {
            throw Database.explain(e, "cannot make the table " + table.sqlName(), table.sqlName());
        }
    }

    private boolean exists() throws SQLException {
        return table.database().run(statementTimeout, connection -> {
            try (PreparedStatement find = connection.prepareStatement("SELECT to_regclass(?) IS NOT NULL")) {
                find.setString(1, table.sqlName());
                try (ResultSet found = find.executeQuery()) {
                    return found.next() && found.getBoolean(1);
                }
            }
        });
    }

    /**
     * One after the other: two that do it at once would fail on each other's catalogue entries, IF NOT EXISTS or not. Who has waited may
     * still have the catalogue in mind as it was before, and has to try again in another transaction.
     */
    private boolean create(Connection connection) throws SQLException {
        try (Statement statement = connection.createStatement()) {
            statement.execute("SELECT pg_advisory_xact_lock(" + SCHEMA_LOCK + ")");
            if (schema != null) {
                statement.execute("CREATE SCHEMA IF NOT EXISTS \"" + schema + '"');
            }
            for (String sql : script().replaceAll("(?m)--.*$", "").split(";")) {
                if (!sql.isBlank()) {
                    statement.execute(sql.replaceAll("\\bsession_lock\\b", Matcher.quoteReplacement(table.sqlName()))
                            .replaceAll("\\bsession_lock_requests\\b", Matcher.quoteReplacement('"' + tableName + "_requests\"")));
                }
            }
            return true;
        }
    }

    private static String script() {
        try (InputStream script = JdbcLockEngine.class.getResourceAsStream("postgresql.sql")) {
            return new String(Objects.requireNonNull(script, "postgresql.sql").readAllBytes(), StandardCharsets.UTF_8);
        } catch (IOException e) {
            throw new AssertionError("the jar has no postgresql.sql", e);
        }
    }

    // ---- fencing ----

    /**
     * Ties a transaction to a lock: from here to its end nobody else gets the lock, however late the commit comes; or, if the lock is lost
     * already, it fails. So what is written in it is written by the holder, also if his process was frozen in between, at any point. The
     * database enforces it; clocks do not matter, nor does it matter whether the lock's lease runs out before the commit.
     *
     * <p>Let it be the transaction's first statement: in one of a stricter isolation than read committed a later one sees the lock as it
     * was when the transaction began. A transaction that is idle for longer than the lock's lease is ended by the server (it sets
     * {@code idle_in_transaction_session_timeout} for this transaction), or a client that is frozen in it would keep the lock for ever.
     * The lock may be closed before the commit; it becomes free with the commit.
     *
     * <pre>{@code
     * connection.setAutoCommit(false);
     * JdbcLockEngine.fence(connection, lock);
     * try (PreparedStatement insert = connection.prepareStatement("INSERT INTO message (session, line) VALUES (?, ?)")) {
     *     insert.setString(1, lock.name());
     *     insert.setString(2, line);
     *     insert.executeUpdate();
     * }
     * connection.commit();
     * }</pre>
     *
     * @param connection with a transaction of the user's, in the database that the lock is in, and with a search path that finds the same
     *     table unless the engine's was named with its {@linkplain #withSchema schema}; it stays open
     * @param lock the lock; if it stands for several, all of them
     * @throws LockLostException if it was lost; the transaction should be rolled back
     * @throws SQLException if the database refuses
     * @throws IllegalArgumentException if the lock is not in a database
     * @throws IllegalStateException if the connection commits each statement by itself, or the lock was closed
     */
    public static void fence(@NotNull Connection connection, @NotNull SessionLock lock) throws LockLostException, SQLException {
        if (connection.getAutoCommit()) {
            throw new IllegalStateException("the connection is in auto-commit, so the fence would end with this statement: call "
                    + "setAutoCommit(false) first, and commit() after the writes");
        }
        for (SessionLock part : lock.parts()) {
            JdbcHold hold = part.unwrap(JdbcHold.class).orElseThrow(() -> new IllegalArgumentException("the lock " + part.name()
                    + " is not in a database, so no transaction can be tied to it"));
            part.ensureHeld();
            if (!hold.table.fence(connection, hold)) {
                throw new LockLostException(LockLostException.Reason.LEASE_EXPIRED, Instant.now(), lost(connection, part));
            }
        }
    }

    private static String lost(Connection connection, SessionLock lock) throws SQLException {
        boolean strict = connection.getTransactionIsolation() > Connection.TRANSACTION_READ_COMMITTED;
        return "the lock " + lock.name() + " (token " + lock.token() + ") is not this holder's by what the database says: its lease is over, and "
                + "another may have it" + (strict ? "; or this transaction, which is stricter than read committed, began before it was taken: "
                + "let fence() be its first statement" : "") + ". Roll this transaction back";
    }

    // ---- where the locks come from ----

    @Override
    public @NotNull Clock clock() {
        return clock;
    }

    @Override
    public @NotNull LockId idOfName(@NotNull String name) throws LockException {
        int bytes = name.getBytes(StandardCharsets.UTF_8).length;
        if (name.isEmpty()) {
            throw new LockException("a lock's name cannot be empty");
        } else if (bytes > LONGEST_NAME) {
            throw new LockException("the name " + name.substring(0, 40) + "... is " + bytes + " bytes long; a lock's may have " + LONGEST_NAME);
        } else if (name.codePoints().anyMatch(point -> Character.isISOControl(point) || Character.getType(point) == Character.SURROGATE)) {
            throw new LockException("a lock's name cannot have control characters or halves of characters: " + name);
        }
        return new LockId(null, name, false);
    }

    @Override
    public @NotNull LockNamespace pin(@NotNull LockId id) {
        Loggers.load();
        return namespace;
    }

    /** There is nothing to open. */
    private final class Rows implements LockNamespace {
        @Override
        public @NotNull EngineLock lock(@NotNull String name) {
            return new JdbcLock(table, renewals, clock, statementTimeout, name);
        }
    }

    @Override
    public @NotNull Inspection inspect(@NotNull LockId id) throws LockException {
        try {
            return new Inspection(id, RowReports.of(id.name(), table.look(id.name(), statementTimeout)));
        } catch (SQLException e) {
            throw Database.explain(e, "cannot look at " + id.name(), table.sqlName());
        }
    }

    @Override
    public @NotNull List<Inspection> inspectAll(@NotNull String prefix) throws LockException {
        try {
            return table.lookAll(prefix, statementTimeout).stream()
                    .map(row -> new Inspection(new LockId(null, row.name(), false), RowReports.of(row.name(), row))).toList();
        } catch (SQLException e) {
            throw Database.explain(e, "cannot look at the locks", table.sqlName());
        }
    }

    @Override
    public boolean closeIdle(boolean atOnce) {
        return renewals.isIdle();
    }

    /** {@return the table, for messages} */
    @Override
    public @NotNull String toString() {
        return "the table " + table.sqlName() + " of a database";
    }
}

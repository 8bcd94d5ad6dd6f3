package dev.sessionlock.jdbc;

import dev.sessionlock.LockException;
import dev.sessionlock.LockLostException;
import dev.sessionlock.LockMode;
import dev.sessionlock.PastHold;
import dev.sessionlock.SessionLock;
import dev.sessionlock.SessionLocks;
import dev.sessionlock.internal.system.Loggers;
import dev.sessionlock.internal.system.PastHolds;
import dev.sessionlock.spi.Clock;
import dev.sessionlock.spi.EngineLock;
import dev.sessionlock.spi.Inspection;
import dev.sessionlock.spi.LockEngine;
import dev.sessionlock.spi.Maintainable;
import java.nio.charset.StandardCharsets;
import java.sql.Connection;
import java.sql.SQLException;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.concurrent.ThreadFactory;
import java.util.function.Predicate;
import javax.sql.DataSource;
import org.jspecify.annotations.Nullable;

/**
 * Locks for many machines, in a table of PostgreSQL (12 or later; tested with 14). The user provides the driver and the data source.
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
 * <p><b>What it relies on</b>: the server's clock, its transactions, its durability. If the server's clock is set forward, others get locks that are
 * still held. The same happens after a fail-over to a replica that had not received the last commits; {@code synchronous_commit} with a synchronous
 * standby prevents that. {@link #fence} depends on no clock, only on the one database.
 *
 * <p><b>The clocks of the machines that lock</b> may be wrong, by hours, and the locks still exclude each other. But a holder loses its lock if its
 * wall clock is set <em>ahead</em> while it holds, by more than is left of its lease (20 to 30 s of the 30 s that are the default). A machine that
 * has slept looks the same, and there others may have the lock by now. The {@link LockLostException} says so, and by how much the clock jumped. A
 * clock that is set back changes nothing.
 *
 * <p><b>How long a lock can be stuck</b>: if its holder was killed, is frozen, or is cut off from the database, for the lease and a grace (the
 * greater of 50 ms and a tenth of the lease) since the last renewal. If the holder's process died on the same machine, not at all, since its death
 * can be seen there. Nobody can tell a dead machine from a silent one, so {@code takeover(false)} means another lease here: the longest there is, 10
 * min.
 *
 * <p><b>Readers</b> ({@link LockMode#SHARED}) of several processes hold a lock together. They have a second table, {@code session_lock_readers}. A lock that nobody
 * shares does without it.
 *
 * <p><b>What it costs</b>: each statement gets a connection from the data source and gives it back at once; holding and waiting need none
 * (except for one that {@linkplain #withListening listens}). Taking and
 * releasing are one statement each; one statement renews all locks of a process. A waiting thread tries again after 8 to 250 ms, unless {@linkplain #withListening the server wakes it};
 * per name and process one thread does so. A process that holds anything asks once a second whether it is to release something. If other work has used up a connection
 * pool, that counts as an outage, and leases run out meanwhile. So a data source of its own, with a few connections, is a good idea. The connections
 * come back as they came (auto-commit, read-only, network timeout); their isolation and schema do not matter.
 *
 * <p><b>When the database is away</b>: a waiting thread goes on waiting until its timeout, whose message has the cause. A single try fails with a
 * {@link LockException}. A holder loses its lock before the server would let others in, and its {@link LockLostException} says why. A statement that
 * gets no answer is given up after 5 s ({@link #withStatementTimeout}), so a timeout may come later by as much, and by as long as the data source
 * takes to give a connection. Whatever else the data source or the driver throws, including an {@code Error}, reaches the caller. Nobody holds the
 * lock then, within a second or two, or once the database is back.
 *
 * <p>A name is any text of 1 to 1,024 bytes in UTF-8 without control characters. The same name is the same lock in every process. One engine is
 * enough for a JVM. Thread-safe.
 */
public final class JdbcLockEngine implements LockEngine {
    private static final int LONGEST_NAME = 1024;
    private static final Duration STATEMENT_TIMEOUT = Duration.ofSeconds(5);
    private static final int LEAST_HISTORY = 8;
    private static final int MOST_HISTORY = 100_000;

    private final DataSource source;
    private final @Nullable String schema;
    private final String tableName;
    private final Duration statementTimeout;
    private final Clock clock;
    private final @Nullable DataSource listenOn;
    private final int historyRows;
    private final LockTable table;
    private final RenewalWorker renewals;
    private final @Nullable NotificationListener listener;
    /** Is read even if this engine writes none. Null if the name of the locks' table is too long to have one. */
    private final @Nullable HistoryTable historyTable;
    /** Null if it is off. */
    private final @Nullable JdbcHistory history;
    private final LockNamespace namespace = new Rows();

    JdbcLockEngine(DataSource source, @Nullable String schema, String tableName, Duration statementTimeout, Clock clock) {
        this(source, schema, tableName, statementTimeout, clock, null, RenewalWorker::daemon);
    }

    JdbcLockEngine(DataSource source, @Nullable String schema, String tableName, Duration statementTimeout, Clock clock, ThreadFactory threads) {
        this(source, schema, tableName, statementTimeout, clock, null, threads);
    }

    JdbcLockEngine(DataSource source, @Nullable String schema, String tableName, Duration statementTimeout, Clock clock, @Nullable DataSource listenOn,
            ThreadFactory threads) {
        this(source, schema, tableName, statementTimeout, clock, listenOn, 0, threads);
    }

    /**
     * @param listenOn where the connection that listens comes from; null if waiting threads only poll
     * @param historyRows how many rows the history may have; 0 if none is written
     * @param threads makes the thread that renews, and the one that listens
     */
    private JdbcLockEngine(DataSource source, @Nullable String schema, String tableName, Duration statementTimeout, Clock clock, @Nullable DataSource listenOn,
            int historyRows, ThreadFactory threads) {
        this.source = source;
        this.schema = schema;
        this.tableName = tableName;
        this.statementTimeout = statementTimeout;
        this.clock = clock;
        this.listenOn = listenOn;
        this.historyRows = historyRows;
        this.table = new LockTable(new Database(source), schema, tableName, Notifications.newProcess(listenOn != null));
        this.renewals = new RenewalWorker(table, clock, statementTimeout, threads);
        this.listener = listenOn == null ? null : new NotificationListener(listenOn, table, clock, statementTimeout, threads);
        this.historyTable = HistoryTable.of(table.database(), schema, tableName);
        if (historyRows > 0 && historyTable == null) {
            throw new IllegalArgumentException("the table's name " + tableName + " is too long to have a history, whose table is called the same with "
                    + HistoryTable.SUFFIX + " behind it: PostgreSQL has names of 63 characters");
        }
        this.history = historyRows == 0 ? null : new JdbcHistory(historyTable, historyRows, statementTimeout);
        table.readers().onFound(row -> LeftRows.note(history, row, table, clock));
    }

    private JdbcLockEngine with(@Nullable String otherSchema, String otherTable, Duration timeout, @Nullable DataSource direct, int rows) {
        return new JdbcLockEngine(source, otherSchema, otherTable, timeout, clock, direct, rows, RenewalWorker::daemon);
    }

    /**
     * {@return the locks of a PostgreSQL database, in the table {@code session_lock}, which its connections find by their search path} Does not
     * connect to the database yet.
     *
     * @param dataSource provides connections; without a pool, each statement opens a connection of its own
     */
    public static JdbcLockEngine postgresql(DataSource dataSource) {
        return new JdbcLockEngine(Objects.requireNonNull(dataSource, "dataSource"), null, LockTable.DEFAULT_NAME, STATEMENT_TIMEOUT, Clock.SYSTEM);
    }

    /**
     * Sets the schema of the table. Without it, the search path decides.
     *
     * @param schema letters, digits, {@code _} and {@code $}; upper and lower case differ
     * @return another engine
     * @throws IllegalArgumentException if it is no such name
     */
    public JdbcLockEngine withSchema(String schema) {
        return with(Objects.requireNonNull(schema, "schema"), tableName, statementTimeout, listenOn, historyRows);
    }

    /**
     * Sets the name of the table. The default is {@code session_lock}.
     *
     * @param table letters, digits, {@code _} and {@code $}; upper and lower case differ
     * @return another engine
     * @throws IllegalArgumentException if it is no such name
     */
    public JdbcLockEngine withTable(String table) {
        return with(schema, Objects.requireNonNull(table, "table"), statementTimeout, listenOn, historyRows);
    }

    /**
     * Sets how long to wait for a statement before its connection is given up. Renewals of short leases are given up sooner. The default is 5 s.
     *
     * @param timeout 100 ms to 1 min
     * @return another engine
     * @throws IllegalArgumentException if it is outside
     */
    public JdbcLockEngine withStatementTimeout(Duration timeout) {
        if (timeout.compareTo(Duration.ofMillis(100)) < 0 || timeout.compareTo(Duration.ofMinutes(1)) > 0) {
            throw new IllegalArgumentException("statementTimeout must be from 100ms to 1m, not " + timeout);
        }
        return with(schema, tableName, timeout, listenOn, historyRows);
    }

    /**
     * Has the server wake waiting threads, by {@code LISTEN} and {@code NOTIFY}: the machine for which a lock is reserved tries at once when another one gives the lock
     * back, instead of after 8 to 250 ms. Without this, and whenever it fails, waiting threads poll. A notification is only a hint, so exclusion does not depend on it.
     *
     * <p>The engine keeps one connection, and one daemon thread, while a thread of this JVM waits for a lock of another process and for some 16 s after. If the connection
     * breaks, it gets another one, after a pause that grows up to 30 s. A release notifies only if a process waits that listens; the process that releases need not
     * listen itself, but must have this version of the library.
     *
     * <p>It needs the PostgreSQL driver 42.0 or later, whose connections may be wrapped by a pool that can {@code unwrap} them to {@code org.postgresql.PGConnection}.
     * A pooler in transaction mode (PgBouncer) does not carry {@code LISTEN}: let the connection lead around it. The engine logs a warning if notifications do not
     * arrive.
     *
     * @param direct provides the connection that listens, to the database of the locks. The engine returns it as it came. The connection must not be the only one of
     *     the pool from which the locks get theirs
     * @return another engine
     */
    public JdbcLockEngine withListening(DataSource direct) {
        return with(schema, tableName, statementTimeout, Objects.requireNonNull(direct, "direct"), historyRows);
    }

    /**
     * Writes down how holds end, for {@link SessionLocks#history(String, int)}, {@link SessionLocks#historyOfAll(String, int)}, and the tool's {@code history} and
     * {@code why}: who had which lock, since when and until when, what for, and how it ended. It is off by default. The table is called like that of the locks, with
     * {@code _history} behind it ({@code session_lock_history}), and is in the same schema.
     *
     * <pre>{@code
     * JdbcLockEngine engine = JdbcLockEngine.postgresql(pool).withHistory(10_000);
     * engine.createSchema();
     * }</pre>
     *
     * <p><b>The table</b> is made by {@link #createSchema} of the engine that this method returns, or by {@code dev/sessionlock/jdbc/postgresql-history.sql}, a resource of
     * this module. Whoever writes it needs SELECT, INSERT and DELETE on it; whoever reads it, SELECT. An engine without history reads it, too, but writes nothing. So
     * processes with and without it share one table of locks. If one of them is killed, the next holder writes how its hold ended, provided that the next holder has a
     * history.
     *
     * <p><b>What it costs.</b> A release notes its hold in memory and sends nothing. A worker of the library writes what has gathered, once a second, in one transaction that
     * takes a connection from the data source for some milliseconds; it adds one row for each hold, or for several brief ones of one thread that follow each other. It waits for
     * nobody for longer than 100 ms, and for the server for 2 s at most. In a pool of one connection, locks have to wait for that.
     *
     * <p><b>No lock depends on it.</b> If the table is missing or locked, if the disk is full, or if the user has no permission, locks go on as ever. The log says so, at most once in
     * 30 s. What was not written is kept in memory (the last 2,048 entries) and tried again, after a pause that grows up to 30 s.
     *
     * @param rows how many rows the table may have, 8 to 100,000. The oldest go first, but an eighth is for holds that did not end by a release, and are older than the
     *     rest. All processes should have the same bound; otherwise the least one counts
     * @return another engine
     * @throws IllegalArgumentException if it is outside, or if the name of the locks' table has more than 55 characters
     */
    public JdbcLockEngine withHistory(int rows) {
        if (rows < LEAST_HISTORY || rows > MOST_HISTORY) {
            throw new IllegalArgumentException("a history must have from " + LEAST_HISTORY + " to " + MOST_HISTORY + " rows, not " + rows);
        }
        return with(schema, tableName, statementTimeout, listenOn, rows);
    }

    // ---- the table ----

    /**
     * Creates the table if it does not exist, that of the readers beside it, and its schema if one was {@linkplain #withSchema named}; and the table of the history, if it has {@linkplain #withHistory one}.
     * Many may call this at once.
     *
     * @throws LockException if it cannot be created. Usually the user may not create tables; then somebody who may has to run
     *     {@code dev/sessionlock/jdbc/postgresql.sql}, a resource of this module, and {@code postgresql-history.sql} beside it for the history
     */
    public void createSchema() throws LockException {
        Map<String, String> names = new HashMap<>(Map.of(SchemaSetup.LOCKS, table.sqlName(), SchemaSetup.REQUESTS, '"' + tableName + "_requests\""));
        SchemaSetup setup = new SchemaSetup(table.database(), schema, statementTimeout, names);
        names.put(SchemaSetup.READERS, table.readers().sqlName());
        setup.create(SchemaSetup.LOCKS, "postgresql.sql");
        createReaders(setup);
        if (history != null) {
            names.put(SchemaSetup.HISTORY, historyTable.sqlName());
            setup.create(SchemaSetup.HISTORY, "postgresql-history.sql");
        }
    }

    /** An earlier version has made the table of the locks without that of the readers. Locks that are not shared do not need it. */
    private void createReaders(SchemaSetup setup) throws LockException {
        try {
            setup.create(SchemaSetup.READERS, "postgresql.sql");
        } catch (LockException e) {
            if (!(e.getCause() instanceof SQLException cause) || !Database.isForbidden(cause)) {
                throw e;
            }
            Loggers.LIBRARY.warn("there can be no shared locks in {} yet: {}", table.sqlName(), e.getMessage());
        }
    }

    // ---- fencing ----

    /**
     * Ties a transaction to a lock: from here to its end nobody else gets the lock, however late the commit comes (if the lock is shared, nobody gets it exclusively). If the lock is lost already, this
     * fails. So whatever the transaction writes is written by the holder, even if its process is frozen at any point in between. The database
     * enforces it. Clocks do not matter, nor does it matter whether the lock's lease runs out before the commit.
     *
     * <p>Make it the transaction's first statement: under a stricter isolation than read committed, a later one sees the lock as it was when the
     * transaction began. The server ends a transaction that is idle for longer than the lock's lease (this sets
     * {@code idle_in_transaction_session_timeout} for the transaction); otherwise a client that is frozen in it would keep the lock for ever. You may
     * close the lock before the commit; it becomes free with the commit.
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
     * @param connection has a transaction of the user's, in the database of the lock. Its search path must find the same table, unless the engine has
     *     a {@linkplain #withSchema schema}. It stays open
     * @param lock the lock; if it stands for several, all of them
     * @throws LockLostException if the lock was lost; the transaction should be rolled back
     * @throws SQLException if the database refuses
     * @throws IllegalArgumentException if the lock is not in a database
     * @throws IllegalStateException if the connection commits each statement by itself, or the lock was closed
     */
    public static void fence(Connection connection, SessionLock lock) throws LockLostException, SQLException {
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

    // ---- the SPI ----

    @Override
    public Clock clock() {
        return clock;
    }

    @Override
    public LockId idOfName(String name) throws LockException {
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
    public LockNamespace pin(LockId id) {
        Loggers.load();
        return namespace;
    }

    /** There is nothing to open. */
    private final class Rows implements LockNamespace {
        @Override
        public EngineLock lock(String name) {
            return new JdbcLock(table, renewals, listener, history, clock, statementTimeout, name);
        }
    }

    @Override
    public Inspection inspect(LockId id) throws LockException {
        try {
            return new Inspection(id, RowReports.look(table, id.name(), statementTimeout));
        } catch (SQLException e) {
            throw Database.explain(e, "cannot look at " + id.name(), table.sqlName());
        }
    }

    @Override
    public List<Inspection> inspectAll(String prefix) throws LockException {
        try {
            return RowReports.lookAll(table, prefix, statementTimeout).stream()
                    .map(report -> new Inspection(new LockId(null, report.name(), false), report)).toList();
        } catch (SQLException e) {
            throw Database.explain(e, "cannot look at the locks", table.sqlName());
        }
    }

    // ---- what happened before ----

    @Override
    public List<PastHold> history(LockId id, int most) throws LockException {
        return history(name -> name.equals(id.name()), most, asked -> asked.read(id.name(), most, statementTimeout));
    }

    @Override
    public List<PastHold> historyOfAll(String prefix, int most) throws LockException {
        return history(name -> name.startsWith(prefix), most, asked -> asked.readAll(prefix, most, statementTimeout));
    }

    private interface Question {
        List<PastHold> ask(HistoryTable asked) throws SQLException;
    }

    private List<PastHold> history(Predicate<String> wanted, int most, Question question) throws LockException {
        if (historyTable == null) {
            return List.of();
        }
        List<PastHold> all = new ArrayList<>();
        if (history != null) { // before the table: what is written meanwhile is read twice, and not left out
            all.addAll(history.unwritten().stream().filter(hold -> wanted.test(hold.name())).toList());
        }
        try {
            all.addAll(question.ask(historyTable));
        } catch (SQLException e) {
            if (!HistoryTable.isMissing(e)) {
                throw historyTable.explain(e);
            }
            requireLocks();
        }
        return PastHolds.latest(all, most);
    }

    /** There is no table of a history: nobody writes one. But whoever looks into the wrong database or schema is to know. */
    private void requireLocks() throws LockException {
        try {
            table.look("", statementTimeout);
        } catch (SQLException e) {
            throw Database.explain(e, "cannot look at the history", table.sqlName());
        }
    }

    // ---- the keeper's ----

    /** The history is a part of its own: while a server does not let it be written, the locks are looked after. */
    @Override
    public List<? extends Maintainable> maintained() {
        return history == null ? List.of(this) : List.of(this, history);
    }

    @Override
    public void onSuspicion(Runnable wake) {
        if (history != null) {
            history.onFound(wake);
        }
    }

    @Override
    public boolean closeIdle(boolean atOnce) {
        if (listener != null && atOnce) {
            listener.endSoon(); // nobody waits for it: a silent network may keep it
        }
        return renewals.isIdle();
    }

    /** {@return the table, for messages} */
    @Override
    public String toString() {
        return "the table " + table.sqlName() + " of a database";
    }
}

package dev.sessionlock.jdbc;

import dev.sessionlock.spi.Terms;
import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collection;
import java.util.List;
import java.util.Set;
import java.util.UUID;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/**
 * The SQL statements, each of them a transaction. All use the server's clock. Each statement that changes a row depends on who holds the row, so it
 * does not matter how late the statement or its answer arrives.
 *
 * <p>This relies on three properties of PostgreSQL:
 * <ul>
 * <li>A statement that gives the lock to another hold (take, hand over, clear) locks the row {@code FOR UPDATE}, and does not wait for it
 *     ({@code SKIP LOCKED}). A fencing transaction has locked the row {@code FOR KEY SHARE}, so the lock is busy until that transaction ends.
 *     Renewing and releasing use a weaker row lock, and can run during a fence.
 * <li>Under read committed, a condition is tested again on the newest version of a row once the row is locked. If a pool gives out stricter
 *     connections, the statement fails instead and is repeated.
 * <li>What the server has answered is on its disk, whatever {@code synchronous_commit} the session has. If a crash of the server could undo a take or
 *     a renewal, somebody else would get the lock while it is held. Releases and waiter marks need not be durable; a release that is undone ends with
 *     its lease.
 * </ul>
 */
final class LockTable implements HoldStatements {
    static final String DEFAULT_NAME = "session_lock";
    /** A waiter mark older than this counts for nobody. A waiting process sets it again after half of this time. */
    static final int WAITER_MARK_LASTS_MS = 1_000;
    /** For this long a lock that was given back is reserved for the process that set the waiter mark: longer than its longest pause. */
    static final int RESERVED_MS = 400;

    private static final Pattern IDENTIFIER = Pattern.compile("[A-Za-z_][A-Za-z0-9_$]{0,62}");
    static final String DURABLE = "(SELECT CASE WHEN current_setting('synchronous_commit') IN ('off', 'local', 'remote_write') "
            + "THEN set_config('synchronous_commit', 'on', true) ELSE '' END) IS NOT NULL";
    static final String NOT_DURABLE = "(SELECT set_config('synchronous_commit', 'off', true)) IS NOT NULL";
    /**
     * A client that is frozen within its transaction would keep its fence, and so the lock, until it wakes. So the server ends a transaction that has
     * been idle for a whole lease, unless it is configured to do so sooner.
     */
    static final String ENDS_IF_FROZEN = "(SELECT CASE WHEN current_setting('idle_in_transaction_session_timeout')::interval "
            + "BETWEEN interval '1 millisecond' AND ?::bigint * interval '1 millisecond' THEN '' "
            + "ELSE set_config('idle_in_transaction_session_timeout', ?::bigint::text, true) END) IS NOT NULL";
    /** Only a person, or a program that is not ours, keeps a row locked for longer than this. */
    static final String IMPATIENT = "(SELECT set_config('lock_timeout', '100ms', true)) IS NOT NULL";
    private static final String LOCK_TIMEOUT = "55P03";
    private static final String NEXT_TOKEN = "greatest(l.token + 1, (extract(epoch FROM clock_timestamp()) * 1000000)::bigint)";
    private static final String NOBODYS = "holder = NULL, lease_until = NULL, release_requested = false, reserved_until = CASE "
            + "WHEN l.hand <> l.process AND l.hand_at > clock_timestamp() - interval '" + WAITER_MARK_LASTS_MS + " milliseconds' "
            + "THEN clock_timestamp() + interval '" + RESERVED_MS + " milliseconds' END";

    private final Database database;
    private final String table;
    private final String takeSql;
    private final String handOverSql;
    private final String renewSql;
    private final String renewUnlockedSql;
    private final UUID process;
    private final Notifications notifications;
    private final ReaderTable readers;

    /**
     * @param schema the schema of the table; null if the connections' search path finds it
     * @param process what tells this process, or rather its engine, from others; see {@link Notifications#newProcess}
     * @throws IllegalArgumentException if that is no plain name of a schema
     */
    LockTable(Database database, @Nullable String schema, String name, UUID process) {
        this.database = database;
        this.process = process;
        this.table = inSchema(schema) + quoted("table", name);
        this.notifications = new Notifications(table);
        this.readers = new ReaderTable(database, table, inSchema(schema) + quoted("table", ReaderTable.nameFor(name)), process, notifications);
        this.takeSql = takeSql();
        this.handOverSql = "UPDATE " + table + " l SET token = " + NEXT_TOKEN + ", holder = ?::uuid, release_requested = false, "
                + "(" + RowParameters.TERMS + ") = ROW (" + RowParameters.TERMS_VALUES + ") "
                + "WHERE l.name = (SELECT s.name FROM " + table + " s WHERE s.name = ? AND s.holder = ? "
                + "AND s.lease_until > clock_timestamp() AND " + DURABLE + " FOR UPDATE SKIP LOCKED) RETURNING " + Row.COLUMNS;
        String renewed = "UPDATE " + table + " l SET renewed_at = clock_timestamp(), "
                + "lease_until = clock_timestamp() + r.lease * interval '1 millisecond', "
                + "hold_until = clock_timestamp() + nullif(r.hold, -1) * interval '1 millisecond' ";
        String held = "unnest(?::text[], ?::uuid[], ?::bigint[], ?::bigint[]) AS r (name, holder, lease, hold) ";
        this.renewSql = renewed + "FROM " + held + "WHERE l.name = r.name AND l.holder = r.holder AND l.lease_until > clock_timestamp() AND "
                + DURABLE + " AND " + IMPATIENT + " RETURNING l.holder";
        this.renewUnlockedSql = "WITH r AS MATERIALIZED (SELECT l.name, r.lease, r.hold FROM " + table + " l JOIN " + held
                + "ON l.name = r.name AND l.holder = r.holder WHERE l.lease_until > clock_timestamp() AND " + DURABLE
                + " FOR NO KEY UPDATE OF l SKIP LOCKED) " + renewed + "FROM r WHERE l.name = r.name RETURNING l.holder";
    }

    /** {@return whether a row was locked by somebody who is not one of ours} */
    static boolean isLockTimeout(SQLException e) {
        return LOCK_TIMEOUT.equals(e.getSQLState());
    }

    private static String inSchema(@Nullable String schema) {
        return schema == null ? "" : quoted("schema", schema) + ".";
    }

    private static String quoted(String what, String name) {
        if (!IDENTIFIER.matcher(name).matches()) {
            throw new IllegalArgumentException("\"" + name + "\" cannot be the name of a " + what
                    + ": letters, digits, _ and $ are allowed, 63 at most, and no digit first");
        }
        return '"' + name + '"';
    }

    /** {@return the name of the table in SQL} */
    String sqlName() {
        return table;
    }

    @Override
    public String sqlNames() {
        return table;
    }

    ReaderTable readers() {
        return readers;
    }

    /** {@return the statements for readers, or for exclusive holders} */
    HoldStatements of(boolean shared) {
        return shared ? readers : this;
    }

    /** {@return what tells this process, or rather this engine in it, from others} */
    UUID process() {
        return process;
    }

    Database database() {
        return database;
    }

    // ---- taking ----

    private String takeSql() {
        return "WITH seat AS MATERIALIZED (SELECT l.name FROM " + table + " l WHERE l.name = ? "
                + "AND (l.holder IS NULL OR l.lease_until <= clock_timestamp() OR l.holder = ?::uuid) "
                + "AND (l.reserved_until IS NULL OR l.reserved_until <= clock_timestamp() OR l.hand = ?::uuid) AND " + DURABLE
                + " FOR UPDATE SKIP LOCKED), "
                + "retaken AS (UPDATE " + table + " l SET token = " + NEXT_TOKEN + ", holder = ?::uuid, release_requested = false, "
                + "hand = nullif(l.hand, ?::uuid), reserved_until = NULL, "
                + "(" + RowParameters.OWNER + ") = ROW (" + RowParameters.OWNER_VALUES + "), (" + RowParameters.TERMS + ") = ROW (" + RowParameters.TERMS_VALUES + ") "
                + "FROM seat WHERE l.name = seat.name RETURNING l.token AS taken), "
                + "made AS (INSERT INTO " + table + " AS l (name, token, holder, " + RowParameters.OWNER + ", " + RowParameters.TERMS + ") "
                + "SELECT ?::text, (extract(epoch FROM clock_timestamp()) * 1000000)::bigint, ?::uuid, " + RowParameters.OWNER_VALUES + ", " + RowParameters.TERMS_VALUES + " "
                + "WHERE NOT EXISTS (SELECT 1 FROM " + table + " WHERE name = ?) AND " + DURABLE
                + " ON CONFLICT (name) DO NOTHING RETURNING l.token AS taken), "
                + "done AS (SELECT taken FROM retaken UNION ALL SELECT taken FROM made) "
                + "SELECT done.taken, " + Row.COLUMNS + " FROM done FULL JOIN (SELECT * FROM " + table + " WHERE name = ?) l ON true";
    }

    /**
     * The server's answer to a try to take a lock.
     *
     * @param token the token, if the lock was taken; otherwise null
     * @param before the row as it was before; null if there was none, or if somebody else has just inserted it
     */
    record Answer(@Nullable Long token, @Nullable Row before) {
        /** Sends the statement of an attempt, and reads what the server answers. */
        static Answer of(PreparedStatement take, RowAttempt attempt) throws SQLException {
            attempt.sent();
            try (ResultSet found = take.executeQuery()) {
                attempt.answered();
                if (!found.next()) {
                    return new Answer(null, null);
                }
                long taken = found.getLong("taken");
                Long token = found.wasNull() ? null : taken;
                return new Answer(token, found.getString("name") == null ? null : Row.read(found));
            }
        }
    }

    @Override
    public Answer take(RowAttempt attempt, Terms terms, @Nullable UUID dead, Duration limit) throws SQLException {
        return database.run(limit, connection -> {
            try (PreparedStatement take = connection.prepareStatement(takeSql)) {
                RowParameters parameters = new RowParameters(take);
                parameters.add(attempt.name, dead, process, attempt.id, process).addOwner(process).addTerms(terms);
                parameters.add(attempt.name, attempt.id).addOwner(process).addTerms(terms).add(attempt.name, attempt.name);
                return Answer.of(take, attempt);
            }
        });
    }

    /**
     * Hands a hold over within this process.
     *
     * @param attempt is told when the statement is sent and when it is answered
     * @return the row as it is now; null if the hold is over, or if a fence prevents the handover
     */
    @Nullable Row handOver(JdbcHold from, RowAttempt attempt, Terms terms, Duration limit) throws SQLException {
        return database.run(limit, connection -> {
            try (PreparedStatement handOver = connection.prepareStatement(handOverSql)) {
                new RowParameters(handOver).add(attempt.id).addTerms(terms).add(from.name(), from.id());
                attempt.sent();
                try (ResultSet passed = handOver.executeQuery()) {
                    attempt.answered();
                    return passed.next() ? Row.read(passed) : null;
                }
            }
        });
    }

    // ---- holding ----

    @Override
    public Set<UUID> renew(List<JdbcHold> holds, Duration limit) throws SQLException {
        try {
            return renew(renewSql, holds, limit);
        } catch (SQLException e) {
            if (!isLockTimeout(e)) {
                throw e;
            }
            return renew(renewUnlockedSql, holds, limit);
        }
    }

    private Set<UUID> renew(String sql, List<JdbcHold> holds, Duration limit) throws SQLException {
        return database.run(limit, connection -> {
            Object[] names = new Object[holds.size()];
            Object[] ids = new Object[holds.size()];
            Object[] leases = new Object[holds.size()];
            Object[] ends = new Object[holds.size()];
            for (int i = 0; i < holds.size(); i++) {
                JdbcHold hold = holds.get(i);
                names[i] = hold.name();
                ids[i] = hold.id();
                leases[i] = JdbcHold.leaseAndGraceMillis(hold.terms());
                ends[i] = hold.holdLeftMillis();
            }
            try (PreparedStatement renew = connection.prepareStatement(sql)) {
                new RowParameters(renew).addArray(connection, "text", names).addArray(connection, "uuid", ids).addArray(connection, "bigint", leases)
                        .addArray(connection, "bigint", ends);
                return RowParameters.ids(renew);
            }
        });
    }

    /** What the table says of a hold. */
    enum RowVerdict {
        /** The row still belongs to it. */
        OURS,
        /** Its lease is over, or another hold has the row. */
        OVER,
        /** The row no longer exists. */
        DELETED;

        static List<RowVerdict> all(PreparedStatement judge) throws SQLException {
            List<RowVerdict> verdicts = new ArrayList<>();
            try (ResultSet rows = judge.executeQuery()) {
                while (rows.next()) {
                    verdicts.add(valueOf(rows.getString(1)));
                }
            }
            return verdicts;
        }
    }

    @Override
    public List<RowVerdict> judge(List<JdbcHold> holds, Duration limit) throws SQLException {
        String sql = "SELECT CASE WHEN l.name IS NULL THEN 'DELETED' "
                + "WHEN l.holder = r.holder AND l.lease_until > clock_timestamp() THEN 'OURS' ELSE 'OVER' END "
                + "FROM unnest(?::text[], ?::uuid[]) WITH ORDINALITY AS r (name, holder, i) LEFT JOIN " + table + " l ON l.name = r.name "
                + "ORDER BY r.i";
        return database.run(limit, connection -> {
            try (PreparedStatement judge = connection.prepareStatement(sql)) {
                new RowParameters(judge).addArray(connection, "text", holds.stream().map(JdbcHold::name).toArray())
                        .addArray(connection, "uuid", holds.stream().map(JdbcHold::id).toArray());
                return RowVerdict.all(judge);
            }
        });
    }

    // ---- giving back ----

    @Override
    public void release(String name, UUID id, Duration limit) throws SQLException {
        notifications.releaseAndNotify(last -> update("UPDATE " + table + " l SET " + NOBODYS + " WHERE l.name = ? AND l.holder = ? AND " + NOT_DURABLE
                + " RETURNING " + last, limit, name, id));
    }

    @Override
    public Set<UUID> release(Collection<String> names, Collection<UUID> ids, Duration limit) throws SQLException {
        String sql = "WITH ended AS MATERIALIZED (SELECT s.name, s.holder FROM " + table + " s "
                + "JOIN unnest(?::text[], ?::uuid[]) AS r (name, holder) ON s.name = r.name AND s.holder = r.holder "
                + "WHERE " + NOT_DURABLE + " FOR NO KEY UPDATE OF s SKIP LOCKED) "
                + "UPDATE " + table + " l SET " + NOBODYS + " FROM ended WHERE l.name = ended.name RETURNING ended.holder, ";
        return notifications.releaseAndNotify(last -> database.run(limit, connection -> {
            try (PreparedStatement release = connection.prepareStatement(sql + last)) {
                new RowParameters(release).addArray(connection, "text", names.toArray()).addArray(connection, "uuid", ids.toArray());
                return RowParameters.ids(release);
            }
        }));
    }

    @Override
    public void abandon(JdbcHold hold, Duration within, Duration limit) throws SQLException {
        update("UPDATE " + table + " l SET lease_until = least(l.lease_until, clock_timestamp() + ? * interval '1 millisecond') "
                + "WHERE l.name = ? AND l.holder = ?", limit, within.toMillis(), hold.name(), hold.id());
    }

    /** Takes the row from a holder whose death is proven. Returns whether the row was its, and no fence is running. */
    boolean clear(String name, UUID dead, Duration limit) throws SQLException {
        return notifications.releaseAndNotify(last -> update("UPDATE " + table + " l SET " + NOBODYS + " WHERE l.name = (SELECT s.name FROM " + table + " s WHERE s.name = ? "
                + "AND s.holder = ? FOR UPDATE SKIP LOCKED) RETURNING " + last, limit, name, dead)) > 0;
    }

    // ---- asking and waiting ----

    void request(String name, long token, Duration limit) throws SQLException {
        update("UPDATE " + table + " l SET release_requested = true WHERE l.name = ? AND l.token = ? AND l.holder IS NOT NULL", limit, name,
                token);
    }

    /** {@return whether the request was still there} */
    boolean withdrawRequest(String name, long token, Duration limit) throws SQLException {
        if (update("UPDATE " + table + " l SET release_requested = false WHERE l.name = ? AND l.token = ? AND l.release_requested", limit, name, token) > 0) {
            return true;
        }
        Row row = look(name, limit);
        return row != null && row.isShared() && readers.withdrawRequest(name, token, limit);
    }

    /** {@return the holds of this process that somebody has asked it to release} */
    Set<UUID> requests(Duration limit) throws SQLException {
        return database.run(limit, connection -> {
            try (PreparedStatement requests = connection.prepareStatement("SELECT l.holder FROM " + table + " l "
                    + "WHERE l.release_requested AND l.process = ? AND l.holder IS NOT NULL")) {
                requests.setObject(1, process);
                return RowParameters.ids(requests);
            }
        });
    }

    /** Marks these requests as heard. {@link #withdrawRequest} then returns false to whoever asked. */
    void heard(Set<UUID> holds, Duration limit) throws SQLException {
        database.run(limit, connection -> {
            try (PreparedStatement heard = connection.prepareStatement("UPDATE " + table + " l SET release_requested = false "
                    + "WHERE l.release_requested AND l.holder = ANY (?::uuid[])")) {
                heard.setArray(1, connection.createArrayOf("uuid", holds.toArray()));
                return heard.executeUpdate();
            }
        });
    }

    /** Sets our waiter mark, unless another process has set its own. */
    void setWaiterMark(String name, Duration limit) throws SQLException {
        update("UPDATE " + table + " l SET hand = ?, hand_at = clock_timestamp() WHERE l.name = (SELECT s.name FROM " + table + " s "
                + "WHERE s.name = ? AND s.holder IS NOT NULL AND s.process <> ? AND (s.hand IS NULL OR s.hand = ? OR s.hand_at < "
                + "clock_timestamp() - interval '" + WAITER_MARK_LASTS_MS + " milliseconds') AND " + NOT_DURABLE + " FOR NO KEY UPDATE SKIP LOCKED)",
                limit, process, name, process, process);
    }

    /** {@return how many rows were changed} */
    private int update(String sql, Duration limit, Object... values) throws SQLException {
        return database.run(limit, connection -> {
            try (PreparedStatement statement = connection.prepareStatement(sql)) {
                new RowParameters(statement).add(values);
                if (!statement.execute()) {
                    return statement.getUpdateCount();
                }
                int rows = 0;
                try (ResultSet returned = statement.getResultSet()) {
                    while (returned.next()) {
                        rows++;
                    }
                }
                return rows;
            }
        });
    }

    // ---- looking ----

    @Nullable Row look(String name, Duration limit) throws SQLException {
        List<Row> rows = rows("SELECT " + Row.COLUMNS + " FROM " + table + " l WHERE l.name = ?", limit, name);
        return rows.isEmpty() ? null : rows.get(0);
    }

    /** {@return the locks that are held, or whose leases are over, by name} */
    List<Row> lookAll(String prefix, Duration limit) throws SQLException {
        return rows("SELECT " + Row.COLUMNS + " FROM " + table + " l WHERE l.holder IS NOT NULL AND starts_with(l.name, ?) ORDER BY l.name",
                limit, prefix);
    }

    private List<Row> rows(String sql, Duration limit, Object... values) throws SQLException {
        return database.run(limit, connection -> {
            try (PreparedStatement look = connection.prepareStatement(sql)) {
                new RowParameters(look).add(values);
                return Row.readAll(look);
            }
        });
    }

    // ---- fencing ----

    @Override
    public String fenceSql() {
        return "SELECT l.token FROM " + table + " l WHERE l.name = ? AND l.holder = ? AND l.token = ? AND l.lease_until > clock_timestamp() AND "
                + ENDS_IF_FROZEN + " FOR KEY SHARE";
    }

    /**
     * Runs within the user's transaction. Returns whether the row still belongs to the hold; then nobody else gets it before that transaction ends.
     */
    boolean fence(Connection connection, JdbcHold hold) throws SQLException {
        long lease = JdbcHold.leaseMillis(hold.terms());
        try (PreparedStatement fence = connection.prepareStatement(of(hold.isShared()).fenceSql())) {
            new RowParameters(fence).add(hold.name(), hold.id(), hold.token(), lease, lease);
            try (ResultSet held = fence.executeQuery()) {
                return held.next();
            }
        }
    }
}

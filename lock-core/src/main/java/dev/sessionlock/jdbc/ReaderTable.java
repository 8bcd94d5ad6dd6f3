package dev.sessionlock.jdbc;

import dev.sessionlock.jdbc.LockTable.Answer;
import dev.sessionlock.jdbc.LockTable.RowVerdict;
import dev.sessionlock.spi.Terms;
import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.time.Duration;
import java.util.Collection;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.UUID;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/**
 * The SQL of shared locks. While processes read, the lock's own row belongs to nobody in particular: its {@code holder} and its {@code process} are one
 * UUID, that of this <em>period</em> of reading. Each reader has a row in a table of its own, which names the period.
 *
 * <p><b>The lock's row decides, as ever.</b> Its lease ends no sooner than that of any of its readers. So whoever wants the lock exclusively looks at that row
 * alone, and a version of the library that knows no readers sees a lock that is held, by a process whose death nobody can prove.
 *
 * <p><b>Each statement that changes readers locks the lock's row first.</b> What it then knows of the row is current, since a condition is tested again on a row
 * that has changed. What it knows of the readers' table is as old as the statement. A reader that came in between is not seen. So each statement that
 * brings a reader in, or renews one, writes the lock's row, too, and a statement that may shorten the row's lease compares versions ({@code xmin}): only if
 * nobody has written the row since the statement began does it know all readers. Otherwise it shortens nothing, and is repeated.
 */
final class ReaderTable implements HoldStatements {
    static final String SUFFIX = "_readers";
    /** PostgreSQL cuts longer names. */
    private static final int LONGEST_SQL_NAME = 63;
    /** After this many others have come between, the next process that wants the lock does the rest. */
    private static final int TRIES = 16;

    private final Database database;
    private final String locks;
    private final String readers;
    private final UUID process;
    private final Notifications notifications;
    private final String takeSql;
    private final String insideSql;
    /** Is told of each reader whose row was deleted though it had not given the lock back. */
    private volatile Consumer<Row> onFound = row -> { };

    /**
     * @param locks the table of the locks, in SQL
     * @param readers that of the readers, in SQL
     */
    ReaderTable(Database database, String locks, String readers, UUID process, Notifications notifications) {
        this.database = database;
        this.locks = locks;
        this.readers = readers;
        this.process = process;
        this.notifications = notifications;
        this.takeSql = takeSql();
        this.insideSql = "SELECT " + Row.COLUMNS + " FROM (SELECT r.*, s.token, s.hand, s.hand_at FROM " + readers + " r JOIN " + locks
                + " s ON s.name = r.name AND s.holder = r.period WHERE r.name = ANY (?::text[])) l ORDER BY l.name, l.since";
    }

    /** {@return what the readers' table beside that table of locks is called} Two tables of locks never share one. */
    static String nameFor(String table) {
        int room = LONGEST_SQL_NAME - SUFFIX.length();
        return (table.length() <= room ? table : table.substring(0, room - 9) + String.format("_%08x", table.hashCode())) + SUFFIX;
    }

    /** {@return the name of the table in SQL} */
    String sqlName() {
        return readers;
    }

    @Override
    public String sqlNames() {
        return locks + " or no table " + readers;
    }

    /** Whom to tell of a reader that was found dead, or with its lease over. The action throws nothing: what the statement has done is done. */
    void onFound(Consumer<Row> action) {
        onFound = action;
    }

    // ---- entering ----

    private String takeSql() {
        String changed = " RETURNING l.token, l.holder, l.lease_until";
        return "WITH joined AS MATERIALIZED (SELECT l.name FROM " + locks + " l WHERE l.name = ? AND l.holder = l.process AND l.lease_until > clock_timestamp() "
                + "AND (l.hand IS NULL OR l.hand = ?::uuid OR l.hand_at IS NULL OR l.hand_at <= clock_timestamp() - interval '"
                + LockTable.WAITER_MARK_LASTS_MS + " milliseconds') AND " + LockTable.DURABLE + " AND " + LockTable.IMPATIENT + " FOR NO KEY UPDATE), "
                + "seat AS MATERIALIZED (SELECT l.name FROM " + locks + " l WHERE l.name = ? AND NOT EXISTS (SELECT 1 FROM joined) "
                + "AND (l.holder IS NULL OR l.lease_until <= clock_timestamp() OR l.holder = ?::uuid) "
                + "AND (l.reserved_until IS NULL OR l.reserved_until <= clock_timestamp() OR l.hand = ?::uuid) AND " + LockTable.DURABLE
                + " FOR UPDATE SKIP LOCKED), "
                + "extended AS (UPDATE " + locks + " l SET lease_until = greatest(l.lease_until, " + RowParameters.FROM_NOW + "), renewed_at = clock_timestamp(), "
                + "hand = nullif(l.hand, ?::uuid) FROM joined WHERE l.name = joined.name" + changed + "), "
                + "turned AS (UPDATE " + locks + " l SET holder = ?::uuid, release_requested = false, hand = nullif(l.hand, ?::uuid), reserved_until = NULL, "
                + "(" + RowParameters.OWNER + ") = ROW (" + RowParameters.OWNER_VALUES + "), (" + RowParameters.TERMS + ") = ROW (" + RowParameters.TERMS_VALUES + ") "
                + "FROM seat WHERE l.name = seat.name" + changed + "), "
                + "made AS (INSERT INTO " + locks + " AS l (name, token, holder, " + RowParameters.OWNER + ", " + RowParameters.TERMS + ") "
                + "SELECT ?::text, (extract(epoch FROM clock_timestamp()) * 1000000)::bigint, ?::uuid, " + RowParameters.OWNER_VALUES + ", "
                + RowParameters.TERMS_VALUES + " WHERE NOT EXISTS (SELECT 1 FROM " + locks + " WHERE name = ?) AND " + LockTable.DURABLE
                + " ON CONFLICT (name) DO NOTHING" + changed + "), "
                + "done AS MATERIALIZED (SELECT * FROM extended UNION ALL SELECT * FROM turned UNION ALL SELECT * FROM made), "
                + "entered AS (INSERT INTO " + readers + " (name, holder, period, " + RowParameters.OWNER + ", " + RowParameters.TERMS + ") SELECT ?::text, ?::uuid, "
                + "done.holder, " + RowParameters.OWNER_VALUES + ", "
                + RowParameters.termsValues("least(done.lease_until, " + RowParameters.FROM_NOW + ")") + " FROM done) "
                + "SELECT done.token AS taken, " + Row.COLUMNS + " FROM done FULL JOIN (SELECT * FROM " + locks + " WHERE name = ?) l ON true";
    }

    /** It fails if another process has the lock exclusively, or if processes read and another one has said that it waits. */
    @Override
    public Answer take(RowAttempt attempt, Terms terms, @Nullable UUID dead, Duration limit) throws SQLException {
        UUID period = UUID.randomUUID();
        try {
            return database.run(limit, connection -> {
                try (PreparedStatement take = connection.prepareStatement(takeSql)) {
                    RowParameters parameters = new RowParameters(take);
                    parameters.add(attempt.name, process, attempt.name, dead, process);
                    parameters.add(JdbcHold.leaseAndGraceMillis(terms), process);
                    parameters.add(period, process).addOneOfSeveral(period).addTerms(terms, null);
                    parameters.add(attempt.name, period).addOneOfSeveral(period).addTerms(terms, null).add(attempt.name);
                    parameters.add(attempt.name, attempt.id).addOwner(process).addTerms(terms).add(attempt.name);
                    return Answer.of(take, attempt);
                }
            });
        } catch (SQLException e) {
            if (!LockTable.isLockTimeout(e)) {
                throw e;
            }
            attempt.answered(); // by an error, which has undone the statement
            return new Answer(null, null);
        }
    }

    // ---- holding ----

    @Override
    public Set<UUID> renew(List<JdbcHold> holds, Duration limit) throws SQLException {
        try {
            return renew("", holds, limit);
        } catch (SQLException e) {
            if (!LockTable.isLockTimeout(e)) {
                throw e;
            }
            return renew(" SKIP LOCKED", holds, limit);
        }
    }

    private Set<UUID> renew(String skip, List<JdbcHold> holds, Duration limit) throws SQLException {
        String sql = "WITH held AS MATERIALIZED (SELECT l.name, l.holder AS period, a.holder, a.lease, a.hold FROM " + locks + " l JOIN "
                + "unnest(?::text[], ?::uuid[], ?::bigint[], ?::bigint[]) AS a (name, holder, lease, hold) ON a.name = l.name "
                + "WHERE l.holder = l.process AND " + LockTable.DURABLE + " AND " + LockTable.IMPATIENT + " ORDER BY l.name FOR NO KEY UPDATE OF l" + skip + "), "
                + "renewed AS (UPDATE " + readers + " r SET renewed_at = clock_timestamp(), lease_until = clock_timestamp() + held.lease * interval '1 millisecond', "
                + "hold_until = clock_timestamp() + nullif(held.hold, -1) * interval '1 millisecond' FROM held "
                + "WHERE r.name = held.name AND r.holder = held.holder AND r.period = held.period AND r.lease_until > clock_timestamp() "
                + "RETURNING r.name, r.holder, r.lease_until), "
                + "extended AS (UPDATE " + locks + " l SET lease_until = greatest(l.lease_until, longest.until), renewed_at = clock_timestamp() "
                + "FROM (SELECT name, max(lease_until) AS until FROM renewed GROUP BY name) longest WHERE l.name = longest.name) "
                + "SELECT renewed.holder FROM renewed";
        return database.run(limit, connection -> {
            try (PreparedStatement renew = connection.prepareStatement(sql)) {
                RowParameters parameters = names(new RowParameters(renew), connection, holds);
                parameters.addArray(connection, "bigint", holds.stream().map(hold -> JdbcHold.leaseAndGraceMillis(hold.terms())).toArray());
                parameters.addArray(connection, "bigint", holds.stream().map(JdbcHold::holdLeftMillis).toArray());
                return RowParameters.ids(renew);
            }
        });
    }

    private static RowParameters names(RowParameters parameters, Connection connection, List<JdbcHold> holds) throws SQLException {
        parameters.addArray(connection, "text", holds.stream().map(JdbcHold::name).toArray());
        return parameters.addArray(connection, "uuid", holds.stream().map(JdbcHold::id).toArray());
    }

    @Override
    public List<RowVerdict> judge(List<JdbcHold> holds, Duration limit) throws SQLException {
        String sql = "SELECT CASE WHEN l.name IS NULL THEN 'DELETED' WHEN r.period = l.holder AND r.lease_until > clock_timestamp() "
                + "AND l.lease_until > clock_timestamp() THEN 'OURS' ELSE 'OVER' END FROM unnest(?::text[], ?::uuid[]) WITH ORDINALITY AS a (name, holder, i) "
                + "LEFT JOIN " + locks + " l ON l.name = a.name LEFT JOIN " + readers + " r ON r.name = a.name AND r.holder = a.holder ORDER BY a.i";
        return database.run(limit, connection -> {
            try (PreparedStatement judge = connection.prepareStatement(sql)) {
                names(new RowParameters(judge), connection, holds);
                return RowVerdict.all(judge);
            }
        });
    }

    /**
     * Passes on what others want of these holds: {@link JdbcHold#requested} if somebody asked for their release, {@link JdbcHold#waitedFor} if another process waits.
     *
     * <p>Whoever asks writes it into the lock's row, as for an exclusive holder. The first reader that looks copies it to all readers that are inside. So each
     * of them sees it, and none that comes later.
     */
    void hear(List<JdbcHold> holds, Duration limit) throws SQLException {
        String sql = "WITH mine AS MATERIALIZED (SELECT * FROM unnest(?::text[], ?::uuid[]) AS a (name, holder)), "
                + "asked AS (UPDATE " + locks + " l SET release_requested = false WHERE l.release_requested AND l.holder = l.process "
                + "AND l.name IN (SELECT name FROM mine) AND " + LockTable.IMPATIENT + " RETURNING l.name, l.holder), "
                + "told AS (UPDATE " + readers + " r SET release_requested = true FROM asked WHERE r.name = asked.name AND r.period = asked.holder) "
                + "SELECT r.holder, r.release_requested OR EXISTS (SELECT 1 FROM asked WHERE asked.name = r.name AND asked.holder = r.period), "
                + "coalesce(l.hand <> ?::uuid AND l.hand_at > clock_timestamp() - interval '" + LockTable.WAITER_MARK_LASTS_MS + " milliseconds', false) "
                + "FROM mine JOIN " + readers + " r ON r.name = mine.name AND r.holder = mine.holder JOIN " + locks + " l ON l.name = r.name AND l.holder = r.period";
        Set<UUID> requested = new HashSet<>();
        Set<UUID> waitedFor = new HashSet<>();
        database.run(limit, connection -> {
            try (PreparedStatement look = connection.prepareStatement(sql)) {
                names(new RowParameters(look), connection, holds).add(process);
                try (ResultSet rows = look.executeQuery()) {
                    while (rows.next()) {
                        UUID id = rows.getObject(1, UUID.class);
                        if (rows.getBoolean(2)) {
                            requested.add(id);
                        }
                        if (rows.getBoolean(3)) {
                            waitedFor.add(id);
                        }
                    }
                }
                return true;
            }
        });
        holds.stream().filter(hold -> requested.contains(hold.id())).forEach(JdbcHold::requested);
        holds.stream().filter(hold -> waitedFor.contains(hold.id())).forEach(JdbcHold::waitedFor);
        if (!requested.isEmpty()) {
            update("UPDATE " + readers + " r SET release_requested = false WHERE r.release_requested AND r.holder = ANY (?::uuid[])", limit, requested);
        }
    }

    /** {@return whether a reader that was asked to release the lock of that token had not seen it} The request is taken back from all of them. */
    boolean withdrawRequest(String name, long token, Duration limit) throws SQLException {
        return update("UPDATE " + readers + " r SET release_requested = false FROM " + locks + " l WHERE r.release_requested AND r.name = ? AND l.name = r.name "
                + "AND l.holder = r.period AND l.token = ?", limit, name, token) > 0;
    }

    @Override
    public void abandon(JdbcHold hold, Duration within, Duration limit) throws SQLException {
        update("UPDATE " + readers + " r SET lease_until = least(r.lease_until, " + RowParameters.FROM_NOW + ") WHERE r.name = ? AND r.holder = ?", limit,
                within.toMillis(), hold.name(), hold.id());
    }

    // ---- leaving ----

    /**
     * What became of locks from which readers were removed.
     *
     * @param gone the ids of those whose rows were deleted
     * @param freed the locks that nobody reads any more
     * @param undecided the locks whose rows somebody has written meanwhile, so that their readers were not all seen
     */
    private record Left(Set<UUID> gone, Set<String> freed, Set<String> undecided) {
    }

    /** The last reader frees the lock. Waits for others that come and go, as the release of an exclusive holder does. */
    @Override
    public void release(String name, UUID id, Duration limit) throws SQLException {
        remove(List.of(name), List.of(id), "", limit);
    }

    @Override
    public Set<UUID> release(Collection<String> names, Collection<UUID> ids, Duration limit) throws SQLException {
        return remove(names, ids, " SKIP LOCKED", limit).gone;
    }

    /**
     * Removes readers whose death is proven, and those whose leases are over.
     *
     * @return whether nobody reads any more; the lock is free then, unless a fencing transaction of a reader has not ended
     */
    boolean remove(String name, Collection<UUID> dead, Duration limit) throws SQLException {
        return remove(List.of(name), dead, " SKIP LOCKED", limit).freed.contains(name);
    }

    /** Removes these readers, and all others of these locks whose leases are over. Gives each lock the lease of its last reader, or frees it if there is none. */
    private Left remove(Collection<String> names, Collection<UUID> ids, String skip, Duration limit) throws SQLException {
        Left all = new Left(new HashSet<>(), new HashSet<>(), new HashSet<>(names));
        for (int tries = 0; tries < TRIES && !all.undecided.isEmpty(); tries++) {
            List<String> asked = List.copyOf(all.undecided);
            Left left = notifications.releaseAndNotify(last -> removeOnce(asked, ids, skip, last, limit));
            all.gone.addAll(left.gone);
            all.freed.addAll(left.freed);
            all.undecided.retainAll(left.undecided);
        }
        return all;
    }

    private Left removeOnce(Collection<String> names, Collection<UUID> ids, String skip, String last, Duration limit) throws SQLException {
        String sql = "WITH seen AS MATERIALIZED (SELECT s.name, s.xmin AS version FROM " + locks + " s WHERE s.name = ANY (?::text[])), "
                + "locked AS MATERIALIZED (SELECT l.name, l.holder AS period, l.token, l.xmin AS version FROM " + locks + " l WHERE l.name = ANY (?::text[]) "
                + "AND l.holder = l.process AND " + LockTable.NOT_DURABLE + " ORDER BY l.name FOR NO KEY UPDATE" + skip + "), "
                + "gone AS (DELETE FROM " + readers + " r USING locked WHERE r.name = locked.name AND (r.period <> locked.period "
                + "OR r.lease_until <= clock_timestamp() OR r.holder = ANY (?::uuid[])) RETURNING r.*), "
                + "stay AS MATERIALIZED (SELECT locked.name, (SELECT max(r.lease_until) FROM " + readers + " r WHERE r.name = locked.name AND r.period = locked.period "
                + "AND r.lease_until > clock_timestamp() AND r.holder <> ALL (?::uuid[])) AS until "
                + "FROM locked JOIN seen ON seen.name = locked.name AND seen.version = locked.version), "
                + "settled AS (UPDATE " + locks + " l SET holder = CASE WHEN stay.until IS NOT NULL THEN l.holder END, lease_until = stay.until, "
                + "release_requested = l.release_requested AND stay.until IS NOT NULL, reserved_until = CASE WHEN stay.until IS NULL AND l.hand IS NOT NULL "
                + "AND l.hand_at > clock_timestamp() - interval '" + LockTable.WAITER_MARK_LASTS_MS + " milliseconds' "
                + "THEN clock_timestamp() + interval '" + LockTable.RESERVED_MS + " milliseconds' END "
                + "FROM stay WHERE l.name = stay.name RETURNING l.name, l.holder IS NULL AS freed, " + last + ") "
                + "SELECT locked.name AS lock, settled.freed, " + Row.COLUMNS + " FROM locked LEFT JOIN settled ON settled.name = locked.name "
                + "LEFT JOIN (SELECT gone.*, locked.token, NULL::uuid AS hand, NULL::timestamptz AS hand_at FROM gone JOIN locked ON locked.name = gone.name) l "
                + "ON l.name = locked.name";
        return database.run(limit, connection -> {
            Left left = new Left(new HashSet<>(), new HashSet<>(), new HashSet<>());
            try (PreparedStatement remove = connection.prepareStatement(sql)) {
                Object[] nameArray = names.toArray();
                Object[] idArray = ids.toArray();
                new RowParameters(remove).addArray(connection, "text", nameArray).addArray(connection, "text", nameArray)
                        .addArray(connection, "uuid", idArray).addArray(connection, "uuid", idArray);
                try (ResultSet rows = remove.executeQuery()) {
                    while (rows.next()) {
                        boolean isFree = rows.getBoolean("freed");
                        if (rows.wasNull()) {
                            left.undecided.add(rows.getString("lock"));
                        } else if (isFree) {
                            left.freed.add(rows.getString("lock"));
                        }
                        if (rows.getString("name") != null) {
                            Row gone = Row.read(rows);
                            left.gone.add(gone.holder());
                            onFound.accept(gone);
                        }
                    }
                }
            }
            return left;
        });
    }

    /** Deletes the rows of readers over whose leases an exclusive holder has taken the lock. */
    void sweep(Row before, Duration limit) throws SQLException {
        rows("WITH gone AS (DELETE FROM " + readers + " r USING " + locks + " s WHERE r.name = ? AND s.name = r.name AND r.period IS DISTINCT FROM s.holder RETURNING r.*) "
                + "SELECT " + Row.COLUMNS + " FROM (SELECT gone.*, ?::bigint AS token, NULL::uuid AS hand, NULL::timestamptz AS hand_at FROM gone) l", limit,
                before.name(), before.token()).forEach(onFound);
    }

    private int update(String sql, Duration limit, Object... values) throws SQLException {
        return database.run(limit, connection -> {
            try (PreparedStatement statement = connection.prepareStatement(sql)) {
                RowParameters parameters = new RowParameters(statement);
                for (Object value : values) {
                    if (value instanceof Collection<?> ids) {
                        parameters.addArray(connection, "uuid", ids.toArray());
                    } else {
                        parameters.add(value);
                    }
                }
                return statement.executeUpdate();
            }
        });
    }

    // ---- looking ----

    /** {@return the readers of these locks, dead ones and those whose leases are over included, by lock and time} */
    List<Row> inside(Collection<String> names, Duration limit) throws SQLException {
        return database.run(limit, connection -> {
            try (PreparedStatement look = connection.prepareStatement(insideSql)) {
                new RowParameters(look).addArray(connection, "text", names.toArray());
                return Row.readAll(look);
            }
        });
    }

    private List<Row> rows(String sql, Duration limit, Object... values) throws SQLException {
        return database.run(limit, connection -> {
            try (PreparedStatement look = connection.prepareStatement(sql)) {
                new RowParameters(look).add(values);
                return Row.readAll(look);
            }
        });
    }

    /** Nobody gets the lock exclusively until the transaction ends; other readers may come and go. */
    @Override
    public String fenceSql() {
        return "SELECT l.token FROM " + locks + " l JOIN " + readers + " r ON r.name = l.name AND r.period = l.holder WHERE l.name = ? AND r.holder = ? "
                + "AND l.token = ? AND l.lease_until > clock_timestamp() AND r.lease_until > clock_timestamp() AND " + LockTable.ENDS_IF_FROZEN
                + " FOR KEY SHARE OF l";
    }
}

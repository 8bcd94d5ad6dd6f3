package dev.sessionlock.jdbc;

import dev.sessionlock.LockException;
import dev.sessionlock.PastHold;
import dev.sessionlock.internal.system.HolderProcesses;
import dev.sessionlock.internal.system.PastHolds;
import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.time.Duration;
import java.time.Instant;
import java.time.temporal.ChronoUnit;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;

/**
 * The SQL of the history's table. What is written comes in one transaction: the entries, in one statement, and what has to go for them.
 *
 * <p><b>Nobody waits for it for long.</b> The transaction has a {@code lock_timeout} and a {@code statement_timeout} of its own: if somebody keeps the table locked, the
 * server ends it. Otherwise each further try would leave one more of the server's processes waiting, until no connection is left for the locks.
 *
 * <p><b>The bound</b> counts rows in the order in which they were written, since the clocks of several machines differ. An eighth of it is for unusual endings that are
 * older than the rest. Writers come one after the other (an advisory lock), so each sees all that is there.
 */
final class HistoryTable {
    static final String SUFFIX = "_history";
    /** PostgreSQL cuts longer names. */
    private static final int LONGEST_SQL_NAME = 63;
    private static final int LONGEST_TEXT = 256;
    private static final int LONGEST_NAME = 1024;
    /** The share of the rows that is for unusual endings. */
    private static final int KEPT_SHARE = 8;
    /** If the bound has become smaller, no more rows go at once: it must not take long. */
    private static final int MOST_DELETED = 5_000;
    /** However many rows somebody has put there. */
    private static final int MOST_READ = 200_000;
    /** Of one hold, several processes may have written entries, of which one counts. */
    private static final int SPARE_READ = 64;
    private static final Duration PATIENCE = Duration.ofSeconds(2);
    private static final Duration LOCK_PATIENCE = Duration.ofMillis(100);
    private static final String LOCKED = "55P03";
    /** The first half of the advisory lock's key; the second is the table's oid. */
    static final int WRITERS = 0x5e5510_1;
    private static final String COLUMNS = "name, token, pid, host, thread, purpose, since, until, ending, count, longest_us, waited_us, wait_behind_us";
    /** Tables that an earlier version has made lack it, unless somebody has added it. */
    private static final String PROCESS = "process";
    /** Texts are cut: whoever may write the table may have written any. The last column is read though it may not be there. */
    private static final String READ = "h.id, left(h.name, " + LONGEST_NAME + ") AS name, h.token, h.pid, " + cut("host") + ", " + cut("thread") + ", " + cut("purpose")
            + ", h.since, h.until, " + cut("ending") + ", h.count, h.longest_us, h.waited_us, h.wait_behind_us, left(to_jsonb(h) ->> '" + PROCESS + "', " + LONGEST_TEXT
            + ") AS " + PROCESS;

    private final Database database;
    private final String table;
    private final String insertSql;
    private final String insertWithProcessSql;
    private final String deleteSql;

    private HistoryTable(Database database, String table) {
        this.database = database;
        this.table = table;
        this.insertSql = insertSql(table, "", "");
        this.insertWithProcessSql = insertSql(table, PROCESS, "text");
        this.deleteSql = "WITH last AS MATERIALIZED (SELECT id FROM " + table + " ORDER BY id DESC OFFSET ? LIMIT 1), "
                + "unusual AS MATERIALIZED (SELECT h.id FROM " + table + " h, last WHERE h.id <= last.id AND h.ending <> 'RELEASED' ORDER BY h.id DESC OFFSET ? LIMIT 1) "
                + "DELETE FROM " + table + " WHERE id IN (SELECT h.id FROM " + table + " h, last WHERE h.id <= last.id "
                + "AND (h.ending = 'RELEASED' OR h.id <= (SELECT id FROM unusual)) ORDER BY h.id LIMIT " + MOST_DELETED + ")";
    }

    /**
     * @param further the name of one more column; empty for none
     * @param type its type
     */
    private static String insertSql(String table, String further, String type) {
        boolean more = !further.isEmpty();
        return "INSERT INTO " + table + " (" + COLUMNS + (more ? ", " + further : "") + ") SELECT r.name, r.token, r.pid, r.host, r.thread, r.purpose, " + time("r.since")
                + ", " + time("r.until") + ", r.ending, r.count, r.longest, r.waited, r.behind" + (more ? ", r.further" : "")
                + " FROM unnest(?::text[], ?::bigint[], ?::bigint[], ?::text[], ?::text[], ?::text[], "
                + "?::bigint[], ?::bigint[], ?::text[], ?::bigint[], ?::bigint[], ?::bigint[], ?::bigint[]" + (more ? ", ?::" + type + "[]" : "") + ") WITH ORDINALITY "
                + "AS r (name, token, pid, host, thread, purpose, since, until, ending, count, longest, waited, behind" + (more ? ", further" : "") + ", i) ORDER BY r.i";
    }

    private static String cut(String column) {
        return "left(h." + column + ", " + LONGEST_TEXT + ") AS " + column;
    }

    /** A time that is given in microseconds, and exact. */
    private static String time(String micros) {
        return "timestamptz 'epoch' + " + micros + " * interval '1 microsecond'";
    }

    /** {@return the history of the locks in a table; null if the table's name leaves no room for {@link #SUFFIX}} */
    static @Nullable HistoryTable of(Database database, @Nullable String schema, String lockTable) {
        return lockTable.length() + SUFFIX.length() > LONGEST_SQL_NAME ? null
                : new HistoryTable(database, (schema == null ? "" : '"' + schema + "\".") + '"' + lockTable + SUFFIX + '"');
    }

    /** {@return the name of the table in SQL} */
    String sqlName() {
        return table;
    }

    // ---- writing ----

    /**
     * Adds entries, and removes what is beyond the bound.
     *
     * @param holds what to add, {@linkplain #asWritten as it is written}
     * @param rows the bound
     * @param last whether there is no later time: then others who write may take longer
     * @param limit how long the server may keep us waiting
     * @return false if others have been writing all the time: nothing was added
     */
    boolean append(List<PastHold> holds, int rows, boolean last, Duration limit) throws SQLException {
        boolean[] alone = new boolean[1];
        try {
            database.inTransaction(limit, connection -> {
                boolean withProcess = begin(connection, last ? PATIENCE : LOCK_PATIENCE, limit.compareTo(PATIENCE) < 0 ? limit : PATIENCE);
                alone[0] = true;
                return write(connection, holds, rows, withProcess);
            });
            return true;
        } catch (SQLException e) {
            if (!alone[0] && LOCKED.equals(e.getSQLState())) {
                return false;
            }
            throw e;
        }
    }

    private int write(Connection connection, List<PastHold> holds, int rows, boolean withProcess) throws SQLException {
        insert(connection, holds, withProcess);
        int kept = Math.max(1, rows / KEPT_SHARE);
        try (PreparedStatement delete = connection.prepareStatement(deleteSql)) {
            delete.setInt(1, rows - kept);
            delete.setInt(2, kept);
            return delete.executeUpdate();
        }
    }

    /**
     * Waits until no other process writes. The commit will not wait for the disk: a crash of the server may cost the last moment's entries. Returns whether the table
     * has the column {@link #PROCESS}.
     */
    private boolean begin(Connection connection, Duration lockPatience, Duration patience) throws SQLException {
        try (PreparedStatement begin = connection.prepareStatement("SELECT set_config('lock_timeout', ?, true), set_config('statement_timeout', ?, true), "
                + "set_config('synchronous_commit', 'off', true)")) {
            begin.setString(1, lockPatience.toMillis() + "ms");
            begin.setString(2, patience.toMillis() + "ms");
            begin.execute();
        }
        try (PreparedStatement alone = connection.prepareStatement("SELECT pg_advisory_xact_lock(?, to_regclass(?)::oid::int), "
                + "EXISTS (SELECT FROM pg_attribute WHERE attrelid = to_regclass(?) AND attname = '" + PROCESS + "' AND NOT attisdropped)")) {
            alone.setInt(1, WRITERS);
            alone.setString(2, table);
            alone.setString(3, table);
            try (ResultSet known = alone.executeQuery()) {
                return known.next() && known.getBoolean(2);
            }
        }
    }

    private void insert(Connection connection, List<PastHold> holds, boolean withProcess) throws SQLException {
        try (PreparedStatement insert = connection.prepareStatement(withProcess ? insertWithProcessSql : insertSql)) {
            Columns columns = new Columns(connection, insert, holds);
            columns.add("text", PastHold::name);
            columns.add("bigint", PastHold::token);
            columns.add("bigint", PastHold::pid);
            columns.add("text", PastHold::host);
            columns.add("text", PastHold::thread);
            columns.add("text", PastHold::purpose);
            columns.add("bigint", hold -> micros(hold.since()));
            columns.add("bigint", hold -> micros(hold.until()));
            columns.add("text", hold -> hold.ending().name());
            columns.add("bigint", PastHold::count);
            columns.add("bigint", hold -> micros(hold.longest()));
            columns.add("bigint", hold -> micros(hold.waited()));
            columns.add("bigint", hold -> micros(hold.longestWaitBehind()));
            if (withProcess) {
                columns.add("text", hold -> HolderProcesses.text(hold.process()));
            }
            insert.executeUpdate();
        }
    }

    /** Sets the parameters of a statement one after the other, each a column of all entries. */
    private static final class Columns {
        private final Connection connection;
        private final PreparedStatement statement;
        private final List<PastHold> holds;
        private int last;

        private Columns(Connection connection, PreparedStatement statement, List<PastHold> holds) {
            this.connection = connection;
            this.statement = statement;
            this.holds = holds;
        }

        private void add(String type, Function<PastHold, @Nullable Object> value) throws SQLException {
            statement.setArray(++last, connection.createArrayOf(type, holds.stream().map(value).toArray()));
        }
    }

    private static @Nullable Long micros(@Nullable Instant time) {
        return time == null ? null : ChronoUnit.MICROS.between(Instant.EPOCH, time);
    }

    private static @Nullable Long micros(@Nullable Duration span) {
        return span == null ? null : ChronoUnit.MICROS.between(Instant.EPOCH, Instant.EPOCH.plus(span));
    }

    /** {@return an entry as it will be read again} Texts are cut, what PostgreSQL does not store is replaced, and times are cut to microseconds. */
    static PastHold asWritten(PastHold hold) {
        return new PastHold(text(hold.name(), LONGEST_NAME), hold.token(), hold.pid(), text(hold.host(), LONGEST_TEXT), text(hold.thread(), LONGEST_TEXT),
                text(hold.purpose(), LONGEST_TEXT), hold.since() == null ? null : hold.since().truncatedTo(ChronoUnit.MICROS), hold.until().truncatedTo(ChronoUnit.MICROS),
                hold.ending(), hold.count(), hold.longest(), hold.waited(), hold.longestWaitBehind(), hold.process());
    }

    private static @Nullable String text(@Nullable String text, int most) {
        if (text == null || text.length() <= most) {
            return RowParameters.text(text);
        }
        return RowParameters.text(text.substring(0, Character.isHighSurrogate(text.charAt(most - 1)) ? most - 1 : most));
    }

    // ---- reading ----

    /** {@return the last entries about one lock, in the order in which they were written} */
    List<PastHold> read(String name, int most, Duration limit) throws SQLException {
        return read("h.name = ?", name, most, limit);
    }

    /** {@return the last entries about the locks whose names begin with a prefix, in the order in which they were written} */
    List<PastHold> readAll(String prefix, int most, Duration limit) throws SQLException {
        return read("starts_with(h.name, ?)", prefix, most, limit);
    }

    private List<PastHold> read(String which, String text, int most, Duration limit) throws SQLException {
        String sql = "SELECT l.* FROM (SELECT " + READ + " FROM " + table + " h WHERE " + which
                + " ORDER BY h.until DESC, h.id DESC LIMIT ?) l ORDER BY l.id";
        return database.run(limit, connection -> {
            try (PreparedStatement read = connection.prepareStatement(sql)) {
                read.setString(1, RowParameters.text(text));
                read.setLong(2, Math.min(MOST_READ, 2L * most + SPARE_READ));
                List<PastHold> holds = new ArrayList<>();
                Instant now = Instant.now();
                try (ResultSet rows = read.executeQuery()) {
                    while (rows.next()) {
                        holds.add(hold(rows, now));
                    }
                }
                return holds;
            }
        });
    }

    /** Whoever may write the table may have written anything. */
    private static PastHold hold(ResultSet row, Instant now) throws SQLException {
        return new PastHold(row.getString("name"), number(row, "token"), row.getLong("pid"), row.getString("host"), row.getString("thread"), row.getString("purpose"),
                Row.instant(row, "since", now), Row.instant(row, "until", now), PastHolds.endingNamed(row.getString("ending")), Math.max(1, row.getLong("count")),
                span(row, "longest_us"), span(row, "waited_us"), span(row, "wait_behind_us"), HolderProcesses.parse(row.getString(PROCESS)));
    }

    private static @Nullable Long number(ResultSet row, String column) throws SQLException {
        long number = row.getLong(column);
        return row.wasNull() ? null : number;
    }

    private static @Nullable Duration span(ResultSet row, String column) throws SQLException {
        Long micros = number(row, column);
        return micros == null || micros < 0 ? null : Duration.of(micros, ChronoUnit.MICROS);
    }

    // ---- errors ----

    /** {@return whether the error says that the table does not exist} */
    static boolean isMissing(SQLException e) {
        return "42P01".equals(e.getSQLState());
    }

    LockException explain(SQLException e) {
        return new LockException("cannot look at the history: " + inWords(e), e);
    }

    /** {@return what an error means, and what to do} */
    String inWords(SQLException e) {
        return switch (String.valueOf(e.getSQLState())) {
            case "42P01", "3F000" -> "there is no table " + table + ": call createSchema() of a JdbcLockEngine that has a history once, or run postgresql-history.sql "
                    + "(in the jar, dev/sessionlock/jdbc) as a user who may create tables";
            case "42501" -> "no permission: GRANT SELECT, INSERT, DELETE ON " + table + " TO this user; to look, SELECT is enough";
            case "42703", "42883", "42804" -> "the table " + table + " is not the one that this version makes: compare it with postgresql-history.sql in the jar";
            case LOCKED -> "somebody keeps " + table + " locked (pg_blocking_pids() tells who)";
            default -> Database.inWords(e, table);
        };
    }
}

package dev.sessionlock.jdbc;

import dev.sessionlock.LockException;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.time.Duration;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/**
 * Creates tables by the scripts that are in the jar.
 *
 * @param schema is created, too; null if the search path decides
 * @param limit how long the server may keep us waiting
 * @param names what the names in the scripts stand for, in SQL
 */
record SchemaSetup(Database database, @Nullable String schema, Duration limit, Map<String, String> names) {
    static final String LOCKS = "session_lock";
    static final String REQUESTS = "session_lock_requests";
    static final String READERS = "session_lock_readers";
    static final String HISTORY = "session_lock_history";

    private static final Pattern NAME = Pattern.compile("\\bsession_lock\\w*\\b");
    private static final int CREATE_TRIES = 5;
    /** The object exists already; PostgreSQL says so in three ways. */
    private static final Set<String> MADE_BY_ANOTHER = Set.of("23505", "42P06", "42P07");
    private static final long SCHEMA_LOCK = 0x5e5510_10c4L;

    /**
     * Creates a table unless it is there. Of the script, only what mentions it is run.
     *
     * @param table its name in the script
     */
    void create(String table, String script) throws LockException {
        String sqlName = names.get(table);
        try {
            for (int tries = 1; !exists(sqlName); tries++) {
                try {
                    database.inTransaction(limit, connection -> run(connection, table, script));
                } catch (SQLException e) {
                    if (tries == CREATE_TRIES || !MADE_BY_ANOTHER.contains(String.valueOf(e.getSQLState()))) {
                        throw e;
                    }
                }
            }
        } catch (SQLException e) {
            throw Database.explain(e, "cannot make the table " + sqlName, sqlName);
        }
    }

    private boolean exists(String sqlName) throws SQLException {
        return database.run(limit, connection -> {
            try (PreparedStatement find = connection.prepareStatement("SELECT to_regclass(?) IS NOT NULL")) {
                find.setString(1, sqlName);
                try (ResultSet found = find.executeQuery()) {
                    return found.next() && found.getBoolean(1);
                }
            }
        });
    }

    /**
     * One after the other: two that create it at once would fail on each other's catalogue entries, in spite of IF NOT EXISTS. A transaction that has
     * waited may still see the catalogue as it was before, so creation is tried again in another one.
     */
    private boolean run(Connection connection, String table, String script) throws SQLException {
        try (Statement statement = connection.createStatement()) {
            statement.execute("SELECT pg_advisory_xact_lock(" + SCHEMA_LOCK + ")");
            if (schema != null) {
                statement.execute("CREATE SCHEMA IF NOT EXISTS \"" + schema + '"');
            }
            for (String sql : text(script).replaceAll("(?m)--.*$", "").split(";")) {
                if (sql.contains(table)) {
                    statement.execute(NAME.matcher(sql).replaceAll(name -> Matcher.quoteReplacement(names.get(name.group()))));
                }
            }
            return true;
        }
    }

    private static String text(String script) {
        try (InputStream text = SchemaSetup.class.getResourceAsStream(script)) {
            return new String(Objects.requireNonNull(text, script).readAllBytes(), StandardCharsets.UTF_8);
        } catch (IOException e) {
            throw new AssertionError("the jar has no " + script, e);
        }
    }
}

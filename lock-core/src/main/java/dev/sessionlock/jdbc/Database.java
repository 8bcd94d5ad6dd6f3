package dev.sessionlock.jdbc;

import dev.sessionlock.LockException;
import dev.sessionlock.internal.system.Log;
import dev.sessionlock.internal.system.Loggers;
import dev.sessionlock.internal.system.Passwords;
import dev.sessionlock.internal.system.RareLog;
import dev.sessionlock.internal.system.StackRoom;
import java.sql.Connection;
import java.sql.SQLException;
import java.sql.SQLFeatureNotSupportedException;
import java.time.Duration;
import java.util.Set;
import java.util.concurrent.ThreadLocalRandom;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;
import javax.sql.DataSource;

/** The user's data source, and what its errors mean. Each statement gets a connection of its own and returns it as it came. */
final class Database {
    private static final Log log = Loggers.LIBRARY;
    private static final RareLog TROUBLE = new RareLog(log, "could not give a connection back as it came");

    private static final String PRODUCT = "PostgreSQL";
    private static final int TRIES = 5;
    /** Two transactions were in conflict: one of them has to be repeated. */
    private static final Set<String> CONFLICTS = Set.of("40001", "40P01");

    private final DataSource source;
    private volatile boolean known;

    Database(DataSource source) {
        this.source = source;
    }

    /** One statement, or a few. */
    interface Transaction<T> {
        T on(Connection connection) throws SQLException;
    }

    /**
     * Runs one transaction, and repeats it where the server asks for that. An interrupt is put off until it is done: half-way nobody could tell what
     * has become of it.
     *
     * @param limit how long the server may keep us waiting
     */
    <T> T run(Duration limit, Transaction<T> work) throws SQLException {
        boolean interrupted = Thread.interrupted();
        try {
            for (int tries = 1; ; tries++) {
                try {
                    return once(limit, true, work);
                } catch (SQLException e) {
                    if (tries == TRIES || !CONFLICTS.contains(String.valueOf(e.getSQLState()))) {
                        throw e;
                    }
                    LockSupport.parkNanos(ThreadLocalRandom.current().nextLong(TimeUnit.MILLISECONDS.toNanos(5)));
                }
            }
        } finally {
            if (interrupted) {
                Thread.currentThread().interrupt();
            }
        }
    }

    /** Does several things in one transaction. */
    <T> T inTransaction(Duration limit, Transaction<T> work) throws SQLException {
        return once(limit, false, connection -> {
            boolean committed = false;
            try {
                T result = work.on(connection);
                connection.commit();
                committed = true;
                return result;
            } finally {
                if (!committed) {
                    insist(connection::rollback); // otherwise the return to auto-commit would commit half of it
                }
            }
        });
    }

    private <T> T once(Duration limit, boolean autoCommit, Transaction<T> work) throws SQLException {
        StackRoom.require(); // a connection that we got must be given back
        Connection connection = connect();
        ConnectionSettings came = null;
        try {
            came = ConnectionSettings.of(connection);
            came.change(connection, limit, autoCommit);
            requireProduct(connection);
            return work.on(connection);
        } finally {
            try {
                if (came != null) {
                    came.restore(connection);
                }
            } finally {
                insist(connection::close);
            }
        }
    }

    private Connection connect() throws SQLException {
        try {
            return source.getConnection();
        } catch (SQLException e) {
            throw Passwords.hiddenIn(e, null); // it ends in messages and logs, and may contain the whole address
        }
    }

    private interface Statements {
        void run() throws SQLException;
    }

    /**
     * Runs what has to be done whatever was thrown before, and tries once more if it throws. If that fails too, the connection is broken, and its
     * pool will find that out. What was done through the connection is done, so only the log is told.
     */
    private static void insist(Statements step) {
        try {
            step.run();
        } catch (SQLException | RuntimeException | Error first) {
            try {
                step.run();
            } catch (SQLException e) {
                log.debug("a connection is broken", e);
            } catch (RuntimeException | Error e) {
                TROUBLE.error(e);
            }
        }
    }

    /** The settings of a connection as it came from its pool. It goes back with the same. */
    private record ConnectionSettings(boolean autoCommit, boolean readOnly, int networkTimeout) {
        private static final int UNSUPPORTED = -1;

        /** Only reads: if this throws, nothing has been changed yet. */
        static ConnectionSettings of(Connection connection) throws SQLException {
            return new ConnectionSettings(connection.getAutoCommit(), connection.isReadOnly(), networkTimeout(connection));
        }

        private static int networkTimeout(Connection connection) throws SQLException {
            try {
                return connection.getNetworkTimeout();
            } catch (SQLFeatureNotSupportedException e) {
                return UNSUPPORTED;
            }
        }

        void change(Connection connection, Duration limit, boolean wantedAutoCommit) throws SQLException {
            if (networkTimeout != UNSUPPORTED) {
                // A server that has gone silent, or the network before it, must not keep a thread longer than this.
                int millis = Math.toIntExact(limit.toMillis());
                connection.setNetworkTimeout(Runnable::run, networkTimeout > 0 ? Math.min(networkTimeout, millis) : millis);
            }
            if (readOnly) {
                if (!autoCommit) {
                    connection.rollback(); // ends a transaction in which the settings could not be changed; it was still empty
                }
                connection.setReadOnly(false);
            }
            if (autoCommit != wantedAutoCommit) {
                connection.setAutoCommit(wantedAutoCommit);
            }
        }

        /**
         * Restores each setting separately, whatever became of the others, and whether or not it was changed: a call that threw may have changed it.
         */
        void restore(Connection connection) {
            insist(() -> connection.setAutoCommit(autoCommit));
            if (readOnly) {
                insist(() -> connection.setReadOnly(true));
            }
            if (networkTimeout != UNSUPPORTED) {
                insist(() -> connection.setNetworkTimeout(Runnable::run, networkTimeout));
            }
        }
    }

    private void requireProduct(Connection connection) throws SQLException {
        if (known) {
            return;
        }
        String product = connection.getMetaData().getDatabaseProductName();
        if (!PRODUCT.equals(product)) {
            throw new SQLException("the data source leads to " + product + ", and JdbcLockEngine.postgresql() speaks " + PRODUCT + " only",
                    "0A000");
        }
        known = true;
    }

    // ---- errors ----

    /** {@return whether the error may pass by itself, such as a server that restarts; otherwise somebody has to act} */
    static boolean mayPass(SQLException e) {
        String state = String.valueOf(e.getSQLState());
        return !(state.startsWith("42") || state.startsWith("28") || state.startsWith("22") || state.startsWith("0A") || state.equals("3D000")
                || state.equals("3F000") || state.equals("25006"));
    }

    /** {@return whether the user has not the permission} */
    static boolean isForbidden(SQLException e) {
        return "42501".equals(e.getSQLState());
    }

    /** Puts an error into words for the person who has to act. */
    static LockException explain(SQLException e, String cannot, String table) {
        return new LockException(cannot + ": " + inWords(e, table), e);
    }

    /** {@return what an error means, and what to do} */
    static String inWords(SQLException e, String table) {
        String said = oneLine(String.valueOf(e.getMessage()));
        return switch (String.valueOf(e.getSQLState())) {
            case "42P01", "3F000" -> "there is no table " + table + ": call createSchema() of the JdbcLockEngine once, or run postgresql.sql "
                    + "(in the jar, dev/sessionlock/jdbc) as a user who may create tables (" + said + ")";
            case "22003" -> "its fencing tokens are used up: the last one is " + Long.MAX_VALUE + ", the greatest that there is. No clock leads there: somebody "
                    + "has written it into " + table + ". To go on: end all processes that use this lock, have all that remembers its tokens (fences) forget "
                    + "them, delete its row, and start the processes again (" + said + ")";
            case "42703", "42883", "42804" -> "the table " + table + " is not the one that this version makes, or the server is older than "
                    + "PostgreSQL 12: compare it with postgresql.sql in the jar (" + said + ")";
            case "42501" -> "no permission: GRANT SELECT, INSERT, UPDATE ON " + table + " TO this user (and DELETE on the table of the readers, for shared locks); to look, SELECT is enough (" + said + ")";
            case "25006" -> "the server only lets us read (a replica, or default_transaction_read_only), and a lock must be written: connect to "
                    + "the primary (" + said + ")";
            case "28P01", "28000" -> "the database does not let us in: " + said;
            case "0A000", "3D000" -> said;
            default -> mayPass(e) ? "the database could not be reached or did not answer: " + said : "the database refused: " + said;
        };
    }

    private static String oneLine(String text) {
        return text.strip().replaceAll("\\s*\\R\\s*", "; ").replaceAll("\\.+$", "");
    }
}

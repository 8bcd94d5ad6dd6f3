package dev.sessionlock.cli;

import dev.sessionlock.SessionLocks;
import dev.sessionlock.jdbc.JdbcLockEngine;
import java.io.PrintWriter;
import java.nio.file.Path;
import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.SQLFeatureNotSupportedException;
import java.util.List;
import java.util.logging.Logger;
import javax.sql.DataSource;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Model.PositionalParamSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;

/** The option {@code --jdbc}, for the commands that also work on locks in a database. */
final class JdbcOption {
    /** The processes that write the history know its bound, and keep it. */
    private static final int ANY_BOUND = 100_000;
    private static final int PATIENCE_MILLIS = 5_000;

    @Spec(Spec.Target.MIXEE)
    private CommandSpec spec;

    @Option(names = "--jdbc", paramLabel = "URL",
            description = "Use the locks in a PostgreSQL database instead of those on files. Then you name locks, not files. Example: jdbc:postgresql://host/db?user=me. "
                    + "Everybody who runs ps sees a password in the URL: put it into PGPASSWORD, PGPASSFILE or ~/.pgpass instead.")
    private @Nullable String url;

    @Option(names = "--jdbc-user", paramLabel = "U", description = "With --jdbc: the user of the database.")
    private @Nullable String user;

    @Option(names = "--jdbc-password-file", paramLabel = "F",
            description = "With --jdbc: a file whose first line is the password; only its owner may read it (chmod 600).")
    private @Nullable Path passwordFile;

    @Option(names = "--schema", paramLabel = "S", description = "With --jdbc: the schema of the table session_lock. Default: by the search path.")
    private @Nullable String schema;

    boolean isGiven() {
        if (url == null && (schema != null || user != null || passwordFile != null)) {
            throw wrong((schema != null ? "--schema" : user != null ? "--jdbc-user" : "--jdbc-password-file") + " goes with --jdbc");
        }
        return url != null;
    }

    /** {@return a builder of the locks that the options ask for, for a command that only looks} */
    SessionLocks.Builder builder() {
        return builder(false);
    }

    /** {@return a builder of the locks that the options ask for} What is done with them is written into the history, if the database has one. */
    SessionLocks.Builder writingBuilder() {
        return builder(true);
    }

    private SessionLocks.Builder builder(boolean writes) {
        SessionLocks.Builder builder = SessionLocks.builder();
        if (!isGiven()) {
            return builder;
        }
        try {
            DataSource source = new PlainSource(address());
            JdbcLockEngine engine = JdbcLockEngine.postgresql(source);
            engine = schema == null ? engine : engine.withSchema(schema);
            return builder.over(writes && mayWriteHistory(source) ? engine.withHistory(ANY_BOUND) : engine);
        } catch (IllegalArgumentException e) {
            throw wrong(e.getMessage());
        }
    }

    private boolean mayWriteHistory(DataSource source) {
        String table = (schema == null ? "" : '"' + schema + "\".") + "session_lock_history";
        try (Connection connection = source.getConnection();
                PreparedStatement ask = connection.prepareStatement("SELECT bool_and(has_table_privilege(to_regclass(?), p)) FROM unnest(ARRAY['SELECT', 'INSERT', 'DELETE']) p")) {
            connection.setNetworkTimeout(Runnable::run, PATIENCE_MILLIS);
            ask.setString(1, table);
            try (ResultSet answer = ask.executeQuery()) {
                return answer.next() && answer.getBoolean(1);
            }
        } catch (SQLException e) {
            return false; // the locks will say what is wrong
        }
    }

    private JdbcAddress address() {
        JdbcAddress address = JdbcAddress.of(url, user, passwordFile, System.getenv());
        String problem = address.refuseOpenPasswordFile(System.getenv());
        if (problem != null) {
            Main.say(spec.commandLine(), problem, 0);
        }
        return address;
    }

    private ParameterException wrong(String what) {
        return new ParameterException(spec.commandLine(), what);
    }

    /** {@return the first positional parameter, letter by letter, since a path would drop some; empty if there is none} */
    String name() {
        for (PositionalParamSpec parameter : spec.commandLine().getParseResult().matchedPositionals()) {
            List<String> texts = parameter.originalStringValues();
            if (parameter.index().min() == 0 && !texts.isEmpty()) {
                return texts.get(0);
            }
        }
        return "";
    }

    /** Opens a connection for each statement. The tool needs few, and must leave none behind when it is killed. */
    private record PlainSource(JdbcAddress address) implements DataSource {

        @Override
        public Connection getConnection() throws SQLException {
            return address.connect();
        }

        @Override
        public Connection getConnection(String user, String password) throws SQLException {
            throw new SQLFeatureNotSupportedException();
        }

        @Override
        public PrintWriter getLogWriter() {
            return null;
        }

        @Override
        public void setLogWriter(PrintWriter out) throws SQLException {
            throw new SQLFeatureNotSupportedException();
        }

        @Override
        public void setLoginTimeout(int seconds) throws SQLException {
            throw new SQLFeatureNotSupportedException();
        }

        @Override
        public int getLoginTimeout() {
            return 0;
        }

        @Override
        public Logger getParentLogger() throws SQLFeatureNotSupportedException {
            throw new SQLFeatureNotSupportedException();
        }

        @Override
        public <T> T unwrap(Class<T> type) throws SQLException {
            throw new SQLFeatureNotSupportedException();
        }

        @Override
        public boolean isWrapperFor(Class<?> type) {
            return false;
        }
    }
}

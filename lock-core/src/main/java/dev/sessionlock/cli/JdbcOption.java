package dev.sessionlock.cli;

import dev.sessionlock.SessionLocks;
import dev.sessionlock.jdbc.JdbcLockEngine;
import java.io.PrintWriter;
import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.SQLException;
import java.sql.SQLFeatureNotSupportedException;
import java.util.List;
import java.util.logging.Logger;
import javax.sql.DataSource;
import org.jetbrains.annotations.Nullable;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Model.PositionalParamSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;

/** {@code --jdbc}, for the commands that also work on locks in a database. */
final class JdbcOption {
    private static final String PREFIX = "jdbc:postgresql:";

    @Spec(Spec.Target.MIXEE)
    private CommandSpec spec;

    @Option(names = "--jdbc", paramLabel = "URL",
            description = "The locks in a PostgreSQL database, rather than those on files: what is named is a name there. Such as "
                    + "jdbc:postgresql://host/db?user=me; the password is best kept in ~/.pgpass.")
    private @Nullable String url;

    @Option(names = "--schema", paramLabel = "S", description = "With --jdbc: the schema of the table session_lock. Default: by the search path.")
    private @Nullable String schema;

    boolean isGiven() {
        if (url == null && schema != null) {
            throw new ParameterException(spec.commandLine(), "--schema goes with --jdbc");
        } else if (url != null && !url.startsWith(PREFIX)) {
            throw new ParameterException(spec.commandLine(), "--jdbc is an address that begins with " + PREFIX + "//");
        }
        return url != null;
    }

    /** {@return a builder of locks where they are wanted} */
    SessionLocks.Builder builder() {
        SessionLocks.Builder builder = SessionLocks.builder();
        if (!isGiven()) {
            return builder;
        }
        JdbcLockEngine engine = JdbcLockEngine.postgresql(new PlainSource(url));
        try {
            return builder.over(schema == null ? engine : engine.withSchema(schema));
        } catch (IllegalArgumentException e) {
            throw new ParameterException(spec.commandLine(), e.getMessage());
        }
    }

    /** {@return the first positional parameter letter by letter: a path would drop some} Empty if there is none. */
    String name() {
        for (PositionalParamSpec parameter : spec.commandLine().getParseResult().matchedPositionals()) {
            List<String> texts = parameter.originalStringValues();
            if (parameter.index().min() == 0 && !texts.isEmpty()) {
                return texts.get(0);
            }
        }
        return "";
    }

    /** A connection for each statement: the tool makes few, and must leave none behind when it is killed. */
    private record PlainSource(String url) implements DataSource {

        @Override
        public Connection getConnection() throws SQLException {
            return DriverManager.getConnection(url);
        }

        @Override
        public Connection getConnection(String user, String password) throws SQLException {
            return DriverManager.getConnection(url, user, password);
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

package dev.sessionlock.jdbc;

import com.zaxxer.hikari.HikariConfig;
import com.zaxxer.hikari.HikariDataSource;
import io.zonky.test.db.postgres.embedded.EmbeddedPostgres;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.URI;
import java.sql.Connection;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.time.Duration;
import java.util.concurrent.atomic.AtomicInteger;
import javax.sql.DataSource;
import org.postgresql.ds.PGSimpleDataSource;

/**
 * The server of all tests of this JVM. Either it is unpacked from a jar, started at first use and ended with the JVM; or it is the server that the
 * environment names in DATABASE_URL ({@code postgres://user:password@host:port/database}, or a JDBC URL).
 */
public final class PostgresServer {
    private static final AtomicInteger SCHEMAS = new AtomicInteger();

    private PostgresServer() {
    }

    private static final class Running {
        private static final String URL = start();

        private static String start() {
            String given = System.getenv("DATABASE_URL");
            if (given != null && !given.isBlank()) {
                Runtime.getRuntime().addShutdownHook(new Thread(() -> sweep(jdbc(given))));
                return jdbc(given);
            }
            try {
                return embedded().start().getJdbcUrl("postgres", "postgres");
            } catch (IOException e) {
                throw new UncheckedIOException("the embedded server does not start", e);
            }
        }
    }

    /** Removes what tests have left on a server that lives on. */
    private static void sweep(String url) {
        String mine = "t" + ProcessHandle.current().pid() + "\\_%";
        try {
            execute(plain(url), "DO $$ DECLARE s text; BEGIN FOR s IN SELECT nspname FROM pg_namespace WHERE nspname LIKE '" + mine
                    + "' LOOP EXECUTE 'DROP SCHEMA ' || quote_ident(s) || ' CASCADE'; END LOOP; END $$");
        } catch (SQLException e) {
            System.err.println("could not remove the schemas " + mine + ": " + e);
        }
    }

    /** An embedded server with the settings of production: what was committed is on the disk. */
    static EmbeddedPostgres.Builder embedded() {
        return EmbeddedPostgres.builder().setServerConfig("synchronous_commit", "on").setServerConfig("fsync", "on")
                .setPGStartupWait(Duration.ofSeconds(120));
    }

    private static String jdbc(String url) {
        if (url.startsWith("jdbc:")) {
            return url;
        }
        URI uri = URI.create(url);
        String[] user = uri.getUserInfo() == null ? new String[0] : uri.getUserInfo().split(":", 2);
        return "jdbc:postgresql://" + uri.getHost() + ":" + (uri.getPort() < 0 ? 5432 : uri.getPort()) + uri.getPath()
                + (user.length > 0 ? "?user=" + user[0] : "") + (user.length > 1 ? "&password=" + user[1] : "");
    }

    /** {@return the address of the server, with user and password} */
    public static String url() {
        return Running.URL;
    }

    /** {@return the address of the server with further parameters} */
    static String url(String parameters) {
        return url() + (url().contains("?") ? "&" : "?") + parameters;
    }

    /** {@return a name that no other test of this server uses} */
    public static String newSchema() {
        return "t" + ProcessHandle.current().pid() + "_" + Long.toString(System.nanoTime(), 36) + "_" + SCHEMAS.incrementAndGet();
    }

    /** {@return a connection for each statement} */
    public static PGSimpleDataSource plain(String url) {
        PGSimpleDataSource source = new PGSimpleDataSource();
        source.setURL(url);
        return source;
    }

    /** {@return a pool, to be closed, whose first connection may take long: it is opened by a JVM that has just started} */
    static HikariDataSource patientPool(String url, int size) {
        HikariDataSource pool = pool(url, size);
        pool.getHikariConfigMXBean().setConnectionTimeout(20_000);
        return pool;
    }

    /** {@return a pool, to be closed} */
    static HikariDataSource pool(String url, int size) {
        HikariConfig config = new HikariConfig();
        config.setDataSource(plain(url));
        config.setMaximumPoolSize(size);
        config.setMinimumIdle(1);
        config.setConnectionTimeout(1_000);
        config.setInitializationFailTimeout(-1);
        return new HikariDataSource(config);
    }

    public static void execute(DataSource source, String sql) throws SQLException {
        try (Connection connection = source.getConnection(); Statement statement = connection.createStatement()) {
            statement.execute(sql);
        }
    }

    /** {@return the first value of the first row, as text; null if there is none} */
    public static String ask(DataSource source, String sql) throws SQLException {
        try (Connection connection = source.getConnection(); Statement statement = connection.createStatement();
                ResultSet row = statement.executeQuery(sql)) {
            return row.next() ? row.getString(1) : null;
        }
    }
}

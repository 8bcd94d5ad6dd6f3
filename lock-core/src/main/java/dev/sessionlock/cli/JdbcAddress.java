package dev.sessionlock.cli;

import dev.sessionlock.internal.system.Passwords;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.net.URLDecoder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFileAttributeView;
import java.nio.file.attribute.PosixFileAttributes;
import java.nio.file.attribute.PosixFilePermission;
import java.nio.file.attribute.PosixFilePermissions;
import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.SQLException;
import java.util.EnumSet;
import java.util.Map;
import java.util.Properties;
import java.util.Set;
import java.util.StringJoiner;
import java.util.logging.Level;
import java.util.logging.Logger;
import org.jspecify.annotations.Nullable;

/**
 * The address of a database, and the user as whom we connect. Secrets are kept apart from the address, since the driver puts the address into its
 * messages.
 *
 * <p>The password comes from the file that the operator names; if there is none, from the address, and then from {@code PGPASSWORD}. Without any of
 * these the driver looks into {@code PGPASSFILE} or {@code ~/.pgpass}, as libpq does.
 */
final class JdbcAddress {
    static final String PREFIX = "jdbc:postgresql:";
    /**
     * The driver warns about an address that it cannot read, and prints it with the password. Its exceptions tell us what we need, so its log is off.
     * The field keeps the logger from being collected, with its level.
     */
    private static final Logger DRIVER_LOG = Logger.getLogger("org.postgresql");
    private static final Set<String> SECRETS = Set.of("password", "sslpassword");
    /** Tells the driver the password file before the environment does. */
    private static final String PASSWORD_FILE_PROPERTY = "org.postgresql.pgpassfile";
    private static final Set<PosixFilePermission> OTHERS = EnumSet.range(PosixFilePermission.GROUP_READ, PosixFilePermission.OTHERS_EXECUTE);

    static {
        DRIVER_LOG.setLevel(Level.OFF);
    }

    private final String address;
    private final Properties properties;

    private JdbcAddress(String address, Properties properties) {
        this.address = address;
        this.properties = properties;
    }

    /**
     * Parses an address.
     *
     * @param url as it was typed
     * @param user replaces the one in the address; null to keep that
     * @param passwordFile its first line is the password; null if there is none
     * @param environment may contain {@code PGPASSWORD}
     * @throws IllegalArgumentException in words for the operator, if it is no address, or if the file cannot be read
     */
    static JdbcAddress of(String url, @Nullable String user, @Nullable Path passwordFile, Map<String, String> environment) {
        if (!url.startsWith(PREFIX)) {
            throw new IllegalArgumentException("--jdbc is an address that begins with " + PREFIX + "//");
        }
        int question = url.indexOf('?');
        String place = question < 0 ? url : url.substring(0, question);
        if (place.contains("@")) {
            throw new IllegalArgumentException("--jdbc has a user or password before the host, where the driver does not look for them: give "
                    + "--jdbc-user, and PGPASSWORD, ~/.pgpass or --jdbc-password-file");
        }
        Properties properties = new Properties();
        StringJoiner rest = new StringJoiner("&");
        for (String parameter : (question < 0 ? "" : url.substring(question + 1)).split("&")) {
            int equals = parameter.indexOf('=');
            String name = equals < 0 ? parameter : parameter.substring(0, equals);
            if (SECRETS.contains(name)) {
                properties.setProperty(name, decoded(parameter.substring(Math.min(name.length() + 1, parameter.length()))));
            } else if (!parameter.isEmpty() && !(name.equals("user") && user != null)) {
                rest.add(parameter);
            }
        }
        if (user != null) {
            properties.setProperty("user", user);
        }
        if (passwordFile != null) {
            properties.setProperty("password", firstLine(passwordFile));
        } else if (environment.containsKey("PGPASSWORD")) {
            properties.putIfAbsent("password", environment.get("PGPASSWORD"));
        }
        JdbcAddress address = new JdbcAddress(rest.length() == 0 ? place : place + "?" + rest, properties);
        address.requireDriver();
        return address;
    }

    private static String decoded(String text) {
        try {
            return URLDecoder.decode(text, StandardCharsets.UTF_8);
        } catch (IllegalArgumentException e) {
            throw new IllegalArgumentException("a password in --jdbc is not URL-encoded; it is better kept elsewhere, see --help");
        }
    }

    private void requireDriver() {
        try {
            DriverManager.getDriver(address);
        } catch (SQLException e) {
            throw new IllegalArgumentException("--jdbc is no address that the driver understands; it looks like "
                    + PREFIX + "//host:5432/database?user=me");
        }
    }

    private static String firstLine(Path file) {
        try {
            if (isOpenToOthers(file)) {
                throw new IllegalArgumentException("the password file " + file
                        + " is open to others than its owner, and so it is not read: chmod 600 " + file);
            }
            try (BufferedReader in = new BufferedReader(new InputStreamReader(Files.newInputStream(file), StandardCharsets.UTF_8))) {
                String line = in.readLine();
                if (line == null || line.isEmpty()) {
                    throw new IllegalArgumentException("the password file " + file + " has no password in its first line");
                }
                return line;
            }
        } catch (NoSuchFileException e) {
            throw new IllegalArgumentException("there is no password file " + file);
        } catch (IOException e) {
            throw new IllegalArgumentException("the password file " + file + " cannot be read: " + e);
        }
    }

    private static boolean isOpenToOthers(Path file) throws IOException {
        PosixFileAttributeView view = Files.getFileAttributeView(file, PosixFileAttributeView.class);
        if (view == null) {
            return false; // Windows
        }
        PosixFileAttributes attributes = view.readAttributes();
        Set<PosixFilePermission> open = EnumSet.copyOf(OTHERS);
        open.retainAll(attributes.permissions());
        return !open.isEmpty() && attributes.isRegularFile(); // the file of a shell's <(...) is not a regular one
    }

    /**
     * Checks, as libpq does, that nobody else may read or write the password file.
     *
     * @param environment may contain {@code PGPASSFILE}
     * @return what is wrong with it; null if nothing, or if it is not needed
     */
    @Nullable String refuseOpenPasswordFile(Map<String, String> environment) {
        if (properties.containsKey("password") || System.getProperty(PASSWORD_FILE_PROPERTY) != null) {
            return null;
        }
        String named = environment.get("PGPASSFILE");
        Path file = named == null || named.isEmpty() ? Path.of(System.getProperty("user.home"), ".pgpass") : Path.of(named);
        try {
            if (!Files.isReadable(file) || !isOpenToOthers(file)) {
                return null;
            }
            System.setProperty(PASSWORD_FILE_PROPERTY, "/dev/null");
            return "the password file " + file + " has the mode " + PosixFilePermissions.toString(Files.getPosixFilePermissions(file))
                    + " and is ignored, since others could read or change it: chmod 600 " + file;
        } catch (IOException e) {
            return null; // the file is gone
        }
    }

    Connection connect() throws SQLException {
        try {
            return DriverManager.getConnection(address, properties);
        } catch (SQLException e) {
            throw Passwords.hiddenIn(e, properties.getProperty("password"));
        }
    }

    /** Contains no secret. */
    @Override
    public String toString() {
        return Passwords.hiddenIn(address);
    }
}

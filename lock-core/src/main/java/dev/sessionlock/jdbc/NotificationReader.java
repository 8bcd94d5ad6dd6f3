package dev.sessionlock.jdbc;

import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Method;
import java.sql.Connection;
import java.sql.SQLException;
import java.sql.SQLFeatureNotSupportedException;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/**
 * Reads what the server has sent to a connection that listens. JDBC has no call for that; the driver of PostgreSQL has {@code org.postgresql.PGConnection}. It is
 * used by reflection, since the driver is the user's, may lie in another class loader, and may be wrapped by a pool.
 */
final class NotificationReader {
    private static final String DRIVERS_TYPE = "org.postgresql.PGConnection";

    private final Object connection;
    private final String channel;
    private final Method getNotifications;
    private final Method getName;
    private final Method getParameter;

    private NotificationReader(Object connection, String channel, Method getNotifications) throws NoSuchMethodException {
        Class<?> notification = getNotifications.getReturnType().getComponentType();
        this.connection = connection;
        this.channel = channel;
        this.getNotifications = getNotifications;
        this.getName = notification.getMethod("getName");
        this.getParameter = notification.getMethod("getParameter");
    }

    /**
     * @param channel whose notifications are read; a pool may have made the connection listen to others, too
     * @throws SQLFeatureNotSupportedException if the driver, or what wraps its connections, gives no access to notifications
     */
    static NotificationReader of(Connection connection, String channel) throws SQLException {
        Class<?> type = driversType(connection);
        if (type == null) {
            throw unsupported("neither it nor what it wraps is a " + DRIVERS_TYPE, null);
        }
        try {
            Object unwrapped = type.isInstance(connection) ? connection : connection.unwrap(type);
            return new NotificationReader(Objects.requireNonNull(unwrapped, "unwrap"), channel, type.getMethod("getNotifications", int.class));
        } catch (SQLException e) {
            throw unsupported("it does not unwrap to " + DRIVERS_TYPE + ": " + e.getMessage(), e);
        } catch (NoSuchMethodException e) {
            throw unsupported("its driver is older than 42.0", e);
        }
    }

    private static SQLException unsupported(String why, @Nullable Exception cause) {
        return new SQLFeatureNotSupportedException("the connection (" + why + ") cannot tell what the server notifies", "0A000", cause);
    }

    private static @Nullable Class<?> driversType(Connection connection) {
        Object wrapped = wrapped(connection);
        Class<?> type = typeAmong(connection.getClass());
        type = type != null || wrapped == null ? type : typeAmong(wrapped.getClass());
        type = type != null ? type : typeSeenBy(connection.getClass().getClassLoader());
        return type != null ? type : typeSeenBy(NotificationReader.class.getClassLoader());
    }

    /** {@return the connection that a pool wraps, whose class loader is the driver's; null if it does not say} */
    private static @Nullable Object wrapped(Connection connection) {
        try {
            return connection.unwrap(Connection.class);
        } catch (SQLException e) {
            return null; // it may unwrap to the driver's type all the same
        }
    }

    private static @Nullable Class<?> typeAmong(@Nullable Class<?> type) {
        if (type == null || type.getName().equals(DRIVERS_TYPE)) {
            return type;
        }
        for (Class<?> one : type.getInterfaces()) {
            Class<?> found = typeAmong(one);
            if (found != null) {
                return found;
            }
        }
        return typeAmong(type.getSuperclass());
    }

    private static @Nullable Class<?> typeSeenBy(@Nullable ClassLoader loader) {
        try {
            return Class.forName(DRIVERS_TYPE, false, loader);
        } catch (ClassNotFoundException e) {
            return null;
        }
    }

    /**
     * Waits for notifications.
     *
     * @param millis for how long, more than 0
     * @return what they carry; empty if none came
     */
    List<String> await(int millis) throws SQLException {
        Object[] notifications = (Object[]) call(connection, getNotifications, millis);
        List<String> carried = new ArrayList<>();
        for (int i = 0; notifications != null && i < notifications.length; i++) {
            if (channel.equals(call(notifications[i], getName))) {
                carried.add(String.valueOf(call(notifications[i], getParameter)));
            }
        }
        return carried;
    }

    /** Drops what has come and was not read, so that the next user of the connection does not get it. */
    void drop() throws SQLException {
        call(connection, getNotifications, 1);
    }

    private static @Nullable Object call(Object on, Method method, Object... arguments) throws SQLException {
        try {
            return method.invoke(on, arguments);
        } catch (IllegalAccessException e) {
            throw unsupported("its driver does not let us call it", e);
        } catch (InvocationTargetException e) {
            Throwable cause = e.getCause();
            if (cause instanceof SQLException failure) {
                throw failure;
            } else if (cause instanceof Error error) {
                throw error;
            }
            throw new SQLException("the driver failed: " + cause, cause);
        }
    }
}

package dev.sessionlock.jdbc;

import dev.sessionlock.internal.system.Loggers;
import dev.sessionlock.internal.system.RareLog;
import java.sql.SQLException;
import java.util.UUID;
import java.util.concurrent.TimeUnit;

/**
 * What a release sends to the process that waits. Each process that listens has a channel of its own, named after it and not after the table. So the server wakes the
 * one process for which the lock is reserved, and it does not matter by which schema or search path each process finds the table.
 *
 * <p>A release must know from the row alone whether the process that waits also listens: a notification that nobody hears costs the server something, too. The tables
 * of older versions have no column for that. So the id of the process tells: that of a process that listens is a UUID of version 8, any other one is of version 4
 * (RFC 9562).
 */
final class Notifications {
    private static final String PREFIX = "sessionlock_";
    private static final long VERSION_MASK = 0xf000L;
    private static final long VERSION_8 = 0x8000L;
    /** The class of the errors by which the server says that something is full, such as its queue of notifications. */
    private static final String FULL = "54";
    private static final String NONE = "NULL";
    private static final long QUIET_NANOS = TimeUnit.SECONDS.toNanos(10);
    /**
     * For RETURNING, in a statement that gives row {@code l} back: notifies the process for which the row is reserved from now on, if there is one and it listens. The
     * server sends it with the commit. The 15th character of a UUID is its version.
     */
    private static final String NOTIFY = "CASE WHEN l.reserved_until IS NOT NULL AND substr(l.hand::text, 15, 1) = '8' "
            + "THEN pg_notify('" + PREFIX + "' || l.hand, l.name) END";

    private final RareLog trouble;
    /** Whether the server has said that it will never let us notify. */
    private volatile boolean areRefused;
    /** Until when nothing is notified, since it has failed: a release must not fail twice for a hint. */
    private volatile long quietUntil = System.nanoTime();

    Notifications(String table) {
        this.trouble = new RareLog(Loggers.LIBRARY, "could not notify the process that waits for a lock in " + table + ", which was given back all the same; it polls");
    }

    /** {@return a new id for a process, or rather for an engine in it} */
    static UUID newProcess(boolean listens) {
        UUID id = UUID.randomUUID();
        return listens ? new UUID(id.getMostSignificantBits() & ~VERSION_MASK | VERSION_8, id.getLeastSignificantBits()) : id;
    }

    /** {@return the channel of that process, a plain word of 48 characters} */
    static String channel(UUID process) {
        return PREFIX + process;
    }

    /** A statement that gives rows back. */
    interface Release<T> {
        /** @param last what the statement is to return as its last column */
        T returning(String last) throws SQLException;
    }

    /** Gives rows back, and notifies. If the server does not let us notify (no permission, a full queue), the rows are given back without: it is only a hint. */
    <T> T releaseAndNotify(Release<T> release) throws SQLException {
        if (areRefused || System.nanoTime() - quietUntil < 0) {
            return release.returning(NONE);
        }
        try {
            return release.returning(NOTIFY);
        } catch (SQLException e) {
            quietUntil = System.nanoTime() + QUIET_NANOS;
            boolean isFull = String.valueOf(e.getSQLState()).startsWith(FULL);
            if (Database.mayPass(e) && !isFull) {
                throw e;
            }
            T released = release.returning(NONE);
            areRefused = !isFull;
            trouble.warn(String.valueOf(e.getMessage()), e);
            return released;
        }
    }
}

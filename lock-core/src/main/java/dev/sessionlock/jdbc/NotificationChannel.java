package dev.sessionlock.jdbc;

import java.util.UUID;

/**
 * The channel on which the server notifies one waiting process. It is named after that process and not after the table: so the server wakes the one process for which
 * the lock is reserved, and it does not matter by which schema or search path each process finds the table.
 *
 * <p>A release must know from the row alone whether the process that waits also listens: a notification that nobody hears costs the server something, too. A column for
 * that is missing in the tables of older versions. So the id tells: that of a process that listens is a UUID of version 8, any other one is of version 4 (RFC 9562).
 */
final class NotificationChannel {
    private static final String PREFIX = "sessionlock_";
    private static final long VERSION_MASK = 0xf000L;
    private static final long VERSION_8 = 0x8000L;

    /**
     * An expression for RETURNING, in a statement that gives row {@code l} back: notifies the process for which the row is reserved from now on, if there is one and it
     * listens. The server sends it with the commit. The 15th character of a UUID is its version.
     */
    static final String NOTIFY = "CASE WHEN l.reserved_until IS NOT NULL AND substr(l.hand::text, 15, 1) = '8' "
            + "THEN pg_notify('" + PREFIX + "' || l.hand, l.name) END";

    private NotificationChannel() {
    }

    /** {@return a new id for a process, or rather for an engine in it} */
    static UUID newProcess(boolean listens) {
        UUID id = UUID.randomUUID();
        return listens ? new UUID(id.getMostSignificantBits() & ~VERSION_MASK | VERSION_8, id.getLeastSignificantBits()) : id;
    }

    /** {@return the channel of that process: 48 plain characters at most} */
    static String of(UUID process) {
        return PREFIX + process;
    }
}

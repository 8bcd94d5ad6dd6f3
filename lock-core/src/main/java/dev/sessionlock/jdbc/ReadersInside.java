package dev.sessionlock.jdbc;

import dev.sessionlock.internal.system.Liveness;
import dev.sessionlock.internal.system.Loggers;
import dev.sessionlock.internal.system.RareLog;
import dev.sessionlock.spi.EngineLock.ClearOutcome;
import dev.sessionlock.spi.EngineLock.Cleared;
import java.sql.SQLException;
import java.time.Duration;
import java.util.List;
import java.util.UUID;
import org.jspecify.annotations.Nullable;

/**
 * The readers of a lock as another process sees them. The lock's row says until when one of them may be inside. Only their own rows say whether they still are: one may
 * have died on this machine, and the answer of the last one that left may have been lost.
 *
 * @param name the lock's
 * @param readers their rows
 */
record ReadersInside(LockTable table, String name, List<Row> readers, Duration limit) {
    private static final RareLog trouble = new RareLog(Loggers.LIBRARY, "could not look who reads what a lock is wanted for; others get in when the leases are over");

    static ReadersInside of(LockTable table, String name, Duration limit) throws SQLException {
        return new ReadersInside(table, name, table.readers().inside(List.of(name), limit), limit);
    }

    private static boolean isDead(Row reader) {
        return reader.liveness().verdict() == Liveness.Verdict.DEAD;
    }

    /** {@return whether others have to wait for it} */
    static boolean isInTheWay(Row reader) {
        return !reader.isLeaseOver() && !isDead(reader);
    }

    /** {@return one of them, for people: if there is one, a reader that is alive as far as is known, and has a lease; null if nobody is inside} */
    static @Nullable Row oneOf(List<Row> readers) {
        Row one = null;
        for (Row reader : readers) {
            if (isInTheWay(reader)) {
                return reader;
            }
            one = one == null || one.isLeaseOver() ? reader : one;
        }
        return one;
    }

    /** {@return a reader that others have to wait for; null if there is none} */
    @Nullable Row inTheWay() {
        Row one = oneOf(readers);
        return one == null || !isInTheWay(one) ? null : one;
    }

    /** {@return why others may have the lock though readers have not given it back; null if all have} To be asked if nobody is in the way. */
    @Nullable String evidence() {
        Row one = oneOf(readers);
        return one == null ? null : isDead(one) ? one.liveness().evidence() : LeftRows.leaseOver(one);
    }

    /** Removes those that are dead and those whose leases are over. Returns whether the lock is free then. */
    private boolean remove() throws SQLException {
        List<UUID> dead = readers.stream().filter(ReadersInside::isDead).map(Row::holder).toList();
        return table.readers().remove(name, dead, limit);
    }

    /** Another process wants the lock exclusively. */
    record Way(boolean isFree, @Nullable String evidence) {
        static final Way BARRED = new Way(false, null);

        /**
         * Frees the lock if none of its readers counts any more. What cannot be found out (the user may not read that table, the server does not answer) changes nothing: the
         * lock's own row is free once the last lease is over.
         */
        static Way make(LockTable table, String name, Duration limit) {
            try {
                ReadersInside inside = of(table, name, limit);
                return inside.inTheWay() == null && inside.remove() ? new Way(true, inside.evidence()) : BARRED;
            } catch (SQLException e) {
                trouble.warn(Database.inWords(e, table.readers().sqlNames()), e);
                return BARRED;
            }
        }
    }

    /** Removes what dead readers have left, for a person. */
    Cleared clear() throws SQLException {
        String evidence = evidence();
        for (Row reader : readers) {
            if (!isDead(reader)) {
                return new Cleared(ClearOutcome.KEPT, reader.liveness().evidence());
            }
        }
        if (!remove()) {
            return new Cleared(ClearOutcome.KEPT, "others read by now");
        }
        return evidence == null ? new Cleared(ClearOutcome.NOTHING, "nobody has it any more") : new Cleared(ClearOutcome.REMOVED, evidence);
    }
}

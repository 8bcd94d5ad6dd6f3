package dev.sessionlock.jdbc;

import dev.sessionlock.PastHold;
import dev.sessionlock.internal.system.HolderProcesses;
import dev.sessionlock.internal.system.Liveness;
import dev.sessionlock.internal.system.Loggers;
import dev.sessionlock.internal.system.RareLog;
import dev.sessionlock.spi.Clock;
import java.sql.SQLException;
import java.time.Duration;
import java.time.Instant;
import org.jspecify.annotations.Nullable;

/** What a former holder has left in its row, and its successor tells: the evidence of a takeover, and how that hold ended. */
final class LeftRows {
    private static final RareLog trouble = new RareLog(Loggers.LIBRARY, "it could not be noted how another process's hold ended");

    private LeftRows() {
    }

    /**
     * {@return why the row of a hold could be taken; null if nobody had it}
     *
     * @param before the row as it was before
     * @param dead the row of an owner whose death is proven; null if there is none
     */
    static @Nullable String evidence(@Nullable Row before, @Nullable Row dead) {
        if (before == null || !before.isHeld()) {
            return null;
        } else if (dead != null && before.holder().equals(dead.holder())) {
            return dead.liveness().evidence();
        }
        return before.isLeaseOver() ? leaseOver(before) : null; // given back between the look and the take
    }

    /** {@return that the lease of a row is over, in words} */
    static String leaseOver(Row row) {
        return "the lease of pid " + row.pid() + " on " + row.host() + (row.isShared() ? " or another reader" : "") + " ran out " + row.left().negated().toMillis()
                + " ms ago";
    }

    /** The lock was taken over: tells how its holder's hold ended, or those of its readers, whose rows are deleted. */
    static void tidy(@Nullable JdbcHistory history, Row left, LockTable table, Clock clock, Duration limit) {
        if (!left.isShared()) {
            note(history, left, table, clock);
            return;
        }
        try {
            table.readers().sweep(left, limit);
        } catch (SQLException e) {
            trouble.warn(left.name(), e);
        }
    }

    /**
     * Writes into the history how the hold of another process ended, which no longer can. Memory only, and nothing is thrown: the lock is taken, or cleared, even if
     * nobody is told.
     *
     * @param history null if there is none
     * @param left the row, which was held
     */
    static void note(@Nullable JdbcHistory history, Row left, LockTable table, Clock clock) {
        if (history == null || left.process().equals(table.process())) { // what this process has left, it has told itself
            return;
        }
        try {
            boolean died = left.liveness().verdict() == Liveness.Verdict.DEAD;
            Instant now = clock.instant();
            Instant since = now.minus(Duration.between(left.since(), left.now())); // the row's times are by the server's clock
            history.noteFound(new PastHold(left.name(), left.token(), left.pid(), left.host(), left.thread(), left.purpose(), since, now,
                    died ? PastHold.Ending.PROCESS_DIED : PastHold.Ending.LEASE_EXPIRED, 1, null, null, null,
                    HolderProcesses.of(left.startTicks(), left.processStart(), left.boot(), left.pidNamespace(), left.timeNamespace())));
        } catch (RuntimeException | Error e) {
            trouble.warn(left.name(), e);
        }
    }
}

package dev.sessionlock.jdbc;

import dev.sessionlock.internal.system.Log;
import dev.sessionlock.internal.system.Loggers;
import java.sql.SQLException;
import java.time.Duration;
import java.util.List;
import java.util.Set;
import java.util.UUID;

/** What others have written into the rows of our holds: somebody asks us to let go, or another process waits for what we read. */
final class HoldRequests {
    private static final Log log = Loggers.LIBRARY;

    private HoldRequests() {
    }

    /** Tells exclusive holds what is asked of them. */
    static void hear(LockTable table, List<JdbcHold> holds, Duration within) {
        try {
            Set<UUID> asked = table.requests(within);
            holds.stream().filter(hold -> asked.contains(hold.id())).forEach(JdbcHold::requested);
            if (!asked.isEmpty()) {
                table.heard(asked, within);
            }
        } catch (SQLException e) {
            log.debug("could not look who is asked to let go; trying again", e);
        }
    }

    /** Tells readers what is asked of them, and who waits. */
    static void hearReaders(ReaderTable readers, List<JdbcHold> holds, Duration within) {
        try {
            readers.hear(holds, within);
        } catch (SQLException e) {
            log.debug("could not look which readers are asked to let go, and who waits; trying again", e);
        }
    }
}

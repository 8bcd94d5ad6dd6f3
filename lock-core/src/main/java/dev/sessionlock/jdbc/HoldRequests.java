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

    /**
     * Tells holds what is asked of them, and readers also who waits.
     *
     * @param holds all of them shared, or none
     */
    static void hear(LockTable table, List<JdbcHold> holds, boolean shared, Duration within) {
        try {
            if (shared) {
                table.readers().hear(holds, within);
                return;
            }
            Set<UUID> asked = table.requests(within);
            holds.stream().filter(hold -> asked.contains(hold.id())).forEach(JdbcHold::requested);
            if (!asked.isEmpty()) {
                table.heard(asked, within);
            }
        } catch (SQLException e) {
            log.debug("could not look who is asked to let go; trying again", e);
        }
    }
}

package dev.sessionlock.jdbc;

import dev.sessionlock.jdbc.LockTable.Answer;
import dev.sessionlock.jdbc.LockTable.RowVerdict;
import dev.sessionlock.spi.Terms;
import java.sql.SQLException;
import java.time.Duration;
import java.util.Collection;
import java.util.List;
import java.util.Set;
import java.util.UUID;
import org.jspecify.annotations.Nullable;

/**
 * The statements that look after holds. The rows of exclusive holders are the locks' own ({@link LockTable}), those of readers are in a table beside it
 * ({@link ReaderTable}).
 */
interface HoldStatements {
    /**
     * One try to take a lock.
     *
     * @param attempt is told when the statement is sent and when it is answered
     * @param dead the hold of an exclusive owner whose death is proven, so that its lease does not count; null if there is none
     */
    Answer take(RowAttempt attempt, Terms terms, @Nullable UUID dead, Duration limit) throws SQLException;

    /**
     * {@return those of these holds whose leases were renewed}
     *
     * <p>A row that somebody keeps locked must not keep the others from being renewed. If there is one, the locked rows are left out. That takes
     * longer, since each row is written twice.
     */
    Set<UUID> renew(List<JdbcHold> holds, Duration limit) throws SQLException;

    /** {@return what the rows say of these holds, in their order} Changes nothing. */
    List<RowVerdict> judge(List<JdbcHold> holds, Duration limit) throws SQLException;

    /** Gives a hold back, if its row is still there. */
    void release(String name, UUID id, Duration limit) throws SQLException;

    /** Gives back those holds whose rows are still there and that nobody has locked. Returns which. */
    Set<UUID> release(Collection<String> names, Collection<UUID> ids, Duration limit) throws SQLException;

    /** Makes the lease of a hold that is no longer renewed end soon. */
    void abandon(JdbcHold hold, Duration within, Duration limit) throws SQLException;

    /** {@return the query of a fence, which finds the row of a hold, and locks the lock's row} Parameters: name, id, token, and twice the lease in milliseconds. */
    String fenceSql();

    /** {@return the names of the tables, for messages} */
    String sqlNames();
}

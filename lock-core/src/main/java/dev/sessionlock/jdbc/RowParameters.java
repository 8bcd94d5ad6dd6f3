package dev.sessionlock.jdbc;

import dev.sessionlock.internal.system.ProcessIdentity;
import dev.sessionlock.spi.Terms;
import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Timestamp;
import java.util.HashSet;
import java.util.Set;
import java.util.UUID;
import org.jspecify.annotations.Nullable;

/** Sets the parameters of a statement one after the other. */
final class RowParameters {
    /** The columns that say whose a row is. */
    static final String OWNER = "process, pid, host, boot, pid_namespace, time_namespace, start_ticks, process_start";
    static final String OWNER_VALUES = "?::uuid, ?::bigint, ?::text, ?::text, ?::text, ?::text, ?::bigint, ?::timestamptz";
    /** The columns that say on what terms. */
    static final String TERMS = "thread, purpose, lease_ms, takeover, lease_until, hold_until, since, renewed_at";
    /** From now on for so many milliseconds. */
    static final String FROM_NOW = "clock_timestamp() + ?::bigint * interval '1 millisecond'";
    static final String TERMS_VALUES = termsValues(FROM_NOW);

    private final PreparedStatement statement;
    private int last;

    RowParameters(PreparedStatement statement) {
        this.statement = statement;
    }

    /** @param leaseUntil when the lease ends, in SQL, with {@link #FROM_NOW} in it */
    static String termsValues(String leaseUntil) {
        return "?::text, ?::text, ?::bigint, ?::boolean, " + leaseUntil + ", " + FROM_NOW + ", clock_timestamp(), clock_timestamp()";
    }

    RowParameters add(@Nullable Object... values) throws SQLException {
        for (Object value : values) {
            statement.setObject(++last, value);
        }
        return this;
    }

    /** @param type the type of its elements in SQL */
    RowParameters addArray(Connection connection, String type, Object[] values) throws SQLException {
        statement.setArray(++last, connection.createArrayOf(type, values));
        return this;
    }

    RowParameters addOwner(UUID process) throws SQLException {
        ProcessIdentity self = ProcessIdentity.current();
        return add(process, self.pid(), text(self.host()), text(self.boot()), text(self.pidNamespace()), text(self.timeNamespace()), self.startTicks(),
                self.started() == null ? null : Timestamp.from(self.started()));
    }

    /** The owner of a row that belongs to several processes: nobody may prove its death, and pid and host are for people. */
    RowParameters addOneOfSeveral(UUID period) throws SQLException {
        ProcessIdentity self = ProcessIdentity.current();
        return add(period, self.pid(), text(self.host()), null, null, null, 0L, null);
    }

    RowParameters addTerms(Terms terms) throws SQLException {
        return addTerms(terms, terms.maxHoldMillis() < 0 ? null : terms.maxHoldMillis());
    }

    RowParameters addTerms(Terms terms, @Nullable Long maxHoldMillis) throws SQLException {
        return add(text(terms.thread()), text(terms.purpose()), JdbcHold.leaseMillis(terms), terms.takeover(), JdbcHold.leaseAndGraceMillis(terms),
                maxHoldMillis);
    }

    /** PostgreSQL stores no NUL and no half of a surrogate pair. Names of threads and purposes are for people, so replacing these does no harm. */
    static @Nullable String text(@Nullable String text) {
        if (text == null) {
            return null;
        }
        StringBuilder clean = new StringBuilder(text.length());
        text.codePoints().forEach(point -> clean.appendCodePoint(point == 0 || point >= 0xd800 && point <= 0xdfff ? '?' : point));
        return clean.toString();
    }

    /** {@return the ids in the first column of what the statement finds} */
    static Set<UUID> ids(PreparedStatement statement) throws SQLException {
        Set<UUID> ids = new HashSet<>();
        try (ResultSet rows = statement.executeQuery()) {
            while (rows.next()) {
                ids.add(rows.getObject(1, UUID.class));
            }
        }
        return ids;
    }
}

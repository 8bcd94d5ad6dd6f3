package dev.sessionlock.jdbc;

import dev.sessionlock.LockMode;
import dev.sessionlock.LockOptions;
import dev.sessionlock.LockOwner;
import dev.sessionlock.internal.system.Liveness;
import dev.sessionlock.internal.system.ProcessIdentity;
import dev.sessionlock.internal.system.ProcessTable;
import dev.sessionlock.spi.Terms;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Timestamp;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.UUID;
import org.jspecify.annotations.Nullable;

/**
 * A lock's row, as it was read.
 *
 * @param holder the id of the hold; null if nobody has it
 * @param leaseUntil from when on others may take it
 * @param now the server's clock when the row was read
 * @param waiterMarkAge how long ago a process other than the holder's has said that it waits; null if none has
 */
record Row(
        String name, long token, @Nullable UUID holder, @Nullable Instant leaseUntil, UUID process, long pid, String host,
        @Nullable String boot, @Nullable String pidNamespace, @Nullable String timeNamespace, long startTicks, @Nullable Instant processStart,
        @Nullable String thread, @Nullable String purpose, Instant since, Instant renewedAt, Duration lease, boolean takeover,
        @Nullable Instant holdUntil, boolean releaseRequested, @Nullable UUID waiterMark, @Nullable Duration waiterMarkAge, Instant now) {
    static final String COLUMNS = "l.name, l.token, l.holder, l.lease_until, l.process, l.pid, l.host, l.boot, l.pid_namespace, "
            + "l.time_namespace, l.start_ticks, l.process_start, l.thread, l.purpose, l.since, l.renewed_at, l.lease_ms, l.takeover, "
            + "l.hold_until, l.release_requested, l.hand, clock_timestamp() AS now, "
            + "(extract(epoch FROM clock_timestamp() - l.hand_at) * 1000)::bigint AS hand_age_ms";

    /** Differences between times no further apart than this fit into nanoseconds. */
    private static final Duration CENTURY = Duration.ofDays(36_500);

    static Row read(ResultSet row) throws SQLException {
        Instant now = row.getTimestamp("now").toInstant();
        long ageMillis = row.getLong("hand_age_ms");
        Duration waiterMarkAge = row.wasNull() ? null : Duration.ofMillis(ageMillis);
        return new Row(row.getString("name"), row.getLong("token"), row.getObject("holder", UUID.class), instant(row, "lease_until", now),
                row.getObject("process", UUID.class), row.getLong("pid"), row.getString("host"), row.getString("boot"),
                row.getString("pid_namespace"), row.getString("time_namespace"), row.getLong("start_ticks"), instant(row, "process_start", now),
                row.getString("thread"), row.getString("purpose"), instant(row, "since", now), instant(row, "renewed_at", now),
                lease(row.getLong("lease_ms")), row.getBoolean("takeover"), instant(row, "hold_until", now),
                row.getBoolean("release_requested"), row.getObject("hand", UUID.class), waiterMarkAge, now);
    }

    /** {@return all rows that the statement finds} */
    static List<Row> readAll(PreparedStatement look) throws SQLException {
        List<Row> rows = new ArrayList<>();
        try (ResultSet found = look.executeQuery()) {
            while (found.next()) {
                rows.add(read(found));
            }
        }
        return rows;
    }

    /** Limits a lease to what can be counted: somebody may have written anything there. */
    private static Duration lease(long millis) {
        return Duration.ofMillis(Math.max(0, Math.min(millis, LockOptions.MAX_LEASE.toMillis())));
    }

    /** Limits a time to a century from now: somebody may have written any time there, even infinity. */
    static @Nullable Instant instant(ResultSet row, String column, Instant now) throws SQLException {
        Timestamp at = row.getTimestamp(column);
        if (at == null) {
            return null;
        }
        Instant first = now.minus(CENTURY);
        Instant last = now.plus(CENTURY);
        Instant instant = at.toInstant();
        return instant.isBefore(first) ? first : instant.isAfter(last) ? last : instant;
    }

    boolean isHeld() {
        return holder != null;
    }

    /** {@return whether readers hold the lock} Then the row says little about them: {@link ReaderTable} does. */
    boolean isShared() {
        return holder != null && holder.equals(process);
    }

    boolean isLeaseOver() {
        return left().isNegative() || left().isZero();
    }

    /** {@return for how long its lease still keeps others out; not positive if it is over} */
    Duration left() {
        return leaseUntil == null ? Duration.ZERO : Duration.between(now, leaseUntil);
    }

    /** {@return whether a process other than {@code me} has said recently that it waits} */
    boolean isWaitedForByOthersThan(UUID me) {
        return waiterMark != null && !waiterMark.equals(me) && waiterMarkAge != null && waiterMarkAge.toMillis() < LockTable.WAITER_MARK_LASTS_MS;
    }

    /**
     * {@return whether a process that waits has to say so in this row} It need not if another one has said so; or if it wants to read, and others read: it waits only
     * because somebody has said so who wants to write.
     */
    boolean needsWaiterMark(UUID me, LockMode mode) {
        boolean isOurs = me.equals(waiterMark) && waiterMarkAge != null && waiterMarkAge.toMillis() < LockTable.WAITER_MARK_LASTS_MS / 2;
        return isHeld() && !process.equals(me) && !isWaitedForByOthersThan(me) && !isOurs && !(isShared() && mode == LockMode.SHARED);
    }

    LockOwner owner() {
        Instant ends = leaseUntil == null ? null : leaseUntil.minusNanos(Terms.grace(lease.toNanos()));
        return new LockOwner(pid, host, processStart, since, thread, purpose, token, ends);
    }

    /**
     * Whether the process of the last holder lives. Only a process of the same machine, with the same boot and the same namespaces, can tell. A
     * host's name proves nothing. It is compared nevertheless, since two clones of a running machine have the same boot id.
     */
    Liveness liveness() {
        ProcessIdentity self = ProcessIdentity.current();
        if (boot == null || !boot.equals(self.boot()) || !host.equals(self.host())) {
            return new Liveness(Liveness.Verdict.UNKNOWN, "pid " + pid + " is of another machine (" + host + "), so it cannot be seen from here");
        } else if (!Objects.equals(pidNamespace, self.pidNamespace()) || !Objects.equals(timeNamespace, self.timeNamespace())) {
            return new Liveness(Liveness.Verdict.UNKNOWN, "pid " + pid + " is of another pid namespace, so it cannot be seen");
        }
        return new ProcessTable().judge(pid, startTicks, processStart);
    }
}

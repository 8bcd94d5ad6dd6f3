package dev.sessionlock.jdbc;

import dev.sessionlock.LockOwner;
import dev.sessionlock.LockReport;
import dev.sessionlock.LockReport.Facts;
import dev.sessionlock.LockReport.KernelLockState;
import dev.sessionlock.LockReport.Lease;
import dev.sessionlock.LockReport.State;
import dev.sessionlock.internal.system.Liveness;
import java.sql.SQLException;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;

/** Judges a row. {@link RowSentences} puts what it says into words. */
final class RowReports {

    private RowReports() {
    }

    /** {@return what the tables say of the lock of that name} */
    static LockReport look(LockTable table, String name, Duration limit) throws SQLException {
        Row row = table.look(name, limit);
        return row == null || !row.isShared() ? of(name, row) : ofReaders(name, table.readers().inside(List.of(name), limit));
    }

    /** {@return what they say of the locks whose names begin so, and that are held, or whose leases are over, by name} */
    static List<LockReport> lookAll(LockTable table, String prefix, Duration limit) throws SQLException {
        List<Row> rows = table.lookAll(prefix, limit);
        List<String> shared = rows.stream().filter(Row::isShared).map(Row::name).toList();
        Map<String, List<Row>> inside = shared.isEmpty() ? Map.of()
                : table.readers().inside(shared, limit).stream().collect(Collectors.groupingBy(Row::name));
        return rows.stream().filter(row -> !row.isShared() || inside.containsKey(row.name()))
                .map(row -> row.isShared() ? ofReaders(row.name(), inside.get(row.name())) : of(row.name(), row)).toList();
    }

    /** One of them stands for all. */
    private static LockReport ofReaders(String name, List<Row> readers) {
        LockReport report = of(name, ReadersInside.oneOf(readers));
        List<LockOwner> owners = readers.stream().filter(ReadersInside::isInTheWay).map(Row::owner).toList();
        return new LockReport(report.name(), report.lockFile(), report.state(), report.owner(), report.facts().withReaders(owners), report.sentences(), report.remedy());
    }

    private static LockReport of(String name, @Nullable Row row) {
        if (row == null || !row.isHeld()) {
            return new LockReport(name, null, State.FREE, null, new Facts(LockReport.ProcessState.UNKNOWN, false, null).withWaitedFor(false));
        }
        Liveness liveness = row.liveness();
        Lease lease = new Lease(Duration.between(row.renewedAt(), row.now()), row.left(), row.takeover(), row.holdUntil());
        State state = liveness.verdict() == Liveness.Verdict.DEAD ? State.STALE : lease.isOver() ? State.EXPIRED : State.HELD;
        Facts facts = new Facts(liveness.processState(), false, row.since(), row.now(), liveness.evidence(), KernelLockState.UNKNOWN, null, lease,
                row.isWaitedForByOthersThan(row.process()));
        return new LockReport(name, null, state, row.owner(), facts, RowSentences.evidence(facts, liveness), RowSentences.remedy(state, row, facts));
    }
}

package dev.sessionlock.cli;

import dev.sessionlock.LockException;
import dev.sessionlock.LockReport;
import dev.sessionlock.SessionLocks;
import dev.sessionlock.internal.directory.WaiterScanner;
import dev.sessionlock.internal.system.Printable;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;

/** Looks at the locks of a database. Of the processes that wait for a lock, the table knows one. */
final class DatabaseView implements LockView {
    private final SessionLocks locks;
    private final String prefix;
    private final Duration longFrom;
    /** The locks that somebody waits for, and since when that has been seen. */
    private Map<String, Instant> waits = new TreeMap<>();

    DatabaseView(SessionLocks locks, String prefix, Duration longFrom) {
        this.locks = locks;
        this.prefix = prefix;
        this.longFrom = longFrom;
    }

    /** {@return the processes that wait for a lock, according to its report} */
    static List<Long> waiters(LockReport report) {
        return Boolean.TRUE.equals(report.facts().waitedFor()) ? List.of(WaiterScanner.UNKNOWN_PID) : List.of();
    }

    @Override
    public ViewSnapshot look() throws LockException {
        List<LockReport> all = locks.list(prefix).toList();
        Instant now = Instant.now();
        Map<String, Instant> waiting = new TreeMap<>();
        List<LockRow> seen = new ArrayList<>();
        for (LockReport report : all) {
            ReportView finding = new ReportView(Path.of("."), report, now);
            Duration waited = null;
            if (!waiters(report).isEmpty()) {
                Instant since = waits.getOrDefault(report.name(), now);
                waiting.put(report.name(), since);
                waited = Duration.between(since, now);
            }
            seen.add(new LockRow(Printable.text(report.name()), finding, finding.needsPerson(), waited == null ? 0 : 1, waited, longFrom));
        }
        waits = waiting;
        seen.sort(LockRow.WORST_FIRST);
        return new ViewSnapshot(seen, 0, List.of(), now);
    }
}

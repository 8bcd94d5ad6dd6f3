package dev.sessionlock.jdbc;

import dev.sessionlock.LockReport;
import dev.sessionlock.LockReport.Facts;
import dev.sessionlock.LockReport.KernelLockState;
import dev.sessionlock.LockReport.Lease;
import dev.sessionlock.LockReport.State;
import dev.sessionlock.internal.system.Liveness;
import java.time.Duration;
import org.jspecify.annotations.Nullable;

/** Judges a row. {@link RowSentences} puts what it says into words. */
final class RowReports {

    private RowReports() {
    }

    /** {@return what is known of the lock of that name} */
    static LockReport of(String name, @Nullable Row row) {
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

package dev.sessionlock.internal.seats;

import dev.sessionlock.internal.directory.LockRecord;
import dev.sessionlock.internal.directory.LockStore;
import dev.sessionlock.internal.system.ProcessIdentity;
import dev.sessionlock.spi.Terms;
import java.util.concurrent.TimeUnit;

/** What this process writes into the record of a lock. */
final class SeatRecords {

    private SeatRecords() {
    }

    /** @param from when its lease begins, monotonic nanoseconds */
    static LockRecord of(LockStore store, Terms terms, long token, long createdAt, long maxHoldMillis, long from) {
        ProcessIdentity self = store.self();
        long leaseMillis = TimeUnit.NANOSECONDS.toMillis(terms.leaseNanos());
        return new LockRecord(self.pid(), createdAt, maxHoldMillis, self.startTicks(), store.name(), token, self.host(),
                self.started() == null ? -1 : self.started().toEpochMilli(), self.boot(), self.pidNamespace(), self.timeNamespace(),
                terms.thread(), terms.purpose(), terms.takeover(), leaseMillis, store.clock().wallMillis() + leaseMillis,
                from + terms.leaseNanos(), terms.shared());
    }
}

package dev.sessionlock.internal.directory;

import dev.sessionlock.internal.system.ProcessIdentity;
import java.time.Duration;

/** Records of other processes, made for tests. */
public final class LockRecords {
    private LockRecords() {
    }

    /** {@return the record of a process of this machine, with a lease that ends this long from now} */
    public static byte[] of(long pid, long startTicks, Duration lease, boolean takeover) {
        ProcessIdentity self = ProcessIdentity.current();
        return RecordCodec.encode(new LockRecord(pid, System.currentTimeMillis(), 300_000, startTicks, "session.jsonl", 7, self.host(), -1,
                self.boot(), self.pidNamespace(), self.timeNamespace(), "worker", null, takeover, 1_000,
                System.currentTimeMillis() + lease.toMillis(), System.nanoTime() + lease.toNanos()));
    }

    /** {@return the record of a process of this machine, with this token} */
    public static byte[] withToken(long pid, long startTicks, long token) {
        ProcessIdentity self = ProcessIdentity.current();
        return RecordCodec.encode(new LockRecord(pid, System.currentTimeMillis(), 300_000, startTicks, "session.jsonl", token, self.host(), -1,
                self.boot(), self.pidNamespace(), self.timeNamespace(), "worker", null, true, 1_000, System.currentTimeMillis(),
                System.nanoTime()));
    }

    /** {@return the record of a process of another boot, perhaps on another machine} */
    public static byte[] ofBoot(String boot, String host) {
        ProcessIdentity self = ProcessIdentity.current();
        return RecordCodec.encode(new LockRecord(self.pid(), System.currentTimeMillis(), 300_000, self.startTicks(), "session.jsonl", 7, host,
                -1, boot, self.pidNamespace(), self.timeNamespace(), "worker", null, true, 30_000, System.currentTimeMillis() + 30_000,
                System.nanoTime() + 30_000_000_000L));
    }
}

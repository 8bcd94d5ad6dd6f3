package dev.sessionlock.internal.directory;

import dev.sessionlock.LockOptions;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;

/**
 * What a lock file of ours says (PROTOCOL.md, "The record").
 *
 * @param pid the holder's process
 * @param createdAt since when it is held, milliseconds since 1970
 * @param maxHoldMs for how long it may be held, from then; negative if without limit
 * @param starttime field 22 of the process's stat; negative if unknown
 * @param name the lock's name; null if the record has no room for it
 * @param token the fencing token
 * @param host the holder's host
 * @param started when the process started, milliseconds since 1970; negative if unknown
 * @param boot the boot id; null if unknown
 * @param pidns the pid namespace; null if unknown
 * @param timens the time namespace; null if unknown
 * @param thread the holder's thread
 * @param purpose what for
 * @param takeover whether others may take over once its lease is over
 * @param leaseMs how long a lease is
 * @param leaseUntil when it ends, by wall clock, for people; milliseconds since 1970
 * @param leaseUntilNanos when it ends, by the monotonic clock
 * @param shared whether it is the record of a reader, beside which there may be others
 */
public record LockRecord(
        long pid,
        long createdAt,
        long maxHoldMs,
        long starttime,
        @Nullable String name,
        long token,
        @Nullable String host,
        long started,
        @Nullable String boot,
        @Nullable String pidns,
        @Nullable String timens,
        @Nullable String thread,
        @Nullable String purpose,
        boolean takeover,
        long leaseMs,
        long leaseUntil,
        long leaseUntilNanos,
        boolean shared) {

    /** The record of an exclusive holder. */
    public LockRecord(long pid, long createdAt, long maxHoldMs, long starttime, @Nullable String name, long token, @Nullable String host, long started,
            @Nullable String boot, @Nullable String pidns, @Nullable String timens, @Nullable String thread, @Nullable String purpose, boolean takeover, long leaseMs,
            long leaseUntil, long leaseUntilNanos) {
        this(pid, createdAt, maxHoldMs, starttime, name, token, host, started, boot, pidns, timens, thread, purpose, takeover, leaseMs, leaseUntil, leaseUntilNanos,
                false);
    }

    /** As {@link #leaseUntilNanos}, of a record that its holder could not delete when it gave the lock back. */
    public static final long GIVEN_BACK = 1;

    /** {@return whether its holder has given the lock back, and only the file is still there} */
    public boolean isGivenBack() {
        return leaseUntilNanos == GIVEN_BACK;
    }

    /**
     * {@return this record as its holder rewrites it if it cannot delete it when it gives the lock back} Nobody waits for it.
     *
     * @param until when a lease that began now would end, by wall clock, for people
     */
    public LockRecord givenBack(long until) {
        return new LockRecord(pid, createdAt, 0, starttime, name, token, host, started, boot, pidns, timens, thread, purpose, true, leaseMs,
                until, GIVEN_BACK, shared);
    }

    /** {@return how long a lease is, in nanoseconds} If somebody has written an impossible value there, the nearest possible one counts. */
    public long leaseNanos() {
        return Math.max(0, Math.min(TimeUnit.MILLISECONDS.toNanos(leaseMs), LockOptions.MAX_LEASE.toNanos()));
    }

    /** {@return the record as it lies on the disk} */
    public byte[] bytes() {
        return RecordCodec.encode(this);
    }
}

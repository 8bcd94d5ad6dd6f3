package dev.sessionlock;

import dev.sessionlock.internal.system.Printable;
import dev.sessionlock.internal.system.ThreadNames;
import java.time.Instant;
import org.jspecify.annotations.Nullable;

/**
 * Who holds a lock or left it behind, as far as its record says. A foreign record (another program's) says less than ours.
 *
 * @param pid the process id, in the pid namespace of its owner
 * @param host the host name; null if the record names none
 * @param processStart when the process started, by wall clock; null if unknown
 * @param since when the lock was taken, by wall clock; null if unknown
 * @param thread the thread that took it; empty if it belongs to no thread ({@link SessionLocks#acquireAsync}) or to one without a name; null if unknown
 * @param purpose what it is held for; null if not given
 * @param token the fencing token; null for a foreign lock
 * @param leaseUntil when the lease ends unless it is renewed, by wall clock; null if it never ends or is unknown
 */
public record LockOwner(
        long pid,
        @Nullable String host,
        @Nullable Instant processStart,
        @Nullable Instant since,
        @Nullable String thread,
        @Nullable String purpose,
        @Nullable Long token,
        @Nullable Instant leaseUntil) {

    /** {@return a short form for logs, such as {@code pid 30522 on moss, thread "compactor-1"}} */
    @Override
    public String toString() {
        return Printable.text("pid " + pid + (host == null ? "" : " on " + host) + (thread == null ? "" : ", " + ThreadNames.inWords(thread)));
    }
}

package dev.sessionlock;

import java.time.Instant;
import java.util.Objects;

/**
 * The lock was lost before its handle was closed. Write nothing more under this handle. Acquire the lock again, and look at what the next holder did.
 *
 * <pre>{@code
 * try {
 *     session.append(line);
 * } catch (LockLostException lost) {
 *     log.warn("not acknowledged: {} (since {})", lost.getMessage(), lost.since());
 *     session.appendOnce(line, each -> id.equals(idOf(each)));
 * }
 * }</pre>
 */
public final class LockLostException extends LockException {
    private static final long serialVersionUID = 1L;

    /** Why a lock was lost. */
    public enum Reason {
        /**
         * The process was frozen or starved for longer than its lease. Somebody else may hold the lock now. For a lock in a database there are further
         * causes: the database was away for longer than the lease, or it says that the lock is no longer ours. Or the machine slept for longer than the lease,
         * or its wall clock was set ahead by more than the lease, which looks the same to the process. The message says which cause it was.
         */
        LEASE_EXPIRED,
        /** The lock was held for longer than {@link LockOptions#maxHold()} without {@link SessionLock#renew()}. */
        MAX_HOLD,
        /** Somebody removed the lock file by hand. */
        REMOVED_BY_HAND,
        /** Somebody asked exactly this holder to release, with {@code clear --token}. */
        RELEASE_REQUESTED,
        /** The kernel had dropped our lock, or the directory was replaced, and the lock could not be acquired again. */
        KERNEL_LOCK_LOST,
        /** The JVM shuts down, and the grace for open handles is over. */
        SHUTDOWN,
        /** The program dropped the last reference to the handle without closing it. */
        LEAKED
    }

    /** Why. */
    private final Reason reason;
    /** Since when, by wall clock. */
    private final Instant since;

    /**
     * @param reason why
     * @param since since when, by wall clock
     * @param message what happened and what to do
     */
    public LockLostException(Reason reason, Instant since, String message) {
        super(message);
        this.reason = Objects.requireNonNull(reason, "reason");
        this.since = Objects.requireNonNull(since, "since");
    }

    /** {@return why the lock was lost} */
    public Reason reason() {
        return reason;
    }

    /** {@return since when the handle no longer counts, by wall clock} */
    public Instant since() {
        return since;
    }
}

package dev.sessionlock;

import java.time.Instant;
import java.util.Objects;
import org.jetbrains.annotations.NotNull;

/**
 * The lock was lost before its handle was closed. Whatever has not been written must not be written under this handle any more;
 * acquire again, and look at what the next holder did.
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
         * The process was frozen or starved for longer than its lease, or the database that the lock is in was away for so long, or says
         * that it is no longer ours; somebody else may hold the lock by now. Of a lock in a database also: the machine slept for so long, or
         * its wall clock was set ahead by as much, which looks the same from within. The message says which of these it was.
         */
        LEASE_EXPIRED,
        /** Held for longer than {@link LockOptions#maxHold()} without {@link SessionLock#renew()}. */
        MAX_HOLD,
        /** Somebody removed the lock file by hand. */
        REMOVED_BY_HAND,
        /** Somebody asked this very holder to let go, with {@code clear --token}. */
        RELEASE_REQUESTED,
        /** The kernel no longer had our bytes, or the directory was replaced, and they could not be had back. */
        KERNEL_LOCK_LOST,
        /** The JVM is shutting down and the grace for open handles is over. */
        SHUTDOWN,
        /** Nobody refers to the handle any more, and it was never closed. */
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
    public LockLostException(@NotNull Reason reason, @NotNull Instant since, @NotNull String message) {
        super(message);
        this.reason = Objects.requireNonNull(reason, "reason");
        this.since = Objects.requireNonNull(since, "since");
    }

    /** {@return why the lock was lost} */
    public @NotNull Reason reason() {
        return reason;
    }

    /** {@return since when the handle does not count, by wall clock} */
    public @NotNull Instant since() {
        return since;
    }
}

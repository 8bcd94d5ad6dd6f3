package dev.sessionlock.internal.threads;

import com.google.errorprone.annotations.concurrent.GuardedBy;
import java.util.concurrent.TimeUnit;

/**
 * Whether a lock is shared with other processes, as far as this JVM has seen. A shared lock does not linger: another process would have to wait for the keeper's
 * next idle check each time, where a lock that was given back is simply free.
 *
 * <p>A lock counts as shared for a while after each sighting of another process that wants the lock or has it. If another process is seen again soon after that
 * while, it is no accident, and the next while is twice as long. So a lock that is always shared, but seldom wanted by two processes at once, lingers ever more
 * seldom at the wrong moment. Pure: the caller passes the time. Every method is called under the lock's state lock.
 */
final class ContentionMemory {
    /** Many times as long as anybody lets a lock linger, and still soon over where another process came by only once. */
    static final long FIRST_NANOS = TimeUnit.SECONDS.toNanos(10);
    static final long LONGEST_NANOS = TimeUnit.MINUTES.toNanos(10);

    @GuardedBy("LocalLock.stateLock")
    private boolean everSeen;
    @GuardedBy("LocalLock.stateLock")
    private long forNanos;
    @GuardedBy("LocalLock.stateLock")
    private long sharedUntil;

    /**
     * Another process was seen: it wants the lock, or has it.
     *
     * @param now monotonic nanoseconds
     */
    void seen(long now) {
        if (!counts(now)) {
            boolean again = everSeen && now - sharedUntil < forNanos;
            forNanos = again ? Math.min(2 * forNanos, LONGEST_NANOS) : FIRST_NANOS;
            everSeen = true;
        }
        sharedUntil = now + forNanos;
    }

    /** {@return whether the lock counts as shared} */
    boolean counts(long now) {
        return everSeen && now - sharedUntil < 0;
    }
}

package dev.sessionlock.internal.threads;

import java.util.concurrent.TimeUnit;

/**
 * Whether a lock is shared with other processes, as far as this JVM has seen. While it is, it does not linger: another process would have to wait for the
 * keeper's next glance each time, where a lock that was given back is simply free.
 *
 * <p>It counts as shared for a while after each sight of another process that wants it or has it. If another one is seen again soon after that while, it
 * was no chance, and the next while is twice as long. So a lock that is shared all the time, but seldom by two at once, lingers ever more seldom at the
 * wrong moment. Guarded by the cell's mutex.
 */
final class ContentionMemory {
    /** Many times as long as anybody lets a lock linger, and still soon over where another process came by but once. */
    static final long FIRST_NANOS = TimeUnit.SECONDS.toNanos(10);
    static final long LONGEST_NANOS = TimeUnit.MINUTES.toNanos(10);

    private boolean everSeen;
    private long forNanos;
    private long until;

    /**
     * Another process is seen to want the lock or to have it.
     *
     * @param now monotonic nanoseconds
     */
    void seen(long now) {
        if (!counts(now)) {
            boolean again = everSeen && now - until < forNanos;
            forNanos = again ? Math.min(2 * forNanos, LONGEST_NANOS) : FIRST_NANOS;
            everSeen = true;
        }
        until = now + forNanos;
    }

    /** {@return whether the lock counts as shared} */
    boolean counts(long now) {
        return everSeen && now - until < 0;
    }
}

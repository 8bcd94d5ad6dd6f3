package dev.sessionlock.internal.threads;

/** What has lasted longest, of one {@code SessionLocks}, at this moment. It looks at all locks of the JVM, in memory, and waits for nobody. */
public final class LongestNow {
    private LongestNow() {
    }

    /** {@return for how many nanoseconds the oldest lock that is held now has been held; 0 if none is} What was lost counts until it is closed. */
    public static long hold(LocalLocks locks, EventPublisher publisher) {
        long now = locks.clock().nanos();
        long longest = 0;
        for (LocalLock lock : locks.all()) {
            Grant grant = lock.grantIfAtOnce();
            longest = grant == null ? longest : Math.max(longest, grant.longestHold(publisher, now));
        }
        return longest;
    }

    /** {@return for how many nanoseconds the first of those that wait now has waited; 0 if nobody waits} */
    public static long wait(LocalLocks locks, EventPublisher publisher) {
        long now = locks.clock().nanos();
        long longest = 0;
        for (LocalLock lock : locks.all()) {
            if (lock.isContended() && lock.stateLock().tryLock()) {
                try {
                    longest = Math.max(longest, lock.queue().longestWait(publisher, now));
                } finally {
                    lock.stateLock().unlock();
                }
            }
        }
        return longest;
    }
}

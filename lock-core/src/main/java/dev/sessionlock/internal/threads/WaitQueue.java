package dev.sessionlock.internal.threads;

import com.google.errorprone.annotations.concurrent.GuardedBy;
import java.util.ArrayDeque;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;

/**
 * The waiters of this JVM for one lock, in order of arrival. Of them, only the head deals with the engine, and only the head is handed the lock. Whether a
 * thread that does not wait may go ahead of them is said by {@link EventualFairness}. Memory only; every method is
 * called under the lock's state lock.
 */
final class WaitQueue {
    /** By a clock that is moved by hand, a waiter looks at least this often. */
    private static final long LOOK_NANOS = TimeUnit.SECONDS.toNanos(1);

    /** Null until somebody waits: most locks are never waited for. */
    @GuardedBy("LocalLock.stateLock")
    private @Nullable ArrayDeque<Waiter> waiters;

    void add(Waiter last) {
        waiters = waiters == null ? new ArrayDeque<>(2) : waiters;
        waiters.addLast(last);
    }

    /** Removes a waiter, wherever it stands; it may have been removed already. */
    void remove(Waiter waiter) {
        if (waiters != null) {
            waiters.remove(waiter);
        }
    }

    /** {@return the waiter that has waited longest; null if nobody waits} */
    @Nullable Waiter head() {
        if (waiters == null) {
            return null;
        }
        Waiter head = waiters.peekFirst();
        while (head != null && (head.isGone() || head.given != null)) { // it is about to leave
            waiters.pollFirst();
            head = waiters.peekFirst();
        }
        return head;
    }

    /** Removes the {@link #head}, which must be there. */
    void removeHead() {
        waiters.pollFirst();
    }

    boolean isEmpty() {
        return head() == null;
    }

    /**
     * {@return whether a running thread may take what {@linkplain Grant.State#LINGERING nobody has} ahead of the head}
     *
     * @param machineNow the machine's clock
     */
    boolean mayBeOvertaken(long machineNow) {
        Waiter head = head();
        return head == null || EventualFairness.mayOvertake(head.queuedAt(), machineNow);
    }

    /** {@return for how many nanoseconds the head has waited; 0 if nobody waits} */
    long longestWait(long now) {
        Waiter head = head();
        return head == null ? 0 : Math.max(0, now - head.since());
    }

    /** {@return all that wait, in order} */
    List<Waiter> all() {
        return waiters == null ? List.of() : waiters.stream().filter(waiter -> !waiter.isGone() && waiter.given == null).toList();
    }

    /** Wakes the head, unless it was woken and has not looked yet. */
    void wakeHeadOnce() {
        Waiter head = head();
        if (head != null) {
            head.wakeOnce();
        }
    }

    void wakeHead() {
        Waiter head = head();
        if (head != null) {
            head.wake();
        }
    }

    /** Has all of them look again: something that concerns each of them has changed. */
    void wakeAll() {
        if (waiters != null) {
            waiters.forEach(Waiter::wake);
        }
    }

    // ---- for a clock that is moved by hand ----

    /** {@return for how many nanoseconds no waiter has anything to do} */
    long nothingIsDueFor(long now) {
        long soonest = Long.MAX_VALUE;
        if (waiters != null) {
            for (Waiter waiter : waiters) {
                soonest = Math.min(soonest, Math.min(LOOK_NANOS, waiter.left(now)));
            }
        }
        return soonest;
    }

    /** {@return whether any waiter has not yet looked since that time} */
    boolean isAnyRestless(long now) {
        return waiters != null && waiters.stream().anyMatch(waiter -> waiter.isRestless(now));
    }
}

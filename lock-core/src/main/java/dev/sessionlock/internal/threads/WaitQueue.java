package dev.sessionlock.internal.threads;

import com.google.errorprone.annotations.concurrent.GuardedBy;
import java.util.ArrayDeque;
import java.util.ArrayList;
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
    /** How many waiters are shown to a person. */
    private static final int MOST_SHOWN = 10;
    /** How many are looked at for one whose wait is long: those behind it came later. They may want to be told sooner, but thousands of them are not searched for that. */
    private static final int MOST_LOOKS = 64;

    /** Null until somebody waits: most locks are never waited for. */
    @GuardedBy("LocalLock.stateLock")
    private @Nullable Waiters waiters;

    /** Those who wait, and when a long wait was told last. One object, and none for the thousands of locks that nobody waits for. */
    private static final class Waiters extends ArrayDeque<Waiter> {
        private static final long serialVersionUID = 1L;

        private boolean longWaitTold;
        /** By the lock's clock. */
        private long longWaitToldAt;

        Waiters() {
            super(2);
        }
    }

    void add(Waiter last) {
        waiters = waiters == null ? new Waiters() : waiters;
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
        while (head != null && (head.isGone() || head.hasHandle())) { // it is about to leave
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

    // ---- waits that take long ----

    /** {@return the first waiter whose wait is long and was not told; null if there is none, or if one was told a short while ago} */
    @Nullable Waiter longWaiter(long now) {
        int looks = 0;
        if (waiters != null && pauseLeft(now) <= 0) {
            for (Waiter waiter : waiters) {
                if (waiter.given == null && waiter.untilLong(now) <= 0) {
                    return waiter;
                } else if (++looks == MOST_LOOKS) {
                    break;
                }
            }
        }
        return null;
    }

    /** {@return in how many nanoseconds {@link #longWaiter} will find one, if nobody comes or goes; {@link Long#MAX_VALUE} if never} */
    long untilLongWait(long now) {
        long soonest = Long.MAX_VALUE;
        int looks = 0;
        if (waiters != null) {
            for (Waiter waiter : waiters) {
                soonest = waiter.given == null ? Math.min(soonest, waiter.untilLong(now)) : soonest;
                if (++looks == MOST_LOOKS) {
                    break;
                }
            }
        }
        return soonest == Long.MAX_VALUE ? soonest : Math.max(soonest, pauseLeft(now));
    }

    /** {@return for how many nanoseconds no further long wait is told} */
    private long pauseLeft(long now) {
        return waiters.longWaitTold ? TimeUnit.SECONDS.toNanos(LongWaits.PAUSE_SECONDS) - (now - waiters.longWaitToldAt) : 0;
    }

    /** A waiter of this queue is being told. */
    void longWaitTold(long now) {
        waiters.longWaitTold = true;
        waiters.longWaitToldAt = now;
    }

    /** {@return those who wait, in order of arrival; of a long queue, the first ones} */
    List<LongWait.Queued> first() {
        List<LongWait.Queued> first = new ArrayList<>();
        for (Waiter waiter : waiters) {
            if (!waiter.isGone() && waiter.given == null) {
                first.add(new LongWait.Queued(waiter.askedBy(), waiter.since()));
            }
            if (first.size() == MOST_SHOWN) {
                break;
            }
        }
        return first;
    }

    /** {@return for how many nanoseconds the first waiter of those has waited; 0 if none waits} */
    long longestWait(EventPublisher publisher, long now) {
        if (waiters != null) {
            for (Waiter waiter : waiters) {
                if (waiter.request().publisher() == publisher && !waiter.isGone() && waiter.given == null) {
                    return now - waiter.since();
                }
            }
        }
        return 0;
    }

    /** {@return how many wait, as far as is known: one that is just leaving may be among them} */
    int size() {
        return waiters == null ? 0 : waiters.size();
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

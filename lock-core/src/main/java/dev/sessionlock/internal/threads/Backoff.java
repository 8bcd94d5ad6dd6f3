package dev.sessionlock.internal.threads;

import dev.sessionlock.spi.Busy;
import dev.sessionlock.spi.EngineLock;

/**
 * When the head of the queue tries again. First come {@link #QUICK_TRIES} jittered tries in quick succession. Then a thread waits in the kernel on the head's
 * behalf, if the engine can do that, and the head only refreshes its waiter mark and tries itself now and then. Where nothing wakes it, the head polls, ever
 * less often. Pure functions: no clock, no random numbers, no thread.
 */
final class Backoff {
    // Plain numbers: a constant that is computed would need an initializer, and a class whose initializer finds no memory is unusable for good.
    /** The first pause is as long as this, and up to as much again. */
    static final long FIRST_PAUSE_NANOS = 60_000;
    /** The longest pause of a head that polls. */
    static final long LONGEST_PAUSE_NANOS = 50_000_000;
    /** How many tries come before a thread is spent on waiting in the kernel. */
    static final int QUICK_TRIES = 3;
    /** While a thread waits in the kernel the head tries itself once in this many pauses: about once a second. */
    static final int PAUSES_A_TRY = 10;
    /** The head sleeps this much longer than until {@link Busy#retryAt}, so that the time has certainly come when it wakes. */
    private static final long MARGIN_NANOS = 10_000;
    private static final int MOST_DOUBLINGS = 10;

    private Backoff() {
    }

    /**
     * {@return whether the head tries by itself, even if a thread waits in the kernel on its behalf}
     *
     * @param woken whether somebody has woken it
     * @param tries how many tries it has made
     */
    static boolean triesItself(boolean woken, int tries) {
        return woken || tries % PAUSES_A_TRY == 0;
    }

    /** {@return whether it is time for a thread to wait in the kernel} The engine must be able to: then {@link Busy#waitFor} says for what. */
    static boolean wantsKernelWaiter(Busy busy, int tries) {
        return tries >= QUICK_TRIES && busy.waitFor() >= 0;
    }

    /**
     * {@return how long the head sleeps unless it is woken}
     *
     * @param busy what was in the way
     * @param tries how many tries it has made before this one
     * @param now the clock that {@link Busy#retryAt} is told by
     * @param random 0 to {@link #FIRST_PAUSE_NANOS}
     * @param kernelWakes whether a thread waits in the kernel
     */
    static long pause(Busy busy, int tries, long now, long random, boolean kernelWakes) {
        if (busy.waitFor() == Busy.PACED) {
            return Math.max(busy.retryAt() - now, FIRST_PAUSE_NANOS);
        }
        long untilRetry = busy.retryAt() == Long.MAX_VALUE ? Long.MAX_VALUE : Math.max(busy.retryAt() - now, 0) + MARGIN_NANOS;
        long jittered = FIRST_PAUSE_NANOS + random;
        if (tries < QUICK_TRIES) {
            return Math.min(untilRetry, jittered << tries);
        }
        long longest = kernelWakes ? EngineLock.WAITER_MARK_NANOS / 2 : Math.min(LONGEST_PAUSE_NANOS, jittered << Math.min(tries, MOST_DOUBLINGS));
        return Math.min(busy.waitFor() == Busy.NOTHING ? Math.max(untilRetry, jittered) : untilRetry, longest);
    }
}

package dev.sessionlock.benchmarks.load;

import java.time.Duration;

/**
 * What each process of a crew does for a while.
 *
 * @param threads threads of each process. Each takes the lock and gives it back, without a pause or with one
 * @param locks how many there are; if more than one, each cycle takes one at random
 * @param time for how long
 * @param hold how long a lock is held each time, by the clock. The holder sleeps meanwhile, as a gateway does that waits for its disk. Zero: no longer
 *     than it takes to sign
 * @param pause how long a thread stays away after each cycle
 * @param perSecond how many messages come to each process, at random times. Each thread asks for a lock when its next message comes, and some locks
 *     are asked for far more often than others. 0: each thread asks again at once, or after its pause
 */
public record Load(int threads, int locks, Duration time, Duration hold, Duration pause, int perSecond) {

    /** {@return threads that want the same lock all the time} */
    public static Load onOneLock(int threads, Duration time) {
        return new Load(threads, 1, time, Duration.ZERO, Duration.ZERO, 0);
    }

    /** {@return threads that want one of many locks all the time} */
    public static Load onManyLocks(int threads, int locks, Duration time) {
        return new Load(threads, locks, time, Duration.ZERO, Duration.ZERO, 0);
    }

    /** {@return threads that want the same lock all the time, and hold it for a while} */
    public static Load held(int threads, Duration hold, Duration time) {
        return new Load(threads, 1, time, hold, Duration.ZERO, 0);
    }

    /** {@return two processes with one thread each: while one holds, the other is already waiting, so that each release hands over} */
    public static Load takingTurns(Duration time) {
        return new Load(1, 1, time, Duration.ofMillis(2), Duration.ofMillis(1), 0);
    }

    /** {@return messages that come to each process at random times, for one of many sessions that all processes share} */
    public static Load messages(int threads, int locks, int perSecond, Duration time) {
        return new Load(threads, locks, time, Duration.ofNanos(100_000), Duration.ZERO, perSecond);
    }
}

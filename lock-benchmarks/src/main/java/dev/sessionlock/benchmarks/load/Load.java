package dev.sessionlock.benchmarks.load;

import java.time.Duration;

/**
 * What each process of a crew does for a while.
 *
 * @param threads of each process, each of which takes and gives back without a pause, or with one
 * @param locks how many there are; with more than one, each cycle takes one by chance
 * @param time for how long
 * @param hold how long a lock is held each time; zero: not longer than it takes to sign
 * @param pause how long a thread stays away after each cycle
 * @param perSecond how many messages come to each process, at random times: each thread asks for a lock when its next message comes, and some locks
 *     are asked for far more often than others; 0: each thread asks again at once, or after its pause
 */
public record Load(int threads, int locks, Duration time, Duration hold, Duration pause, int perSecond) {

    /** {@return threads that want one lock all the time} */
    public static Load onOneLock(int threads, Duration time) {
        return new Load(threads, 1, time, Duration.ZERO, Duration.ZERO, 0);
    }

    /** {@return threads that want one of many locks all the time} */
    public static Load onManyLocks(int threads, int locks, Duration time) {
        return new Load(threads, locks, time, Duration.ZERO, Duration.ZERO, 0);
    }

    /**
     * {@return one thread a process, with two processes: while one holds, the other one is waiting already, so that each release hands over}
     */
    public static Load takingTurns(Duration time) {
        return new Load(1, 1, time, Duration.ofMillis(2), Duration.ofMillis(1), 0);
    }

    /** {@return messages that come to each process at random times, for one of many sessions that all processes share} */
    public static Load messages(int threads, int locks, int perSecond, Duration time) {
        return new Load(threads, locks, time, Duration.ofNanos(100_000), Duration.ZERO, perSecond);
    }
}

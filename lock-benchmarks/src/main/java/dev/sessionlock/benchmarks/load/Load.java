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
 */
public record Load(int threads, int locks, Duration time, Duration hold, Duration pause) {

    /** {@return threads that want one lock all the time} */
    public static Load onOneLock(int threads, Duration time) {
        return new Load(threads, 1, time, Duration.ZERO, Duration.ZERO);
    }

    /** {@return threads that want one of many locks all the time} */
    public static Load onManyLocks(int threads, int locks, Duration time) {
        return new Load(threads, locks, time, Duration.ZERO, Duration.ZERO);
    }

    /**
     * {@return one thread a process, with two processes: while one holds, the other one is waiting already, so that each release hands over}
     */
    public static Load takingTurns(Duration time) {
        return new Load(1, 1, time, Duration.ofMillis(2), Duration.ofMillis(1));
    }
}

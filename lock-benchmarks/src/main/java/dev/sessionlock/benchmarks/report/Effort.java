package dev.sessionlock.benchmarks.report;

import java.time.Duration;

/**
 * How much time a campaign takes.
 *
 * @param rounds in which the peers take turns
 * @param turnsWarmUp how long all peers take turns before that counts; the compiler needs some 20 s of them for a strict cycle, which is twice as slow before
 * @param turns how long they take turns in each round
 * @param jmhWarmUp of a JVM before JMH measures what a held lock costs
 * @param jmhMeasured for how long it is measured, in {@value #JMH_ITERATIONS} parts
 * @param loadWarmUp of a crew, once on one lock and once on many; the compiler keeps a core busy for some seconds
 * @param loaded how long a short load is
 * @param longLoaded how long a long load is
 * @param watched for how long the CPU time of a waiter is measured
 * @param kills how many holders are killed for each peer
 * @param keeperWatched how long the keeper of {@value #MANY} locks is watched
 */
record Effort(int rounds, Duration turnsWarmUp, Duration turns, Duration jmhWarmUp, Duration jmhMeasured, Duration loadWarmUp, Duration loaded, Duration longLoaded, Duration watched,
        int kills, Duration keeperWatched) {
    static final int JMH_ITERATIONS = 3;
    /** How many locks are held at once. */
    static final int MANY = 10_000;

    /** {@return enough for an overview, in some eight minutes} */
    static Effort quick() {
        return new Effort(3, Duration.ofSeconds(30), Duration.ofSeconds(6), Duration.ofMillis(1_500), Duration.ofMillis(450), Duration.ofMillis(1_500), Duration.ofMillis(400),
                Duration.ofMillis(1_500), Duration.ofMillis(1_500), 3, Duration.ofSeconds(10));
    }

    /** {@return enough to compare versions, in some nineteen minutes} */
    static Effort full() {
        return new Effort(5, Duration.ofSeconds(90), Duration.ofSeconds(20), Duration.ofSeconds(3), Duration.ofMillis(1_500), Duration.ofSeconds(4), Duration.ofSeconds(1),
                Duration.ofSeconds(6), Duration.ofSeconds(5), 7, Duration.ofSeconds(20));
    }
}

package dev.sessionlock.spi;

import java.time.Instant;
import java.util.concurrent.TimeUnit;

/**
 * The two clocks. Leases run on the monotonic clock. The wall clock is for people and for fencing tokens; somebody may step it. The monotonic clock
 * stands still while this machine sleeps, and the wall clock does not. So an engine whose leases run on another machine, such as a database server,
 * can use the wall clock to tell that this machine has slept.
 */
public interface Clock {
    /** The machine's own clocks. */
    Clock SYSTEM = new Clock() {
        @Override
        public long nanos() {
            return System.nanoTime();
        }

        @Override
        public long wallMicros() {
            Instant now = Instant.now();
            return TimeUnit.SECONDS.toMicros(now.getEpochSecond()) + now.getNano() / 1_000;
        }
    };

    /**
     * {@return the monotonic clock, nanoseconds} On HotSpot this is the machine's, {@code CLOCK_MONOTONIC}: common to all processes of
     * one boot and time namespace, and positive.
     */
    long nanos();

    /** {@return the wall clock, microseconds since 1970} */
    long wallMicros();

    /** {@return the wall clock} */
    default Instant instant() {
        long micros = wallMicros();
        return Instant.ofEpochSecond(Math.floorDiv(micros, 1_000_000), Math.floorMod(micros, 1_000_000) * 1_000L);
    }

    /** {@return the wall clock, milliseconds since 1970} */
    default long wallMillis() {
        return wallMicros() / 1_000;
    }

    /** Something that waits for a time of this clock. */
    interface Follower {
        /** {@return for how many nanoseconds from now nothing is due} */
        long nothingIsDueFor();

        /** The clock was moved by hand. Does whatever is due now, and returns when it is done. */
        void moved();
    }

    /**
     * Registers a follower that is told whenever this clock is moved by hand. It has to be told because a sleeping thread wakes by the machine's
     * clock alone.
     *
     * @param follower never told by a clock that runs by itself
     */
    default void follow(Follower follower) {
    }
}

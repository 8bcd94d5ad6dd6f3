package dev.sessionlock.spi;

import java.time.Instant;
import java.util.concurrent.TimeUnit;

/**
 * The two clocks. Leases run on the monotonic one; the wall clock is for people and for fencing tokens, and may be stepped. Where others'
 * clocks go on while this machine sleeps, as a database server's does, it also tells that the machine has slept, since the monotonic one
 * stands still meanwhile.
 */
public interface Clock {
    /** The machine's own. */
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

    /** One who waits for a time of this clock. */
    interface Follower {
        /** {@return for how many nanoseconds from now nothing is due} */
        long nothingIsDueFor();

        /** The clock was moved by hand: does what is due by now, and returns when it is done. */
        void moved();
    }

    /**
     * Has somebody told whenever this clock is moved by hand, since sleep ends by the machine's clock alone.
     *
     * @param follower never told by a clock that runs by itself
     */
    default void follow(Follower follower) {
    }
}

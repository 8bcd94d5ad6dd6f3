package dev.sessionlock.jdbc;

import dev.sessionlock.spi.Clock;
import java.util.concurrent.ThreadLocalRandom;
import java.util.concurrent.TimeUnit;

/** The pause between two tries to take a lock. It grows from try to try and is never the same for two threads, so that the waiting threads do not fall into step. */
final class PollPause {
    static final long FIRST_NANOS = TimeUnit.MILLISECONDS.toNanos(8);
    /** After this long without a try, the pauses start short again. */
    static final long FRESH_NANOS = TimeUnit.SECONDS.toNanos(2);
    private static final long LONGEST_NANOS = TimeUnit.MILLISECONDS.toNanos(250);

    private final Clock clock;
    private long pause = FIRST_NANOS;
    private long triedAt;

    PollPause(Clock clock) {
        this.clock = clock;
    }

    /** A try has just failed. Returns how long to pause, nanoseconds. */
    long next() {
        long now = clock.nanos();
        pause = now - triedAt > FRESH_NANOS ? FIRST_NANOS : Math.min(LONGEST_NANOS, pause * 8 / 5);
        triedAt = now;
        return pause / 2 + ThreadLocalRandom.current().nextLong(pause / 2);
    }

    void reset() {
        pause = FIRST_NANOS;
    }
}

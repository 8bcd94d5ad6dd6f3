package dev.sessionlock.testkit;

import dev.sessionlock.spi.Clock;
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.ReentrantLock;

/**
 * A clock that only a test moves, for {@link InMemoryLocks#withTestClock}: leases, timeouts and {@code maxHold} of minutes pass without any sleep.
 *
 * <pre>{@code
 * TestClock clock = TestClock.create();
 * try (InMemoryLocks memory = InMemoryLocks.withTestClock(clock)) {
 *     SessionLock lock = memory.locks().acquire(session);
 *     clock.advance(Duration.ofMinutes(5));                        // its keeper renews the lease, until maxHold ends it
 *     assertThatThrownBy(lock::ensureHeld).isInstanceOf(LockLostException.class).hasMessageContaining("maxHold");
 * }
 * }</pre>
 *
 * <p>There are three ways to move it:
 * <ul>
 * <li>{@link #advance}: time passes, and all processes run meanwhile. Leases are renewed, holds end at their {@code maxHold}, timeouts
 *     fire, and the lock of a {@linkplain InMemoryLocks#freeze frozen} process goes to a waiter, each at its time. When it returns, all
 *     is done that the library does by itself. Threads that it has let go on, and listeners, may need a moment more: wait for what they do.
 * <li>{@link #jump}: time passes and no process has run, as when the machine was suspended. Every lease that ends within it is lost.
 * <li>{@link #setWallTime}: somebody sets the wall clock. No lock depends on it.
 * </ul>
 *
 * <p>Thread-safe. It starts at 2026-01-01T00:00:00Z and stands still.
 */
public final class TestClock {
    private static final Instant BEGINNING = Instant.parse("2026-01-01T00:00:00Z");
    /** As if the machine had been up for a while. */
    private static final long UPTIME = TimeUnit.HOURS.toNanos(1);
    private static final long SHORTEST_STEP = TimeUnit.MILLISECONDS.toNanos(1);

    private final ReentrantLock moving = new ReentrantLock();
    private final List<Clock.Follower> followers = new CopyOnWriteArrayList<>();
    private volatile long nanos = UPTIME;
    /** The wall clock minus the monotonic one. */
    private volatile long wallOffsetMicros = micros(BEGINNING) - UPTIME / 1_000;

    private final Clock clock = new Clock() {
        @Override
        public long nanos() {
            return nanos;
        }

        @Override
        public long wallMicros() {
            return nanos / 1_000 + wallOffsetMicros;
        }

        @Override
        public void follow(Follower follower) {
            followers.add(follower);
        }
    };

    private TestClock() {
    }

    /** {@return a clock that stands still} */
    public static TestClock create() {
        return new TestClock();
    }

    Clock clock() {
        return clock;
    }

    void unfollow(Clock.Follower follower) {
        followers.remove(follower);
    }

    /** {@return how much time has passed since the clock was created, whatever the wall clock was set to} */
    public Duration elapsed() {
        return Duration.ofNanos(nanos - UPTIME);
    }

    /** {@return the wall clock} */
    public Instant wallTime() {
        return clock.instant();
    }

    /**
     * Time passes, and all processes that use this clock run meanwhile.
     *
     * @param time how much
     * @throws IllegalArgumentException if it is negative: no monotonic clock runs backwards
     */
    public void advance(Duration time) {
        long left = requirePositive(time);
        moving.lock();
        try {
            while (left > 0) {
                long due = followers.stream().mapToLong(Clock.Follower::nothingIsDueFor).min().orElse(Long.MAX_VALUE);
                long step = Math.min(left, Math.max(SHORTEST_STEP, due));
                pass(step);
                left -= step;
            }
        } finally {
            moving.unlock();
        }
    }

    /**
     * Time passes, and no process that uses this clock has run meanwhile, as when the machine was suspended or the JVM paused.
     *
     * @param time how much
     * @throws IllegalArgumentException if it is negative
     */
    public void jump(Duration time) {
        long step = requirePositive(time);
        moving.lock();
        try {
            pass(step);
        } finally {
            moving.unlock();
        }
    }

    private void pass(long step) {
        nanos += step; // by one thread at a time
        followers.forEach(Clock.Follower::moved);
    }

    /**
     * Sets the wall clock, forward or back. The monotonic clock, by which leases run, is not affected.
     *
     * @param wallTime what it shows from now on
     */
    public void setWallTime(Instant wallTime) {
        moving.lock();
        try {
            wallOffsetMicros = micros(wallTime) - nanos / 1_000;
        } finally {
            moving.unlock();
        }
    }

    private static long micros(Instant time) {
        return TimeUnit.SECONDS.toMicros(time.getEpochSecond()) + time.getNano() / 1_000;
    }

    private static long requirePositive(Duration time) {
        if (time.isNegative()) {
            throw new IllegalArgumentException("a monotonic clock does not run backwards, and this should by " + time
                    + "; setWallTime sets the other one");
        }
        return time.toNanos();
    }

    /** {@return what it shows} */
    @Override
    public String toString() {
        return "TestClock[" + wallTime() + ", running for " + elapsed() + "]";
    }
}

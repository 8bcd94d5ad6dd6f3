package dev.sessionlock.metrics;

import dev.sessionlock.LockLostException.Reason;
import dev.sessionlock.LockStats;
import dev.sessionlock.SessionLocks;
import io.micrometer.core.instrument.FunctionCounter;
import io.micrometer.core.instrument.Gauge;
import io.micrometer.core.instrument.MeterRegistry;
import io.micrometer.core.instrument.Tag;
import io.micrometer.core.instrument.Tags;
import io.micrometer.core.instrument.TimeGauge;
import io.micrometer.core.instrument.binder.MeterBinder;
import java.util.Locale;
import java.util.Map;
import java.util.Objects;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.TimeUnit;
import java.util.function.ToDoubleFunction;

/**
 * Makes meters of one {@link SessionLocks}.
 *
 * <pre>{@code
 * new SessionLockMetrics(locks).bindTo(registry);
 * }</pre>
 *
 * <table>
 * <caption>The meters</caption>
 * <tr><th>name<th>type<th>meaning
 * <tr><td>{@code sessionlock.acquired}<td>counter<td>handles given out
 * <tr><td>{@code sessionlock.timeouts}<td>counter<td>acquisitions that gave up at their timeout
 * <tr><td>{@code sessionlock.lost}<td>counter<td>handles lost before they were closed; tag {@code reason}, such as {@code max_hold}
 * <tr><td>{@code sessionlock.takeovers}<td>counter<td>locks taken over from an owner that was dead or expired, or that left a torn record
 * <tr><td>{@code sessionlock.events.dropped}<td>counter<td>events that the listener did not hear
 * <tr><td>{@code sessionlock.held}<td>gauge<td>handles that hold their lock now
 * <tr><td>{@code sessionlock.waiting}<td>gauge<td>acquisitions that wait now
 * <tr><td>{@code sessionlock.hold.longest}<td>time gauge<td>how long the longest current hold has lasted; 0 if nothing is held
 * <tr><td>{@code sessionlock.wait.longest}<td>time gauge<td>how long the longest current wait has lasted; 0 if nobody waits
 * <tr><td>{@code sessionlock.wait}<td>timer<td>how long acquisitions waited; tag {@code outcome}: {@code acquired} or {@code timeout}
 * <tr><td>{@code sessionlock.hold}<td>timer<td>from the acquisition to {@code close()}
 * </table>
 *
 * <p>The timers have a histogram with the bounds 1 ms, 10 ms, 100 ms, 1 s, 10 s, 1 min and 5 min. A {@code MeterFilter} of the registry can change that.
 * No meter has a tag for each file, unless {@link Builder#tagLockNames} asks for it.
 *
 * <p><b>Cost.</b> The counters and gauges cost nothing before somebody reads them. The timers cost each acquisition and each close one more look at the clock and
 * one {@code Timer.record}, on the user's own thread. Thread-safe.
 *
 * <p>The registry refers to the {@code SessionLocks} weakly. Keep a reference to it, or the gauges become NaN.
 */
public final class SessionLockMetrics implements MeterBinder, AutoCloseable {
    private static final String PREFIX = "sessionlock.";

    private final SessionLocks locks;
    private final Tags tags;
    private final int mostNames;
    /** The timers of each registry, so that none is bound twice. */
    private final Map<MeterRegistry, LockTimers> bound = new ConcurrentHashMap<>();

    /**
     * Meters without further tags.
     *
     * @param locks what is measured
     */
    public SessionLockMetrics(SessionLocks locks) {
        this(builder(locks));
    }

    /**
     * Meters with further tags, for a program that has several {@code SessionLocks}.
     *
     * @param locks what is measured
     * @param tags tags of all meters
     */
    public SessionLockMetrics(SessionLocks locks, Iterable<Tag> tags) {
        this(builder(locks).tags(tags));
    }

    private SessionLockMetrics(Builder builder) {
        this.locks = builder.locks;
        this.tags = builder.tags;
        this.mostNames = builder.mostNames;
    }

    /**
     * {@return a builder}
     *
     * @param locks what is measured
     */
    public static Builder builder(SessionLocks locks) {
        return new Builder(locks);
    }

    /** Registers the meters. If that was done already for this registry, nothing happens. */
    @Override
    public void bindTo(MeterRegistry registry) {
        LockTimers timers = new LockTimers(registry, PREFIX, tags, mostNames); // under no lock: the registry calls filters and listeners of its users
        if (bound.putIfAbsent(registry, timers) != null) {
            return; // the registry has made no new timers for the same names
        }
        locks.addMeter(timers);
        counter(registry, "acquired", "Handles given out", LockStats::acquired);
        counter(registry, "timeouts", "Acquisitions that gave up at their timeout", LockStats::timedOut);
        counter(registry, "takeovers", "Locks taken over from an owner that was dead or expired", LockStats::reclaimed);
        counter(registry, "events.dropped", "Events that the listener did not hear", LockStats::dropped);
        for (Reason reason : Reason.values()) {
            FunctionCounter.builder(PREFIX + "lost", locks, from -> from.lost(reason)).description("Handles lost before they were closed")
                    .tags(tags).tag("reason", reason.name().toLowerCase(Locale.ROOT)).register(registry);
        }
        gauge(registry, "held", "Handles that hold their lock now", LockStats::held);
        gauge(registry, "waiting", "Acquisitions that wait now", LockStats::waiting);
        longest(registry, "hold.longest", "How long the longest current hold has lasted", from -> from.longestHold().toNanos());
        longest(registry, "wait.longest", "How long the longest current wait has lasted", from -> from.longestWait().toNanos());
    }

    /** Measures no more. The meters stay in their registries; the timers stand still. */
    @Override
    public void close() {
        for (MeterRegistry registry : bound.keySet()) {
            LockTimers timers = bound.remove(registry);
            if (timers != null) {
                locks.removeMeter(timers);
            }
        }
    }

    private void counter(MeterRegistry registry, String name, String description, ToDoubleFunction<LockStats> value) {
        FunctionCounter.builder(PREFIX + name, locks, from -> value.applyAsDouble(from.stats())).description(description).tags(tags).register(registry);
    }

    private void gauge(MeterRegistry registry, String name, String description, ToDoubleFunction<LockStats> value) {
        Gauge.builder(PREFIX + name, locks, from -> value.applyAsDouble(from.stats())).description(description).tags(tags).register(registry);
    }

    private void longest(MeterRegistry registry, String name, String description, ToDoubleFunction<SessionLocks> nanos) {
        TimeGauge.builder(PREFIX + name, locks, TimeUnit.NANOSECONDS, nanos).description(description).tags(tags).register(registry);
    }

    /** Builds a {@link SessionLockMetrics}. Not thread-safe. */
    public static final class Builder {
        private final SessionLocks locks;
        private Tags tags = Tags.empty();
        private int mostNames;

        private Builder(SessionLocks locks) {
            this.locks = Objects.requireNonNull(locks, "locks");
        }

        /** Adds tags to all meters. */
        public Builder tags(Iterable<Tag> more) {
            this.tags = tags.and(more);
            return this;
        }

        /**
         * Gives the timers a tag {@code lock} with the name of the lock. Each name has histograms of its own, so bound their number: the names that come first
         * have their own, and all others share the name {@code other}.
         *
         * @param most how many names at most, 1 to 10,000
         * @throws IllegalArgumentException if it is outside
         */
        public Builder tagLockNames(int most) {
            if (most < 1 || most > 10_000) {
                throw new IllegalArgumentException("tagLockNames must be from 1 to 10000, not " + most);
            }
            this.mostNames = most;
            return this;
        }

        /** {@return meters with these settings} They measure when they are bound. */
        public SessionLockMetrics build() {
            return new SessionLockMetrics(this);
        }
    }
}

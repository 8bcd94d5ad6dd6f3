package dev.sessionlock.metrics;

import dev.sessionlock.LockMeter;
import io.micrometer.core.instrument.MeterRegistry;
import io.micrometer.core.instrument.Tags;
import io.micrometer.core.instrument.Timer;
import java.time.Duration;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;

/** The timers in one registry: one set of them, or one for each of the first so many names. */
final class LockTimers implements LockMeter {
    /** From a warm acquisition to the default {@code maxHold}. */
    private static final Duration[] BOUNDS = {Duration.ofMillis(1), Duration.ofMillis(10), Duration.ofMillis(100), Duration.ofSeconds(1),
            Duration.ofSeconds(10), Duration.ofMinutes(1), Duration.ofMinutes(5)};
    private static final String NAME_TAG = "lock";
    private static final String OTHER = "other";

    private final MeterRegistry registry;
    private final String prefix;
    private final Tags tags;
    private final int mostNames;
    private final NamedTimers shared;
    private final Map<String, NamedTimers> byName = new ConcurrentHashMap<>();
    /** How many names have timers, or are about to. */
    private final AtomicInteger names = new AtomicInteger();

    /** The timers of one name. */
    private record NamedTimers(Timer acquired, Timer timeout, Timer hold) {
    }

    /** @param mostNames how many names have timers of their own; 0 if the timers have no name */
    LockTimers(MeterRegistry registry, String prefix, Tags tags, int mostNames) {
        this.registry = registry;
        this.prefix = prefix;
        this.tags = tags;
        this.mostNames = mostNames;
        this.shared = make(mostNames == 0 ? tags : tags.and(NAME_TAG, OTHER));
    }

    @Override
    public void waited(String name, long nanos, boolean acquired) {
        NamedTimers timers = of(name);
        (acquired ? timers.acquired() : timers.timeout()).record(nanos, TimeUnit.NANOSECONDS);
    }

    @Override
    public void held(String name, long nanos) {
        of(name).hold().record(nanos, TimeUnit.NANOSECONDS);
    }

    private NamedTimers of(String name) {
        NamedTimers known = mostNames == 0 ? shared : byName.get(name);
        return known != null ? known : ofNew(name);
    }

    private NamedTimers ofNew(String name) {
        if (names.getAndUpdate(before -> Math.min(before + 1, mostNames)) >= mostNames) {
            return shared;
        }
        NamedTimers made = make(tags.and(NAME_TAG, name)); // under no lock: the registry calls filters and listeners of its users. The same name gives the same timers
        NamedTimers before = byName.putIfAbsent(name, made);
        if (before != null) {
            names.decrementAndGet(); // another thread was faster
        }
        return before == null ? made : before;
    }

    private NamedTimers make(Tags named) {
        return new NamedTimers(timer("wait", "How long acquisitions waited", named.and("outcome", "acquired")),
                timer("wait", "How long acquisitions waited", named.and("outcome", "timeout")), timer("hold", "From the acquisition to close()", named));
    }

    private Timer timer(String name, String description, Tags all) {
        return Timer.builder(prefix + name).description(description).tags(all).serviceLevelObjectives(BOUNDS).register(registry);
    }
}

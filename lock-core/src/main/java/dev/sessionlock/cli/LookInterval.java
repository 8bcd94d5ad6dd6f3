package dev.sessionlock.cli;

import java.time.Duration;
import java.util.function.LongSupplier;

/** How often {@code watch} looks: as often as the user wants, but it uses at most a tenth of a core, however many locks there are. */
final class LookInterval {
    /** A little more than ten, so that it stays below a tenth even in a short time that begins with a look. */
    private static final int SHARE = 12;

    private final long interval;
    private final LongSupplier processorTime;
    private long used = -1;

    LookInterval(Duration interval, LongSupplier processorTime) {
        this.interval = interval.toNanos();
        this.processorTime = processorTime;
    }

    static LookInterval of(Duration interval) {
        return new LookInterval(interval, LookInterval::ofThisProcess);
    }

    /** {@return the CPU time of all threads of this process, those of its compiler and collector included; negative if unknown} */
    private static long ofThisProcess() {
        return ProcessHandle.current().info().totalCpuDuration().map(Duration::toNanos).orElse(-1L);
    }

    /**
     * {@return how long after the beginning of a look the next one begins, in nanoseconds} The start of the JVM and its first look cost more than any
     * later look; they delay nothing.
     *
     * @param took how long the look took, in nanoseconds
     */
    long after(long took) {
        long now = processorTime.getAsLong();
        long cost = now < 0 ? took : used < 0 ? 0 : now - used;
        used = now;
        return Math.max(Math.max(interval, 2 * took), SHARE * cost);
    }
}

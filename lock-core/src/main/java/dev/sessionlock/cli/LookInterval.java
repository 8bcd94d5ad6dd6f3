package dev.sessionlock.cli;

import java.time.Duration;
import java.util.function.LongSupplier;

/** How often {@code watch} looks: as often as it is told to, but it uses a tenth of a core at most, however many locks there are. */
final class LookInterval {
    /** A little more than ten: also in a short time that begins with a look, it is no more than a tenth. */
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

    /** {@return what all threads of this process have used, its compiler's and collector's, too; negative if it cannot be told} */
    private static long ofThisProcess() {
        return ProcessHandle.current().info().totalCpuDuration().map(Duration::toNanos).orElse(-1L);
    }

    /**
     * {@return how long after the beginning of a look the next one is to begin, in nanoseconds} The start of the JVM and its first look, which cost more
     * than any later one, delay nothing.
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

package dev.sessionlock.benchmarks.load;

import java.util.Collection;
import java.util.List;
import org.HdrHistogram.Histogram;

/**
 * The result of a load.
 *
 * @param cycles of each thread of each process
 * @param seconds how long the load ran
 * @param doubles how often a holder came in and found another one there
 * @param lostVisits how many visits the unprotected counter has lost because of two holders at once
 * @param waits from asking for a lock to having it, in nanoseconds
 * @param handovers from a holder's leaving in one process to the entering of a waiter in another, in nanoseconds
 */
public record LoadResult(List<List<Long>> cycles, double seconds, long doubles, long lostVisits, Histogram waits, Histogram handovers) {

    /** {@return how many cycles there were} */
    public long total() {
        return cycles.stream().flatMap(Collection::stream).mapToLong(Long::longValue).sum();
    }

    /** {@return cycles a second, of all processes together} */
    public double perSecond() {
        return total() / seconds;
    }

    /** {@return whether no holder ever met another} */
    public boolean excluded() {
        return doubles == 0 && lostVisits == 0;
    }

    /** {@return the cycles of the least served process, divided by those of the most served} */
    public double fairnessOfProcesses() {
        return leastByMost(cycles.stream().map(threads -> threads.stream().mapToLong(Long::longValue).sum()).toList());
    }

    /** {@return the cycles of the least served thread, divided by those of the most served} */
    public double fairnessOfThreads() {
        return leastByMost(cycles.stream().flatMap(Collection::stream).toList());
    }

    private static double leastByMost(List<Long> served) {
        long least = served.stream().mapToLong(Long::longValue).min().orElse(0);
        long most = served.stream().mapToLong(Long::longValue).max().orElse(0);
        return most == 0 ? 0 : (double) least / most;
    }
}

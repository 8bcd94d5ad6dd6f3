package dev.sessionlock.testkit;

import java.time.Duration;
import java.util.Locale;

/**
 * How much a {@link CrashLab} has tested without a failure.
 *
 * @param steps the operations of a run that were tested
 * @param runs how often the scenario was run
 * @param directories how many directories were checked: one for each run, but several for a power cut
 * @param took how long it took
 */
public record CrashSummary(int steps, int runs, int directories, Duration took) {

    /** {@return the line that the lab prints} */
    @Override
    public String toString() {
        return line(0);
    }

    String line(int failures) {
        return String.format(Locale.ROOT, "%d %s, %d runs, %s%d %s, %.1f s", steps, steps == 1 ? "step" : "steps", runs,
                directories == runs ? "" : directories + " directories, ", failures, failures == 1 ? "failure" : "failures",
                took.toMillis() / 1000.0);
    }
}

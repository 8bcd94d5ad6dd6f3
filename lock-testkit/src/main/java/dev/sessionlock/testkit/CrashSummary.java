package dev.sessionlock.testkit;

import java.time.Duration;
import java.util.Locale;
import org.jetbrains.annotations.NotNull;

/**
 * What a {@link CrashLab} has gone through without a failure.
 *
 * @param steps the operations of a run that were visited
 * @param runs how often the scenario was run
 * @param directories how many directories were checked: one a run, but several a power cut
 * @param took how long it took
 */
public record CrashSummary(int steps, int runs, int directories, @NotNull Duration took) {

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

package dev.sessionlock.testkit;

import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * How one run of a scenario in a {@link CrashLab} went, for the check.
 *
 * @param event the fault, in words; "nothing" for the run without a fault
 * @param step the number of the operation at which it occurred, from 1; 0 for the run without a fault
 * @param acknowledged what the scenario had {@linkplain CrashLab#acknowledge acknowledged} until then, in order; if the scenario was frozen, followed
 *     by what the other process had
 * @param returned whether the scenario returned; false if it was killed, or threw
 * @param thrown the exception that it ended with, with its stack; null if there was none
 */
public record CrashRun(String event, int step, List<String> acknowledged, boolean returned, @Nullable String thrown) {

    /** {@return whether it was killed, or its power was cut} */
    public boolean wasStopped() {
        return !returned && thrown == null;
    }
}

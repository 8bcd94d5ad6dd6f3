package dev.sessionlock.testkit;

import dev.sessionlock.LockLostException;
import dev.sessionlock.LockTimeoutException;
import dev.sessionlock.testkit.disk.Disk;
import dev.sessionlock.testkit.disk.Effect;
import dev.sessionlock.testkit.disk.Plan;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.jetbrains.annotations.Nullable;

/**
 * What came of one run.
 *
 * @param plan what was to befall it
 * @param directory what it left
 * @param disk what passed the gate, with the directory in the end
 * @param operations what it did
 * @param end how it ended
 * @param befallen the operation that it befell; null if it did not come to that
 * @param stack who did that operation
 * @param acknowledged what it had acknowledged
 * @param thrown the exception that it ended with, or with which status it ended by itself
 * @param dump where its threads were, if it hung
 * @param output what it printed
 * @param differences how the directory differs from what passed the gate
 * @param meanwhile what another process did while this one was frozen; null if it was not
 */
record CrashOutcome(Plan plan, Path directory, Disk disk, List<Effect.Began> operations, End end, @Nullable String befallen, String stack,
                    List<String> acknowledged, @Nullable String thrown, String dump, String output, List<String> differences,
                    @Nullable Meanwhile meanwhile) {

    /** How a run ends. */
    enum End {
        /** It was killed where that was planned. */
        STOPPED,
        /** It has not ended: it is to be frozen, where that was planned. */
        FROZEN,
        /** The scenario returned, and the JVM ended. */
        RETURNED,
        /** The scenario threw, or the JVM ended with a status other than 0. */
        THREW,
        /** It did not end in time. */
        HUNG
    }

    /**
     * What another process did while the run's own was frozen, and until its end.
     *
     * @param frozenMillis for how long that one was frozen
     * @param waited whether it waited for a lock until that one was woken
     * @param end how it ended
     * @param acknowledged what it had acknowledged
     * @param thrown the exception that it ended with, or with which status it ended by itself
     * @param dump where its threads were, if it hung
     * @param output what it printed
     */
    record Meanwhile(long frozenMillis, boolean waited, End end, List<String> acknowledged, @Nullable String thrown, String dump,
                     String output) {

        /** {@return whether it came to no end of its own because it did not get, or lost, a lock} */
        boolean lackedTheLock() {
            return isLoss(thrown) || thrown != null && thrown.contains(LockTimeoutException.class.getName());
        }
    }

    /**
     * {@return whether a process lost its lock that nothing has befallen, or not yet: a machine may be so busy that it stalls a process for
     * longer than a short lease}
     */
    boolean wasStarved() {
        return meanwhile != null ? isLoss(meanwhile.thrown) : befallen == null && isLoss(thrown);
    }

    private static boolean isLoss(@Nullable String thrown) {
        return thrown != null && thrown.contains(LockLostException.class.getName());
    }

    List<Effect.Began> steps() {
        return operations.stream().filter(operation -> operation.act().isChange()).toList();
    }

    /** {@return how it went, for the check} */
    CrashRun asRun(String event) {
        List<String> all = new ArrayList<>(acknowledged);
        if (meanwhile != null) {
            all.addAll(meanwhile.acknowledged);
        }
        return new CrashRun(event, plan.step(), List.copyOf(all), end == End.RETURNED, thrown);
    }
}

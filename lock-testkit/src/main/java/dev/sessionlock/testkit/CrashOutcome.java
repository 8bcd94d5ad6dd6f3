package dev.sessionlock.testkit;

import dev.sessionlock.LockLostException;
import dev.sessionlock.LockTimeoutException;
import dev.sessionlock.testkit.disk.Disk;
import dev.sessionlock.testkit.disk.Effect;
import dev.sessionlock.testkit.disk.Plan;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * The outcome of one run.
 *
 * @param plan the planned fault
 * @param directory what it left
 * @param disk what the fault injector has recorded, with the directory at the end
 * @param operations what it did
 * @param end how it ended
 * @param befallen the operation at which the fault occurred; null if the run did not get there
 * @param stack the stack of that operation
 * @param acknowledged what it had acknowledged
 * @param thrown the exception that it ended with, or the status with which it ended by itself
 * @param dump where its threads were, if it hung
 * @param output what it printed
 * @param differences how the directory differs from what the fault injector has recorded
 * @param meanwhile what another process did while this one was frozen; null if it was not
 */
record CrashOutcome(Plan plan, Path directory, Disk disk, List<Effect.Began> operations, End end, @Nullable String befallen, String stack,
                    List<String> acknowledged, @Nullable String thrown, String dump, String output, List<String> differences,
                    @Nullable Meanwhile meanwhile) {

    /** How a run ends. */
    enum End {
        /** It was killed where that was planned. */
        STOPPED,
        /** It has not ended: it stopped where it is to be frozen. */
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
     * @param frozenMillis for how long the first process was frozen
     * @param waited whether this one waited for a lock until the first was woken
     * @param end how it ended
     * @param acknowledged what it had acknowledged
     * @param thrown the exception that it ended with, or the status with which it ended by itself
     * @param dump where its threads were, if it hung
     * @param output what it printed
     */
    record Meanwhile(long frozenMillis, boolean waited, End end, List<String> acknowledged, @Nullable String thrown, String dump,
                     String output) {

        /** {@return whether it did not finish because it did not get a lock, or lost it} */
        boolean lackedTheLock() {
            return isLoss(thrown) || thrown != null && thrown.contains(LockTimeoutException.class.getName());
        }
    }

    /**
     * {@return whether a process lost its lock without a fault, or before it} On a busy machine a process may stand still for longer than a short
     * lease.
     */
    boolean wasStarved() {
        return meanwhile != null ? isLoss(meanwhile.thrown) : befallen == null && isLoss(thrown);
    }

    private static boolean isLoss(@Nullable String thrown) {
        return thrown != null && thrown.contains(LockLostException.class.getName());
    }

    List<Effect.Began> steps() {
        return operations.stream().filter(operation -> operation.type().isChange()).toList();
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

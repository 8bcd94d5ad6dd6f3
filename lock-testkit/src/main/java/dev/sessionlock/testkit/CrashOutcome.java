package dev.sessionlock.testkit;

import dev.sessionlock.testkit.disk.Disk;
import dev.sessionlock.testkit.disk.Effect;
import dev.sessionlock.testkit.disk.Plan;
import java.nio.file.Path;
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
 */
record CrashOutcome(Plan plan, Path directory, Disk disk, List<Effect.Began> operations, End end, @Nullable String befallen, String stack,
                    List<String> acknowledged, @Nullable String thrown, String dump, String output, List<String> differences) {

    /** How a run ends. */
    enum End {
        /** It was killed where that was planned. */
        STOPPED,
        /** The scenario returned, and the JVM ended. */
        RETURNED,
        /** The scenario threw, or the JVM ended with a status other than 0. */
        THREW,
        /** It did not end in time. */
        HUNG
    }

    List<Effect.Began> steps() {
        return operations.stream().filter(operation -> operation.act().isChange()).toList();
    }

    /** {@return how it went, for the check} */
    CrashRun asRun(String event) {
        return new CrashRun(event, plan.step(), acknowledged, end == End.RETURNED, thrown);
    }
}

package dev.sessionlock.testkit;

import java.nio.file.Path;
import org.jetbrains.annotations.NotNull;

/**
 * What a {@link CrashLab} kills: code that writes to a directory, as a class of the test's own with a constructor without
 * parameters; most often a static nested class of the test. It runs in a JVM of its own, which it may leave in any way.
 */
@FunctionalInterface
public interface CrashScenario {

    /**
     * Runs in the child, on its main thread. Once it returns the JVM ends as any other does: when its last thread that is no daemon has
     * ended, and after its shutdown hooks, whose file operations are steps as well. It may close its {@code SessionLocks}, or leave them open.
     *
     * @param directory the lab's directory, as {@link CrashLab#given} has left it; an absolute path
     * @throws Exception as it likes
     */
    void run(@NotNull Path directory) throws Exception;
}

package dev.sessionlock.testkit;

import java.nio.file.Path;

/**
 * The code that a {@link CrashLab} tests, which writes to a directory: a class of the test's own with a constructor without parameters; usually a
 * static nested class of the test. It runs in a JVM of its own, which it may end in any way.
 */
@FunctionalInterface
public interface CrashScenario {

    /**
     * Runs in the child, on its main thread. When it returns, the JVM ends like any other: when its last non-daemon thread has ended, and after its
     * shutdown hooks, whose file operations are steps as well. It may close its {@code SessionLocks}, or leave them open.
     *
     * @param directory the lab's directory, as {@link CrashLab#given} has left it; an absolute path
     * @throws Exception if the scenario fails
     */
    void run(Path directory) throws Exception;
}

package dev.sessionlock.testkit;

import java.io.Serializable;

/**
 * What a child JVM does: a class on the test's class path with a constructor without parameters. Usually it is a static nested class of the test,
 * which starts it with {@link ChildJvm#of(Class)}. A class with a {@code main} method will do as well; it talks to its parent through
 * {@link ParentJvm#get()}.
 *
 * <pre>{@code
 * static final class Holder implements ChildScenario {
 *     @Override public void run(ParentJvm parent) throws Exception {
 *         try (SessionLocks locks = SessionLocks.create(); SessionLock lock = locks.acquire(Path.of(parent.args().get(0)))) {
 *             parent.mark("held", lock.token());
 *             parent.awaitLine("close");
 *         }
 *     }
 * }
 * }</pre>
 */
@FunctionalInterface
public interface ChildScenario {

    /**
     * Runs in the child, on its main thread. When it returns, the JVM ends like any other: when its last non-daemon thread has ended. If it throws,
     * the JVM exits with status 1, and the stack trace is in its output.
     *
     * @param parent the test that started this JVM
     * @throws Exception if the scenario fails
     */
    void run(ParentJvm parent) throws Exception;

    /**
     * A scenario that is sent to the child as a lambda, for {@link ChildJvm#running}. The values that it has captured are sent along, so they must be
     * {@link Serializable}: strings and numbers, not a {@code Path}, and not the test itself.
     */
    @FunctionalInterface
    interface Portable extends ChildScenario, Serializable {
    }
}

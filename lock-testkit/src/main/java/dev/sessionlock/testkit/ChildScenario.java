package dev.sessionlock.testkit;

import java.io.Serializable;

/**
 * What a child JVM does, as a class of the test's own class path with a constructor without parameters; most often a static nested
 * class of the test that starts it with {@link ChildJvm#of(Class)}. A class with a {@code main} method will do as well; it talks to
 * its parent through {@link ParentJvm#get()}.
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
     * Runs in the child, on its main thread. Once it returns the JVM ends as any other does, when its last thread that is no daemon has
     * ended; if it throws, with status 1 and the stack trace in the output.
     *
     * @param parent the test that started this JVM
     * @throws Exception as it likes
     */
    void run(ParentJvm parent) throws Exception;

    /**
     * A scenario that travels to the child as a lambda, for {@link ChildJvm#running}. It takes along the values that it has captured, so
     * these must be {@link Serializable}: strings and numbers, not a {@code Path}, and not the test itself.
     */
    @FunctionalInterface
    interface Portable extends ChildScenario, Serializable {
    }
}

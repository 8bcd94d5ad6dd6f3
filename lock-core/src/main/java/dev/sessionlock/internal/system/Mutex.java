package dev.sessionlock.internal.system;

import java.util.concurrent.locks.ReentrantLock;

/**
 * A lock that no throwable leaves locked.
 *
 * <p>The usual {@code lock.lock(); try { ... } finally { lock.unlock(); }} may leave it locked at the end of a stack. {@link ReentrantLock#lock} may
 * use the pages that the JVM keeps in reserve there (JEP 270), take the lock, and throw its {@link StackOverflowError} as it returns, which is before
 * the {@code try}; and {@code unlock} may overflow, too. A lock of the whole process would then belong to a dead thread, and everybody would wait for
 * ever.
 *
 * <p>So here the lock is taken inside the {@code try}, and what was taken is counted. And it is taken only where the stack has enough room to give it
 * back: that takes more than taking it, if another thread has to be woken.
 *
 * <p>On the path of a JVM's first acquisition a lambda costs more than the code in it, since each is linked at its first use. There the same is
 * written out:
 *
 * <pre>{@code
 * int outer = mutex.depth();
 * try {
 *     mutex.lock();
 *     ...
 * } finally {
 *     mutex.unlock(outer);
 * }
 * }</pre>
 */
public final class Mutex {
    /** An arbitrary limit. */
    private static final int TRIES = 8;

    private final ReentrantLock lock = new ReentrantLock();

    /**
     * What is done while it is held.
     *
     * @param <T> its result
     * @param <E> what it may throw
     */
    public interface Step<T, E extends Exception> {
        /** {@return its result} */
        T run() throws E;
    }

    /**
     * What is done while it is held, without a result.
     *
     * @param <E> what it may throw
     */
    public interface Action<E extends Exception> {
        /** Does it. */
        void run() throws E;
    }

    /** Waits for it, and does something while it is held. Reentrant. */
    public <T, E extends Exception> T holding(Step<T, E> step) throws E {
        int outer = depth();
        try {
            lock();
            return step.run();
        } finally {
            unlock(outer);
        }
    }

    /** {@return how often the calling thread holds it: the argument for {@link #unlock}} */
    public int depth() {
        return lock.getHoldCount();
    }

    /** Waits for it. Only inside the {@code try} whose {@code finally} calls {@link #unlock}. */
    public void lock() {
        StackRoom.requireALittle();
        lock.lock();
    }

    /** Does something while it is held, unless another thread holds it now. Returns whether it was done. */
    public <E extends Exception> boolean tryLocked(Action<E> action) throws E {
        StackRoom.requireALittle();
        int outer = depth();
        try {
            boolean mine = lock.tryLock();
            if (mine) {
                action.run();
            }
            return mine;
        } finally {
            unlock(outer);
        }
    }

    /**
     * Gives it back until it is held as often as before, whether or not taking it succeeded.
     *
     * @param outer what {@link #depth} was before
     */
    public void unlock(int outer) {
        boolean again = false;
        for (int tries = 0; tries < TRIES; tries++) {
            try {
                if (lock.getHoldCount() > outer || again && outer == 0 && lock.tryLock()) { // once more: it may have woken nobody
                    lock.unlock();
                }
                return;
            } catch (StackOverflowError e) {
                again = true;
            }
        }
    }

    /** Waits for it, and does something while it is held. Reentrant. */
    public <E extends Exception> void locked(Action<E> action) throws E {
        int outer = depth();
        try {
            lock();
            action.run();
        } finally {
            unlock(outer);
        }
    }

    /** {@return whether the calling thread holds it} */
    public boolean isHeldByMe() {
        return lock.isHeldByCurrentThread();
    }

    /** {@return whether anybody holds it} */
    public boolean isHeld() {
        return lock.isLocked();
    }
}

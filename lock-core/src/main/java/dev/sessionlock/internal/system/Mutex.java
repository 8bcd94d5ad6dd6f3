package dev.sessionlock.internal.system;

import java.util.concurrent.locks.ReentrantLock;

/**
 * A lock that no throwable leaves locked.
 *
 * <p>The usual {@code lock.lock(); try { ... } finally { lock.unlock(); }} does, at the end of a stack: {@link ReentrantLock#lock} may use the pages that
 * the JVM keeps in reserve there (JEP 270), take the lock, and throw its {@link StackOverflowError} as it returns, which is before the {@code try};
 * and {@code unlock} may overflow in its turn. A lock of the whole process would then be a dead thread's, and everybody would wait for ever.
 * So here the taking is inside the {@code try}, and what was taken is counted. And it is taken only where there is room enough on the stack to give it back, which
 * takes more than to take it if another thread has to be woken.
 *
 * <p>On the path of a JVM's first acquisition a lambda costs more than what it does, since each is linked at its first use. There the same is written out:
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
    /** For luck. */
    private static final int TRIES = 8;

    private final ReentrantLock lock = new ReentrantLock();

    /**
     * What is done while it is held.
     *
     * @param <T> what comes of it
     * @param <E> what it may throw
     */
    public interface Step<T, E extends Exception> {
        /** {@return what comes of it} */
        T run() throws E;
    }

    /**
     * What is done while it is held, and nothing comes of it.
     *
     * @param <E> what it may throw
     */
    public interface Action<E extends Exception> {
        /** Does it. */
        void run() throws E;
    }

    /** Waits for it, and does something while it is held. By a thread that holds it already, too. */
    public <T, E extends Exception> T holding(Step<T, E> step) throws E {
        int outer = depth();
        try {
            lock();
            return step.run();
        } finally {
            unlock(outer);
        }
    }

    /** {@return how often the calling thread holds it: what {@link #unlock} has to be told} */
    public int depth() {
        return lock.getHoldCount();
    }

    /** Waits for it. Only inside the {@code try} whose {@code finally} calls {@link #unlock}. */
    public void lock() {
        StackRoom.requireALittle();
        lock.lock();
    }

    /** Does something while it is held, unless another thread holds it now. {@return whether it was done} */
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
     * Gives it back until it is held as often as before, whatever the taking has come to.
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

    /** Waits for it, and does something while it is held. By a thread that holds it already, too. */
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

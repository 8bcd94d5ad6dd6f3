package dev.sessionlock.internal.threads;

import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;

/**
 * A lock around a few steps in memory, for {@code lock(); try { ... } finally { unlock(); }}. No throwable leaves it locked.
 *
 * <p>A {@link java.util.concurrent.locks.ReentrantLock} cannot promise that. Its {@code lock()} may use the reserved last page of a stack (JEP 270): there it
 * takes the lock, and throws {@link StackOverflowError} as it returns, before the caller's {@code try}. Here {@link #lock} throws only if it has
 * not locked; and {@link #unlock} is one store, which needs less stack than the {@link #lock} before it.
 *
 * <p>Not reentrant, not fair. It is held for some ten nanoseconds; a thread that finds it held spins, and then sleeps for a moment at a time.
 */
final class MemoryLock {
    private static final int SPINS = 100;
    private static final long SLEEP_NANOS = TimeUnit.MICROSECONDS.toNanos(10);
    private static final int SLEEPS = 20;
    private static final VarHandle HELD;

    static {
        try {
            HELD = MethodHandles.lookup().findVarHandle(MemoryLock.class, "held", boolean.class);
        } catch (ReflectiveOperationException e) {
            throw new ExceptionInInitializerError(e);
        }
    }

    private volatile boolean held;

    void lock() {
        if (!HELD.compareAndSet(this, false, true)) {
            lockLater();
        }
    }

    /** Locks it unless somebody keeps it for long, as a thread does whose store to the shared table waits for a disk. Returns whether it is locked. */
    boolean tryLock() {
        for (int tries = 0; tries < SPINS + SLEEPS; tries++) {
            if (!held && HELD.compareAndSet(this, false, true)) {
                return true;
            }
            pause(tries);
        }
        return false;
    }

    private void lockLater() {
        for (int tries = 0; held || !HELD.compareAndSet(this, false, true); tries++) {
            pause(tries);
        }
    }

    private void pause(int tries) {
        if (tries < SPINS) {
            Thread.onSpinWait();
        } else {
            Thread.yield(); // an interrupted thread does not sleep
            LockSupport.parkNanos(this, SLEEP_NANOS);
        }
    }

    void unlock() {
        held = false;
    }
}

package dev.sessionlock.internal.threads;

import com.google.errorprone.annotations.concurrent.GuardedBy;
import dev.sessionlock.internal.system.GrowingPause;
import dev.sessionlock.internal.system.Log;
import dev.sessionlock.internal.system.Loggers;
import dev.sessionlock.internal.system.RareLog;
import dev.sessionlock.spi.EngineLock;
import java.io.IOException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.ReentrantLock;
import org.jspecify.annotations.Nullable;

/**
 * The threads that block in {@code fcntl} on behalf of the head of one lock's queue: at most one for each thing that the engine can wait for. When a thread gets its
 * kernel byte, it passes the byte to the engine, as acquired ahead for the head's next try, makes that try on its behalf, and wakes the head. If nobody needs the
 * byte any more, the thread gives it back.
 *
 * <p>A blocked thread can't be cancelled: an interrupt would close the channel, and with it drop every byte of this process in that guard file. So it outlives the timeout of the head
 * that it was started for, and serves the next one.
 */
final class KernelWaiter {
    private static final Log log = Loggers.LIBRARY;
    private static final RareLog trouble = new RareLog(log, "a byte that a thread waited for in the kernel could not be passed on, and it is tried again");
    /** After the kernel has refused to let a thread wait (EDEADLK), the head polls for this long. */
    static final long REFUSED_NANOS = TimeUnit.MILLISECONDS.toNanos(50);

    /** What a kernel waiter needs to know of its lock. */
    interface Host {
        /**
         * Under the state lock, and under the engine lock. Returns the head, if it needs a byte; null if nobody waits, or if this JVM has the lock. What lingers is
         * handed to the head without the kernel, and a process must never have both bytes (PROTOCOL.md, rule 3).
         */
        @Nullable Waiter waiterInNeed();

        /** Under the engine lock: the byte was acquired for the head, which is waking. Tries on its behalf. Never throws. */
        void tryOnBehalfOf(Waiter head);

        /** The keeper has to tidy up: the byte may be ours although waiting for it failed. */
        void markUntidy();

        /** Runs something that blocks, on a thread of its own. Returns false if there are {@code most} such threads already. Never throws. */
        boolean runBlocking(Runnable task, int most);
    }

    private final EngineLock engine;
    private final ReentrantLock engineLock;
    private final MemoryLock stateLock;
    private final Host host;
    /** What threads wait for now, a bit each. */
    @GuardedBy("stateLock")
    private int waiting;
    /** Until when no thread is to wait in the kernel, by the machine's clock; 0 if the kernel did not refuse the last time. */
    @GuardedBy("stateLock")
    private long refusedUntil;

    KernelWaiter(EngineLock engine, ReentrantLock engineLock, MemoryLock stateLock, Host host) {
        this.engine = engine;
        this.engineLock = engineLock;
        this.stateLock = stateLock;
        this.host = host;
    }

    /**
     * Has a thread wait in the kernel, unless one does already.
     *
     * @param what a {@link dev.sessionlock.spi.Busy#waitFor}, 0 or more
     * @param most how many threads may wait in the kernel at most, for all locks together
     * @return whether a thread waits; if not, the head has to poll
     */
    boolean start(int what, int most) {
        stateLock.lock();
        try {
            if (has(what)) {
                return true;
            }
            boolean refused = refusedUntil != 0 && refusedUntil - System.nanoTime() > 0;
            boolean started = !refused && host.runBlocking(() -> await(what), most);
            set(what, started);
            return started;
        } finally {
            stateLock.unlock();
        }
    }

    /** {@return whether a thread waits for it} */
    boolean waitsFor(int what) {
        stateLock.lock();
        try {
            return what >= 0 && has(what);
        } finally {
            stateLock.unlock();
        }
    }

    /** Under the state lock. Returns whether any thread waits. */
    boolean isWaiting() {
        return waiting != 0;
    }

    @GuardedBy("stateLock")
    private boolean has(int what) {
        return (waiting & 1 << what) != 0;
    }

    @GuardedBy("stateLock")
    private void set(int what, boolean waits) {
        waiting = waits ? waiting | 1 << what : waiting & ~(1 << what);
    }

    /** On a thread of its own. */
    private void await(int what) {
        boolean got = false;
        try {
            engine.awaitKernel(what);
            got = true;
        } catch (IOException | RuntimeException | Error e) {
            host.markUntidy(); // the byte may be ours all the same
            log.debug("{}: the kernel will not let us wait (it sees a deadlock between processes, or the directory is gone); polling", engine, e);
        }
        GrowingPause pause = new GrowingPause();
        while (!isDelivered(what, got)) {
            pause.rest();
        }
    }

    /** {@return false if something was thrown: then it is to be tried again, or nobody would give the byte back} */
    private boolean isDelivered(int what, boolean got) {
        engineLock.lock();
        try {
            Waiter head;
            stateLock.lock();
            try {
                set(what, false);
                refusedUntil = got ? 0 : System.nanoTime() + REFUSED_NANOS;
                head = host.waiterInNeed();
            } finally {
                stateLock.unlock();
            }
            if (got && head != null) {
                engine.acceptAwaited(what);
            } else {
                engine.declineAwaited(what); // also if waiting failed: the byte may be ours all the same
            }
            if (got && head != null) {
                host.tryOnBehalfOf(head); // before it is woken: it would only wait for this thread
            }
            if (head != null) {
                head.wake(); // also if it has to poll from now on: it sleeps for long, since this thread was to wake it
            }
            return true;
        } catch (RuntimeException | Error e) {
            trouble.warn(engine.toString(), e);
            return false;
        } finally {
            engineLock.unlock();
        }
    }
}

package dev.sessionlock.internal.threads;

import dev.sessionlock.LockMode;
import dev.sessionlock.LockOptions;
import dev.sessionlock.internal.system.Loggers;
import dev.sessionlock.internal.system.RareLog;
import dev.sessionlock.internal.system.ThreadNames;
import org.jspecify.annotations.Nullable;

/**
 * How a reader gets a share of what other readers of this JVM have, or have just left: in memory, under the state lock.
 *
 * <p>A reader that does not wait joins only if nobody waits, so whoever waits to write keeps new readers out. Readers that wait are let in from the front of the
 * queue, up to the first waiter that can't join. Each waiter gets its handle there and nowhere else, by whichever thread looks first: a reader that joined
 * by itself, while another thread let it in, would read twice.
 */
final class Joining {
    private static final RareLog trouble = new RareLog(Loggers.LIBRARY, "a reader could not be let in, and looks by itself");

    private Joining() {
    }

    /**
     * One that does not wait.
     *
     * @param owner the thread that it will belong to; null for an asynchronous acquisition
     * @return null if the reader must acquire in the ordinary way
     */
    static @Nullable Handle tryJoin(LocalLock lock, EventPublisher publisher, LockOptions options, @Nullable Thread owner) {
        LockEvents.Timed asked = LockEvents.asked();
        Handle handle;
        MemoryLock stateLock = lock.stateLock();
        stateLock.lock();
        try {
            if (!(lock.current() instanceof SharedGrant whole) || !lock.queue().isEmpty() || owner != null && whole.ofThread(owner) != null) {
                return null;
            }
            handle = whole.join(publisher, options, whole.target(), owner, owner == null ? ThreadNames.NONE : owner.getName(), SharedGrant.NOT_WAITED,
                    AcquisitionTrace.ifWanted(options), lock.locks().forgotten());
        } finally {
            stateLock.unlock();
        }
        if (handle != null) {
            publisher.acquired(handle.grant(), 0);
            LockEvents.acquired(asked, lock, handle.token(), handle.acquiredNanos());
            lock.locks().scheduleWithin(handle.grant().withinNanos());
        }
        return handle;
    }

    /** Lets in the readers at the front of the queue. Never throws: those who are not let in look by themselves, or the keeper wakes them. */
    static void letIn(LocalLock lock) {
        MemoryLock stateLock = lock.stateLock();
        stateLock.lock();
        try {
            if (lock.current() instanceof SharedGrant whole) {
                for (Waiter head = lock.queue().head(); head != null && isLetIn(head, whole); head = lock.queue().head()) {
                    lock.locks().scheduleWithin(head.given.grant().withinNanos());
                }
            }
        } catch (RuntimeException | Error e) {
            trouble.warn(lock.engine().toString(), e);
        } finally {
            stateLock.unlock();
        }
    }

    private static boolean isLetIn(Waiter head, SharedGrant whole) {
        AcquireRequest request = head.request();
        if (request.publisher().isClosed()) {
            return false; // it is about to give up
        }
        head.given = whole.join(request.publisher(), request.options(), request.target(), head.owner(), head.ownerName(), head.since(), request.acquiredHere(),
                whole.lock().locks().forgotten());
        if (head.given == null) {
            return false;
        }
        whole.lock().queue().removeHead();
        Grant reader = head.given.grant();
        request.publisher().acquired(reader, reader.acquiredNanos() - head.since()); // under the state lock: it must not be told later than that it has left
        head.wake();
        return true;
    }

    /**
     * Under the state lock. Returns whether a waiter is the head and could join but for the engine, which keeps readers out since another process waits, or but for
     * the lease: this may pass, and nobody will wake it then.
     */
    static boolean isHeldUp(LocalLock lock, Waiter waiter) {
        return waiter.request().options().mode() == LockMode.SHARED && lock.current() instanceof SharedGrant whole && whole.isOpenTo(waiter.request().options())
                && lock.queue().head() == waiter;
    }
}

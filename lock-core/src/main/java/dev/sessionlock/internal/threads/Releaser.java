package dev.sessionlock.internal.threads;

import dev.sessionlock.LockLostException.Reason;
import dev.sessionlock.internal.system.Log;
import dev.sessionlock.internal.system.Loggers;
import dev.sessionlock.internal.system.RareLog;
import dev.sessionlock.internal.system.ThreadNames;
import dev.sessionlock.internal.system.WallClock;
import dev.sessionlock.spi.EngineLock;
import java.io.IOException;
import java.util.concurrent.ThreadLocalRandom;
import java.util.concurrent.locks.ReentrantLock;
import org.jspecify.annotations.Nullable;

/**
 * What happens when a handle is closed. Only the last handle of a grant ends it: then the lock lingers, or the next waiter of this JVM gets it, or the engine gets it
 * back. Ending can be called again after whatever was thrown, and goes on where it was; the keeper does so.
 *
 * <p>It keeps nothing: one serves all locks of a registry, and each call says which lock, or which grant, it is about.
 */
final class Releaser {
    private static final Log log = Loggers.LIBRARY;
    /** For all locks together: what fails for one mostly fails for thousands. */
    private static final RareLog trouble = new RareLog(log, "a lock could not be given back, and is tried again");

    // ---- closing a handle ----

    /** How a handle left its grant. */
    enum CloseResult {
        OTHERS_REMAIN, LAST, LINGERS,
        /** It lingers, and the keeper does not know that it has to check it. */
        LINGERS_UNCHECKED,
        LOST, LOST_LAST,
        /** A reader left, which was told, and others read on. */
        LEFT,
        /** The last reader left, which was told. */
        LEFT_LAST,
        /** The keeper had closed it on its user's behalf. */
        CLOSED_BEFORE
    }

    /** A handle was closed by its user. */
    void close(Handle.Ref ref) {
        Grant held = ref.grant();
        LocalLock lock = held.lock();
        CloseResult result = remove(ref);
        // No switch in here: the class that the compiler makes of one over an enum would be unusable for good, were there no memory at its first use.
        if (result == CloseResult.OTHERS_REMAIN) {
            held.publisher().releasedOne();
        } else if (result == CloseResult.LAST) {
            tellReleased(held);
        }
        if (result == CloseResult.LAST || result == CloseResult.LOST_LAST || result == CloseResult.LEFT_LAST) {
            endForUser(held.whole());
        } else if (result == CloseResult.LINGERS_UNCHECKED) {
            lock.locks().startIdleChecks(lock);
        }
    }

    /** A handle became unreachable without having been closed. The keeper calls this: memory only. */
    void forgotten(Handle.Ref ref) {
        if (!ref.close()) {
            return;
        }
        Grant held = ref.grant();
        LocalLock lock = held.lock();
        boolean last = isLast(ref);
        String advice = ref.acquiredHere() == null ? "use try-with-resources; LockOptions.withLeakDetectionThreshold tells where it was acquired"
                : "use try-with-resources";
        Loggers.EVENTS.warn("a handle of {} was never closed and nobody refers to it any more: acquired at {} by {}{}; {}",
                lock.engine(), WallClock.iso(held.acquiredAt()), ThreadNames.inWords(held.thread()), LossMessages.purpose(held), advice,
                last ? null : ref.acquiredHere()); // where the last one was acquired is told with the loss
        if (last) {
            Revocation.lose(held, Reason.LEAKED);
        }
        CloseResult result = remove(ref);
        if (result == CloseResult.OTHERS_REMAIN) {
            held.publisher().releasedOne();
        } else if (result == CloseResult.LAST) {
            tellReleased(held); // the others were closed this moment
        } else if (result == CloseResult.LINGERS_UNCHECKED) {
            lock.locks().startIdleChecks(lock);
        }
        lock.locks().wakeKeeper(); // a grant without a handle is ending, and given back at the next look
    }

    private CloseResult remove(Handle.Ref ref) {
        Grant held = ref.grant();
        MemoryLock stateLock = held.lock().stateLock();
        stateLock.lock();
        try {
            if (!held.has(ref)) {
                return CloseResult.CLOSED_BEFORE;
            }
            boolean last = held.remove(ref);
            if (held instanceof ReaderGrant reader) {
                return last ? leave(reader, true) : reader.lost() != null ? CloseResult.LOST : CloseResult.OTHERS_REMAIN;
            } else if (held.lost() != null) {
                return last && held.beginEnding() ? CloseResult.LOST_LAST : CloseResult.LOST;
            } else if (!last) {
                return CloseResult.OTHERS_REMAIN;
            }
            WaitQueue queue = held.lock().queue();
            boolean waitedFor = !queue.isEmpty();
            if (waitedFor ? !mayBeOvertaken(held) : !mayLinger(held)) {
                HoldRun.released(held);
                held.beginEnding(); // at once: if giving it back fails, the keeper sees it
                return CloseResult.LAST;
            }
            HoldRun.lingers(held);
            tellReleased(held); // under the state lock: the next user may come at once, and must be told of after this one
            boolean unchecked = held.linger(waitedFor && !held.lingersByItself());
            if (waitedFor) {
                queue.wakeHeadOnce(); // whoever looks first has it: the head, or a thread that runs
            }
            return unchecked ? CloseResult.LINGERS_UNCHECKED : CloseResult.LINGERS;
        } finally {
            stateLock.unlock();
        }
    }

    /**
     * Under the state lock: a reader has closed its last handle, or has no grace left. Its close is told here: a writer may come as soon as the last reader is gone, and
     * must be told of after it.
     *
     * @param mayLinger whether what nobody reads any more may linger
     */
    private CloseResult leave(ReaderGrant reader, boolean mayLinger) {
        SharedGrant whole = reader.whole();
        boolean lost = reader.lost() != null;
        if (!lost && reader.hasUser()) {
            HoldRun.left(reader);
            tellReleased(reader);
        }
        boolean left = whole.leave(reader);
        if (!left || !whole.isEmpty()) {
            return lost ? CloseResult.LOST : CloseResult.LEFT;
        }
        boolean stays = mayLinger && !lost && reader.lock().queue().isEmpty() && mayLinger(whole);
        if (!stays) {
            return whole.beginEnding() ? CloseResult.LEFT_LAST : CloseResult.LOST; // at once: if giving it back fails, the keeper sees it
        }
        return whole.linger(false) ? CloseResult.LINGERS_UNCHECKED : CloseResult.LINGERS;
    }

    /** Under the engine lock. Has those readers leave that are over, and gives back what nobody reads any more then. */
    void endReadersThatAreOver(SharedGrant whole) {
        boolean ends = false;
        long now = whole.clock().nanos();
        MemoryLock stateLock = whole.lock().stateLock();
        stateLock.lock();
        try {
            ReaderGrant next;
            for (ReaderGrant reader = whole.first(); reader != null; reader = next) {
                next = reader.next;
                ends |= reader.isOver(now) && leave(reader, false) == CloseResult.LEFT_LAST;
            }
        } finally {
            stateLock.unlock();
        }
        if (ends) {
            endUnderEngineLock(whole);
        }
    }

    private boolean isLast(Handle.Ref ref) {
        MemoryLock stateLock = ref.grant().lock().stateLock();
        stateLock.lock();
        try {
            return ref.grant().isLast(ref);
        } finally {
            stateLock.unlock();
        }
    }

    /** A handle is no longer bound to its thread. If it was closed meanwhile, the grant may be another user's, and nothing happens. */
    void detach(Handle.Ref ref) {
        MemoryLock stateLock = ref.grant().lock().stateLock();
        stateLock.lock();
        try {
            if (ref.grant().has(ref)) {
                ref.grant().detach();
            }
        } finally {
            stateLock.unlock();
        }
    }

    private void tellReleased(Grant held) {
        LocalLock lock = held.lock();
        held.publisher().released(lock, held.token(), held.acquiredNanos());
        LockEvents.released(held.recording(), lock, held.token(), held.acquiredNanos());
    }

    /**
     * Under the state lock. Returns whether a lock that its last user here has closed stays for the next one. Never throws: nobody has a handle of it any more.
     */
    private boolean mayLinger(Grant held) {
        LocalLock lock = held.lock();
        try {
            boolean wanted = held.lingersByItself() ? !isWanted(held) && !lock.fairness().isShared(held.acquiredNanos()) : isLoopInItsSlice(held);
            return wanted && held.isReusable() && !held.publisher().isClosed() && !lock.locks().isEnding();
        } catch (RuntimeException | Error e) {
            trouble.warn(lock.engine() + ": it does not linger", e);
            return false;
        }
    }

    /**
     * Under the state lock. Returns whether a lock that others here wait for stays in memory for whoever looks first; if not, it is handed to the head, or given
     * back. Never throws: nobody has a handle of it any more.
     */
    private boolean mayBeOvertaken(Grant held) {
        LocalLock lock = held.lock();
        try {
            return lock.queue().mayBeOvertaken(System.nanoTime()) && held.isReusable() && !held.publisher().isClosed() && !lock.locks().isEnding()
                    && !isSliceOverForOthers(held);
        } catch (RuntimeException | Error e) {
            trouble.warn(lock.engine() + ": it is handed over, or given back", e);
            return false;
        }
    }

    // ---- this process or another ----

    /** {@return whether another process waits for what a user here has closed, and must get it now} */
    static boolean isOthersTimeSlice(Grant closed) {
        LocalLock lock = closed.lock();
        return othersWait(closed) && !lock.fairness().mayGoOn(closed.acquiredNanos(), lock.clock().nanos());
    }

    /** {@return whether another process waits, and this JVM has had its time slice} Then even those who wait here stand back. */
    static boolean isSliceOverForOthers(Grant closed) {
        LocalLock lock = closed.lock();
        return othersWait(closed) && lock.fairness().isSliceOver(lock.clock().nanos());
    }

    /** Under the state lock. Returns whether another process wants what a user here has closed, and must find it free. A single try of that process is enough. */
    static boolean isWanted(Grant closed) {
        LocalLock lock = closed.lock();
        if (!lock.engine().othersTryOrWait(closed.hold(), EngineLock.WAITER_MARK_NANOS)) {
            return false;
        }
        long now = lock.clock().nanos();
        lock.fairness().othersSeen(now);
        return !lock.fairness().mayGoOn(closed.acquiredNanos(), now);
    }

    /**
     * Under the state lock. Returns whether a user here closes the lock in the middle of a loop of brief users, whose time slice is not over, while another process
     * waits. To free it would be a race between this JVM and that process. Each time the other wins, the lock changes hands for a single brief user.
     */
    private static boolean isLoopInItsSlice(Grant closed) {
        LocalLock lock = closed.lock();
        return lock.fairness().isLoopInItsSlice(closed.acquiredNanos(), lock.clock().nanos()) && othersWait(closed);
    }

    private static boolean othersWait(Grant closed) {
        return closed.lock().engine().othersWait(closed.hold(), EngineLock.WAITER_MARK_NANOS);
    }

    // ---- ending a grant ----

    /** What goes wrong here is not the business of the user, who has closed the lock: the keeper tries again. */
    private void endForUser(Grant held) {
        try {
            end(held);
        } catch (RuntimeException e) {
            trouble.warn(held.lock().engine().toString(), e);
            held.lock().locks().wakeKeeper();
        }
    }

    /** Nobody has a handle of this grant any more. */
    private void end(Grant held) {
        ReentrantLock engineLock = held.lock().engineLock();
        engineLock.lock();
        try {
            endUnderEngineLock(held);
        } finally {
            engineLock.unlock();
        }
    }

    /** Under the engine lock: hands the lock over, or gives it back. Whatever is thrown, this can be called again, and goes on where it was. */
    void endUnderEngineLock(Grant held) {
        if (!beginEnding(held)) {
            return;
        }
        LocalLock lock = held.lock();
        boolean othersTimeSlice = isOthersTimeSlice(held);
        long now = lock.clock().nanos();
        boolean handsOver = lock.owned().isPresent() && held.lost() == null && held.isValid(now) && !isSliceOverForOthers(held);
        if (!handsOver || !handOver(lock)) {
            giveBack(lock, othersTimeSlice);
        }
    }

    private boolean beginEnding(Grant held) {
        MemoryLock stateLock = held.lock().stateLock();
        stateLock.lock();
        try {
            return held == held.lock().current() && held.beginEnding();
        } finally {
            stateLock.unlock();
        }
    }

    /**
     * Under the engine lock. Returns whether another waiter of this JVM has it now; else it must be given back. A writer hands on to a writer only: the mode of a hold
     * never changes, and readers that wait for what others read differ from them in what they may have.
     */
    private boolean handOver(LocalLock lock) {
        while (true) {
            Waiter next = head(lock);
            if (next == null || next.request().publisher().isClosed() || next.terms().shared() || lock.owned().hold().terms().shared()) {
                return false;
            }
            try {
                if (!lock.owned().handOver(next.terms())) {
                    return false;
                }
            } catch (IOException e) {
                log.warn("could not hand {} on within this JVM; it is given back instead", lock.engine(), e);
                return false;
            }
            if (lock.grantHandedOver(next)) {
                return true;
            }
        }
    }

    private static @Nullable Waiter head(LocalLock lock) {
        MemoryLock stateLock = lock.stateLock();
        stateLock.lock();
        try {
            return lock.queue().head();
        } finally {
            stateLock.unlock();
        }
    }

    /** Ends what lingered only for those who waited, now that nobody does. Never throws: if it fails, the keeper tries again. */
    void endLeftOver(LocalLock lock) {
        lock.engineLock().lock();
        try {
            if (isLeftOver(lock)) {
                endLingering(lock);
            }
        } catch (RuntimeException | Error e) { // it must not hide why the last waiter leaves
            trouble.warn(lock.engine().toString(), e);
            lock.locks().wakeKeeper();
        } finally {
            lock.engineLock().unlock();
        }
    }

    /** {@return whether something lingers only because somebody waited for it, and nobody does any more} */
    boolean isLeftOver(LocalLock lock) {
        lock.stateLock().lock();
        try {
            return lock.leftOver() != null;
        } finally {
            lock.stateLock().unlock();
        }
    }

    /** Under the engine lock: gives back what lingers here, if anything does. */
    void endLingering(LocalLock lock) {
        Grant idle;
        MemoryLock stateLock = lock.stateLock();
        stateLock.lock();
        try {
            Grant now = lock.current();
            idle = now != null && now.lingers() && now.beginEnding() ? now : null;
        } finally {
            stateLock.unlock();
        }
        if (idle != null) {
            if (!idle.lingersByItself() && !lock.fairness().isSliceOver(lock.clock().nanos())) {
                lock.fairness().loopEnded();
            }
            giveBack(lock, isOthersTimeSlice(idle));
        }
    }

    /**
     * Under the engine lock: the engine gets back what it has given. If it throws, nothing has changed here, and this can be called again.
     *
     * @param staysAway whether the next time slice is another process's
     */
    void giveBack(LocalLock lock, boolean staysAway) {
        lock.owned().giveBack(lock.locks().isKeeper());
        lock.fairness().gaveBack(lock.clock().nanos());
        if (staysAway) {
            lock.fairness().stayAway(System.nanoTime(), ThreadLocalRandom.current().nextLong(FairnessPolicy.AWAY_NANOS));
        }
        lock.free();
        lock.owned().tidy();
    }
}

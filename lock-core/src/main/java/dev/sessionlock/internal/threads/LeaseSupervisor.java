package dev.sessionlock.internal.threads;

import dev.sessionlock.LockLostException.Reason;
import dev.sessionlock.internal.system.Log;
import dev.sessionlock.internal.system.Loggers;
import dev.sessionlock.internal.system.RareLog;
import dev.sessionlock.internal.system.StackRoom;
import dev.sessionlock.internal.system.ThreadNames;
import dev.sessionlock.internal.system.WallClock;
import dev.sessionlock.spi.EngineLock;
import java.io.IOException;
import java.util.concurrent.TimeUnit;

/**
 * Looks after one lock while this JVM has it: renews its lease, notices when it is lost, takes it from its user then, and finishes what is ending. The keeper and its
 * workers call this again and again, and {@link #nextLook} tells them when. No method of theirs waits for the engine lock: a look that is missed comes again.
 *
 * <p>A loss is told to each user once. What is judged by one user's token concerns that user alone: with {@code linger} the next one may have the grant already.
 *
 * <p>It keeps nothing: one serves all locks of a registry, and each call says which lock, or which grant, it is about.
 */
final class LeaseSupervisor {
    private static final Log log = Loggers.LIBRARY;
    /** For all locks together: what fails for one mostly fails for thousands. */
    private static final RareLog trouble = new RareLog(log, "a lock could not be looked after, and is looked at again");

    /** How often the keeper tries to give back what is ending. */
    private static final long END_AGAIN_NANOS = TimeUnit.MILLISECONDS.toNanos(50);
    /** The same, while somebody has the engine lock: perhaps its disk does not answer. */
    private static final long END_AGAIN_BUSY_NANOS = TimeUnit.MILLISECONDS.toNanos(250);
    /** How long the end of the JVM waits for a thread that is using a lock's engine: its disk may not answer. */
    private static final long ABANDON_PATIENCE_NANOS = TimeUnit.MILLISECONDS.toNanos(200);

    // ---- for the keeper ----

    /** {@return in how many nanoseconds the keeper should look again, for the sake of what is held here} */
    long nextLook(LocalLock lock, long now) {
        Grant held = lock.grantIfAtOnce();
        if (held == null) {
            return Long.MAX_VALUE;
        } else if (held.state() == Grant.State.ENDING) {
            return endAgain(lock);
        }
        long soonest = Math.min(held.hold().terms().leaseNanos() / 4, held.renewEvery());
        if (held instanceof SharedGrant whole && held.lost() == null) {
            for (Grant reader : whole.users()) {
                soonest = Math.min(soonest, nextLook(reader, now));
            }
            return soonest;
        }
        return Math.min(soonest, nextLook(held, now));
    }

    private long nextLook(Grant user, long now) {
        if (user.lost() == null) {
            return Math.min(user.holdLeft(now), untilLeakReport(user, now));
        }
        long grace = user.graceLeft(now);
        return grace <= 0 ? endAgain(user.lock()) : grace;
    }

    private long untilLeakReport(Grant held, long now) {
        MemoryLock stateLock = held.lock().stateLock();
        stateLock.lock();
        try {
            return held.untilLeakReport(now);
        } finally {
            stateLock.unlock();
        }
    }

    private static long endAgain(LocalLock lock) {
        return lock.engineLock().isLocked() ? END_AGAIN_BUSY_NANOS : END_AGAIN_NANOS;
    }

    /**
     * Takes away what is over by the clock. Memory only, and never throws.
     *
     * @param evenIfRenewable also if a worker may still renew the lease late
     * @return whether it was left to a worker for that
     */
    boolean loseIfOver(LocalLock lock, boolean evenIfRenewable) {
        Grant held = lock.grantIfAtOnce(); // once: a second look could find what the first one missed, and take it away at once
        if (held == null || held.lost() != null) {
            return false;
        }
        try {
            long token = held.token(); // before it is judged
            long now = lock.clock().nanos();
            if (held instanceof SharedGrant whole && held.isValid(now)) {
                loseReadersThatAreOver(whole, now);
                return false;
            } else if (!held.isLive() || held.isValid(now)) {
                return false;
            } else if (!evenIfRenewable && mayRenewLate(held, now)) {
                return true;
            }
            Revocation.loseToTime(held, token, now);
        } catch (RuntimeException | Error e) {
            trouble.warn(lock.engine() + ": could not be taken away", e);
        }
        return false;
    }

    /** Takes from readers what they have had for longer than their {@code maxHold}. The others read on. */
    private static void loseReadersThatAreOver(SharedGrant whole, long now) {
        for (Grant reader : whole.users()) {
            if (reader.hasUser() && reader.lost() == null && reader.holdLeft(now) <= 0) {
                Revocation.lose(reader, Reason.MAX_HOLD);
            }
        }
    }

    // ---- for a worker of the keeper ----

    /** Looks after what is held here, and finishes what is ending. */
    void maintain(LocalLock lock, boolean deeply) {
        if (lock.grant() == null && !lock.owned().isUntidy() && !lock.isWaitedFor()) {
            return;
        }
        if (lock.engineLock().tryLock()) {
            maintainAndUnlock(lock, deeply);
        }
    }

    /**
     * As {@link #maintain}, but waits for the engine lock. Not for a worker: the thread that moves a clock by hand calls it, and what is due must be done when that
     * returns.
     */
    void maintainNow(LocalLock lock) {
        lock.engineLock().lock();
        maintainAndUnlock(lock, false);
    }

    /** Under the engine lock, which it unlocks. Never throws: whatever goes wrong, the leases of the other locks must be renewed. */
    private void maintainAndUnlock(LocalLock lock, boolean deeply) {
        try {
            Grant held = lock.grant();
            if (held == null) {
                maintainFree(lock);
                return;
            }
            closeHalfClosed(held);
            if (held.state() == Grant.State.LINGERING && Releaser.isSliceOverForOthers(held)) {
                lock.releaser().endLingering(lock); // left to a head that does not come, while another process waits
            } else if (lock.isWaitedFor()) {
                lock.wakeHead(); // of what nobody has: something may have been thrown to whoever was to wake it
            } else if (lock.releaser().isLeftOver(lock)) {
                lock.releaser().endLingering(lock);
            }
            if (held.isLive()) {
                maintain(held, deeply);
            } else if (held.state() == Grant.State.ENDING) {
                lock.releaser().endUnderEngineLock(held);
            }
        } catch (IOException | RuntimeException | Error e) {
            trouble.warn(lock.engine().toString(), e);
        } finally {
            lock.engineLock().unlock();
        }
    }

    /** Nobody has it. Gives back a hold that has no grant, since something was thrown to its taker, and wakes a head that nobody woke. */
    private void maintainFree(LocalLock lock) {
        if (lock.owned().isPresent()) {
            lock.releaser().giveBack(lock, false);
        } else if (lock.owned().isUntidy()) {
            if (!lock.isClaimed()) {
                lock.engine().declineAllAwaited();
            }
            lock.owned().tidy();
        }
        lock.wakeHead();
    }

    /** Closes a handle whose closing was broken off, on its user's behalf. A grant that has no handle at all is to end. */
    private void closeHalfClosed(Grant held) {
        if (held instanceof SharedGrant whole) {
            for (Grant reader : whole.users()) {
                closeHalfClosed(reader); // one that has no handle at all is over: see endReadersThatAreOver
            }
        }
        Handle.Ref halfClosed;
        MemoryLock stateLock = held.lock().stateLock();
        stateLock.lock();
        try {
            halfClosed = held.halfClosed();
            if (held.hasUser() && !held.isOpen() && held == held.whole()) {
                held.beginEnding();
            }
        } finally {
            stateLock.unlock();
        }
        if (halfClosed != null) {
            held.lock().releaser().close(halfClosed);
        }
    }

    /** Renews before it looks: renewing takes no descriptor, and must not fail because looking does. */
    private void maintain(Grant held, boolean deeply) throws IOException {
        long token = held.token(); // before it is judged
        long now = held.clock().nanos();
        if (held.lost() == null && !held.isValid(now) && !renewLateUnderEngineLock(held)) {
            Revocation.loseToTime(held, token, now);
        }
        if (held.lost() == null || !Revocation.isOver(held)) {
            renewIfDue(held, token, now);
        }
        if (held.lost() == null) {
            revokeUnlessIntact(held, deeply);
        }
        if (held instanceof SharedGrant whole) {
            maintainReaders(whole, now);
        } else if (held.lost() == null) {
            reportLeak(held, now);
        }
        if (held.lost() != null && Revocation.isOver(held)) {
            held.lock().releaser().endUnderEngineLock(held);
        }
    }

    private void maintainReaders(SharedGrant whole, long now) {
        loseReadersThatAreOver(whole, whole.clock().nanos());
        for (Grant reader : whole.users()) {
            if (reader.lost() == null) {
                reportLeak(reader, now);
            }
        }
        whole.lock().releaser().endReadersThatAreOver(whole);
    }

    /** Says, once for each user, that it may have forgotten to close the lock. */
    private void reportLeak(Grant held, long now) {
        Throwable acquiredHere;
        MemoryLock stateLock = held.lock().stateLock();
        stateLock.lock();
        try {
            if (!held.reportLeak(now)) {
                return;
            }
            acquiredHere = held.acquiredHere();
        } finally {
            stateLock.unlock();
        }
        log.warn("{} is held for longer than leakDetectionThreshold ({} ms), since {} by {}{}: was it forgotten to be closed?", held.lock().engine(),
                held.options().leakDetectionThreshold().toMillis(), WallClock.iso(held.acquiredAt()), ThreadNames.inWords(held.thread()), LossMessages.purpose(held),
                acquiredHere);
    }

    /** Renews if that is due, and does nothing else: looking after many locks may take longer than a lease. Never throws. */
    void renewInTime(LocalLock lock) {
        Grant held = lock.grant();
        if (held != null && held.isLive() && isRenewalDue(held, lock.clock().nanos()) && lock.engineLock().tryLock()) {
            try {
                if (held.isLive() && held.lost() == null) {
                    renewIfDue(held, held.token(), lock.clock().nanos());
                }
            } catch (RuntimeException | Error e) {
                trouble.warn(lock.engine().toString(), e);
            } finally {
                lock.engineLock().unlock();
            }
        }
    }

    private static boolean isRenewalDue(Grant held, long now) {
        return now - held.hold().renewedAt() >= held.renewEvery() || !held.hold().isRecorded();
    }

    /** Renews also what was revoked: until its grace is over, others must not come in by the other seat. */
    private void renewIfDue(Grant held, long token, long now) {
        if (!isRenewalDue(held, now)) {
            return;
        }
        boolean renewed;
        try {
            renewed = held.lock().engine().renew(held.hold(), holdUntilMillis(held, now));
        } catch (IOException | RuntimeException | Error e) {
            held.renewalTrouble = e;
            trouble.warn(held.lock().engine() + ": its lease could not be renewed", e);
            return;
        }
        held.renewalTrouble = null;
        if (!renewed && !renewLateUnderEngineLock(held)) {
            Revocation.loseToRenewal(held, token, held.clock().nanos());
            held.lock().releaser().endUnderEngineLock(held);
        }
    }

    // ---- leases that ran out while the machine slept ----

    /** {@return whether the lease is over and the engine may still renew it: nothing is lost yet} Memory only, any thread. */
    private static boolean mayRenewLate(Grant held, long now) {
        return held.lock().engine().mayRenewLate() && held.state() == Grant.State.HELD && held.lost() == null && !held.hold().isValid(now);
    }

    /** {@return whether a grant is valid after all, since its lease was over and the engine has just renewed it} For a user, who finds it before the keeper does. */
    boolean renewLate(Grant user) {
        Grant held = user.whole();
        if (!mayRenewLate(held, held.clock().nanos())) {
            return false;
        }
        StackRoom.require();
        held.lock().engineLock().lock();
        try {
            renewLateUnderEngineLock(held);
            return user.isValid(held.clock().nanos()); // also if somebody was faster
        } finally {
            held.lock().engineLock().unlock();
        }
    }

    /** {@return whether the lease was over and has been renewed, or false if there was nothing to renew late} */
    private boolean renewLateUnderEngineLock(Grant held) {
        long now = held.clock().nanos();
        if (!mayRenewLate(held, now)) {
            return false;
        }
        held.slept(now); // first: nobody must find maxHold over once the lease is renewed
        try {
            boolean renewed = held.lock().engine().renewLate(held.hold(), holdUntilMillis(held, now));
            held.renewalTrouble = null;
            return renewed && held.isValid(held.clock().nanos());
        } catch (IOException | RuntimeException | Error e) {
            held.renewalTrouble = e;
            trouble.warn(held.lock().engine() + ": its lease could not be renewed after the machine slept", e);
            return false;
        }
    }

    /** {@return the wall-clock time at which a grant ends unless its user makes progress; negative if never} */
    private static long holdUntilMillis(Grant held, long now) {
        long left = held.holdLeft(now);
        return left == Long.MAX_VALUE ? -1 : held.clock().wallMillis() + Math.max(0, left / 1_000_000);
    }

    private void revokeUnlessIntact(Grant held, boolean deeply) throws IOException {
        long token = held.token(); // before it is judged
        EngineLock.HoldStatus status = held.lock().engine().check(held.hold(), deeply);
        long now = held.clock().nanos();
        if (status != EngineLock.HoldStatus.INTACT && !held.isValid(now)) {
            Revocation.loseToTime(held, token, now); // frozen since the last look: it was a successor that put its record in place of ours
            return;
        }
        if (status == EngineLock.HoldStatus.REMOVED) {
            Revocation.lose(held, Reason.REMOVED_BY_HAND);
        } else if (status == EngineLock.HoldStatus.REQUESTED) {
            Revocation.lose(held, token, Reason.RELEASE_REQUESTED);
        } else if (status == EngineLock.HoldStatus.LOST) {
            Revocation.lose(held, Reason.KERNEL_LOCK_LOST);
        }
    }

    // ---- for a user ----

    /** Looks at the disk and the kernel, for a user who wants to know for certain. */
    void verify(Grant user) throws IOException {
        Grant held = user.whole();
        held.lock().engineLock().lock();
        try {
            if (held.isLive() && held.lost() == null) {
                // The keeper only tries the engine lock. Beside a thread that verifies in a loop it would never get it in time.
                renewIfDue(held, held.token(), held.clock().nanos());
            }
            if (held.isLive() && held.lost() == null) {
                held.lock().engine().lookAfresh();
                revokeUnlessIntact(held, true);
            }
        } finally {
            held.lock().engineLock().unlock();
        }
    }

    // ---- the end of the JVM ----

    /** The JVM ends: whoever holds the lock has lost it. Memory only, and never throws; see {@link #tidyAsTheJvmEnds}. */
    void abandon(LocalLock lock) {
        try {
            Grant held = lock.grant();
            if (held != null && isAbandoned(held)) {
                Revocation.lose(held, Reason.SHUTDOWN);
            }
        } catch (RuntimeException | Error e) {
            trouble.warn(lock.engine() + ": could not be given up in good order as the JVM ends", e);
        }
    }

    private boolean isAbandoned(Grant held) {
        MemoryLock stateLock = held.lock().stateLock();
        stateLock.lock();
        try {
            return held.abandon();
        } finally {
            stateLock.unlock();
        }
    }

    /**
     * The JVM ends: what lingers is given back. The record of what was {@linkplain #abandon abandoned} goes, while its kernel lock stays until the process is
     * gone. Never throws, and never waits for a thread that is stuck in the engine.
     */
    void tidyAsTheJvmEnds(LocalLock lock) {
        boolean mine = false;
        try {
            Grant held = lock.grant();
            if (held == null || held.state() != Grant.State.LINGERING && held.state() != Grant.State.ABANDONED) {
                return;
            }
            mine = lock.engineLock().tryLock() || lock.engineLock().tryLock(ABANDON_PATIENCE_NANOS, TimeUnit.NANOSECONDS);
            if (mine) {
                lock.releaser().endLingering(lock);
                if (held.state() == Grant.State.ABANDONED) {
                    lock.engine().abandon(held.hold());
                }
            }
        } catch (InterruptedException | RuntimeException | Error e) {
            trouble.warn(lock.engine() + ": could not be tidied up as the JVM ends", e);
        } finally {
            if (mine) {
                lock.engineLock().unlock();
            }
        }
    }
}

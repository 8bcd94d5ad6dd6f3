package dev.sessionlock.internal.threads;

import dev.sessionlock.LockLostException;
import dev.sessionlock.LockLostException.Reason;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * How a lock is taken away from its user. A loss is told to each user once. What is judged by one user's token concerns that user alone: with {@code linger} the next
 * one may have the grant already.
 *
 * <p><b>Readers.</b> What becomes of the hold concerns all who share it: they lose it in one step, and then each of them is told. What one reader did, such as to read
 * for longer than its {@code maxHold}, concerns that reader alone.
 */
final class Revocation {

    private Revocation() {
    }

    /**
     * A user found that its grant is not valid.
     *
     * @param token that user's
     * @return why, with the stack of the calling thread; null if it was closed meanwhile, and is another user's
     */
    static @Nullable LockLostException expired(Grant held, long token) {
        if (held.lost() == null) {
            loseToTime(held, token, held.clock().nanos());
        }
        LockLostException lost = held.lost();
        return lost == null ? null : causedBy(new LockLostException(lost.reason(), lost.since(), lost.getMessage()), lost.getCause());
    }

    /** Takes it away from whoever has it here, as if that had come about by itself. Returns whether anybody had it. */
    static boolean loseNow(LocalLock lock, Reason reason) {
        lock.engineLock().lock();
        try {
            Grant held = lock.grant();
            lock.releaser().endLingering(lock);
            boolean had = held != null && held.isLive() && held.lost() == null;
            if (had) {
                lose(held, reason);
                had = held.lost() != null; // else its user has closed it this moment, and it is the next one's
            }
            if (had && isOver(held)) {
                lock.releaser().endUnderEngineLock(held);
            }
            return had;
        } finally {
            lock.engineLock().unlock();
        }
    }

    /** Takes a grant away, whoever has it. */
    static void lose(Grant held, Reason reason) {
        lose(held, held.token(), reason);
    }

    static void lose(Grant held, long token, Reason reason) {
        lose(held, token, reason, LossMessages.of(held, reason));
    }

    /** @param token that of the user who was judged; another may have it by now */
    private static void lose(Grant held, long token, Reason reason, String how) {
        if (held instanceof SharedGrant whole) {
            loseWhole(whole, token, reason, how);
            return;
        }
        LockLostException why;
        List<Handle.Ref> told;
        MemoryLock stateLock = held.lock().stateLock();
        stateLock.lock(); // so that a handle that is being closed is counted either as released or as lost
        try {
            if (held.token() != token && isForOneUser(reason) || held != held.whole() && !held.hasUser()) {
                return; // that user has closed it meanwhile, and it is the next one's
            }
            why = loss(held, reason, how);
            boolean first = held.lose(why);
            if (first && held.isOpen()) {
                HoldRun.lost(held, reason);
            }
            if (!first || held.lingers()) {
                return; // it was lost before, or nobody has it, and nobody is told
            }
            told = held.handles();
        } finally {
            stateLock.unlock();
        }
        tell(held, why, told);
        held.lock().locks().wakeKeeper();
    }

    private static void tell(Grant held, LockLostException why, List<Handle.Ref> told) {
        held.publisher().lost(held, why, told.size());
        for (Handle.Ref ref : told) {
            Handle handle = ref.get();
            if (handle != null) {
                handle.lost(why);
            }
        }
    }

    /** Whom to tell what. */
    private record Told(Grant user, LockLostException why, List<Handle.Ref> handles) {
    }

    /** All readers lose it in one step, so that each handle counts either as released or as lost. What needs memory comes first: without it, nothing has changed. */
    private static void loseWhole(SharedGrant whole, long token, Reason reason, String how) {
        List<Told> told = new ArrayList<>();
        MemoryLock stateLock = whole.lock().stateLock();
        stateLock.lock();
        try {
            if (whole.lost() != null || whole.token() != token && isForOneUser(reason)) {
                return;
            }
            for (ReaderGrant reader = whole.first(); reader != null; reader = reader.next()) {
                if (reader.lost() == null) {
                    told.add(new Told(reader, loss(reader, reason, how), reader.handles()));
                }
            }
            whole.lose(loss(whole, reason, how));
            for (Told each : told) {
                each.user().lose(each.why());
                HoldRun.lost(each.user(), reason);
            }
        } finally {
            stateLock.unlock();
        }
        for (Told each : told) {
            tell(each.user(), each.why(), each.handles());
        }
        whole.lock().locks().wakeKeeper();
    }

    private static LockLostException loss(Grant held, Reason reason, String how) {
        return causedBy(new LockLostException(reason, held.clock().instant(), LossMessages.message(held, how)), held.acquiredHere());
    }

    /** {@return whether what is judged is what one user did, and not what became of the lock itself} */
    private static boolean isForOneUser(Reason reason) {
        return reason == Reason.MAX_HOLD || reason == Reason.RELEASE_REQUESTED;
    }

    static void loseToTime(Grant held, long token, long now) {
        Reason reason = held.expiry(now);
        lose(reason == Reason.LEASE_EXPIRED ? held.whole() : held, token, reason);
    }

    /** A renewal came too late, or found that somebody else has had our bytes. */
    static void loseToRenewal(Grant held, long token, long now) {
        if (held.isValid(now)) {
            lose(held, token, Reason.KERNEL_LOCK_LOST, "the kernel had lost its lock, and another process has had it since");
        } else {
            loseToTime(held, token, now);
        }
    }

    private static LockLostException causedBy(LockLostException lost, @Nullable Throwable cause) {
        if (cause != null) {
            lost.initCause(cause);
        }
        return lost;
    }

    /** {@return whether a lost grant has no grace left} */
    static boolean isOver(Grant lost) {
        Reason reason = lost.lost().reason();
        boolean noGrace = reason == Reason.LEASE_EXPIRED || reason == Reason.KERNEL_LOCK_LOST;
        return noGrace || lost.state() == Grant.State.LINGERING || lost.graceLeft(lost.clock().nanos()) <= 0;
    }
}

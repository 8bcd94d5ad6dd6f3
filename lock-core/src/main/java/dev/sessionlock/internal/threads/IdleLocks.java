package dev.sessionlock.internal.threads;

import dev.sessionlock.LockMode;
import dev.sessionlock.LockOptions;
import dev.sessionlock.spi.Clock;
import java.nio.file.Path;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.ReentrantLock;
import org.jspecify.annotations.Nullable;

/**
 * The locks of this JVM that linger: nobody has them, and they were not given back yet. A user who asks on the same terms gets such a lock in memory alone; the
 * keeper's idle checks find those that have lingered for long enough, or that another process wants.
 *
 * <p>A grant that lingers is nobody's. It leaves that state under the state lock, by {@link Grant#reuse} or {@link Grant#beginEnding}, whichever comes first.
 */
final class IdleLocks {
    /** The keeper checks a lock that lingers this often, and less often one that nobody has used for a while. */
    private static final long CHECK_NANOS = TimeUnit.MILLISECONDS.toNanos(1);
    private static final long LONGEST_CHECK_NANOS = 10 * CHECK_NANOS;
    /** The pause between two checks grows to one part in this many of the time that the lock has been idle. */
    private static final int IDLE_SHARE = 8;
    /** The keeper spends one part in this many of its time on idle checks. */
    private static final int KEEPERS_SHARE = 50;
    /** The check of one lock takes no longer than this. One that seems to take longer was interrupted, most likely by others who need the processor. */
    private static final long CHECK_COST_NANOS = TimeUnit.MICROSECONDS.toNanos(2);

    private final LocalLocks locks;
    private final Clock clock;
    /** The locks that linger now and then, by the names by which their users ask for them. */
    private final Map<Path, LocalLock> byTarget = new ConcurrentHashMap<>();
    /** Those that the keeper checks. */
    private final Set<LocalLock> checked = ConcurrentHashMap.newKeySet();

    IdleLocks(LocalLocks locks, Clock clock) {
        this.locks = locks;
        this.clock = clock;
    }

    // ---- reuse ----

    /**
     * Remembers by what name a lock was asked for. Only if the name leads to the lock by no symbolic link: a link may be pointed elsewhere.
     */
    void remember(Path target, Handle handle) {
        if (target.toAbsolutePath().equals(handle.target())) {
            byTarget.put(target, handle.lock());
        }
    }

    /** {@return the lock that was last asked for by that name, if it may linger} */
    @Nullable LocalLock find(Path target) {
        return byTarget.get(target);
    }

    void forgetRetired() {
        byTarget.values().removeIf(LocalLock::isRetired);
    }

    /**
     * Takes a lock that lingers on exactly these terms, or joins others that read it; memory only.
     *
     * @param owner the thread that it will belong to; null for an asynchronous acquisition
     * @return null if the lock must be acquired in the ordinary way
     */
    @Nullable Handle tryReuse(LocalLock lock, EventPublisher publisher, LockOptions options, @Nullable Thread owner) {
        if (options.mode() == LockMode.SHARED) {
            return Joining.tryJoin(lock, publisher, options, owner);
        }
        Grant idle;
        Handle handle;
        LockEvents.Timed asked = LockEvents.asked();
        MemoryLock stateLock = lock.stateLock();
        stateLock.lock();
        try {
            idle = lock.current();
            if (idle == null || !idle.lingers() || idle.publisher() != publisher || !idle.options().equals(options)) {
                return null;
            }
            if (!lock.queue().isEmpty() && !lock.queue().mayBeOvertaken(System.nanoTime())) {
                return null; // the next in the queue has waited for long enough
            }
            handle = idle.reuse(owner, locks.forgotten());
        } finally {
            stateLock.unlock();
        }
        if (handle != null) {
            publisher.acquired(idle, 0);
            LockEvents.acquired(asked, lock, handle.token(), idle.acquiredNanos());
            locks.scheduleWithin(idle.withinNanos());
        }
        return handle;
    }

    // ---- the keeper's idle checks ----

    /** From now on the keeper checks a lock, for as long as something lingers there now and then. */
    void startChecks(LocalLock lock) {
        checked.add(lock);
    }

    /**
     * Checks all that lingers, in memory only, and has the keeper give back what is due.
     *
     * @return in how many nanoseconds it should be done again; {@link Long#MAX_VALUE} if nothing lingers
     */
    long check(Keeper keeper) {
        if (checked.isEmpty()) {
            return Long.MAX_VALUE;
        }
        long start = clock.nanos();
        long pause = Long.MAX_VALUE;
        int looks = 0;
        for (LocalLock lock : checked) {
            looks++;
            long within = check(lock, start);
            if (within == 0) {
                keeper.giveBack(lock);
            }
            pause = Math.min(pause, Math.max(within, CHECK_NANOS));
        }
        long spent = clock.nanos() - start;
        return Math.max(pause, Math.min(spent, looks * CHECK_COST_NANOS) * KEEPERS_SHARE); // thousands of them must not cost a core
    }

    /**
     * {@return in how many nanoseconds the lock should be checked again; 0 if it is {@linkplain #endIfIdle to be given back}, since it has lingered for long enough
     * or another process wants it; {@link Long#MAX_VALUE} if nothing lingers there any more}
     */
    private long check(LocalLock lock, long now) {
        MemoryLock stateLock = lock.stateLock();
        if (!stateLock.tryLock()) {
            return LONGEST_CHECK_NANOS; // its disk does not answer
        }
        try {
            Grant idle = lock.current();
            if (idle == null || !idle.isIdleCheckRequested(now)) {
                checked.remove(lock);
                return Long.MAX_VALUE;
            }
            boolean due = idle.lingers() && (idle.hasLingered(now) || idle.publisher().isClosed() || Releaser.isWanted(idle));
            return due ? 0 : Math.max(CHECK_NANOS, Math.min(idle.idleNanos(now) / IDLE_SHARE, LONGEST_CHECK_NANOS));
        } finally {
            stateLock.unlock();
        }
    }

    // ---- the end of lingering; on a worker ----

    /** Gives back what lingers there, if that is due. */
    void endIfDue(LocalLock lock) {
        if (check(lock, clock.nanos()) == 0) {
            endIfIdle(lock);
        }
    }

    /** Gives back what lingers there, unless somebody is using the engine for it. */
    static void endIfIdle(LocalLock lock) {
        ReentrantLock engineLock = lock.engineLock();
        if (engineLock.tryLock()) {
            try {
                lock.releaser().endLingering(lock);
            } finally {
                engineLock.unlock();
            }
        }
    }
}

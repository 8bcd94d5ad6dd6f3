package dev.sessionlock.internal.threads;

import dev.sessionlock.internal.system.Loggers;
import dev.sessionlock.internal.system.RareLog;
import dev.sessionlock.spi.Maintainable;
import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Set;
import java.util.concurrent.TimeUnit;

/**
 * What the keeper wants to have done for one part of the engine, and what may block. The keeper puts it together; then a worker carries it out, once.
 */
final class MaintenanceRound {
    private static final RareLog trouble = new RareLog(Loggers.LIBRARY, "locks could not be looked after, and are looked at again");
    /** How often leases are renewed while a round lasts: well below a third of the shortest lease. */
    private static final long RENEW_MEANWHILE_NANOS = TimeUnit.MILLISECONDS.toNanos(100);

    private final Keeper keeper;
    private final Maintainable part;
    private final Set<LocalLock> lingering = new LinkedHashSet<>();
    private boolean looks;
    private boolean deeply;
    private boolean sweeps;
    private boolean closesAll;
    private List<LocalLock> locks = new ArrayList<>();
    /** The locks of a later round, which has to wait for this one. */
    private volatile List<LocalLock> renewedMeanwhile = List.of();

    MaintenanceRound(Keeper keeper, Maintainable part) {
        this.keeper = keeper;
        this.part = part;
    }

    Maintainable part() {
        return part;
    }

    // ---- what is to be done ----

    /**
     * Everything that is done at a tick.
     *
     * @param deep whether also what the kernel says is looked at
     * @param sweep whether litter is swept
     * @param closeAll whether all is closed that is not in use, without waiting until it has been idle for a while
     */
    void inspect(boolean deep, boolean sweep, boolean closeAll) {
        looks = true;
        deeply = deep;
        sweeps = sweep;
        closesAll = closeAll;
    }

    /** Looks after a lock. */
    void maintain(LocalLock lock) {
        locks.add(lock);
    }

    /** Gives back what lingers there. */
    void giveBack(LocalLock lock) {
        lingering.add(lock);
    }

    /** Takes in a later round, which is not carried out by itself then. */
    void add(MaintenanceRound later) {
        lingering.addAll(later.lingering);
        if (later.looks) {
            looks = true;
            deeply |= later.deeply;
            sweeps |= later.sweeps;
            closesAll = later.closesAll;
            locks = later.locks;
        }
    }

    /** While this round lasts, it renews the leases of a later round's locks in time. */
    void renewsMeanwhile(MaintenanceRound later) {
        if (later.looks) {
            renewedMeanwhile = List.copyOf(later.locks);
        }
    }

    // ---- doing it; nothing that fails here keeps it from the rest ----

    void run() {
        for (LocalLock lock : lingering) {
            endLingering(lock);
        }
        if (!looks) {
            return;
        }
        if (deeply) {
            verify();
        }
        long renewedAt = System.nanoTime();
        for (LocalLock lock : locks) {
            lock.supervisor().maintain(lock, deeply);
            if (System.nanoTime() - renewedAt >= RENEW_MEANWHILE_NANOS) { // the search for lost bytes takes long, and disks may be slow
                locks.forEach(each -> each.supervisor().renewInTime(each));
                renewedMeanwhile.forEach(each -> each.supervisor().renewInTime(each));
                renewedAt = System.nanoTime();
            }
        }
        record();
        if (sweeps) {
            sweep();
        }
        closeIdle();
    }

    /** Writes what happened and who waits, also of locks that are in use again and again. */
    private void record() {
        try {
            for (LocalLock lock : locks) {
                HoldRun.write(lock);
                WaitingThreads.show(lock);
            }
            part.record(false);
        } catch (RuntimeException | Error e) {
            trouble.error(e);
        }
    }

    private static void endLingering(LocalLock lock) {
        try {
            IdleLocks.endIfIdle(lock);
        } catch (RuntimeException | Error e) {
            trouble.error(e);
        }
    }

    private void verify() {
        try {
            part.verify();
        } catch (RuntimeException | Error e) {
            trouble.error(e);
        }
    }

    private void sweep() {
        try {
            part.sweep();
        } catch (RuntimeException | Error e) {
            trouble.error(e);
        }
    }

    private void closeIdle() {
        try {
            keeper.closeIdle(part, locks, closesAll);
        } catch (RuntimeException | Error e) {
            trouble.error(e);
        }
    }
}

package dev.sessionlock.testkit;

import dev.sessionlock.LockException;
import dev.sessionlock.LockMode;
import dev.sessionlock.LockOwner;
import dev.sessionlock.LockReport;
import dev.sessionlock.LockReport.Facts;
import dev.sessionlock.LockReport.Lease;
import dev.sessionlock.LockReport.ProcessState;
import dev.sessionlock.LockReport.State;
import dev.sessionlock.spi.AcquireResult;
import dev.sessionlock.spi.Busy;
import dev.sessionlock.spi.EngineLock;
import dev.sessionlock.spi.Hold;
import dev.sessionlock.spi.Terms;
import dev.sessionlock.testkit.MemoryMachine.ForeignOwner;
import dev.sessionlock.testkit.MemoryMachine.Slot;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.util.concurrent.TimeUnit;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;

/**
 * One lock in memory, as one process sees it. Nothing can fail half-way here: every step is one access to the slot under the machine's mutex. A lock
 * becomes free by the same events as on a disk: its release, the death of its process, the end of its lease and grace.
 */
final class MemoryEngine implements EngineLock {
    private static final long LOOK_AGAIN_NANOS = TimeUnit.MILLISECONDS.toNanos(20);

    private final MemoryProcess process;
    private final MemoryMachine machine;
    private final Path target;

    MemoryEngine(MemoryProcess process, Path target) {
        this.process = process;
        this.machine = process.machine;
        this.target = target;
    }

    private <T> T at(Function<Slot, T> step) {
        machine.mutex.lock();
        try {
            return step.apply(machine.slot(target));
        } finally {
            machine.mutex.unlock();
        }
    }

    @Override
    public String name() {
        return target.getFileName().toString();
    }

    @Override
    public Path target() {
        return target;
    }

    @Override
    public @Nullable Path lockFile() {
        return null;
    }

    // ---- taking ----

    @Override
    public AcquireResult take(Terms terms) throws LockException {
        AcquireResult taken = at(slot -> {
            if (process.isDead()) {
                throw new IllegalStateException("the process " + process.pid + " has ended while this thread waited in it");
            } else if (process.isFrozen()) {
                return new Busy(Busy.NOTHING, process.clock().nanos() + LOOK_AGAIN_NANOS, "this process is frozen");
            }
            Object found = judge(slot, terms);
            return found instanceof Busy busy ? busy : enter(slot, terms, (String) found);
        });
        if (taken == null) {
            throw new LockException("cannot lock " + name() + ": its fencing tokens are used up: the last one is " + Long.MAX_VALUE
                    + ", the greatest that there is. Go on with new InMemoryLocks, and fences that remember no token");
        }
        return taken;
    }

    /** {@return a {@link Busy} if the lock is taken; otherwise why the former holder does not count any more, null if there was none} */
    private @Nullable Object judge(Slot slot, Terms terms) {
        ForeignOwner foreign = slot.foreign;
        MemoryHold holder = slot.holder;
        long now = machine.clock.nanos();
        if (foreign != null) {
            boolean gone = foreign.dead && terms.takeForeign();
            return gone ? "another program's lock: " + liveness(foreign)
                    : new Busy(Busy.NOTHING, now + LOOK_AGAIN_NANOS, "another program's lock: " + liveness(foreign));
        } else if (holder == null) {
            return null;
        } else if (holder.process.isDead()) {
            return "pid " + holder.process.pid + " does not exist";
        } else if (now >= holder.expiry) {
            return "its holder is frozen past its lease";
        }
        return new Busy(0, holder.expiry == Hold.NEVER ? Long.MAX_VALUE : holder.expiry, "another process holds it");
    }

    /** {@return null if there is no token left} */
    private @Nullable Hold enter(Slot slot, Terms terms, @Nullable String reclaimed) {
        if (slot.lastToken == Long.MAX_VALUE) {
            return null;
        }
        slot.foreign = null;
        slot.waiterMarks.remove(process);
        slot.holder = new MemoryHold(process, terms, drawToken(slot), process.clock().nanos(), process.clock().wallMillis(), reclaimed);
        return slot.holder;
    }

    private long drawToken(Slot slot) {
        slot.lastToken = Math.max(machine.clock.wallMicros(), slot.lastToken + 1);
        return slot.lastToken;
    }

    // ---- holding ----

    /** Whether the hold still has the lock, and its process runs and can renew it. */
    private boolean canGoOn(Slot slot, Hold hold) {
        return slot.holder == hold && !process.isDead() && process.clock().nanos() < hold.deadline();
    }

    @Override
    public @Nullable Hold handOver(Hold from, Terms terms) {
        return at(slot -> canGoOn(slot, from) && !process.isFrozen() ? enter(slot, terms, null) : null);
    }

    @Override
    public boolean renew(Hold hold, long holdUntilMillis) {
        return at(slot -> {
            if (!canGoOn(slot, hold)) {
                return false;
            }
            if (!process.isFrozen()) { // a frozen process is in the middle of renewing, and its clock stands still
                slot.holder.renew(process.clock().nanos());
                slot.holder.holdUntilMillis = holdUntilMillis;
            }
            return true;
        });
    }

    @Override
    public HoldStatus check(Hold hold, boolean deeply) {
        return at(slot -> {
            if (slot.holder != hold || process.isDead()) {
                return HoldStatus.LOST;
            }
            return !process.isFrozen() && slot.releaseRequests.remove(hold.token()) ? HoldStatus.REQUESTED : HoldStatus.INTACT;
        });
    }

    // ---- giving back ----

    @Override
    public void release(Hold hold) {
        at(slot -> {
            if (slot.holder == hold && !process.isDead()) {
                slot.holder = null;
                machine.changed.signalAll();
            }
            return null;
        });
    }

    @Override
    public void abandon(Hold hold) {
        // The end of the process frees it.
    }

    @Override
    public boolean tidy() {
        return true;
    }

    // ---- clearing ----

    @Override
    public Cleared clear(boolean takeForeign) {
        return at(slot -> {
            boolean deadForeign = slot.foreign != null && slot.foreign.dead && takeForeign;
            boolean deadHolder = slot.holder != null && slot.holder.process.isDead();
            if (slot.foreign == null && slot.holder == null) {
                return new Cleared(ClearOutcome.NOTHING, "nothing lies there any more");
            } else if (!deadForeign && !deadHolder) {
                return new Cleared(ClearOutcome.KEPT, "its owner is not dead");
            }
            String why = deadForeign ? liveness(slot.foreign) : liveness(slot.holder.process);
            slot.foreign = deadForeign ? null : slot.foreign;
            slot.holder = deadHolder ? null : slot.holder;
            machine.changed.signalAll();
            return new Cleared(ClearOutcome.REMOVED, why);
        });
    }

    @Override
    public void askForRelease(long token) {
        at(slot -> slot.releaseRequests.add(token));
    }

    @Override
    public boolean withdrawAsking(long token) {
        return at(slot -> slot.releaseRequests.remove(token));
    }

    // ---- waiting ----

    @Override
    public void setWaiterMark(LockMode mode, boolean waits) {
        if (waits) {
            at(slot -> slot.waiterMarks.put(process, System.nanoTime()));
        }
    }

    @Override
    public boolean othersWait(Hold hold, long nanos) {
        long now = System.nanoTime();
        return at(slot -> slot.waiterMarks.entrySet().stream().anyMatch(mark -> mark.getKey() != process && now - mark.getValue() < nanos));
    }

    /** Only waits: the woken thread then takes the lock itself. */
    @Override
    public void awaitKernel(int what) {
        machine.mutex.lock();
        try {
            Slot slot = machine.slot(target);
            while (slot.holder != null && !slot.holder.process.isDead() && !process.isDead()) {
                machine.changed.awaitUninterruptibly();
            }
        } finally {
            machine.mutex.unlock();
        }
    }

    @Override
    public void acceptAwaited(int what) {
        // Nothing was taken.
    }

    @Override
    public void declineAwaited(int what) {
        // Nothing was taken.
    }

    @Override
    public void declineAllAwaited() {
        // Nothing was taken.
    }

    // ---- looking ----

    @Override
    public LockReport inspect() {
        return at(slot -> slot.foreign != null ? foreign(slot.foreign) : slot.holder != null ? ours(slot.holder)
                : new LockReport(name(), null, State.FREE, null, new Facts(ProcessState.UNKNOWN, false, null)));
    }

    private LockReport foreign(ForeignOwner foreign) {
        LockOwner owner = new LockOwner(foreign.pid, null, null, Instant.ofEpochMilli(foreign.sinceMillis), null, null, null, null);
        return new LockReport(name(), null, State.FOREIGN, owner, seen(foreign.dead ? ProcessState.DEAD : ProcessState.ALIVE, owner));
    }

    private LockReport ours(MemoryHold holder) {
        Terms terms = holder.terms();
        long left = holder.expiry - machine.clock.nanos();
        boolean dead = holder.process.isDead();
        State state = dead ? State.STALE : left <= 0 ? State.EXPIRED : State.HELD;
        Instant leaseUntil = terms.takeover() ? machine.clock.instant().plusNanos(left - terms.graceNanos()) : null;
        LockOwner owner = new LockOwner(holder.process.pid, null, null, Instant.ofEpochMilli(holder.sinceMillis), terms.thread(),
                terms.purpose(), holder.token(), leaseUntil);
        ProcessState process = dead ? ProcessState.DEAD : holder.process.isFrozen() ? ProcessState.STOPPED : ProcessState.ALIVE;
        return new LockReport(name(), null, state, owner, seen(process, owner).withProof(liveness(holder.process)).withLease(lease(holder, left)));
    }

    private Facts seen(ProcessState process, LockOwner owner) {
        return new Facts(process, false, owner.since()).withSeenAt(machine.clock.instant());
    }

    private Lease lease(MemoryHold holder, long left) {
        Instant end = holder.holdUntilMillis < 0 ? null : Instant.ofEpochMilli(holder.holdUntilMillis);
        return holder.terms().takeover()
                ? new Lease(Duration.ofNanos(machine.clock.nanos() - holder.renewedAt()), Duration.ofNanos(left - holder.terms().graceNanos()), true, end)
                : new Lease(null, null, false, end);
    }

    private static String liveness(MemoryProcess process) {
        return "pid " + process.pid + (process.isDead() ? " does not exist"
                : process.isFrozen() ? " is stopped (frozen by the test)" : " runs");
    }

    private static String liveness(ForeignOwner foreign) {
        return "pid " + foreign.pid + (foreign.dead ? " does not exist" : " runs");
    }

    /** {@return the path, for the log} */
    @Override
    public String toString() {
        return target + " in the memory of process " + process.pid;
    }
}

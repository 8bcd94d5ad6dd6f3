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
import dev.sessionlock.testkit.MemoryMachine.WaiterMark;
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
    /** What can be waited for: that nobody holds it, or that nobody holds it exclusively. */
    private static final int ANY_HOLDER = 0;
    private static final int EXCLUSIVE_HOLDER = 1;
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
        long now = machine.clock.nanos();
        if (foreign != null) {
            boolean gone = foreign.dead && terms.takeForeign();
            return gone ? "another program's lock: " + liveness(foreign)
                    : new Busy(Busy.NOTHING, now + LOOK_AGAIN_NANOS, "another program's lock: " + liveness(foreign));
        }
        long free = now;
        String over = null;
        boolean shared = false;
        for (MemoryHold holder : slot.holders) {
            if (holder.isOver(now)) {
                over = holder.whyOver();
            } else if (terms.shared() && holder.terms().shared()) {
                shared = true;
            } else {
                free = Math.max(free, holder.expiry == Hold.NEVER ? Long.MAX_VALUE : holder.expiry);
            }
        }
        if (free > now) {
            return new Busy(terms.shared() ? EXCLUSIVE_HOLDER : ANY_HOLDER, free, "another process holds it");
        } else if (shared && slot.isWaitedFor(LockMode.SHARED, process, WAITER_MARK_NANOS)) {
            return new Busy(Busy.NOTHING, now + LOOK_AGAIN_NANOS, "others read it, and another process waits to hold it exclusively");
        }
        return over;
    }

    /** {@return null if there is no token left} */
    private @Nullable Hold enter(Slot slot, Terms terms, @Nullable String reclaimed) {
        if (slot.lastToken == Long.MAX_VALUE) {
            return null;
        }
        slot.foreign = null;
        slot.waiterMarks.remove(process);
        slot.holders.removeIf(former -> former.isOver(machine.clock.nanos()));
        long token = terms.shared() && slot.lastToken > 0 ? slot.lastToken : drawToken(slot);
        MemoryHold fresh = new MemoryHold(process, terms, token, process.clock().nanos(), process.clock().wallMillis(), reclaimed);
        slot.holders.add(fresh);
        return fresh;
    }

    private long drawToken(Slot slot) {
        slot.lastToken = Math.max(machine.clock.wallMicros(), slot.lastToken + 1);
        return slot.lastToken;
    }

    // ---- holding ----

    /** Whether the hold still has the lock, and its process runs and can renew it. */
    private boolean canGoOn(Slot slot, Hold hold) {
        return slot.holders.contains(hold) && !process.isDead() && process.clock().nanos() < hold.deadline();
    }

    @Override
    public @Nullable Hold handOver(Hold from, Terms terms) {
        return at(slot -> {
            boolean exclusive = !from.terms().shared() && !terms.shared();
            if (!exclusive || slot.lastToken == Long.MAX_VALUE || !canGoOn(slot, from) || process.isFrozen()) {
                return null;
            }
            slot.holders.remove(from);
            return enter(slot, terms, null);
        });
    }

    @Override
    public boolean mayShare(Hold hold) {
        return at(slot -> canGoOn(slot, hold) && !process.isFrozen() && !slot.isWaitedFor(LockMode.SHARED, process, WAITER_MARK_NANOS));
    }

    @Override
    public boolean renew(Hold hold, long holdUntilMillis) {
        return at(slot -> {
            if (!canGoOn(slot, hold)) {
                return false;
            }
            if (!process.isFrozen()) { // a frozen process is in the middle of renewing, and its clock stands still
                ((MemoryHold) hold).renew(process.clock().nanos());
                ((MemoryHold) hold).holdUntilMillis = holdUntilMillis;
            }
            return true;
        });
    }

    @Override
    public HoldStatus check(Hold hold, boolean deeply) {
        return at(slot -> {
            if (!slot.holders.contains(hold) || process.isDead()) {
                return HoldStatus.LOST;
            }
            boolean asked = !process.isFrozen() && ((MemoryHold) hold).releaseRequested;
            ((MemoryHold) hold).releaseRequested &= !asked;
            return asked ? HoldStatus.REQUESTED : HoldStatus.INTACT;
        });
    }

    // ---- giving back ----

    @Override
    public void release(Hold hold) {
        at(slot -> {
            if (!process.isDead() && slot.holders.remove(hold)) {
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
            MemoryHold dead = slot.holders.stream().filter(holder -> holder.process.isDead()).findFirst().orElse(null);
            if (slot.foreign == null && slot.holders.isEmpty()) {
                return new Cleared(ClearOutcome.NOTHING, "nothing lies there any more");
            } else if (!deadForeign && dead == null) {
                return new Cleared(ClearOutcome.KEPT, "its owner is not dead");
            }
            String why = deadForeign ? liveness(slot.foreign) : liveness(dead.process);
            slot.foreign = deadForeign ? null : slot.foreign;
            slot.holders.removeIf(holder -> holder.process.isDead());
            machine.changed.signalAll();
            return new Cleared(ClearOutcome.REMOVED, why);
        });
    }

    @Override
    public void askForRelease(long token) {
        at(slot -> change(slot, token, true));
    }

    @Override
    public boolean withdrawAsking(long token) {
        return at(slot -> change(slot, token, false));
    }

    /** {@return whether any holder of that token was not asked and is now, or the reverse} */
    private static boolean change(Slot slot, long token, boolean asked) {
        boolean any = false;
        for (MemoryHold holder : slot.holders) {
            any |= holder.token() == token && holder.releaseRequested != asked;
            holder.releaseRequested = holder.token() == token ? asked : holder.releaseRequested;
        }
        return any;
    }

    // ---- waiting ----

    @Override
    public void setWaiterMark(LockMode mode, boolean waits) {
        if (waits) {
            at(slot -> slot.waiterMarks.put(process, new WaiterMark(System.nanoTime(), mode)));
        }
    }

    @Override
    public boolean othersWait(Hold hold, long nanos) {
        return at(slot -> slot.isWaitedFor(hold.terms().mode(), process, nanos));
    }

    /** Only waits: the woken thread then takes the lock itself. */
    @Override
    public void awaitKernel(int what) {
        machine.mutex.lock();
        try {
            Slot slot = machine.slot(target);
            while (!process.isDead() && slot.holders.stream().anyMatch(holder -> !holder.process.isDead() && (what == ANY_HOLDER || !holder.terms().shared()))) {
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
        return at(slot -> slot.foreign != null ? foreign(slot.foreign) : !slot.holders.isEmpty() ? ours(shown(slot))
                : new LockReport(name(), null, State.FREE, null, new Facts(ProcessState.UNKNOWN, false, null)));
    }

    /** {@return the holder that keeps others out, or else the first one} */
    private MemoryHold shown(Slot slot) {
        long now = machine.clock.nanos();
        return slot.holders.stream().filter(holder -> !holder.isOver(now)).findFirst().orElse(slot.holders.get(0));
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

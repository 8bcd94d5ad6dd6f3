package dev.sessionlock.internal.threads;

import com.google.errorprone.annotations.concurrent.GuardedBy;
import dev.sessionlock.LockLostException.Reason;
import dev.sessionlock.internal.system.Loggers;
import dev.sessionlock.internal.system.RareLog;
import dev.sessionlock.spi.Clock;
import dev.sessionlock.spi.EngineLock;
import dev.sessionlock.spi.Maintainable;
import java.io.IOException;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;
import java.util.concurrent.locks.ReentrantLock;
import org.jspecify.annotations.Nullable;

/**
 * One lock, in this JVM: who has it, who waits for it, and what the engine has given for it. It holds the state; the work is done by its parts:
 *
 * <ul>
 *   <li>{@link Acquirer}: a first try, then a place in the {@link WaitQueue}, whose head alone deals with the engine; {@link Backoff} says when it tries again,
 *       {@link KernelWaiter} blocks in {@code fcntl} on its behalf, {@link FairnessPolicy} says whether it is another process's time slice;
 *   <li>{@link Releaser}: what the close of a handle comes to: the lock lingers ({@link IdleLocks}), is handed over, or is given back;
 *   <li>{@link LeaseSupervisor}: what the keeper does: renewing, noticing losses, taking the lock away, finishing what was broken off;
 *   <li>{@link OwnedHold}: what the engine has given, and must get back whatever is thrown.
 * </ul>
 *
 * <p>A process may hold thousands of locks, so the parts that keep nothing are not here once more for each: an {@link Acquirer} is made for one call, and all
 * locks of a registry have one {@link Releaser} and one {@link LeaseSupervisor}. These two make nothing where a lock is given back, renewed or lost.
 *
 * <p>Two locks guard all of that, in the order that the package comment states. The <em>engine lock</em> is held by whoever calls the engine, so that taking,
 * renewing, revoking and giving back exclude each other. The <em>state lock</em> guards the queue and the current grant, in memory only.
 */
final class LocalLock implements KernelWaiter.Host {
    /** Loaded while there is memory: a class whose first use finds none is unusable for good, and these are used where a lock is given back. */
    @SuppressWarnings("unused")
    private static final List<Object> LOADED = List.of(Releaser.CloseResult.LAST, Grant.State.HELD, EngineLock.HoldStatus.INTACT, Reason.LEAKED, Backoff.class);

    private final LocalLocks locks;
    private final EngineLock engine;
    private final LocalLocks.LockKey key;
    /** Somebody in this JVM has waited for it: this may happen again, and then a lock that a user has closed goes to the next one in memory. */
    private volatile boolean contended;
    /** Somebody has looked whether what is there can be locked, and it can. */
    private volatile boolean lockable;

    private final ReentrantLock engineLock = new ReentrantLock();
    private final MemoryLock stateLock = new MemoryLock();

    private final WaitQueue queue = new WaitQueue();
    /** Who has the lock, or had it last while it lingers or ends; null if it is free. Set under the engine lock, too. */
    @GuardedBy("stateLock")
    private @Nullable Grant grant;
    /** How many threads are using this object: it is not retired meanwhile. */
    @GuardedBy("stateLock")
    private int users;
    /** It takes no more users, and another object takes its place. */
    @GuardedBy("stateLock")
    private boolean retired;
    @GuardedBy("stateLock")
    private long usedAt = System.nanoTime();
    /** Null until somebody has waited in vain. One for each lock: that of one lock must not hide that of another. */
    @GuardedBy("stateLock")
    private @Nullable RareLog timeouts;

    private final OwnedHold owned;
    private final FairnessPolicy fairness = new FairnessPolicy(System.nanoTime());
    /** Null until the head of the queue first wanted to wait in the kernel. */
    @GuardedBy("stateLock")
    private @Nullable KernelWaiter kernelWaiter;

    /** @param key under which it is known; its namespace is pinned for as long as this object is known */
    LocalLock(LocalLocks locks, EngineLock engine, LocalLocks.LockKey key) {
        this.locks = locks;
        this.engine = engine;
        this.key = key;
        this.owned = new OwnedHold(engine);
    }

    LocalLocks locks() {
        return locks;
    }

    /** {@return under which it is known} */
    LocalLocks.LockKey key() {
        return key;
    }

    /** {@return what it is looked after together with} */
    Maintainable part() {
        return key.namespace() instanceof Maintainable part ? part : locks.engine();
    }

    EngineLock engine() {
        return engine;
    }

    Clock clock() {
        return locks.clock();
    }

    /** {@return for how long since a moment} */
    Duration since(long nanos) {
        return Duration.ofNanos(clock().nanos() - nanos);
    }

    /** {@return what was to be locked, as its user wrote it} */
    String shown(AcquireRequest request) {
        return request.shown() + (engine.target() == null ? "" : ".lock");
    }

    // ---- its parts ----

    /** {@return the lock that is held by whoever calls the engine; see the package comment} */
    ReentrantLock engineLock() {
        return engineLock;
    }

    /** {@return the lock that guards what is in memory only; see the package comment} */
    MemoryLock stateLock() {
        return stateLock;
    }

    WaitQueue queue() {
        return queue;
    }

    FairnessPolicy fairness() {
        return fairness;
    }

    OwnedHold owned() {
        return owned;
    }

    KernelWaiter kernelWaiter() {
        stateLock.lock();
        try {
            kernelWaiter = kernelWaiter == null ? new KernelWaiter(engine, engineLock, stateLock, this) : kernelWaiter;
            return kernelWaiter;
        } finally {
            stateLock.unlock();
        }
    }

    Acquirer acquirer() {
        return new Acquirer(this);
    }

    Releaser releaser() {
        return locks.releaser();
    }

    LeaseSupervisor supervisor() {
        return locks.supervisor();
    }

    // ---- its users ----

    /** Counts a thread in, for which this object stays. Returns false if it has been retired: then another takes its place. */
    boolean addUser() {
        stateLock.lock();
        try {
            if (!retired) {
                users++;
            }
            return !retired;
        } finally {
            stateLock.unlock();
        }
    }

    /** Takes back one {@link #addUser}. */
    void removeUser() {
        stateLock.lock();
        try {
            users--;
            usedAt = System.nanoTime();
        } finally {
            stateLock.unlock();
        }
    }

    /** Looks, before the lock is first taken, whether there is something that cannot be locked. */
    void requireLockable() throws IOException {
        if (!lockable) {
            key.namespace().requireLockable(engine.name());
            lockable = true;
        }
    }

    /** {@return whether it takes no more users} */
    boolean isRetired() {
        stateLock.lock();
        try {
            return retired;
        } finally {
            stateLock.unlock();
        }
    }

    /** {@return whether this object has not been used for a while and takes no more users} */
    boolean retire(long idleNanos) {
        stateLock.lock();
        try {
            boolean used = users > 0 || grant != null || owned.isPresent() || kernelWaiter != null && kernelWaiter.isWaiting();
            if (!retired && !used && !owned.isUntidy() && System.nanoTime() - usedAt >= idleNanos) {
                retired = true;
            }
            return retired;
        } finally {
            stateLock.unlock();
        }
    }

    // ---- the current grant ----

    /** Under the state lock. Returns who has it, or had it last while it lingers or ends; null if it is free. */
    @Nullable Grant current() {
        return grant;
    }

    /** Under the state lock. Returns the grant of which the calling thread has an open handle; null if it has none. */
    @Nullable Grant currentOfThisThread() {
        return grant == null ? null : grant.ofThread(Thread.currentThread());
    }

    /** Under the state lock. Returns whether nobody here has it. */
    boolean isFree() {
        return grant == null || grant.lingers();
    }

    /** {@return whether somebody here has it, or waits for it} */
    boolean isClaimed() {
        stateLock.lock();
        try {
            return !isFree() || !queue.isEmpty();
        } finally {
            stateLock.unlock();
        }
    }

    /** {@return the current grant; null if there is none} */
    @Nullable Grant grant() {
        stateLock.lock();
        try {
            return grant;
        } finally {
            stateLock.unlock();
        }
    }

    /** As {@link #grant}, for the keeper, which waits for nobody. Returns null also if somebody keeps the state lock for long. */
    @Nullable Grant grantIfAtOnce() {
        if (!stateLock.tryLock()) {
            return null;
        }
        try {
            return grant;
        } finally {
            stateLock.unlock();
        }
    }

    /** {@return the current grant, if its user could still close it; else null} */
    @Nullable Grant open() {
        stateLock.lock();
        try {
            return grant != null && grant.state() == Grant.State.HELD ? grant : null;
        } finally {
            stateLock.unlock();
        }
    }

    /** Under both locks: the grant that was here, if any, has ended with this. */
    private void replaceGrant(@Nullable Grant next) {
        Grant before = grant;
        if (before != null) {
            before.ended();
        }
        grant = next;
    }

    /**
     * Under the engine lock: the engine has just given the lock. Once the grant is there, nothing is thrown any more: nobody would have its handle.
     *
     * @param waiter who gets the handle, in the same moment: another thread that let this reader in, too, would do so twice. Not if it has left. Null for one that does
     *     not wait
     */
    Handle grantTaken(AcquireRequest request, @Nullable Thread owner, String ownerName, long since, @Nullable Waiter waiter) {
        long waited = clock().nanos() - since;
        Handle handle = firstHandle(request, owner, ownerName, waited);
        Grant fresh = handle.grant();
        fairness.granted(since);
        stateLock.lock();
        try {
            replaceGrant(fresh.whole());
            if (waiter != null && queue.head() == waiter) {
                waiter.given = handle;
            }
        } finally {
            stateLock.unlock();
        }
        request.publisher().acquired(fresh, waited);
        if (fresh.reclaimed() != null) {
            request.publisher().reclaimed(fresh, fresh.reclaimed());
        }
        locks.scheduleWithin(fresh.withinNanos());
        return handle;
    }

    /** {@return the first handle of what the engine has given; nobody else knows its grant yet} */
    private Handle firstHandle(AcquireRequest request, @Nullable Thread owner, String ownerName, long waited) {
        if (owned.hold().terms().shared()) {
            return new SharedGrant(this, owned.hold(), request).addFirst(request, owner, ownerName, waited);
        }
        return new Handle(new Grant(this, owned.hold(), request, owner, waited), locks.forgotten(), request.acquiredHere());
    }

    /** Under the engine lock: the hold is on the terms of the next waiter, which wants it exclusively as the last user did. Returns false if that one has left meanwhile. */
    boolean grantHandedOver(Waiter next) {
        long waited = clock().nanos() - next.since();
        Grant fresh = new Grant(this, owned.hold(), next.request(), next.owner(), waited);
        Handle handle = new Handle(fresh, locks.forgotten(), next.request().acquiredHere());
        stateLock.lock();
        try {
            if (queue.head() != next) {
                return false;
            }
            queue.removeHead();
            replaceGrant(fresh);
            next.given = handle;
        } finally {
            stateLock.unlock();
        }
        next.request().publisher().acquired(fresh, waited);
        locks.scheduleWithin(fresh.withinNanos());
        next.wake();
        return true;
    }

    /** Under the engine lock: the engine has the lock back. */
    void free() {
        stateLock.lock();
        try {
            replaceGrant(null);
            usedAt = System.nanoTime();
            wakeHeadInTurn();
        } finally {
            stateLock.unlock();
        }
    }

    // ---- waking ----

    /** Under the state lock. Wakes the head, if the lock is free or the head may join the readers. */
    void wakeHeadInTurn() {
        Waiter head = queue.head();
        if (head != null && (isFree() || Joining.isHeldUp(this, head))) {
            head.wake();
        }
    }

    /** As {@link #wakeHeadInTurn}, without the state lock: something may have been thrown to whoever was to wake it. */
    void wakeHead() {
        stateLock.lock();
        try {
            wakeHeadInTurn();
        } finally {
            stateLock.unlock();
        }
    }

    /** Wakes all waiters: some of them must give up. */
    void wakeAll() {
        stateLock.lock();
        try {
            queue.wakeAll();
        } finally {
            stateLock.unlock();
        }
    }

    /**
     * Under the state lock. Returns what lingers only because somebody waited for it, now that nobody does; null if nothing does.
     */
    @Nullable Grant leftOver() {
        return grant != null && grant.lingers() && !grant.lingersByItself() && queue.isEmpty() ? grant : null;
    }

    /** Somebody waits for it. */
    void contended() {
        contended = true;
    }

    /** {@return whether anybody in this JVM has ever waited for it} */
    boolean isContended() {
        return contended;
    }

    /** {@return whether anybody in this JVM waits for it} */
    boolean isWaitedFor() {
        stateLock.lock();
        try {
            return !queue.isEmpty();
        } finally {
            stateLock.unlock();
        }
    }

    /** {@return where timeouts of this lock are logged, one in a while} */
    RareLog timeouts() {
        stateLock.lock();
        try {
            timeouts = timeouts == null ? new RareLog(Loggers.EVENTS, "waited for a lock in vain") : timeouts;
            return timeouts;
        } finally {
            stateLock.unlock();
        }
    }

    // ---- for the kernel waiter ----

    @Override
    public @Nullable Waiter waiterInNeed() {
        return grant == null && !owned.isPresent() ? queue.head() : null;
    }

    @Override
    public void tryOnBehalfOf(Waiter head) {
        acquirer().tryOnBehalfOf(head);
    }

    @Override
    public void markUntidy() {
        owned.markUntidy();
    }

    @Override
    public boolean runBlocking(Runnable task, int most) {
        return locks.runKernelWaiter(task, most);
    }

    // ---- by hand ----

    /** Takes away what a dead owner has left; under the engine lock, so that it meets no acquisition of this JVM half-way. */
    EngineLock.Cleared clear(boolean takeForeign) throws IOException {
        engineLock.lock();
        try {
            releaser().endLingering(this);
            return grant() == null ? engine.clear(takeForeign)
                    : new EngineLock.Cleared(EngineLock.ClearOutcome.KEPT, "a thread of this JVM holds it");
        } finally {
            engineLock.unlock();
        }
    }

    // ---- when the clock is moved by hand ----

    /** {@return for how many nanoseconds nothing is due here} */
    long nothingIsDueFor(long now) {
        long soonest = supervisor().nextLook(this, now);
        stateLock.lock();
        try {
            return Math.min(soonest, queue.nothingIsDueFor(now));
        } finally {
            stateLock.unlock();
        }
    }

    /** Does what is due now, and has all waiters look at the clock. */
    void catchUp() {
        supervisor().maintainNow(this);
        wakeAll();
    }

    /** Blocks until all waiters have looked at the clock and sleep again, or have left. */
    void settle(long now, long deadline) {
        while (isRestless(now) && System.nanoTime() - deadline < 0) {
            LockSupport.parkNanos(TimeUnit.MICROSECONDS.toNanos(20));
        }
    }

    private boolean isRestless(long now) {
        stateLock.lock();
        try {
            return queue.isAnyRestless(now);
        } finally {
            stateLock.unlock();
        }
    }
}

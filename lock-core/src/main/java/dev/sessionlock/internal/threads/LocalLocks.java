package dev.sessionlock.internal.threads;

import com.google.errorprone.annotations.concurrent.GuardedBy;
import dev.sessionlock.LockException;
import dev.sessionlock.LockLostException.Reason;
import dev.sessionlock.LockOptions;
import dev.sessionlock.internal.seats.FileEngine;
import dev.sessionlock.internal.system.Loggers;
import dev.sessionlock.internal.system.RareLog;
import dev.sessionlock.spi.Clock;
import dev.sessionlock.spi.EngineLock;
import dev.sessionlock.spi.LockEngine;
import dev.sessionlock.spi.LockEngine.LockId;
import dev.sessionlock.spi.LockEngine.LockNamespace;
import java.io.FileNotFoundException;
import java.io.IOException;
import java.lang.ref.ReferenceQueue;
import java.lang.ref.WeakReference;
import java.nio.channels.ClosedChannelException;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.Collection;
import java.util.List;
import java.util.Map;
import java.util.WeakHashMap;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ThreadFactory;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.locks.ReentrantLock;
import org.jspecify.annotations.Nullable;

/**
 * The registry of the locks of one engine in this JVM. For locks on files there is one registry in a process (and class loader): the kernel only knows processes, so
 * two {@code SessionLocks} that want one lock must meet in one {@code LocalLock}.
 */
public final class LocalLocks {
    /** The locks on files of this process. */
    public static final LocalLocks OF_THIS_PROCESS = new LocalLocks(FileEngine.OF_THIS_PROCESS);

    /**
     * The registries of other engines, so that two {@code SessionLocks} over one engine meet. Everybody who holds a lock or waits for one refers to the registry
     * strongly, and so does its keeper. A registry that nobody refers to has nothing to remember.
     */
    @GuardedBy("BY_ENGINE_LOCK")
    private static final Map<LockEngine, WeakReference<LocalLocks>> BY_ENGINE = new WeakHashMap<>();
    private static final ReentrantLock BY_ENGINE_LOCK = new ReentrantLock();

    private static final RareLog trouble = new RareLog(Loggers.LIBRARY, "something failed on the way, and the locks go on");

    /** How often a path is resolved anew because its directory was replaced meanwhile. */
    static final int RESOLVES = 4;

    /** How long waiters have, by the machine's clock, to see that a clock was moved by hand. */
    private static final long SETTLE_NANOS = TimeUnit.SECONDS.toNanos(5);

    /**
     * A lock: its namespace, and its name as it is known there. Its {@code equals} is written out: what the compiler gives a record is linked at its first use, which
     * takes as long as loading all of our classes, and the JDK keeps the types that it linked, and their class loader.
     */
    record LockKey(LockNamespace namespace, String name) {
        @Override
        public boolean equals(Object other) {
            return other instanceof LockKey key && namespace.equals(key.namespace) && name.equals(key.name);
        }

        @Override
        public int hashCode() {
            return 31 * namespace.hashCode() + name.hashCode();
        }
    }

    private final LockEngine engine;
    private final Clock clock;
    private final Map<LockKey, LocalLock> byKey = new ConcurrentHashMap<>();
    private final ReferenceQueue<Handle> forgotten = new ReferenceQueue<>();
    private final Keeper keeper;
    private final AtomicInteger users = new AtomicInteger();
    private final KernelWaiterThreads kernelWaiters = new KernelWaiterThreads();
    private final AsyncThreads asyncThreads = new AsyncThreads();
    private final IdleLocks idle;
    private final Shutdown shutdown = new Shutdown(this);
    private final Releaser releaser = new Releaser();
    private final LeaseSupervisor supervisor = new LeaseSupervisor();

    /** {@return the locks of this JVM on an engine} */
    public static LocalLocks of(LockEngine engine) {
        if (engine == FileEngine.OF_THIS_PROCESS) {
            return OF_THIS_PROCESS;
        }
        BY_ENGINE_LOCK.lock();
        try {
            WeakReference<LocalLocks> known = BY_ENGINE.get(engine);
            LocalLocks locks = known == null ? null : known.get();
            if (locks == null) {
                locks = new LocalLocks(engine);
                BY_ENGINE.put(engine, new WeakReference<>(locks));
            }
            return locks;
        } finally {
            BY_ENGINE_LOCK.unlock();
        }
    }

    private LocalLocks(LockEngine engine) {
        this(engine, task -> DaemonThreads.make(task, "sessionlock-keeper"));
    }

    /**
     * @param engine the engine that the locks come from
     * @param keepers makes the keeper's thread
     */
    LocalLocks(LockEngine engine, ThreadFactory keepers) {
        this.engine = engine;
        this.keeper = new Keeper(this, forgotten, keepers);
        this.clock = engine.clock();
        this.idle = new IdleLocks(this, clock);
        clock.follow(new ClockFollower());
        engine.onSuspicion(keeper::wake);
    }

    /** {@return the engine that the locks come from} */
    public LockEngine engine() {
        return engine;
    }

    /** {@return the clock that leases run by, and that threads wait by} */
    public Clock clock() {
        return clock;
    }

    /** Counts a {@code SessionLocks} in. */
    public void retain() {
        users.incrementAndGet();
    }

    /** Counts a {@code SessionLocks} out: its waiters give up, and with the last handle of all the threads and guards go. */
    public void release() {
        byKey.values().forEach(LocalLock::wakeAll);
        users.decrementAndGet();
        keeper.wake();
    }

    // ---- acquiring ----

    /**
     * Waits for a lock.
     *
     * @param id the lock
     * @param patience for how long, nanoseconds
     * @throws InterruptedException if the thread is interrupted while it waits; the caller has looked whether it was before
     */
    public Handle acquire(LockId id, AcquireRequest request, long patience) throws IOException, InterruptedException {
        long since = clock.nanos();
        engine.requireLockable(id);
        return withLock(id, request.publisher(), new Acquire(request, patience, since));
    }

    /** No lambda: with what it needs, that would be linked for longer than all the others of a JVM's first acquisition. */
    private record Acquire(AcquireRequest request, long patience, long since) implements LockAction<Handle> {
        @Override
        public Handle of(LocalLock lock) throws IOException, InterruptedException {
            lock.requireLockable();
            return lock.acquirer().acquire(request, patience, since);
        }
    }

    /**
     * Takes a lock that lingers in this JVM, if its last user asked for it by the same name and on the same terms, or joins others that read it; memory only.
     *
     * @param owner the thread that it will belong to; null for an asynchronous acquisition
     * @return null if the lock must be acquired in the ordinary way
     */
    public @Nullable Handle tryReuse(Path target, EventPublisher publisher, LockOptions options, @Nullable Thread owner) throws LockException {
        LocalLock lock = idle.find(target);
        if (lock == null) {
            return null;
        }
        ensureOpen(publisher);
        return idle.tryReuse(lock, publisher, options, owner);
    }

    /** Remembers by what name a lock was asked for, for {@link #tryReuse}. */
    public void remember(Path target, Handle handle) {
        idle.remember(target, handle);
    }

    /**
     * Acquires a lock without a thread that waits. Whatever comes of it is told later, on a thread of ours.
     *
     * @param patience for how long it waits, nanoseconds
     * @throws OutOfMemoryError if there is no thread or no memory for it
     */
    public AsyncAcquisition acquireAsync(LockId id, AcquireRequest request, long patience, AsyncAcquisition.Outcome outcome) {
        AsyncAcquisition acquisition = new AsyncAcquisition(this, id, request, patience, outcome);
        acquisition.begin();
        return acquisition;
    }

    /** One try. Returns null if the lock is taken. */
    public @Nullable Handle tryAcquire(LockId id, AcquireRequest request) throws IOException {
        long since = clock.nanos();
        try {
            engine.requireLockable(id);
            return withLock(id, request.publisher(), lock -> {
                lock.requireLockable();
                return lock.acquirer().tryAcquire(request, since);
            });
        } catch (InterruptedException e) {
            throw new AssertionError("one try does not wait", e);
        }
    }

    // ---- freeing ----

    /** Takes away what a dead owner has left of a lock, and nothing else. */
    public EngineLock.Cleared clear(LockId id, EventPublisher publisher) throws IOException {
        return withEngine(id, publisher, lock -> lock.clear(publisher.takeForeign()));
    }

    /** Asks the holder of a token, in whatever process, to let go. */
    public void askForRelease(LockId id, EventPublisher publisher, long token) throws IOException {
        withEngine(id, publisher, lock -> {
            lock.engine().askForRelease(token);
            return true;
        });
    }

    /** Takes back what {@link #askForRelease} asked. Returns whether nobody had heard it. */
    public boolean withdrawAsking(LockId id, EventPublisher publisher, long token) throws IOException {
        return withEngine(id, publisher, lock -> lock.engine().withdrawAsking(token));
    }

    private <T> T withEngine(LockId id, EventPublisher publisher, LockAction<T> action) throws IOException {
        try {
            return withLock(id, publisher, action);
        } catch (InterruptedException e) {
            throw new AssertionError("nothing waits here", e);
        }
    }

    private interface LockAction<T> {
        T of(LocalLock lock) throws IOException, InterruptedException;
    }

    private <T> T withLock(LockId id, EventPublisher publisher, LockAction<T> action) throws IOException, InterruptedException {
        for (int tries = 1; ; tries++) {
            ensureOpen(publisher);
            try {
                return withNamespace(id, action);
            } catch (FileNotFoundException | NoSuchFileException | ClosedChannelException e) {
                // The directory was removed or moved under us, or somebody has swept it: look where its path leads now.
                if (tries == RESOLVES) {
                    throw e;
                }
            }
        }
    }

    private <T> T withNamespace(LockId id, LockAction<T> action) throws IOException, InterruptedException {
        try (LockUse use = use(id)) {
            try {
                return action.of(use.lock());
            } catch (NoSuchFileException | ClosedChannelException e) {
                use.suspect();
                throw e;
            }
        }
    }

    /** {@return a lock, for as long as the caller uses it} The caller closes it. */
    LockUse use(LockId id) throws IOException {
        LockNamespace namespace = engine.pin(id);
        LockUse use = null;
        try {
            use = new LockUse(register(namespace, id.name()), namespace);
            return use;
        } catch (NoSuchFileException | ClosedChannelException e) {
            namespace.suspect();
            throw e;
        } finally {
            if (use == null) {
                unpin(namespace);
            }
        }
    }

    /** Never throws: what was acquired must come to its user all the same. */
    static void unpin(LockNamespace namespace) {
        try {
            namespace.unpin();
        } catch (RuntimeException | Error e) {
            trouble.warn(namespace + " could not be let go: it stays open", e);
        }
    }

    private LocalLock register(LockNamespace namespace, String name) throws IOException {
        LockKey key = new LockKey(namespace, namespace.key(name));
        while (true) {
            LocalLock lock = byKey.get(key);
            if (lock == null) {
                lock = byKey.computeIfAbsent(key, k -> open(k, name));
            }
            keeper.ensureRuns(); // after the keeper can see the lock
            if (lock.addUser()) {
                return lock;
            }
            discard(key, lock);
        }
    }

    /** The namespace of a lock is pinned for as long as the lock is known here. */
    private LocalLock open(LockKey key, String name) {
        LocalLock lock = new LocalLock(this, key.namespace().lock(name), key);
        lock.engine().onFreed(lock::wakeHead);
        key.namespace().pinAgain(); // last: if it throws, nothing is left
        return lock;
    }

    /** Forgets a retired lock, and unpins its namespace. Returns false if somebody else has done so. */
    private boolean discard(LockKey key, LocalLock lock) {
        boolean dropped = byKey.remove(key, lock);
        if (dropped) {
            unpin(key.namespace());
        }
        return dropped;
    }

    /**
     * Refuses a {@code SessionLocks} that was closed, or to which the end of the JVM leaves no time.
     *
     * @throws IllegalStateException if it was closed
     * @throws LockException if the JVM ends
     */
    public void ensureOpen(EventPublisher publisher) throws LockException {
        if (publisher.isClosed()) {
            throw new IllegalStateException("this SessionLocks was closed; it gives out no more locks");
        }
        if (shutdown.refuses(publisher)) {
            throw new LockException("the JVM is shutting down, and the time for that is over; no more locks are given out "
                    + "(SessionLocks.Builder.shutdownGrace)");
        }
    }

    // ---- by hand ----

    /**
     * Takes a lock away from whoever has it in this JVM, as if it had come about by itself.
     *
     * @return whether anybody had it
     */
    public boolean lose(LockId id, Reason reason) throws IOException {
        LockNamespace namespace = engine.pin(id);
        try {
            LocalLock lock = byKey.get(new LockKey(namespace, namespace.key(id.name())));
            return lock != null && Revocation.loseNow(lock, reason);
        } finally {
            unpin(namespace);
        }
    }

    /** Takes all locks away from whoever has them in this JVM. */
    public void loseAll(Reason reason) {
        byKey.values().forEach(lock -> Revocation.loseNow(lock, reason));
    }

    /** What a clock that is moved by hand has to know and to wake. */
    private final class ClockFollower implements Clock.Follower {
        @Override
        public long nothingIsDueFor() {
            long now = clock.nanos();
            return byKey.values().stream().mapToLong(lock -> lock.nothingIsDueFor(now)).min().orElse(Long.MAX_VALUE);
        }

        @Override
        public void moved() {
            long now = clock.nanos();
            long deadline = System.nanoTime() + SETTLE_NANOS;
            byKey.values().forEach(LocalLock::catchUp);
            byKey.values().forEach(lock -> lock.settle(now, deadline));
        }
    }

    // ---- for its locks ----

    Releaser releaser() {
        return releaser;
    }

    LeaseSupervisor supervisor() {
        return supervisor;
    }

    ReferenceQueue<Handle> forgotten() {
        return forgotten;
    }

    /** {@return whether the JVM has begun to end} */
    boolean isEnding() {
        return shutdown.hasBegun();
    }

    /** A lock was given out: the keeper must look within that many nanoseconds. Never throws. */
    void scheduleWithin(long within) {
        keeper.scheduleWithin(within);
    }

    /** From now on the keeper checks a lock, for as long as something lingers there now and then. */
    void startIdleChecks(LocalLock lock) {
        idle.startChecks(lock);
        keeper.checkIdleSoon();
    }

    /** {@return whether the calling thread is the keeper's, or a worker's} */
    boolean isKeeper() {
        return keeper.isMe();
    }

    void wakeKeeper() {
        keeper.wake();
    }

    /** Has a daemon thread run something that blocks in the kernel. Returns false if there are {@code most} of them already. */
    boolean runKernelWaiter(Runnable waitInKernel, int most) {
        return kernelWaiters.run(waitInKernel, most);
    }

    AsyncThreads asyncThreads() {
        return asyncThreads;
    }

    // ---- for the keeper ----

    IdleLocks idle() {
        return idle;
    }

    Collection<LocalLock> all() {
        return byKey.values();
    }

    /** Drops those locks, of some, that nobody has used for a while. */
    void retireIdle(List<LocalLock> some, long idleNanos) {
        boolean any = false;
        for (LocalLock lock : some) {
            any |= lock.retire(idleNanos) && discard(lock.key(), lock);
        }
        if (any) {
            idle.forgetRetired();
        }
    }

    /** {@return whether any {@code SessionLocks} is open} */
    public boolean hasUsers() {
        return users.get() > 0;
    }

    /** What one of the JVM's hooks does. */
    Shutdown shutdown() {
        return shutdown;
    }
}

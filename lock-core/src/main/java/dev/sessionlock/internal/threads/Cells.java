package dev.sessionlock.internal.threads;

import dev.sessionlock.LockException;
import dev.sessionlock.LockLostException.Reason;
import dev.sessionlock.LockOptions;
import dev.sessionlock.internal.seats.FileEngine;
import dev.sessionlock.internal.system.Loggers;
import dev.sessionlock.internal.system.RareLog;
import dev.sessionlock.spi.Clock;
import dev.sessionlock.spi.EngineLock;
import dev.sessionlock.spi.LockEngine;
import dev.sessionlock.spi.LockEngine.Site;
import dev.sessionlock.spi.LockEngine.Whereabouts;
import dev.sessionlock.spi.Maintainable;
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
import java.util.Set;
import java.util.WeakHashMap;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.SynchronousQueue;
import java.util.concurrent.ThreadFactory;
import java.util.concurrent.ThreadPoolExecutor;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicReference;
import java.util.concurrent.locks.ReentrantLock;
import java.util.stream.Collectors;
import org.jetbrains.annotations.Nullable;

/**
 * All locks of one kind of this JVM. Of those on files there is one of these a process (and class loader), since the kernel knows the
 * process alone: two {@code SessionLocks} that want one lock must meet in one cell.
 */
public final class Cells {
    /** The locks on files of this process. */
    public static final Cells OF_THIS_PROCESS = new Cells(FileEngine.OF_THIS_PROCESS);

    /**
     * The others, by engine, so that two {@code SessionLocks} over one engine meet. Whoever holds or waits, and their keeper, refer to
     * theirs strongly; one that nobody refers to has nothing to remember.
     */
    private static final Map<LockEngine, WeakReference<Cells>> BY_ENGINE = new WeakHashMap<>();
    private static final ReentrantLock BY_ENGINE_MUTEX = new ReentrantLock();

    private static final RareLog trouble = new RareLog(Loggers.LIBRARY, "something failed on the way, and the locks go on");

    /** So many threads may wait in the kernel; heads beyond them poll. */
    private static final int MOST_BELLS = 16;
    private static final int RESOLVES = 4;
    /** The keeper spends one part in so many on glancing at what lingers. */
    private static final int GLANCES_SHARE = 50;
    /** A glance at one lock takes no longer than this. What seems to take longer was interrupted: by others who need the processor, most likely. */
    private static final long GLANCE_COST_NANOS = TimeUnit.MICROSECONDS.toNanos(2);

    /** So long the JVM's end waits for disks at the most; the kernel locks end with the process all the same. */
    private static final long ABANDON_PATIENCE_NANOS = TimeUnit.SECONDS.toNanos(3);

    /** So long, by the machine's clock, those who wait have to see that a clock was moved by hand. */
    private static final long SETTLE_NANOS = TimeUnit.SECONDS.toNanos(5);

    /**
     * A lock: its place, and its name as it is known there. It compares by itself: the comparing that the compiler gives a record is linked
     * at its first use, which takes as long as all of our classes, and the JDK keeps the types that it linked, and their class loader.
     */
    private record Key(Site site, String name) {
        @Override
        public boolean equals(Object other) {
            return other instanceof Key key && site.equals(key.site) && name.equals(key.name);
        }

        @Override
        public int hashCode() {
            return 31 * site.hashCode() + name.hashCode();
        }
    }

    private final LockEngine engine;
    private final Clock clock;
    private final Map<Key, Cell> cells = new ConcurrentHashMap<>();
    private final ReferenceQueue<Handle> forgotten = new ReferenceQueue<>();
    private final Keeper keeper;
    private final AtomicInteger tenants = new AtomicInteger();
    /** The threads that wait in the kernel. Null until one has to. */
    private final AtomicReference<@Nullable ThreadPoolExecutor> bells = new AtomicReference<>();
    /** The locks that linger now and then, by the names by which their users ask for them. */
    private final Map<Path, Cell> warm = new ConcurrentHashMap<>();
    private final Set<Cell> lingering = ConcurrentHashMap.newKeySet();
    private final Shutdown shutdown = new Shutdown(this);

    /** {@return the locks of this JVM on an engine} */
    public static Cells of(LockEngine engine) {
        if (engine == FileEngine.OF_THIS_PROCESS) {
            return OF_THIS_PROCESS;
        }
        BY_ENGINE_MUTEX.lock();
        try {
            WeakReference<Cells> known = BY_ENGINE.get(engine);
            Cells cells = known == null ? null : known.get();
            if (cells == null) {
                cells = new Cells(engine);
                BY_ENGINE.put(engine, new WeakReference<>(cells));
            }
            return cells;
        } finally {
            BY_ENGINE_MUTEX.unlock();
        }
    }

    private Cells(LockEngine engine) {
        this(engine, task -> daemon(task, "sessionlock-keeper"));
    }

    /**
     * @param engine where the locks come from
     * @param keepers makes the keeper's thread
     */
    Cells(LockEngine engine, ThreadFactory keepers) {
        this.engine = engine;
        this.keeper = new Keeper(this, forgotten, keepers);
        this.clock = engine.clock();
        clock.follow(new Follower());
        engine.onSuspicion(keeper::wake);
    }

    /** {@return where the locks come from} */
    public LockEngine engine() {
        return engine;
    }

    /** {@return the clock that leases run by, and that threads wait by} */
    public Clock clock() {
        return clock;
    }

    /** Counts a {@code SessionLocks} in. */
    public void moveIn() {
        tenants.incrementAndGet();
    }

    /** Counts a {@code SessionLocks} out: its waiters give up, and with the last handle of all the threads and guards go. */
    public void moveOut() {
        cells.values().forEach(Cell::wakeAll);
        tenants.decrementAndGet();
        keeper.wake();
    }

    // ---- acquiring ----

    /**
     * Waits for the lock of one file.
     *
     * @param where the file
     * @param patience for how long, nanoseconds
     */
    public Handle acquire(Whereabouts where, Request request, long patience) throws IOException, InterruptedException {
        long since = clock.nanos();
        engine.requireLockable(where);
        return atCell(where, request.audience(), new Acquire(request, patience, since));
    }

    /** No lambda: with what it needs, that would be linked for longer than all the others of a JVM's first acquisition. */
    private record Acquire(Request request, long patience, long since) implements Wish<Handle> {
        @Override
        public Handle of(Cell cell) throws IOException, InterruptedException {
            cell.requireLockable();
            return cell.acquire(request, patience, since);
        }
    }

    /**
     * Takes a lock that lingers in this JVM, if its last user asked for it by the same name and on the same terms; memory only.
     *
     * @return null if it is to be asked for in the ordinary way
     */
    public @Nullable Handle tryAgain(Path target, Audience audience, LockOptions options) throws LockException {
        Cell cell = warm.get(target);
        if (cell == null) {
            return null;
        }
        ensureOpen(audience);
        return cell.tryAgain(audience, options);
    }

    /**
     * Remembers by what name a lock was asked for, for {@link #tryAgain}. Only one that leads to it by no symbolic link: such a link may be
     * pointed elsewhere.
     */
    public void remember(Path target, Handle handle) {
        if (target.toAbsolutePath().equals(handle.target())) {
            warm.put(target, handle.cell());
        }
    }

    /** One try. {@return null if the lock was not to be had} */
    public @Nullable Handle tryAcquire(Whereabouts where, Request request) throws IOException {
        long since = clock.nanos();
        try {
            engine.requireLockable(where);
            return atCell(where, request.audience(), cell -> {
                cell.requireLockable();
                return cell.tryAcquire(request, since);
            });
        } catch (InterruptedException e) {
            throw new AssertionError("one try does not wait", e);
        }
    }

    // ---- freeing ----

    /** Takes away what a dead owner has left of a lock, and nothing else. */
    public EngineLock.Cleared clear(Whereabouts where, Audience audience) throws IOException {
        return atEngine(where, audience, cell -> cell.clear(audience.takeStrangers()));
    }

    /** Asks the holder of a token, in whatever process, to let go. */
    public void askForRelease(Whereabouts where, Audience audience, long token) throws IOException {
        atEngine(where, audience, cell -> {
            cell.engine().askForRelease(token);
            return true;
        });
    }

    /** Takes back what {@link #askForRelease} asked. {@return whether nobody had heard it} */
    public boolean withdrawAsking(Whereabouts where, Audience audience, long token) throws IOException {
        return atEngine(where, audience, cell -> cell.engine().withdrawAsking(token));
    }

    private <T> T atEngine(Whereabouts where, Audience audience, Wish<T> wish) throws IOException {
        try {
            return atCell(where, audience, wish);
        } catch (InterruptedException e) {
            throw new AssertionError("nothing waits here", e);
        }
    }

    private interface Wish<T> {
        T of(Cell cell) throws IOException, InterruptedException;
    }

    private <T> T atCell(Whereabouts where, Audience audience, Wish<T> wish) throws IOException, InterruptedException {
        for (int tries = 1; ; tries++) {
            ensureOpen(audience);
            try {
                return atSite(where, wish);
            } catch (FileNotFoundException | NoSuchFileException | ClosedChannelException e) {
                // The directory was removed or moved under us, or a hand swept it: look where its path leads now.
                if (tries == RESOLVES) {
                    throw e;
                }
            }
        }
    }

    private <T> T atSite(Whereabouts where, Wish<T> wish) throws IOException, InterruptedException {
        Site site = engine.pin(where);
        Cell cell = null;
        try {
            cell = enter(site, where.name());
            return wish.of(cell);
        } catch (NoSuchFileException | ClosedChannelException e) {
            site.suspect();
            throw e;
        } finally {
            if (cell != null) {
                cell.exit();
            }
            unpin(site);
        }
    }

    /** Never throws: what was acquired must come to its user all the same. */
    private static void unpin(Site site) {
        try {
            site.unpin();
        } catch (RuntimeException | Error e) {
            trouble.warn(site + " could not be let go: it stays open", e);
        }
    }

    private Cell enter(Site site, String name) throws IOException {
        Key key = new Key(site, site.key(name));
        while (true) {
            Cell cell = cells.get(key);
            if (cell == null) {
                cell = cells.computeIfAbsent(key, k -> open(k, name));
            }
            keeper.ensureRuns(); // after the cell is there to be seen
            if (cell.enter()) {
                return cell;
            }
            drop(key, cell);
        }
    }

    /** The site of a cell is pinned for as long as the cell is known here. */
    private Cell open(Key key, String name) {
        Cell cell = new Cell(this, key.site().lock(name), key.site(), key.name());
        key.site().pinAgain(); // last: if it throws, nothing is left
        return cell;
    }

    /** Forgets a retired cell, and lets its site go. {@return false if somebody else has done so} */
    private boolean drop(Key key, Cell cell) {
        boolean dropped = cells.remove(key, cell);
        if (dropped) {
            unpin(cell.site());
        }
        return dropped;
    }

    /**
     * Refuses those who were closed, and whom the end of the JVM leaves no time.
     *
     * @throws IllegalStateException if it was closed
     * @throws LockException if the JVM ends
     */
    public void ensureOpen(Audience audience) throws LockException {
        if (audience.isClosed()) {
            throw new IllegalStateException("this SessionLocks was closed; it gives out no more locks");
        }
        if (shutdown.refuses(audience)) {
            throw new LockException("the JVM is shutting down, and the time for that is over; no more locks are given out "
                    + "(SessionLocks.Builder.shutdownGrace)");
        }
    }

    /**
     * {@return a daemon thread that keeps nothing of the thread that happens to start it: no class loader, no inherited values, no thread group} A user
     * may interrupt a whole group, and the interrupt of a thread that waits in the kernel drops locks.
     */
    static Thread daemon(Runnable task, String name) {
        Thread thread = new Thread(Group.OURS, task, name, 0, false);
        thread.setContextClassLoader(null);
        thread.setDaemon(true);
        return thread;
    }

    /** Made at first use. */
    private static final class Group {
        /** Below the root, beside the users' groups; null for the starting thread's, where a security manager forbids it. */
        private static final @Nullable ThreadGroup OURS = make();

        private static @Nullable ThreadGroup make() {
            try {
                ThreadGroup root = Thread.currentThread().getThreadGroup();
                while (root.getParent() != null) {
                    root = root.getParent();
                }
                return new ThreadGroup(root, "sessionlock");
            } catch (SecurityException e) {
                return null;
            }
        }
    }

    // ---- by hand ----

    /**
     * Takes a lock away from whoever has it in this JVM, as if it had come about by itself.
     *
     * @return whether anybody had it
     */
    public boolean lose(Whereabouts where, Reason reason) throws IOException {
        Site site = engine.pin(where);
        try {
            Cell cell = cells.get(new Key(site, site.key(where.name())));
            return cell != null && cell.loseNow(reason);
        } finally {
            unpin(site);
        }
    }

    /** Takes all locks away from whoever has them in this JVM. */
    public void loseAll(Reason reason) {
        cells.values().forEach(cell -> cell.loseNow(reason));
    }

    /** What a clock that is moved by hand has to know and to wake. */
    private final class Follower implements Clock.Follower {
        @Override
        public long nothingIsDueFor() {
            long now = clock.nanos();
            return cells.values().stream().mapToLong(cell -> cell.nothingIsDueFor(now)).min().orElse(Long.MAX_VALUE);
        }

        @Override
        public void moved() {
            long now = clock.nanos();
            long deadline = System.nanoTime() + SETTLE_NANOS;
            cells.values().forEach(Cell::catchUp);
            cells.values().forEach(cell -> cell.settle(now, deadline));
        }
    }

    // ---- for the cells ----

    ReferenceQueue<Handle> forgotten() {
        return forgotten;
    }

    /** {@return whether the JVM has begun to end} */
    boolean isEnding() {
        return shutdown.hasBegun();
    }

    /** A lock was given out: the keeper must look within so many nanoseconds. Never throws. */
    void heed(long within) {
        keeper.heed(within);
    }

    /** From now on the keeper glances at a cell, as long as something lingers there. */
    void glanceAt(Cell cell) {
        lingering.add(cell);
        keeper.glanceSoon();
    }

    void glanceNoMore(Cell cell) {
        lingering.remove(cell);
    }

    /** {@return whether the keeper asks} */
    boolean isKeeper() {
        return keeper.isMe();
    }

    void wakeKeeper() {
        keeper.wake();
    }

    /** Has a daemon thread run something that blocks in the kernel. False if there are too many of them. */
    boolean ring(Runnable waitInKernel) {
        try {
            bells().execute(waitInKernel);
            return true;
        } catch (RejectedExecutionException e) {
            return false;
        } catch (OutOfMemoryError e) { // "unable to create native thread"
            trouble.warn("no thread to wait in the kernel; polling", e);
            return false;
        }
    }

    private ThreadPoolExecutor bells() {
        ThreadPoolExecutor made = bells.get();
        if (made == null) {
            made = new ThreadPoolExecutor(0, MOST_BELLS, 5, TimeUnit.SECONDS, new SynchronousQueue<>(),
                    task -> daemon(task, "sessionlock-waits-in-kernel"));
            made = bells.compareAndSet(null, made) ? made : bells.get(); // one that comes too late has no threads
        }
        return made;
    }

    // ---- for the keeper ----

    /**
     * Glances at what lingers, in memory only, and has the keeper give back what is to be given back.
     *
     * @return in how many nanoseconds it should be done again
     */
    long glance() {
        if (lingering.isEmpty()) {
            return Long.MAX_VALUE;
        }
        long start = clock.nanos();
        long pause = Long.MAX_VALUE;
        int looks = 0;
        for (Cell cell : lingering) {
            looks++;
            long within = cell.glance(start);
            if (within == 0) {
                keeper.giveBack(cell);
            }
            pause = Math.min(pause, Math.max(within, Cell.GLANCE_NANOS));
        }
        long spent = clock.nanos() - start;
        return Math.max(pause, Math.min(spent, looks * GLANCE_COST_NANOS) * GLANCES_SHARE); // thousands of them must not cost a core
    }

    Collection<Cell> all() {
        return cells.values();
    }

    /** Drops those cells, of some, that nobody has used for a while. */
    void retireIdle(List<Cell> some, long idleNanos) {
        boolean any = false;
        for (Cell cell : some) {
            any |= cell.retire(idleNanos) && drop(new Key(cell.site(), cell.key()), cell);
        }
        if (any) {
            warm.values().removeIf(Cell::isRetired);
        }
    }

    /** {@return whether any {@code SessionLocks} is open} */
    public boolean hasTenants() {
        return tenants.get() > 0;
    }

    /** What one of the JVM's hooks does. */
    Shutdown shutdown() {
        return shutdown;
    }

    /** Each part on a thread of its own: a disk that does not answer keeps neither the records of others nor the end of the process. */
    void tidyAsTheJvmEnds() {
        Map<Maintainable, List<Cell>> parts = cells.values().stream().collect(Collectors.groupingBy(Cell::part));
        CountDownLatch left = new CountDownLatch(parts.size());
        for (List<Cell> part : parts.values()) {
            Runnable task = () -> {
                part.forEach(Cell::tidyAsTheJvmEnds);
                left.countDown();
            };
            try {
                daemon(task, "sessionlock-abandons").start();
            } catch (OutOfMemoryError e) { // "unable to create native thread"
                task.run();
            }
        }
        try {
            if (!left.await(ABANDON_PATIENCE_NANOS, TimeUnit.NANOSECONDS)) {
                trouble.warn("not all records could be taken away as the JVM ends: a disk does not answer", null);
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }
}

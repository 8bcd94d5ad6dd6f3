package dev.sessionlock.internal.threads;

import dev.sessionlock.LockLostException;
import dev.sessionlock.LockLostException.Reason;
import dev.sessionlock.LockOptions;
import dev.sessionlock.LockReentryException;
import dev.sessionlock.LockReport;
import dev.sessionlock.LockTimeoutException;
import dev.sessionlock.internal.system.GrowingPause;
import dev.sessionlock.internal.system.Log;
import dev.sessionlock.internal.system.Loggers;
import dev.sessionlock.internal.system.RareLog;
import dev.sessionlock.spi.Busy;
import dev.sessionlock.spi.Clock;
import dev.sessionlock.spi.EngineLock;
import dev.sessionlock.spi.Hold;
import dev.sessionlock.spi.LockEngine.LockNamespace;
import dev.sessionlock.spi.Maintainable;
import dev.sessionlock.spi.AcquireResult;
import dev.sessionlock.spi.Terms;
import java.io.IOException;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.Collection;
import java.util.List;
import java.util.concurrent.ThreadLocalRandom;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;
import java.util.concurrent.locks.ReentrantLock;
import org.jetbrains.annotations.Nullable;

/**
 * One lock, in this JVM: a queue of the threads that want it, of which the head alone deals with the engine.
 *
 * <p>Two locks, always taken in this order: the <em>turn</em> is held by whoever calls the engine, so that taking, renewing, revoking
 * and giving back exclude each other; the <em>mutex</em> guards the queue and the grant, in memory only. User code runs under neither.
 *
 * <p>A grant that <em>lingers</em> is nobody's: it is taken again under the mutex alone, and ended in turn, by whoever first finds it
 * under the mutex as it was.
 */
final class LocalLock {
    private static final Log log = Loggers.LIBRARY;
    /** For all locks together: what fails for one mostly fails for thousands. */
    private static final RareLog trouble = new RareLog(log, "a lock could not be dealt with, and is tried again");

    /** How long this JVM stays away when it is another process's turn: freeing alone does not help, since it would take it again at once. */
    private static final long AWAY_NANOS = TimeUnit.MILLISECONDS.toNanos(1);
    /** So many jittered tries, before a thread is spent on waiting in the kernel. */
    private static final int QUICK_TRIES = 3;
    /** While a bell is to ring, the head tries itself once in so many times, a second or so, and else only raises its hand. */
    private static final int TRIES_A_KERNEL_WAIT = 10;
    private static final long FIRST_PAUSE_NANOS = TimeUnit.MICROSECONDS.toNanos(60);
    private static final long LONGEST_PAUSE_NANOS = TimeUnit.MILLISECONDS.toNanos(50);
    /** So long this JVM may go on while another process waits: a turn for each of many brief users would cost far more than they do. */
    private static final long TIME_SLICE_NANOS = TimeUnit.MILLISECONDS.toNanos(5);
    /** A user that has held a lock for longer than this does not run in a loop: others who wait get it as soon as it is closed. */
    private static final long BRIEF_NANOS = TimeUnit.MICROSECONDS.toNanos(100);
    /** One who takes a lock again within this has not left it to others: they need longer to wake. */
    private static final long YIELDED_NANOS = TimeUnit.MICROSECONDS.toNanos(200);
    /** Who asks again within that, so many times more often than not, runs in a loop: it is no chance. */
    private static final int LOOP = 6;
    /** For so long after the kernel has refused to let a thread wait (EDEADLK), the head polls. */
    private static final long REFUSED_NANOS = TimeUnit.MILLISECONDS.toNanos(50);
    /** So long the end of the JVM waits for a thread that is at a lock's engine: its disk may not answer. */
    private static final long ABANDON_PATIENCE_NANOS = TimeUnit.MILLISECONDS.toNanos(200);
    /** The keeper tries so often to give back what is ending. */
    private static final long ENDING_AGAIN_NANOS = TimeUnit.MILLISECONDS.toNanos(50);
    private static final long LONG_ENDING_AGAIN_NANOS = TimeUnit.MILLISECONDS.toNanos(250);
    /** So often the keeper glances at what lingers; seldomer at what nobody has used for a while. */
    static final long IDLE_CHECK_NANOS = TimeUnit.MILLISECONDS.toNanos(1);

    /** Made while there is memory: a class whose first use finds none is unusable for good, and these are used where a lock is given back. */
    @SuppressWarnings("unused")
    private static final List<Enum<?>> LOADED = List.of(HandleCloseResult.LAST, Grant.State.HELD, EngineLock.HoldStatus.INTACT, Reason.LEAKED);

    /** A thread in the queue. */
    private static final class Waiter {
        private final Thread thread = Thread.currentThread();
        private final AcquireRequest request;
        private final long patience;
        private final long since;
        /** Its handle, once it has one; guarded by the mutex. */
        private @Nullable Handle given;
        private volatile boolean woken;
        /** It waits no more, whatever ended its waiting; whoever finds it in the queue takes it out. */
        private volatile boolean gone;
        /** By when it has seen whatever there was to see, and sleeps. */
        private volatile long settledAt = Long.MIN_VALUE;

        Waiter(AcquireRequest request, long patience, long since) {
            this.request = request;
            this.patience = patience;
            this.since = since;
        }

        void wake() {
            woken = true;
            LockSupport.unpark(thread);
        }
    }

    private final LocalLocks locks;
    private final EngineLock engine;
    private final LockNamespace namespace;
    /** Something that can be locked was there, or nothing, when it was first to be taken. */
    private volatile boolean lockable;
    private final String key;
    private final ReentrantLock engineLock = new ReentrantLock();
    private final MemoryLock stateLock = new MemoryLock();

    // guarded by the mutex
    /** Null before anybody has waited here: most locks are never waited for. */
    private @Nullable ArrayDeque<Waiter> queue;
    private @Nullable Grant grant;
    private int users;
    /** Null before anybody has waited in vain. One for each lock: that of one must not hide that of another. */
    private @Nullable RareLog timeouts;
    private boolean retired;
    private long usedAt = System.nanoTime();
    /** For which of the engine's two waits a thread waits in the kernel, a bit each. */
    private int kernelWaiters;
    /** Until when no thread is to wait in the kernel, by the machine's clock; 0 if that was never refused. */
    private long kernelWaitRefusedUntil;
    private final ContentionMemory contention = new ContentionMemory();

    // guarded by the turn
    /**
     * What the engine has given and not yet got back. Set by the very assignment that makes the call, so that whatever is thrown after it, the
     * keeper finds a hold that no grant stands for, and gives it back.
     */
    private @Nullable Hold owned;
    /** The engine may have something left to tidy up: a call may have failed half-way. Also read out of turn. */
    private volatile boolean untidy;
    /** When it was given back, if nobody else is known to have had it since, monotonic nanoseconds. */
    private long leftAt = Long.MIN_VALUE / 2;

    /** Since when this JVM has had the lock without leaving it to others, monotonic nanoseconds. Written in turn. */
    private volatile long hereSince;

    /** When it was given back, whoever has had it since, monotonic nanoseconds. */
    private long gaveBackAt = Long.MIN_VALUE / 2;
    /** How much more often than not users here ask for it again at once, whether or not another process is faster; 0 to twice {@link #LOOP}. Written in turn. */
    private volatile int askedAgain;

    /** By the machine's clock, whatever clock leases run by: it is a matter of letting others have the CPU. */
    private volatile long awayUntil;

    /**
     * @param site where the lock is, pinned for as long as the cell is known
     * @param key the form of its name under which it is known there
     */
    LocalLock(LocalLocks locks, EngineLock engine, LockNamespace namespace, String key) {
        this.locks = locks;
        this.engine = engine;
        this.namespace = namespace;
        this.key = key;
    }

    LockNamespace namespace() {
        return namespace;
    }

    /** {@return the form of its name under which it is known at its site} */
    String key() {
        return key;
    }

    /** {@return what it is looked after together with} */
    Maintainable part() {
        return namespace instanceof Maintainable part ? part : locks.engine();
    }

    EngineLock engine() {
        return engine;
    }

    /** {@return the lock that guards what is in memory only; see above} */
    MemoryLock stateLock() {
        return stateLock;
    }

    Clock clock() {
        return locks.clock();
    }

    /** {@return for how long since a moment} */
    Duration since(long nanos) {
        return Duration.ofNanos(clock().nanos() - nanos);
    }

    // ---- acquiring ----

    /** Announces a user, for whom the cell stays. False if it has been retired: then another takes its place. */
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

    /** Looks, before it is first taken, whether there is something that cannot be locked. */
    void requireLockable() throws IOException {
        if (!lockable) {
            namespace.requireLockable(engine.name());
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

    /** Takes back one {@link #register}. */
    void removeUser() {
        stateLock.lock();
        try {
            users--;
            usedAt = System.nanoTime();
        } finally {
            stateLock.unlock();
        }
    }

    /**
     * Waits for the lock, having {@linkplain #register entered}.
     *
     * @param patience for how long, nanoseconds; 0 or less for one try
     * @param since when the waiting began, monotonic nanoseconds
     * @throws LockTimeoutException if it was not to be had in time
     */
    Handle acquire(AcquireRequest request, long patience, long since) throws IOException, InterruptedException {
        if (Thread.interrupted()) {
            throw new InterruptedException();
        }
        Handle handle = tryOnce(request, since, true);
        return handle != null ? handle : waitFor(new Waiter(request, patience, since));
    }

    private Handle waitFor(Waiter waiter) throws IOException, InterruptedException {
        stateLock.lock();
        try {
            queue = queue == null ? new ArrayDeque<>(2) : queue;
            queue.addLast(waiter);
        } finally {
            stateLock.unlock();
        }
        waiter.request.publisher().waits();
        Handle handle = null;
        try {
            handle = await(waiter);
            return handle;
        } finally {
            waiter.gone = true;
            waiter.request.publisher().waitsNoMore();
            leave(waiter, handle);
        }
    }

    /**
     * One try, having {@linkplain #register entered}. Does not pass anybody who waits, and gives up rather than wait for one who is
     * just coming or going.
     *
     * @return null if the lock was not to be had
     */
    @Nullable Handle tryAcquire(AcquireRequest request, long since) throws IOException {
        return tryOnce(request, since, false);
    }

    /** @param patient whether trouble that will pass by itself is waited out */
    private @Nullable Handle tryOnce(AcquireRequest request, long since, boolean patient) throws IOException {
        Handle again = reuse(request);
        if (again != null) {
            return again;
        }
        if (isClaimed() || awayUntil - System.nanoTime() > 0 || !engineLock.tryLock()) {
            return null;
        }
        try {
            if (isClaimed()) {
                return null;
            }
            Busy busy = take(request.terms(Thread.currentThread()), false);
            if (busy == null) {
                Handle handle = grant(request, Thread.currentThread(), since);
                LockEvents.acquired(request.asked(), this, handle.token(), since);
                return handle;
            } else if (!patient && busy.trouble() != null) {
                throw busy.trouble();
            }
            return null;
        } finally {
            engineLock.unlock();
        }
    }

    /**
     * Takes what lingers here, if it does so on these very terms; memory only.
     *
     * @return null if it is to be asked for in the ordinary way
     */
    @Nullable Handle tryReuse(EventPublisher publisher, LockOptions options) {
        Grant warm;
        Handle handle;
        LockEvents.Timed asked = LockEvents.asked();
        stateLock.lock();
        try {
            warm = grant;
            if (warm == null || !warm.lingers() || head() != null || warm.publisher() != publisher || !warm.options().equals(options)) {
                return null;
            }
            handle = warm.reuse(Thread.currentThread(), locks.forgotten());
        } finally {
            stateLock.unlock();
        }
        if (handle != null) {
            publisher.acquired(warm, 0);
            LockEvents.acquired(asked, this, handle.token(), warm.acquiredNanos());
            locks.scheduleWithin(warm.withinNanos());
        }
        return handle;
    }

    /**
     * One try, in turn. What lingers here is handed over on the new terms, or given back first. One that comes to nothing may have left
     * something behind, which the keeper then tries to tidy up.
     *
     * <p>If another process has it, the hand is raised. Not while it is another's turn, whose own hand that would hide from us.
     *
     * @param waits false for a single try: its hand frees what merely lingers there, which who tries now and then would never find free, and
     *     keeps nobody away
     * @return what is in the way; null if the lock is ours, and {@link #owned} for a grant
     */
    private @Nullable Busy take(Terms terms, boolean waits) throws IOException {
        Grant warm = stopLingering();
        if (warm != null) {
            if (isOthersTimeSlice(warm)) {
                giveBack(true);
                return new Busy(Busy.NOTHING, clock().nanos() + AWAY_NANOS, "it is another process's turn");
            }
            if (handOverIdle(warm, terms)) {
                return null;
            }
        } else if (isHeld()) {
            return new Busy(Busy.NOTHING, clock().nanos(), "a thread of this JVM has just taken it again");
        } else if (owned != null) {
            giveBack(false); // what one got to whom something was thrown before it had its grant
        }
        untidy = true; // until it is given back in good order
        long now = clock().nanos();
        AcquireResult taken = engine.take(terms);
        if (taken instanceof Hold hold) {
            owned = hold;
            if (now - leftAt > YIELDED_NANOS) {
                hereSince = now;
            }
            if (engine.wasOthers(hold)) {
                othersSeen(now);
            }
            return null;
        }
        leftAt = Long.MIN_VALUE / 2; // somebody else has it
        engine.setWaiterMark(waits);
        othersSeen(now);
        return (Busy) taken;
    }

    private void othersSeen(long now) {
        stateLock.lock();
        try {
            contention.seen(now);
        } finally {
            stateLock.unlock();
        }
    }

    private boolean isClaimed() {
        stateLock.lock();
        try {
            return !isFree() || head() != null;
        } finally {
            stateLock.unlock();
        }
    }

    /** Under the mutex. {@return who has waited longest; null if nobody waits} */
    private @Nullable Waiter head() {
        Waiter head = queue == null ? null : queue.peekFirst();
        while (head != null && head.gone) {
            queue.pollFirst();
            head = queue.peekFirst();
        }
        return head;
    }

    /** Under the mutex. */
    private Collection<Waiter> waiters() {
        return queue == null ? List.of() : queue;
    }

    /** Under the mutex. {@return whether nobody here has it} */
    private boolean isFree() {
        return grant == null || grant.lingers();
    }

    /** {@return a further handle, if this thread has the lock already and may have it twice; null if it has it not} */
    private @Nullable Handle reuse(AcquireRequest request) throws LockLostException {
        Grant held;
        long token;
        stateLock.lock();
        try {
            held = grant;
            if (held == null || held.owner() != Thread.currentThread() || !held.isOpen()) {
                return null;
            }
            token = held.token();
            boolean valid = held.isValid(clock().nanos());
            if (!request.options().reentrant()) {
                if (!valid) {
                    return null; // it has lost it, and waits like any other until its grace is over
                }
                throw new LockReentryException("this thread holds " + request.shown() + " already, since " + held.acquiredAt()
                        + (held.options().purpose() == null ? "" : " (" + held.options().purpose() + ")")
                        + ": waiting for itself would never end. Close the outer handle first, or ask with withReentrant(true)");
            }
            if (valid) {
                Handle handle = new Handle(held, locks.forgotten(), request.acquiredHere());
                request.publisher().acquiredAgain();
                return handle;
            }
        } finally {
            stateLock.unlock();
        }
        LockLostException lost = expired(held, token);
        if (lost != null) {
            throw lost; // what shares a lock that is lost would be lost from the beginning
        }
        return null; // another thread has closed it meanwhile
    }

    private Handle await(Waiter waiter) throws IOException, InterruptedException {
        Busy busy = null;
        boolean told = false;
        for (int tries = 0; ; ) {
            boolean woken = waiter.woken;
            waiter.woken = false;
            long now = clock().nanos();
            Handle given = given(waiter);
            if (given != null) {
                LockEvents.acquired(waiter.request.asked(), this, given.token(), waiter.since);
                return given;
            }
            locks.ensureOpen(waiter.request.publisher());
            long pause = Long.MAX_VALUE;
            if (isHeadOfFree(waiter)) {
                pause = awayUntil - System.nanoTime();
                if (pause <= 0) {
                    boolean again = woken || busy == null || tries % TRIES_A_KERNEL_WAIT == 0;
                    Busy found = tryAsHead(waiter, again ? null : busy);
                    if (found == null) {
                        continue; // it is ours, or the head is another by now
                    }
                    busy = found;
                    pause = pauseAfter(busy, tries++);
                }
            }
            if (!told) {
                told = true;
                waiter.request.publisher().contended(this);
            }
            long left = waiter.patience - (clock().nanos() - waiter.since);
            if (left <= 0) {
                LockTimeoutException late = timeout(waiter, busy);
                waiter.request.publisher().timedOut(this, waiter.request, late);
                throw late;
            }
            waiter.settledAt = now;
            park(waiter, Math.min(pause, left));
        }
    }

    private void park(Waiter waiter, long nanos) throws InterruptedException {
        if (!waiter.woken) {
            LockSupport.parkNanos(this, nanos);
        }
        if (Thread.interrupted()) {
            stateLock.lock();
            try {
                if (waiter.given == null) {
                    throw new InterruptedException();
                }
            } finally {
                stateLock.unlock();
            }
            Thread.currentThread().interrupt(); // the lock came first: it is not lost, and the interrupt neither
        }
    }

    private @Nullable Handle given(Waiter waiter) {
        stateLock.lock();
        try {
            return waiter.given;
        } finally {
            stateLock.unlock();
        }
    }

    private boolean isHeadOfFree(Waiter waiter) {
        stateLock.lock();
        try {
            return isFree() && head() == waiter;
        } finally {
            stateLock.unlock();
        }
    }

    /**
     * One try of the head.
     *
     * @param busy what was in its way a moment ago; while a bell is to ring when that is over, and it cannot be over by time, only the hand
     *     is raised once more
     * @return what was in the way; null if the waiter has its handle, or if it is another's turn
     */
    private @Nullable Busy tryAsHead(Waiter waiter, @Nullable Busy busy) throws IOException {
        engineLock.lock();
        try {
            if (!isHeadOfFree(waiter)) {
                return null;
            }
            if (busy != null && hasKernelWaiter(busy.waitFor()) && clock().nanos() < busy.retryAt()) {
                engine.setWaiterMark(true);
                return busy;
            }
            Busy found = take(waiter.request.terms(waiter.thread), true);
            if (found == null) {
                waiter.given = grant(waiter.request, waiter.thread, waiter.since);
            }
            return found;
        } finally {
            engineLock.unlock();
        }
    }

    /** In turn: makes a grant of what is {@link #owned}. Once it is there, nothing is thrown any more: nobody would have its handle. */
    private Handle grant(AcquireRequest request, Thread thread, long since) {
        Grant fresh = new Grant(this, owned, request, thread);
        Handle handle = new Handle(fresh, locks.forgotten(), request.acquiredHere());
        long waited = clock().nanos() - since;
        askedAgain = since - gaveBackAt < YIELDED_NANOS ? Math.min(askedAgain + 1, 2 * LOOP) : Math.max(askedAgain - 1, 0);
        stateLock.lock();
        try {
            replaceGrant(fresh);
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

    /** In turn and under the mutex: the grant that was here, if any, has ended with this. */
    private void replaceGrant(@Nullable Grant next) {
        Grant before = grant;
        if (before != null) {
            before.ended();
        }
        grant = next;
    }

    /** How long the head sleeps before it tries again, unless a bell wakes it. */
    private long pauseAfter(Busy busy, int tries) {
        long now = clock().nanos();
        if (busy.waitFor() == Busy.PACED) {
            return Math.max(busy.retryAt() - now, FIRST_PAUSE_NANOS);
        }
        long untilRetry = Math.max(busy.retryAt() - now, 0) + 10_000;
        long jittered = FIRST_PAUSE_NANOS + ThreadLocalRandom.current().nextLong(FIRST_PAUSE_NANOS);
        if (tries < QUICK_TRIES) {
            return Math.min(untilRetry, jittered << tries);
        }
        boolean rings = busy.waitFor() != Busy.NOTHING && startKernelWaiter(busy.waitFor());
        long longest = rings ? EngineLock.WAITER_MARK_NANOS / 2 : Math.min(LONGEST_PAUSE_NANOS, jittered << Math.min(tries, 10));
        return Math.min(busy.waitFor() == Busy.NOTHING ? Math.max(untilRetry, jittered) : untilRetry, longest);
    }

    /** Has a thread wait in the kernel on behalf of the head. False if there are too many of them: then the head polls. */
    private boolean startKernelWaiter(int what) {
        stateLock.lock();
        try {
            if (isKernelWaiter(what)) {
                return true;
            }
            boolean refused = kernelWaitRefusedUntil != 0 && kernelWaitRefusedUntil - System.nanoTime() > 0;
            boolean rings = !refused && locks.runKernelWaiter(() -> waitInKernel(what));
            setKernelWaiter(what, rings);
            return rings;
        } finally {
            stateLock.unlock();
        }
    }

    /** Under the mutex. */
    private boolean isKernelWaiter(int what) {
        return (kernelWaiters & 1 << what) != 0;
    }

    /** Under the mutex. */
    private void setKernelWaiter(int what, boolean rings) {
        kernelWaiters = rings ? kernelWaiters | 1 << what : kernelWaiters & ~(1 << what);
    }

    private boolean hasKernelWaiter(int what) {
        stateLock.lock();
        try {
            return what >= 0 && isKernelWaiter(what);
        } finally {
            stateLock.unlock();
        }
    }

    /** On a thread of its own. It cannot be cancelled; once it has the byte and nobody wants it any more, it gives it back. */
    private void waitInKernel(int what) {
        boolean got = false;
        try {
            engine.awaitKernel(what);
            got = true;
        } catch (IOException | RuntimeException | Error e) {
            untidy = true; // it may be ours all the same
            log.debug("{}: the kernel will not let us wait (it sees a deadlock between processes, or the directory is gone); polling", engine, e);
        }
        GrowingPause pause = new GrowingPause();
        while (!isDelivered(what, got)) {
            pause.rest();
        }
    }

    /** {@return false if something was thrown: then it is to be tried again, or the byte would be nobody's} */
    private boolean isDelivered(int what, boolean got) {
        engineLock.lock();
        try {
            Waiter head;
            stateLock.lock();
            try {
                setKernelWaiter(what, false);
                kernelWaitRefusedUntil = got ? 0 : System.nanoTime() + REFUSED_NANOS;
                head = grant == null && owned == null ? head() : null; // for one that lingers the head needs no byte: rule 3, never both
            } finally {
                stateLock.unlock();
            }
            if (got && head != null) {
                engine.acceptAwaited(what);
            } else {
                engine.declineAwaited(what); // also if waiting failed: the byte may be ours all the same
            }
            if (head != null) {
                head.wake(); // also if it has to poll from now on: it sleeps for long, since it was to be woken
            }
            return true;
        } catch (RuntimeException | Error e) {
            trouble.warn(engine + ": what was waited for in the kernel could not be passed on", e);
            return false;
        } finally {
            engineLock.unlock();
        }
    }

    /** Whatever came of it, the waiter stands in nobody's way any more. */
    private void leave(Waiter waiter, @Nullable Handle taken) {
        boolean empty;
        Handle late;
        stateLock.lock();
        try {
            queue.remove(waiter);
            late = taken == null ? waiter.given : null;
            empty = head() == null;
            wakeHeadOfFree();
        } finally {
            stateLock.unlock();
        }
        if (late != null) {
            late.close(); // it was given to one who was just giving up
        }
        if (empty) {
            declineAwaited();
        }
    }

    /** A byte that a waiting thread got for a head that has gone. */
    private void declineAwaited() {
        untidy = true; // if this fails, the keeper tries it again
        engineLock.lock();
        try {
            if (!isClaimed()) {
                engine.declineAllAwaited();
            }
        } finally {
            engineLock.unlock();
        }
    }

    /** Under the mutex. */
    private void wakeHeadOfFree() {
        Waiter head = isFree() ? head() : null;
        if (head != null) {
            head.wake();
        }
    }

    /** {@return what was to be locked, as its user wrote it} */
    String shown(AcquireRequest request) {
        return request.shown() + (engine.target() == null ? "" : ".lock");
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

    private LockTimeoutException timeout(Waiter waiter, @Nullable Busy busy) {
        Grant held = grant();
        Thread holder = held == null ? null : held.owner();
        Duration waited = Duration.ofNanos(clock().nanos() - waiter.since);
        String locked = shown(waiter.request);
        try {
            if (busy != null && busy.trouble() != null) {
                throw busy.trouble();
            }
            LockReport report = engine.inspect();
            return new LockTimeoutException(text(waiter, locked, report, holder, busy), report, waited, null);
        } catch (IOException | RuntimeException | Error e) {
            LockReport unknown = new LockReport(engine.name(), engine.lockFile(), LockReport.State.HELD, null,
                    List.of("who holds it cannot be told: " + e), "");
            return new LockTimeoutException(text(waiter, locked, unknown, holder, busy), unknown, waited, e);
        }
    }

    /** A timeout is told as one, also where there is no memory, or no descriptor, for all that it could say. */
    private String text(Waiter waiter, String locked, LockReport report, @Nullable Thread holder, @Nullable Busy busy) {
        try {
            return TimeoutMessage.of(waiter.request, locked, report, holder, busy, clock().instant());
        } catch (RuntimeException | Error e) {
            return "session file locked (timeout " + waiter.request.options().timeout().toMillis() + "ms): pid=unknown " + locked + " (more could not be said: "
                    + e + ")";
        }
    }

    // ---- giving back ----

    /** A handle was closed by its user. */
    void close(Handle.Ref ref) {
        Grant held = ref.grant();
        HandleCloseResult left = letGo(ref);
        // No switch in here: the class that the compiler makes of one over an enum would be unusable for good, were there no memory at its first use.
        if (left == HandleCloseResult.OTHERS_REMAIN) {
            held.publisher().releasedOne();
        } else if (left == HandleCloseResult.LAST) {
            released(held);
        }
        if (left == HandleCloseResult.LAST || left == HandleCloseResult.LOST_LAST) {
            endForUser(held);
        } else if (left == HandleCloseResult.LINGERS_UNKNOWN) {
            locks.startIdleChecks(this);
        }
    }

    /** A handle was found unreachable, and it had not been closed. The keeper calls it: memory only. */
    void forgotten(Handle.Ref ref) {
        if (!ref.close()) {
            return;
        }
        Grant held = ref.grant();
        boolean last = isLast(ref);
        String advice = ref.acquiredHere() == null ? "use try-with-resources; LockOptions.withLeakDetectionThreshold tells where it was acquired"
                : "use try-with-resources";
        Loggers.EVENTS.warn("a handle of {} was never closed and nobody refers to it any more: acquired at {} by thread \"{}\"{}; {}",
                engine, held.acquiredAt(), held.hold().thread(), purpose(held), advice, last ? null : ref.acquiredHere()); // the last one's is told with the loss
        if (last) {
            lose(held, Reason.LEAKED);
        }
        HandleCloseResult left = letGo(ref);
        if (left == HandleCloseResult.OTHERS_REMAIN) {
            held.publisher().releasedOne();
        } else if (left == HandleCloseResult.LAST) {
            released(held); // the others were closed this moment
        } else if (left == HandleCloseResult.LINGERS_UNKNOWN) {
            locks.startIdleChecks(this);
        }
        locks.wakeKeeper(); // what has no handle any more is ending, and given back at the next look
    }

    /** How a handle left its grant. */
    private enum HandleCloseResult {
        OTHERS_REMAIN, LAST, LINGERS, LINGERS_UNKNOWN, LOST, LOST_LAST,
        /** The keeper had closed it on its user's behalf. */
        BEFORE
    }

    private HandleCloseResult letGo(Handle.Ref ref) {
        Grant held = ref.grant();
        stateLock.lock();
        try {
            if (!held.has(ref)) {
                return HandleCloseResult.BEFORE;
            }
            boolean last = held.remove(ref);
            if (held.lost() != null) {
                return last && held.beginEnding() ? HandleCloseResult.LOST_LAST : HandleCloseResult.LOST;
            } else if (!last) {
                return HandleCloseResult.OTHERS_REMAIN;
            } else if (!mayLinger(held)) {
                held.beginEnding(); // at once: if giving it back fails, the keeper sees it
                return HandleCloseResult.LAST;
            }
            released(held); // under the mutex: before the next user, who may come at once, is told of
            return held.linger() ? HandleCloseResult.LINGERS_UNKNOWN : HandleCloseResult.LINGERS;
        } finally {
            stateLock.unlock();
        }
    }

    private void released(Grant held) {
        held.publisher().released(this, held.token(), held.acquiredNanos());
        LockEvents.released(held.held(), this, held.token(), held.acquiredNanos());
    }

    /** A handle is no longer bound to its thread; of one that was closed meanwhile the grant may be another user's. */
    void detach(Handle.Ref ref) {
        stateLock.lock();
        try {
            if (ref.grant().has(ref)) {
                ref.grant().detach();
            }
        } finally {
            stateLock.unlock();
        }
    }

    /** Under the mutex: whether a lock that its last user here has closed stays for the next one. Never throws: it has no handle any more. */
    private boolean mayLinger(Grant held) {
        try {
            return held.mayLinger() && head() == null && !held.publisher().isClosed() && !locks.isEnding() && !isWanted(held) && !isShared(held);
        } catch (RuntimeException | Error e) {
            trouble.warn(engine + ": it does not linger", e);
            return false;
        }
    }

    // ---- turns between processes ----

    private boolean othersWait(Hold hold) {
        return engine.othersWait(hold, EngineLock.WAITER_MARK_NANOS);
    }

    /** {@return whether another process waits for what a user here has closed, and is to have it now} */
    private boolean isOthersTimeSlice(Grant closed) {
        return othersWait(closed.hold()) && !mayGoOn(closed);
    }

    /** Under the mutex. {@return whether another process wants what a user here has closed, if only by trying once, and is to find it free} */
    private boolean isWanted(Grant closed) {
        if (!engine.othersTryOrWait(closed.hold(), EngineLock.WAITER_MARK_NANOS)) {
            return false;
        }
        contention.seen(clock().nanos());
        return !mayGoOn(closed);
    }

    /**
     * Under the mutex. {@return whether a lock that a user here has closed is to be found free by other processes, since they use it, too} What is used in
     * a loop stays until another process wants it: a turn between processes costs more than many brief users.
     */
    private boolean isShared(Grant closed) {
        return contention.counts(closed.acquiredNanos()) && askedAgain < LOOP;
    }

    private boolean mayGoOn(Grant closed) {
        return clock().nanos() - closed.acquiredNanos() < BRIEF_NANOS && !isSliceOver();
    }

    private boolean isSliceOver() {
        return clock().nanos() - hereSince >= TIME_SLICE_NANOS;
    }

    // ---- ending ----

    private boolean isLast(Handle.Ref ref) {
        stateLock.lock();
        try {
            return ref.grant().isLast(ref);
        } finally {
            stateLock.unlock();
        }
    }

    private static String purpose(Grant held) {
        return held.hold().terms().purpose() == null ? "" : " for \"" + held.hold().terms().purpose() + "\"";
    }

    /** As {@link #end}. What goes wrong is none of the user's business, who has closed it: the keeper tries it again. */
    private void endForUser(Grant held) {
        try {
            end(held);
        } catch (RuntimeException e) {
            trouble.warn(engine + ": could not be given back", e);
            locks.wakeKeeper();
        }
    }

    /** Nobody has a handle of this grant any more, or its time to close them is over. */
    private void end(Grant held) {
        engineLock.lock();
        try {
            endUnderEngineLock(held);
        } finally {
            engineLock.unlock();
        }
    }

    /** Gives it back, or hands it over. Whatever is thrown, it can be called again, and goes on where it was. */
    private void endUnderEngineLock(Grant held) {
        if (!beginEnding(held)) {
            return;
        }
        boolean othersTurn = isOthersTimeSlice(held);
        boolean passable = owned != null && held.lost() == null && held.isValid(clock().nanos()) && !(othersTurn && isSliceOver());
        if (!passable || !handOver()) {
            giveBack(othersTurn);
        }
    }

    private boolean beginEnding(Grant held) {
        stateLock.lock();
        try {
            return held == grant && held.beginEnding();
        } finally {
            stateLock.unlock();
        }
    }

    /** In turn. {@return whether another thread of this JVM has it now; else it is to be given back} */
    private boolean handOver() {
        while (true) {
            Waiter next;
            stateLock.lock();
            try {
                next = head();
            } finally {
                stateLock.unlock();
            }
            if (next == null || next.request.publisher().isClosed()) {
                return false;
            }
            try {
                Hold passed = engine.handOver(owned, next.request.terms(next.thread));
                if (passed == null) {
                    return false;
                }
                owned = passed;
            } catch (IOException e) {
                log.warn("could not hand {} on within this JVM; it is given back instead", engine, e);
                return false;
            }
            if (give(next)) {
                return true;
            }
        }
    }

    /** False if it has left meanwhile. */
    private boolean give(Waiter next) {
        Grant fresh = new Grant(this, owned, next.request, next.thread);
        Handle handle = new Handle(fresh, locks.forgotten(), next.request.acquiredHere());
        stateLock.lock();
        try {
            if (head() != next) {
                return false;
            }
            queue.pollFirst();
            replaceGrant(fresh);
            next.given = handle;
        } finally {
            stateLock.unlock();
        }
        next.request.publisher().acquired(fresh, clock().nanos() - next.since);
        locks.scheduleWithin(fresh.withinNanos());
        next.wake();
        return true;
    }

    // ---- lingering ----

    /** In turn. {@return what lingered here, which nobody can take again from now on; null if nothing did} */
    private @Nullable Grant stopLingering() {
        stateLock.lock();
        try {
            Grant warm = grant;
            return warm != null && warm.lingers() && warm.beginEnding() ? warm : null;
        } finally {
            stateLock.unlock();
        }
    }

    /** In turn. {@return whether what lingered is {@link #owned} on new terms; else it was given back} */
    private boolean handOverIdle(Grant warm, Terms terms) {
        try {
            Hold passed = warm.isValid(clock().nanos()) ? engine.handOver(owned, terms) : null;
            if (passed != null) {
                owned = passed;
                return true;
            }
        } catch (IOException e) {
            log.warn("could not take {} again within this JVM; it is given back instead", engine, e);
        }
        giveBack(false);
        return false;
    }

    /** In turn: gives back what lingers here. */
    private void endLingering() {
        Grant warm = stopLingering();
        if (warm != null) {
            giveBack(isOthersTimeSlice(warm));
        }
    }

    /**
     * The keeper's glance, memory only.
     *
     * @return in how many nanoseconds it should glance here again; 0 if what lingers here is {@linkplain #endLingeringIfIdle to be given
     *     back}, since it has lingered for long enough, or is wanted elsewhere; {@link Long#MAX_VALUE} if nothing here will linger any more
     */
    long checkIdle(long now) {
        if (!stateLock.tryLock()) {
            return 10 * IDLE_CHECK_NANOS; // its disk does not answer
        }
        try {
            Grant warm = grant;
            if (warm == null || !warm.isIdleCheckRequested(now)) {
                locks.stopIdleChecks(this);
                return Long.MAX_VALUE;
            }
            boolean due = warm.lingers() && (warm.hasLingered(now) || warm.publisher().isClosed() || isWanted(warm));
            return due ? 0 : Math.max(IDLE_CHECK_NANOS, Math.min(warm.idleNanos(now) / 8, 10 * IDLE_CHECK_NANOS));
        } finally {
            stateLock.unlock();
        }
    }

    /** As {@link #endLingeringIfIdle}, if that is due. */
    void endLingeringIfDue() {
        if (checkIdle(clock().nanos()) == 0) {
            endLingeringIfIdle();
        }
    }

    /** Gives back what lingers here, unless somebody is at it. */
    void endLingeringIfIdle() {
        if (engineLock.tryLock()) {
            try {
                endLingering();
            } finally {
                engineLock.unlock();
            }
        }
    }

    /** In turn: the engine gets back what is {@link #owned}. If it throws, nothing has changed here, and this can be called again. */
    private void giveBack(boolean othersTurn) {
        Hold hold = owned;
        if (hold != null) {
            if (locks.isKeeper()) {
                engine.releaseSoon(hold);
            } else {
                engine.release(hold);
            }
            owned = null;
        }
        untidy = true;
        leftAt = clock().nanos();
        gaveBackAt = leftAt;
        if (othersTurn) {
            awayUntil = System.nanoTime() + AWAY_NANOS + ThreadLocalRandom.current().nextLong(AWAY_NANOS);
        }
        stateLock.lock();
        try {
            replaceGrant(null);
            usedAt = System.nanoTime();
            wakeHeadOfFree();
        } finally {
            stateLock.unlock();
        }
        untidy = !engine.tidy();
    }

    // ---- losing ----

    private void lose(Grant held, Reason reason) {
        lose(held, held.token(), reason);
    }

    private void lose(Grant held, long token, Reason reason) {
        lose(held, token, reason, LossMessages.of(held, reason));
    }

    /** @param token that of the user who was judged; another may have it by now */
    private void lose(Grant held, long token, Reason reason, String how) {
        LockLostException why;
        List<Handle.Ref> told;
        stateLock.lock(); // so that a handle that is being closed is counted either as released or as lost
        try {
            if (held.token() != token && isForOneUser(reason)) {
                return; // he has closed it meanwhile, and it is the next one's
            }
            why = because(new LockLostException(reason, clock().instant(), lossOf(held, how)), held.acquiredHere());
            if (!held.lose(why) || held.lingers()) {
                return; // it was lost before, or nobody has it, and nobody is told
            }
            told = held.handles();
        } finally {
            stateLock.unlock();
        }
        held.publisher().lost(held, why, told.size());
        for (Handle.Ref ref : told) {
            Handle handle = ref.get();
            if (handle != null) {
                handle.lost(why);
            }
        }
        locks.wakeKeeper();
    }

    private String lossOf(Grant held, String how) {
        return "lost the lock " + engine + " (token " + held.token() + ", held by thread \""
                + held.hold().thread() + "\" since " + held.acquiredAt() + "): " + how
                + ". Nothing may be written under it any more; acquire it again and look at what was written since";
    }

    /** {@return whether what is judged is what one user did, and not what became of the lock itself} */
    private static boolean isForOneUser(Reason reason) {
        return reason == Reason.MAX_HOLD || reason == Reason.RELEASE_REQUESTED;
    }

    /**
     * A user found that its grant does not hold.
     *
     * @param token that user's
     * @return why, with the stack of who asks; null if it was closed meanwhile, and is another's
     */
    @Nullable LockLostException expired(Grant held, long token) {
        if (held.lost() == null) {
            loseToTime(held, token, clock().nanos());
        }
        LockLostException lost = held.lost();
        return lost == null ? null : because(new LockLostException(lost.reason(), lost.since(), lost.getMessage()), lost.getCause());
    }

    private static LockLostException because(LockLostException lost, @Nullable Throwable acquiredHere) {
        if (acquiredHere != null) {
            lost.initCause(acquiredHere);
        }
        return lost;
    }

    /** Takes it away from whoever has it here, as if it had come about by itself. {@return whether anybody had it} */
    boolean loseNow(Reason reason) {
        engineLock.lock();
        try {
            Grant held = grant();
            endLingering();
            boolean had = held != null && held.isLive() && held.lost() == null;
            if (had) {
                lose(held, reason);
                if (isOver(held)) {
                    endUnderEngineLock(held);
                }
            }
            return had;
        } finally {
            engineLock.unlock();
        }
    }

    private void loseToTime(Grant held, long token, long now) {
        lose(held, token, held.expiry(now));
    }

    /** A renewal came too late, or found that somebody else has had our bytes. */
    private void loseToRenewal(Grant held, long token, long now) {
        if (held.isValid(now)) {
            lose(held, token, Reason.KERNEL_LOCK_LOST, "the kernel had lost its lock, and another process has had it since");
        } else {
            loseToTime(held, token, now);
        }
    }

    // ---- what the keeper and verifyHeld do ----

    /** Takes away what its holder may not have any longer, by the clock. Memory only, and never throws. */
    void loseIfOver() {
        Grant held = grantIfAtOnce();
        if (held == null || held.lost() != null) {
            return;
        }
        try {
            long token = held.token(); // before it is judged
            long now = clock().nanos();
            if (held.isLive() && !held.isValid(now)) {
                loseToTime(held, token, now);
            }
        } catch (RuntimeException | Error e) {
            trouble.warn(engine + ": could not be taken away", e);
        }
    }

    /** Looks after what is held here, and finishes what is ending. Never waits for the turn: a missed look comes again. */
    void maintain(boolean deeply) {
        Grant held = grant();
        if (held == null && !untidy && !isWaitedFor()) {
            return;
        }
        if (engineLock.tryLock()) {
            maintainUnderEngineLock(deeply);
        }
    }

    /** {@return whether a thread of this JVM waits for it} */
    boolean isWaitedFor() {
        stateLock.lock();
        try {
            return head() != null;
        } finally {
            stateLock.unlock();
        }
    }

    /** Renews what is due, and nothing else: looking after many locks may take longer than a lease. Never waits, and never throws. */
    void renewInTime() {
        Grant held = grant();
        if (held != null && held.isLive() && isRenewalDue(held, clock().nanos()) && engineLock.tryLock()) {
            try {
                if (held.isLive() && held.lost() == null) {
                    renewIfDue(held, held.token(), clock().nanos());
                }
            } catch (RuntimeException | Error e) {
                trouble.warn(engine + ": could not be looked after", e);
            } finally {
                engineLock.unlock();
            }
        }
    }

    private static boolean isRenewalDue(Grant held, long now) {
        return now - held.hold().renewedAt() >= held.renewEvery() || !held.hold().isRecorded();
    }

    /** Having got the turn, which is given back. Never throws: whatever it is, the other locks' leases must not run out for it. */
    private void maintainUnderEngineLock(boolean deeply) {
        try {
            Grant held = grant();
            if (held == null) {
                maintainFree();
                return;
            }
            closeHalfClosed(held);
            if (held.isLive()) {
                maintain(held, deeply);
            } else if (held.state() == Grant.State.ENDING) {
                endUnderEngineLock(held);
            }
        } catch (IOException | RuntimeException | Error e) {
            trouble.warn(engine + ": could not be looked after", e);
        } finally {
            engineLock.unlock();
        }
    }

    /** Nobody has it. What one had got to whom something was thrown goes back, and if somebody waits, he is not forgotten. */
    private void maintainFree() {
        if (owned != null) {
            giveBack(false);
        } else if (untidy) {
            if (!isClaimed()) {
                engine.declineAllAwaited();
            }
            untidy = !engine.tidy();
        }
        stateLock.lock();
        try {
            wakeHeadOfFree();
        } finally {
            stateLock.unlock();
        }
    }

    /** A handle whose closing was broken off is closed on its user's behalf; what has no handle at all is to end. */
    private void closeHalfClosed(Grant held) {
        Handle.Ref halfClosed;
        stateLock.lock();
        try {
            halfClosed = held.halfClosed();
            if (held.state() == Grant.State.HELD && !held.isOpen()) {
                held.beginEnding();
            }
        } finally {
            stateLock.unlock();
        }
        if (halfClosed != null) {
            close(halfClosed);
        }
    }

    /** Renews before it looks: renewing takes no descriptor, and must not fail because looking does. */
    private void maintain(Grant held, boolean deeply) throws IOException {
        long token = held.token(); // before it is judged
        long now = clock().nanos();
        if (held.lost() == null && !held.isValid(now)) {
            loseToTime(held, token, now);
        }
        if (held.lost() == null || !isOver(held)) {
            renewIfDue(held, token, now);
        }
        if (held.lost() == null) {
            revokeUnlessIntact(held, deeply);
            warnOfLeak(held, now);
        }
        if (held.lost() != null && isOver(held)) {
            endUnderEngineLock(held);
        }
    }

    /** Says, once, that somebody may have forgotten to close it. */
    private void warnOfLeak(Grant held, long now) {
        Throwable acquiredHere;
        stateLock.lock();
        try {
            if (!held.suspect(now)) {
                return;
            }
            acquiredHere = held.acquiredHere();
        } finally {
            stateLock.unlock();
        }
        log.warn("{} is held for longer than leakDetectionThreshold ({} ms), since {} by thread \"{}\"{}: was it forgotten to be closed?", engine,
                held.options().leakDetectionThreshold().toMillis(), held.acquiredAt(), held.hold().thread(), purpose(held), acquiredHere);
    }

    /** Also one that was revoked: until its grace is over others must not come in by the other seat. */
    private void renewIfDue(Grant held, long token, long now) {
        if (!isRenewalDue(held, now)) {
            return;
        }
        boolean renewed;
        try {
            renewed = engine.renew(held.hold(), held.holdUntilMillis(now));
        } catch (IOException | RuntimeException | Error e) {
            held.renewalTrouble = e;
            trouble.warn(engine + ": its lease could not be renewed", e);
            return;
        }
        held.renewalTrouble = null;
        if (!renewed) {
            loseToRenewal(held, token, clock().nanos());
            endUnderEngineLock(held);
        }
    }

    private boolean isOver(Grant held) {
        LockLostException lost = held.lost();
        boolean noGrace = lost.reason() == Reason.LEASE_EXPIRED || lost.reason() == Reason.KERNEL_LOCK_LOST;
        return noGrace || isIdle(held) || clock().nanos() - held.revokedAt() >= held.options().revokeGrace().toNanos();
    }

    private boolean isIdle(Grant held) {
        stateLock.lock();
        try {
            return held.lingers();
        } finally {
            stateLock.unlock();
        }
    }

    private void revokeUnlessIntact(Grant held, boolean deeply) throws IOException {
        long token = held.token(); // before it is judged
        EngineLock.HoldStatus standing = engine.check(held.hold(), deeply);
        long now = clock().nanos();
        if (standing != EngineLock.HoldStatus.INTACT && !held.isValid(now)) {
            loseToTime(held, token, now); // frozen since the last look: it was a successor who put its record in place of ours
            return;
        }
        if (standing == EngineLock.HoldStatus.REMOVED) {
            lose(held, Reason.REMOVED_BY_HAND);
        } else if (standing == EngineLock.HoldStatus.REQUESTED) {
            lose(held, token, Reason.RELEASE_REQUESTED);
        } else if (standing == EngineLock.HoldStatus.LOST) {
            lose(held, Reason.KERNEL_LOCK_LOST);
        }
    }

    /** A user wants to know for certain. */
    void verify(Grant held) throws IOException {
        engineLock.lock();
        try {
            if (held.isLive() && held.lost() == null) {
                renewIfDue(held, held.token(), clock().nanos()); // the keeper, which never waits, would never find the turn free beside one that verifies in a loop
            }
            if (held.isLive() && held.lost() == null) {
                engine.lookAfresh();
                revokeUnlessIntact(held, true);
            }
        } finally {
            engineLock.unlock();
        }
    }

    /** Takes away what a dead owner has left; in turn, so that it meets no acquisition of this JVM half-way. */
    EngineLock.Cleared clear(boolean takeStrangers) throws IOException {
        engineLock.lock();
        try {
            endLingering();
            return grant() == null ? engine.clear(takeStrangers)
                    : new EngineLock.Cleared(EngineLock.ClearOutcome.KEPT, "a thread of this JVM holds it");
        } finally {
            engineLock.unlock();
        }
    }

    /** {@return in how many nanoseconds the keeper should look again, for the sake of what is held here} */
    long nextLook(long now) {
        Grant held = grantIfAtOnce();
        if (held == null) {
            return Long.MAX_VALUE;
        } else if (held.state() == Grant.State.ENDING) {
            return endAgain();
        }
        long grace = held.lost() == null ? Long.MAX_VALUE : held.revokedAt() + held.options().revokeGrace().toNanos() - now;
        if (grace <= 0) {
            return endAgain();
        }
        long hold = held.lost() == null ? Math.min(held.holdLeft(now), untilSuspected(held, now)) : Long.MAX_VALUE;
        return Math.min(Math.min(held.hold().terms().leaseNanos() / 4, held.renewEvery()), Math.min(hold, grace));
    }

    private long untilSuspected(Grant held, long now) {
        stateLock.lock();
        try {
            return held.untilSuspected(now);
        } finally {
            stateLock.unlock();
        }
    }

    /** Seldomer while somebody is at it: perhaps its disk does not answer. */
    private long endAgain() {
        return engineLock.isLocked() ? LONG_ENDING_AGAIN_NANOS : ENDING_AGAIN_NANOS;
    }

    // ---- when the clock is moved by hand ----

    /** {@return for how many nanoseconds nothing is due here} */
    long nothingIsDueFor(long now) {
        long soonest = nextLook(now);
        stateLock.lock();
        try {
            for (Waiter waiter : waiters()) {
                soonest = Math.min(soonest, Math.min(TimeUnit.SECONDS.toNanos(1), waiter.patience - (now - waiter.since)));
            }
            return soonest;
        } finally {
            stateLock.unlock();
        }
    }

    /** Does what is due by now, and has those who wait look at the clock. */
    void catchUp() {
        engineLock.lock();
        maintainUnderEngineLock(false);
        wakeAll();
    }

    /** Waits until those who wait have looked at the clock and sleep again, or are through. */
    void settle(long now, long deadline) {
        while (isRestless(now) && System.nanoTime() - deadline < 0) {
            LockSupport.parkNanos(TimeUnit.MICROSECONDS.toNanos(20));
        }
    }

    private boolean isRestless(long now) {
        stateLock.lock();
        try {
            return waiters().stream().anyMatch(waiter -> waiter.settledAt < now);
        } finally {
            stateLock.unlock();
        }
    }

    // ----

    private @Nullable Grant grant() {
        stateLock.lock();
        try {
            return grant;
        } finally {
            stateLock.unlock();
        }
    }

    /** For the keeper, who waits for nobody. {@return what is here; null if nothing is, or if somebody keeps the mutex for long} */
    private @Nullable Grant grantIfAtOnce() {
        if (!stateLock.tryLock()) {
            return null;
        }
        try {
            return grant;
        } finally {
            stateLock.unlock();
        }
    }

    /** {@return whether somebody holds it here} */
    boolean isHeld() {
        return grant() != null;
    }

    /** {@return who holds it and could still close it; null if nobody} */
    @Nullable Grant open() {
        Grant held = grant();
        return held != null && held.lost() == null && held.isLive() && !isIdle(held) ? held : null;
    }

    /** The JVM ends: whoever holds it has lost it. Memory only, and never throws; see {@link #tidyAsTheJvmEnds}. */
    void abandon() {
        try {
            Grant held = grant();
            if (held != null && isAbandoned(held)) {
                lose(held, Reason.SHUTDOWN);
            }
        } catch (RuntimeException | Error e) {
            trouble.warn(engine + ": could not be given up in good order as the JVM ends", e);
        }
    }

    /**
     * The JVM ends: what lingers is given back; the record of what was {@linkplain #abandon abandoned} goes, while its kernel lock stays until the
     * process is gone. Never throws, and never waits for one who is stuck in the engine.
     */
    void tidyAsTheJvmEnds() {
        boolean mine = false;
        try {
            Grant held = grant();
            if (held == null || !isIdle(held) && held.state() != Grant.State.ABANDONED) {
                return;
            }
            mine = engineLock.tryLock() || engineLock.tryLock(ABANDON_PATIENCE_NANOS, TimeUnit.NANOSECONDS);
            if (mine) {
                endLingering();
                if (held.state() == Grant.State.ABANDONED) {
                    engine.abandon(held.hold());
                }
            }
        } catch (InterruptedException | RuntimeException | Error e) {
            trouble.warn(engine + ": could not be tidied up as the JVM ends", e);
        } finally {
            if (mine) {
                engineLock.unlock();
            }
        }
    }

    private boolean isAbandoned(Grant held) {
        stateLock.lock();
        try {
            return held.abandon();
        } finally {
            stateLock.unlock();
        }
    }

    /** Wakes those who wait on behalf of somebody who waits no more. */
    void wakeAll() {
        stateLock.lock();
        try {
            waiters().forEach(Waiter::wake);
        } finally {
            stateLock.unlock();
        }
    }

    /** {@return whether this cell has not been used for a while and takes no more users} */
    boolean retire(long idleNanos) {
        stateLock.lock();
        try {
            boolean used = users > 0 || grant != null || owned != null || kernelWaiters != 0;
            if (!retired && !used && !untidy && System.nanoTime() - usedAt >= idleNanos) {
                retired = true;
            }
            return retired;
        } finally {
            stateLock.unlock();
        }
    }
}

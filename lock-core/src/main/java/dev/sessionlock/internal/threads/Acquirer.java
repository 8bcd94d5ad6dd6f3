package dev.sessionlock.internal.threads;

import dev.sessionlock.LockLostException;
import dev.sessionlock.LockMode;
import dev.sessionlock.LockTimeoutException;
import dev.sessionlock.internal.system.Log;
import dev.sessionlock.internal.system.Loggers;
import dev.sessionlock.internal.system.RareLog;
import dev.sessionlock.spi.Busy;
import dev.sessionlock.spi.Clock;
import dev.sessionlock.spi.EngineLock;
import dev.sessionlock.spi.Terms;
import java.io.IOException;
import java.util.concurrent.ThreadLocalRandom;
import java.util.concurrent.locks.ReentrantLock;
import org.jspecify.annotations.Nullable;

/**
 * How the threads of this JVM get one lock: a first try; then a place in the {@link WaitQueue}, whose head alone tries again. A thread that finds somebody in the queue
 * takes only what is free in memory, and only as long as {@link EventualFairness} allows it to overtake. {@link Backoff} says when the head tries again,
 * {@link FairnessPolicy} whether this process may. Made for one call; it keeps nothing.
 */
final class Acquirer {
    private static final Log log = Loggers.LIBRARY;
    private static final RareLog trouble = new RareLog(log, "a byte that nobody needs any more could not be given back, and is tried again");
    /** No pause: the waiter has its handle. */
    static final long GIVEN = -1;
    /** For about as long as a try takes; none where there is no second processor. */
    private static final int SPINS = Runtime.getRuntime().availableProcessors() > 1 ? 2_000 : 0;
    /** For how long to wait for another process without sleeping: less than it takes to sleep and to wake. None where there is no second processor. */
    private static final long SPIN_NANOS = SPINS > 0 ? 50_000 : 0;

    /** How long a reader sleeps that may have a share of what others here read, but for the engine: it keeps readers out while another process waits. */
    private static final long HELD_UP_NANOS = EngineLock.WAITER_MARK_NANOS / 4;

    private final LocalLock lock;
    private final EngineLock engine;
    private final ReentrantLock engineLock;
    private final MemoryLock stateLock;
    private final WaitQueue queue;
    private final FairnessPolicy fairness;
    private final OwnedHold owned;

    Acquirer(LocalLock lock) {
        this.lock = lock;
        this.engine = lock.engine();
        this.engineLock = lock.engineLock();
        this.stateLock = lock.stateLock();
        this.queue = lock.queue();
        this.fairness = lock.fairness();
        this.owned = lock.owned();
    }

    private Clock clock() {
        return lock.clock();
    }

    /**
     * Waits for the lock. The caller has {@linkplain LocalLock#addUser counted itself in}.
     *
     * @param timeoutNanos for how long; 0 or less for one try
     * @param since when the waiting began, monotonic nanoseconds
     * @throws LockTimeoutException if the lock didn't become free in time
     * @throws InterruptedException if the thread is interrupted while it waits; the caller has looked whether it was before
     */
    Handle acquire(AcquireRequest request, long timeoutNanos, long since) throws IOException, InterruptedException {
        Handle handle = tryOnce(request, since, true);
        return handle != null ? handle : await(new ThreadWaiter(request, timeoutNanos, since));
    }

    /**
     * One try. The caller has {@linkplain LocalLock#addUser counted itself in}. It does not wait for a thread that is taking the lock or giving it back.
     *
     * @return null if the lock is taken
     */
    @Nullable Handle tryAcquire(AcquireRequest request, long since) throws IOException {
        return tryOnce(request, since, false);
    }

    /** @param waitsNext whether the caller waits if this fails, so that trouble that will pass by itself is not its business yet */
    private @Nullable Handle tryOnce(AcquireRequest request, long since, boolean waitsNext) throws IOException {
        boolean shared = request.options().mode() == LockMode.SHARED;
        Handle joined = shared ? Joining.tryJoin(lock, request.publisher(), request.options(), Thread.currentThread()) : null;
        if (joined != null) {
            return joined;
        }
        Grant mine;
        long token;
        boolean waitedFor;
        boolean lingers;
        // One look at the state for both questions. It comes before the engine lock: threads that try in a loop must not keep the keeper from that.
        stateLock.lock();
        try {
            mine = lock.currentOfThisThread();
            token = mine == null ? 0 : mine.token();
            waitedFor = !queue.isEmpty();
            lingers = lock.current() != null && lock.current().lingers() && (waitedFor || !Releaser.isOthersTimeSlice(lock.current()));
            if (mine == null && !lock.isFree()) {
                return null;
            } else if (mine != null && mine.isValid(clock().nanos())) {
                return Reentry.again(mine, request);
            }
        } finally {
            stateLock.unlock();
        }
        if (mine != null && lock.supervisor().renewLate(mine)) {
            return tryOnce(request, since, waitsNext);
        } else if (mine != null && !request.options().reentrant()) {
            return null; // this thread has lost it, and waits like any other until its grace is over
        }
        LockLostException lost = mine == null ? null : Revocation.expired(mine, token);
        if (lost != null) {
            throw lost; // a further handle of a lock that is lost would be lost from the beginning
        }
        Handle reused = lingers && !shared ? lock.locks().idle().tryReuse(lock, request.publisher(), request.options(), Thread.currentThread()) : null;
        if (waitedFor || reused != null) {
            return reused;
        }
        if (fairness.awayNanos(System.nanoTime()) > 0 || !tryLockEngine()) {
            return null;
        }
        try {
            return tryUnderEngineLock(request, since, waitsNext);
        } finally {
            engineLock.unlock();
        }
    }

    private @Nullable Handle tryUnderEngineLock(AcquireRequest request, long since, boolean waitsNext) throws IOException {
        Thread thread = Thread.currentThread();
        Terms terms = request.terms(thread.getName());
        Grant idle;
        stateLock.lock();
        try {
            if (!lock.isFree() || !queue.isEmpty()) {
                return null;
            }
            idle = stopLingering();
        } finally {
            stateLock.unlock();
        }
        Busy busy = take(idle, terms, false, waitsNext);
        if (busy == null) {
            Handle handle = lock.grantTaken(request, thread, thread.getName(), since, null);
            LockEvents.acquired(request.asked(), lock, handle.token(), since);
            return handle;
        } else if (!waitsNext && busy.trouble() != null) {
            throw busy.trouble();
        }
        return null;
    }

    // ---- one try; under the engine lock ----

    /** Under both locks, of a lock that is {@linkplain LocalLock#isFree free}. Returns what lingered, which nobody can reuse from now on; null if nothing did. */
    private @Nullable Grant stopLingering() {
        Grant idle = lock.current();
        if (idle != null) {
            idle.beginEnding(); // if something is thrown from here on, the keeper gives it back
        }
        return idle;
    }

    /**
     * One try. What lingered is handed over on the new terms, or given back first. A try that fails may have left something behind, which the keeper then
     * tidies up.
     *
     * <p>If another process has the lock, this sets our waiter mark. It doesn't while the time slice is another process's: our mark would hide that process's own.
     *
     * @param idle what lingered until now; null if nothing did
     * @param waits false for a single try. Its mark keeps nobody away; it frees only what lingers in another process, which a process that tries now and then would
     *     never find free
     * @param spins whether the calling thread is about to wait, so that a moment more does not matter
     * @return what is in the way; null if the engine's hold is ours, for a grant
     */
    private @Nullable Busy take(@Nullable Grant idle, Terms terms, boolean waits, boolean spins) throws IOException {
        if (idle != null) {
            if (Releaser.isOthersTimeSlice(idle)) {
                lock.releaser().giveBack(lock, true);
                return new Busy(Busy.NOTHING, clock().nanos() + FairnessPolicy.AWAY_NANOS, "it is another process's turn");
            }
            if (handOverIdle(idle, terms)) {
                return null;
            }
        } else if (owned.isPresent()) {
            lock.releaser().giveBack(lock, false); // something was thrown to its taker before it had its grant
        }
        long now = clock().nanos();
        Busy busy = owned.take(terms);
        if (busy != null && spins && fairness.maySpin()) {
            busy = spin(busy, terms);
        }
        if (busy == null) {
            fairness.taken(now);
            if (engine.wasOthers(owned.hold())) {
                othersSeen(now);
            }
            return null;
        }
        fairness.foundTaken();
        engine.setWaiterMark(terms.mode(), waits);
        othersSeen(now);
        return busy;
    }

    /**
     * Another process has the lock. It mostly has it for some microseconds, which is less than a thread needs to sleep and to wake. So this thread waits for a moment
     * without sleeping, where that has paid lately.
     *
     * @return what is in the way still; null if the engine's hold is ours
     */
    private @Nullable Busy spin(Busy found, Terms terms) throws IOException {
        Busy busy = found;
        long end = System.nanoTime() + SPIN_NANOS;
        for (long left = SPIN_NANOS; busy != null && left > 0 && engine.spin(busy, left); left = end - System.nanoTime()) {
            busy = owned.take(terms);
        }
        fairness.spun(busy == null);
        return busy;
    }

    /** {@return whether what lingered is ours on the new terms; else it was given back} */
    private boolean handOverIdle(Grant idle, Terms terms) {
        try {
            boolean passesOn = !terms.shared() && !idle.hold().terms().shared(); // from a writer to a writer, since the mode of a hold never changes
            if (passesOn && idle.isValid(clock().nanos()) && owned.handOver(terms)) {
                return true;
            }
        } catch (IOException e) {
            log.warn("could not take {} again within this JVM; it is given back instead", engine, e);
        }
        lock.releaser().giveBack(lock, false);
        return false;
    }

    private void othersSeen(long now) {
        stateLock.lock();
        try {
            fairness.othersSeen(now);
        } finally {
            stateLock.unlock();
        }
    }

    // ---- waiting ----

    private Handle await(ThreadWaiter waiter) throws IOException, InterruptedException {
        try {
            enqueue(waiter);
            for (long pause = look(waiter); pause != GIVEN; pause = look(waiter)) {
                park(waiter, pause);
            }
        } catch (Throwable e) {
            leave(waiter, null);
            throw e;
        }
        try {
            leave(waiter, waiter.given);
            return waiter.given;
        } catch (Throwable e) {
            waiter.given.close(); // nobody would have it
            throw e;
        }
    }

    /** A waiter joins the queue. Whatever happens next, it must {@link #leave}. */
    void enqueue(Waiter waiter) {
        stateLock.lock();
        try {
            queue.add(waiter);
            lock.contended();
        } finally {
            stateLock.unlock();
        }
        waiter.request().publisher().waits();
        waiter.counted = true;
    }

    /**
     * What a waiter does when it begins to wait, when it is woken, and when its pause is over.
     *
     * @return for how many nanoseconds it sleeps now, unless it is woken; {@link #GIVEN} if it has its handle
     * @throws LockTimeoutException if its timeout is over
     */
    long look(Waiter waiter) throws IOException {
        EventPublisher publisher = waiter.request().publisher();
        while (true) {
            boolean woken = waiter.clearWoken();
            long now = clock().nanos();
            if (waiter.request().options().mode() == LockMode.SHARED) {
                Joining.letIn(lock); // perhaps this one, perhaps only those before it
            }
            Handle given = given(waiter);
            if (given != null) {
                LockEvents.acquired(waiter.request().asked(), lock, given.token(), waiter.since());
                return GIVEN;
            }
            lock.locks().ensureOpen(publisher);
            long pause = heldUp(waiter) ? HELD_UP_NANOS : Long.MAX_VALUE;
            if (isHeadOfFree(waiter)) {
                pause = fairness.awayNanos(System.nanoTime());
                if (pause <= 0) {
                    Busy found = tryAsHead(waiter, false, Backoff.triesItself(woken, waiter.tries) ? null : waiter.busy);
                    if (found == null) {
                        continue; // the lock is ours, or it is not free any more
                    }
                    waiter.busy = found;
                    pause = pauseAfter(waiter, found);
                    waiter.tries++;
                }
            }
            if (!waiter.contentionTold) {
                waiter.contentionTold = true;
                publisher.contended(lock);
            }
            long left = waiter.left(clock().nanos());
            if (left <= 0) {
                LockTimeoutException late = TimeoutMessage.exception(lock, waiter);
                publisher.timedOut(lock, waiter.request(), late);
                throw late;
            }
            waiter.settled(now);
            return Math.max(Math.min(pause, left), 0);
        }
    }

    private void park(ThreadWaiter waiter, long nanos) throws InterruptedException {
        waiter.park(lock, nanos);
        if (Thread.interrupted()) {
            if (given(waiter) == null) {
                throw new InterruptedException();
            }
            Thread.currentThread().interrupt(); // the lock came first: neither the lock nor the interrupt is lost
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

    private boolean heldUp(Waiter waiter) {
        stateLock.lock();
        try {
            return Joining.isHeldUp(lock, waiter);
        } finally {
            stateLock.unlock();
        }
    }

    private boolean isHeadOfFree(Waiter waiter) {
        stateLock.lock();
        try {
            return lock.isFree() && queue.head() == waiter;
        } finally {
            stateLock.unlock();
        }
    }

    /**
     * One try of the head.
     *
     * @param onBehalf whether another thread than the waiter's makes it: then the waiter may leave meanwhile
     * @param busy what was in the way a moment ago; while a thread waits in the kernel until that is over, and it can't be over by time, only the waiter mark is set
     *     again. Null to try in any case
     * @return what was in the way; null if the waiter has its handle, or if it is not the head of a free lock any more
     */
    private @Nullable Busy tryAsHead(Waiter waiter, boolean onBehalf, @Nullable Busy busy) throws IOException {
        lockEngine();
        try {
            Terms terms = waiter.terms();
            boolean marksOnly = busy != null && lock.kernelWaiter().waitsFor(busy.waitFor()) && clock().nanos() < busy.retryAt();
            Grant idle;
            stateLock.lock();
            try {
                if (!lock.isFree() || queue.head() != waiter) {
                    return null;
                }
                idle = marksOnly ? null : stopLingering();
            } finally {
                stateLock.unlock();
            }
            if (marksOnly) {
                engine.setWaiterMark(terms.mode(), true);
                return busy;
            }
            Busy found = take(idle, terms, true, !onBehalf);
            if (found == null) {
                give(waiter, onBehalf);
            }
            return found;
        } finally {
            engineLock.unlock();
        }
    }

    /** Under the engine lock, which has just given the lock: the waiter gets its handle. If it reads, its next look lets in the readers behind it. */
    private void give(Waiter waiter, boolean onBehalf) {
        Handle handle = lock.grantTaken(waiter.request(), waiter.owner(), waiter.ownerName(), waiter.since(), waiter);
        if (given(waiter) != handle) {
            handle.close(); // it has left meanwhile
        } else if (onBehalf) {
            waiter.wake(); // it may have looked while the lock was no longer free, and not yet its own
        }
    }

    /** The thread that holds it may be {@linkplain #tryOnBehalfOf trying on our behalf}, and done before we could sleep and wake. */
    private void lockEngine() {
        if (!tryLockEngine()) {
            engineLock.lock();
        }
    }

    /** {@return whether it is locked} The keeper may just be looking, of which nobody should notice anything. */
    private boolean tryLockEngine() {
        boolean locked = engineLock.tryLock();
        for (int spins = 0; !locked && spins < SPINS; spins++) {
            Thread.onSpinWait();
            locked = engineLock.tryLock();
        }
        return locked;
    }

    /**
     * Under the engine lock, on a thread that has got a kernel byte for the head: tries on the head's behalf, while the head wakes. Never throws: what fails here
     * fails again for the head, which then tries itself.
     */
    void tryOnBehalfOf(Waiter head) {
        try {
            if (fairness.awayNanos(System.nanoTime()) <= 0) {
                tryAsHead(head, true, null);
            }
        } catch (IOException | RuntimeException | Error e) {
            log.debug("{}: the head of the queue tries itself", engine, e);
        }
    }

    /** How long the head sleeps before it tries again, unless it is woken. */
    private long pauseAfter(Waiter head, Busy busy) {
        int tries = head.tries;
        boolean kernelWakes = Backoff.wantsKernelWaiter(busy, tries) && lock.kernelWaiter().start(busy.waitFor(), head.mostKernelWaiters());
        long random = ThreadLocalRandom.current().nextLong(Backoff.FIRST_PAUSE_NANOS);
        return Backoff.pause(busy, tries, clock().nanos(), random, kernelWakes);
    }

    /**
     * Whatever came of it, the waiter is in nobody's way any more.
     *
     * @param taken its handle, if it goes on to its user; else a handle that it was given is closed
     */
    void leave(Waiter waiter, @Nullable Handle taken) {
        waiter.leave();
        boolean empty;
        Handle late; // it was given to a waiter that was just giving up
        Grant leftOver;
        stateLock.lock();
        try {
            queue.remove(waiter);
            late = taken == null ? waiter.given : null;
            empty = queue.isEmpty();
            lock.wakeHeadInTurn();
            leftOver = lock.leftOver();
        } finally {
            stateLock.unlock();
        }
        if (late != null) {
            late.close();
        }
        if (leftOver != null) {
            lock.releaser().endLeftOver(lock);
        }
        if (empty && taken == null) {
            declineAwaited();
        }
        waiter.tellEnd(taken != null, clock().nanos());
    }

    /** Gives back a byte that was acquired ahead for a head that has gone. A failure must not hide why the head has gone: it may have been interrupted. */
    private void declineAwaited() {
        owned.markUntidy(); // if this fails, the keeper tries again
        engineLock.lock();
        try {
            if (!lock.isClaimed()) {
                engine.declineAllAwaited();
            }
        } catch (RuntimeException | Error e) {
            trouble.warn(engine.toString(), e);
        } finally {
            engineLock.unlock();
        }
    }
}

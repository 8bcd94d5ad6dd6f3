package dev.sessionlock.internal.threads;

import dev.sessionlock.LockLostException;
import dev.sessionlock.LockLostException.Reason;
import dev.sessionlock.LockReentryException;
import dev.sessionlock.LockReport;
import dev.sessionlock.LockTimeoutException;
import dev.sessionlock.spi.Busy;
import dev.sessionlock.spi.Clock;
import dev.sessionlock.spi.EngineLock;
import dev.sessionlock.spi.Hold;
import dev.sessionlock.spi.Taken;
import dev.sessionlock.spi.Terms;
import java.io.IOException;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.List;
import java.util.concurrent.ThreadLocalRandom;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;
import java.util.concurrent.locks.ReentrantLock;
import org.jetbrains.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * One lock, in this JVM: a queue of the threads that want it, of which the head alone deals with the engine.
 *
 * <p>Two locks, always taken in this order: the <em>turn</em> is held by whoever calls the engine, so that taking, renewing, revoking
 * and giving back exclude each other; the <em>mutex</em> guards the queue and the grant, in memory only. User code runs under neither.
 */
final class Cell {
    private static final Logger log = LoggerFactory.getLogger(Cell.class);

    /** A raised hand older than this is nobody's; who waits raises it again at half of it. */
    private static final long HAND_NANOS = TimeUnit.MILLISECONDS.toNanos(100);
    /** So often the lock is handed on within this JVM while another process waits, before it gets its turn. */
    private static final int HANDOVERS_WHILE_OTHERS_WAIT = 4;
    /** How long this JVM stays away then: freeing alone does not help, since the local head would take it again. */
    private static final long AWAY_NANOS = TimeUnit.MILLISECONDS.toNanos(1);
    /** So many jittered tries, before a thread is spent on waiting in the kernel. */
    private static final int QUICK_TRIES = 3;
    private static final long FIRST_PAUSE_NANOS = TimeUnit.MICROSECONDS.toNanos(60);
    private static final long LONGEST_PAUSE_NANOS = TimeUnit.MILLISECONDS.toNanos(50);

    /** A thread in the queue. */
    private static final class Waiter {
        private final Thread thread = Thread.currentThread();
        private final Request request;
        private final long patience;
        private final long since;
        /** Its handle, once it has one; guarded by the mutex. */
        private @Nullable Handle given;
        private volatile boolean woken;
        /** By when it has seen whatever there was to see, and sleeps. */
        private volatile long settledAt = Long.MIN_VALUE;

        Waiter(Request request, long patience, long since) {
            this.request = request;
            this.patience = patience;
            this.since = since;
        }

        void wake() {
            woken = true;
            LockSupport.unpark(thread);
        }
    }

    private final Cells cells;
    private final EngineLock engine;
    private final Clock clock;
    private final ReentrantLock turn = new ReentrantLock();
    private final ReentrantLock mutex = new ReentrantLock();

    // guarded by the mutex
    private final ArrayDeque<Waiter> queue = new ArrayDeque<>(2);
    private @Nullable Grant grant;
    private int users;
    private boolean retired;
    private long usedAt = System.nanoTime();
    private final boolean[] bells = new boolean[2];

    // guarded by the turn
    private boolean untidy;
    private int handovers;

    /** By the machine's clock, whatever clock leases run by: it is a matter of letting others have the CPU. */
    private volatile long awayUntil;

    Cell(Cells cells, EngineLock engine) {
        this.cells = cells;
        this.engine = engine;
        this.clock = cells.clock();
    }

    EngineLock engine() {
        return engine;
    }

    Clock clock() {
        return clock;
    }

    // ---- acquiring ----

    /** Announces a user, for whom the cell stays. False if it has been retired: then another takes its place. */
    boolean enter() {
        mutex.lock();
        try {
            if (!retired) {
                users++;
            }
            return !retired;
        } finally {
            mutex.unlock();
        }
    }

    /** Takes back one {@link #enter}. */
    void exit() {
        mutex.lock();
        try {
            users--;
            usedAt = System.nanoTime();
        } finally {
            mutex.unlock();
        }
    }

    /**
     * Waits for the lock, having {@linkplain #enter entered}.
     *
     * @param patience for how long, nanoseconds; 0 or less for one try
     * @param since when the waiting began, monotonic nanoseconds
     * @throws LockTimeoutException if it was not to be had in time
     */
    Handle acquire(Request request, long patience, long since) throws IOException, InterruptedException {
        if (Thread.interrupted()) {
            throw new InterruptedException();
        }
        Handle handle = tryOnce(request, since, true);
        return handle != null ? handle : waitFor(new Waiter(request, patience, since));
    }

    private Handle waitFor(Waiter waiter) throws IOException, InterruptedException {
        mutex.lock();
        try {
            queue.addLast(waiter);
        } finally {
            mutex.unlock();
        }
        waiter.request.audience().waits();
        Handle handle = null;
        try {
            handle = await(waiter);
            return handle;
        } finally {
            waiter.request.audience().waitsNoMore();
            leave(waiter, handle);
        }
    }

    /**
     * One try, having {@linkplain #enter entered}. Does not pass anybody who waits, and gives up rather than wait for one who is
     * just coming or going.
     *
     * @return null if the lock was not to be had
     */
    @Nullable Handle tryAcquire(Request request, long since) throws IOException {
        return tryOnce(request, since, false);
    }

    /** @param patient whether trouble that will pass by itself is waited out */
    private @Nullable Handle tryOnce(Request request, long since, boolean patient) throws IOException {
        Handle again = again(request);
        if (again != null) {
            return again;
        }
        if (isClaimed() || awayUntil - System.nanoTime() > 0 || !turn.tryLock()) {
            return null;
        }
        try {
            if (isClaimed()) {
                return null;
            }
            Taken taken = take(request.terms(Thread.currentThread()));
            if (patient || !(taken instanceof Busy busy) || busy.trouble() == null) {
                return taken instanceof Hold hold ? grant(hold, request, Thread.currentThread(), since) : null;
            }
            throw busy.trouble();
        } finally {
            turn.unlock();
        }
    }

    /** One try, in turn. One that comes to nothing may have left something behind, which the keeper then tries to tidy up. */
    private Taken take(Terms terms) throws IOException {
        Taken taken = null;
        try {
            taken = engine.take(terms);
            return taken;
        } finally {
            untidy |= !(taken instanceof Hold);
        }
    }

    private boolean isClaimed() {
        mutex.lock();
        try {
            return grant != null || !queue.isEmpty();
        } finally {
            mutex.unlock();
        }
    }

    /** {@return a further handle, if this thread has the lock already and may have it twice; null if it has it not} */
    private @Nullable Handle again(Request request) throws LockLostException {
        Grant held;
        mutex.lock();
        try {
            held = grant;
            if (held == null || held.owner() != Thread.currentThread() || held.handles.isEmpty()) {
                return null;
            }
            boolean valid = held.isValid(clock.nanos());
            if (!request.options().reentrant()) {
                if (!valid) {
                    return null; // it has lost it, and waits like any other until its grace is over
                }
                throw new LockReentryException("this thread holds " + request.shown() + " already, since " + held.acquiredAt()
                        + (held.request().options().purpose() == null ? "" : " (" + held.request().options().purpose() + ")")
                        + ": waiting for itself would never end. Close the outer handle first, or ask with withReentrant(true)");
            }
            if (valid) {
                Handle handle = new Handle(held, cells.forgotten());
                held.handles.add(handle.ref());
                request.audience().acquiredAgain();
                return handle;
            }
        } finally {
            mutex.unlock();
        }
        throw expired(held); // what shares a lock that is lost would be lost from the beginning
    }

    private Handle await(Waiter waiter) throws IOException, InterruptedException {
        Busy busy = null;
        boolean told = false;
        for (int tries = 0; ; ) {
            waiter.woken = false;
            long now = clock.nanos();
            Handle given = given(waiter);
            if (given != null) {
                return given;
            }
            cells.ensureOpen(waiter.request.audience());
            long pause = Long.MAX_VALUE;
            if (isHeadOfFree(waiter)) {
                pause = awayUntil - System.nanoTime();
                if (pause <= 0) {
                    Taken taken = tryAsHead(waiter);
                    if (taken == null) {
                        continue; // it was given to us, or the head is another by now
                    } else if (taken instanceof Hold) {
                        return given(waiter);
                    }
                    busy = (Busy) taken;
                    pause = pauseAfter(busy, tries++);
                }
            }
            if (!told) {
                told = true;
                waiter.request.audience().contended(this);
            }
            long left = waiter.patience - (clock.nanos() - waiter.since);
            if (left <= 0) {
                throw timeout(waiter, busy);
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
            mutex.lock();
            try {
                if (waiter.given == null) {
                    throw new InterruptedException();
                }
            } finally {
                mutex.unlock();
            }
            Thread.currentThread().interrupt(); // the lock came first: it is not lost, and the interrupt neither
        }
    }

    private @Nullable Handle given(Waiter waiter) {
        mutex.lock();
        try {
            return waiter.given;
        } finally {
            mutex.unlock();
        }
    }

    private boolean isHeadOfFree(Waiter waiter) {
        mutex.lock();
        try {
            return grant == null && queue.peekFirst() == waiter;
        } finally {
            mutex.unlock();
        }
    }

    /** {@return a hold (then the waiter has its handle), what was in the way, or null if it is not this waiter's turn} */
    private @Nullable Taken tryAsHead(Waiter waiter) throws IOException {
        turn.lock();
        try {
            if (!isHeadOfFree(waiter)) {
                return null;
            }
            Taken taken = take(waiter.request.terms(waiter.thread));
            if (taken instanceof Hold hold) {
                waiter.given = grant(hold, waiter.request, waiter.thread, waiter.since);
            } else {
                engine.raiseHand();
            }
            return taken;
        } finally {
            turn.unlock();
        }
    }

    private Handle grant(Hold hold, Request request, Thread thread, long since) {
        Grant fresh = new Grant(this, hold, request, thread);
        Handle handle = new Handle(fresh, cells.forgotten());
        fresh.handles.add(handle.ref());
        mutex.lock();
        try {
            grant = fresh;
        } finally {
            mutex.unlock();
        }
        request.audience().acquired(fresh, clock.nanos() - since);
        cells.heed(request.options());
        return handle;
    }

    /** How long the head sleeps before it tries again, unless a bell wakes it. */
    private long pauseAfter(Busy busy, int tries) {
        long now = clock.nanos();
        if (busy.waitFor() == Busy.PACED) {
            return Math.max(busy.retryAt() - now, FIRST_PAUSE_NANOS);
        }
        long untilRetry = Math.max(busy.retryAt() - now, 0) + 10_000;
        long jittered = FIRST_PAUSE_NANOS + ThreadLocalRandom.current().nextLong(FIRST_PAUSE_NANOS);
        if (tries < QUICK_TRIES) {
            return Math.min(untilRetry, jittered << tries);
        }
        boolean rings = busy.waitFor() != Busy.NOTHING && armBell(busy.waitFor());
        long longest = rings ? HAND_NANOS / 2 : Math.min(LONGEST_PAUSE_NANOS, jittered << Math.min(tries, 10));
        return Math.min(busy.waitFor() == Busy.NOTHING ? Math.max(untilRetry, jittered) : untilRetry, longest);
    }

    /** Has a thread wait in the kernel on behalf of the head. False if there are too many of them: then the head polls. */
    private boolean armBell(int what) {
        mutex.lock();
        try {
            if (bells[what]) {
                return true;
            }
            bells[what] = cells.ring(() -> waitInKernel(what));
            return bells[what];
        } finally {
            mutex.unlock();
        }
    }

    /** On a thread of its own. It cannot be cancelled; once it has the byte and nobody wants it any more, it gives it back. */
    private void waitInKernel(int what) {
        boolean got = false;
        try {
            engine.await(what);
            got = true;
        } catch (IOException | RuntimeException e) {
            log.debug("{}: the kernel will not let us wait (it sees a deadlock between processes, or the directory is gone); polling", engine, e);
        }
        turn.lock();
        try {
            Waiter head;
            mutex.lock();
            try {
                bells[what] = false;
                head = grant == null ? queue.peekFirst() : null;
            } finally {
                mutex.unlock();
            }
            if (got && head != null) {
                engine.accept(what);
                head.wake();
            } else if (got) {
                engine.decline(what);
            }
        } finally {
            turn.unlock();
        }
    }

    /** Whatever came of it, the waiter stands in nobody's way any more. */
    private void leave(Waiter waiter, @Nullable Handle taken) {
        boolean empty;
        Handle late;
        mutex.lock();
        try {
            queue.remove(waiter);
            late = taken == null ? waiter.given : null;
            empty = queue.isEmpty();
            if (grant == null && !empty) {
                queue.peekFirst().wake();
            }
        } finally {
            mutex.unlock();
        }
        if (late != null) {
            late.close(); // it was given to one who was just giving up
        }
        if (empty) {
            putBackGifts();
        }
    }

    /** A byte that a waiting thread got for a head that has gone. */
    private void putBackGifts() {
        turn.lock();
        try {
            if (!isClaimed()) {
                engine.putBack();
            }
        } finally {
            turn.unlock();
        }
    }

    private LockTimeoutException timeout(Waiter waiter, @Nullable Busy busy) {
        Grant held = grant();
        Thread holder = held == null ? null : held.owner();
        Duration waited = Duration.ofNanos(clock.nanos() - waiter.since);
        String locked = waiter.request.shown() + (engine.target() == null ? "" : ".lock");
        try {
            if (busy != null && busy.trouble() != null) {
                throw busy.trouble();
            }
            LockReport report = engine.look();
            return new LockTimeoutException(TimeoutText.of(waiter.request, locked, report, holder, busy, clock.instant()), report, waited, null);
        } catch (IOException e) {
            LockReport unknown = new LockReport(engine.name(), engine.lockFile(), LockReport.State.HELD, null,
                    List.of("who holds it cannot be told: " + e), "");
            return new LockTimeoutException(TimeoutText.of(waiter.request, locked, unknown, holder, busy, clock.instant()), unknown, waited, e);
        }
    }

    // ---- giving back ----

    /** A handle was closed by its user. */
    void close(Handle.Ref ref) {
        Grant held = ref.grant();
        Left left = letGo(ref);
        if (!left.lost()) {
            held.audience().released(held, left.last());
        }
        if (left.last()) {
            end(held);
        }
    }

    /** A handle was found unreachable, and it had not been closed. */
    void forgotten(Handle.Ref ref) {
        if (!ref.close()) {
            return;
        }
        Grant held = ref.grant();
        log.warn("a handle of {} was never closed and nobody refers to it any more: acquired at {} by thread \"{}\"{}; use try-with-resources",
                engine, held.acquiredAt(), held.hold().terms().thread(), purpose(held));
        if (!isLast(ref)) {
            close(ref);
            return;
        }
        lose(held, Reason.LEAKED);
        letGo(ref);
        end(held);
    }

    /** How a handle left its grant. */
    private record Left(boolean last, boolean lost) {
    }

    private Left letGo(Handle.Ref ref) {
        Grant held = ref.grant();
        mutex.lock();
        try {
            held.handles.remove(ref);
            return new Left(held.handles.isEmpty(), held.lost() != null);
        } finally {
            mutex.unlock();
        }
    }

    private boolean isLast(Handle.Ref ref) {
        mutex.lock();
        try {
            return ref.grant().handles.size() == 1;
        } finally {
            mutex.unlock();
        }
    }

    private static String purpose(Grant held) {
        return held.hold().terms().purpose() == null ? "" : " for \"" + held.hold().terms().purpose() + "\"";
    }

    /** Nobody has a handle of this grant any more, or its time to close them is over. */
    private void end(Grant held) {
        turn.lock();
        try {
            endInTurn(held);
        } finally {
            turn.unlock();
        }
    }

    private void endInTurn(Grant held) {
        if (held.over || held.abandoned) {
            return;
        }
        held.over = true;
        boolean othersWait = engine.othersWait(HAND_NANOS);
        Hold hold = held.hold();
        if (held.lost() == null && held.isValid(clock.nanos()) && !(othersWait && handovers >= HANDOVERS_WHILE_OTHERS_WAIT)) {
            hold = handOver(hold);
        }
        if (hold != null) {
            giveBack(hold, othersWait);
        }
    }

    /** {@return null if another thread of this JVM has it now; else what is to be given back} */
    private @Nullable Hold handOver(Hold hold) {
        while (true) {
            Waiter next;
            mutex.lock();
            try {
                next = queue.peekFirst();
            } finally {
                mutex.unlock();
            }
            if (next == null || next.request.audience().isClosed()) {
                return hold;
            }
            try {
                Hold passed = engine.handOver(hold, next.request.terms(next.thread));
                if (passed == null) {
                    return hold;
                }
                hold = passed;
            } catch (IOException e) {
                log.warn("could not hand {} on within this JVM; it is given back instead", engine, e);
                return hold;
            }
            if (give(hold, next)) {
                handovers++;
                return null;
            }
        }
    }

    /** False if it has left meanwhile. */
    private boolean give(Hold hold, Waiter next) {
        Grant fresh = new Grant(this, hold, next.request, next.thread);
        Handle handle = new Handle(fresh, cells.forgotten());
        fresh.handles.add(handle.ref());
        mutex.lock();
        try {
            if (queue.peekFirst() != next) {
                return false;
            }
            queue.pollFirst();
            grant = fresh;
            next.given = handle;
        } finally {
            mutex.unlock();
        }
        next.request.audience().acquired(fresh, clock.nanos() - next.since);
        cells.heed(next.request.options());
        next.wake();
        return true;
    }

    private void giveBack(Hold hold, boolean othersWait) {
        if (cells.isKeeper()) {
            engine.releaseSoon(hold);
        } else {
            engine.release(hold);
        }
        handovers = 0;
        untidy = !engine.tidy();
        if (othersWait) {
            awayUntil = System.nanoTime() + AWAY_NANOS + ThreadLocalRandom.current().nextLong(AWAY_NANOS);
        }
        mutex.lock();
        try {
            grant = null;
            usedAt = System.nanoTime();
            if (!queue.isEmpty()) {
                queue.peekFirst().wake();
            }
        } finally {
            mutex.unlock();
        }
    }

    // ---- losing ----

    private void lose(Grant held, Reason reason) {
        String engines = held.hold().lossInWords(reason);
        lose(held, reason, engines != null ? engines : inWords(reason));
    }

    private void lose(Grant held, Reason reason, String how) {
        String text = "lost the lock " + held.request().shown() + " (token " + held.token() + ", held by thread \""
                + held.hold().terms().thread() + "\" since " + held.acquiredAt() + "): " + how
                + ". Nothing may be written under it any more; acquire it again and look at what was written since";
        LockLostException why = new LockLostException(reason, clock.instant(), text);
        List<Handle.Ref> told;
        mutex.lock(); // so that a handle that is being closed is counted either as released or as lost
        try {
            if (!held.lose(why)) {
                return;
            }
            told = List.copyOf(held.handles);
        } finally {
            mutex.unlock();
        }
        held.audience().lost(held, why, told.size());
        for (Handle.Ref ref : told) {
            Handle handle = ref.get();
            if (handle != null) {
                handle.lost(why);
            }
        }
        cells.wakeKeeper();
    }

    /** A user found that its grant does not hold. {@return why, with the stack of who asks} */
    LockLostException expired(Grant held) {
        if (held.lost() == null) {
            loseToTime(held, clock.nanos());
        }
        LockLostException lost = held.lost();
        return new LockLostException(lost.reason(), lost.since(), lost.getMessage());
    }

    /** Takes it away from whoever has it here, as if it had come about by itself. {@return whether anybody had it} */
    boolean loseNow(Reason reason) {
        turn.lock();
        try {
            Grant held = grant();
            boolean had = held != null && !held.over && !held.abandoned && held.lost() == null;
            if (had) {
                lose(held, reason);
                if (isOver(held)) {
                    endInTurn(held);
                }
            }
            return had;
        } finally {
            turn.unlock();
        }
    }

    private static String inWords(Reason reason) {
        return switch (reason) {
            case LEASE_EXPIRED -> "its process did not run for a whole lease (frozen, suspended, or starved), so others may have taken it "
                    + "over";
            case MAX_HOLD -> "it was held for longer than maxHold without renew()";
            case REMOVED_BY_HAND -> "its lock file was removed by hand";
            case RELEASE_REQUESTED -> "somebody asked this holder to let go (clear --token)";
            case KERNEL_LOCK_LOST -> "the kernel no longer had its lock, or somebody replaced .session-locks";
            case SHUTDOWN -> "the JVM is shutting down and it was not closed in time";
            case LEAKED -> "its handle was never closed, and nobody refers to it any more";
        };
    }

    private void loseToTime(Grant held, long now) {
        lose(held, held.expiry(now));
    }

    /** A renewal came too late, or found that somebody else has had our bytes. */
    private void loseToRenewal(Grant held, long now) {
        if (held.isValid(now)) {
            lose(held, Reason.KERNEL_LOCK_LOST, "the kernel had lost its lock, and another process has had it since");
        } else {
            loseToTime(held, now);
        }
    }

    // ---- what the keeper and verifyHeld do ----

    /** Looks after what is held here. Never waits long for the turn: a missed look comes again. */
    void tend(boolean deeply) {
        Grant held = grant();
        if (held == null && !untidy) {
            return;
        }
        if (turn.tryLock()) {
            tendInTurn(deeply);
        }
    }

    /** Having got the turn, which is given back. */
    private void tendInTurn(boolean deeply) {
        try {
            Grant held = grant();
            if (held == null) {
                untidy = untidy && !engine.tidy();
            } else if (!held.over && !held.abandoned) {
                tend(held, deeply);
            }
        } catch (IOException | RuntimeException e) { // whatever it is, the other locks' leases must not run out for it
            log.warn("could not look after the lock {}; trying again", engine, e);
        } finally {
            turn.unlock();
        }
    }

    private void tend(Grant held, boolean deeply) throws IOException {
        long now = clock.nanos();
        if (held.lost() == null && !held.isValid(now)) {
            loseToTime(held, now);
        }
        if (held.lost() == null) {
            revokeUnlessIntact(held, deeply);
        }
        if (held.lost() != null && isOver(held)) {
            endInTurn(held);
            return;
        }
        // Also one that was revoked: until its grace is over others must not come in by the other seat.
        if (now - held.hold().renewedAt() >= held.hold().terms().leaseNanos() / 3 && !engine.renew(held.hold(), held.holdUntilMillis(now))) {
            loseToRenewal(held, clock.nanos());
            endInTurn(held);
        }
    }

    private boolean isOver(Grant held) {
        LockLostException lost = held.lost();
        boolean noGrace = lost.reason() == Reason.LEASE_EXPIRED || lost.reason() == Reason.KERNEL_LOCK_LOST;
        return noGrace || clock.nanos() - held.revokedAt() >= held.request().options().revokeGrace().toNanos();
    }

    private void revokeUnlessIntact(Grant held, boolean deeply) throws IOException {
        EngineLock.Standing standing = engine.check(held.hold(), deeply);
        long now = clock.nanos();
        if (standing != EngineLock.Standing.INTACT && !held.isValid(now)) {
            loseToTime(held, now); // frozen since the last look: it was a successor who put its record in place of ours
            return;
        }
        switch (standing) {
            case REMOVED -> lose(held, Reason.REMOVED_BY_HAND);
            case REQUESTED -> lose(held, Reason.RELEASE_REQUESTED);
            case LOST -> lose(held, Reason.KERNEL_LOCK_LOST);
            case INTACT -> { }
        }
    }

    /** A user wants to know for certain. */
    void verify(Grant held) throws IOException {
        turn.lock();
        try {
            if (!held.over && held.lost() == null) {
                engine.lookAfresh();
                revokeUnlessIntact(held, true);
            }
        } finally {
            turn.unlock();
        }
    }

    /** Takes away what a dead owner has left; in turn, so that it meets no acquisition of this JVM half-way. */
    EngineLock.Cleared clear(boolean takeStrangers) throws IOException {
        turn.lock();
        try {
            return grant() == null ? engine.clear(takeStrangers)
                    : new EngineLock.Cleared(EngineLock.Outcome.KEPT, "a thread of this JVM holds it");
        } finally {
            turn.unlock();
        }
    }

    /** {@return in how many nanoseconds the keeper should look again, for the sake of what is held here} */
    long nextLook(long now) {
        Grant held = grant();
        if (held == null) {
            return Long.MAX_VALUE;
        }
        long grace = held.lost() == null ? Long.MAX_VALUE : held.revokedAt() + held.request().options().revokeGrace().toNanos() - now;
        return Math.min(held.hold().terms().leaseNanos() / 4, Math.min(held.lost() == null ? held.holdLeft(now) : Long.MAX_VALUE, grace));
    }

    // ---- when the clock is moved by hand ----

    /** {@return for how many nanoseconds nothing is due here} */
    long nothingIsDueFor(long now) {
        long soonest = nextLook(now);
        mutex.lock();
        try {
            for (Waiter waiter : queue) {
                soonest = Math.min(soonest, Math.min(TimeUnit.SECONDS.toNanos(1), waiter.patience - (now - waiter.since)));
            }
            return soonest;
        } finally {
            mutex.unlock();
        }
    }

    /** Does what is due by now, and has those who wait look at the clock. */
    void catchUp() {
        turn.lock();
        tendInTurn(false);
        wakeAll();
    }

    /** Waits until those who wait have looked at the clock and sleep again, or are through. */
    void settle(long now, long deadline) {
        while (isRestless(now) && System.nanoTime() - deadline < 0) {
            LockSupport.parkNanos(TimeUnit.MICROSECONDS.toNanos(20));
        }
    }

    private boolean isRestless(long now) {
        mutex.lock();
        try {
            return queue.stream().anyMatch(waiter -> waiter.settledAt < now);
        } finally {
            mutex.unlock();
        }
    }

    // ----

    private @Nullable Grant grant() {
        mutex.lock();
        try {
            return grant;
        } finally {
            mutex.unlock();
        }
    }

    /** {@return whether somebody holds it here} */
    boolean isHeld() {
        return grant() != null;
    }

    /** {@return whether it is held and its holder could still close it} */
    boolean isOpen() {
        Grant held = grant();
        return held != null && held.lost() == null;
    }

    /** The JVM ends: the handle is lost and its record goes; the kernel lock stays until the process is gone. */
    void abandon() {
        turn.lock();
        try {
            Grant held = grant();
            if (held != null && !held.over) {
                held.abandoned = true;
                lose(held, Reason.SHUTDOWN);
                engine.abandon(held.hold());
            }
        } finally {
            turn.unlock();
        }
    }

    /** Wakes those who wait on behalf of somebody who waits no more. */
    void wakeAll() {
        mutex.lock();
        try {
            queue.forEach(Waiter::wake);
        } finally {
            mutex.unlock();
        }
    }

    /** {@return whether this cell has not been used for a while and takes no more users} */
    boolean retire(long idleNanos) {
        mutex.lock();
        try {
            boolean used = users > 0 || grant != null || bells[0] || bells[1];
            if (!retired && !used && !untidy && System.nanoTime() - usedAt >= idleNanos) {
                retired = true;
            }
            return retired;
        } finally {
            mutex.unlock();
        }
    }
}

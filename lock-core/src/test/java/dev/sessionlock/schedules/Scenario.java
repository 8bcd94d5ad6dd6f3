package dev.sessionlock.schedules;

import dev.sessionlock.LockException;
import dev.sessionlock.LockLostException;
import dev.sessionlock.LockLostException.Reason;
import dev.sessionlock.LockMode;
import dev.sessionlock.LockOptions;
import dev.sessionlock.LockTimeoutException;
import dev.sessionlock.SessionLock;
import dev.sessionlock.SessionLocks;
import dev.sessionlock.internal.threads.LocalLocks;
import dev.sessionlock.schedules.ScheduledEngine.Event;
import dev.sessionlock.schedules.ScheduledEngine.Fault;
import dev.sessionlock.schedules.ScheduledEngine.Moment;
import dev.sessionlock.spi.EngineLock.HoldStatus;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.EnumSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;

/**
 * What happens to one lock in one schedule: some users, and what troubles them. The seed says what; the scheduler says when. It uses the library as its users do, so
 * that it need not change with the library's inner shape.
 */
final class Scenario {
    /** Steps for which a user has the lock at most: about as many as another one needs to come to wait for it. */
    private static final int LONGEST_USE = 30;
    private static final int BRIEF_USE = 4;
    /** Twice as many as it takes until the users of a lock count as a loop. */
    private static final int LOOPS = 12;
    private static final Duration FOR_LONG = Duration.ofMinutes(30);
    private static final Duration BRIEFLY = Duration.ofMillis(2);
    /**
     * By the scheduler's clock, which goes on by microseconds from step to step, and by more only if all threads sleep. The keeper wakes a forgotten waiter within a
     * second: a waiter that waits for longer than this, though nothing fails, was forgotten.
     */
    private static final long LONGEST_WAIT_NANOS = TimeUnit.MILLISECONDS.toNanos(500);
    /** Within this, everything is back at the engine, and every thread of the library has ended. */
    private static final long LONGEST_END_NANOS = TimeUnit.MINUTES.toNanos(2);

    /** How a user asks for the lock. */
    private enum Asking {
        ACQUIRE, TRY,
        /** Without a thread that waits, as far as the library is concerned. */
        ASYNC,
        /** As {@link #ASYNC}, but it takes the request back, perhaps at the very moment at which it gets the lock. */
        CANCEL
    }

    /** What a user does while it has the lock. */
    private enum Use {
        NOTHING, RENEW, VERIFY, DETACH,
        /** Has it for so long that whoever waits must not be overtaken any more. */
        SLEEP
    }

    private record Visit(Asking asking, LockOptions options, int steps, Use use) {
    }

    private record Trouble(String name, Runnable action) {
    }

    private final Random random;
    private final Sharing sharing;
    private final Set<HoldStatus> statuses = EnumSet.noneOf(HoldStatus.class);
    private final boolean handsOver;
    private final List<List<Visit>> visits = new ArrayList<>();
    private final List<Trouble> troubles = new ArrayList<>();
    private final List<Thread> users = new ArrayList<>();
    private final List<Fault> faults = new ArrayList<>();
    /** Every acquisition succeeds within a moment, and nobody loses the lock. */
    private boolean calm = true;
    private boolean lossless = true;
    private boolean interrupts;
    /** One request, from the call to its end. */
    private static final class Request {
        /** It stays in the queue until it gets the lock. */
        final boolean patient;
        /** It wants the lock for itself alone. */
        final boolean exclusive;
        /** Since when it has certainly been in the queue; {@link Long#MAX_VALUE} if that is not known. */
        long queued = Long.MAX_VALUE;

        Request(boolean patient, boolean exclusive) {
            this.patient = patient;
            this.exclusive = exclusive;
        }
    }

    /** Who asks for the lock, in order. */
    private final Map<Thread, Request> asking = new LinkedHashMap<>();
    /** How often that has changed. */
    private int changes;
    /** Who was interrupted; null as long as nobody was. */
    private @Nullable Thread interrupted;
    private boolean closes;
    /** Somebody has taken a request back, and what stands for it in the queue may not have left yet. */
    private boolean cancelled;
    // Made under the scheduler, which has to see how each of their locks and conditions is made.
    private ScheduledEngine engine;
    private Witness witness;
    private SessionLocks locks;
    private Path session;

    /** A plan. Nothing runs yet, so that the scheduler has nothing to decide here. */
    Scenario(long seed) {
        this.random = new Random(seed);
        this.sharing = new Sharing(seed);
        if (oneIn(5)) {
            statuses.add(HoldStatus.values()[1 + random.nextInt(3)]);
            lossless = false;
        }
        if (oneIn(4)) {
            planFault();
        }
        handsOver = !oneIn(3);
        planVisits();
        planTroubles();
        if (oneIn(8)) {
            planLoop();
        }
    }

    private boolean oneIn(int many) {
        return random.nextInt(many) == 0;
    }

    private <T> T anyOf(List<T> choices) {
        return choices.get(random.nextInt(choices.size()));
    }

    // ---- the plan ----

    private void planFault() {
        calm = false;
        String method = anyOf(List.of("take", "handOver", "renew", "check", "release", "tidy", "setWaiterMark", "awaitKernel", "acceptAwaited", "declineAwaited",
                "declineAllAwaited"));
        boolean mayThrowIo = List.of("take", "renew", "check", "handOver", "awaitKernel").contains(method);
        Throwable thrown = mayThrowIo && random.nextBoolean() ? new IOException("scripted") : random.nextBoolean() ? new IllegalArgumentException("scripted")
                : new StackOverflowError("scripted");
        // A hold that was handed over is the engine's last word: it does not throw after that.
        Moment moment = method.equals("handOver") || random.nextBoolean() ? Moment.BEFORE : Moment.AFTER;
        faults.add(new Fault(method, 1 + random.nextInt(2), moment, thrown));
    }

    private void planVisits() {
        LockOptions common = options();
        int many = oneIn(3) ? 2 : 3;
        for (int i = 0; i < many; i++) {
            List<Visit> mine = new ArrayList<>();
            int rounds = 1 + random.nextInt(2);
            for (int j = 0; j < rounds; j++) {
                Asking asking = oneIn(4) ? Asking.TRY : oneIn(4) ? Asking.ASYNC : oneIn(5) ? Asking.CANCEL : Asking.ACQUIRE;
                mine.add(new Visit(asking, sharing.of(oneIn(4) ? options() : common), random.nextInt(LONGEST_USE), anyOf(List.of(Use.values()))));
            }
            visits.add(mine);
        }
    }

    /** A user that asks again at once, time after time, as long as it may: what another process waits for lingers until the time slice of this JVM is over. */
    private void planLoop() {
        for (int i = 0; i < LOOPS; i++) {
            visits.get(0).add(new Visit(Asking.ACQUIRE, LockOptions.defaults().withTimeout(FOR_LONG), random.nextInt(BRIEF_USE), Use.NOTHING));
        }
    }

    private LockOptions options() {
        Duration timeout = oneIn(5) ? BRIEFLY : oneIn(10) ? Duration.ZERO : FOR_LONG;
        Duration linger = oneIn(3) ? Duration.ZERO : Duration.ofMinutes(1);
        return LockOptions.defaults().withTimeout(timeout).withLinger(linger).withReentrant(oneIn(4));
    }

    private void planTroubles() {
        if (oneIn(2)) {
            int rounds = 1 + random.nextInt(2);
            boolean waits = random.nextBoolean();
            int holds = random.nextInt(LONGEST_USE);
            trouble("other process", () -> otherProcess(rounds, waits, holds));
        }
        if (oneIn(2)) {
            interrupts = true;
            String method = anyOf(List.of("take", "handOver", "release", "tidy", "tidy", "acceptAwaited"));
            trouble("interrupts", oneIn(2) ? this::interrupt : () -> inCall(method, this::interrupt));
        }
        if (oneIn(6)) {
            calm = false;
            lossless = false;
            String method = anyOf(List.of("take", "handOver", "reuse", "reuse", "renew", "check", "release"));
            int holds = random.nextInt(LONGEST_USE);
            boolean late = random.nextBoolean();
            trouble("freezes", () -> {
                if (late) {
                    inCall(method, engine::freeze);
                } else {
                    engine.freeze();
                }
                pass(holds);
                engine.otherReleases();
            });
        }
        if (oneIn(6)) {
            lossless = false;
            Reason reason = anyOf(List.of(Reason.REMOVED_BY_HAND, Reason.KERNEL_LOCK_LOST, Reason.RELEASE_REQUESTED));
            trouble("loses", () -> LocalLocks.of(engine).loseAll(reason));
        }
        if (oneIn(8)) {
            closes = true;
            trouble("closes", this::closeEarly);
        }
        calm &= lossless;
    }

    private void trouble(String name, Runnable action) {
        int steps = random.nextInt(100);
        troubles.add(new Trouble(name, () -> {
            pass(steps);
            try {
                action.run();
            } catch (RuntimeException | Error e) {
                requireExpected(e);
            }
        }));
    }

    // ---- under the scheduler ----

    /** Plays it, and throws what must not happen. */
    void play() {
        try {
            playUntilEnd();
        } catch (InterruptedException e) {
            throw new Violation("somebody interrupts the scenario", e);
        }
    }

    private void playUntilEnd() throws InterruptedException {
        engine = new ScheduledEngine(faults, statuses, handsOver, sharing.engineKnows);
        witness = new Witness(engine);
        Path root = Path.of("/sessions");
        session = root.resolve("session");
        locks = SessionLocks.builder().over(engine).root(root).build();
        for (int i = 0; i < visits.size(); i++) {
            int me = i;
            users.add(new Thread(() -> use(me), "user " + i));
        }
        List<Thread> all = new ArrayList<>(users);
        troubles.forEach(trouble -> all.add(new Thread(trouble.action(), trouble.name())));
        all.forEach(Thread::start);
        for (Thread thread : all) {
            thread.join();
        }
        locks.close();
        long end = System.nanoTime() + LONGEST_END_NANOS;
        while (!(engine.hasAllBack() && LibraryThreads.now().isEmpty()) && System.nanoTime() < end) {
            Thread.sleep(50);
        }
        if (!engine.hasAllBack()) {
            throw new Violation("when all is over, this JVM still has " + engine.whatIsOut());
        } else if (!LibraryThreads.now().isEmpty()) {
            throw new Violation("when all is over, threads of the library go on: " + LibraryThreads.now() + ", " + locks.stats());
        } else if (locks.stats().held() != 0 || locks.stats().waiting() != 0) {
            throw new Violation("when all is over, the statistics say " + locks.stats());
        }
        Witness.judge();
    }

    private void pass(int steps) {
        for (int i = 0; i < steps; i++) {
            engine.pass();
        }
    }

    private void use(int me) {
        boolean heard = false;
        for (Visit visit : visits.get(me)) {
            try {
                visit(visit);
            } catch (InterruptedException e) {
                heard = true;
            }
        }
        while (interrupts && interrupted == null) {
            heard |= !sleeps();
        }
        if (Thread.currentThread() == interrupted && !heard && !Thread.interrupted()) {
            throw new Violation("an interrupt was swallowed");
        }
    }

    private void visit(Visit visit) throws InterruptedException {
        long asked = System.nanoTime();
        SessionLock lock = null;
        try {
            lock = get(visit);
        } catch (LockTimeoutException e) {
            if (calm && !visit.options().timeout().equals(BRIEFLY) && !visit.options().timeout().isZero()) {
                throw new Violation("a user waited for half an hour", e);
            }
        } catch (LockException | RuntimeException | Error e) {
            requireExpected(e);
        }
        if (calm && System.nanoTime() - asked > LONGEST_WAIT_NANOS) {
            throw new Violation("a waiter was forgotten for " + TimeUnit.NANOSECONDS.toMillis(System.nanoTime() - asked) + " ms");
        }
        if (lock != null) {
            use(lock, visit);
        }
    }

    private @Nullable SessionLock get(Visit visit) throws LockException, InterruptedException {
        List<Request> notToBeOvertaken = lookAtTheQueue(visit.options().mode());
        SessionLock got;
        if (visit.asking() == Asking.TRY) {
            got = locks.tryAcquire(session, visit.options()).orElse(null);
        } else {
            changes++;
            asking.put(Thread.currentThread(), new Request(visit.options().timeout().equals(FOR_LONG) && visit.asking() != Asking.CANCEL,
                    visit.options().mode() == LockMode.EXCLUSIVE));
            try {
                got = visit.asking() == Asking.ACQUIRE ? locks.acquire(session, visit.options()) : getAsync(visit);
            } finally {
                changes++;
                asking.remove(Thread.currentThread());
            }
        }
        if (got != null && calm && notToBeOvertaken.stream().anyMatch(asking::containsValue)) {
            got.close();
            throw new Violation("somebody was overtaken who had waited for more than a millisecond, or a writer by a reader");
        }
        return got;
    }

    /**
     * {@return who has certainly been in the queue, and stays there until it gets the lock} A reader overtakes no writer, but others of those that have waited with it.
     * A writer may overtake for a millisecond.
     */
    private List<Request> lookAtTheQueue(LockMode mode) {
        int before = changes;
        long waiting = locks.stats().waiting();
        long now = System.nanoTime();
        if (!interrupts && !closes && !cancelled && changes == before && waiting == asking.size()) {
            asking.values().forEach(request -> request.queued = Math.min(request.queued, now));
        }
        return asking.values().stream().filter(request -> request.patient
                && (mode == LockMode.SHARED ? request.exclusive && request.queued <= now : request.queued < now - TimeUnit.MILLISECONDS.toNanos(1))).toList();
    }

    private @Nullable SessionLock getAsync(Visit visit) throws LockException, InterruptedException {
        CompletableFuture<SessionLock> future = locks.acquireAsync(session, visit.options());
        try {
            if (visit.asking() == Asking.CANCEL) {
                pass(visit.steps());
                cancelled = true;
                return future.cancel(true) ? null : future.get();
            }
            return future.get();
        } catch (InterruptedException e) {
            cancelled = true;
            if (!future.cancel(true)) {
                future.thenAccept(SessionLock::close);
            }
            throw e;
        } catch (ExecutionException e) {
            Throwable why = e.getCause();
            if (why instanceof LockException failure) {
                throw failure;
            } else if (why instanceof RuntimeException failure) {
                throw failure;
            }
            throw (Error) why;
        }
    }

    private void use(SessionLock lock, Visit visit) {
        try {
            witness.got(lock);
            Sharing.Told told = new Sharing.Told(lock);
            pass(visit.steps());
            if (Sharing.overstays(visit.options())) {
                Sharing.overstay(lock);
            } else {
                use(lock, visit.use());
                if (lossless && !lock.isHeld()) {
                    throw new Violation("a user lost the lock, and nobody took it");
                }
            }
            told.require(lock);
        } catch (LockException | RuntimeException | Error e) {
            requireExpected(e);
        } finally {
            witness.leaves(lock);
            try {
                lock.close();
            } catch (RuntimeException | Error e) {
                requireExpected(e);
            }
        }
    }

    private static void use(SessionLock lock, Use use) throws LockException {
        switch (use) {
            case NOTHING -> { }
            case RENEW -> lock.renew();
            case VERIFY -> lock.verifyHeld();
            case DETACH -> lock.detach();
            case SLEEP -> sleepFor(3);
        }
    }

    private void requireExpected(Throwable e) {
        boolean ofThePlan = faults.stream().anyMatch(fault -> e == fault.thrown() || e.getCause() == fault.thrown());
        boolean lost = !lossless && e instanceof LockLostException;
        boolean closed = closes && e instanceof IllegalStateException;
        if (!ofThePlan && !lost && !closed) {
            throw e instanceof Violation violation ? violation : new Violation("a user got what nobody threw", e);
        }
    }

    // ---- what troubles them ----

    private void otherProcess(int rounds, boolean waits, int holds) {
        for (int round = 0; round < rounds; round++) {
            boolean taken = engine.otherTakes(waits);
            for (int tries = 0; !taken && tries < 20; tries++) {
                sleeps();
                taken = engine.otherTakes(waits);
            }
            pass(holds);
            engine.otherReleases();
            pass(holds);
        }
    }

    /** An interrupt is kept for whoever waits next. */
    static void sleepFor(int millis) {
        boolean interrupted = false;
        for (int i = 0; i < millis; i++) {
            interrupted |= !sleeps();
        }
        if (interrupted) {
            Thread.currentThread().interrupt();
        }
    }

    /** {@return false if the calling thread has been interrupted} */
    private static boolean sleeps() {
        try {
            Thread.sleep(1);
            return true;
        } catch (InterruptedException e) {
            return false;
        }
    }

    /** Whoever has asked for longest, mostly the head of the queue. */
    private void interrupt() {
        Thread longest = asking.isEmpty() ? users.get(0) : asking.keySet().iterator().next();
        longest.interrupt();
        interrupted = longest;
    }

    /** Has something happen just as the engine is called, by whatever thread; if it is not called for a while, now. */
    private void inCall(String method, Runnable action) {
        Event event = new Event(method, action);
        engine.plan(event);
        for (int tries = 0; engine.isPlanned(event) && tries < 20; tries++) {
            sleeps();
        }
        engine.play(event);
        while (!engine.hasHappened(event)) { // a caller of the engine is just doing it
            sleeps();
        }
    }

    private void closeEarly() {
        locks.close();
    }

    @Override
    public String toString() {
        return visits + ", troubles " + troubles.stream().map(Trouble::name).toList() + ", faults " + faults;
    }
}

package dev.sessionlock;

import static org.assertj.core.api.Assertions.assertThat;

import dev.sessionlock.FailingEngine.Fault;
import dev.sessionlock.FailingEngine.Injected;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * Any call to the engine may throw an error, before its work is done or after it. The lock is free again nevertheless, for the threads of this JVM
 * and for other processes.
 */
class ThrowableTest {
    private static final LockOptions BRIEF = LockOptions.defaults().withLease(LockOptions.MIN_LEASE).withTimeout(Duration.ofSeconds(15));
    private static final LockOptions WARM = BRIEF.withLinger(Duration.ofMillis(100));
    /** How many calls of each method fail, one in each run. */
    private static final int CALLS = 3;
    /** If one of these fails, a directory stays open, but no lock stays held. */
    private static final List<String> OF_CLOSING = List.of("closeIdle", "pin", "pinAgain", "unpin");

    @TempDir
    Path dir;

    private final ExecutorService threads = Executors.newCachedThreadPool();
    private final AtomicInteger names = new AtomicInteger();

    @AfterEach
    void close() {
        threads.shutdownNow();
        Patience.untilLetGo(dir);
    }

    /** What a user does with the lock of a file. */
    private interface Use {
        void of(FailingEngine engine, SessionLocks locks, Path session) throws Exception;
    }

    @Test
    void aLockThatIsTakenAndGivenBack() throws Exception {
        assertFreeAfterEachFault((engine, locks, session) -> {
            locks.acquire(session, BRIEF).close();
            locks.tryAcquire(session, BRIEF).ifPresent(SessionLock::close);
        });
    }

    @Test
    void aLockThatIsHandedOn() throws Exception {
        assertFreeAfterEachFault((engine, locks, session) -> {
            SessionLock first = locks.acquire(session, BRIEF);
            List<Future<?>> others = new ArrayList<>();
            for (int i = 0; i < 3; i++) {
                LockOptions options = BRIEF.withPurpose(i == 1 ? null : "waiter " + i);
                others.add(threads.submit(() -> {
                    locks.acquire(session, options).close();
                    return null;
                }));
            }
            Patience.await().until(() -> locks.stats().waiting() == 3 || engine.hasFailed());
            first.close();
            await(others);
        });
    }

    @Test
    void aLockThatLingers() throws Exception {
        assertFreeAfterEachFault((engine, locks, session) -> {
            for (int i = 0; i < 3; i++) {
                locks.acquire(session, WARM).close();
            }
            locks.acquire(session, WARM.withPurpose("on other terms")).close();
            Thread.sleep(250); // it lingers, and is given back by the keeper
        });
    }

    @Test
    void aLockThatIsHeldAndRenewed() throws Exception {
        assertFreeAfterEachFault((engine, locks, session) -> {
            try (SessionLock lock = locks.acquire(session, BRIEF)) {
                lock.verifyHeld();
                Thread.sleep(500); // at least one renewal
                lock.verifyHeld();
            }
        });
    }

    @Test
    void aLockThatIsTakenAway() throws Exception {
        assertFreeAfterEachFault((engine, locks, session) -> {
            try (SessionLock lock = locks.acquire(session, BRIEF.withRevokeGrace(Duration.ofMillis(100)))) {
                Files.deleteIfExists(lock.lockFile());
                Patience.await().until(() -> !lock.isHeld());
                Thread.sleep(200); // the grace
            }
        });
    }

    @Test
    void aLockThatIsHeldForTooLong() throws Exception {
        assertFreeAfterEachFault((engine, locks, session) -> {
            SessionLock lock = locks.acquire(session, BRIEF.withMaxHold(Duration.ofMillis(100)).withRevokeGrace(Duration.ofMillis(50)));
            Patience.await().until(() -> !lock.isHeld());
            Thread.sleep(300); // nobody closes it
        });
    }

    @Test
    void aLockThatIsWaitedForInTheKernel() throws Exception {
        assertFreeAfterEachFault((engine, locks, session) -> {
            engine.beBusy(6);
            locks.acquire(session, BRIEF).close();
        });
    }

    @Test
    void aLockThatIsWaitedForInVain() throws Exception {
        assertFreeAfterEachFault((engine, locks, session) -> {
            engine.beBusy(Integer.MAX_VALUE);
            try {
                locks.acquire(session, BRIEF.withTimeout(Duration.ofMillis(50))).close();
            } catch (LockTimeoutException e) {
                engine.beBusy(0);
            }
        });
    }

    // ----

    private void assertFreeAfterEachFault(Use use) throws Exception {
        FailingEngine recorded = new FailingEngine(null);
        try (SessionLocks locks = recorded.locks()) {
            use(use, recorded, locks, session());
        }
        Map<Fault, Future<Void>> runs = new TreeMap<>((one, other) -> one.toString().compareTo(other.toString()));
        for (Map.Entry<String, AtomicInteger> method : recorded.calls().entrySet()) {
            for (int call = 1; call <= Math.min(CALLS, method.getValue().get()) && !OF_CLOSING.contains(method.getKey()); call++) {
                for (boolean after : new boolean[] {false, true}) {
                    Fault fault = new Fault(method.getKey(), call, after);
                    runs.put(fault, threads.submit(run(use, fault)));
                }
            }
        }
        assertThat(runs.size()).isGreaterThan(10);
        List<String> failures = new ArrayList<>();
        for (Map.Entry<Fault, Future<Void>> run : runs.entrySet()) {
            try {
                run.getValue().get();
            } catch (Exception e) {
                failures.add(run.getKey() + ": " + e.getCause());
            }
        }
        assertThat(failures).isEmpty();
        assertThat(Kernel.seatsHeldIn(dir)).isZero();
    }

    private Callable<Void> run(Use use, Fault fault) {
        Path session = session();
        return () -> {
            FailingEngine engine = new FailingEngine(fault);
            try (SessionLocks locks = engine.locks(); SessionLocks others = SessionLocks.create()) {
                use(use, engine, locks, session);
                engine.disarm();
                locks.acquire(session, BRIEF).close();
                others.acquire(session, BRIEF).close(); // it knows nothing of the first one's locks, like another process
                locks.acquire(session, BRIEF).close();
            }
            return null;
        };
    }

    /** The result does not matter: if the machine stands still for a lease, the lock is lost, and this test is about something else. */
    private static void use(Use use, FailingEngine engine, SessionLocks locks, Path session) throws Exception {
        try {
            use.of(engine, locks, session);
        } catch (LockLostException e) {
            return;
        } catch (Injected | RuntimeException e) {
            if (!engine.hasFailed()) {
                throw e;
            }
        }
    }

    private Path session() {
        return dir.resolve("session-" + names.incrementAndGet() + ".jsonl");
    }

    private static void await(List<Future<?>> all) throws Exception {
        Exception failure = null;
        for (Future<?> one : all) {
            try {
                one.get();
            } catch (Exception e) {
                failure = e.getCause() instanceof Injected ? failure : e;
            }
        }
        if (failure != null) {
            throw failure;
        }
    }
}

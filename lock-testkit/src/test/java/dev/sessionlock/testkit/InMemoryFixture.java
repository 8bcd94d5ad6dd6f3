package dev.sessionlock.testkit;

import static org.awaitility.Awaitility.await;

import dev.sessionlock.LockException;
import dev.sessionlock.LockOptions;
import dev.sessionlock.SessionLock;
import dev.sessionlock.SessionLocks;
import java.nio.file.Path;
import java.time.Duration;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;

/** Locks in memory, with processes and a clock of the test's own. */
abstract class InMemoryFixture {
    static final Path SESSION = Path.of("no", "such", "directory", "session.jsonl");
    static final LockOptions ONE_TRY = LockOptions.defaults().withTimeout(Duration.ZERO);
    static final LockOptions PATIENT = LockOptions.defaults().withTimeout(Duration.ofMinutes(20));
    final TestClock clock = TestClock.create();
    final InMemoryLocks mine = InMemoryLocks.withTestClock(clock);
    final InMemoryLocks other = mine.anotherProcess();

    @AfterEach
    void close() {
        mine.close();
    }

    /** Begins to wait on a thread of its own, and waits until it does. */
    static CompletableFuture<SessionLock> beginAcquire(SessionLocks locks, LockOptions options) {
        long before = locks.stats().waiting();
        CompletableFuture<SessionLock> acquisition = CompletableFuture.supplyAsync(() -> {
            try {
                return locks.acquire(SESSION, options).detach();
            } catch (LockException | InterruptedException e) {
                throw new java.util.concurrent.CompletionException(e);
            }
        }, task -> new Thread(task, "waits").start());
        await().atMost(Puppet.PATIENCE).pollInterval(Duration.ofMillis(1)).until(() -> locks.stats().waiting() > before || acquisition.isDone());
        return acquisition;
    }

    static <T> T end(CompletableFuture<T> future) throws Exception {
        return future.get(60, TimeUnit.SECONDS);
    }

    static boolean tryAcquire(SessionLocks locks) {
        try {
            return locks.tryAcquire(SESSION).isPresent();
        } catch (LockException e) {
            throw new AssertionError(e);
        }
    }
}

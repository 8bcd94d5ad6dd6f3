package dev.sessionlock.internal.threads;

import dev.sessionlock.LockLostException;
import dev.sessionlock.LockLostException.Reason;
import dev.sessionlock.LockMode;
import dev.sessionlock.LockOptions;
import java.time.Duration;
import java.util.concurrent.TimeUnit;

/** One lock in memory, and users of both modes; no disk, no other thread. */
abstract class SharedFixture {
    static final LockOptions WRITER = LockOptions.defaults().withLease(Duration.ofSeconds(60));
    static final LockOptions READER = WRITER.withMode(LockMode.SHARED);
    static final LockOptions WARM = READER.withLinger(Duration.ofSeconds(10));
    static final long SECOND = TimeUnit.SECONDS.toNanos(1);

    final ScriptedEngine engine = new ScriptedEngine();
    final LocalLock lock = engine.lock;

    /** One more user, which belongs to no thread; null if it does not get the lock at once. */
    Handle gets(LockOptions options) throws Exception {
        Handle handle = engine.tryAcquire(options);
        if (handle != null) {
            handle.detach();
        }
        return handle;
    }

    CountedWaiter waits(LockOptions options) {
        CountedWaiter waiter = new CountedWaiter(engine.request(options), TimeUnit.HOURS.toNanos(1), engine.now);
        lock.acquirer().enqueue(waiter);
        return waiter;
    }

    Handle looks(CountedWaiter waiter) throws Exception {
        lock.acquirer().look(waiter);
        return waiter.given;
    }

    void maintain() {
        lock.supervisor().maintain(lock, false);
    }

    void keeperLooks() {
        lock.supervisor().loseIfOver(lock, false);
        maintain();
    }

    static Reason lossOf(Handle handle) {
        try {
            handle.ensureHeld();
            return null;
        } catch (LockLostException e) {
            return e.reason();
        }
    }
}

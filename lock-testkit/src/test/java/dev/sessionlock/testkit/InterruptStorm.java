package dev.sessionlock.testkit;

import dev.sessionlock.LockOptions;
import dev.sessionlock.LockTimeoutException;
import dev.sessionlock.SessionLock;
import dev.sessionlock.SessionLocks;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.ThreadLocalRandom;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicReference;

/** Threads that acquire, hold and close a lock and others of the same directory, while further threads interrupt them at random. */
final class InterruptStorm {
    private static final int THREADS = 4;

    private final SessionLocks locks;
    private final AtomicInteger acquired = new AtomicInteger();
    private final AtomicReference<Throwable> trouble = new AtomicReference<>();

    InterruptStorm(SessionLocks locks) {
        this.locks = locks;
    }

    /** {@return how many locks were acquired} */
    int rage(Path file, long millis) throws Exception {
        long end = System.nanoTime() + millis * 1_000_000;
        List<Thread> threads = new ArrayList<>();
        for (int i = 0; i < THREADS; i++) {
            Path mine = file.resolveSibling(file.getFileName() + (i < 2 ? "" : "-" + i)); // two names that contend, and others
            threads.add(new Thread(() -> work(mine, end), "interrupted-" + i));
        }
        threads.forEach(Thread::start);
        while (System.nanoTime() < end) {
            threads.get(ThreadLocalRandom.current().nextInt(THREADS)).interrupt();
            Thread.sleep(0, 50_000);
        }
        for (Thread thread : threads) {
            thread.join();
        }
        if (trouble.get() != null) {
            throw new AssertionError("a thread failed under interrupts: " + trouble.get(), trouble.get());
        }
        return acquired.get();
    }

    private void work(Path file, long end) {
        LockOptions options = LockOptions.defaults().withTimeout(Duration.ofSeconds(20));
        while (System.nanoTime() < end) {
            try (SessionLock lock = locks.acquire(file, options)) {
                acquired.incrementAndGet();
                lock.ensureHeld();
                lock.verifyHeld();
                if (ThreadLocalRandom.current().nextInt(10) == 0) {
                    Thread.sleep(1);
                }
            } catch (InterruptedException e) {
                // the purpose of the storm; the flag may be set again right away
            } catch (LockTimeoutException e) {
                trouble.compareAndSet(null, e);
            } catch (Exception e) {
                trouble.compareAndSet(null, e);
                return;
            }
        }
    }
}

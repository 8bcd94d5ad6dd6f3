package dev.sessionlock;

import static dev.sessionlock.Patience.await;
import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicLong;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Virtual threads on one carrier: a waiting thread that pins the carrier would stop all of them. */
class VirtualThreadsTest {
    private static final int FEATURE = Runtime.version().feature();

    @TempDir
    Path dir;
    private final SessionLocks locks = SessionLocks.create();
    private final ConcurrentLinkedQueue<Throwable> failed = new ConcurrentLinkedQueue<>();

    @BeforeEach
    void onlyWhereThereAreSome() {
        if (FEATURE < 21) {
            System.out.println("SKIPPED a test of VirtualThreadsTest: JDK " + FEATURE + " has no virtual threads");
        }
        assumeTrue(FEATURE >= 21, "JDK " + FEATURE + " has no virtual threads");
        // Read when the JVM starts its first virtual thread, which no other test does.
        System.setProperty("jdk.virtualThreadScheduler.parallelism", "1");
        System.setProperty("jdk.virtualThreadScheduler.maxPoolSize", "1");
    }

    @AfterEach
    void close() {
        locks.close();
        Patience.untilLetGo(dir);
    }

    private interface Step {
        void run() throws Exception;
    }

    /** By reflection: the tests are compiled for 17. */
    private Thread virtual(String name, Step step) {
        Runnable task = () -> {
            try {
                step.run();
            } catch (Exception | Error e) {
                failed.add(e);
            }
        };
        try {
            Object builder = Thread.class.getMethod("ofVirtual").invoke(null);
            Class<?> type = Class.forName("java.lang.Thread$Builder");
            builder = type.getMethod("name", String.class).invoke(builder, name);
            return (Thread) type.getMethod("start", Runnable.class).invoke(builder, task);
        } catch (ReflectiveOperationException e) {
            throw new AssertionError(e);
        }
    }

    private void join(List<Thread> threads) throws InterruptedException {
        for (Thread thread : threads) {
            thread.join(Patience.LIMIT.toMillis());
            assertThat(thread.isAlive()).as(thread.getName() + " has come through").isFalse();
        }
        assertThat(failed).isEmpty();
    }

    @Test
    void twoHundredOfThemComeThroughOneLock() throws Exception {
        AtomicInteger inside = new AtomicInteger();
        AtomicInteger most = new AtomicInteger();
        AtomicLong last = new AtomicLong();
        List<Thread> threads = new ArrayList<>();
        Path session = dir.resolve("session.jsonl");
        for (int t = 0; t < 200; t++) {
            threads.add(virtual("virtual-" + t, () -> {
                for (int i = 0; i < 5; i++) {
                    try (SessionLock lock = locks.acquire(session, LockOptions.defaults().withTimeout(Duration.ofSeconds(40)))) {
                        most.accumulateAndGet(inside.incrementAndGet(), Math::max);
                        assertThat(lock.token()).isGreaterThan(last.getAndSet(lock.token()));
                        Thread.yield(); // the others run while this one holds it
                        lock.ensureHeld();
                        inside.decrementAndGet();
                    }
                }
            }));
        }
        join(threads);
        assertThat(most).hasValue(1);
        assertThat(locks.stats()).isEqualTo(new LockStats(0, 0, 1000, 0, 0));
        assertThat(Kernel.seatsHeldIn(dir)).isZero();
    }

    @Test
    void oneThatWaitsLeavesItsCarrierToTheHolder() throws Exception {
        Path session = dir.resolve("session.jsonl");
        SessionLock lock = locks.acquire(session).detach();
        List<Thread> threads = new ArrayList<>();
        AtomicInteger through = new AtomicInteger();
        for (int t = 0; t < 20; t++) {
            threads.add(virtual("waiter-" + t, () -> {
                locks.acquire(session).close();
                through.incrementAndGet();
            }));
        }
        await().until(() -> locks.stats().waiting() == 20);
        threads.add(virtual("closer", lock::close)); // gets the only carrier if no waiter has pinned it
        join(threads);
        assertThat(through).hasValue(20);
    }

    @Test
    void fiftyOfThemAppendToOneFile() throws Exception {
        SessionFile session = SessionFile.of(dir.resolve("session.jsonl"), locks, LockOptions.defaults().withTimeout(Duration.ofSeconds(40)))
                .withForce(false);
        List<Thread> threads = new ArrayList<>();
        for (int t = 0; t < 50; t++) {
            String line = "line " + t;
            threads.add(virtual("virtual-" + t, () -> session.append(line)));
        }
        join(threads);
        assertThat(session.lines()).hasSize(50).doesNotHaveDuplicates();
    }

    @Test
    void theyAreInterruptedAndRefusedAsAnyOther() throws Exception {
        Path session = dir.resolve("session.jsonl");
        SessionLock lock = locks.acquire(session);
        AtomicInteger interrupted = new AtomicInteger();
        Thread waiter = virtual("waiter", () -> {
            try {
                locks.acquire(session).close();
            } catch (InterruptedException e) {
                interrupted.incrementAndGet();
            }
        });
        await().until(() -> locks.stats().waiting() == 1);
        waiter.interrupt();
        Thread again = virtual("again", () -> {
            try (SessionLock mine = locks.acquire(dir.resolve("mine"))) {
                mine.ensureHeld();
                try {
                    locks.acquire(dir.resolve("mine"));
                    throw new AssertionError("not refused");
                } catch (LockReentryException e) {
                    assertThat(e).hasMessageContaining("already");
                }
            }
        });
        join(List.of(waiter, again));
        assertThat(interrupted).hasValue(1);
        lock.close();
    }
}

package dev.sessionlock.internal.threads;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.sessionlock.FailingEngine;
import dev.sessionlock.Kernel;
import dev.sessionlock.LockOptions;
import dev.sessionlock.spi.FileLockEngine;
import dev.sessionlock.spi.LockEngine;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.ThreadFactory;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import org.awaitility.Awaitility;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Nested;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The one thread that renews, bounds and cleans up: what if it cannot be started, or stumbles. */
class KeeperTest {
    private static final LockOptions BRIEF = LockOptions.defaults().withLease(Duration.ofSeconds(6));

    @TempDir
    Path dir;

    private final EventPublisher publisher = new EventPublisher(null, null, true, Shutdown.WHILE_HOOKS_WORK);
    private final FailingEngine failing = new FailingEngine(null);
    private LocalLocks locks;

    @AfterEach
    void close() {
        failing.disarm();
        if (locks != null) {
            locks.release();
            Awaitility.await().atMost(Duration.ofSeconds(60)).until(() -> Kernel.openFilesIn(dir) == 0);
        }
    }

    private Handle acquire(String name, LockOptions options) throws Exception {
        LockEngine.LockId id = ((FileLockEngine) locks.engine()).idOf(dir.resolve(name), false);
        return locks.acquire(id, new AcquireRequest(publisher, options, name, null), TimeUnit.SECONDS.toNanos(30));
    }

    @Nested
    class WithoutAThread {
        /** As a JVM does that has as many threads as it may. */
        private final class FailsAtFirst implements ThreadFactory {
            private final AtomicInteger left;

            FailsAtFirst(int times) {
                this.left = new AtomicInteger(times);
            }

            @Override
            public Thread newThread(Runnable task) {
                boolean fails = left.getAndDecrement() > 0;
                Thread thread = new Thread(task, "sessionlock-keeper") {
                    @Override
                    public void start() {
                        if (fails) {
                            throw new OutOfMemoryError("unable to create native thread: possibly out of memory or process/resource limits reached");
                        }
                        super.start();
                    }
                };
                thread.setDaemon(true);
                return thread;
            }
        }

        @Test
        void noLockIsGivenOutThatNobodyWouldRenew() throws Exception {
            locks = new LocalLocks(failing.engine(), new FailsAtFirst(3));
            locks.retain();
            for (int i = 0; i < 3; i++) {
                assertThatThrownBy(() -> acquire("session.jsonl", BRIEF)).isInstanceOf(IOException.class).hasMessageContaining("ulimit -u");
            }
            Handle handle = acquire("session.jsonl", BRIEF);
            long acquiredUntil = handle.hold().deadline();
            Awaitility.await().atMost(Duration.ofSeconds(30)).until(() -> handle.hold().deadline() > acquiredUntil);
            handle.close();
        }
    }

    @Nested
    class ThatStumbles {
        @Test
        void renewsTheOtherLocks() throws Exception {
            failing.failAlways("verify", "sweep", "closeIdle");
            locks = new LocalLocks(failing.engine(), task -> DaemonThreads.make(task, "sessionlock-keeper"));
            locks.retain();
            Handle handle = acquire("session.jsonl", BRIEF);
            long acquiredUntil = handle.hold().deadline();
            Awaitility.await().atMost(Duration.ofSeconds(30)).until(() -> handle.hold().deadline() > acquiredUntil);
            handle.close();
        }

        @Test
        void doesNotTryAgainWithoutAPause() throws Exception {
            failing.failAlways("closeIdle");
            locks = new LocalLocks(failing.engine(), task -> DaemonThreads.make(task, "sessionlock-keeper"));
            locks.retain();
            acquire("session.jsonl", LockOptions.defaults()).close();
            long start = System.nanoTime();
            Awaitility.await().atMost(Duration.ofSeconds(30)).until(() -> System.nanoTime() - start > TimeUnit.SECONDS.toNanos(2));
            assertThat(failing.calls().get("closeIdle").get()).as("rounds of a keeper that ticks once a second").isLessThan(40);
        }
    }

    @Nested
    class ThatIsInterrupted {
        /** As a server does that interrupts all threads of a JVM, again and again. */
        @Test
        void goesOnRenewing() throws Exception {
            List<Thread> keepers = new CopyOnWriteArrayList<>();
            locks = new LocalLocks(failing.engine(), task -> {
                Thread keeper = DaemonThreads.make(task, "sessionlock-keeper");
                keepers.add(keeper);
                return keeper;
            });
            locks.retain();
            boolean held = false;
            for (int tries = 0; tries < 3 && !held; tries++) { // the machine may stand still for a second, but not each time
                Handle handle = acquire("session.jsonl", LockOptions.defaults().withLease(LockOptions.MIN_LEASE));
                long start = System.nanoTime();
                Awaitility.await().pollInterval(Duration.ofMillis(2)).atMost(Duration.ofSeconds(60)).until(() -> {
                    keepers.forEach(Thread::interrupt);
                    return System.nanoTime() - start > TimeUnit.SECONDS.toNanos(3);
                });
                held = handle.isHeld();
                handle.close();
            }
            assertThat(held).as("three leases later").isTrue();
        }
    }

    @Nested
    class ThatRetiresLocks {
        private int calls(String method) {
            return failing.calls().getOrDefault(method, new AtomicInteger()).get();
        }

        /** A retired LocalLock that is still known is replaced by the next thread that asks; the keeper never sees it again. */
        @Test
        void aRetiredLockThatIsReplacedUnpinsItsDirectory() throws Exception {
            locks = new LocalLocks(failing.engine(), task -> DaemonThreads.make(task, "sessionlock-keeper"));
            locks.retain();
            acquire("session.jsonl", BRIEF).close();
            LocalLock retired = locks.all().iterator().next();
            Awaitility.await().atMost(Duration.ofSeconds(30)).until(() -> retired.retire(0));
            acquire("session.jsonl", BRIEF).close();
            assertThat(locks.all()).hasSize(1).doesNotContain(retired);
            assertThat(calls("unpin")).isEqualTo(calls("pin") + calls("pinAgain") - 1);
        }
    }
}

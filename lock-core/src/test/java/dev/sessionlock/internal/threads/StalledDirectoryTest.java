package dev.sessionlock.internal.threads;

import static org.assertj.core.api.Assertions.assertThat;

import dev.sessionlock.Kernel;
import dev.sessionlock.LockListener;
import dev.sessionlock.LockLostException;
import dev.sessionlock.LockLostException.Reason;
import dev.sessionlock.LockOptions;
import dev.sessionlock.spi.FileLockEngine;
import dev.sessionlock.spi.LockEngine;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.ThreadFactory;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import org.awaitility.Awaitility;
import org.awaitility.core.ConditionFactory;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The disk of one directory does not answer: what that does to locks elsewhere, and to those who hold locks there. */
class StalledDirectoryTest {
    private static final LockOptions BRIEF = LockOptions.defaults().withLease(LockOptions.MIN_LEASE);

    @TempDir
    Path temp;

    private final List<Reason> lost = new CopyOnWriteArrayList<>();
    private final EventPublisher publisher = new EventPublisher(new LockListener() {
        @Override
        public void lost(Event event, LockLostException why) {
            lost.add(why.reason());
        }
    }, null, true, Shutdown.WHILE_HOOKS_WORK);
    private final ExecutorService threads = Executors.newCachedThreadPool();
    private Path there;
    private Path elsewhere;
    private StalledDisk disk;
    private LocalLocks locks;
    private Handle stalled;

    @BeforeEach
    void open() throws IOException {
        there = Files.createDirectory(temp.resolve("stalled")).toRealPath();
        elsewhere = Files.createDirectory(temp.resolve("elsewhere")).toRealPath();
        disk = new StalledDisk(there);
        use(task -> DaemonThreads.make(task, "sessionlock-keeper"));
    }

    private void use(ThreadFactory keepers) {
        locks = new LocalLocks(disk.engine(), keepers);
        locks.retain();
    }

    @AfterEach
    void close() {
        disk.goOn();
        if (stalled != null) {
            stalled.close();
        }
        threads.shutdown();
        locks.release();
        await().until(() -> Kernel.openFilesIn(temp) == 0);
    }

    private static ConditionFactory await() {
        return Awaitility.await().pollInterval(Duration.ofMillis(5)).atMost(Duration.ofSeconds(60));
    }

    private Handle acquire(Path dir, LockOptions options) throws IOException, InterruptedException {
        LockEngine.LockId id = ((FileLockEngine) locks.engine()).idOf(dir.resolve("session.jsonl"), false);
        return locks.acquire(id, new AcquireRequest(publisher, options, "session.jsonl", null), TimeUnit.SECONDS.toNanos(30));
    }

    /** {@return whether it was held all the while} The machine may stand still for a lease, but not each time. */
    private boolean staysHeld(LockOptions options) throws Exception {
        boolean held = false;
        for (int tries = 0; tries < 3 && !held; tries++) {
            Handle handle = acquire(elsewhere, options);
            long start = System.nanoTime();
            while (handle.isHeld() && System.nanoTime() - start < TimeUnit.MILLISECONDS.toNanos(2_500)) {
                Thread.sleep(5);
            }
            held = handle.isHeld();
            handle.close();
        }
        return held;
    }

    /** {@return a lock there, whose renewal, or whatever came first, has begun and does not come back} */
    private Handle stalled(LockOptions options) throws Exception {
        stalled = acquire(there, options);
        disk.stall();
        await().until(() -> !disk.met().isEmpty());
        return stalled;
    }

    @Test
    void leasesElsewhereAreRenewed() throws Exception {
        stalled(BRIEF);
        assertThat(staysHeld(BRIEF)).as("two leases later").isTrue();
    }

    @Test
    void soWhereNoFurtherThreadIsToBeHad() throws Exception {
        AtomicInteger made = new AtomicInteger();
        use(task -> {
            boolean fails = made.getAndIncrement() > 1; // but for the keeper, and one that gets stuck
            Thread thread = new Thread(task) {
                @Override
                public synchronized void start() {
                    if (fails) {
                        throw new OutOfMemoryError("unable to create native thread");
                    }
                    super.start();
                }
            };
            thread.setDaemon(true);
            return thread;
        });
        stalled(BRIEF);
        assertThat(staysHeld(BRIEF)).as("two leases later").isTrue();
        assertThat(made.get()).isGreaterThan(2);
    }

    @Test
    void itsHoldersLearnThatTheirLeaseIsOver() throws Exception {
        Handle handle = stalled(BRIEF);
        await().until(() -> lost.equals(List.of(Reason.LEASE_EXPIRED)));
        assertThat(handle.isHeld()).isFalse();
    }

    @Test
    void itsHoldersLearnThatTheyHaveItForTooLong() throws Exception {
        Handle handle = stalled(LockOptions.defaults().withMaxHold(Duration.ofMillis(3_000)));
        await().until(() -> lost.equals(List.of(Reason.MAX_HOLD)));
        assertThat(handle.isHeld()).isFalse();
    }

    @Test
    void aLeakIsToldAndItsLockGivenBackOnceItAnswers() throws Exception {
        leak();
        disk.stall();
        await().until(() -> {
            System.gc();
            return lost.equals(List.of(Reason.LEAKED));
        });
        assertThat(staysHeld(BRIEF)).isTrue();
        disk.goOn();
        acquire(there, LockOptions.defaults()).close();
    }

    /** In a frame of its own, so that no local variable keeps it. */
    private void leak() throws Exception {
        acquire(there, LockOptions.defaults());
    }

    @Test
    void whatLingersElsewhereIsGivenBack() throws Exception {
        stalled(BRIEF);
        acquire(elsewhere, BRIEF.withLinger(Duration.ofMillis(50))).close();
        await().until(() -> Kernel.seatsHeldIn(elsewhere) == 0);
        assertThat(disk.met()).isNotEmpty();
    }

    @Test
    void whatIsIdleElsewhereIsClosed() throws Exception {
        stalled(BRIEF);
        acquire(elsewhere, BRIEF).close();
        locks.release();
        await().until(() -> Kernel.openFilesIn(elsewhere) == 0);
        locks.retain();
    }

    @Test
    void allIsWellOnceItAnswers() throws Exception {
        Handle before = stalled(BRIEF);
        await().until(() -> !before.isHeld());
        Future<Handle> next = threads.submit(() -> acquire(there, BRIEF));
        disk.goOn();
        assertThat(next.get().token()).isGreaterThan(before.token());
        next.get().close();
    }
}

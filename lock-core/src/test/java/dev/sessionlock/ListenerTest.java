package dev.sessionlock;

import static dev.sessionlock.Patience.await;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.catchThrowableOfType;

import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.Executor;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.locks.LockSupport;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** A listener is told everything, in order, and cannot do harm. */
class ListenerTest {
    @TempDir
    Path dir;
    private final Actor other = new Actor("other");
    private final Ear ear = new Ear();
    private SessionLocks locks = SessionLocks.builder().listener(ear).build();

    private static class Ear implements LockListener {
        final List<String> heard = new CopyOnWriteArrayList<>();
        final List<Event> events = new CopyOnWriteArrayList<>();
        final List<String> threads = new CopyOnWriteArrayList<>();

        void hear(String what, Event event) {
            events.add(event);
            threads.add(Thread.currentThread().getName());
            heard.add(what); // last, since the tests wait for it
        }

        @Override
        public void acquired(Event event) {
            hear("acquired", event);
        }

        @Override
        public void contended(Event event) {
            hear("contended", event);
        }

        @Override
        public void timedOut(Event event, LockTimeoutException why) {
            hear("timed out: " + why.report().owner().purpose(), event);
        }

        @Override
        public void released(Event event) {
            hear("released", event);
        }

        @Override
        public void lost(Event event, LockLostException why) {
            hear("lost " + why.reason(), event);
        }

        @Override
        public void reclaimed(Event event, String evidence) {
            hear("reclaimed " + evidence, event);
        }
    }

    @AfterEach
    void close() {
        other.close();
        locks.close();
        Patience.untilLetGo(dir);
    }

    private void use(Executor executor) {
        use(executor, ear);
    }

    private void use(Executor executor, LockListener listener) {
        locks.close();
        locks = SessionLocks.builder().listener(listener).executor(executor).build();
    }

    private Path session() {
        return dir.resolve("session.jsonl");
    }

    private void contendedRound() throws Exception {
        SessionLock lock = locks.acquire(session());
        Future<SessionLock> next = other.begin(() -> locks.acquire(session()));
        await().until(() -> locks.stats().waiting() == 1);
        lock.close();
        SessionLock second = Actor.end(next);
        second.close();
    }

    @Test
    void itHearsEverythingInOrderWithTokenAndTime() throws Exception {
        SessionLock lock = locks.acquire(session());
        Future<SessionLock> next = other.begin(() -> locks.acquire(session()));
        await().until(() -> ear.heard.contains("contended"));
        Thread.sleep(50);
        lock.close();
        SessionLock second = Actor.end(next);
        second.close();
        await().until(() -> ear.heard.size() == 5);

        assertThat(ear.heard).containsExactly("acquired", "contended", "released", "acquired", "released");
        assertThat(ear.events).allSatisfy(event -> {
            assertThat(event.name()).isEqualTo("session.jsonl");
            assertThat(event.lockFile()).isEqualTo(lock.lockFile());
        });
        assertThat(ear.events).extracting(LockListener.Event::token)
                .containsExactly(lock.token(), 0L, lock.token(), second.token(), second.token());
        assertThat(ear.events.get(1).elapsed()).isZero();
        assertThat(ear.events.get(2).elapsed()).as("held for").isBetween(Duration.ofMillis(50), Patience.LIMIT);
        assertThat(ear.events.get(3).elapsed()).as("waited for").isBetween(Duration.ofMillis(50), Patience.LIMIT);
    }

    @Test
    void aZeroTimeoutIsContendedAndATryIsNot() throws Exception {
        try (SessionLock lock = locks.acquire(session(), LockOptions.defaults().withPurpose("flush"))) {
            assertThat(other.does(() -> locks.tryAcquire(session()))).isEmpty();
            assertThatThrownBy(() -> other.does(() -> locks.acquire(session(), LockOptions.defaults().withTimeout(Duration.ZERO))))
                    .isInstanceOf(LockTimeoutException.class);
            lock.ensureHeld();
        }
        await().until(() -> ear.heard.size() >= 4);
        assertThat(ear.heard).containsExactly("acquired", "contended", "timed out: flush", "released");
        assertThat(locks.stats()).isEqualTo(new LockStats(0, 0, 1, 0, 0, 1, 0));
    }

    @Test
    void aTimeoutIsToldWithHowLongItWaitedAndWhoHasTheLock() throws Exception {
        Duration timeout = Duration.ofMillis(60);
        List<LockTimeoutException> told = new CopyOnWriteArrayList<>();
        use(null, new LockListener() {
            @Override
            public void timedOut(Event event, LockTimeoutException why) {
                ear.timedOut(event, why);
                told.add(why);
            }
        });
        try (SessionLock lock = locks.acquire(session(), LockOptions.defaults().withPurpose("compaction"))) {
            LockTimeoutException thrown = catchThrowableOfType(LockTimeoutException.class,
                    () -> other.does(() -> locks.acquire(session(), LockOptions.defaults().withTimeout(timeout))));
            await().until(() -> told.size() == 1);
            assertThat(told).containsExactly(thrown);
            assertThat(ear.heard).containsExactly("timed out: compaction");
            assertThat(ear.events.get(0)).satisfies(event -> {
                assertThat(event.lockFile()).isEqualTo(lock.lockFile());
                assertThat(event.token()).isZero();
                assertThat(event.elapsed()).isEqualTo(thrown.waited()).isGreaterThanOrEqualTo(timeout);
            });
            assertThat(locks.stats()).isEqualTo(new LockStats(1, 0, 1, 0, 0, 1, 0));
        }
    }

    @Test
    void aLossIsToldInsteadOfARelease() throws Exception {
        SessionLock lock = locks.acquire(session(), LockOptions.defaults().withMaxHold(Duration.ofMillis(100)).withRevokeGrace(Duration.ZERO));
        await().until(() -> ear.heard.size() == 2);
        lock.close();
        locks.acquire(session()).close();
        await().until(() -> ear.heard.size() == 4);
        assertThat(ear.heard).containsExactly("acquired", "lost MAX_HOLD", "acquired", "released");
        assertThat(locks.stats()).isEqualTo(new LockStats(0, 0, 2, 1, 0));
    }

    @Test
    void aTakeoverFromTheDeadIsToldWithItsEvidence() throws Exception {
        long dead = OtherProcess.ended();
        Files.writeString(dir.resolve("session.jsonl.lock"), OtherProcess.foreignLock(dead));

        locks.acquire(session()).close();
        await().until(() -> ear.heard.size() == 3);
        assertThat(ear.heard.get(0)).isEqualTo("acquired");
        assertThat(ear.heard.get(1)).startsWith("reclaimed ").contains("pid " + dead + " does not exist");
        assertThat(ear.heard.get(2)).isEqualTo("released");
        assertThat(locks.stats()).isEqualTo(new LockStats(0, 0, 1, 0, 1));
    }

    @Test
    void innerHandlesOfAReentrantLockAreOneAcquisition() throws Exception {
        try (SessionLock outer = locks.acquire(session());
                SessionLock inner = locks.acquire(session(), LockOptions.defaults().withReentrant(true))) {
            assertThat(inner.token()).isEqualTo(outer.token());
        }
        await().until(() -> ear.heard.size() >= 2);
        assertThat(ear.heard).containsExactly("acquired", "released");
    }

    @Test
    void itIsCalledOnTheExecutor() throws Exception {
        Actor executor = new Actor("callbacks of the user");
        use(task -> executor.begin(() -> {
            task.run();
            return null;
        }));
        contendedRound();
        await().until(() -> ear.heard.size() == 5);
        assertThat(ear.threads).containsOnly("callbacks of the user");
        executor.close();
    }

    @Test
    void anExecutorThatRunsAtOnceNeverRunsOnTheThreadThatLocks() throws Exception {
        use(Runnable::run);
        contendedRound();
        await().until(() -> ear.heard.size() == 5);
        assertThat(ear.threads).doesNotContain(Thread.currentThread().getName(), "other", "sessionlock-keeper");
    }

    @Test
    void aListenerThatThrowsHarmsNothingAndHearsOn() throws Exception {
        Ear throwing = new Ear() {
            @Override
            void hear(String what, Event event) {
                super.hear(what, event);
                if (heard.size() % 2 == 0) {
                    throw new IllegalStateException("on purpose");
                }
                throw new AssertionError("on purpose");
            }
        };
        use(null, throwing);
        contendedRound();
        await().until(() -> throwing.heard.size() == 5);
        assertThat(locks.stats()).isEqualTo(new LockStats(0, 0, 2, 0, 0));
    }

    @Test
    void anExecutorThatRefusesOrThrowsIsAskedAgainAndNothingIsLost() throws Exception {
        List<String> asked = new CopyOnWriteArrayList<>();
        use(task -> {
            asked.add("");
            if (asked.size() == 1) {
                throw new RejectedExecutionException("on purpose");
            } else if (asked.size() == 2) {
                throw new AssertionError("on purpose, as when there are no more threads to be had");
            }
            task.run();
        });
        contendedRound();
        await().until(() -> ear.heard.size() == 5);
        assertThat(ear.heard).containsExactly("acquired", "contended", "released", "acquired", "released");
        assertThat(locks.stats()).isEqualTo(new LockStats(0, 0, 2, 0, 0));
        assertThat(Kernel.seatsHeldIn(dir)).isZero();
    }

    @Test
    void anExecutorOfManyThreadsTellsOneEventAfterTheOther() throws Exception {
        ExecutorService pool = Executors.newFixedThreadPool(4);
        try {
            AtomicInteger within = new AtomicInteger();
            AtomicInteger most = new AtomicInteger();
            Ear slow = new Ear() {
                @Override
                void hear(String what, Event event) {
                    most.accumulateAndGet(within.incrementAndGet(), Math::max);
                    LockSupport.parkNanos(100_000);
                    super.hear(what, event);
                    within.decrementAndGet();
                }
            };
            use(pool, slow);
            for (int i = 0; i < 200; i++) {
                locks.acquire(session()).close();
            }
            await().until(() -> slow.heard.size() == 400);
            assertThat(most).hasValue(1);
            assertThat(slow.events).extracting(LockListener.Event::token).isSorted();
        } finally {
            pool.shutdownNow();
        }
    }

    @Test
    void aListenerThatHangsHoldsUpNeitherLocksNorTheNewsOfALoss() throws Exception {
        CountDownLatch hang = new CountDownLatch(1);
        use(null, new LockListener() {
            @Override
            public void acquired(Event event) {
                try {
                    hang.await(Patience.LIMIT.toSeconds(), TimeUnit.SECONDS);
                } catch (InterruptedException e) {
                    Thread.currentThread().interrupt();
                }
            }
        });
        List<LockLostException> told = new CopyOnWriteArrayList<>();
        contendedRound();
        SessionLock lock = locks.acquire(session(), LockOptions.defaults().withMaxHold(Duration.ofMillis(100)).withRevokeGrace(Duration.ZERO));
        lock.onLost(told::add);
        await().until(() -> told.size() == 1);
        lock.close();
        hang.countDown();
    }

    @Test
    void aListenerMayLockWhatItHearsOf() throws Exception {
        List<String> done = new CopyOnWriteArrayList<>();
        use(null, new LockListener() {
            @Override
            public void released(Event event) {
                try {
                    locks.tryAcquire(dir.resolve("log-of-" + event.name())).orElseThrow().close();
                    done.add(event.name());
                } catch (LockException e) {
                    throw new AssertionError(e);
                }
            }
        });
        locks.acquire(session()).close();
        await().until(() -> done.contains("session.jsonl"));
    }

    @Test
    void anotherLibraryUsersListenerHearsOnlyOfItsOwn() throws Exception {
        Ear otherEar = new Ear();
        try (SessionLocks second = SessionLocks.builder().listener(otherEar).build()) {
            locks.acquire(session()).close();
            second.acquire(dir.resolve("x")).close();
            await().until(() -> ear.heard.size() == 2 && otherEar.heard.size() == 2);
            assertThat(otherEar.events).extracting(LockListener.Event::name).containsOnly("x");
            assertThat(ear.events).extracting(LockListener.Event::name).containsOnly("session.jsonl");
            assertThat(second.stats()).isEqualTo(new LockStats(0, 0, 1, 0, 0));
        }
    }
}

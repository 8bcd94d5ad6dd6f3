package dev.sessionlock;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.awaitility.Awaitility.await;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.concurrent.CancellationException;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.concurrent.atomic.AtomicReference;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Nested;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** Locks that are waited for without a thread: who gets them, and that nothing is left of those who give up. */
@Timeout(120)
@SuppressWarnings("try") // some locks are closed before their block ends
class AcquireAsyncTest {
    private static final LockOptions PATIENT = LockOptions.defaults().withTimeout(Duration.ofMinutes(1));

    @TempDir
    Path dir;

    private final SessionLocks locks = SessionLocks.create();

    @AfterEach
    void nothingIsLeft() throws Exception {
        await().until(() -> locks.stats().waiting() == 0 && locks.stats().held() == 0);
        locks.acquireAll(known()).close(); // after whoever is just giving one back
        assertThat(Kernel.seatsHeldIn(dir)).isZero();
        assertThat(Listing.of(dir).keySet()).noneMatch(name -> name.endsWith(".lock"));
        locks.close();
    }

    private List<Path> known() throws IOException {
        try (Stream<Path> files = Files.list(dir)) {
            List<Path> locked = files.filter(file -> file.toString().endsWith(".lock"))
                    .map(file -> dir.resolve(file.getFileName().toString().replaceFirst("\\.lock$", ""))).toList();
            return locked.isEmpty() ? List.of(session()) : locked;
        }
    }

    private Path session() {
        return dir.resolve("session.jsonl");
    }

    private void untilWaiting(int waiters) {
        await().until(() -> locks.stats().waiting() == waiters);
    }

    private static Throwable failureOf(CompletableFuture<?> future) {
        try {
            future.get(1, TimeUnit.MINUTES);
            throw new AssertionError("it did not fail");
        } catch (ExecutionException e) {
            return e.getCause();
        } catch (InterruptedException | TimeoutException e) {
            throw new AssertionError(e);
        }
    }

    @Nested
    class WhoGetsIt {

        @Test
        void freeLockIsHeldWithARecordThatNamesNoThread() throws Exception {
            try (SessionLock lock = locks.acquireAsync(session()).join()) {
                lock.verifyHeld();
                assertThat(Files.readString(lock.lockFile())).contains("\"thread\":\"\"");
                assertThat(Kernel.seatsHeldIn(dir)).isEqualTo(1);
            }
        }

        @Test
        void lockThatLingersIsHeldByNoThreadEither() throws Exception {
            LockOptions warm = LockOptions.defaults().withLinger(Duration.ofSeconds(30));
            locks.acquire(session(), warm).close();
            try (SessionLock lock = locks.acquireAsync(session(), warm).join()) {
                await().untilAsserted(() -> assertThat(Files.readString(lock.lockFile())).contains("\"thread\":\"\"", "\"token\":" + lock.token()));
            }
        }

        @Test
        void threadsAndFuturesAreServedInTheOrderInWhichTheyCame() throws Exception {
            ConcurrentLinkedQueue<Integer> order = new ConcurrentLinkedQueue<>();
            ExecutorService threads = Executors.newCachedThreadPool();
            try {
                SessionLock first = locks.acquire(session());
                List<Future<?>> all = new ArrayList<>();
                for (int i = 0; i < 6; i++) {
                    int me = i;
                    if (i % 2 == 0) {
                        all.add(locks.acquireAsync(session(), PATIENT).thenAccept(lock -> {
                            order.add(me);
                            lock.close();
                        }));
                    } else {
                        all.add(threads.submit(() -> {
                            try (SessionLock lock = locks.acquire(session(), PATIENT)) {
                                order.add(me);
                                lock.ensureHeld();
                            }
                            return null;
                        }));
                    }
                    untilWaiting(i + 1);
                }
                first.close();
                for (Future<?> one : all) {
                    one.get();
                }
                assertThat(order).containsExactly(0, 1, 2, 3, 4, 5);
            } finally {
                threads.shutdownNow();
            }
        }

        @Test
        void itBelongsToNoThread() throws Exception {
            try (SessionLock lock = locks.acquireAsync(session()).join()) {
                assertThatThrownBy(() -> locks.acquire(session(), LockOptions.defaults().withTimeout(Duration.ofMillis(10))))
                        .as("it waits as for another's").isInstanceOf(LockTimeoutException.class);
                CompletableFuture<SessionLock> next = locks.acquireAsync(session(), PATIENT);
                untilWaiting(1);
                lock.close();
                next.join().close();
            }
        }

        @Test
        void lingeringLockIsThereAtOnce() throws Exception {
            LockOptions warm = PATIENT.withLinger(Duration.ofSeconds(30));
            locks.acquire(session(), warm).close();
            CompletableFuture<SessionLock> again = locks.acquireAsync(session(), warm);
            assertThat(again).isCompleted();
            again.join().close();
            locks.acquire(session(), PATIENT).close(); // on other terms: it lingers no more
        }

        @Test
        void tokensGrowFromOneToTheNext() throws Exception {
            List<CompletableFuture<Long>> tokens = new ArrayList<>();
            for (int i = 0; i < 50; i++) {
                tokens.add(locks.acquireAsync(session(), PATIENT).thenApply(lock -> {
                    lock.close();
                    return lock.token();
                }));
            }
            long last = 0;
            for (Long token : tokens.stream().map(CompletableFuture::join).sorted().toList()) {
                assertThat(token).isGreaterThan(last);
                last = token;
            }
        }
    }

    @Nested
    class WhoGivesUp {

        @Test
        void timeoutFailsTheFutureAndTellsWhoHoldsIt() throws Exception {
            try (SessionLock held = locks.acquire(session())) {
                Throwable why = failureOf(locks.acquireAsync(session(), LockOptions.defaults().withTimeout(Duration.ofMillis(50))));
                assertThat(why).isInstanceOf(LockTimeoutException.class).hasMessageStartingWith("session file locked (timeout 50ms): pid=");
                held.ensureHeld();
            }
        }

        @Test
        void zeroTimeoutIsOneTry() throws Exception {
            LockOptions once = LockOptions.defaults().withTimeout(Duration.ZERO);
            locks.acquireAsync(session(), once).join().close();
            try (SessionLock held = locks.acquire(session())) {
                assertThat(failureOf(locks.acquireAsync(session(), once))).isInstanceOf(LockTimeoutException.class);
                held.ensureHeld();
            }
        }

        @Test
        void cancelledFutureLeavesTheQueueAndTheNextGetsIt() throws Exception {
            SessionLock held = locks.acquire(session());
            CompletableFuture<SessionLock> cancelled = locks.acquireAsync(session(), PATIENT);
            CompletableFuture<SessionLock> next = locks.acquireAsync(session(), PATIENT);
            untilWaiting(2);
            assertThat(cancelled.cancel(true)).isTrue();
            untilWaiting(1);
            held.close();
            next.join().close();
            assertThatThrownBy(cancelled::join).isInstanceOf(CancellationException.class);
        }

        @Test
        void futureThatTimesOutByItselfLeavesTheQueue() throws Exception {
            try (SessionLock held = locks.acquire(session())) {
                CompletableFuture<SessionLock> late = locks.acquireAsync(session(), PATIENT).orTimeout(20, TimeUnit.MILLISECONDS);
                assertThat(failureOf(late)).isInstanceOf(TimeoutException.class);
                untilWaiting(0);
                held.ensureHeld();
            }
        }

        @Test
        void lockThatIsGrantedAtTheMomentOfTheCancellationIsClosed() throws Exception {
            int got = 0;
            for (int i = 0; i < 400; i++) {
                SessionLock held = locks.acquire(session());
                CompletableFuture<SessionLock> future = locks.acquireAsync(session(), PATIENT);
                untilWaitingNow(1);
                Thread closing = new Thread(held::close);
                closing.start();
                for (int spins = 0; spins < i * 20; spins++) {
                    Thread.onSpinWait();
                }
                if (!future.cancel(true)) {
                    future.join().close();
                    got++;
                }
                closing.join();
                locks.acquire(session(), PATIENT).close();
            }
            System.out.println("lockThatIsGrantedAtTheMomentOfTheCancellationIsClosed: the lock came first in " + got + " of 400");
        }

        private void untilWaitingNow(int waiters) {
            while (locks.stats().waiting() != waiters) {
                Thread.onSpinWait();
            }
        }

        @Test
        void lockThatTheExecutorHasNotDeliveredYetIsClosedByTheCancellation() throws Exception {
            ConcurrentLinkedQueue<Runnable> busy = new ConcurrentLinkedQueue<>();
            try (SessionLocks mine = SessionLocks.builder().executor(busy::add).build()) {
                CompletableFuture<SessionLock> future = mine.acquireAsync(session(), PATIENT);
                await().until(() -> !busy.isEmpty());
                assertThat(future.cancel(true)).isTrue();
                await().until(() -> mine.stats().held() == 0);
                locks.acquire(session(), PATIENT).close();
                busy.forEach(Runnable::run);
            }
        }

        @Test
        void closedSessionLocksEndTheWaiting() throws Exception {
            try (SessionLock held = locks.acquire(session()); SessionLocks others = SessionLocks.create()) {
                CompletableFuture<SessionLock> future = others.acquireAsync(session(), PATIENT);
                await().until(() -> others.stats().waiting() == 1);
                others.close();
                assertThat(failureOf(future)).isInstanceOf(IllegalStateException.class);
                assertThatThrownBy(() -> others.acquireAsync(session())).isInstanceOf(IllegalStateException.class);
                held.ensureHeld();
            }
        }

        @Test
        void whatCannotBeLockedFailsTheFuture() throws Exception {
            assertThat(failureOf(locks.acquireAsync(dir.resolve("missing/session.jsonl")))).isInstanceOf(LockException.class);
            assertThat(failureOf(locks.acquireAsync(dir))).isInstanceOf(LockException.class);
            Files.writeString(dir.resolve("note.lock"), "this is not a lock");
            assertThat(failureOf(locks.acquireAsync(dir.resolve("note"), PATIENT))).isInstanceOf(NotALockFileException.class);
            Files.delete(dir.resolve("note.lock"));
        }
    }

    @Nested
    class WhereItCompletes {

        @Test
        void onTheExecutorForCallbacks() throws Exception {
            AtomicReference<String> where = new AtomicReference<>();
            ExecutorService executor = Executors.newSingleThreadExecutor(task -> new Thread(task, "mine"));
            try (SessionLocks mine = SessionLocks.builder().executor(executor).build(); SessionLock held = mine.acquire(session())) {
                CompletableFuture<Void> done = mine.acquireAsync(session(), PATIENT).thenAccept(lock -> {
                    where.set(Thread.currentThread().getName());
                    lock.close();
                });
                held.close();
                done.join();
                assertThat(where).hasValue("mine");
            } finally {
                executor.shutdown();
            }
        }

        @Test
        void onAThreadOfTheLibraryIfTheExecutorRefuses() throws Exception {
            try (SessionLocks mine = SessionLocks.builder().executor(task -> {
                throw new RejectedExecutionException("no more");
            }).build(); SessionLock held = mine.acquire(session())) {
                CompletableFuture<SessionLock> future = mine.acquireAsync(session(), PATIENT);
                held.close();
                future.join().close();
            }
        }

        @Test
        void lockIsNotClosedByAnExecutorThatRunsWhatItRefuses() throws Exception {
            try (SessionLocks mine = SessionLocks.builder().executor(task -> {
                task.run();
                throw new RejectedExecutionException("and yet it ran");
            }).build(); SessionLock held = mine.acquire(session())) {
                CompletableFuture<SessionLock> future = mine.acquireAsync(session(), PATIENT);
                held.close();
                try (SessionLock lock = future.join()) {
                    lock.verifyHeld();
                }
            }
        }
    }

    @Nested
    class Actions {

        @Test
        void lockIsHeldUntilTheStageCompletes() throws Exception {
            CompletableFuture<String> stage = new CompletableFuture<>();
            AtomicReference<SessionLock> lock = new AtomicReference<>();
            CompletableFuture<String> result = locks.withLockAsync(session(), PATIENT, held -> {
                lock.set(held);
                return stage;
            });
            await().until(() -> lock.get() != null);
            lock.get().verifyHeld();
            stage.complete("done");
            assertThat(result.join()).isEqualTo("done");
            assertThat(lock.get().isHeld()).isFalse();
        }

        @Test
        void failureOfTheActionIsTheResult() {
            IOException trouble = new IOException("no disk");
            assertThat(failureOf(locks.withLockAsync(session(), held -> CompletableFuture.failedFuture(trouble)))).isSameAs(trouble);
            IllegalArgumentException thrown = new IllegalArgumentException("at once");
            assertThat(failureOf(locks.withLockAsync(session(), held -> {
                throw thrown;
            }))).isSameAs(thrown);
            assertThat(failureOf(locks.<String>withLockAsync(session(), held -> null))).isInstanceOf(NullPointerException.class)
                    .hasMessageContaining("no stage");
        }

        @Test
        void lossWhileTheActionRunsIsTheResult() {
            LockOptions brief = PATIENT.withMaxHold(Duration.ofMillis(100));
            assertThat(failureOf(locks.withLockAsync(session(), brief, held -> {
                CompletableFuture<String> stage = new CompletableFuture<>();
                held.onLost(why -> stage.complete("too late"));
                return stage;
            }))).isInstanceOf(LockLostException.class);
        }

        @Test
        void cancelledBeforeItBeganItIsNotRun() throws Exception {
            try (SessionLock held = locks.acquire(session())) {
                CompletableFuture<String> result = locks.withLockAsync(session(), PATIENT, lock -> {
                    throw new AssertionError("it runs");
                });
                untilWaiting(1);
                result.cancel(true);
                untilWaiting(0);
                held.ensureHeld();
            }
        }

        @Test
        void cancelledWhileItRunsItKeepsTheLockUntilItsStageCompletes() throws Exception {
            CompletableFuture<String> stage = new CompletableFuture<>();
            AtomicReference<SessionLock> lock = new AtomicReference<>();
            CompletableFuture<String> result = locks.withLockAsync(session(), PATIENT, held -> {
                lock.set(held);
                return stage;
            });
            await().until(() -> lock.get() != null);
            result.cancel(true);
            lock.get().verifyHeld();
            stage.complete("done");
            await().until(() -> !lock.get().isHeld());
        }

        @Test
        void failureToAcquireIsTheResult() throws Exception {
            try (SessionLock held = locks.acquire(session())) {
                CompletableFuture<String> result = locks.withLockAsync(session(), LockOptions.defaults().withTimeout(Duration.ZERO), lock -> {
                    throw new AssertionError("it runs");
                });
                assertThatThrownBy(result::join).isInstanceOf(CompletionException.class).hasCauseInstanceOf(LockTimeoutException.class);
                held.ensureHeld();
            }
        }
    }

    @Nested
    class ManyOfThem {
        private static final int SESSIONS = 100;
        private static final int PENDING = 10_000;

        @Test
        void takeFewThreadsAndLittleMemory() throws Exception {
            List<SessionLock> held = new ArrayList<>();
            for (int i = 0; i < SESSIONS; i++) {
                held.add(locks.acquire(dir.resolve("session-" + i)));
            }
            locks.acquireAsync(dir.resolve("warm-up")).join().close();
            Set<Thread> ofOtherTests = threadsThatWaitInTheKernel();
            long before = usedHeap();
            List<CompletableFuture<SessionLock>> pending = new ArrayList<>(PENDING);
            for (int i = 0; i < PENDING; i++) {
                pending.add(locks.acquireAsync(dir.resolve("session-" + i % SESSIONS), PATIENT));
            }
            untilWaiting(PENDING);
            long each = (usedHeap() - before) / PENDING;
            Set<Thread> threads = threads();
            threads.removeAll(ofOtherTests);
            System.out.println("an acquisition that is pending: " + each + " bytes; threads: " + threads);
            assertThat(threads).hasSizeLessThanOrEqualTo(4);
            assertThat(each).isLessThanOrEqualTo(2_048);

            List<CompletableFuture<Void>> closed = pending.stream().map(future -> future.thenAccept(SessionLock::close)).toList();
            held.forEach(SessionLock::close);
            CompletableFuture.allOf(closed.toArray(CompletableFuture[]::new)).get(1, TimeUnit.MINUTES);
        }

        @Test
        void cancelledTogetherLeaveNothing() throws Exception {
            List<CompletableFuture<SessionLock>> pending = new ArrayList<>();
            try (SessionLock held = locks.acquire(session())) {
                for (int i = 0; i < 1_000; i++) {
                    pending.add(locks.acquireAsync(session(), PATIENT));
                }
                untilWaiting(1_000);
                pending.forEach(future -> future.cancel(true));
                untilWaiting(0);
                held.ensureHeld();
            }
        }

        /** They end when they have had nothing to do for some seconds. */
        private Set<Thread> threadsThatWaitInTheKernel() {
            return named("sessionlock-waits-in-kernel");
        }

        private Set<Thread> threads() {
            Set<Thread> all = named("sessionlock-async");
            all.addAll(threadsThatWaitInTheKernel());
            return all;
        }

        private Set<Thread> named(String name) {
            return Thread.getAllStackTraces().keySet().stream().filter(thread -> thread.getName().equals(name)).collect(Collectors.toSet());
        }

        private long usedHeap() throws InterruptedException {
            long least = Long.MAX_VALUE;
            for (int i = 0; i < 5; i++) {
                System.gc();
                Thread.sleep(20);
                least = Math.min(least, Runtime.getRuntime().totalMemory() - Runtime.getRuntime().freeMemory());
            }
            return least;
        }
    }
}

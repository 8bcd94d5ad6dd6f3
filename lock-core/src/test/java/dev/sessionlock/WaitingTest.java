package dev.sessionlock;

import static dev.sessionlock.Patience.await;
import static dev.sessionlock.Patience.within;
import static java.util.concurrent.TimeUnit.MILLISECONDS;
import static java.util.concurrent.TimeUnit.SECONDS;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.catchThrowable;

import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardWatchEventKinds;
import java.nio.file.WatchService;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.Future;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicLong;
import org.junit.jupiter.api.Test;

/** Threads of one JVM that want one lock: one at a time, in the order in which they came. */
class WaitingTest extends LocksFixture {
    private void untilWaiting(long threads) {
        await().until(() -> locks.stats().waiting() == threads);
    }

    // ---- one at a time ----

    @Test
    void recordAndByteExistExactlyWhileHeld() throws Exception {
        try (SessionLock lock = locks.acquire(session())) {
            assertThat(lock.isHeld()).isTrue();
            assertThat(lock.name()).isEqualTo("session.jsonl");
            assertThat(lock.lockFile()).isEqualTo(dir.toRealPath().resolve("session.jsonl.lock")).isRegularFile();
            assertThat(Files.readString(lock.lockFile())).hasSize(1024).contains("\"token\":" + lock.token() + ",")
                    .contains("\"thread\":\"" + Thread.currentThread().getName() + "\"");
            assertThat(Kernel.seatsHeldIn(dir)).isEqualTo(1);
            lock.ensureHeld();
            lock.verifyHeld();
        }
        assertThat(dir.resolve("session.jsonl.lock")).doesNotExist();
        assertThat(dir.resolve("session.jsonl")).as("the target is never made or opened").doesNotExist();
        assertThat(Kernel.seatsHeldIn(dir)).isZero();
    }

    @Test
    void neverTwoAtOnceAndTokensOnlyGrow() throws Exception {
        AtomicInteger inside = new AtomicInteger();
        AtomicInteger most = new AtomicInteger();
        AtomicLong last = new AtomicLong();
        ConcurrentLinkedQueue<String> wrong = new ConcurrentLinkedQueue<>();
        List<Future<Void>> all = new ArrayList<>();
        SessionLocks second = SessionLocks.create();
        for (int t = 0; t < 8; t++) {
            SessionLocks mine = t % 2 == 0 ? locks : second;
            all.add(actor("writer-" + t).begin(() -> {
                for (int i = 0; i < 300; i++) {
                    try (SessionLock lock = mine.acquire(session(), LockOptions.defaults().withTimeout(Duration.ofSeconds(25)))) {
                        most.accumulateAndGet(inside.incrementAndGet(), Math::max);
                        if (lock.token() <= last.getAndSet(lock.token())) {
                            wrong.add("token " + lock.token());
                        }
                        lock.ensureHeld();
                        inside.decrementAndGet();
                    }
                }
                return null;
            }));
        }
        for (Future<Void> one : all) {
            Actor.end(one);
        }
        second.close();
        assertThat(most).hasValue(1);
        assertThat(wrong).isEmpty();
        assertThat(locks.stats().acquired() + second.stats().acquired()).isEqualTo(8 * 300);
        assertThat(locks.stats().held()).isZero();
        assertThat(Kernel.seatsHeldIn(dir)).isZero();
    }

    @Test
    void differentFilesDoNotWaitForEachOther() throws Exception {
        try (SessionLock one = locks.acquire(session());
                SessionLock other = locks.acquire(dir.resolve("other.jsonl"), ONE_TRY);
                SessionLock capitals = locks.acquire(dir.resolve("SESSION.JSONL"), ONE_TRY)) {
            assertThat(List.of(one.isHeld(), other.isHeld(), capitals.isHeld())).containsOnly(true);
            assertThat(Kernel.seatsHeldIn(dir)).isEqualTo(3);
        }
    }

    @Test
    void hundredsAreHeldAtOnceWithoutADescriptorEach() throws Exception {
        List<SessionLock> held = new ArrayList<>();
        try {
            for (int i = 0; i < 400; i++) {
                held.add(locks.acquire(dir.resolve("s" + i), ONE_TRY));
            }
            assertThat(Kernel.seatsHeldIn(dir)).isEqualTo(400);
            assertThat(Kernel.openFilesIn(dir)).as("guards and spare claims").isLessThan(64 + 32 + 16);
            for (SessionLock lock : held) {
                lock.verifyHeld();
            }
        } finally {
            held.forEach(SessionLock::close);
        }
        assertThat(Kernel.seatsHeldIn(dir)).isZero();
        assertThat(Listing.of(dir)).isEmpty();
    }

    // ---- the queue ----

    @Test
    void waitersGetItInTheOrderInWhichTheyCame() throws Exception {
        List<Integer> order = new ArrayList<>();
        List<Future<Void>> all = new ArrayList<>();
        SessionLock first = locks.acquire(session());
        for (int i = 0; i < 6; i++) {
            int me = i;
            all.add(actor("waiter-" + i).begin(() -> {
                try (SessionLock lock = locks.acquire(session())) {
                    order.add(me);
                    lock.ensureHeld();
                }
                return null;
            }));
            untilWaiting(i + 1);
        }
        first.close();
        for (Future<Void> one : all) {
            Actor.end(one);
        }
        assertThat(order).containsExactly(0, 1, 2, 3, 4, 5);
    }

    @Test
    void aTryDoesNotOvertakeAWaiterThatHasWaitedForAMillisecond() throws Exception {
        Actor waiting = actor("waiter");
        Actor barging = actor("barger");
        int barged = 0;
        for (int i = 0; i < 40; i++) {
            SessionLock first = locks.acquire(session());
            Future<SessionLock> waiter = waiting.begin(() -> locks.acquire(session()).detach());
            untilWaiting(1);
            AtomicInteger tries = new AtomicInteger();
            Future<Long> barger = barging.begin(() -> {
                while (!waiter.isDone()) {
                    tries.incrementAndGet();
                    Optional<SessionLock> got = locks.tryAcquire(session());
                    if (got.isPresent()) {
                        got.get().close();
                        return got.get().token();
                    }
                }
                return Long.MAX_VALUE;
            });
            long seenWaiting = System.nanoTime();
            await().until(() -> tries.get() > 10 && System.nanoTime() - seenWaiting > 1_000_000);
            if (i % 2 == 0) {
                Files.delete(first.lockFile()); // then it is not handed over in memory, but really free for a moment
            }
            first.close();
            SessionLock second = Actor.end(waiter);
            barged += Actor.end(barger) < second.token() ? 1 : 0;
            second.close();
        }
        assertThat(barged).isZero();
    }

    /** What a user closes stays in memory for a moment, for the waiter that has just come. If that one gives up, nothing may stay. */
    @Test
    void whatIsLeftToAWaiterThatGivesUpAtOnceIsGivenBack() throws Exception {
        Actor waiting = actor("waiter");
        int gaveUp = 0;
        for (int i = 0; i < 200; i++) {
            SessionLock lock = locks.acquire(session());
            Future<SessionLock> waiter = waiting.begin(() -> locks.acquire(session()));
            while (locks.stats().waiting() == 0) {
                Thread.onSpinWait(); // faster than a poll: it must not have waited for a millisecond
            }
            if (i % 2 == 0) {
                lock.close();
                waiting.thread().interrupt();
            } else {
                waiting.thread().interrupt();
                lock.close();
            }
            try {
                Actor.end(waiter).close();
            } catch (InterruptedException e) {
                gaveUp++;
            }
            waiting.does(Thread::interrupted);
            assertThat(Kernel.seatsHeldIn(dir)).as("round " + i).isZero();
            assertThat(dir.resolve("session.jsonl.lock")).doesNotExist();
        }
        assertThat(locks.stats().held()).isZero();
        System.out.println("whatIsLeftToAWaiterThatGivesUpAtOnceIsGivenBack: " + gaveUp + " of 200 gave up");
    }

    @Test
    void whatIsReleasedIsHandedOnInMemoryWithANewTokenAndRecord() throws Exception {
        SessionLock first = locks.acquire(session(), LockOptions.defaults().withPurpose("first"));
        WatchService watch = dir.getFileSystem().newWatchService();
        dir.register(watch, StandardWatchEventKinds.ENTRY_DELETE, StandardWatchEventKinds.ENTRY_CREATE);
        Future<SessionLock> waiter = actor("second").begin(() -> locks.acquire(session(), LockOptions.defaults().withPurpose("next")));
        untilWaiting(1);
        first.close();

        try (SessionLock second = Actor.end(waiter)) {
            assertThat(watch.poll(300, MILLISECONDS)).as("the record is rewritten, not deleted and made anew").isNull();
            assertThat(second.token()).isGreaterThan(first.token());
            assertThat(Files.readString(second.lockFile())).contains("\"token\":" + second.token() + ",", "\"purpose\":\"next\"",
                    "\"thread\":\"second\"");
            assertThat(Kernel.seatsHeldIn(dir)).isEqualTo(1);
            second.verifyHeld();
            assertThat(first.isHeld()).isFalse();
        }
        assertThat(watch.poll(10, SECONDS)).as("now it is deleted").isNotNull();
        watch.close();
        assertThat(Kernel.seatsHeldIn(dir)).isZero();
        assertThat(dir.resolve("session.jsonl.lock")).doesNotExist();
    }

    @Test
    void aRemovedRecordIsCreatedAnewInsteadOfHandedOver() throws Exception {
        SessionLock first = locks.acquire(session());
        Future<SessionLock> waiter = actor("second").begin(() -> locks.acquire(session()));
        untilWaiting(1);
        Files.delete(first.lockFile());
        first.close();

        try (SessionLock second = Actor.end(waiter)) {
            assertThat(Files.readString(second.lockFile())).contains("\"token\":" + second.token() + ",");
            second.verifyHeld();
        }
    }

    // ---- tries and timeouts ----

    @Test
    void aTryOrAZeroTimeoutIsOneTry() throws Exception {
        try (SessionLock lock = locks.acquire(session())) {
            Actor other = actor("other");
            assertThat(other.does(() -> locks.tryAcquire(session()))).isEmpty();
            assertThatExceptionOfType(LockTimeoutException.class).isThrownBy(() -> other.does(() -> locks.acquire(session(), ONE_TRY)))
                    .satisfies(e -> assertThat(e.waited()).as("it did not wait").isLessThan(LockOptions.defaults().timeout()));
            lock.verifyHeld();
        }
        try (SessionLock lock = locks.tryAcquire(session()).orElseThrow()) {
            assertThat(lock.isHeld()).isTrue();
        }
        locks.acquire(session(), ONE_TRY).close();
    }

    @Test
    void aTimeoutLeavesNothingBehindAndComesInTime() throws Exception {
        SessionLock lock = locks.acquire(session());
        Actor other = actor("other");
        LockOptions brief = LockOptions.defaults().withTimeout(Duration.ofMillis(150));

        within(Duration.ofSeconds(5), () -> {
            Throwable e = catchThrowable(() -> other.does(() -> locks.acquire(session(), brief)));
            assertThat(e).isInstanceOf(LockTimeoutException.class);
            Duration waited = ((LockTimeoutException) e).waited();
            assertThat(waited).isGreaterThanOrEqualTo(Duration.ofMillis(150));
            return waited.toNanos();
        });
        assertThat(locks.stats()).isEqualTo(new LockStats(1, 0, 1, 0, 0, 1, 0));
        lock.verifyHeld();
        lock.close();
        assertThat(Kernel.seatsHeldIn(dir)).isZero();
        locks.acquire(session(), ONE_TRY).close();
    }

    @Test
    void whatIsHandedToOneWhoIsJustGivingUpIsGivenBack() throws Exception {
        Actor waiting = actor("waiter");
        LockOptions brief = LockOptions.defaults().withTimeout(Duration.ofMillis(10));
        int timeouts = 0;
        for (int i = 0; i < 80; i++) {
            SessionLock lock = locks.acquire(session());
            AtomicLong began = new AtomicLong();
            Future<SessionLock> waiter = waiting.begin(() -> {
                began.set(System.nanoTime());
                return locks.acquire(session(), brief);
            });
            await().until(() -> began.get() != 0);
            while (System.nanoTime() - began.get() < 10_000_000 + i * 20_000) {
                Thread.onSpinWait(); // the waiter gives up, and takes a moment to find out who holds the lock
            }
            lock.close();
            try {
                Actor.end(waiter).close();
            } catch (LockTimeoutException e) {
                timeouts++;
            }
            assertThat(locks.stats().held()).as("round " + i).isZero();
            assertThat(Kernel.seatsHeldIn(dir)).as("round " + i).isZero();
        }
        System.out.println("whatIsHandedToOneWhoIsJustGivingUpIsGivenBack: " + timeouts + " of 80 gave up");
    }

    @Test
    void aTimeoutInTheMiddleOfTheQueueLetsThoseBehindIt() throws Exception {
        SessionLock lock = locks.acquire(session());
        Actor impatient = actor("impatient");
        Actor patient = actor("patient");
        boolean queued = false;
        for (int millis = 100; !queued; millis *= 2) { // on a busy machine it may give up before anybody has seen it wait
            LockOptions brief = LockOptions.defaults().withTimeout(Duration.ofMillis(millis));
            Future<SessionLock> first = impatient.begin(() -> locks.acquire(session(), brief));
            await().until(() -> locks.stats().waiting() == 1 || first.isDone());
            Future<SessionLock> second = patient.begin(() -> locks.acquire(session(), LockOptions.defaults().withTimeout(Patience.LIMIT)));
            await().until(() -> locks.stats().waiting() == 2 || first.isDone());
            queued = !first.isDone();
            assertThatThrownBy(() -> Actor.end(first)).isInstanceOf(LockTimeoutException.class);
            if (!queued) {
                patient.thread().interrupt();
                assertThatThrownBy(() -> Actor.end(second)).isInstanceOf(InterruptedException.class);
            } else {
                lock.close();
                Actor.end(second).close();
            }
        }
    }

    // ---- interrupts ----

    @Test
    void anInterruptBeforeOrWhileWaitingLeavesNothingBehind() throws Exception {
        SessionLock lock = locks.acquire(session());
        Actor other = actor("other");
        Future<SessionLock> waiter = other.begin(() -> locks.acquire(session()));
        untilWaiting(1);
        other.thread().interrupt();
        assertThatThrownBy(() -> Actor.end(waiter)).isInstanceOf(InterruptedException.class);

        assertThatThrownBy(() -> other.does(() -> {
            Thread.currentThread().interrupt();
            return locks.acquire(session());
        })).isInstanceOf(InterruptedException.class);
        assertThatThrownBy(() -> other.does(() -> {
            Thread.currentThread().interrupt();
            return locks.acquire(dir.resolve("free"));
        })).as("also where it need not wait").isInstanceOf(InterruptedException.class);

        assertThat(locks.stats()).isEqualTo(new LockStats(1, 0, 1, 0, 0));
        lock.verifyHeld();
        lock.close();
        other.does(() -> locks.acquire(session(), ONE_TRY)).close();
        assertThat(Kernel.seatsHeldIn(dir)).isZero();
        assertThat(Listing.of(dir)).isEmpty();
    }

    @Test
    void interruptsThatRaceWithTheHandOverLoseNoLock() throws Exception {
        Actor holder = actor("holder");
        Actor waiter = actor("waiter");
        int got = 0;
        for (int i = 0; i < 100; i++) {
            SessionLock lock = holder.does(() -> locks.acquire(session()));
            Future<SessionLock> next = waiter.begin(() -> {
                SessionLock mine = locks.acquire(session());
                Thread.interrupted();
                return mine;
            });
            untilWaiting(1);
            Future<Void> closing = holder.begin(() -> {
                lock.close();
                return null;
            });
            waiter.thread().interrupt();
            Actor.end(closing);
            try {
                SessionLock mine = Actor.end(next);
                mine.verifyHeld();
                mine.close();
                got++;
            } catch (InterruptedException e) {
                waiter.does(Thread::interrupted);
            }
            assertThat(locks.stats().held()).as("round " + i).isZero();
        }
        assertThat(Kernel.seatsHeldIn(dir)).isZero();
        System.out.println("interruptsThatRaceWithTheHandOverLoseNoLock: the lock came first in " + got + " of 100");
    }

    @Test
    void anInterruptedThreadTriesClosesAndChecksAsAnyOther() throws Exception {
        Actor other = actor("other");
        other.does(() -> {
            Thread.currentThread().interrupt();
            try (SessionLock lock = locks.tryAcquire(session()).orElseThrow()) {
                lock.ensureHeld();
                lock.verifyHeld();
                lock.renew();
                assertThat(locks.inspect(session()).state()).isEqualTo(LockReport.State.HELD);
                assertThat(Kernel.seatsHeldIn(dir)).isEqualTo(1);
            }
            assertThat(Thread.interrupted()).as("the interrupt is not swallowed").isTrue();
            return null;
        });
        assertThat(Kernel.seatsHeldIn(dir)).isZero();
        assertThat(dir.resolve("session.jsonl.lock")).doesNotExist();
        locks.acquire(session(), ONE_TRY).close();
    }

    // ---- closing ----

    @Test
    void closingIsIdempotentAndMayBeDoneByAnyThread() throws Exception {
        SessionLock lock = locks.acquire(session());
        actor("other").does(() -> {
            lock.close();
            lock.close();
            return null;
        });
        lock.close();
        assertThat(locks.stats()).isEqualTo(new LockStats(0, 0, 1, 0, 0));

        SessionLock next = locks.acquire(session());
        lock.close(); // must not touch what another handle holds now
        next.verifyHeld();
        assertThat(Kernel.seatsHeldIn(dir)).isEqualTo(1);
        next.close();
    }

    @Test
    void aClosedHandleSaysSo() throws Exception {
        SessionLock lock = locks.acquire(session());
        lock.close();
        assertThat(lock.isHeld()).isFalse();
        assertThat(lock.remaining()).isZero();
        assertThat(lock).hasToString("SessionLock[session.jsonl, token " + lock.token() + ", not held]");
        assertThatThrownBy(lock::ensureHeld).isInstanceOf(IllegalStateException.class).hasMessageContaining("session.jsonl")
                .hasMessageContaining("closed");
        assertThatThrownBy(lock::verifyHeld).isInstanceOf(IllegalStateException.class);
        assertThatThrownBy(lock::renew).isInstanceOf(IllegalStateException.class);
        Path content = Files.writeString(dir.resolve("new"), "x");
        assertThatThrownBy(() -> lock.replace(content)).isInstanceOf(IllegalStateException.class);
        assertThat(content).hasContent("x");
        assertThat(session()).doesNotExist();
    }

    @Test
    void manyThreadsThatCloseOneHandleReleaseItOnce() throws Exception {
        for (int i = 0; i < 50; i++) {
            SessionLock lock = locks.acquire(session());
            List<Future<Void>> closings = new ArrayList<>();
            for (int t = 0; t < 3; t++) {
                if (actors.size() <= t) {
                    actor("closer-" + t);
                }
                closings.add(actors.get(t).begin(() -> {
                    lock.close();
                    return null;
                }));
            }
            for (Future<Void> one : closings) {
                Actor.end(one);
            }
        }
        assertThat(locks.stats()).isEqualTo(new LockStats(0, 0, 50, 0, 0));
    }

    @Test
    void aWaiterIsInSoonAfterAReleaseAndDoesNotPollItself() throws Exception {
        Actor waiting = actor("waiter");
        within(Duration.ofSeconds(2), () -> {
            SessionLock lock = locks.acquire(session());
            Future<Long> waiter = waiting.begin(() -> {
                try (SessionLock mine = locks.acquire(session())) {
                    mine.ensureHeld();
                    return System.nanoTime();
                }
            });
            untilWaiting(1);
            Thread.sleep(300); // longer than any pause between tries could be
            long closed = System.nanoTime();
            lock.close();
            return Actor.end(waiter) - closed;
        });
    }
}

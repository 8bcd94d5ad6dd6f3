package dev.sessionlock;

import static dev.sessionlock.Patience.await;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.sessionlock.LockLostException.Reason;
import java.lang.ref.WeakReference;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.Future;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicReference;
import org.junit.jupiter.api.Test;

/** How a lock ends before it is closed: who is told, when, and for how long others must still wait. */
class LossTest extends LocksFixture {
    private final Actor other = actor("other");
    private final ConcurrentLinkedQueue<LockLostException> told = new ConcurrentLinkedQueue<>();

    private void untilLost(SessionLock lock, Reason reason) {
        await().until(() -> !lock.isHeld());
        for (org.assertj.core.api.ThrowableAssert.ThrowingCallable call : calls(lock)) {
            assertThatThrownBy(call).isInstanceOfSatisfying(LockLostException.class, e -> {
                assertThat(e.reason()).isEqualTo(reason);
                assertThat(e.since()).isBetween(lock.acquiredAt(), Instant.now());
                assertThat(e).hasMessageContainingAll("session.jsonl", "token " + lock.token(), Thread.currentThread().getName(), "acquire it again");
            });
        }
    }

    private static List<org.assertj.core.api.ThrowableAssert.ThrowingCallable> calls(SessionLock lock) {
        return List.of(lock::ensureHeld, lock::verifyHeld, lock::renew);
    }

    // ---- maxHold ----

    @Test
    void aHoldEndsAtMaxHoldAndOthersGetInAfterTheGraceAndNotBefore() throws Exception {
        long start = System.nanoTime();
        SessionLock lock = locks.acquire(session(),
                LockOptions.defaults().withMaxHold(Duration.ofMillis(300)).withRevokeGrace(Duration.ofMillis(700)));
        lock.onLost(told::add);
        Future<Long> next = other.begin(() -> {
            try (SessionLock mine = locks.acquire(session(), PATIENT)) {
                mine.ensureHeld();
                assertThat(mine.token()).isGreaterThan(lock.token());
                return System.nanoTime();
            }
        });
        await().until(() -> !lock.isHeld());
        assertThat(System.nanoTime() - start).isGreaterThanOrEqualTo(300_000_000L);
        untilLost(lock, Reason.MAX_HOLD);
        assertThat(lock.remaining()).isZero();

        assertThat(Actor.end(next) - start).as("maxHold and grace").isGreaterThanOrEqualTo(1_000_000_000L);
        await().until(() -> told.size() == 1);
        assertThat(told.peek().reason()).isEqualTo(Reason.MAX_HOLD);
        lock.close();
        assertThat(locks.stats()).isEqualTo(new LockStats(0, 0, 2, 1, 0));
    }

    @Test
    void whoClosesInTheGraceLetsOthersInAtOnce() throws Exception {
        SessionLock lock = locks.acquire(session(),
                LockOptions.defaults().withMaxHold(Duration.ofMillis(100)).withRevokeGrace(Duration.ofMinutes(5)));
        Future<SessionLock> next = other.begin(() -> locks.acquire(session(), PATIENT));
        await().until(() -> locks.stats().lost() == 1);
        assertThat(Kernel.seatsHeldIn(dir)).as("its byte stays through the grace").isEqualTo(1);
        assertThat(next.isDone()).isFalse();
        lock.close();
        Actor.end(next).close();
    }

    @Test
    void progressKeepsItAndALossIsForEver() throws Exception {
        Duration maxHold = Duration.ofMillis(800);
        SessionLock lock = heldBeyond(maxHold);
        assertThat(lock.remaining()).isLessThanOrEqualTo(maxHold);
        await().until(() -> !lock.isHeld());
        assertThatThrownBy(lock::renew).isInstanceOf(LockLostException.class);
        assertThat(lock.isHeld()).isFalse();
        lock.close();
    }

    /** Held by making progress, for longer than {@code maxHold}. Tried again if this thread stood still for that long between two renewals. */
    private SessionLock heldBeyond(Duration maxHold) throws Exception {
        while (true) {
            SessionLock lock = locks.acquire(session(), PATIENT.withMaxHold(maxHold).withRevokeGrace(Duration.ofMinutes(5)));
            long renewed = System.nanoTime();
            try {
                for (int i = 0; i < 12; i++) {
                    Thread.sleep(maxHold.toMillis() / 8);
                    lock.renew();
                    renewed = System.nanoTime();
                }
                lock.verifyHeld();
                return lock;
            } catch (LockLostException e) {
                assertThat(System.nanoTime() - renewed).as("since the last renewal").isGreaterThan(maxHold.toNanos() / 2);
                lock.close();
            }
        }
    }

    @Test
    void anUnlimitedHoldSaysSo() throws Exception {
        try (SessionLock lock = locks.acquire(session(), LockOptions.defaults().withMaxHold(LockOptions.UNLIMITED))) {
            assertThat(lock.remaining()).isEqualTo(LockOptions.UNLIMITED);
            assertThat(Files.readString(lock.lockFile())).doesNotContain("maxHoldMs");
        }
        try (SessionLock lock = locks.acquire(session(), LockOptions.defaults().withMaxHold(Duration.ofMinutes(5)))) {
            assertThat(lock.remaining()).isBetween(Duration.ofMinutes(4), Duration.ofMinutes(5));
            assertThat(Files.readString(lock.lockFile())).contains("\"maxHoldMs\":300000,");
        }
    }

    @Test
    void theKeeperRenewsALeaseByItselfLongBeforeItsEnd() throws Exception {
        boolean renewed = false;
        for (int tries = 0; tries < 6 && !renewed; tries++) { // if the machine stands still for a lease, the hold ends
            try (SessionLock lock = locks.acquire(session(), LockOptions.defaults().withLease(Duration.ofSeconds(3)))) {
                String before = Files.readString(lock.lockFile());
                await().until(() -> !lock.isHeld() || !Files.readString(lock.lockFile()).equals(before));
                String after = Files.readString(lock.lockFile());
                renewed = lock.isHeld() && after.contains("\"token\":" + lock.token() + ",");
            }
        }
        assertThat(renewed).isTrue();
    }

    // ---- removed by hand ----

    @Test
    void aRemovedLockFileIsAWishToLetGo() throws Exception {
        SessionLock lock = locks.acquire(session(), LockOptions.defaults().withRevokeGrace(Duration.ofMillis(300)));
        lock.onLost(told::add);
        Future<SessionLock> next = other.begin(() -> locks.acquire(session()));
        await().until(() -> locks.stats().waiting() == 1);
        Files.delete(lock.lockFile());
        untilLost(lock, Reason.REMOVED_BY_HAND);
        Actor.end(next).close();
        await().until(() -> told.size() == 1);
        lock.close();
        assertThat(Listing.of(dir)).isEmpty();
    }

    @Test
    void aLookAtTheDiskSeesTheRemovalBeforeTheKeeperDoes() throws Exception {
        SessionLock lock = locks.acquire(session());
        Files.delete(lock.lockFile());
        assertThatThrownBy(lock::verifyHeld).isInstanceOf(LockLostException.class);
        assertThatThrownBy(lock::ensureHeld).isInstanceOf(LockLostException.class);
        lock.close();
    }

    @Test
    void aDirectoryThatWasAwayCostsOnlyWhatWasHeldBefore() throws Exception {
        SessionLock lock = locks.acquire(session());
        Path inner = dir.resolve(".session-locks");
        Path aside = Files.move(inner, dir.resolve("aside"));
        assertThatThrownBy(lock::verifyHeld).isInstanceOfSatisfying(LockLostException.class,
                e -> assertThat(e.reason()).isEqualTo(Reason.KERNEL_LOCK_LOST));
        Files.move(aside, inner);
        lock.close();
        try (SessionLock next = locks.acquire(session(), PATIENT)) {
            next.verifyHeld();
        }
    }

    @Test
    void aForeignLockPutThereAfterARemovalIsNotDeletedAtClose() throws Exception {
        SessionLock lock = locks.acquire(session());
        Files.delete(lock.lockFile());
        Files.writeString(dir.resolve("session.jsonl.lock"), "another program's");
        lock.close();
        assertThat(dir.resolve("session.jsonl.lock")).hasContent("another program's");
        assertThat(Kernel.seatsHeldIn(dir)).isZero();
    }

    @Test
    void aRequestToLetGoIsHonouredByExactlyTheHolderThatItNames() throws Exception {
        SessionLock lock = locks.acquire(session(), LockOptions.defaults().withRevokeGrace(Duration.ZERO));
        Path inner = dir.resolve(".session-locks");
        Files.createFile(inner.resolve("release-" + (lock.token() + 1)));
        Thread.sleep(1300); // a tick
        lock.verifyHeld();
        Files.createFile(inner.resolve("release-" + lock.token()));
        untilLost(lock, Reason.RELEASE_REQUESTED);
        assertThat(inner.resolve("release-" + lock.token())).doesNotExist();
        other.does(() -> locks.acquire(session())).close();
        lock.close();
    }

    @Test
    void aTruncatedOrEditedRecordLetsNobodyElseIn() throws Exception {
        try (SessionLock lock = locks.acquire(session())) {
            Files.write(lock.lockFile(), new byte[0]);
            assertThat(other.does(() -> locks.tryAcquire(session()))).isEmpty();
            lock.verifyHeld();
            Files.writeString(lock.lockFile(), "{\"pid\":1,\"createdAt\":\"2026-02-09T06:32:23.123Z\"}");
            assertThat(other.does(() -> locks.tryAcquire(session()))).isEmpty();
            lock.verifyHeld();
            assertThat(Kernel.seatsHeldIn(dir)).isEqualTo(1);
        }
        assertThat(dir.resolve("session.jsonl.lock")).doesNotExist();
    }

    // ---- onLost ----

    @Test
    void listenersOfALossAreToldOnceAndNotOnTheKeepersThread() throws Exception {
        ConcurrentLinkedQueue<String> threads = new ConcurrentLinkedQueue<>();
        SessionLock lock = locks.acquire(session(), LockOptions.defaults().withMaxHold(Duration.ofMillis(100)));
        lock.onLost(why -> threads.add(Thread.currentThread().getName()));
        lock.onLost(told::add);
        await().until(() -> threads.size() == 1 && told.size() == 1);
        lock.onLost(told::add);
        await().until(() -> told.size() == 2);
        assertThat(threads).noneMatch(name -> name.contains("keeper"));
        assertThat(told).allMatch(why -> why.reason() == Reason.MAX_HOLD);
        Thread.sleep(200);
        assertThat(told).hasSize(2);
        lock.close();
    }

    @Test
    void nobodyIsToldAfterTheClose() throws Exception {
        long lostInTime;
        do { // again, if the machine has stood still for that long
            told.clear();
            lostInTime = locks.stats().lost();
            SessionLock lock = locks.acquire(session(), LockOptions.defaults().withMaxHold(Duration.ofMillis(200)));
            lock.onLost(told::add);
            lock.close();
            Thread.sleep(300);
        } while (locks.stats().lost() > lostInTime);
        assertThat(told).isEmpty();

        SessionLock lost = locks.acquire(session(), LockOptions.defaults().withMaxHold(Duration.ofMillis(100)));
        await().until(() -> !lost.isHeld());
        assertThatThrownBy(lost::ensureHeld).isInstanceOf(LockLostException.class);
        lost.close();
        lost.onLost(told::add);
        Thread.sleep(300);
        assertThat(told).isEmpty();
    }

    @Test
    void aListenerThatThrowsKeepsNobodyElseFromBeingTold() throws Exception {
        SessionLock lock = locks.acquire(session(), LockOptions.defaults().withMaxHold(Duration.ofMillis(100)).withRevokeGrace(Duration.ZERO));
        lock.onLost(why -> {
            throw new AssertionError("thrown on purpose");
        });
        lock.onLost(told::add);
        await().until(() -> told.size() == 1);
        other.does(() -> locks.acquire(session())).close();
        lock.close();
    }

    @Test
    void aListenerMayUseTheLibrary() throws Exception {
        SessionLock lock = locks.acquire(session(), LockOptions.defaults().withMaxHold(Duration.ofMillis(100)));
        AtomicReference<SessionLock> again = new AtomicReference<>();
        lock.onLost(why -> {
            lock.close();
            try {
                again.set(locks.acquire(session()));
            } catch (LockException | InterruptedException e) {
                throw new AssertionError(e);
            }
        });
        await().until(() -> again.get() != null);
        again.get().verifyHeld();
        again.get().close();
    }

    // ---- leaks ----

    @Test
    void aForgottenHandleIsClosedByTheGarbageCollector() throws Exception {
        AtomicBoolean toldOfLoss = new AtomicBoolean();
        leak(toldOfLoss);
        Future<SessionLock> next = other.begin(() -> locks.acquire(session(), LockOptions.defaults().withTimeout(Duration.ofSeconds(20))));
        await().pollInterval(Duration.ofMillis(50)).until(() -> {
            System.gc();
            return next.isDone();
        });
        Actor.end(next).close();
        assertThat(locks.stats()).isEqualTo(new LockStats(0, 0, 2, 1, 0));
        assertThat(Kernel.seatsHeldIn(dir)).isZero();
    }

    private void leak(AtomicBoolean toldOfLoss) throws Exception {
        SessionLock lock = locks.acquire(session());
        lock.onLost(why -> toldOfLoss.set(lock.isHeld())); // captures the handle, which must not keep it reachable
    }

    @Test
    void aForgottenInnerHandleDoesNotReleaseTheOuter() throws Exception {
        try (SessionLock outer = locks.acquire(session())) {
            WeakReference<SessionLock> inner = leakInner();
            await().pollInterval(Duration.ofMillis(50)).until(() -> {
                System.gc();
                return inner.get() == null && locks.stats().held() == 1;
            });
            outer.verifyHeld();
            assertThat(Kernel.seatsHeldIn(dir)).isEqualTo(1);
        }
        assertThat(Kernel.seatsHeldIn(dir)).isZero();
    }

    private WeakReference<SessionLock> leakInner() throws Exception {
        return new WeakReference<>(locks.acquire(session(), LockOptions.defaults().withReentrant(true)));
    }

    @Test
    void aHandleInUseIsNotTakenForForgotten() throws Exception {
        List<SessionLock> parts = new ArrayList<>();
        try (SessionLock lock = locks.acquire(session())) {
            parts.addAll(lock.parts());
            for (int i = 0; i < 5; i++) {
                System.gc();
                Thread.sleep(20);
                lock.verifyHeld();
            }
        }
        assertThat(locks.stats().lost()).isZero();
        locks.acquire(session(), ONE_TRY).close();
    }
}

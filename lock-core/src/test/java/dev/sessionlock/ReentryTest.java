package dev.sessionlock;

import static dev.sessionlock.Patience.await;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.nio.file.Files;
import java.time.Duration;
import java.util.concurrent.Future;
import org.junit.jupiter.api.Test;

/** A thread that asks for a lock that it holds. */
class ReentryTest extends LocksFixture {
    private static final LockOptions REENTRANT = LockOptions.defaults().withReentrant(true);

    private final Actor other = actor("other");

    @Test
    void itIsToldAtOnceAndWhatToDo() throws Exception {
        try (SessionLock lock = locks.acquire(session(), LockOptions.defaults().withPurpose("flush"))) {
            assertThatExceptionOfType(LockReentryException.class).isThrownBy(() -> locks.acquire(session()))
                    .withMessageContainingAll(session().toString(), "already", lock.acquiredAt().toString(), "flush", "Close", "withReentrant");
            assertThatExceptionOfType(LockReentryException.class).isThrownBy(() -> locks.tryAcquire(session()));
            try (SessionLocks second = SessionLocks.create()) {
                assertThatExceptionOfType(LockReentryException.class).isThrownBy(() -> second.acquire(session()));
            }
            assertThat(locks.stats()).isEqualTo(new LockStats(1, 0, 1, 0, 0));
            lock.verifyHeld();
        }
        locks.acquire(session()).close();
    }

    @Test
    void innerHandlesShareTheTokenAndTheLastClosedReleases() throws Exception {
        SessionLock outer = locks.acquire(session());
        SessionLock inner = locks.acquire(session(), REENTRANT);
        SessionLock innermost = locks.tryAcquire(session(), REENTRANT).orElseThrow();
        assertThat(inner.token()).isEqualTo(outer.token()).isEqualTo(innermost.token());
        assertThat(inner.acquiredAt()).isEqualTo(outer.acquiredAt());
        assertThat(locks.stats()).isEqualTo(new LockStats(3, 0, 3, 0, 0));
        assertThat(Kernel.seatsHeldIn(dir)).isEqualTo(1);

        outer.close(); // in any order
        assertThat(outer.isHeld()).isFalse();
        assertThatThrownBy(outer::ensureHeld).isInstanceOf(IllegalStateException.class);
        inner.verifyHeld();
        innermost.close();
        inner.verifyHeld();
        assertThat(other.does(() -> locks.tryAcquire(session()))).isEmpty();

        inner.close();
        inner.close();
        assertThat(Kernel.seatsHeldIn(dir)).isZero();
        assertThat(locks.stats()).isEqualTo(new LockStats(0, 0, 3, 0, 0));
        other.does(() -> locks.acquire(session(), ONE_TRY)).close();
    }

    @Test
    void closingAnInnerHandleTwiceDoesNotReleaseTheOuter() throws Exception {
        try (SessionLock outer = locks.acquire(session())) {
            SessionLock inner = locks.acquire(session(), REENTRANT);
            inner.close();
            inner.close();
            outer.verifyHeld();
            assertThat(Kernel.seatsHeldIn(dir)).isEqualTo(1);
        }
    }

    @Test
    void theOptionsOfAnInnerHandleAreIgnored() throws Exception {
        try (SessionLock outer = locks.acquire(session(), LockOptions.defaults().withMaxHold(Duration.ofMinutes(3)));
                SessionLock inner = locks.acquire(session(), REENTRANT.withMaxHold(Duration.ofMillis(100)).withPurpose("inner"))) {
            assertThat(inner.remaining()).isGreaterThan(Duration.ofMinutes(2));
            assertThat(Files.readString(outer.lockFile())).doesNotContain("inner");
        }
    }

    @Test
    void progressOfAnyHandleCountsForAll() throws Exception {
        try (SessionLock outer = locks.acquire(session(), LockOptions.defaults().withMaxHold(Duration.ofMinutes(1)));
                SessionLock inner = locks.acquire(session(), REENTRANT)) {
            await().until(() -> {
                Thread.sleep(20); // so that something has to grow again
                Duration before = outer.remaining();
                inner.renew();
                return outer.remaining().compareTo(before) > 0;
            });
        }
    }

    @Test
    void onlyTheThreadThatHoldsItMayEnterAgain() throws Exception {
        try (SessionLock lock = locks.acquire(session(), REENTRANT)) {
            assertThat(other.does(() -> locks.tryAcquire(session(), REENTRANT))).isEmpty();
            lock.verifyHeld();
        }
    }

    @Test
    void aDetachedHandleIsNobodys() throws Exception {
        SessionLock lock = locks.acquire(session());
        assertThat(lock.detach()).isSameAs(lock);
        assertThat(locks.tryAcquire(session(), REENTRANT)).as("this thread waits like any other").isEmpty();
        assertThatThrownBy(() -> locks.acquire(session(), ONE_TRY)).isInstanceOf(LockTimeoutException.class)
                .hasMessageNotContaining("of this JVM holds it");
        Future<SessionLock> waiter = other.begin(() -> locks.acquire(session()));
        await().until(() -> locks.stats().waiting() == 1);
        lock.verifyHeld();
        lock.close();
        Actor.end(waiter).close();
    }

    @Test
    void aLostLockIsNotEnteredAgain() throws Exception {
        LockOptions brief = LockOptions.defaults().withMaxHold(Duration.ofMillis(100)).withRevokeGrace(Duration.ofMinutes(1));
        SessionLock outer = locks.acquire(session(), brief);
        await().until(() -> !outer.isHeld());

        // The outer handle is still open, in its grace. An inner one would be lost from the start.
        assertThatThrownBy(() -> locks.acquire(session(), REENTRANT)).isInstanceOf(LockLostException.class)
                .hasMessageContaining("maxHold");
        assertThatThrownBy(() -> locks.tryAcquire(session(), REENTRANT)).isInstanceOf(LockLostException.class);
        assertThatThrownBy(() -> locks.acquire(session(), ONE_TRY)).as("it waits like any other").isInstanceOf(LockTimeoutException.class);
        await().until(() -> locks.stats().equals(new LockStats(0, 0, 1, 1, 0, 1, 0)));
        outer.close();
        assertThat(locks.stats()).isEqualTo(new LockStats(0, 0, 1, 1, 0, 1, 0));
        locks.acquire(session(), REENTRANT.withTimeout(Duration.ZERO)).close();
    }
}

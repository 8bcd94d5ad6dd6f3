package dev.sessionlock.internal.threads;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.catchThrowableOfType;

import dev.sessionlock.LockLostException;
import dev.sessionlock.LockLostException.Reason;
import dev.sessionlock.LockOptions;
import dev.sessionlock.LockStats;
import dev.sessionlock.SessionLock;
import dev.sessionlock.SessionLocks;
import dev.sessionlock.spi.EngineLock;
import java.nio.file.Files;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.Test;

/** One lock in one JVM: users that come and go, and what is judged of one when the next has the lock already. */
class LocalLockTest extends LocalLockFixture {
    @Test
    void recordOfASuccessorIsNotTakenForAManualRemovalByAProcessThatWakesInTheMiddleOfALook() throws Exception {
        try (SessionLocks locks = locks(); SessionLock lock = locks.acquire(dir.resolve("session.jsonl"))) {
            interludes.put("check", () -> {
                Files.delete(lock.lockFile()); // as a successor does, which puts its own record there
                slept.addAndGet(TimeUnit.HOURS.toNanos(1));
            });
            LockLostException lost = catchThrowableOfType(LockLostException.class, lock::verifyHeld);
            assertThat(lost.reason()).isEqualTo(Reason.LEASE_EXPIRED);
        }
    }

    /** The keeper never waits for the engine lock: a user who verifies in a loop has it nearly always, and must not lose its lease by that. */
    @Test
    void whoVerifiesRenewsWhatIsDue() throws Exception {
        Thread user = Thread.currentThread();
        AtomicInteger renewals = new AtomicInteger();
        called = name -> renewals.addAndGet(name.equals("renew") && Thread.currentThread() == user ? 1 : 0);
        try (SessionLocks locks = locks(); SessionLock lock = locks.acquire(session())) {
            for (int i = 0; i < 20 && renewals.get() == 0; i++) { // unless the keeper has just renewed it
                slept.addAndGet(TimeUnit.SECONDS.toNanos(15));
                lock.verifyHeld();
            }
        }
        assertThat(renewals).hasPositiveValue();
    }

    @Test
    void manualRemovalIsReportedAsOneWhileTheLeaseRuns() throws Exception {
        try (SessionLocks locks = locks(); SessionLock lock = locks.acquire(dir.resolve("session.jsonl"))) {
            interludes.put("check", () -> Files.delete(lock.lockFile()));
            LockLostException lost = catchThrowableOfType(LockLostException.class, lock::verifyHeld);
            assertThat(lost.reason()).isEqualTo(Reason.REMOVED_BY_HAND);
        }
    }

    @Test
    void lockThatLingeredIsGivenBackIfTheProcessSleptPastItsLeaseJustBeforeItReusedIt() throws Exception {
        try (SessionLocks locks = locks()) {
            locks.acquire(session(), WARM).close();
            List<String> calls = new CopyOnWriteArrayList<>();
            interludes.put("reuse", () -> {
                calls.add("reuse");
                slept.addAndGet(TimeUnit.HOURS.toNanos(1));
            });
            interludes.put("release", () -> {
                calls.add("release");
                slept.set(0); // the engine goes by its own clock, which did not sleep
            });
            try (SessionLock lock = locks.acquire(session(), WARM)) {
                assertThat(calls).containsExactly("reuse", "release");
                lock.verifyHeld();
            }
        }
    }

    // ---- a judgement on one user, when the next one has the lock already ----

    @Test
    void requestToTheLastUserIsNotHeardByTheNextOne() throws Exception {
        try (SessionLocks locks = locks(); SessionLock first = locks.acquire(session(), WARM)) {
            List<SessionLock> next = new ArrayList<>();
            answerHere("check", real -> {
                next.add(closedAndTakenAgain(locks, first, WARM));
                return EngineLock.HoldStatus.REQUESTED;
            });
            assertThatThrownBy(first::verifyHeld).isInstanceOf(IllegalStateException.class).hasMessageContaining("closed by its user");
            next.get(0).ensureHeld();
            next.get(0).close();
            assertThat(locks.stats()).isEqualTo(new LockStats(0, 0, 2, 0, 0));
        }
    }

    @Test
    void maxHoldOfTheLastUserDoesNotEndTheNextOne() throws Exception {
        LockOptions brief = WARM.withLease(LockOptions.MAX_LEASE).withMaxHold(Duration.ofMinutes(1));
        sleeper = Thread.currentThread(); // not the keeper, which would end it
        try (SessionLocks locks = locks(); SessionLock first = locks.acquire(session(), brief)) {
            List<SessionLock> next = new ArrayList<>();
            String clock = "nanos in " + Thread.currentThread().getName();
            interludes.put(clock, () -> {
                slept.addAndGet(TimeUnit.MINUTES.toNanos(2));
                interludes.put(clock, () -> next.add(closedAndTakenAgain(locks, first, brief))); // when it is about to be told why
            });
            assertThatThrownBy(first::ensureHeld).isInstanceOf(IllegalStateException.class).hasMessageContaining("closed by its user");
            next.get(0).ensureHeld();
            next.get(0).close();
            assertThat(locks.stats()).isEqualTo(new LockStats(0, 0, 2, 0, 0));
        }
    }

    private SessionLock closedAndTakenAgain(SessionLocks locks, SessionLock lock, LockOptions options) throws Exception {
        lock.close();
        return locks.acquire(session(), options);
    }
}

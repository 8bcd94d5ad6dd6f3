package dev.sessionlock.internal.threads;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.catchThrowableOfType;

import dev.sessionlock.LockOptions;
import dev.sessionlock.LockTimeoutException;
import dev.sessionlock.SessionLock;
import dev.sessionlock.SessionLocks;
import dev.sessionlock.spi.Busy;
import dev.sessionlock.spi.EngineLock;
import java.nio.file.Files;
import java.time.Duration;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicReference;
import org.awaitility.Awaitility;
import org.junit.jupiter.api.Test;

/** One lock that lingers in one JVM: what the engine hears of it, and other processes. */
class LocalLockLingerTest extends LocalLockFixture {
    // ---- what lingers, and the engine ----

    @Test
    void lockThatTheKernelHasLostIsNotHandedOverThoughItLingered() throws Exception {
        try (SessionLocks locks = locks()) {
            SessionLock first = locks.acquire(session(), WARM);
            answerHere("check", real -> {
                first.close();
                return EngineLock.HoldStatus.LOST;
            });
            List<String> calls = new CopyOnWriteArrayList<>();
            called = name -> calls.add(name.equals("releaseSoon") ? "release" : name); // by the keeper, if it was faster
            assertThatThrownBy(first::verifyHeld).isInstanceOf(IllegalStateException.class);
            try (SessionLock next = locks.acquire(session(), WARM.withPurpose("on other terms"))) {
                next.verifyHeld();
            }
            assertThat(calls).containsSubsequence("release", "take").doesNotContain("handOver");
        }
    }

    @Test
    void engineIsNotAskedForWhatAThreadHasTakenAgainInMemory() throws Exception {
        AtomicBoolean has = new AtomicBoolean();
        AtomicBoolean over = new AtomicBoolean();
        AtomicInteger asked = new AtomicInteger();
        called = name -> asked.addAndGet(name.equals("take") && has.get() ? 1 : 0);
        try (SessionLocks locks = locks()) {
            Thread warm = new Thread(() -> {
                try {
                    while (!over.get()) {
                        try (SessionLock lock = locks.acquire(session(), WARM)) {
                            has.set(lock.isHeld());
                            has.set(false);
                        }
                    }
                } catch (Exception e) {
                    asked.addAndGet(1_000_000);
                }
            });
            warm.start();
            for (int i = 0; i < 20_000; i++) {
                locks.tryAcquire(session(), WARM.withPurpose("on other terms")).ifPresent(SessionLock::close);
            }
            over.set(true);
            warm.join();
        }
        assertThat(asked).hasValue(0);
    }

    /** Rule 3: frozen with both bytes, this process would stop everybody. */
    @Test
    void byteThatAThreadGotForAHeadThatNeedsItNoMoreIsGivenBackThoughTheLockLingers() throws Exception {
        CountDownLatch kernelGives = new CountDownLatch(1);
        CountDownLatch keeperLooks = new CountDownLatch(1);
        CountDownLatch keeperGoesOn = new CountDownLatch(1);
        List<String> calls = new CopyOnWriteArrayList<>();
        try (SessionLocks locks = locks()) {
            busy.set(new Busy(1, Long.MAX_VALUE, "a successor holds it"));
            awaited = kernelGives;
            called = calls::add;
            for (int tries = 0; tries < 20 && !calls.contains("awaitKernel"); tries++) { // a busy machine may be too slow for the quick tries before it
                assertThatThrownBy(() -> locks.acquire(session(), WARM.withTimeout(Duration.ofMillis(300)))).isInstanceOf(LockTimeoutException.class);
            }
            called = name -> { };
            calls.clear();
            busy.set(null);
            slept.addAndGet(ContentionMemory.FIRST_NANOS); // it does not count as shared any more
            locks.acquire(session(), WARM).close();
            interludes.put("check", () -> {
                keeperLooks.countDown();
                keeperGoesOn.await();
            });
            keeperLooks.await(); // it has the engine lock
            called = calls::add;
            kernelGives.countDown();
            untilParked("sessionlock-waits-in-kernel");
            AtomicReference<Object> got = new AtomicReference<>();
            Thread head = new Thread(() -> {
                try (SessionLock lock = locks.acquire(session(), WARM.withPurpose("on other terms"))) {
                    got.set(lock.isHeld());
                } catch (Exception e) {
                    got.set(e);
                }
            }, "head");
            head.start();
            untilParked("head");
            keeperGoesOn.countDown();
            head.join();
            assertThat(got).hasValue(true);
            assertThat(calls).contains("declineAwaited").doesNotContain("acceptAwaited");
        }
    }

    /** Else this process would keep others out, and nobody in it would want the lock. */
    @Test
    void byteThatWasAcquiredAheadForAHeadThatGivesUpIsGivenBack() throws Exception {
        List<String> calls = new CopyOnWriteArrayList<>();
        awaited = new CountDownLatch(0);
        busy.set(new Busy(1, Long.MAX_VALUE, "another process was faster"));
        try (SessionLocks locks = locks()) {
            called = calls::add;
            Thread head = new Thread(() -> catchThrowableOfType(InterruptedException.class, () -> locks.acquire(session(), WARM.withTimeout(Duration.ofMinutes(5)))));
            head.start();
            Awaitility.await().atMost(Duration.ofSeconds(60)).until(() -> calls.contains("acceptAwaited"));
            head.interrupt();
            head.join();
            assertThat(List.copyOf(calls)).containsSubsequence("awaitKernel", "acceptAwaited", "declineAllAwaited");
            called = name -> { };
            busy.set(null);
        }
    }

    @Test
    void headThatWasWokenInVainHasTheKernelWakeItAgain() throws Exception {
        AtomicInteger waits = new AtomicInteger();
        called = name -> waits.addAndGet(name.equals("awaitKernel") ? 1 : 0);
        awaited = new CountDownLatch(0);
        busy.set(new Busy(0, Long.MAX_VALUE, "another process was faster"));
        try (SessionLocks locks = locks()) {
            AtomicReference<Throwable> end = new AtomicReference<>();
            Thread head = new Thread(() -> end.set(catchThrowableOfType(InterruptedException.class,
                    () -> locks.acquire(session(), WARM.withTimeout(Duration.ofMinutes(5))))), "head");
            head.start();
            Awaitility.await().atMost(Duration.ofSeconds(60)).until(() -> waits.get() > 2);
            head.interrupt();
            head.join();
            assertThat(end.get()).isInstanceOf(InterruptedException.class);
        }
    }

    @Test
    void oneTryTellsTheOtherProcessThatItsLockIsWanted() throws Exception {
        assertWaiterMarkIsSetBy(locks -> assertThat(locks.tryAcquire(session(), WARM)).isEmpty());
    }

    @Test
    void threadThatWaitsTellsTheOtherProcess() throws Exception {
        LockOptions briefly = WARM.withTimeout(Duration.ofMillis(40));
        assertWaiterMarkIsSetBy(locks -> assertThatThrownBy(() -> locks.acquire(session(), briefly)).isInstanceOf(LockTimeoutException.class));
    }

    private interface Wish {
        void of(SessionLocks locks) throws Exception;
    }

    /** Also where the engine can wait for nothing: a process that polls for a lock that is passed on fast may never find it free. */
    private void assertWaiterMarkIsSetBy(Wish wish) throws Exception {
        for (int waitFor : new int[] {0, Busy.NOTHING, Busy.PACED}) {
            List<String> calls = new CopyOnWriteArrayList<>();
            called = calls::add;
            awaited = new CountDownLatch(1);
            busy.set(new Busy(waitFor, Long.MAX_VALUE, "another process holds it"));
            try (SessionLocks locks = locks()) {
                wish.of(locks);
                busy.set(null);
                awaited.countDown();
            }
            assertThat(calls).as("waitFor is %s", waitFor).containsSubsequence("take", "setWaiterMark");
        }
    }

    /** Giving back is work for the disk; how long it takes says nothing of how often the keeper may look for others who wait. */
    @Test
    void slowReleaseOfOneLockDoesNotKeepTheKeeperFromCheckingAnother() throws Exception {
        List<String> calls = new CopyOnWriteArrayList<>();
        try (SessionLocks locks = locks()) {
            locks.acquire(session(), WARM).close();
            int checks = 0;
            for (int tries = 0; tries < 10 && checks < 3; tries++) { // the keeper may be just about to look
                interludes.put("release", () -> {
                    Thread.sleep(60);
                    calls.clear();
                    called = calls::add;
                });
                locks.acquire(dir.resolve("slow.jsonl"), WARM.withLinger(Duration.ofMillis(1))).close();
                Awaitility.await().pollInterval(Duration.ofMillis(4)).atMost(Duration.ofSeconds(20)).until(() -> calls.contains("check"));
                List<String> untilTheLook = List.copyOf(calls);
                checks = Collections.frequency(untilTheLook.subList(0, untilTheLook.indexOf("check")), "othersTryOrWait");
                called = name -> { };
            }
            assertThat(checks).as("idle checks between the release and the next look").isGreaterThanOrEqualTo(3);
        }
    }

    /** Others may need the processor in the middle of an idle check. That says nothing of what these checks cost. */
    @Test
    void keeperThatIsHeldUpInAnIdleCheckGoesOnCheckingAllTheSame() throws Exception {
        List<String> calls = new CopyOnWriteArrayList<>();
        try (SessionLocks locks = locks()) {
            called = calls::add;
            locks.acquire(session(), WARM).close();
            Awaitility.await().atMost(Duration.ofSeconds(20)).until(() -> Collections.frequency(calls, "othersTryOrWait") > 10); // nothing wakes it any more
            called = name -> { };
            calls.clear();
            int checks = 0;
            for (int tries = 0; tries < 10 && checks < 3; tries++) { // the keeper may be just about to look
                holdUpAnIdleCheck(calls);
                Awaitility.await().pollInterval(Duration.ofMillis(4)).atMost(Duration.ofSeconds(20)).until(() -> calls.contains("check"));
                List<String> untilTheLook = List.copyOf(calls);
                checks = Collections.frequency(untilTheLook.subList(0, untilTheLook.indexOf("check")), "othersTryOrWait");
                called = name -> { };
                calls.clear();
            }
            assertThat(checks).as("idle checks between the one that took long and the next look").isGreaterThanOrEqualTo(3);
        }
    }

    /** One of those after which it sleeps until the next: not the one in the middle of its look. */
    private void holdUpAnIdleCheck(List<String> callsAfterIt) {
        interludes.put("othersTryOrWait", () -> {
            if (StackWalker.getInstance().walk(frames -> frames.anyMatch(frame -> frame.getMethodName().equals("closeIdle")))) {
                holdUpAnIdleCheck(callsAfterIt);
                return;
            }
            Thread.sleep(60);
            callsAfterIt.clear();
            called = callsAfterIt::add;
        });
    }

    /** The kernel sees deadlocks between processes though other threads would end them: then nothing will wake the head. */
    @Test
    void headForWhomTheKernelWillNotLetAThreadWaitPolls() throws Exception {
        List<String> calls = new CopyOnWriteArrayList<>();
        called = name -> {
            if (name.equals("take") || name.equals("awaitKernel")) {
                calls.add(name);
            }
            if (name.equals("awaitKernel")) {
                throw new IllegalStateException("Resource deadlock avoided");
            }
        };
        busy.set(new Busy(0, Long.MAX_VALUE, "another process holds it"));
        try (SessionLocks locks = locks()) {
            AtomicReference<Throwable> end = new AtomicReference<>();
            Thread head = new Thread(() -> end.set(catchThrowableOfType(InterruptedException.class,
                    () -> locks.acquire(session(), WARM.withTimeout(Duration.ofMinutes(5))))), "head");
            long start = System.nanoTime();
            head.start();
            Awaitility.await().atMost(Duration.ofSeconds(60)).until(() -> String.join(" ", calls).contains("awaitKernel take take take"));
            Thread.sleep(100);
            head.interrupt();
            head.join();
            assertThat(end.get()).isInstanceOf(InterruptedException.class);
            long millis = (System.nanoTime() - start) / 1_000_000;
            assertThat(Collections.frequency(calls, "awaitKernel")).as("how often the kernel was asked in %d ms", millis).isLessThanOrEqualTo(2 + (int) (millis / 50));
            busy.set(null);
            called = name -> { };
        }
    }

    // ---- what lingers, and other processes ----

    @Test
    void lockThatAnotherProcessWantedDoesNotLingerForAWhile() throws Exception {
        try (SessionLocks locks = locks()) {
            assertThat(lingers(locks)).isTrue();
            Awaitility.await().atMost(Duration.ofSeconds(20)).until(() -> {
                answers.put("othersTryOrWait", real -> true);
                return Files.notExists(lockFile());
            });
            answers.clear();
            assertLingersAfterAWhile(locks);
        }
    }

    @Test
    void lockThatAnotherProcessWantedAsItWasClosedDoesNotLingerForAWhile() throws Exception {
        try (SessionLocks locks = locks()) {
            SessionLock lock = locks.acquire(session(), WARM);
            Thread.sleep(6); // its slice is over
            answers.put("othersTryOrWait", real -> true);
            lock.close();
            assertThat(lockFile()).doesNotExist();
            assertLingersAfterAWhile(locks);
        }
    }

    @Test
    void lockThatAnotherProcessHadDoesNotLingerForAWhile() throws Exception {
        try (SessionLocks locks = locks()) {
            busy.set(new Busy(Busy.NOTHING, Long.MAX_VALUE, "another process holds it"));
            assertThat(locks.tryAcquire(session(), WARM)).isEmpty();
            busy.set(null);
            assertLingersAfterAWhile(locks);
        }
    }

    @Test
    void lockThatAnotherProcessHadMeanwhileDoesNotLingerForAWhile() throws Exception {
        try (SessionLocks locks = locks()) {
            locks.acquire(session()).close();
            answers.put("wasOthers", real -> true);
            locks.acquire(session()).close();
            assertLingersAfterAWhile(locks);
        }
    }

    private void assertLingersAfterAWhile(SessionLocks locks) throws Exception {
        assertThat(lingers(locks)).isFalse();
        slept.addAndGet(ContentionMemory.FIRST_NANOS);
        assertThat(lingers(locks)).isTrue();
    }

    private boolean lingers(SessionLocks locks) throws Exception {
        locks.acquire(session(), WARM).close();
        return Files.exists(lockFile());
    }

    private static void untilParked(String thread) {
        Awaitility.await().pollInterval(Duration.ofMillis(4)).atMost(Duration.ofSeconds(20)).until(() -> Thread.getAllStackTraces().entrySet().stream().anyMatch(one -> one.getKey().getName().equals(thread)
                && Arrays.stream(one.getValue()).anyMatch(frame -> frame.getMethodName().equals("lock"))
                && one.getKey().getState() == Thread.State.WAITING));
    }
}

package dev.sessionlock.testkit;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.awaitility.Awaitility.await;

import dev.sessionlock.LockLostException;
import dev.sessionlock.LockOptions;
import dev.sessionlock.LockTimeoutException;
import dev.sessionlock.SessionLock;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.RepeatedTest;
import org.junit.jupiter.api.Test;

class TestClockTest {
    private static final Path SESSION = Path.of("session.jsonl");

    private final TestClock clock = TestClock.create();

    @Test
    void onlyTheTestMovesIt() {
        Instant beginning = clock.wallTime();
        assertThat(beginning).isEqualTo("2026-01-01T00:00:00Z");
        assertThat(clock.elapsed()).isZero();
        clock.advance(Duration.ofMinutes(2));
        clock.jump(Duration.ofNanos(1_000));
        clock.jump(Duration.ZERO);
        assertThat(clock.elapsed()).isEqualTo(Duration.ofMinutes(2).plusNanos(1_000));
        assertThat(clock.wallTime()).isEqualTo(beginning.plus(clock.elapsed()));
        clock.setWallTime(beginning.minusSeconds(100));
        assertThat(clock.wallTime()).isEqualTo(beginning.minusSeconds(100));
        assertThat(clock.elapsed()).isEqualTo(Duration.ofMinutes(2).plusNanos(1_000));
        assertThat(clock).hasToString("TestClock[2025-12-31T23:58:20Z, running for PT2M0.000001S]");
        assertThatThrownBy(() -> clock.advance(Duration.ofNanos(-1))).isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining("backwards");
        assertThatThrownBy(() -> clock.jump(Duration.ofNanos(-1))).isInstanceOf(IllegalArgumentException.class);
    }

    /** A lock becomes free at 33 s, and a waiter gives up at 34 s. The waiter must have had the time to take it, however busy the machine is. */
    @RepeatedTest(20)
    void whatIsDueInTheMiddleOfAStepIsDoneInTheMiddleOfIt() throws Exception {
        try (InMemoryLocks mine = InMemoryLocks.withTestClock(clock)) {
            InMemoryLocks other = mine.anotherProcess();
            other.hold(SESSION);
            other.freeze();
            List<CompletableFuture<Object>> waiting = new ArrayList<>();
            for (int i = 0; i < 3; i++) {
                waiting.add(acquire(mine, LockOptions.defaults().withTimeout(Duration.ofSeconds(35 + i))));
                int sofar = i + 1;
                await().atMost(Puppet.PATIENCE).pollInterval(Duration.ofMillis(1)).until(() -> mine.locks().stats().waiting() == sofar);
            }
            clock.advance(Duration.ofMinutes(3));
            assertThat(waiting.get(0).get(60, TimeUnit.SECONDS)).isInstanceOfSatisfying(SessionLock.class,
                    lock -> assertThat(lock.acquiredAt()).isBetween("2026-01-01T00:00:33Z", "2026-01-01T00:00:34Z"));
            assertThat(waiting.get(1).get(60, TimeUnit.SECONDS)).isInstanceOf(LockTimeoutException.class);
            assertThat(waiting.get(2).get(60, TimeUnit.SECONDS)).isInstanceOf(LockTimeoutException.class);
        }
    }

    private static CompletableFuture<Object> acquire(InMemoryLocks memory, LockOptions options) {
        return CompletableFuture.supplyAsync(() -> {
            try {
                return memory.locks().acquire(SESSION, options).detach();
            } catch (LockTimeoutException e) {
                return e;
            } catch (Exception e) {
                throw new CompletionException(e);
            }
        }, task -> new Thread(task).start());
    }

    @Test
    void moveByOneThreadAtATime() throws Exception {
        List<CompletableFuture<Void>> all = new ArrayList<>();
        try (InMemoryLocks memory = InMemoryLocks.withTestClock(clock); SessionLock lock = memory.locks().acquire(SESSION)) {
            for (int i = 0; i < 4; i++) {
                all.add(CompletableFuture.runAsync(() -> {
                    for (int n = 0; n < 100; n++) {
                        clock.advance(Duration.ofMillis(500));
                    }
                }));
            }
            for (CompletableFuture<Void> each : all) {
                each.get(60, TimeUnit.SECONDS);
            }
            assertThat(clock.elapsed()).isEqualTo(Duration.ofSeconds(200));
            lock.ensureHeld();
        }
    }

    @Test
    void listenersMayMoveItToo() throws Exception {
        try (InMemoryLocks memory = InMemoryLocks.withTestClock(clock)) {
            SessionLock lock = memory.locks().acquire(SESSION, LockOptions.defaults().withMaxHold(Duration.ofSeconds(1)));
            CompletableFuture<LockLostException> told = new CompletableFuture<>();
            lock.onLost(why -> {
                clock.advance(Duration.ofSeconds(5));
                told.complete(why);
            });
            clock.advance(Duration.ofSeconds(2));
            assertThat(told.get(60, TimeUnit.SECONDS).since()).isEqualTo("2026-01-01T00:00:01Z");
            lock.close();
        }
    }
}

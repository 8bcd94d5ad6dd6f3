package dev.sessionlock.jdbc;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import dev.sessionlock.LockMode;
import dev.sessionlock.LockOptions;
import dev.sessionlock.SessionLock;
import dev.sessionlock.SessionLocks;
import dev.sessionlock.jdbc.ThrowingSource.When;
import dev.sessionlock.spi.AcquireResult;
import dev.sessionlock.spi.EngineLock;
import dev.sessionlock.spi.Hold;
import dev.sessionlock.spi.LockEngine;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.function.Supplier;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Nested;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * A data source and its driver may throw anything, from any call, before or after carrying it out. In each case the caller does what the contract of
 * {@link EngineLock} asks of it, and then another engine gets the lock at once. No lease ends before the test does.
 */
class JdbcThrowablesTest extends JdbcThrowablesFixture {
    private static final LockOptions OPTIONS = LockOptions.defaults().withLease(LockOptions.MAX_LEASE).withTimeout(PATIENCE);

    /** What is thrown: an exception other than an SQLException, or an {@code Error}. */
    static Stream<Arguments> faults() {
        Supplier<Throwable> exception = () -> new IllegalStateException("on purpose");
        Supplier<Throwable> error = () -> new OutOfMemoryError("on purpose");
        Stream<Arguments> always = Stream.of(Arguments.of(When.AFTER, exception), Arguments.of(When.FROM_THEN_ON, error));
        return !Boolean.getBoolean("soak") ? always
                : Stream.concat(always, Stream.of(Arguments.of(When.BEFORE, exception), Arguments.of(When.AFTER, error)));
    }

    @Nested
    class WhileTaking {
        @ParameterizedTest
        @MethodSource("dev.sessionlock.jdbc.JdbcThrowablesTest#faults")
        void lockIsNobodysOrTheCallers(When when, Supplier<Throwable> what) throws Throwable {
            forEachCall((k, name) -> takes(k, name, when, what));
        }

        @ParameterizedTest
        @MethodSource("dev.sessionlock.jdbc.JdbcThrowablesTest#faults")
        void lockOfADeadOwnerIsNobodysOrTheCallers(When when, Supplier<Throwable> what) throws Throwable {
            forEachCall((k, name) -> {
                leftByADeadOwner(name);
                return takes(k, name, when, what);
            });
        }

        private String takes(int k, String name, When when, Supplier<Throwable> what) throws Throwable {
            EngineLock lock = lock(engine, name);
            AcquireResult[] taken = new AcquireResult[1];
            String thrown = faulty(k, when, what, () -> taken[0] = lock.take(TERMS));
            if (taken[0] instanceof Hold hold) {
                assertThat(hold.isValid(engine.clock().nanos())).isTrue();
                assertThat(lock(others, name).take(TERMS)).isNotInstanceOf(Hold.class);
                release(lock, hold);
            }
            tidy(lock);
            isFree(name, thrown);
            return thrown;
        }

        @ParameterizedTest
        @MethodSource("dev.sessionlock.jdbc.JdbcThrowablesTest#faults")
        void callerMayTakeItAgainInsteadOfTidyingUp(When when, Supplier<Throwable> what) throws Throwable {
            forEachCall((k, name) -> {
                EngineLock lock = lock(engine, name);
                String thrown = faulty(k, when, what, () -> release(lock, (Hold) lock.take(TERMS)));
                AcquireResult[] again = new AcquireResult[1];
                await().atMost(PATIENCE).pollInterval(Duration.ofMillis(1)).until(() -> (again[0] = lock.take(TERMS)) instanceof Hold);
                Hold hold = (Hold) again[0];
                lock.tidy();
                wakeWorker();
                lock.lookAfresh(); // tidying concerns what the first try has left, not this
                assertThat(lock.check(hold, true)).isEqualTo(EngineLock.HoldStatus.INTACT);
                release(lock, hold);
                tidy(lock);
                isFree(name, thrown);
                return thrown;
            });
        }

        @ParameterizedTest
        @MethodSource("dev.sessionlock.jdbc.JdbcThrowablesTest#faults")
        void waiterMarkThatFailsHarmsNobody(When when, Supplier<Throwable> what) throws Throwable {
            forEachCall((k, name) -> {
                EngineLock theirs = lock(others, name);
                Hold hold = take(theirs);
                EngineLock lock = lock(engine, name);
                assertThat(lock.take(TERMS)).isNotInstanceOf(Hold.class);
                String thrown = faulty(k, when, what, () -> lock.setWaiterMark(LockMode.EXCLUSIVE, true));
                theirs.release(hold);
                release(lock, take(lock));
                tidy(lock);
                isFree(name, thrown);
                return thrown;
            });
        }
    }

    @Nested
    class WhileHolding {
        @ParameterizedTest
        @MethodSource("dev.sessionlock.jdbc.JdbcThrowablesTest#faults")
        void handOverLeavesTheHoldAsItWasOrLost(When when, Supplier<Throwable> what) throws Throwable {
            forEachCall((k, name) -> {
                EngineLock lock = lock(engine, name);
                Hold[] hold = {take(lock)};
                String thrown = faulty(k, when, what, () -> {
                    Hold next = lock.handOver(hold[0], TERMS.of("next"));
                    hold[0] = next == null ? hold[0] : next;
                });
                boolean valid = hold[0].isValid(engine.clock().nanos());
                if (valid) {
                    lock.lookAfresh();
                    assertThat(lock.check(hold[0], true)).as("after the throwable in %s", thrown).isEqualTo(EngineLock.HoldStatus.INTACT);
                }
                release(lock, hold[0]);
                tidy(lock);
                isFree(name, thrown);
                return thrown;
            });
        }

        @ParameterizedTest
        @MethodSource("dev.sessionlock.jdbc.JdbcThrowablesTest#faults")
        void renewalThatFailsIsMadeByTheNextOne(When when, Supplier<Throwable> what) throws Throwable {
            forEachCall((k, name) -> {
                EngineLock lock = lock(engine, name);
                Hold hold = take(lock);
                ahead.addAndGet(TERMS.leaseNanos() / 3);
                source.arm(k, when, what, WORKER);
                String thrown = awaitOrRenewed(lock, hold);
                long before = hold.renewedAt();
                ahead.addAndGet(TERMS.leaseNanos() / 3);
                assertThat(lock.renew(hold, -1)).isTrue();
                await().atMost(PATIENCE).pollInterval(Duration.ofMillis(1)).until(() -> hold.renewedAt() > before);
                assertThat(lock(others, name).take(TERMS)).isNotInstanceOf(Hold.class);
                release(lock, hold);
                tidy(lock);
                isFree(name, thrown);
                return thrown;
            });
        }

        private String awaitOrRenewed(EngineLock lock, Hold hold) throws Exception {
            long before = hold.renewedAt();
            assertThat(lock.renew(hold, -1)).isTrue();
            await().atMost(PATIENCE).pollInterval(Duration.ofMillis(1)).until(() -> source.hasThrown() || hold.renewedAt() > before);
            await().atMost(PATIENCE).pollInterval(Duration.ofMillis(1)).until(() -> source.lent() == 0);
            return source.disarm();
        }

        @ParameterizedTest
        @MethodSource("dev.sessionlock.jdbc.JdbcThrowablesTest#faults")
        void lookThatFailsLeavesTheHoldAsItWas(When when, Supplier<Throwable> what) throws Throwable {
            forEachCall((k, name) -> {
                EngineLock lock = lock(engine, name);
                Hold hold = take(lock);
                String thrown = faulty(k, when, what, lock::lookAfresh);
                assertThat(hold.isValid(engine.clock().nanos())).isTrue();
                assertThat(lock.check(hold, true)).isEqualTo(EngineLock.HoldStatus.INTACT);
                release(lock, hold);
                tidy(lock);
                isFree(name, thrown);
                return thrown;
            });
        }

        @ParameterizedTest
        @MethodSource("dev.sessionlock.jdbc.JdbcThrowablesTest#faults")
        void requestToLetGoIsHeardTheNextTime(When when, Supplier<Throwable> what) throws Throwable {
            forEachCall((k, name) -> {
                EngineLock lock = lock(engine, name);
                Hold hold = take(lock);
                lock(others, name).askForRelease(hold.token());
                ahead.addAndGet(TimeUnit.SECONDS.toNanos(2));
                source.arm(k, when, what, WORKER);
                wakeWorker();
                await().atMost(PATIENCE).pollInterval(Duration.ofMillis(1)).until(() -> source.hasThrown()
                        || lock.check(hold, false) == EngineLock.HoldStatus.REQUESTED && source.lent() == 0);
                String thrown = source.disarm();
                ahead.addAndGet(TimeUnit.SECONDS.toNanos(2));
                wakeWorker();
                await().atMost(PATIENCE).pollInterval(Duration.ofMillis(1)).until(() -> lock.check(hold, false) == EngineLock.HoldStatus.REQUESTED);
                release(lock, hold);
                tidy(lock);
                isFree(name, thrown);
                return thrown;
            });
        }
    }

    @Nested
    class WhileGivingBack {
        @ParameterizedTest
        @MethodSource("dev.sessionlock.jdbc.JdbcThrowablesTest#faults")
        void releaseThatFailsIsMadeGood(When when, Supplier<Throwable> what) throws Throwable {
            forEachCall((k, name) -> {
                EngineLock lock = lock(engine, name);
                Hold hold = take(lock);
                String thrown = faulty(k, when, what, () -> lock.release(hold));
                release(lock, hold);
                tidy(lock);
                isFree(name, thrown);
                return thrown;
            });
        }

        @ParameterizedTest
        @MethodSource("dev.sessionlock.jdbc.JdbcThrowablesTest#faults")
        void releaseByTheThreadThatDoesSoForTheKeeperIsMadeGood(When when, Supplier<Throwable> what) throws Throwable {
            forEachCall((k, name) -> {
                EngineLock lock = lock(engine, name);
                Hold hold = take(lock);
                source.arm(k, when, what, WORKER);
                lock.releaseSoon(hold);
                await().atMost(PATIENCE).pollInterval(Duration.ofMillis(1)).until(() -> source.hasThrown() || lock.tidy() && source.lent() == 0);
                String thrown = source.disarm();
                ahead.addAndGet(TimeUnit.SECONDS.toNanos(2));
                wakeWorker();
                tidy(lock);
                isFree(name, thrown);
                return thrown;
            });
        }

        @ParameterizedTest
        @MethodSource("dev.sessionlock.jdbc.JdbcThrowablesTest#faults")
        void clearingThatFailsCanBeRepeated(When when, Supplier<Throwable> what) throws Throwable {
            forEachCall((k, name) -> {
                leftByADeadOwner(name);
                EngineLock lock = lock(engine, name);
                String thrown = faulty(k, when, what, () -> lock.clear(true));
                assertThat(lock.clear(true).outcome()).isIn(EngineLock.ClearOutcome.REMOVED, EngineLock.ClearOutcome.NOTHING);
                isFree(name, thrown);
                return thrown;
            });
        }
    }

    // ---- what a caller does ----

    /** A hold of a third engine, whose row names a process that does not exist. */
    private void leftByADeadOwner(String name) throws Exception {
        take(lock(JdbcLockEngine.postgresql(pool).withSchema(schema), name));
        PostgresServer.execute(pool, "UPDATE " + schema + ".session_lock SET pid = " + DEAD + ", start_ticks = 1 WHERE name = '" + name + "'");
    }

    /** The same, through the API. */
    @Nested
    class ThroughSessionLocks {
        private final List<SessionLocks> open = new ArrayList<>();

        @AfterEach
        void closeThem() {
            open.forEach(SessionLocks::close);
        }

        private SessionLocks locks(LockEngine over) {
            SessionLocks locks = SessionLocks.over(over);
            open.add(locks);
            return locks;
        }

        @ParameterizedTest
        @MethodSource("dev.sessionlock.jdbc.JdbcThrowablesTest#faults")
        void acquisitionWhoseAnswerIsLostStandsInNobodysWay(When when, Supplier<Throwable> what) throws Throwable {
            SessionLocks locks = locks(engine);
            SessionLocks others = locks(JdbcThrowablesTest.this.others);
            for (int k = 4; k < MANY_CALLS; k += 7) {
                String name = "lock-" + k;
                String thrown = faulty(k, when, what, () -> locks.tryAcquire(name, OPTIONS).orElseThrow().close());
                others.acquire(name, OPTIONS).close();
                if (thrown == null) {
                    return;
                }
            }
        }

        @ParameterizedTest
        @MethodSource("dev.sessionlock.jdbc.JdbcThrowablesTest#faults")
        void lockWhoseClosingFailsIsFreeForOthers(When when, Supplier<Throwable> what) throws Throwable {
            SessionLocks locks = locks(engine);
            SessionLocks others = locks(JdbcThrowablesTest.this.others);
            for (int k = 1; k < MANY_CALLS; k += 3) {
                String name = "lock-" + k;
                SessionLock lock = locks.acquire(name, OPTIONS);
                String thrown = faulty(k, when, what, lock::close);
                others.acquire(name, OPTIONS).close();
                if (thrown == null) {
                    return;
                }
            }
        }
    }
}

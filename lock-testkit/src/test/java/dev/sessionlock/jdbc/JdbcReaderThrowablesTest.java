package dev.sessionlock.jdbc;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import dev.sessionlock.LockMode;
import dev.sessionlock.LockOptions;
import dev.sessionlock.jdbc.ThrowingSource.When;
import dev.sessionlock.spi.AcquireResult;
import dev.sessionlock.spi.EngineLock;
import dev.sessionlock.spi.EngineLock.HoldStatus;
import dev.sessionlock.spi.Hold;
import dev.sessionlock.spi.Terms;
import java.time.Duration;
import java.util.concurrent.TimeUnit;
import java.util.function.Supplier;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** As {@link JdbcThrowablesTest}, for readers: nothing that is thrown leaves a reader that nobody is, nor lets a writer in beside one. */
class JdbcReaderThrowablesTest extends JdbcThrowablesFixture {
    private static final Terms READ = new Terms(LockOptions.MAX_LEASE.toNanos(), true, -1, "test", null, true, LockMode.SHARED);

    private void nobodyReads(String name, String after) throws Exception {
        isFree(name, after);
        assertThat(PostgresServer.ask(pool, "SELECT count(*) FROM " + schema + ".session_lock_readers WHERE name = '" + name + "'")).isEqualTo("0");
    }

    @ParameterizedTest
    @MethodSource("dev.sessionlock.jdbc.JdbcThrowablesTest#faults")
    void lockIsNobodysOrTheReaders(When when, Supplier<Throwable> what) throws Throwable {
        forEachCall((k, name) -> {
            EngineLock lock = lock(engine, name);
            AcquireResult[] taken = new AcquireResult[1];
            String thrown = faulty(k, when, what, () -> taken[0] = lock.take(READ));
            if (taken[0] instanceof Hold hold) {
                assertThat(hold.isValid(engine.clock().nanos())).isTrue();
                assertThat(lock(others, name).take(TERMS)).isNotInstanceOf(Hold.class);
                release(lock, hold);
            }
            tidy(lock);
            nobodyReads(name, thrown);
            return thrown;
        });
    }

    @ParameterizedTest
    @MethodSource("dev.sessionlock.jdbc.JdbcThrowablesTest#faults")
    void releaseIsMadeGoodAndTheOtherReaderStays(When when, Supplier<Throwable> what) throws Throwable {
        forEachCall((k, name) -> {
            EngineLock theirs = lock(others, name);
            Hold other = (Hold) theirs.take(READ);
            EngineLock lock = lock(engine, name);
            Hold hold = (Hold) lock.take(READ);
            String thrown = faulty(k, when, what, () -> lock.release(hold));
            release(lock, hold);
            await().atMost(PATIENCE).pollInterval(Duration.ofMillis(1)).until(() -> PostgresServer.ask(pool,
                    "SELECT count(*) FROM " + schema + ".session_lock_readers WHERE name = '" + name + "'").equals("1"));
            assertThat(lock(others, name).take(TERMS)).isNotInstanceOf(Hold.class);
            theirs.release(other);
            tidy(lock);
            nobodyReads(name, thrown);
            return thrown;
        });
    }

    @ParameterizedTest
    @MethodSource("dev.sessionlock.jdbc.JdbcThrowablesTest#faults")
    void renewalThatFailsIsMadeByTheNextOne(When when, Supplier<Throwable> what) throws Throwable {
        forEachCall((k, name) -> {
            EngineLock lock = lock(engine, name);
            Hold hold = (Hold) lock.take(READ);
            ahead.addAndGet(READ.leaseNanos() / 3);
            long before = hold.renewedAt();
            source.arm(k, when, what, WORKER);
            assertThat(lock.renew(hold, -1)).isTrue();
            await().atMost(PATIENCE).pollInterval(Duration.ofMillis(1)).until(() -> source.hasThrown() || hold.renewedAt() > before);
            await().atMost(PATIENCE).pollInterval(Duration.ofMillis(1)).until(() -> source.lent() == 0);
            String thrown = source.disarm();
            long then = hold.renewedAt();
            ahead.addAndGet(READ.leaseNanos() / 3);
            assertThat(lock.renew(hold, -1)).isTrue();
            await().atMost(PATIENCE).pollInterval(Duration.ofMillis(1)).until(() -> hold.renewedAt() > then);
            release(lock, hold);
            tidy(lock);
            nobodyReads(name, thrown);
            return thrown;
        });
    }

    @ParameterizedTest
    @MethodSource("dev.sessionlock.jdbc.JdbcThrowablesTest#faults")
    void writerThatFindsDeadReadersIsInOrNot(When when, Supplier<Throwable> what) throws Throwable {
        forEachCall((k, name) -> {
            lock(JdbcLockEngine.postgresql(pool).withSchema(schema), name).take(READ);
            PostgresServer.execute(pool, "UPDATE " + schema + ".session_lock_readers SET pid = " + DEAD + ", start_ticks = 1 WHERE name = '" + name + "'");
            PostgresServer.execute(pool, "UPDATE " + schema + ".session_lock SET pid = " + DEAD + " WHERE name = '" + name + "'");
            EngineLock lock = lock(engine, name);
            AcquireResult[] taken = new AcquireResult[1];
            String thrown = faulty(k, when, what, () -> taken[0] = lock.take(TERMS));
            if (taken[0] instanceof Hold hold) {
                assertThat(hold.isValid(engine.clock().nanos())).isTrue();
                assertThat(lock(others, name).take(READ)).isNotInstanceOf(Hold.class);
                release(lock, hold);
            }
            tidy(lock);
            EngineLock next = lock(others, name);
            await().atMost(PATIENCE).until(() -> next.take(TERMS) instanceof Hold hold && release(next, hold, true));
            nobodyReads(name, thrown);
            return thrown;
        });
    }

    private static boolean release(EngineLock lock, Hold hold, boolean result) {
        release(lock, hold);
        return result;
    }

    @ParameterizedTest
    @MethodSource("dev.sessionlock.jdbc.JdbcThrowablesTest#faults")
    void requestToLetGoIsHeardTheNextTime(When when, Supplier<Throwable> what) throws Throwable {
        forEachCall((k, name) -> {
            EngineLock lock = lock(engine, name);
            Hold hold = (Hold) lock.take(READ);
            lock(others, name).askForRelease(hold.token());
            ahead.addAndGet(TimeUnit.SECONDS.toNanos(2));
            source.arm(k, when, what, WORKER);
            wakeWorker();
            await().atMost(PATIENCE).pollInterval(Duration.ofMillis(1)).until(() -> source.hasThrown()
                    || lock.check(hold, false) == HoldStatus.REQUESTED && source.lent() == 0);
            String thrown = source.disarm();
            ahead.addAndGet(TimeUnit.SECONDS.toNanos(2));
            wakeWorker();
            await().atMost(PATIENCE).pollInterval(Duration.ofMillis(1)).until(() -> lock.check(hold, false) == HoldStatus.REQUESTED);
            release(lock, hold);
            tidy(lock);
            nobodyReads(name, thrown);
            return thrown;
        });
    }
}

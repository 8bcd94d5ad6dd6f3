package dev.sessionlock.jdbc;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.catchThrowableOfType;
import static org.awaitility.Awaitility.await;

import com.zaxxer.hikari.HikariDataSource;
import dev.sessionlock.LockLostException;
import dev.sessionlock.LockOptions;
import dev.sessionlock.SessionLock;
import dev.sessionlock.SessionLocks;
import dev.sessionlock.spi.Clock;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.atomic.AtomicReference;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Nested;
import org.junit.jupiter.api.Test;

/** What a holder does when the wall clock does not agree with the monotonic clock. */
class JdbcClocksTest {
    private static final Duration PATIENCE = Duration.ofSeconds(60);
    /** 10 min: no lease ends by itself before the test does. */
    private static final LockOptions LONG = LockOptions.defaults().withLease(LockOptions.MAX_LEASE).withTimeout(PATIENCE);

    private final String schema = PostgresServer.newSchema();
    /** How far the wall clock was moved, seconds. */
    private final AtomicLong moved = new AtomicLong();
    private final Clock clock = new Clock() {
        @Override
        public long nanos() {
            return SYSTEM.nanos();
        }

        @Override
        public long wallMicros() {
            return SYSTEM.wallMicros() + TimeUnit.SECONDS.toMicros(moved.get());
        }
    };
    private HikariDataSource source;
    private SessionLocks locks;
    private SessionLock lock;

    @BeforeEach
    void open() throws Exception {
        source = PostgresServer.pool(PostgresServer.url(), 3);
        JdbcLockEngine.postgresql(source).withSchema(schema).createSchema();
        locks = SessionLocks.over(new JdbcLockEngine(source, schema, LockTable.DEFAULT_NAME, Duration.ofSeconds(5), clock));
        lock = locks.acquire("a", LONG);
        assertThat(lock.isHeld()).isTrue();
    }

    @AfterEach
    void close() {
        lock.close();
        locks.close();
        source.close();
    }

    private LockLostException loss() {
        assertThat(lock.isHeld()).isFalse();
        return catchThrowableOfType(LockLostException.class, lock::ensureHeld);
    }

    @Nested
    class SetAhead {
        @Test
        void byMoreThanTheLeaseLeftItEndsTheLockAndSaysWhyAndByHowMuch() throws Exception {
            AtomicReference<LockLostException> told = new AtomicReference<>();
            lock.onLost(told::set);
            moved.set(3_690);
            assertThat(loss().reason()).isEqualTo(LockLostException.Reason.LEASE_EXPIRED);
            assertThat(loss()).hasMessageContaining("that clock has jumped ahead by 1 h 1 min against the monotonic clock")
                    .hasMessageContaining("Either the machine slept").hasMessageContaining("or somebody set the clock")
                    .hasMessageNotContaining("did not run");
            await().atMost(PATIENCE).until(() -> told.get() != null);
            assertThat(told.get()).hasMessage(loss().getMessage());
        }

        @Test
        void soLostItIsGivenBackForOthers() throws Exception {
            moved.set(3_690);
            assertThat(lock.isHeld()).isFalse();
            lock.close();
            SessionLocks others = SessionLocks.over(JdbcLockEngine.postgresql(source).withSchema(schema));
            others.acquire("a", LONG).close();
            others.close();
        }

        @Test
        void andBackAgainTheLossStays() {
            moved.set(3_690);
            assertThat(lock.isHeld()).isFalse();
            moved.set(0);
            assertThat(loss()).hasMessageContaining("jumped ahead by 1 h 1 min");
        }

        @Test
        void byLessItShortensTheLeaseAndIsForgottenAtTheNextRenewal() throws Exception {
            long half = LockOptions.MAX_LEASE.toSeconds() / 2;
            for (int i = 0; i < 4; i++) {
                moved.addAndGet(half);
                assertThat(lock.isHeld()).isTrue();
                renewNow();
            }
            assertThat(lock.isHeld()).isTrue();
        }
    }

    @Nested
    class SetBack {
        @Test
        void itEndsNothing() throws Exception {
            moved.set(-36_000);
            assertThat(lock.isHeld()).isTrue();
            lock.verifyHeld();
        }

        @Test
        void itHidesNoSleepThatFollows() {
            moved.set(-36_000);
            assertThat(lock.isHeld()).isTrue(); // the keeper looks once a second, too
            moved.addAndGet(LockOptions.MAX_LEASE.toSeconds() + 10); // it sleeps for this long
            assertThat(loss()).hasMessageContaining("jumped ahead by 10 min");
        }

        @Test
        void itHidesNoSleepThatFollowsUponARenewal() throws Exception {
            renewNow();
            moved.set(-36_000);
            assertThat(lock.isHeld()).isTrue();
            moved.addAndGet(LockOptions.MAX_LEASE.toSeconds() + 10);
            assertThat(loss()).hasMessageContaining("jumped ahead by 10 min");
        }
    }

    private JdbcHold hold() {
        return lock.unwrap(JdbcHold.class).orElseThrow();
    }

    /** Like the thread that renews, without waiting for a third of the lease. */
    private void renewNow() throws Exception {
        JdbcHold hold = hold();
        JdbcHold.SentAt sent = JdbcHold.SentAt.now(clock);
        assertThat(hold.table.renew(List.of(hold), Duration.ofSeconds(5))).containsExactly(hold.id());
        hold.renewed(sent);
    }
}

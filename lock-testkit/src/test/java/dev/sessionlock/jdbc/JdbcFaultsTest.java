package dev.sessionlock.jdbc;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.catchThrowableOfType;
import static org.awaitility.Awaitility.await;

import com.zaxxer.hikari.HikariDataSource;
import dev.sessionlock.LockException;
import dev.sessionlock.LockLostException;
import dev.sessionlock.LockOptions;
import dev.sessionlock.LockTimeoutException;
import dev.sessionlock.SessionLock;
import dev.sessionlock.SessionLocks;
import dev.sessionlock.jdbc.FaultyProxy.Fault;
import dev.sessionlock.spi.Clock;
import java.time.Duration;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.atomic.AtomicReference;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** What becomes of locks whose statements go wrong. One client connects through the proxy; the other plays another machine. */
class JdbcFaultsTest {
    private static final Duration PATIENCE = Duration.ofSeconds(60);
    /** No test waits until this lease is over: a lock that is free before was given back. */
    private static final LockOptions LONG = LockOptions.defaults().withLease(LockOptions.MAX_LEASE).withTimeout(PATIENCE);
    private static final LockOptions SHORT = LONG.withLease(Duration.ofSeconds(1));
    private static final String TAKE = "WITH seat";
    private static final String RELEASE = "holder = NULL";

    private final String schema = PostgresServer.newSchema();
    private FaultyProxy proxy;
    private HikariDataSource source;
    private HikariDataSource otherSource;
    private SessionLocks locks;
    private SessionLocks others;

    @BeforeEach
    void open() throws Exception {
        proxy = FaultyProxy.before(PostgresServer.url());
        source = PostgresServer.pool(proxy.url(), 3);
        otherSource = PostgresServer.pool(PostgresServer.url(), 3);
        JdbcLockEngine.postgresql(otherSource).withSchema(schema).createSchema();
        locks = SessionLocks.over(engine(source));
        others = SessionLocks.over(engine(otherSource));
    }

    private JdbcLockEngine engine(HikariDataSource source) {
        return JdbcLockEngine.postgresql(source).withSchema(schema).withStatementTimeout(Duration.ofSeconds(1));
    }

    @AfterEach
    void close() throws Exception {
        locks.close();
        others.close();
        source.close();
        otherSource.close();
        proxy.close();
    }

    @ParameterizedTest
    @EnumSource
    void takeThatGoesWrongIsNobodysAndStandsInNobodysWay(Fault fault) throws Exception {
        proxy.next(TAKE, fault);
        assertThat(catchThrowableOfType(LockException.class, () -> locks.tryAcquire("a", LONG))).hasMessageContaining("cannot lock a: ");
        assertThat(proxy.hasHit()).isTrue();
        assertThat(PostgresServer.ask(otherSource, "SELECT token FROM " + schema + ".session_lock WHERE name = 'a'") != null)
                .isEqualTo(fault.isCarriedOut());
        others.acquire("a", LONG).close();
    }

    @ParameterizedTest
    @EnumSource
    void whoWaitsGoesOnAfterATakeThatWentWrong(Fault fault) throws Exception {
        proxy.next(TAKE, fault);
        try (SessionLock lock = locks.acquire("a", LONG)) {
            assertThat(proxy.hasHit()).isTrue();
            lock.verifyHeld();
            assertThat(others.tryAcquire("a", LONG)).isEmpty();
        }
        others.acquire("a", LONG).close();
    }

    @ParameterizedTest
    @EnumSource
    void releaseThatGoesWrongIsMadeGood(Fault fault) throws Exception {
        SessionLock lock = locks.acquire("a", LONG);
        proxy.next(RELEASE, fault);
        lock.close();
        assertThat(proxy.hasHit()).isTrue();
        try (SessionLock next = others.acquire("a", LONG)) {
            assertThat(next.token()).isGreaterThan(lock.token());
        }
    }

    @ParameterizedTest
    @EnumSource
    void failedHandOverLeavesTheLockToAWaiter(Fault fault) throws Exception {
        SessionLock first = locks.acquire("a", LONG);
        CompletableFuture<SessionLock> next = new CompletableFuture<>();
        Thread waiter = new Thread(() -> {
            try {
                next.complete(locks.acquire("a", LONG).detach());
            } catch (Exception e) {
                next.completeExceptionally(e);
            }
        });
        waiter.start();
        await().atMost(PATIENCE).until(() -> locks.stats().waiting() == 1);
        proxy.next("RETURNING l.name", fault);
        first.close();
        try (SessionLock lock = next.get(PATIENCE.toSeconds(), TimeUnit.SECONDS)) {
            assertThat(proxy.hasHit()).isTrue();
            assertThat(lock.token()).isGreaterThan(first.token());
            assertThat(others.tryAcquire("a", LONG)).isEmpty();
            lock.verifyHeld();
        }
        others.acquire("a", LONG).close();
    }

    @ParameterizedTest
    @EnumSource
    @Tag("soak")
    void renewalThatGoesWrongIsTriedAgainInTime(Fault fault) throws Exception {
        try (SessionLock lock = locks.acquire("a", LONG.withLease(Duration.ofSeconds(9)))) {
            String before = PostgresServer.ask(otherSource, renewedAt());
            proxy.next("(name, holder, lease, hold)", fault);
            await().atMost(PATIENCE).until(() -> proxy.hasHit());
            String after = PostgresServer.ask(otherSource, renewedAt());
            assertThat(after.equals(before)).isEqualTo(!fault.isCarriedOut());
            await().atMost(PATIENCE).until(() -> !PostgresServer.ask(otherSource, renewedAt()).equals(after));
            lock.verifyHeld();
        }
    }

    private String renewedAt() {
        return "SELECT renewed_at FROM " + schema + ".session_lock WHERE name = 'a'";
    }

    @Test
    void holderThatIsCutOffLosesItsLockBeforeAnotherGetsItAndIsToldWhy() throws Exception {
        SessionLock lock = locks.acquire("a", SHORT);
        AtomicReference<LockLostException> told = new AtomicReference<>();
        lock.onLost(told::set);
        proxy.goAway();
        try (SessionLock next = others.acquire("a", SHORT)) {
            assertThat(lock.isHeld()).isFalse();
            assertThat(next.token()).isGreaterThan(lock.token());
        }
        await().atMost(PATIENCE).until(() -> told.get() != null);
        assertThat(told.get().reason()).isEqualTo(LockLostException.Reason.LEASE_EXPIRED);
        assertThat(catchThrowableOfType(LockLostException.class, lock::ensureHeld))
                .hasMessageContaining("could not be renewed for a whole lease").hasMessageContaining("the database could not be reached");
        lock.close();
        proxy.comeBack();
        locks.acquire("a", SHORT).close();
    }

    @Test
    void whoWaitsForADatabaseThatIsAwayIsToldSoAtItsTimeout() throws Exception {
        proxy.goAway();
        LockTimeoutException timeout = catchThrowableOfType(LockTimeoutException.class,
                () -> locks.acquire("a", SHORT.withTimeout(Duration.ofMillis(300))));
        assertThat(timeout).hasMessageStartingWith("session file locked (timeout 300ms): pid=unknown a")
                .hasMessageContaining("the database could not be reached");
        assertThat(timeout).hasRootCauseInstanceOf(java.io.IOException.class);
        CompletableFuture<Void> comesBack = CompletableFuture.runAsync(() -> proxy.comeBack(),
                CompletableFuture.delayedExecutor(200, TimeUnit.MILLISECONDS, task -> new Thread(task).start())); // other tests may use up the common pool
        locks.acquire("a", SHORT).close();
        comesBack.join();
    }

    /** The machine sleeps: its monotonic clock stands still meanwhile, and the server's goes on. */
    @Test
    void holderWhoseMachineHasSleptKnowsIt() throws Exception {
        AtomicLong slept = new AtomicLong();
        Clock clock = clock(slept);
        SessionLocks sleeper = SessionLocks.over(new JdbcLockEngine(otherSource, schema, "session_lock", Duration.ofSeconds(5), clock));
        SessionLock lock = sleeper.acquire("a", LONG);
        lock.ensureHeld();
        slept.addAndGet(LockOptions.MAX_LEASE.toMillis() + 1);
        assertThat(lock.isHeld()).isFalse();
        assertThat(catchThrowableOfType(LockLostException.class, lock::ensureHeld).reason()).isEqualTo(LockLostException.Reason.LEASE_EXPIRED);
        lock.close();
        sleeper.close();
    }

    private static Clock clock(AtomicLong aheadMillis) {
        return new Clock() {
            @Override
            public long nanos() {
                return SYSTEM.nanos();
            }

            @Override
            public long wallMicros() {
                return SYSTEM.wallMicros() + TimeUnit.MILLISECONDS.toMicros(aheadMillis.get());
            }
        };
    }

    @Test
    void clientsWhoseClocksAreAnHourOffExcludeEachOtherAndTokensGrow() throws Exception {
        long last = 0;
        for (long ahead : new long[] {3_600_000, -3_600_000}) {
            SessionLocks client = SessionLocks.over(new JdbcLockEngine(otherSource, schema, "session_lock", Duration.ofSeconds(5),
                    clock(new AtomicLong(ahead))));
            try (SessionLock lock = client.acquire("a", SHORT.withLease(Duration.ofSeconds(4)))) {
                assertThat(lock.token()).isGreaterThan(last);
                last = lock.token();
                assertThat(locks.tryAcquire("a", SHORT)).isEmpty();
                await().atMost(PATIENCE).until(() -> Integer.parseInt(PostgresServer.ask(otherSource,
                        "SELECT count(*) FROM " + schema + ".session_lock WHERE name = 'a' AND renewed_at > since")) == 1);
                assertThat(lock.isHeld()).isTrue();
            }
            client.close();
        }
    }
}

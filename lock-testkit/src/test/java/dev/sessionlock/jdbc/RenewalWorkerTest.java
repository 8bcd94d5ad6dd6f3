package dev.sessionlock.jdbc;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.catchThrowableOfType;
import static org.awaitility.Awaitility.await;

import com.zaxxer.hikari.HikariDataSource;
import dev.sessionlock.LockException;
import dev.sessionlock.LockLostException.Reason;
import dev.sessionlock.LockOptions;
import dev.sessionlock.SessionLock;
import dev.sessionlock.SessionLocks;
import dev.sessionlock.spi.Clock;
import dev.sessionlock.spi.EngineLock;
import dev.sessionlock.spi.Hold;
import dev.sessionlock.spi.LockEngine;
import dev.sessionlock.spi.Terms;
import java.lang.ref.WeakReference;
import java.lang.reflect.Proxy;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.ThreadFactory;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.atomic.AtomicReference;
import javax.sql.DataSource;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Nested;
import org.junit.jupiter.api.Test;

/** The thread that renews: the system does not give it, it meets throwables, it ends. */
class RenewalWorkerTest {
    private static final Duration PATIENCE = Duration.ofSeconds(60);
    private static final LockOptions OPTIONS = LockOptions.defaults().withTimeout(PATIENCE);
    private static final Terms LONG = new Terms(LockOptions.MAX_LEASE.toNanos(), true, -1, "test", null, true);

    private final String schema = PostgresServer.newSchema();
    private HikariDataSource source;
    private LockEngine others;

    @BeforeEach
    void open() throws Exception {
        source = PostgresServer.pool(PostgresServer.url(), 5);
        JdbcLockEngine.postgresql(source).withSchema(schema).createSchema();
        others = JdbcLockEngine.postgresql(source).withSchema(schema);
    }

    @AfterEach
    void close() {
        source.close();
    }

    private static EngineLock lock(LockEngine of, String name) throws Exception {
        return of.pin(of.idOfName(name)).lock(name);
    }

    private JdbcLockEngine engine(Clock clock, ThreadFactory threads) {
        return new JdbcLockEngine(source, schema, LockTable.DEFAULT_NAME, Duration.ofSeconds(5), clock, threads);
    }

    @Nested
    class WithoutAThread {
        /** How many more times the system gives no thread. */
        private final AtomicInteger refusals = new AtomicInteger();
        private final AtomicInteger started = new AtomicInteger();
        private volatile boolean isDying;

        private Thread scarce(Runnable work) {
            return new Thread(isDying ? () -> { } : work, "sessionlock-jdbc") {
                @Override
                public void start() {
                    if (refusals.getAndUpdate(left -> Math.max(0, left - 1)) > 0) {
                        throw new OutOfMemoryError("unable to create native thread: possibly out of memory or process/resource limits reached");
                    }
                    started.incrementAndGet();
                    setDaemon(true);
                    super.start();
                }
            };
        }

        @Test
        void acquisitionFailsInWordsAndTheNextOneTriesAgain() throws Exception {
            refusals.set(3);
            try (SessionLocks locks = SessionLocks.over(engine(Clock.SYSTEM, this::scarce))) {
                for (int i = 0; i < 3; i++) {
                    assertThat(catchThrowableOfType(LockException.class, () -> locks.acquire("a", OPTIONS)))
                            .hasMessageContaining("cannot lock a: no thread could be started").hasMessageContaining("ulimit -u")
                            .hasCauseInstanceOf(OutOfMemoryError.class);
                    assertThat(PostgresServer.ask(source, "SELECT name FROM " + schema + ".session_lock")).isNull();
                }
                try (SessionLock lock = locks.acquire("a", OPTIONS.withLease(Duration.ofSeconds(1)))) {
                    await().atMost(PATIENCE).until(() -> PostgresServer.ask(source, "SELECT renewed_at > since FROM " + schema
                            + ".session_lock").equals("t"));
                    lock.verifyHeld();
                }
            }
            assertThat(started).hasValue(1);
        }

        @Test
        void threadThatHasDiedIsReplacedForARenewalAsSoonAsThatCanBe() throws Exception {
            LockEngine engine = engine(ahead(), this::scarce);
            EngineLock lock = lock(engine, "a");
            isDying = true;
            Hold hold = (Hold) lock.take(LONG);
            isDying = false;
            refusals.set(2);
            ahead.addAndGet(LONG.leaseNanos() / 3);
            long before = hold.renewedAt();
            await().atMost(PATIENCE).pollInterval(Duration.ofMillis(10)).until(() -> {
                assertThat(lock.renew(hold, -1)).isTrue(); // like the keeper at each tick
                return hold.renewedAt() > before;
            });
            assertThat(started).hasValue(2);
            lock.release(hold);
        }

        @Test
        void lossForWantOfAThreadSaysSo() throws Exception {
            LockEngine engine = engine(ahead(), this::scarce);
            EngineLock lock = lock(engine, "a");
            isDying = true;
            Hold hold = (Hold) lock.take(LONG);
            refusals.set(Integer.MAX_VALUE);
            assertThat(lock.renew(hold, -1)).isTrue();
            ahead.addAndGet(LONG.leaseNanos());
            assertThat(lock.renew(hold, -1)).isFalse();
            assertThat(hold.lossInWords(Reason.LEASE_EXPIRED)).contains("could not be renewed for a whole lease").contains("ulimit -u");
            lock.release(hold);
            assertThat(lock.tidy()).isFalse();
            refusals.set(0);
            isDying = false;
            await().atMost(PATIENCE).until(lock::tidy);
            assertThat(lock(others, "a").take(LONG)).isInstanceOf(Hold.class);
        }
    }

    @Nested
    class Stumbling {
        /** Each pause is longer than the one before, up to a second. So it does not use up a CPU, or fill a log. */
        @Test
        void restsLongerAfterEachRoundAndGoesOnWithItsWork() throws Exception {
            List<Long> stumbles = new CopyOnWriteArrayList<>();
            AtomicBoolean isTrouble = new AtomicBoolean();
            Clock clock = new Shifted(() -> {
                if (isTrouble.get() && Thread.currentThread().getName().equals("sessionlock-jdbc")) {
                    stumbles.add(System.nanoTime());
                    throw new StackOverflowError("on purpose");
                }
            });
            LockEngine engine = engine(clock, RenewalWorker::daemon);
            EngineLock lock = lock(engine, "a");
            Hold hold = (Hold) lock.take(LONG);
            isTrouble.set(true);
            ahead.addAndGet(LONG.leaseNanos() / 3);
            long before = hold.renewedAt();
            await().atMost(PATIENCE).until(() -> {
                lock.renew(hold, -1); // this wakes the thread, like the keeper
                return stumbles.size() > 8;
            });
            for (int i = 1; i <= 8; i++) {
                assertThat(stumbles.get(i) - stumbles.get(i - 1)).isGreaterThanOrEqualTo(TimeUnit.MILLISECONDS.toNanos(Math.min(1_000, 10L << i - 1)));
            }
            isTrouble.set(false);
            await().atMost(PATIENCE).until(() -> lock.renew(hold, -1) && hold.renewedAt() > before);
            lock.release(hold);
        }

        @Test
        void interruptOfAllThreadsOfTheUsersGroupIsNotMeantForIt() throws Exception {
            AtomicReference<Thread> work = new AtomicReference<>();
            LockEngine engine = engine(Clock.SYSTEM, task -> {
                work.set(RenewalWorker.daemon(task));
                return work.get();
            });
            ThreadGroup group = new ThreadGroup("user");
            EngineLock lock = lock(engine, "a");
            Thread user = new Thread(group, () -> {
                try {
                    lock.release((Hold) lock.take(LONG));
                } catch (Exception e) {
                    throw new IllegalStateException(e);
                }
            });
            user.start();
            user.join(PATIENCE.toMillis());
            assertThat(group.parentOf(work.get().getThreadGroup())).isFalse();
        }
    }

    @Nested
    class AfterTheEnd {
        /** The hook that gives back what is held when the JVM ends does not belong to this engine, and is left out. */
        @Test
        void nothingKeepsTheDataSourceAlive() throws Exception {
            WeakReference<DataSource> used = useAndClose();
            await().atMost(PATIENCE).until(() -> {
                System.gc();
                return used.get() == null;
            });
        }

        private WeakReference<DataSource> useAndClose() throws Exception {
            DataSource mine = (DataSource) Proxy.newProxyInstance(getClass().getClassLoader(), new Class<?>[] {DataSource.class},
                    (proxy, method, args) -> source.getConnection());
            JdbcLockEngine engine = JdbcLockEngine.postgresql(mine).withSchema(schema);
            LockEngine withoutHook = (LockEngine) Proxy.newProxyInstance(getClass().getClassLoader(), new Class<?>[] {LockEngine.class},
                    (proxy, method, args) -> method.getName().equals("outliveTheProcess") ? (Object) false : method.invoke(engine, args));
            SessionLocks locks = SessionLocks.over(withoutHook);
            locks.acquire("a", OPTIONS).close();
            SessionLock late = locks.acquire("b", OPTIONS);
            locks.close();
            late.close();
            return new WeakReference<>(mine);
        }
    }

    /** How far both clocks were moved by hand, nanoseconds. */
    private final AtomicLong ahead = new AtomicLong();

    private Clock ahead() {
        return new Shifted(() -> { });
    }

    private final class Shifted implements Clock {
        private final Runnable before;

        private Shifted(Runnable before) {
            this.before = before;
        }

        @Override
        public long nanos() {
            before.run();
            return SYSTEM.nanos() + ahead.get();
        }

        @Override
        public long wallMicros() {
            return SYSTEM.wallMicros() + ahead.get() / 1_000;
        }
    }
}

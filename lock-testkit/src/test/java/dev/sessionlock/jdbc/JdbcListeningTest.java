package dev.sessionlock.jdbc;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import com.zaxxer.hikari.HikariDataSource;
import dev.sessionlock.SessionLock;
import dev.sessionlock.SessionLocks;
import dev.sessionlock.spi.Clock;
import dev.sessionlock.spi.EngineLock;
import dev.sessionlock.spi.Hold;
import dev.sessionlock.spi.LockEngine;
import java.io.ByteArrayOutputStream;
import java.io.PrintStream;
import java.lang.reflect.InvocationHandler;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Method;
import java.lang.reflect.Proxy;
import java.nio.charset.StandardCharsets;
import java.sql.Connection;
import java.sql.SQLException;
import java.sql.Statement;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.concurrent.Callable;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.ThreadFactory;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicLong;
import javax.sql.DataSource;
import org.junit.jupiter.api.Nested;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.parallel.ResourceLock;
import org.junit.jupiter.api.parallel.Resources;

/** The connection that listens: it breaks, it is silent, it is not to be had, it is not needed any more. Then waiting threads poll. */
class JdbcListeningTest extends JdbcListeningFixture {
    /** Where listening fails, waiting threads poll. */
    @Nested
    class Failing {
        @Test
        void brokenConnectionIsReplacedWhileSomebodyWaits() throws Exception {
            SessionLocks listens = over(listening);
            EngineLock holder = lock(polling, "a");
            Hold hold = (Hold) holder.take(TERMS);
            CompletableFuture<Long> waiter = inBackground(listens, "a", PATIENT);
            await().atMost(PATIENCE).until(() -> listeners("a") != null);
            for (int i = 0; i < 3; i++) {
                String pid = listeners("a");
                PostgresServer.execute(source, "SELECT pg_terminate_backend(" + pid + ")");
                await().atMost(PATIENCE).until(() -> listeners("a") != null && !listeners("a").equals(pid));
            }
            Waiting another = new Waiting(listening, "a").isHeard(); // of the same process
            holder.release(hold);
            another.awaitWoken();
            waiter.get(PATIENCE.toSeconds(), TimeUnit.SECONDS);
        }

        @Test
        void waiterGetsInWhileNoConnectionIsToBeHad() throws Exception {
            AtomicInteger refused = new AtomicInteger();
            DataSource away = source(connection -> {
                refused.incrementAndGet();
                throw new SQLException("no server there", "08001");
            });
            getsInByPolling(polling.withListening(away), () -> refused.get() > 1);
        }

        @Test
        void waiterGetsInAndCloseReturnsWhileTheConnectionKeepsTheThreadWaiting() throws Exception {
            CountDownLatch asked = new CountDownLatch(1);
            CountDownLatch ended = new CountDownLatch(1);
            DataSource silent = source(connection -> {
                asked.countDown();
                ended.await();
                return connection;
            });
            SessionLocks listens = getsInByPolling(polling.withListening(silent), () -> asked.getCount() == 0);
            listens.close();
            ended.countDown();
        }

        @Test
        void waiterGetsInWithoutAThread() throws Exception {
            AtomicInteger refused = new AtomicInteger();
            ThreadFactory threads = work -> {
                Thread thread = new Thread(work) {
                    @Override
                    public void start() {
                        if (getName().equals("sessionlock-jdbc-listens")) {
                            refused.incrementAndGet();
                            throw new OutOfMemoryError("unable to create native thread");
                        }
                        super.start();
                    }
                };
                thread.setDaemon(true);
                return thread;
            };
            getsInByPolling(new JdbcLockEngine(source, schema, LockTable.DEFAULT_NAME, Duration.ofSeconds(5), Clock.SYSTEM, direct, threads), () -> refused.get() > 0);
        }

        @Test
        @ResourceLock(Resources.SYSTEM_ERR)
        void driverWithoutNotificationsIsToldOnce() throws Exception {
            AtomicInteger asked = new AtomicInteger();
            DataSource poor = source(connection -> {
                asked.incrementAndGet();
                return view(Connection.class, connection, (proxy, method, args) -> {
                    if (method.getName().equals("unwrap")) {
                        throw new SQLException("cannot unwrap");
                    }
                    return call(connection, method, args);
                });
            });
            JdbcLockEngine engine = polling.withListening(poor);
            String told = told(() -> {
                for (int i = 0; i < 3; i++) {
                    getsInByPolling(engine, () -> asked.get() > 0);
                }
            });
            assertThat(asked).hasValue(1);
            assertThat(told.lines().filter(line -> line.contains(schema))).hasSize(1).first().asString()
                    .contains("cannot listen for releases").contains("waiting threads poll").contains("org.postgresql.PGConnection");
        }

        /** As a pooler in transaction mode: LISTEN is accepted, and lost. */
        @Test
        @ResourceLock(Resources.SYSTEM_ERR)
        void connectionOnWhichNothingArrivesIsToldOnce() throws Exception {
            AtomicInteger asked = new AtomicInteger();
            DataSource pooler = source(connection -> {
                asked.incrementAndGet();
                return view(Connection.class, connection, (proxy, method, args) -> {
                    Object made = call(connection, method, args);
                    return made instanceof Statement statement && method.getName().equals("createStatement")
                            ? view(Statement.class, statement, (self, called, sql) -> called.getName().equals("execute") && sql[0].toString().startsWith("LISTEN") ? false
                                    : call(statement, called, sql)) : made;
                });
            });
            JdbcLockEngine engine = polling.withStatementTimeout(Duration.ofMillis(500)).withListening(pooler);
            String told = told(() -> getsInByPolling(engine, () -> asked.get() > 2));
            assertThat(told.lines().filter(line -> line.contains(schema))).hasSize(1).first().asString().contains("pooler in transaction mode").contains("waiting threads poll");
        }

        /** {@return the locks of the process that has waited} */
        private SessionLocks getsInByPolling(LockEngine engine, Callable<Boolean> hasTried) throws Exception {
            SessionLocks listens = over(engine);
            SessionLock held = over(polling).acquire("a", PATIENT);
            CompletableFuture<Long> waiter = inBackground(listens, "a", PATIENT);
            await().atMost(PATIENCE).until(hasTried);
            await().atMost(PATIENCE).until(() -> listens.stats().waiting() == 1);
            assertThat(waiter).isNotDone();
            held.close();
            waiter.get(PATIENCE.toSeconds(), TimeUnit.SECONDS);
            return listens;
        }
    }

    @Nested
    class Ending {
        @Test
        void pooledConnectionComesBackWithoutListening() throws Exception {
            try (HikariDataSource one = PostgresServer.pool(PostgresServer.url(), 1)) {
                SessionLocks listens = over(polling.withListening(one));
                SessionLock held = over(polling).acquire("a", PATIENT);
                CompletableFuture<Long> waiter = inBackground(listens, "a", PATIENT);
                await().atMost(PATIENCE).until(() -> listeners("a") != null);
                String listened = listeners("a");
                held.close();
                waiter.get(PATIENCE.toSeconds(), TimeUnit.SECONDS);
                listens.close();
                await().atMost(PATIENCE).until(() -> one.getHikariPoolMXBean().getActiveConnections() == 0);
                assertThat(PostgresServer.ask(one, "SELECT count(*) FROM pg_listening_channels()")).isEqualTo("0");
                assertThat(PostgresServer.ask(one, "SELECT pg_backend_pid()")).as("the same connection").isEqualTo(listened);
            }
        }

        @Test
        void closingEndsTheListeningAtOnce() throws Exception {
            long start = System.nanoTime();
            Clock clock = new Clock() {
                @Override
                public long nanos() { // for the thread that listens no time passes, so it never ends by itself
                    return Thread.currentThread().getName().equals("sessionlock-jdbc-listens") ? start : System.nanoTime();
                }

                @Override
                public long wallMicros() {
                    return Clock.SYSTEM.wallMicros();
                }
            };
            SessionLocks listens = over(new JdbcLockEngine(source, schema, LockTable.DEFAULT_NAME, Duration.ofSeconds(5), clock, direct, RenewalWorker::daemon));
            SessionLock held = over(polling).acquire("a", PATIENT);
            CompletableFuture<Long> waiter = inBackground(listens, "a", PATIENT);
            await().atMost(PATIENCE).until(() -> listeners("a") != null);
            String pid = listeners("a");
            held.close();
            waiter.get(PATIENCE.toSeconds(), TimeUnit.SECONDS);
            listens.close();
            await().atMost(PATIENCE).until(() -> ask("SELECT count(*) FROM pg_stat_activity WHERE pid = " + pid), "0"::equals);
        }

        @Test
        void threadEndsOnceNobodyHasWaitedForAWhileAndStartsAgain() throws Exception {
            AtomicLong ahead = new AtomicLong();
            Clock clock = new Clock() {
                @Override
                public long nanos() {
                    return System.nanoTime() + ahead.get();
                }

                @Override
                public long wallMicros() {
                    return Clock.SYSTEM.wallMicros() + TimeUnit.NANOSECONDS.toMicros(ahead.get());
                }
            };
            Set<Thread> threads = ConcurrentHashMap.newKeySet();
            JdbcLockEngine engine = new JdbcLockEngine(source, schema, LockTable.DEFAULT_NAME, Duration.ofSeconds(5), clock, direct, work -> {
                Thread thread = RenewalWorker.daemon(work);
                threads.add(thread);
                return thread;
            });
            EngineLock holder = lock(polling, "a");
            holder.take(TERMS);
            for (int i = 1; i <= 2; i++) {
                new Waiting(engine, "a").isHeard();
                List<Thread> listen = threads.stream().filter(thread -> thread.getName().equals("sessionlock-jdbc-listens")).toList();
                assertThat(listen).hasSize(i);
                ahead.addAndGet(TimeUnit.SECONDS.toNanos(20));
                for (Thread each : listen) {
                    each.join(PATIENCE.toMillis());
                    assertThat(each.isAlive()).isFalse();
                }
                assertThat(listeners("a")).isNull();
            }
        }

        @Test
        void interruptOfAWaitingThreadIsNotHeldUp() throws Exception {
            SessionLocks listens = over(listening);
            try (SessionLock held = over(polling).acquire("a", PATIENT)) {
                CompletableFuture<Throwable> thrown = new CompletableFuture<>();
                Thread waiter = new Thread(() -> {
                    try {
                        listens.acquire("a", PATIENT).close();
                        thrown.complete(null);
                    } catch (Exception e) {
                        thrown.complete(e);
                    }
                });
                waiter.start();
                await().atMost(PATIENCE).until(() -> listeners("a") != null);
                waiter.interrupt();
                assertThat(thrown.get(PATIENCE.toSeconds(), TimeUnit.SECONDS)).isInstanceOf(InterruptedException.class);
                assertThat(held.isHeld()).isTrue();
            }
        }
    }

    /** Several machines on a few names: never two at once, and all come to an end. */
    @Test
    void stormOfReleases() throws Exception {
        int machines = 3;
        int turns = 40;
        AtomicInteger[] inside = {new AtomicInteger(), new AtomicInteger()};
        ExecutorService pool = Executors.newFixedThreadPool(2 * machines);
        List<Future<?>> all = new ArrayList<>();
        for (int machine = 0; machine < machines; machine++) {
            SessionLocks locks = over(polling.withListening(direct));
            for (int thread = 0; thread < 2; thread++) {
                all.add(pool.submit(() -> {
                    long[] last = new long[inside.length];
                    for (int turn = 0; turn < turns; turn++) {
                        int name = turn % inside.length;
                        try (SessionLock lock = locks.acquire("name-" + name, PATIENT)) {
                            assertThat(inside[name].incrementAndGet()).isEqualTo(1);
                            assertThat(lock.token()).isGreaterThan(last[name]);
                            last[name] = lock.token();
                            inside[name].decrementAndGet();
                        }
                    }
                    return null;
                }));
            }
        }
        pool.shutdown();
        for (Future<?> each : all) {
            each.get(2 * PATIENCE.toSeconds(), TimeUnit.SECONDS);
        }
    }

    // ---- what stands between the engine and the driver ----

    private interface Lending {
        Connection lend(Connection connection) throws Exception;
    }

    private DataSource source(Lending lending) {
        return view(DataSource.class, direct, (proxy, method, args) -> lending.lend((Connection) call(direct, method, args)));
    }

    @SuppressWarnings("unchecked")
    private static <T> T view(Class<T> type, T of, InvocationHandler handler) {
        return (T) Proxy.newProxyInstance(of.getClass().getClassLoader(), new Class<?>[] {type}, handler);
    }

    private static Object call(Object on, Method method, Object[] args) throws Throwable {
        try {
            return method.invoke(on, args);
        } catch (InvocationTargetException e) {
            throw e.getCause();
        }
    }

    private interface Step {
        void run() throws Exception;
    }

    /** {@return what was logged meanwhile} */
    private static String told(Step step) throws Exception {
        PrintStream before = System.err;
        ByteArrayOutputStream told = new ByteArrayOutputStream();
        System.setErr(new PrintStream(told, true, StandardCharsets.UTF_8));
        try {
            step.run();
        } finally {
            System.setErr(before);
        }
        before.print(told.toString(StandardCharsets.UTF_8));
        return told.toString(StandardCharsets.UTF_8);
    }
}

package dev.sessionlock.jdbc;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import com.zaxxer.hikari.HikariDataSource;
import dev.sessionlock.LockOptions;
import dev.sessionlock.SessionLock;
import dev.sessionlock.SessionLocks;
import dev.sessionlock.spi.Busy;
import dev.sessionlock.spi.Clock;
import dev.sessionlock.spi.EngineLock;
import dev.sessionlock.spi.Hold;
import dev.sessionlock.spi.LockEngine;
import dev.sessionlock.spi.Terms;
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
import java.util.Arrays;
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
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Nested;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.parallel.ResourceLock;
import org.junit.jupiter.api.parallel.Resources;

/** Threads that wait for a lock in a table are woken by the server. They poll where that fails. */
class JdbcListeningTest {
    private static final Duration PATIENCE = Duration.ofSeconds(60);
    private static final LockOptions PATIENT = LockOptions.defaults().withTimeout(PATIENCE);
    private static final Terms TERMS = new Terms(TimeUnit.SECONDS.toNanos(60), true, -1, "test", null, false);

    private final String schema = PostgresServer.newSchema();
    private final List<SessionLocks> opened = new ArrayList<>();
    private HikariDataSource source;
    private DataSource direct;
    private JdbcLockEngine polling;
    private JdbcLockEngine listening;

    @BeforeEach
    void open() throws Exception {
        source = PostgresServer.pool(PostgresServer.url(), 6);
        direct = PostgresServer.plain(PostgresServer.url());
        polling = JdbcLockEngine.postgresql(source).withSchema(schema);
        polling.createSchema();
        listening = polling.withListening(direct);
    }

    @AfterEach
    void close() {
        opened.forEach(SessionLocks::close);
        source.close();
    }

    private SessionLocks over(LockEngine engine) {
        SessionLocks locks = SessionLocks.over(engine);
        opened.add(locks);
        return locks;
    }

    private static EngineLock lock(LockEngine of, String name) throws Exception {
        return of.pin(of.idOfName(name)).lock(name);
    }

    private String ask(String sql) throws SQLException {
        return PostgresServer.ask(source, sql);
    }

    /** {@return the server's processes that listen for whoever waits for that lock} */
    private String listeners(String name) {
        try {
            return ask("SELECT string_agg(pid::text, ',') FROM pg_stat_activity WHERE query = (SELECT 'LISTEN \"sessionlock_' || hand || '\"' FROM " + schema
                    + ".session_lock WHERE name = '" + name + "')");
        } catch (SQLException e) {
            throw new IllegalStateException(e);
        }
    }

    /** Waits for a lock as a head does, except that it never polls by itself: what wakes it is the server. */
    private final class Waiting {
        private final EngineLock lock;
        private final AtomicInteger woken = new AtomicInteger();

        private Waiting(LockEngine engine, String name) throws Exception {
            lock = lock(engine, name);
            lock.onFreed(woken::incrementAndGet);
        }

        private Waiting say() throws Exception {
            assertThat(lock.take(TERMS)).isInstanceOf(Busy.class);
            lock.setWaiterMark(true);
            return this;
        }

        private Waiting isHeard() throws Exception {
            say();
            await().atMost(PATIENCE).pollInterval(Duration.ofMillis(20)).until(() -> {
                say();
                return listeners(lock.name()) != null;
            });
            return say();
        }

        private void awaitWoken() {
            await().atMost(PATIENCE).until(() -> woken.get() > 0);
        }
    }

    private static CompletableFuture<Long> inBackground(SessionLocks locks, String name, LockOptions options) {
        return CompletableFuture.supplyAsync(() -> {
            try {
                SessionLock lock = locks.acquire(name, options);
                long in = System.nanoTime();
                lock.close();
                return in;
            } catch (Exception e) {
                throw new IllegalStateException(e);
            }
        }, task -> new Thread(task).start());
    }

    @Nested
    class Waking {
        @Test
        void releaseWakesTheWaitingProcess() throws Exception {
            EngineLock holder = lock(polling, "a");
            Hold hold = (Hold) holder.take(TERMS);
            Waiting waiting = new Waiting(listening, "a").isHeard();
            assertThat(waiting.woken).hasValue(0);
            holder.release(hold);
            waiting.awaitWoken();
            Hold taken = (Hold) waiting.lock.take(TERMS);
            assertThat(taken.token()).isGreaterThan(hold.token());
            waiting.lock.release(taken);
        }

        @Test
        void releaseInTheBackgroundWakes() throws Exception {
            EngineLock holder = lock(polling, "a");
            Hold hold = (Hold) holder.take(TERMS);
            Waiting waiting = new Waiting(listening, "a").isHeard();
            holder.releaseSoon(hold);
            waiting.awaitWoken();
        }

        @Test
        void clearingADeadOwnerWakes() throws Exception {
            EngineLock holder = lock(polling, "a");
            holder.take(TERMS);
            Waiting waiting = new Waiting(listening, "a").isHeard();
            PostgresServer.execute(source, "UPDATE " + schema + ".session_lock SET start_ticks = start_ticks - 1, process_start = process_start - interval '1 hour'");
            assertThat(lock(polling, "a").clear(false).outcome()).isEqualTo(EngineLock.ClearOutcome.REMOVED);
            waiting.awaitWoken();
        }

        @Test
        void aNameMayBeAnyText() throws Exception {
            String name = "it''s \"a\" $1 \\ ünïcode 🔒 ".repeat(20).strip();
            EngineLock holder = lock(polling, name);
            Hold hold = (Hold) holder.take(TERMS);
            Waiting waiting = new Waiting(listening, name);
            waiting.say();
            String pid = "SELECT pid FROM pg_stat_activity WHERE query = (SELECT 'LISTEN \"sessionlock_' || hand || '\"' FROM " + schema + ".session_lock)";
            await().atMost(PATIENCE).until(() -> ask(pid) != null);
            waiting.say();
            holder.release(hold);
            waiting.awaitWoken();
        }

        @Test
        void onlyTheProcessForWhichItIsReservedIsWoken() throws Exception {
            EngineLock holder = lock(polling, "a");
            Hold hold = (Hold) holder.take(TERMS);
            EngineLock otherHolder = lock(polling, "b");
            Hold other = (Hold) otherHolder.take(TERMS);
            JdbcLockEngine second = polling.withListening(direct);
            Waiting first = new Waiting(listening, "a").isHeard();
            Waiting later = new Waiting(second, "a").say();
            Waiting elsewhere = new Waiting(second, "b").isHeard();
            first.say();
            holder.release(hold);
            first.awaitWoken();
            elsewhere.say();
            otherHolder.release(other);
            elsewhere.awaitWoken(); // after it would have heard of "a"
            assertThat(later.woken).hasValue(0);
        }

        /** In turns, in the same run: what is compared depends on no machine. */
        @Test
        void aWaitingMachineIsInSoonerThanByPolling() throws Exception {
            int rounds = Integer.getInteger("jdbc.rounds", 9);
            long[] woken = new long[rounds];
            long[] polled = new long[rounds];
            SessionLocks holders = over(polling);
            SessionLocks polls = over(JdbcLockEngine.postgresql(source).withSchema(schema));
            SessionLocks listens = over(listening);
            for (int i = 0; i < rounds; i++) {
                polled[i] = releaseToIn(holders, polls);
                woken[i] = releaseToIn(holders, listens);
            }
            Arrays.sort(woken);
            Arrays.sort(polled);
            System.out.printf("FIGURES release to in, ms: woken p50 %.2f p99 %.2f, polling p50 %.1f p99 %.1f (%d rounds)%n", woken[rounds / 2] / 1e6,
                    woken[rounds * 99 / 100] / 1e6, polled[rounds / 2] / 1e6, polled[rounds * 99 / 100] / 1e6, rounds);
            assertThat(woken[rounds / 2]).isLessThan(polled[rounds / 2] / 3);
        }

        private long releaseToIn(SessionLocks holders, SessionLocks waiters) throws Exception {
            SessionLock held = holders.acquire("a", PATIENT);
            CompletableFuture<Long> waiter = inBackground(waiters, "a", PATIENT);
            await().atMost(PATIENCE).until(() -> ask("SELECT hand_at > since + interval '400 milliseconds' FROM " + schema
                    + ".session_lock WHERE name = 'a' AND hand IS NOT NULL"), "t"::equals); // by now it polls as rarely as it ever does
            long released = System.nanoTime();
            held.close();
            return waiter.get(PATIENCE.toSeconds(), TimeUnit.SECONDS) - released;
        }
    }

    /** What is notified, seen by a function that takes the place of the server's own. */
    @Nested
    class Notifying {
        private final String log = schema + ".notified";
        private HikariDataSource watched;
        private JdbcLockEngine holders;

        private void watch(String instead) throws Exception {
            PostgresServer.execute(source, "CREATE TABLE " + log + " (channel text, name text)");
            PostgresServer.execute(source, "CREATE FUNCTION " + schema + ".pg_notify(channel text, name text) RETURNS void LANGUAGE plpgsql AS $$ BEGIN " + instead
                    + "; END $$");
            watched = PostgresServer.pool(PostgresServer.url("options=-c%20search_path=" + schema + ",pg_catalog"), 2);
            holders = JdbcLockEngine.postgresql(watched).withSchema(schema);
        }

        @AfterEach
        void stop() {
            watched.close();
        }

        private String notified() throws Exception {
            return ask("SELECT count(*) FROM " + log);
        }

        @Test
        void releaseForWhichNobodyWaitsNotifiesNobody() throws Exception {
            watch("INSERT INTO " + log + " VALUES (channel, name)");
            EngineLock holder = lock(holders, "a");
            for (int i = 0; i < 3; i++) {
                holder.release((Hold) holder.take(TERMS));
            }
            Hold hold = (Hold) holder.take(TERMS);
            new Waiting(listening, "a").say();
            PostgresServer.execute(source, "UPDATE " + schema + ".session_lock SET hand_at = hand_at - interval '1 hour'"); // it has given up long ago
            holder.release(hold);
            assertThat(notified()).isEqualTo("0");
        }

        @Test
        void processThatDoesNotListenIsNotNotified() throws Exception {
            watch("INSERT INTO " + log + " VALUES (channel, name)");
            EngineLock holder = lock(holders, "a");
            Hold hold = (Hold) holder.take(TERMS);
            new Waiting(polling, "a").say();
            holder.release(hold);
            assertThat(notified()).isEqualTo("0");
            assertThat(ask("SELECT reserved_until IS NOT NULL FROM " + schema + ".session_lock")).isEqualTo("t");
        }

        @Test
        void processThatListensIsNotifiedOnce() throws Exception {
            watch("INSERT INTO " + log + " VALUES (channel, name)");
            EngineLock holder = lock(holders, "a");
            Hold hold = (Hold) holder.take(TERMS);
            new Waiting(listening, "a").say();
            holder.release(hold);
            holder.release(hold);
            assertThat(ask("SELECT string_agg(channel || ' ' || name, '; ') FROM " + log))
                    .isEqualTo("sessionlock_" + ask("SELECT hand FROM " + schema + ".session_lock") + " a");
        }

        @Test
        void lockIsGivenBackThoughNotifyingIsForbidden() throws Exception {
            watch("RAISE EXCEPTION 'permission denied for function pg_notify' USING ERRCODE = '42501'");
            releasesInSpiteOfThat();
        }

        @Test
        void lockIsGivenBackThoughTheQueueIsFull() throws Exception {
            watch("RAISE EXCEPTION 'too many notifications in the NOTIFY queue' USING ERRCODE = '54000'");
            releasesInSpiteOfThat();
        }

        private void releasesInSpiteOfThat() throws Exception {
            EngineLock holder = lock(holders, "a");
            for (int i = 0; i < 2; i++) {
                Hold hold = (Hold) holder.take(TERMS);
                Waiting waiting = new Waiting(listening, "a").say();
                holder.release(hold);
                waiting.lock.release((Hold) waiting.lock.take(TERMS));
            }
        }
    }

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
                held.close();
                waiter.get(PATIENCE.toSeconds(), TimeUnit.SECONDS);
                listens.close();
                await().atMost(PATIENCE).until(() -> one.getHikariPoolMXBean().getActiveConnections() == 0);
                assertThat(PostgresServer.ask(one, "SELECT count(*) FROM pg_listening_channels()")).isEqualTo("0");
                assertThat(PostgresServer.ask(one, "SELECT count(*) FROM pg_stat_activity WHERE pid = pg_backend_pid()")).isEqualTo("1");
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

package dev.sessionlock.jdbc;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import com.zaxxer.hikari.HikariDataSource;
import dev.sessionlock.LockOptions;
import dev.sessionlock.SessionLock;
import dev.sessionlock.SessionLocks;
import dev.sessionlock.spi.Clock;
import dev.sessionlock.spi.Terms;
import java.sql.Connection;
import java.sql.ResultSet;
import java.sql.Statement;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.UUID;
import java.util.concurrent.TimeUnit;
import net.javacrumbs.shedlock.core.LockConfiguration;
import net.javacrumbs.shedlock.core.LockProvider;
import net.javacrumbs.shedlock.core.SimpleLock;
import net.javacrumbs.shedlock.provider.jdbc.JdbcLockProvider;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.parallel.Isolated;

/** What the locks in a table cost, side by side with ShedLock on the same server and pool. Rounds alternate; the medians are compared. */
@Tag("soak")
@Isolated
@Timeout(value = 10, unit = TimeUnit.MINUTES)
class JdbcSpeedTest {
    private static final int ROUNDS = Integer.getInteger("jdbc.rounds", 9);
    private static final int PAIRS = 300;
    private static final int WAITERS = 200;
    private static final int HELD = 10_000;
    private static final Duration PATIENCE = Duration.ofMinutes(2);
    /** Measurements on a shared machine are this inexact. */
    private static final double NOISE = 1.15;

    private final String schema = PostgresServer.newSchema();
    private HikariDataSource source;
    private JdbcLockEngine engine;

    @BeforeEach
    void open() throws Exception {
        source = PostgresServer.pool(PostgresServer.url(), 10);
        engine = JdbcLockEngine.postgresql(source).withSchema(schema);
        engine.createSchema();
    }

    @AfterEach
    void close() {
        source.close();
    }

    private interface Pair {
        void takeAndRelease(String name) throws Exception;
    }

    /** {@return microseconds for each pair} */
    private static double time(Pair pair, int pairs) throws Exception {
        long start = System.nanoTime();
        for (int i = 0; i < pairs; i++) {
            pair.takeAndRelease("name-" + i % 10);
        }
        return (System.nanoTime() - start) / 1_000.0 / pairs;
    }

    private static double median(double... values) {
        double[] sorted = values.clone();
        Arrays.sort(sorted);
        return sorted[sorted.length / 2];
    }

    @Test
    void takeAndReleaseAreNoSlowerThanShedLocks() throws Exception {
        PostgresServer.execute(source, "CREATE TABLE " + schema + ".shedlock (name varchar(64) PRIMARY KEY, lock_until timestamp NOT NULL, "
                + "locked_at timestamp NOT NULL, locked_by varchar(255) NOT NULL)");
        LockProvider shedLock = new JdbcLockProvider(source, schema + ".shedlock");
        SessionLocks locks = SessionLocks.over(engine);
        Pair ours = name -> locks.acquire(name).close();
        Pair theirs = name -> {
            SimpleLock lock = shedLock.lock(new LockConfiguration(Instant.now(), name, Duration.ofSeconds(30), Duration.ZERO)).orElseThrow();
            lock.unlock();
        };
        time(ours, PAIRS);
        time(theirs, PAIRS);
        double[] our = new double[ROUNDS];
        double[] their = new double[ROUNDS];
        for (int i = 0; i < ROUNDS; i++) {
            our[i] = time(ours, PAIRS);
            their[i] = time(theirs, PAIRS);
        }
        System.out.printf("FIGURES take + release: ours %.0f us, ShedLock %.0f us (medians of %d rounds of %d)%n", median(our), median(their),
                ROUNDS, PAIRS);
        locks.close();
        assertThat(median(our)).isLessThanOrEqualTo(median(their) * NOISE);
    }

    /** Plays four processes, with fifty waiting threads each. */
    @Test
    void twoHundredWaitersOnOneNameDoNotSlowTheOthers() throws Exception {
        SessionLocks locks = SessionLocks.over(engine);
        LockOptions patient = LockOptions.defaults().withTimeout(PATIENCE);
        Pair pair = name -> locks.acquire(name).close();
        time(pair, PAIRS);
        double[] alone = new double[ROUNDS];
        double[] beside = new double[ROUNDS];
        for (int round = 0; round < ROUNDS; round++) {
            alone[round] = time(pair, PAIRS);
            SessionLock held = locks.acquire("crowded", patient);
            List<SessionLocks> others = new ArrayList<>();
            List<Thread> waiters = new ArrayList<>();
            for (int i = 0; i < WAITERS; i++) {
                if (i % 50 == 0) {
                    others.add(SessionLocks.over(JdbcLockEngine.postgresql(source).withSchema(schema)));
                }
                SessionLocks theirs = others.get(i / 50);
                Thread waiter = new Thread(() -> {
                    try {
                        theirs.acquire("crowded", patient).close();
                    } catch (Exception e) {
                        // Interrupted: the round is over.
                    }
                });
                waiter.start();
                waiters.add(waiter);
            }
            await().atMost(PATIENCE).until(() -> others.stream().mapToLong(one -> one.stats().waiting()).sum() == WAITERS);
            beside[round] = time(pair, PAIRS);
            waiters.forEach(Thread::interrupt);
            for (Thread waiter : waiters) {
                waiter.join();
            }
            held.close();
            others.forEach(SessionLocks::close);
        }
        System.out.printf("FIGURES other names: %.0f us a pair alone, %.0f us beside %d waiters on one name%n", median(alone), median(beside), WAITERS);
        locks.close();
        assertThat(median(beside)).isLessThanOrEqualTo(median(alone) * 1.10 * NOISE);
    }

    @Test
    void tenThousandHeldLocksAreRenewedInATenthOfASecond() throws Exception {
        LockTable table = new LockTable(new Database(source), schema, "session_lock", UUID.randomUUID());
        Terms terms = new Terms(TimeUnit.SECONDS.toNanos(600), true, -1, "t", null, false);
        PostgresServer.execute(source, "INSERT INTO " + schema + ".session_lock (name, token, holder, lease_until, process, pid, host, start_ticks, "
                + "since, renewed_at, lease_ms, takeover) SELECT 'session-' || i, i, gen_random_uuid(), now() + interval '1 hour', gen_random_uuid(), "
                + "1, 'h', 1, now(), now(), 600000, true FROM generate_series(1, " + HELD + ") i");
        PostgresServer.execute(source, "ANALYZE " + schema + ".session_lock");
        List<JdbcHold> holds = new ArrayList<>();
        try (Connection connection = source.getConnection(); Statement statement = connection.createStatement();
                ResultSet row = statement.executeQuery("SELECT name, holder, token FROM " + schema + ".session_lock")) {
            while (row.next()) {
                JdbcHold hold = new JdbcHold(table, new RowAttempt(row.getString(1), row.getObject(2, UUID.class), terms,
                        Duration.ofSeconds(30)), terms, row.getLong(3), JdbcHold.SentAt.now(Clock.SYSTEM), Clock.SYSTEM, null);
                hold.endsAt(-1);
                holds.add(hold);
            }
        }
        double[] millis = new double[15];
        for (int i = 0; i < millis.length; i++) {
            long start = System.nanoTime();
            assertThat(table.renew(holds, Duration.ofSeconds(30))).hasSize(HELD);
            millis[i] = (System.nanoTime() - start) / 1e6;
        }
        System.out.printf("FIGURES renewal of %d held locks: median %.0f ms, all %s%n", HELD, median(millis), Arrays.toString(
                Arrays.stream(millis).mapToLong(Math::round).toArray()));
        assertThat(median(millis)).isLessThanOrEqualTo(100 * NOISE);
    }
}

package dev.sessionlock.jdbc;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import com.zaxxer.hikari.HikariDataSource;
import dev.sessionlock.LockOptions;
import dev.sessionlock.jdbc.ThrowingSource.When;
import dev.sessionlock.spi.AcquireResult;
import dev.sessionlock.spi.Clock;
import dev.sessionlock.spi.EngineLock;
import dev.sessionlock.spi.Hold;
import dev.sessionlock.spi.LockEngine;
import dev.sessionlock.spi.Terms;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.atomic.AtomicReference;
import java.util.function.Predicate;
import java.util.function.Supplier;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;

/** A data source that throws on purpose, a lock over it, and what its caller does then. */
abstract class JdbcThrowablesFixture {
    static final Duration PATIENCE = Duration.ofSeconds(60);
    static final Terms TERMS = new Terms(LockOptions.MAX_LEASE.toNanos(), true, -1, "test", null, true);

    /** The pid of no process. */
    static final int DEAD = 4_194_303;

    static final Predicate<Thread> OURS = thread -> thread == Thread.currentThread() && !isWorker(thread);
    static final Predicate<Thread> WORKER = JdbcThrowablesFixture::isWorker;

    /** More than any operation makes. */
    static final int MANY_CALLS = 300;

    private final List<String> names = new ArrayList<>();

    static boolean isWorker(Thread thread) {
        return thread.getName().equals("sessionlock-jdbc");
    }

    final String schema = PostgresServer.newSchema();
    final AtomicLong ahead = new AtomicLong();
    int kernelWaits;
    HikariDataSource pool;
    ThrowingSource source;
    LockEngine engine;
    LockEngine others;

    @BeforeEach
    void open() throws Exception {
        pool = PostgresServer.pool(PostgresServer.url(), 5);
        JdbcLockEngine.postgresql(pool).withSchema(schema).createSchema();
        source = new ThrowingSource(pool);
        Clock clock = new Clock() {
            @Override
            public long nanos() {
                return SYSTEM.nanos() + ahead.get();
            }

            @Override
            public long wallMicros() {
                return SYSTEM.wallMicros() + ahead.get() / 1_000;
            }
        };
        engine = new JdbcLockEngine(source.asDataSource(), schema, LockTable.DEFAULT_NAME, Duration.ofSeconds(5), clock);
        others = JdbcLockEngine.postgresql(pool).withSchema(schema);
    }

    @AfterEach
    void close() {
        pool.close();
    }

    static EngineLock lock(LockEngine of, String name) throws Exception {
        return of.pin(of.idOfName(name)).lock(name);
    }

    static Hold take(EngineLock lock) throws Exception {
        AcquireResult taken = lock.take(TERMS);
        assertThat(taken).isInstanceOf(Hold.class);
        return (Hold) taken;
    }

    /** Releases again and again until it throws nothing, and once more. */
    static void release(EngineLock lock, Hold hold) {
        await().atMost(PATIENCE).pollInterval(Duration.ofMillis(1)).until(() -> {
            try {
                lock.release(hold);
                return true;
            } catch (Throwable e) {
                return false;
            }
        });
        lock.release(hold);
    }

    /**
     * Tidies up until nothing is left. If nobody has the lock, a statement of ours may still be under way, as far as the engine can know. Then it
     * goes on trying to undo it until the statement's lease would have run out.
     */
    void tidy(EngineLock lock) {
        await().atMost(PATIENCE).pollInterval(Duration.ofMillis(1)).until(() -> lock.tidy() || isNobodys(lock.name()));
        if (!lock.tidy()) {
            ahead.addAndGet(2 * TERMS.leaseNanos());
            await().atMost(PATIENCE).pollInterval(Duration.ofMillis(1)).until(() -> {
                wakeWorker();
                return lock.tidy();
            });
        }
    }

    boolean isNobodys(String name) throws Exception {
        return PostgresServer.ask(pool, "SELECT 1 FROM " + schema + ".session_lock WHERE holder IS NOT NULL AND pid <> " + DEAD
                + " AND name = '" + name + "'") == null;
    }

    /** Another engine gets the lock at the first try, and our connections have come back as they were. */
    void isFree(String name, String after) throws Exception {
        EngineLock theirs = lock(others, name);
        // The server may still be ending a transaction of ours that has the row: then it is free, and not to be had yet.
        AtomicReference<AcquireResult> taken = new AtomicReference<>();
        await().atMost(PATIENCE).pollInterval(Duration.ofMillis(1)).until(() -> {
            taken.set(theirs.take(TERMS));
            return taken.get() instanceof Hold || !isNobodys(name);
        });
        assertThat(taken.get()).as("another's try after the throwable in %s", after).isInstanceOf(Hold.class);
        theirs.release((Hold) taken.get());
        await().atMost(PATIENCE).pollInterval(Duration.ofMillis(1)).untilAsserted(() -> assertThat(source.lent()).as("lent after %s", after).isZero());
        assertThat(source.spoiled()).as("connections that came back otherwise than they were lent, after %s", after).isEmpty();
    }

    /** Makes the thread read the clock, which was moved by hand. */
    void wakeWorker() throws Exception {
        EngineLock kernelWaitLock = lock(engine, "kernel-wait-" + kernelWaits++);
        kernelWaitLock.releaseSoon(take(kernelWaitLock));
    }

    // ---- each call throws ----

    interface Step {
        void run() throws Throwable;
    }

    /** One round of a test: its call number k throws. Returns which call that was; null if there was no k-th. */
    interface Round {
        String run(int k, String name) throws Throwable;
    }

    void forEachCall(Round round) throws Throwable {
        for (int k = 1; k < MANY_CALLS; k++) {
            String name = "lock-" + k;
            String thrown = round.run(k, name);
            if (thrown == null) {
                assertThat(names).as("calls that threw").hasSizeGreaterThan(8);
                return;
            }
            names.add(thrown);
        }
        throw new AssertionError("no operation makes so many calls: " + names);
    }

    /** Runs it with a fault in its k-th call. Returns which call threw; null if it made fewer. */
    String faulty(int k, When when, Supplier<Throwable> what, Step step) {
        source.arm(k, when, what, OURS);
        try {
            step.run();
        } catch (Throwable e) {
            assertThat(source.hasThrown()).as("it throws only what was thrown: %s", e).isTrue();
        }
        return source.disarm();
    }
}

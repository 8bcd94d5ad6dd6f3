package dev.sessionlock.jdbc;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import dev.sessionlock.LockMode;
import dev.sessionlock.spi.AcquireResult;
import dev.sessionlock.spi.Busy;
import dev.sessionlock.spi.EngineLock;
import dev.sessionlock.spi.Terms;
import java.sql.Connection;
import java.sql.Statement;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ThreadLocalRandom;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Nested;
import org.junit.jupiter.api.Test;

/** Readers and writers of one lock who do something at the same time. */
class JdbcReaderRacesTest extends JdbcReadersFixture {
    private final AtomicBoolean isOver = new AtomicBoolean();
    private final List<CompletableFuture<?>> running = new ArrayList<>();

    @AfterEach
    void end() {
        isOver.set(true);
        running.forEach(CompletableFuture::join);
    }

    private <T> CompletableFuture<T> inBackground(Callable<T> work) {
        CompletableFuture<T> future = CompletableFuture.supplyAsync(() -> {
            try {
                return work.call();
            } catch (Exception e) {
                throw new IllegalStateException(e);
            }
        }, task -> new Thread(task).start());
        running.add(future);
        return future;
    }

    /** Waits as long as a head of a queue does that nobody wakes. */
    private static void pause(AcquireResult busy) throws InterruptedException {
        TimeUnit.NANOSECONDS.sleep(Math.max(0, ((Busy) busy).retryAt() - System.nanoTime()));
    }

    /** The statement of the one that leaves has begun before the other one is inside, and so does not see it. */
    @Nested
    class OneLeaves {
        private final String touched = "UPDATE LOCKS SET renewed_at = clock_timestamp(), lease_until = lease_until + interval '1 minute'; ";

        /** @param meanwhile what another process does */
        private void leaves(EngineLock one, JdbcHold hold, String meanwhile) throws Exception {
            CompletableFuture<Void> leaving;
            try (Connection connection = source.getConnection(); Statement coming = connection.createStatement()) {
                connection.setAutoCommit(false);
                for (String sql : meanwhile.replace("LOCKS", schema + ".session_lock").replace("READERS", schema + ".session_lock_readers").split(";")) {
                    coming.execute(sql);
                }
                leaving = inBackground(() -> {
                    one.release(hold);
                    return null;
                });
                await().atMost(PATIENCE).pollInterval(Duration.ofMillis(2)).until(() -> ask("SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' "
                        + "AND query LIKE '%" + schema + "%xmin%'").equals("1"));
                connection.commit();
            }
            leaving.join();
            assertThat(one.tidy()).isTrue();
            isBusy(another(), WRITE);
            assertThat(ask("SELECT count(*) FROM READERS r JOIN LOCKS l ON l.name = r.name AND l.holder = r.period AND l.lease_until >= r.lease_until")).isEqualTo("1");
        }

        @Test
        void whileAnotherRenewsItsLease() throws Exception {
            EngineLock one = another();
            JdbcHold hold = take(one, READ);
            take(another(), READ);
            leaves(one, hold, touched + "UPDATE READERS SET lease_until = lease_until + interval '1 minute'");
        }

        @Test
        void whileAnotherComes() throws Exception {
            EngineLock one = another();
            JdbcHold hold = take(one, READ);
            leaves(one, hold, touched + "INSERT INTO READERS (name, holder, period, lease_until, process, pid, host, start_ticks, since, "
                    + "renewed_at, lease_ms, takeover) SELECT name, gen_random_uuid(), period, lease_until, process, pid, host, 0, since, renewed_at, lease_ms, takeover FROM READERS");
        }
    }

    @Nested
    class Storm {
        private final AtomicInteger readers = new AtomicInteger();
        private final AtomicInteger writers = new AtomicInteger();
        private final AtomicInteger mostReaders = new AtomicInteger();
        private final AtomicInteger entries = new AtomicInteger();

        /** @param froze whether the process is frozen now and then, and so does not give back what it has */
        private Void user(LockMode mode, boolean froze) throws Exception {
            EngineLock lock = another();
            boolean reads = mode == LockMode.SHARED;
            Terms terms = terms(mode, Duration.ofMillis(froze ? 300 : 20_000));
            while (!isOver.get()) {
                AcquireResult taken = lock.take(terms);
                if (!(taken instanceof JdbcHold hold)) {
                    lock.setWaiterMark(mode, true);
                    pause(taken);
                    continue;
                }
                AtomicInteger own = reads ? readers : writers;
                int inside = own.incrementAndGet();
                boolean isAlone = writers.get() == (reads ? 0 : 1) && (reads || readers.get() == 0);
                sleep(Duration.ofNanos(ThreadLocalRandom.current().nextLong(4_000_000)));
                isAlone &= writers.get() == (reads ? 0 : 1) && (reads || readers.get() == 0);
                boolean counts = hold.isValid(System.nanoTime()); // otherwise others may have been let in meanwhile
                own.decrementAndGet();
                if (!isAlone && counts) {
                    throw new IllegalStateException("a writer was beside somebody: " + taken + ", " + mode);
                }
                entries.incrementAndGet();
                mostReaders.accumulateAndGet(inside, (a, b) -> reads ? Math.max(a, b) : a);
                if (froze && ThreadLocalRandom.current().nextInt(4) == 0) {
                    lock = another();
                } else {
                    lock.release(hold);
                }
            }
            return null;
        }

        @Test
        void noWriterIsEverBesideAnybody() throws Exception {
            List<CompletableFuture<?>> users = new ArrayList<>();
            for (int i = 0; i < 4; i++) {
                boolean freezes = i % 2 == 0;
                users.add(inBackground(() -> user(LockMode.SHARED, freezes)));
            }
            users.add(inBackground(() -> user(LockMode.EXCLUSIVE, false)));
            users.add(inBackground(() -> user(LockMode.EXCLUSIVE, true)));
            long seconds = Boolean.getBoolean("soak") ? 60 : 4;
            sleep(Duration.ofSeconds(seconds));
            isOver.set(true);
            users.forEach(CompletableFuture::join);
            assertThat(entries).hasValueGreaterThan(20);
            assertThat(mostReaders).hasValueGreaterThan(1);
            EngineLock last = another();
            await().atMost(PATIENCE).until(() -> last.take(WRITE) instanceof JdbcHold);
            assertThat(ask("SELECT count(*) FROM READERS")).isEqualTo("0");
        }
    }

    /** At each moment somebody reads. */
    @Test
    void writerThatWaitsGetsInAmongReadersThatNeverEnd() throws Exception {
        for (int i = 0; i < 4; i++) {
            inBackground(() -> {
                EngineLock lock = another();
                while (!isOver.get()) {
                    AcquireResult taken = lock.take(READ);
                    if (taken instanceof JdbcHold hold) {
                        sleep(Duration.ofMillis(30));
                        lock.release(hold);
                    } else {
                        lock.setWaiterMark(LockMode.SHARED, true);
                        sleep(Duration.ofMillis(2));
                    }
                }
                return null;
            });
        }
        EngineLock writer = another();
        for (int i = 0; i < 3; i++) {
            await().atMost(PATIENCE).pollInterval(Duration.ofMillis(1)).until(() -> ask("SELECT count(*) FROM READERS").compareTo("1") > 0);
            long end = System.nanoTime() + Duration.ofSeconds(20).toNanos();
            AcquireResult taken;
            while (!((taken = writer.take(WRITE)) instanceof JdbcHold) && System.nanoTime() < end) {
                writer.setWaiterMark(LockMode.EXCLUSIVE, true);
                pause(taken);
            }
            assertThat(taken).isInstanceOf(JdbcHold.class);
            writer.release((JdbcHold) taken);
        }
    }
}

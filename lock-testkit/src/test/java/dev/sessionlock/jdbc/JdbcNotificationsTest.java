package dev.sessionlock.jdbc;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import com.zaxxer.hikari.HikariDataSource;
import dev.sessionlock.SessionLock;
import dev.sessionlock.SessionLocks;
import dev.sessionlock.spi.EngineLock;
import dev.sessionlock.spi.Hold;
import java.time.Duration;
import java.util.Arrays;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Nested;
import org.junit.jupiter.api.Test;

/** A lock that is given back wakes the process for which it is reserved, and nobody else. */
class JdbcNotificationsTest extends JdbcListeningFixture {
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
            Waiting waiting = new Waiting(listening, name).isHeard();
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
            assertThat(woken[rounds / 4]).as("a quarter of the rounds: the others may have met a busy machine").isLessThan(polled[rounds / 2] / 3);
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

        /** It may pass, so the row is given back once more: without the hint, or that would fail time after time until the lease is over. */
        @Test
        void lockIsGivenBackThoughNotifyingFailsForAnotherReason() throws Exception {
            watch("RAISE EXCEPTION 'could not access the status of a transaction' USING ERRCODE = '58030'");
            EngineLock holder = lock(holders, "a");
            Hold hold = (Hold) holder.take(TERMS);
            Waiting waiting = new Waiting(listening, "a").say();
            holder.release(hold);
            await().atMost(Duration.ofNanos(TERMS.leaseNanos() / 2)).until(() -> waiting.lock.take(TERMS) instanceof Hold);
        }

        /** A sequence counts what a transaction that fails has done. */
        @Test
        void refusalIsNotAskedForAgain() throws Exception {
            PostgresServer.execute(source, "CREATE SEQUENCE " + schema + ".tries");
            watch("PERFORM nextval('" + schema + ".tries'); RAISE EXCEPTION 'permission denied for function pg_notify' USING ERRCODE = '42501'");
            releasesInSpiteOfThat();
            assertThat(ask("SELECT last_value FROM " + schema + ".tries")).isEqualTo("1");
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
}

package dev.sessionlock.jdbc;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.awaitility.Awaitility.await;

import dev.sessionlock.ClearOptions;
import dev.sessionlock.ClearReport;
import dev.sessionlock.LockException;
import dev.sessionlock.LockOptions;
import dev.sessionlock.PastHold;
import dev.sessionlock.PastHold.Ending;
import dev.sessionlock.SessionLock;
import dev.sessionlock.SessionLocks;
import dev.sessionlock.testkit.ChildJvm;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Nested;
import org.junit.jupiter.api.Test;

/** Who held a lock in a table before, and how it ended: each ending is brought about by a real event, and read from the table. */
class JdbcHistoryTest extends JdbcHistoryFixture {
    @Nested
    class Endings {
        @Test
        void released() throws Exception {
            SessionLock lock = locks.acquire("a", OPTIONS);
            lock.close();

            PastHold hold = locks.history("a", 1).get(0);
            assertThat(hold.name()).isEqualTo("a");
            assertThat(hold.token()).isEqualTo(lock.token());
            assertThat(hold.pid()).isEqualTo(ProcessHandle.current().pid());
            assertThat(hold.host()).isNotBlank();
            assertThat(hold.thread()).isEqualTo(Thread.currentThread().getName());
            assertThat(hold.purpose()).isEqualTo("append");
            assertThat(hold.since()).isEqualTo(lock.acquiredAt());
            assertThat(hold.until()).isBetween(hold.since(), Instant.now().plusMillis(1));
            assertThat(hold.ending()).isEqualTo(Ending.RELEASED);
            assertThat(hold.longest()).isPositive();
            assertThat(hold.waited()).isNotNull();
            assertThat(hold.process()).isNotNull();
            assertThat(hold.process().startTicks()).isPositive();
            untilWritten(Ending.RELEASED);
            assertThat(written()).containsExactly(hold);
            assertThat(locks.history("a", PLENTY)).as("in memory and in the table: once").containsExactly(hold);
        }

        @Test
        void leaked() throws Exception {
            locks.acquire("a", OPTIONS);
            await().atMost(PATIENCE).until(() -> {
                System.gc();
                return locks.stats().lost() == 1;
            });
            assertThat(untilWritten(Ending.LEAKED).purpose()).isEqualTo("append");
        }

        @Test
        void maxHold() throws Exception {
            SessionLock lock = locks.acquire("a", BRIEF);
            PastHold hold = untilWritten(Ending.MAX_HOLD);
            assertThat(hold.token()).isEqualTo(lock.token());
            assertThat(hold.longest()).isGreaterThanOrEqualTo(Duration.ofMillis(100));
            lock.close();
            assertThat(locks.history("a", PLENTY)).as("once").hasSize(1);
        }

        @Test
        void askedToRelease() throws Exception {
            SessionLock lock = locks.acquire("a", OPTIONS);
            lock.onLost(why -> lock.close());
            reader.clear("a", ClearOptions.forReal().withToken(lock.token()).withTimeout(PATIENCE));
            assertThat(untilWritten(Ending.ASKED_TO_RELEASE).token()).isEqualTo(lock.token());
        }

        @Test
        void rowWasDeleted() throws Exception {
            try (SessionLock lock = locks.acquire("a", OPTIONS.withLease(SHORT_LEASE))) {
                execute("DELETE FROM " + schema + ".session_lock");
                assertThat(untilWritten(Ending.LEASE_EXPIRED).token()).isEqualTo(lock.token());
            }
        }

        @Test
        void processDied() throws Exception {
            ChildJvm child = child(Holding.class);
            long token = child.awaitMark("held", PATIENCE).number(0);
            String stat = Files.readString(Path.of("/proc", "" + child.pid(), "stat"));
            long childsTicks = Long.parseLong(stat.substring(stat.lastIndexOf(')') + 2).split(" ")[19]);
            child.kill();
            try (SessionLock next = locks.acquire("a", OPTIONS)) {
                PastHold hold = untilWritten(Ending.PROCESS_DIED);
                assertThat(hold.pid()).isEqualTo(child.pid());
                assertThat(hold.token()).isEqualTo(token).isLessThan(next.token());
                assertThat(hold.purpose()).isEqualTo("child");
                assertThat(hold.process().startTicks()).as("that of the child, not ours").isEqualTo(childsTicks);
                assertThat(hold.since()).isBefore(hold.until());
                assertThat(hold.until()).isBetween(Instant.now().minus(PATIENCE), Instant.now());
            }
        }

        @Test
        void processDiedAndItsLockWasCleared() throws Exception {
            ChildJvm child = child(Holding.class);
            child.awaitMark("held", PATIENCE);
            child.kill();
            await().atMost(PATIENCE).until(() -> locks.clear("a", ClearOptions.forReal()).get(0).outcome() == ClearReport.Outcome.CLEARED);
            assertThat(untilWritten(Ending.PROCESS_DIED).pid()).isEqualTo(child.pid());
        }

        @Test
        void leaseExpired() throws Exception {
            ChildJvm child = child(Holding.class, SHORT_LEASE);
            child.awaitMark("held", PATIENCE);
            child.freeze();
            try (SessionLock next = locks.acquire("a", OPTIONS)) {
                PastHold found = untilWritten(Ending.LEASE_EXPIRED);
                assertThat(found.pid()).isEqualTo(child.pid());
                assertThat(found.waited()).as("only its own process knows").isNull();
                child.wake();
                await().atMost(PATIENCE).until(() -> untilWritten(Ending.LEASE_EXPIRED).waited() != null);
                assertThat(written()).as("its own entry counts").hasSize(1);
                assertThat(next.isHeld()).isTrue();
            }
        }

        @Test
        void jvmEnded() throws Exception {
            ChildJvm child = child(Holding.class);
            child.awaitMark("held", PATIENCE);
            // A thread of the driver that was started just now would be taken for one of the JVM's hooks.
            await().atMost(PATIENCE).until(() -> ask("SELECT clock_timestamp() - since > interval '1 second' FROM " + schema + ".session_lock").equals("t"));
            child.terminate();
            child.awaitExit(PATIENCE);
            assertThat(untilWritten(Ending.JVM_ENDED).pid()).isEqualTo(child.pid());
        }

        /** The release did not arrive, and a successor finds a lease that has run out. */
        @Test
        void releasedButFoundExpired() throws Exception {
            SessionLock lock = locks.acquire("a", OPTIONS);
            String left = ask("SELECT holder FROM " + schema + ".session_lock");
            lock.close();
            untilWritten(Ending.RELEASED);
            execute("UPDATE " + schema + ".session_lock SET holder = '" + left + "', lease_until = clock_timestamp() - interval '1 second'");
            over(without.withHistory(ROWS)).acquire("a", OPTIONS).close();
            await().atMost(PATIENCE).until(() -> ask("SELECT count(*) FROM " + table + " WHERE ending = 'LEASE_EXPIRED'").equals("1"));
            untilRows(2);
            assertThat(written()).extracting(PastHold::ending).containsOnly(Ending.RELEASED);
        }

        private PastHold of(String purpose) throws Exception {
            return written().stream().filter(hold -> hold.purpose().equals(purpose)).findFirst().orElseThrow();
        }

        @Test
        void waitsAreTold() throws Exception {
            SessionLock lock = locks.acquire("a", OPTIONS);
            CompletableFuture<Void> next = CompletableFuture.runAsync(() -> {
                try {
                    locks.acquire("a", OPTIONS.withPurpose("next")).close();
                } catch (Exception e) {
                    throw new IllegalStateException(e);
                }
            }, task -> new Thread(task).start());
            await().atMost(PATIENCE).until(() -> locks.stats().waiting() == 1);
            Instant waits = Instant.now();
            await().until(() -> Duration.between(waits, Instant.now()).toMillis() >= 50);
            lock.close();
            next.get(PATIENCE.toSeconds(), TimeUnit.SECONDS);
            untilRows(2);
            assertThat(of("next").waited()).isGreaterThanOrEqualTo(Duration.ofMillis(50));
            assertThat(of("append").longestWaitBehind()).isGreaterThanOrEqualTo(Duration.ofMillis(50));
        }
    }

    @Nested
    class SummedUp {
        @Test
        void briefHolds() throws Exception {
            List<Long> tokens = new ArrayList<>();
            for (int i = 0; i < 100; i++) {
                SessionLock lock = locks.acquire("a", OPTIONS);
                tokens.add(lock.token());
                lock.close();
            }
            long last = tokens.get(99);
            await().atMost(PATIENCE).until(() -> written().stream().mapToLong(PastHold::count).sum() == 100);
            assertThat(written()).hasSizeLessThan(50);
            assertThat(written()).extracting(PastHold::token).contains(last).isSubsetOf(tokens);
        }
    }

    @Nested
    class Asked {
        @Test
        void forOneLockAndForThoseWithAPrefix() throws Exception {
            for (String name : List.of("x/a", "x/b", "y", "x%")) {
                locks.acquire(name, OPTIONS).close();
            }
            untilRows(4);
            for (SessionLocks each : List.of(locks, reader)) {
                assertThat(each.history("x/a", PLENTY)).extracting(PastHold::name).containsExactly("x/a");
                assertThat(each.historyOfAll("x/", PLENTY)).extracting(PastHold::name).containsExactlyInAnyOrder("x/b", "x/a");
                assertThat(each.historyOfAll("x%", PLENTY)).extracting(PastHold::name).containsExactly("x%");
                assertThat(each.historyOfAll("", 1)).isEqualTo(each.historyOfAll("", PLENTY).subList(0, 1));
                assertThat(each.historyOfAll("", PLENTY)).isSortedAccordingTo(Comparator.comparing(PastHold::until).reversed());
                assertThat(each.historyOfAll("", 0)).isEmpty();
                assertThat(each.history("z", PLENTY)).isEmpty();
            }
        }

        @Test
        void byAnotherJvm() throws Exception {
            locks.acquire("a", OPTIONS).close();
            untilRows(1);
            assertThat(child(Reading.class).awaitMark("read", PATIENCE).text()).isEqualTo(written().get(0).toString());
        }

        @Test
        void inTheWrongPlace() {
            SessionLocks wrong = over(without.withSchema("nowhere"));
            assertThatThrownBy(() -> wrong.history("a", 1)).isInstanceOf(LockException.class).hasMessageContaining("there is no table").hasMessageContaining("createSchema()");
        }
    }

    /** One that an earlier version has made. */
    @Nested
    class TableWithoutTheProcess {
        @Test
        void isReadAndWrittenAllTheSame() throws Exception {
            locks.acquire("a", OPTIONS.withPurpose("before")).close();
            untilRows(1);
            execute("ALTER TABLE " + table + " DROP COLUMN process");
            locks.acquire("a", OPTIONS.withPurpose("without")).close();
            untilRows(2);
            assertThat(written()).extracting(PastHold::process).containsOnlyNulls();
            execute("ALTER TABLE " + table + " ADD COLUMN IF NOT EXISTS process text");
            locks.acquire("a", OPTIONS.withPurpose("with")).close();
            untilRows(3);
            assertThat(written()).filteredOn(hold -> hold.process() != null).extracting(PastHold::purpose).containsExactly("with");
        }

        @Test
        void whoeverMayWriteItMayHaveWrittenAnything() throws Exception {
            locks.acquire("a", OPTIONS).close();
            untilRows(1);
            for (String hostile : List.of("starttime=x", "started=never", "=", "= = boot", "")) {
                execute("UPDATE " + table + " SET process = '" + hostile + "', thread = repeat('t', 100000)");
                assertThat(written()).singleElement().satisfies(hold -> {
                    assertThat(hold.process()).isNull();
                    assertThat(hold.thread()).hasSize(256);
                });
            }
        }
    }

    @Nested
    class Off {
        @Test
        void makesNoTable() throws Exception {
            JdbcLockEngine fresh = without.withSchema(PostgresServer.newSchema());
            fresh.createSchema();
            SessionLocks on = over(fresh);
            on.acquire("a", OPTIONS).close();
            assertThat(on.history("a", PLENTY)).isEmpty();
            assertThat(on.historyOfAll("", PLENTY)).isEmpty();
            assertThat(fresh.maintained()).hasSize(1);
            on.close();
            assertThat(ask("SELECT count(*) FROM pg_tables WHERE tablename LIKE '%history%' AND schemaname = '" + fresh.toString().split("\"")[1] + "'")).isEqualTo("0");
        }

        @Test
        void byDefaultAndAfterOtherSettings() throws Exception {
            assertThat(without.withTable("another").withStatementTimeout(Duration.ofSeconds(1)).maintained()).hasSize(1);
            assertThat(engine.withTable("another").withStatementTimeout(Duration.ofSeconds(1)).withListening(source).withSchema(schema).maintained()).hasSize(2);
        }

        @Test
        void inOneOfTwoProcesses() throws Exception {
            ChildJvm child = child(Holding.class);
            child.awaitMark("held", PATIENCE);
            child.kill();
            reader.acquire("a", OPTIONS).close();
            locks.acquire("a", OPTIONS).close();
            untilRows(1);
            assertThat(written()).as("whoever met the dead one writes no history").extracting(PastHold::ending).containsExactly(Ending.RELEASED);
        }
    }

    @Nested
    class Bound {
        private final Instant start = Instant.parse("2026-02-09T06:32:23.123456Z");

        private PastHold hold(int i, Ending ending) {
            return new PastHold("a", (long) i, 1, null, null, null, null, start.plusSeconds(i), ending, 1, null, Duration.ZERO, null);
        }

        private void append(int from, int to, int rows) throws Exception {
            HistoryTable history = HistoryTable.of(new Database(source), schema, "session_lock");
            List<PastHold> holds = IntStream.range(from, to).mapToObj(i -> hold(i, i % 10 == 0 ? Ending.LEAKED : Ending.RELEASED)).toList();
            await().atMost(PATIENCE).until(() -> history.append(holds, rows, false, Duration.ofSeconds(5)));
        }

        private List<Long> tokens() throws Exception {
            return new ArrayList<>(written().stream().map(PastHold::token).toList());
        }

        @Test
        void isKeptWithTheLastUnusualOnes() throws Exception {
            for (int i = 0; i < 95; i++) {
                append(i, i + 1, 16);
            }
            assertThat(tokens()).containsExactly(94L, 93L, 92L, 91L, 90L, 89L, 88L, 87L, 86L, 85L, 84L, 83L, 82L, 81L, 80L, 70L);
        }

        @Test
        void isKeptAtOnce() throws Exception {
            append(0, 95, 16);
            assertThat(tokens()).hasSize(16).contains(80L, 70L).doesNotContain(60L);
        }

        @Test
        void unusualOnesDoNotFillIt() throws Exception {
            HistoryTable history = HistoryTable.of(new Database(source), schema, "session_lock");
            history.append(IntStream.range(0, 100).mapToObj(i -> hold(i, Ending.PROCESS_DIED)).toList(), 16, true, Duration.ofSeconds(5));
            append(101, 110, 16);
            assertThat(tokens()).hasSize(16).startsWith(109L, 108L).endsWith(94L, 93L);
        }

        @Test
        void holdsWhileSeveralWrite() throws Exception {
            List<CompletableFuture<Void>> writers = IntStream.range(0, 3).mapToObj(writer -> CompletableFuture.runAsync(() -> {
                try {
                    for (int i = 0; i < 30; i++) {
                        append(1000 * writer + i, 1000 * writer + i + 1, 16);
                    }
                } catch (Exception e) {
                    throw new IllegalStateException(e);
                }
            }, task -> new Thread(task).start())).toList();
            for (CompletableFuture<Void> each : writers) {
                each.get(PATIENCE.toSeconds(), TimeUnit.SECONDS);
            }
            assertThat(tokens()).hasSize(16);
        }

        @Test
        void isNoNonsense() {
            assertThatIllegalArgumentException().isThrownBy(() -> without.withHistory(7)).withMessageContaining("8 to 100000");
            assertThatIllegalArgumentException().isThrownBy(() -> without.withHistory(100_001));
            assertThatIllegalArgumentException().isThrownBy(() -> engine.withTable("t".repeat(56))).withMessageContaining("too long");
            assertThat(without.withTable("t".repeat(63)).maintained()).hasSize(1);
        }

        @Test
        void ofAVeryLongNameIsNone() throws Exception {
            JdbcLockEngine longest = without.withTable("t".repeat(56));
            longest.createSchema();
            assertThat(over(longest).history("a", PLENTY)).isEmpty();
        }
    }

    @Nested
    class Texts {
        @Test
        void hostileOnesAreData() throws Exception {
            String hostile = "'); DROP TABLE x; -- \"\\{,} NULL \u0001\u001b[2J 🔒 $1 ?";
            String unstorable = "a\0b\ud83d" + "x".repeat(10_000) + "🔒";
            for (String text : List.of(hostile, unstorable)) {
                Thread thread = new Thread(() -> {
                    try {
                        locks.acquire("a", OPTIONS.withPurpose(text)).close();
                    } catch (Exception e) {
                        throw new IllegalStateException(e);
                    }
                }, text);
                thread.start();
                thread.join();
            }
            untilRows(2);
            assertThat(written()).anySatisfy(hold -> {
                assertThat(hold.purpose()).isEqualTo(LockOptions.defaults().withPurpose(hostile).purpose());
                assertThat(hold.thread()).isEqualTo(hostile);
            });
            assertThat(written()).anySatisfy(hold -> assertThat(hold.thread()).startsWith("a?b?xxx").hasSize(256));
            assertThat(locks.history("a", PLENTY)).isEqualTo(written());
        }

        @Test
        void whatOthersHaveWrittenIsReadAsFarAsItGoes() throws Exception {
            execute("INSERT INTO " + table + " (name, token, pid, since, until, ending, count, longest_us, waited_us) VALUES ('a', 1, 1, '-infinity', 'infinity', 'NEW', -7, -1, "
                    + Long.MAX_VALUE + ")");
            PastHold hold = written().get(0);
            assertThat(hold.ending()).isEqualTo(Ending.UNKNOWN);
            assertThat(hold.count()).isEqualTo(1);
            assertThat(hold.longest()).isNull();
            assertThat(hold.until()).isAfter(Instant.now());
        }
    }
}

package dev.sessionlock.jdbc;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.catchThrowableOfType;
import static org.awaitility.Awaitility.await;

import dev.sessionlock.ClearOptions;
import dev.sessionlock.ClearReport;
import dev.sessionlock.LockException;
import dev.sessionlock.LockLostException;
import dev.sessionlock.LockOptions;
import dev.sessionlock.LockReentryException;
import dev.sessionlock.LockReport;
import dev.sessionlock.LockReport.State;
import dev.sessionlock.LockTimeoutException;
import dev.sessionlock.SessionLock;
import dev.sessionlock.SessionLocks;
import dev.sessionlock.testkit.ChildJvm;
import dev.sessionlock.testkit.ChildScenario;
import dev.sessionlock.testkit.ParentJvm;
import dev.sessionlock.testkit.SmallJvm;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.atomic.AtomicReference;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** The locks in a table as their users see them. */
class JdbcLocksTest extends JdbcLocksFixture {
    private static final LockOptions ONE_TRY = LockOptions.defaults().withTimeout(Duration.ZERO);

    @Test
    void lockIsHeldAndGivenBackUnderItsName() throws Exception {
        long token;
        try (SessionLock lock = locks.acquire("session-4711")) {
            token = lock.token();
            assertThat(lock.name()).isEqualTo("session-4711");
            assertThat(lock.lockFile()).isNull();
            lock.verifyHeld();
            assertThat(others.tryAcquire("session-4711")).isEmpty();
            assertThatThrownBy(() -> lock.replace(Path.of("x"))).isInstanceOf(IllegalStateException.class).hasMessageContaining("session-4711");
        }
        assertThat(locks.inspect("session-4711").state()).isEqualTo(State.FREE);
        try (SessionLock lock = others.acquire("session-4711")) {
            assertThat(lock.token()).isGreaterThan(token);
        }
        assertThat(locks.<Integer, RuntimeException>withLock("session-4711", lock -> 42)).isEqualTo(42);
    }

    @Test
    void reportAndTimeoutTellWhoHoldsIt() throws Exception {
        LockOptions options = PATIENT.withPurpose("a \0 purpose \ud800 \u20ac").withMaxHold(Duration.ofMinutes(9));
        try (SessionLock lock = locks.acquire("it's \"a\" name; -- \\ \u20ac", options)) {
            LockReport report = others.inspect(lock.name());
            assertThat(report.state()).isEqualTo(State.HELD);
            assertThat(report.lockFile()).isNull();
            assertThat(report.owner().pid()).isEqualTo(ProcessHandle.current().pid());
            assertThat(report.owner().token()).isEqualTo(lock.token());
            assertThat(report.owner().purpose()).isEqualTo("a ? purpose ? \u20ac");
            assertThat(report.owner().thread()).isEqualTo(Thread.currentThread().getName());
            assertThat(report.evidence()).anyMatch(fact -> fact.endsWith(": alive")).anyMatch(fact -> fact.startsWith("lease renewed")
                    && fact.contains("(maxHold)"));
            assertThat(report.advice()).contains("--token " + lock.token()).contains("'it'\\''s");
            assertThat(others.list("it's").toList()).hasSize(1);
            assertThat(others.list("other").toList()).isEmpty();
            LockTimeoutException timeout = catchThrowableOfType(LockTimeoutException.class, () -> others.acquire(lock.name(), ONE_TRY));
            assertThat(timeout.getMessage().lines().findFirst()).hasValueSatisfying(first -> assertThat(first)
                    .startsWith("session file locked (timeout 0ms): pid=" + ProcessHandle.current().pid() + " alive=true ageMs=")
                    .endsWith(" " + lock.name()));
            assertThat(timeout).hasMessageContaining("  held by   pid ").hasMessageContaining("  to free   java -jar sessionlock.jar clear --jdbc URL");
        }
    }

    @Test
    void threadThatAsksForWhatItHoldsIsTold() throws Exception {
        try (SessionLock outer = locks.acquire("a")) {
            assertThatThrownBy(() -> locks.acquire("a")).isInstanceOf(LockReentryException.class);
            try (SessionLock inner = SessionLocks.over(engine).acquire("a", PATIENT.withReentrant(true))) {
                assertThat(inner.token()).isEqualTo(outer.token());
            }
        }
    }

    @Test
    void pathBelowTheRootIsTheSameLockOnEveryMachine() throws Exception {
        SessionLocks here = SessionLocks.builder().over(engine).root(Path.of("/srv/a")).build();
        SessionLocks there = SessionLocks.builder().over(JdbcLockEngine.postgresql(source).withSchema(schema)).root(Path.of("/mnt/b/")).build();
        try (SessionLock lock = here.acquire(Path.of("/srv/a/x/../sessions/./s.jsonl"))) {
            assertThat(lock.name()).isEqualTo("sessions/s.jsonl");
            assertThat(there.tryAcquire(Path.of("/mnt/b/sessions/s.jsonl"))).isEmpty();
            assertThat(there.list(Path.of("/mnt/b/sessions")).map(LockReport::name)).containsExactly("sessions/s.jsonl");
            assertThat(there.list(Path.of("/mnt/b")).toList()).isEmpty();
            assertThat(catchThrowableOfType(LockTimeoutException.class, () -> there.acquire(Path.of("/mnt/b/sessions/s.jsonl"), ONE_TRY)))
                    .hasMessageContaining("/mnt/b/sessions/s.jsonl");
        }
        assertThatThrownBy(() -> here.acquire(Path.of("/srv/ab/s.jsonl"))).isInstanceOf(LockException.class)
                .hasMessageContaining("not below the root /srv/a");
        assertThatThrownBy(() -> here.acquire(Path.of("/srv/a"))).isInstanceOf(LockException.class);
        assertThatThrownBy(() -> locks.acquire(Path.of("s.jsonl"))).isInstanceOf(LockException.class).hasMessageContaining("builder().root(dir)");
        assertThatThrownBy(() -> SessionLocks.builder().root(Path.of("/srv")).build()).isInstanceOf(IllegalStateException.class);
        here.close();
        there.close();
    }

    @Test
    void fileBelowTheRootIsReplacedUnderItsLock(@TempDir Path root) throws Exception {
        try (SessionLocks rooted = SessionLocks.builder().over(engine).root(root).build();
                SessionLock lock = rooted.acquire(root.resolve("s.jsonl"))) {
            lock.replace(Files.writeString(root.resolve("new"), "compacted"));
        }
        assertThat(root.resolve("s.jsonl")).hasContent("compacted");
    }

    @Test
    void severalAreTakenInTheOrderOfTheirNames() throws Exception {
        try (SessionLock all = locks.acquireAllNamed(List.of("b", "a//c", "a/c", "b"), PATIENT)) {
            assertThat(all.parts()).extracting(SessionLock::name).containsExactly("a//c", "a/c", "b");
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"", "a\nb", "a\0b", "\ud800"})
    void nameThatNoRowCanHaveIsRefused(String name) {
        assertThatThrownBy(() -> locks.acquire(name)).isInstanceOf(LockException.class).hasMessageContaining("name");
    }

    @Test
    void longNamesAreOtherLocksUpToTheLimit() throws Exception {
        String name = "\u20ac".repeat(341);
        try (SessionLock one = locks.acquire(name + "1"); SessionLock other = locks.acquire(name + "2")) {
            assertThat(one.isHeld() && other.isHeld()).isTrue();
        }
        assertThatThrownBy(() -> locks.acquire(name + "12")).isInstanceOf(LockException.class).hasMessageContaining("1025 bytes");
    }

    // ---- what somebody has written into a row ----

    @Test
    void afterTheGreatestTokenThereIsNone() throws Exception {
        locks.acquire("a", PATIENT).close();
        PostgresServer.execute(source, "UPDATE " + schema + ".session_lock SET token = " + Long.MAX_VALUE);
        assertThatThrownBy(() -> others.acquire("a", PATIENT)).isInstanceOf(LockException.class)
                .hasMessageContainingAll("cannot lock a", "tokens are used up", "fences", "delete its row");
    }

    @Test
    void numbersAndTimesThatNoLockHasAreReportedAndWaitedFor() throws Exception {
        for (String absurd : List.of("lease_ms = " + Long.MAX_VALUE, "lease_ms = " + Long.MIN_VALUE, "since = '-infinity', renewed_at = '-infinity', process_start = '-infinity'",
                "since = 'infinity', renewed_at = 'infinity', process_start = 'infinity'", "lease_until = 'infinity', hold_until = 'infinity'")) {
            SessionLock lock = locks.acquire("a", PATIENT);
            PostgresServer.execute(source, "UPDATE " + schema + ".session_lock SET holder = gen_random_uuid(), " + absurd);
            assertThat(others.inspect("a").name()).as(absurd).isEqualTo("a");
            assertThat(others.list("").map(LockReport::toString)).as(absurd).hasSize(1);
            assertThatThrownBy(() -> others.acquire("a", ONE_TRY)).as(absurd).isInstanceOf(LockTimeoutException.class);
            lock.close();
            PostgresServer.execute(source, "DELETE FROM " + schema + ".session_lock");
        }
    }

    // ---- losing and clearing ----

    @Test
    void rowThatIsDeletedOrTakenAwayByHandIsALoss() throws Exception {
        for (String mark : List.of("DELETE FROM " + schema + ".session_lock", "UPDATE " + schema + ".session_lock SET holder = NULL")) {
            SessionLock lock = locks.acquire("a", PATIENT.withLease(Duration.ofSeconds(1)));
            AtomicReference<LockLostException> told = new AtomicReference<>();
            lock.onLost(told::set);
            PostgresServer.execute(source, mark);
            await().atMost(PATIENCE).until(() -> told.get() != null);
            assertThat(told.get()).hasMessageContaining(mark.startsWith("DELETE") ? "deleted its row" : "by the database's clock");
            lock.close();
        }
        SessionLock lock = locks.acquire("a", PATIENT);
        PostgresServer.execute(source, "DELETE FROM " + schema + ".session_lock");
        assertThatThrownBy(lock::verifyHeld).isInstanceOf(LockLostException.class);
        lock.close();
    }

    /** It does not know yet that its lock belongs to another. */
    @Test
    void releaseFreesNobodyElsesLock() throws Exception {
        SessionLock lock = locks.acquire("a", PATIENT);
        PostgresServer.execute(source, "UPDATE " + schema + ".session_lock SET holder = gen_random_uuid(), token = token + 1");
        lock.close();
        assertThat(others.tryAcquire("a")).isEmpty();
        assertThat(PostgresServer.ask(source, "SELECT holder IS NOT NULL FROM " + schema + ".session_lock")).isEqualTo("t");
    }

    @Test
    void renewalExtendsNobodyElsesLease() throws Exception {
        SessionLock lock = locks.acquire("a", PATIENT.withLease(Duration.ofSeconds(1)));
        AtomicReference<LockLostException> told = new AtomicReference<>();
        lock.onLost(told::set);
        PostgresServer.execute(source, "UPDATE " + schema + ".session_lock SET holder = gen_random_uuid(), renewed_at = 'yesterday'");
        await().atMost(PATIENCE).until(() -> told.get() != null);
        assertThat(PostgresServer.ask(source, "SELECT renewed_at = 'yesterday' FROM " + schema + ".session_lock")).isEqualTo("t");
        lock.close();
    }

    @Test
    void tokensGrowThoughTheRowWasDeleted() throws Exception {
        SessionLock lock = locks.acquire("a");
        lock.close();
        PostgresServer.execute(source, "DELETE FROM " + schema + ".session_lock");
        try (SessionLock next = locks.acquire("a")) {
            assertThat(next.token()).isGreaterThan(lock.token());
        }
    }

    @Test
    void holderThatDiedOnThisMachineIsReplacedAtOnceAndCleared() throws Exception {
        for (boolean cleared : List.of(true, false)) {
            long token;
            try (ChildJvm child = SmallJvm.of(Holder.class).args(PostgresServer.url(), schema).start()) {
                token = child.awaitMark("held", PATIENCE).number(0);
                List<ClearReport> refused = locks.clear("a", ClearOptions.forReal());
                assertThat(refused).extracting(ClearReport::outcome).containsExactly(ClearReport.Outcome.REFUSED);
                child.kill();
            }
            await().atMost(PATIENCE).until(() -> locks.inspect("a").state() == State.STALE);
            if (cleared) {
                List<ClearReport> done = locks.clear("a", ClearOptions.forReal());
                assertThat(done).extracting(ClearReport::outcome).containsExactly(ClearReport.Outcome.CLEARED);
                assertThat(locks.inspect("a").state()).isEqualTo(State.FREE);
            }
            try (SessionLock next = locks.acquire("a", PATIENT)) {
                assertThat(next.token()).isGreaterThan(token);
                assertThat(locks.stats().reclaimed()).isEqualTo(cleared ? 0 : 1);
            }
        }
    }

    static final class Holder implements ChildScenario {
        @Override
        public void run(ParentJvm parent) throws Exception {
            JdbcLockEngine engine = JdbcLockEngine.postgresql(PostgresServer.plain(parent.args().get(0))).withSchema(parent.args().get(1));
            LockOptions options = PATIENT.withLease(LockOptions.MAX_LEASE).withTakeover(false);
            try (SessionLock lock = SessionLocks.over(engine).acquire("a", options)) {
                parent.mark("held", lock.token());
                parent.awaitLine("never");
            }
        }
    }
}

package dev.sessionlock.jdbc;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import dev.sessionlock.LockMode;
import dev.sessionlock.jdbc.LockTable.RowVerdict;
import dev.sessionlock.spi.EngineLock;
import dev.sessionlock.spi.EngineLock.HoldStatus;
import java.sql.Connection;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

/** The leases of readers of locks in a table: renewed, or over. */
class JdbcReaderLeasesTest extends JdbcReadersFixture {
    private final Duration brief = Duration.ofMillis(700);

    /** A frozen process renews nothing. */
    @Test
    void frozenReaderIsWaitedForNoLongerThanItsLeaseWhateverOthersHad() throws Exception {
        EngineLock frozen = another();
        JdbcHold hold = take(frozen, terms(LockMode.SHARED, brief));
        EngineLock other = another();
        other.release(take(other, READ));
        EngineLock writer = another();
        await().atMost(PATIENCE).pollInterval(Duration.ofMillis(5)).until(() -> {
            boolean valid = isValid(hold);
            boolean isIn = writer.take(WRITE) instanceof JdbcHold;
            assertThat(valid && isIn && isValid(hold)).isFalse();
            return isIn;
        });
        assertThat(isValid(hold)).isFalse();
        assertThat(Duration.ofNanos(System.nanoTime() - hold.renewedAt())).isLessThan(LONG);
        assertThat(ask("SELECT count(*) FROM READERS")).isEqualTo("0");
        assertThat(((JdbcLock) frozen).renew(hold, -1)).isFalse();
    }

    @Test
    void readerKeepsWritersOutForItsOwnLeaseThoughTheFirstOneHadABrieferOne() throws Exception {
        EngineLock first = another();
        JdbcHold brieflyRead = take(first, terms(LockMode.SHARED, brief));
        JdbcHold hold = take(another(), READ);
        await().atMost(PATIENCE).until(() -> !isValid(brieflyRead));
        sleep(brief.multipliedBy(2)); // the grace is over, too
        isBusy(another(), WRITE);
        first.release(brieflyRead);
        isBusy(another(), WRITE);
        assertThat(isValid(hold)).isTrue();
    }

    @Test
    void takeoverSaysWhoseLeaseIsOver() throws Exception {
        take(another(), terms(LockMode.SHARED, brief));
        take(another(), READ);
        execute("UPDATE READERS SET lease_until = clock_timestamp()");
        EngineLock writer = another();
        assertThat(take(writer, WRITE).reclaimed()).contains("the lease of pid " + ProcessHandle.current().pid());
    }

    @Test
    void nextReaderBeginsAnewAndTheFormerOneIsNotRenewed() throws Exception {
        EngineLock one = another();
        JdbcHold former = take(one, READ);
        execute("UPDATE READERS SET lease_until = clock_timestamp()");
        execute("UPDATE LOCKS SET lease_until = clock_timestamp()");
        JdbcHold next = take(another(), READ);
        assertThat(next.token()).isEqualTo(former.token());
        assertThat(next.reclaimed()).contains("ran out");
        assertThat(former.table.readers().renew(List.of(former, next), LIMIT)).containsExactly(next.id());
        one.lookAfresh();
        assertThat(one.check(former, true)).isEqualTo(HoldStatus.LOST);
    }

    @Test
    void renewalOfOneKeepsTheWriterOut() throws Exception {
        EngineLock one = another();
        JdbcHold hold = take(one, terms(LockMode.SHARED, brief));
        EngineLock writer = another();
        long end = System.nanoTime() + brief.multipliedBy(3).toNanos();
        while (System.nanoTime() < end) {
            assertThat(one.renew(hold, -1)).isTrue();
            isBusy(writer, WRITE);
            sleep(Duration.ofMillis(20));
        }
        one.release(hold);
        take(writer, WRITE);
    }

    @Test
    void manyAreRenewedAtOnce() throws Exception {
        JdbcLockEngine other = engine();
        List<JdbcHold> holds = new ArrayList<>();
        for (int i = 0; i < 40; i++) {
            holds.add(take(lock(first, "many-" + i), terms(LockMode.SHARED, Duration.ofSeconds(20))));
            take(lock(other, "many-" + i), READ);
        }
        execute("UPDATE LOCKS SET lease_until = clock_timestamp() + interval '10 s'");
        assertThat(holds.get(0).table.readers().renew(holds, LIMIT)).hasSize(40);
        assertThat(ask("SELECT count(*) FROM LOCKS l WHERE lease_until > clock_timestamp() + interval '15 s'")).isEqualTo("40");
    }

    @Test
    void locksThatSomebodyKeepsLockedAreLeftOut() throws Exception {
        JdbcHold a = take(lock(first, "a"), READ);
        JdbcHold b = take(lock(first, "b"), READ);
        try (Connection connection = source.getConnection()) {
            connection.setAutoCommit(false);
            connection.createStatement().execute("SELECT 1 FROM " + schema + ".session_lock WHERE name = 'a' FOR UPDATE");
            assertThat(a.table.readers().renew(List.of(a, b), LIMIT)).containsExactly(b.id());
            isBusy(another(), READ);
            connection.rollback();
        }
        assertThat(a.table.readers().renew(List.of(a, b), LIMIT)).hasSize(2);
    }

    @Test
    void abandonedReaderIsWaitedForSomeSeconds() throws Exception {
        EngineLock one = another();
        one.abandon(take(one, READ));
        EngineLock writer = another();
        isBusy(writer, WRITE);
        await().atMost(Duration.ofSeconds(30)).until(() -> writer.take(WRITE) instanceof JdbcHold);
    }

    @Test
    void readerWhoseLeaseIsOverIsNotRenewedThoughOthersStillRead() throws Exception {
        JdbcHold over = take(another(), READ);
        JdbcHold other = take(another(), READ);
        execute("UPDATE READERS SET lease_until = clock_timestamp() WHERE holder = '" + over.id() + "'");
        assertThat(over.table.readers().renew(List.of(over, other), LIMIT)).containsExactly(other.id());
        assertThat(over.table.readers().judge(List.of(over, other), LIMIT)).containsExactly(RowVerdict.OVER, RowVerdict.OURS);
    }

    /** A writer may have come between. */
    @Test
    void readerWhoseLockWasTakenAwayByHandIsNotRenewedThoughOthersReadByNow() throws Exception {
        JdbcHold former = take(another(), READ);
        execute("UPDATE LOCKS SET holder = NULL");
        JdbcHold next = take(another(), READ);
        assertThat(former.table.readers().renew(List.of(former, next), LIMIT)).containsExactly(next.id());
        assertThat(former.table.readers().judge(List.of(former, next), LIMIT)).containsExactly(RowVerdict.OVER, RowVerdict.OURS);
    }
}

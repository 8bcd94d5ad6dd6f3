package dev.sessionlock;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.sessionlock.internal.directory.LockRecords;
import java.io.RandomAccessFile;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import org.junit.jupiter.api.Test;

/** After the greatest token there is none: a smaller one would let a late write pass a fence. */
class UsedUpTokensTest extends LocksFixture {
    private static final String TO_DO = "end all processes that lock files in";

    private void plant(long token) throws Exception {
        Files.write(lockFile(), LockRecords.withToken(OtherProcess.ended(), 5, token));
    }

    private void assertUsedUp(SessionLocks by) {
        assertThatThrownBy(() -> by.acquire(session(), PATIENT)).isExactlyInstanceOf(LockException.class)
                .hasMessageContainingAll("cannot lock " + session(), "tokens are used up", TO_DO, "fences", "remove ", dir + "/.session-locks", lockFile().toString());
    }

    @Test
    void aDeadRecordWithTheGreatestTokenIsTheLast() throws Exception {
        plant(Long.MAX_VALUE);
        assertUsedUp(locks);
        assertThat(lockFile()).as("nothing is left of the attempt").doesNotExist();
        try (SessionLock other = locks.acquire(dir.resolve("other"), ONE_TRY)) {
            other.verifyHeld();
        }
    }

    /** How many tokens are drawn for one hold depends on how long its steps take. So the very last one may be given to nobody. */
    @Test
    void tokensGrowToTheEndAndAreRefusedThere() throws Exception {
        plant(Long.MAX_VALUE - 20);
        assertThatThrownBy(() -> {
            long before = Long.MAX_VALUE - 20;
            while (true) {
                try (SessionLock lock = locks.acquire(session(), PATIENT)) {
                    assertThat(lock.token()).isGreaterThan(before);
                    before = lock.token();
                }
            }
        }).isExactlyInstanceOf(LockException.class);
        assertUsedUp(locks);
        try (SessionLocks others = SessionLocks.create()) {
            assertUsedUp(others);
        }
    }

    @Test
    void norAreThereAnyByHandingOverWithinAJvm() throws Exception {
        plant(Long.MAX_VALUE - 20);
        LockOptions lingering = PATIENT.withLinger(Duration.ofSeconds(10));
        Actor other = actor("other");
        long[] before = {Long.MAX_VALUE - 20};
        assertThatThrownBy(() -> {
            SessionLock held = locks.acquire(session(), lingering);
            while (true) {
                SessionLock mine = held;
                assertThat(mine.token()).isGreaterThan(before[0]);
                before[0] = mine.token();
                var next = other.begin(() -> locks.acquire(session(), lingering));
                Patience.await().until(() -> locks.stats().waiting() == 1);
                mine.close();
                SessionLock theirs = Actor.end(next);
                assertThat(theirs.token()).isGreaterThan(before[0]);
                before[0] = theirs.token();
                other.does(() -> {
                    theirs.close();
                    return null;
                });
                held = locks.acquire(session(), lingering); // in use again after it lingered
            }
        }).hasMessageContaining("tokens are used up");
        assertUsedUp(locks);
    }

    @Test
    void norByTheHighWaterMarkOfTheTableAndWhatIsToBeDoneHelps() throws Exception {
        locks.acquire(session(), ONE_TRY).close();
        Path table = dir.resolve(".session-locks/board");
        try (RandomAccessFile file = new RandomAccessFile(table.toFile(), "rw")) {
            file.seek(56); // the high-water mark of the tokens
            file.write(ByteBuffer.allocate(8).order(ByteOrder.nativeOrder()).putLong(Long.MAX_VALUE).array());
        }
        assertUsedUp(locks);
        locks.close();
        Patience.untilLetGo(dir);
        try (var files = Files.list(dir.resolve(".session-locks"))) {
            for (Path file : files.toList()) {
                Files.delete(file);
            }
        }
        Files.delete(dir.resolve(".session-locks"));
        try (SessionLocks afresh = SessionLocks.create(); SessionLock lock = afresh.acquire(session(), ONE_TRY)) {
            assertThat(lock.token()).isBetween(1L, Long.MAX_VALUE / 2);
        }
    }
}

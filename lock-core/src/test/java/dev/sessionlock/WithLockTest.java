package dev.sessionlock;

import static dev.sessionlock.Patience.await;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.FileNotFoundException;
import java.io.IOException;
import java.nio.file.Files;
import java.time.Duration;
import org.junit.jupiter.api.Test;

/** An action under the lock: what it throws comes out as it is. */
class WithLockTest extends LocksFixture {
    private static final class Checked extends Exception {
        private static final long serialVersionUID = 1L;
    }

    @Test
    void itReturnsWhatTheActionReturnsAndHoldsTheLockMeanwhile() throws Exception {
        int lines = locks.withLock(session(), lock -> {
            assertThat(lock.isHeld()).isTrue();
            return Kernel.seatsHeldIn(dir);
        });
        assertThat(lines).isEqualTo(1);
        assertThat(Kernel.seatsHeldIn(dir)).isZero();
        String nothing = locks.withLock(session(), LockOptions.defaults().withPurpose("x"), lock -> null);
        assertThat(nothing).isNull();
    }

    @Test
    void theTypeOfAnExceptionIsKept() throws Exception {
        FileNotFoundException thrown = new FileNotFoundException("x");
        // Compiles only if the checked type comes through.
        try {
            locks.withLock(session(), lock -> {
                throw new Checked();
            });
            throw new AssertionError("it did not throw");
        } catch (Checked expected) {
            assertThat(expected.getSuppressed()).isEmpty();
        }
        assertThatThrownBy(() -> locks.<Void, IOException>withLock(session(), lock -> {
            throw thrown;
        })).isSameAs(thrown);
        assertThatThrownBy(() -> locks.withLock(session(), lock -> {
            throw new StackOverflowError();
        })).isInstanceOf(StackOverflowError.class);
        assertThat(Kernel.seatsHeldIn(dir)).isZero();
        assertThat(locks.stats()).isEqualTo(new LockStats(0, 0, 3, 0, 0));
    }

    @Test
    void aLossBeforeTheEndIsThrownThoughTheActionReturned() {
        assertThatThrownBy(() -> locks.withLock(session(), LockOptions.defaults().withMaxHold(Duration.ofMillis(100)), lock -> {
            await().until(() -> !lock.isHeld());
            return "done";
        })).isInstanceOf(LockLostException.class);
        await().until(() -> locks.stats().equals(new LockStats(0, 0, 1, 1, 0)));
    }

    @Test
    void theActionsExceptionWinsOverALoss() {
        assertThatThrownBy(() -> locks.withLock(session(), LockOptions.defaults().withMaxHold(Duration.ofMillis(100)), lock -> {
            await().until(() -> !lock.isHeld());
            throw new Checked();
        })).isInstanceOf(Checked.class);
    }

    @Test
    void whatTheActionWroteLastIsStillUnderTheLock() throws Exception {
        locks.withLock(session(), lock -> Files.writeString(session(), "x"));
        assertThat(session()).hasContent("x");
        assertThat(Listing.of(dir)).containsOnlyKeys("session.jsonl");
    }

    @Test
    void withoutTheLockTheActionIsNotRun() {
        assertThatThrownBy(() -> locks.withLock(dir.resolve("missing/x"), lock -> {
            throw new AssertionError("it was run");
        })).isInstanceOf(LockException.class);
    }
}

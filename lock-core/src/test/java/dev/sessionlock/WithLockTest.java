package dev.sessionlock;

import static dev.sessionlock.Patience.await;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.FileNotFoundException;
import java.io.IOException;
import java.nio.file.Files;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Nested;
import org.junit.jupiter.api.Test;

/** An action under the lock: what it throws reaches the caller unchanged. */
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
        // Compiles only if the checked type is passed through.
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

    /** These tests show that it compiles, without a cast, a type argument, {@code return null} or a try. */
    @Nested
    class WithoutNoise {
        private static final class Other extends Exception {
            private static final long serialVersionUID = 1L;
        }

        private final List<String> done = new ArrayList<>();

        private void mayThrow() throws Checked {
            done.add("other");
        }

        private void append(SessionLock lock) throws IOException {
            lock.ensureHeld();
            Files.writeString(session(), "x");
        }

        private int count(SessionLock lock) throws IOException {
            append(lock);
            return 1;
        }

        private void ioAndSleepAndAnother(SessionLock lock) throws IOException, InterruptedException, Checked {
            append(lock);
            Thread.sleep(0);
            mayThrow();
        }

        /** The type of this method's exceptions is the point. */
        private void nothingReturned() throws IOException, InterruptedException, Checked {
            locks.runWithLock(session(), lock -> {
                append(lock);
                mayThrow();
                Thread.sleep(0);
            });
            locks.runWithLock(session(), lock -> mayThrow());
            locks.runWithLock(session(), ONE_TRY, this::ioAndSleepAndAnother);
            locks.runWithLock(session().toString(), lock -> count(lock));
            locks.runWithLock(session().toString(), ONE_TRY, this::count);
            locks.runWithLock(session(), lock -> { });
        }

        private int somethingReturned() throws IOException, InterruptedException {
            int one = locks.withLock(session(), lock -> {
                Thread.sleep(0);
                return count(lock);
            });
            return one + locks.withLock(session(), this::count) + locks.withLock(session(), lock -> count(lock));
        }

        private String onlyWhatLocksThrow() throws LockException, InterruptedException {
            return locks.withLock(session(), lock -> {
                lock.ensureHeld();
                Thread.sleep(0);
                return lock.name();
            });
        }

        private int lossAndAnother() throws LockException, InterruptedException, Other {
            return locks.withLock(session(), lock -> {
                lock.ensureHeld();
                if (!lock.isHeld()) {
                    throw new Other();
                }
                return 1;
            });
        }

        @Test
        void actionsOfAllKindsRunUnderTheLock() throws Exception {
            nothingReturned();
            assertThat(done).hasSize(3);
            assertThat(somethingReturned() + lossAndAnother()).isEqualTo(4);
            assertThat(onlyWhatLocksThrow()).isEqualTo("session.jsonl");
            assertThat(Kernel.seatsHeldIn(dir)).isZero();
            assertThat(locks.stats().acquired()).isEqualTo(11);
        }

        @Test
        void whatOneThatReturnsNothingThrowsComesOutAsItIsAndALossIsThrown() throws IOException {
            Checked thrown = new Checked();
            assertThatThrownBy(() -> locks.runWithLock(session(), lock -> {
                throw thrown;
            })).isSameAs(thrown);
            assertThatThrownBy(() -> locks.runWithLock(session(), LockOptions.defaults().withMaxHold(Duration.ofMillis(100)),
                    lock -> await().until(() -> !lock.isHeld()))).isInstanceOf(LockLostException.class);
            assertThatThrownBy(() -> locks.runWithLock(session(), null)).isInstanceOf(NullPointerException.class);
            assertThat(Kernel.seatsHeldIn(dir)).isZero();
        }
    }
}

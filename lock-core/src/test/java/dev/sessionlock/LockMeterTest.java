package dev.sessionlock;

import static dev.sessionlock.Patience.await;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.sessionlock.LockLostException.Reason;
import java.io.File;
import java.nio.file.Files;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.stream.Collectors;
import org.junit.jupiter.api.Test;

/** Meters hear of waits and holds on the user's own thread, and cannot harm a lock. */
class LockMeterTest extends LocksFixture {
    private final List<String> heard = new CopyOnWriteArrayList<>();

    private final LockMeter meter = new LockMeter() {
        @Override
        public void waited(String name, long nanos, boolean acquired) {
            heard.add((acquired ? "acquired " : "gave up ") + name + " on " + Thread.currentThread().getName());
        }

        @Override
        public void held(String name, long nanos) {
            heard.add("held " + name + " on " + Thread.currentThread().getName());
        }
    };

    @Test
    void areCalledOnTheUsersThread() throws Exception {
        locks.addMeter(meter);
        try (Actor actor = new Actor("user")) {
            SessionLock lock = actor.does(() -> locks.acquire(session()));
            assertThatThrownBy(() -> actor.does(() -> locks.acquire(session(), ONE_TRY.withReentrant(false)))).isInstanceOf(LockReentryException.class);
            assertThatThrownBy(() -> locks.acquire(session(), ONE_TRY)).isInstanceOf(LockTimeoutException.class);
            lock.close();
        }
        String here = Thread.currentThread().getName();
        assertThat(heard).containsExactly("acquired session.jsonl on user", "gave up session.jsonl on " + here, "held session.jsonl on " + here);
    }

    @Test
    void mayUseTheSameLock() throws Exception {
        locks.addMeter(new LockMeter() {
            @Override
            public void waited(String name, long nanos, boolean acquired) {
                assertThat(acquired).isTrue();
            }

            @Override
            public void held(String name, long nanos) {
                if (heard.isEmpty()) {
                    heard.add("once");
                    closeAnother();
                }
            }
        });
        locks.acquire(session()).close();
        assertThat(heard).containsExactly("once");
        assertThat(locks.stats()).isEqualTo(new LockStats(0, 0, 2, 0, 0));
    }

    private void closeAnother() {
        try {
            locks.acquire(session(), ONE_TRY).close();
        } catch (Exception e) {
            throw new IllegalStateException(e);
        }
    }

    @Test
    void thatThrowHarmNothing() throws Exception {
        locks.addMeter(new LockMeter() {
            @Override
            public void waited(String name, long nanos, boolean acquired) {
                throw new StackOverflowError();
            }

            @Override
            public void held(String name, long nanos) {
                throw new IllegalStateException("of a meter");
            }
        });
        locks.addMeter(meter);
        try (SessionLock lock = locks.acquire(session()); Actor other = new Actor("other")) {
            lock.verifyHeld();
            assertThatThrownBy(() -> other.does(() -> locks.acquire(session(), ONE_TRY))).isInstanceOf(LockTimeoutException.class);
        }
        assertThat(heard).as("by another meter").hasSize(3);
        assertThat(locks.stats().held()).isZero();
        assertThat(lockFile()).doesNotExist();
    }

    /** Micrometer is optional, and so is the JVM's management. */
    @Test
    void withoutMicrometerAndWithoutJmxLocksWork() throws Exception {
        String without = Arrays.stream(System.getProperty("java.class.path").split(File.pathSeparator)).filter(each -> !each.contains("micrometer"))
                .collect(Collectors.joining(File.pathSeparator));
        assertThat(without).isNotEqualTo(System.getProperty("java.class.path"));
        assertThat(FreshJvm.run(OneLock.class, dir, "-cp", without, "--limit-modules", "java.base,java.logging,java.sql,jdk.jfr")).contains("acquired 1, held 0");
    }

    @Test
    void hearNothingOnceTheyAreRemoved() throws Exception {
        locks.addMeter(meter);
        locks.addMeter(meter);
        locks.removeMeter(meter);
        SessionLock lock = locks.acquire(session());
        assertThat(heard).hasSize(1);
        locks.removeMeter(meter);
        lock.close();
        locks.acquire(session()).close();
        assertThat(heard).hasSize(1);
    }

    @Test
    void aLostHoldIsMeasuredWhenItsUserClosesIt() throws Exception {
        locks.addMeter(meter);
        SessionLock lock = locks.acquire(session());
        Files.delete(lock.lockFile());
        await().until(() -> !lock.isHeld());
        assertThat(heard).hasSize(1);
        assertThat(locks.longestHold()).as("until it is closed").isPositive();
        lock.close();
        assertThat(heard).hasSize(2);
        assertThat(locks.lost(Reason.REMOVED_BY_HAND)).isOne();
        assertThat(locks.lost(Reason.LEAKED)).isZero();
        await().until(() -> locks.longestHold().isZero());
    }
}

package dev.sessionlock;

import static dev.sessionlock.Patience.await;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.sessionlock.LockLostException.Reason;
import java.io.IOException;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.Future;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicReference;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** A line that cannot be logged costs no lock: whatever the logging back end throws, locks are acquired, renewed, lost and given back as ever. */
class BrokenLogTest {
    private static final LockOptions BRIEF = LockOptions.defaults().withLease(LockOptions.MIN_LEASE).withTimeout(Patience.LIMIT);

    @TempDir
    Path dir;

    @ParameterizedTest
    @EnumSource
    void locksGoOnAsEver(ThrowingLog.Breaks where) throws Exception {
        List<String> said = FreshJvm.run(Use.class, dir, ThrowingLog.options(where)).lines().filter(line -> !line.startsWith("SLF4J")).toList();

        assertThat(said).containsExactly("waited for in vain", "handed on", "renewed", "removed", "dropped by the kernel", "held for too long",
                "suspected to be a leak", "forgotten", "taken over", "all was told", where == ThrowingLog.Breaks.AT_ERROR ? "no line" : "some lines threw");
    }

    /** All that the library logs about. A JVM of its own, since SLF4J has one back end in a JVM. */
    static final class Use {
        private static final AtomicInteger TOLD = new AtomicInteger();

        private Use() {
        }

        public static void main(String[] args) throws Exception {
            Path session = Path.of(args[0]);
            LockListener listener = new LockListener() {
                @Override
                public void acquired(Event event) {
                    TOLD.incrementAndGet();
                    throw new IllegalStateException("of a listener");
                }
            };
            try (SessionLocks locks = SessionLocks.builder().listener(listener).takeStrangers(true).build()) {
                try (Actor other = new Actor("other")) {
                    waitFor(locks, session, other);
                }
                renew(locks, session);
                lose(locks, session);
                leak(locks, session);
                takeOver(locks, session);
                await().until(() -> TOLD.get() == locks.stats().acquired());
                System.out.println("all was told");
            }
            System.out.println(ThrowingLog.count() == 0 ? "no line" : "some lines threw");
        }

        private static void waitFor(SessionLocks locks, Path session, Actor other) throws Exception {
            SessionLock first = locks.acquire(session);
            assertThatThrownBy(() -> other.does(() -> locks.acquire(session, BRIEF.withTimeout(Duration.ofMillis(50)))))
                    .isInstanceOf(LockTimeoutException.class);
            System.out.println("waited for in vain");
            Future<Void> waiting = other.begin(() -> {
                locks.acquire(session).close();
                return null;
            });
            await().until(() -> locks.stats().waiting() == 1);
            first.close();
            Actor.end(waiting);
            System.out.println("handed on");
        }

        private static void renew(SessionLocks locks, Path session) throws Exception {
            try (SessionLock lock = locks.acquire(session, BRIEF)) {
                Path record = lock.lockFile();
                String atFirst = Files.readString(record);
                await().until(() -> !Files.readString(record).equals(atFirst));
                lock.verifyHeld();
            }
            System.out.println("renewed");
        }

        private static void lose(SessionLocks locks, Path session) throws Exception {
            AtomicReference<LockLostException> told = new AtomicReference<>();
            try (SessionLock lock = locks.acquire(session)) {
                lock.onLost(why -> {
                    throw new IllegalStateException("of a callback");
                });
                lock.onLost(told::set);
                Files.delete(lock.lockFile());
                await().until(() -> !lock.isHeld());
                await().until(() -> told.get() != null && told.get().reason() == Reason.REMOVED_BY_HAND);
            }
            System.out.println("removed");
            try (SessionLock lock = locks.acquire(session)) {
                removeGuardsBeside(session);
                assertThatThrownBy(() -> await().until(() -> {
                    lock.verifyHeld();
                    return false;
                })).isInstanceOfSatisfying(LockLostException.class, why -> assertThat(why.reason()).isEqualTo(Reason.KERNEL_LOCK_LOST));
            }
            System.out.println("dropped by the kernel");
            try (SessionLock lock = locks.acquire(session, BRIEF.withMaxHold(Duration.ofMillis(100)).withRevokeGrace(Duration.ofMillis(10)))) {
                await().until(() -> !lock.isHeld());
                assertThatThrownBy(lock::ensureHeld).isInstanceOf(LockLostException.class).hasMessageContaining("maxHold");
            }
            System.out.println("held for too long");
        }

        private static void removeGuardsBeside(Path session) throws IOException {
            try (DirectoryStream<Path> guards = Files.newDirectoryStream(session.resolveSibling(".session-locks"), "guard-*")) {
                for (Path guard : guards) {
                    Files.delete(guard);
                }
            }
        }

        private static void leak(SessionLocks locks, Path session) throws Exception {
            try (SessionLock lock = locks.acquire(session, BRIEF.withLeakDetectionThreshold(Duration.ofMillis(100)))) {
                String atFirst = Files.readString(lock.lockFile());
                await().until(() -> !Files.readString(lock.lockFile()).equals(atFirst)); // after that look at the keeper's
                lock.verifyHeld();
            }
            System.out.println("suspected to be a leak");
            locks.acquire(session);
            await().until(() -> {
                System.gc();
                return locks.stats().held() == 0;
            });
            System.out.println("forgotten");
        }

        private static void takeOver(SessionLocks locks, Path session) throws Exception {
            Path other = session.resolveSibling("other.jsonl");
            Files.writeString(session.resolveSibling("other.jsonl.lock"), "{\"pid\":4000000000,\"createdAt\":\"2026-02-09T06:32:23.123Z\"}");
            locks.acquire(other).close();
            assertThat(locks.stats().reclaimed()).isOne();
            System.out.println("taken over");
        }
    }
}

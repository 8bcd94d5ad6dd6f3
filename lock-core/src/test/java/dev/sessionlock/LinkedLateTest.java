package dev.sessionlock;

import static org.assertj.core.api.Assertions.assertThat;

import dev.sessionlock.internal.directory.LockRecords;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.FileTime;
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.concurrent.Future;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * What locks do without, later in a JVM's life than {@link FirstAcquisitionTest} looks. A class whose first use finds no memory is unusable for good, and so is
 * all that needs it: a lock that could not be handed on any more would be stuck. Judged by the classes that are loaded.
 */
class LinkedLateTest {
    @TempDir
    static Path dir;

    private static List<String> loaded;

    @BeforeAll
    static void useAll() throws Exception {
        List<String> said = FreshJvm.run(Use.class, dir, "-Xlog:class+load:stdout:none").lines().toList();
        assertThat(said.stream().filter(line -> !line.contains(" source: "))).contains("done");
        loaded = said.stream().filter(line -> line.contains(" source: ")).map(line -> line.split(" ")[0]).toList();
        assertThat(loaded).contains("dev.sessionlock.internal.threads.TimeoutMessage", "dev.sessionlock.internal.seats.StaleLockPolicy");
    }

    /** What the compiler gives a record as its {@code equals}, {@code hashCode} and {@code toString}. */
    @Test
    void noMethodsOfRecords() {
        assertThat(loaded.stream().filter(type -> type.startsWith("java.lang.runtime."))).isEmpty();
    }

    @Test
    void noFormattersOfTimes() {
        assertThat(loaded).doesNotContain("java.time.format.DateTimeFormatter", "java.time.format.DateTimeFormatterBuilder", "java.time.Year");
    }

    /** The ways of locks beside a first acquisition; without libraries for tests, which load much themselves. */
    static final class Use {
        private Use() {
        }

        private interface Step {
            void run() throws Exception;
        }

        private static void expect(Class<? extends Exception> thrown, Step step) throws Exception {
            try {
                step.run();
            } catch (Exception e) {
                if (!thrown.isInstance(e)) {
                    throw e;
                }
                return;
            }
            throw new AssertionError(thrown + " was expected");
        }

        public static void main(String[] args) throws Exception {
            Path session = Path.of(args[0]);
            try (SessionLocks locks = SessionLocks.builder().takeStrangers(true).build(); Actor other = new Actor("other")) {
                handOn(locks, session, other);
                waitInVain(locks, session, other);
                lose(locks, session);
                meetOthersRecords(locks, session);
            }
            System.out.println("done");
        }

        private static void handOn(SessionLocks locks, Path session, Actor other) throws Exception {
            for (LockOptions options : List.of(LockOptions.defaults(), LockOptions.defaults().withPurpose("another"))) {
                SessionLock first = locks.acquire(session);
                Future<Void> waiting = other.begin(() -> {
                    locks.acquire(session, options).close();
                    return null;
                });
                while (locks.stats().waiting() == 0) {
                    Thread.sleep(2);
                }
                first.close();
                Actor.end(waiting);
                locks.acquire(session, options.withLinger(Duration.ofSeconds(5))).close();
            }
        }

        private static void waitInVain(SessionLocks locks, Path session, Actor other) throws Exception {
            try (SessionLock lock = locks.acquire(session)) {
                expect(LockTimeoutException.class, () -> other.does(() -> locks.acquire(session, LocksFixture.ONE_TRY)));
                expect(LockReentryException.class, () -> locks.acquire(session));
                lock.verifyHeld();
            }
        }

        private static void lose(SessionLocks locks, Path session) throws Exception {
            try (SessionLock lock = locks.acquire(session)) {
                Files.delete(lock.lockFile());
                expect(LockLostException.class, () -> {
                    while (true) {
                        lock.verifyHeld();
                    }
                });
            }
        }

        private static void meetOthersRecords(SessionLocks locks, Path session) throws Exception {
            Path lockFile = session.resolveSibling("session.jsonl.lock");
            FileTime longAgo = FileTime.from(Instant.now().minusSeconds(3_600));
            Files.writeString(session, "");
            byte[] dead = LockRecords.of(OtherProcess.ended(), 1, Duration.ofSeconds(20), true);
            for (byte[] left : List.of("{\"pid\":4000000000,\"createdAt\":\"2026-02-09T06:32:23.123Z\"}".getBytes(), dead, new byte[0],
                    new String(dead).substring(0, 90).getBytes())) {
                Files.write(lockFile, left);
                Files.setLastModifiedTime(lockFile, longAgo);
                locks.acquire(session).close();
            }
            Files.writeString(lockFile, "something else");
            expect(LockException.class, () -> locks.acquire(session, LocksFixture.ONE_TRY));
            Files.delete(lockFile);
        }
    }
}

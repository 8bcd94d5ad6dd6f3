package dev.sessionlock;

import static dev.sessionlock.Patience.await;
import static java.nio.file.StandardOpenOption.APPEND;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.locks.LockSupport;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Nested;
import org.junit.jupiter.api.Test;

/** A session file and its lock: the lock of the caller, interrupts, and writers that are late. */
class SessionFileLockTest extends SessionFileFixture {
    @Nested
    class UnderALockOfTheCaller {
        @Test
        void appendsReadsAndCompacts() throws Exception {
            given("one\ntorn");
            String last = session.<String, IOException>withLock(lock -> {
                session.append(lock, List.of("two"));
                return session.lines().get(1);
            });
            assertThat(last).isEqualTo("two");
            try (SessionLock lock = locks.acquire(path, NO_TAKEOVER)) {
                session.compact(lock, lines -> List.of("both"));
                session.append(lock, List.of("three"));
                lock.verifyHeld();
            }
            assertThat(path).hasContent("both\nthree\n");
        }

        @Test
        void doesNotCutOrRewriteUnderALockThatMayBeTakenOver() throws Exception {
            given("one\ntorn");
            try (SessionLock lock = locks.acquire(path)) {
                assertThatThrownBy(() -> session.append(lock, List.of("two"))).isInstanceOf(IOException.class)
                        .hasMessageContainingAll("torn", "nothing was written", "SessionFile.withLock");
                assertThatThrownBy(() -> session.compact(lock, lines -> List.of())).isInstanceOf(IllegalStateException.class)
                        .hasMessageContaining("withTakeover(false)");
            }
            assertThat(path).hasContent("one\ntorn");
        }

        @Test
        void seesThroughReentry() throws Exception {
            given("one\ntorn");
            SessionFile reentrant = SessionFile.of(path, locks, LockOptions.defaults().withReentrant(true));
            try (SessionLock lock = locks.acquire(path)) { // others may take over from this outer lock, whatever inner ones ask for
                assertThatThrownBy(() -> session.append("two")).isInstanceOf(LockReentryException.class);
                assertThatThrownBy(() -> reentrant.append("two")).isInstanceOf(IllegalStateException.class);
                assertThatThrownBy(() -> reentrant.compact(lines -> lines)).isInstanceOf(IllegalStateException.class);
                lock.ensureHeld();
            }
            assertThat(path).hasContent("one\ntorn");
            try (SessionLock lock = locks.acquire(path, NO_TAKEOVER)) {
                reentrant.append("two");
                lock.ensureHeld();
            }
            assertThat(path).hasContent("one\ntwo\n");
        }

        @Test
        void refusesTheLockOfAnotherFileAndFindsItsOwnAmongSeveral() throws Exception {
            Path other = dir.resolve("other.jsonl");
            try (SessionLock lock = locks.acquire(other)) {
                assertThatThrownBy(() -> session.append(lock, List.of("one"))).isInstanceOf(IllegalArgumentException.class)
                        .hasMessageContainingAll("other.jsonl", path.toString());
            }
            Path link = Files.createSymbolicLink(dir.resolve("link"), dir);
            try (SessionLock both = locks.acquireAll(List.of(other, link.resolve("session.jsonl")), NO_TAKEOVER)) {
                session.append(both, List.of("one"));
                session.compact(both, lines -> List.of("uno"));
            }
            assertThat(path).hasContent("uno\n");
            assertThat(other).doesNotExist();
        }

        @Test
        void saysWhatBecameOfTheLinesAfterALoss() throws Exception {
            try (SessionLock lock = locks.acquire(path, LockOptions.defaults().withMaxHold(Duration.ofMillis(100)))) {
                await().until(() -> !lock.isHeld());
                assertThatThrownBy(() -> session.append(lock, List.of("late"))).isInstanceOf(LockLostException.class)
                        .hasMessageContaining("Nothing was written")
                        .satisfies(e -> assertThat(((LockLostException) e).reason()).isEqualTo(LockLostException.Reason.MAX_HOLD));
            }
            assertThat(session.lines()).isEmpty();
        }
    }

    @Nested
    class Interrupted {
        @Test
        void beforeItWaitsItDoesNothing() {
            Thread.currentThread().interrupt();
            assertThatThrownBy(() -> session.append("one")).isInstanceOf(InterruptedException.class);
            assertThat(Thread.interrupted()).isFalse();
            assertThat(path).doesNotExist();
        }

        @Test
        void underTheLockItFinishesAndKeepsTheInterrupt() throws Exception {
            given("one\ntorn");
            try (SessionLock lock = locks.acquire(path, NO_TAKEOVER)) {
                Thread.currentThread().interrupt();
                session.append(lock, List.of("two"));
                assertThat(Thread.currentThread().isInterrupted()).isTrue();
                session.compact(lock, lines -> lines);
                assertThat(session.lines()).containsExactly("one", "two");
                assertThat(Thread.interrupted()).isTrue();
            }
            assertThat(path).hasContent("one\ntwo\n");
        }

        @Test
        void againAndAgainEachLineIsThereOnce() throws Exception {
            AtomicBoolean done = new AtomicBoolean();
            Thread writer = Thread.currentThread();
            Thread pest = new Thread(() -> {
                while (!done.get()) {
                    writer.interrupt();
                    LockSupport.parkNanos(10_000);
                }
            });
            pest.start();
            List<String> lines = IntStream.range(0, 300).mapToObj(i -> "line " + i + " " + "x".repeat(i * 10)).toList();
            try (SessionLock lock = acquireUninterruptibly()) {
                for (String line : lines) {
                    session.withForce(false).append(lock, List.of(line));
                }
            } finally {
                done.set(true);
                while (pest.isAlive()) {
                    Thread.onSpinWait();
                }
                Thread.interrupted();
            }
            assertThat(session.lines()).isEqualTo(lines);
        }

        private SessionLock acquireUninterruptibly() throws IOException {
            while (true) {
                try {
                    return locks.acquire(path, NO_TAKEOVER);
                } catch (InterruptedException e) {
                    // once more
                }
            }
        }
    }

    @Nested
    class Refused {
        @Test
        void aDirectoryThatIsMissing() {
            assertThatThrownBy(() -> SessionFile.of(dir.resolve("no/session.jsonl"), locks).append("one")).isInstanceOf(LockException.class)
                    .hasMessageContaining("does not exist");
        }

        @Test
        void aFileThatIsADirectory() throws Exception {
            Files.createDirectory(path);
            assertThatThrownBy(() -> session.append("one")).isInstanceOf(IOException.class).hasMessageContaining(path.toString());
            assertThatThrownBy(() -> session.lines()).isInstanceOf(IOException.class).hasMessageContainingAll("could not read", path.toString());
        }

        @Test
        void aFileThatMayNotBeWritten() throws Exception {
            boolean root = "root".equals(System.getProperty("user.name"));
            if (root) {
                System.out.println("SKIPPED aFileThatMayNotBeWritten: root may write everything");
            }
            assumeTrue(!root, "root may write everything");
            given("one\n");
            Files.setPosixFilePermissions(path, PosixFilePermissions.fromString("r--r--r--"));
            assertThatThrownBy(() -> session.append("two")).isInstanceOf(IOException.class)
                    .hasMessageContainingAll("could not append to " + path, "AccessDenied", "nothing was acknowledged");
        }
    }

    /** Situations that no test can cause from outside: a woken writer acts between two steps of another. */
    @Nested
    class LateWriters {
        private void append(String line, String late) throws Exception {
            LineFile content = new LineFile(path);
            try (SessionLock lock = locks.acquire(path)) {
                long end = content.wholeEnd();
                Files.writeString(path, late, APPEND);
                content.append(LineFile.encode(List.of(line)), end, lock);
            }
        }

        @Test
        void whoseLineIsWholeDoNoHarm() throws Exception {
            given("one\n");
            append("two", "late\n");
            assertThat(session.lines()).containsExactly("one", "late", "two");
        }

        @Test
        void whoseLineEndsAsOursAreNotTakenForOurs() throws Exception {
            given("one\n");
            append("two", "not two\n");
            assertThat(session.lines()).containsExactly("one", "not two", "two");
        }

        @Test
        void whoAreKilledInTheirLateWriteDoNotSpoilOurs() throws Exception {
            given("one\n");
            append("two", "la");
            assertThat(session.lines()).containsExactly("one", "latwo", "two");
        }
    }
}

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
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Set;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.locks.LockSupport;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Nested;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Lines that are appended, read and compacted. The effect of freezes and crashes is tested in lock-testkit. */
class SessionFileTest {
    private static final LockOptions NO_TAKEOVER = LockOptions.defaults().withTakeover(false);

    @TempDir
    Path dir;
    private final SessionLocks locks = SessionLocks.create();
    private Path path;
    private SessionFile session;

    @BeforeEach
    void open() {
        path = dir.resolve("session.jsonl");
        session = SessionFile.of(path, locks);
    }

    @AfterEach
    void close() {
        locks.close();
        Patience.untilLetGo(dir);
    }

    private void given(String content) throws IOException {
        Files.writeString(path, content);
    }

    @Nested
    class Appending {
        @Test
        void makesTheFileAndEndsEachLine() throws Exception {
            session.append("one");
            session.append(List.of("two", "", "three ü€😀"));
            session.append(List.of());
            assertThat(path).hasContent("one\ntwo\n\nthree ü€😀\n");
            assertThat(session.lines()).containsExactly("one", "two", "", "three ü€😀");
            assertThat(Listing.of(dir)).as("no lock is left").containsOnlyKeys("session.jsonl");
        }

        @Test
        void refusesWhatIsNoLineAndDoesNothing() {
            for (String wrong : new String[] {"a\nb", "a\n", "a\rb", "half \ud83d of a pair"}) {
                assertThatThrownBy(() -> session.append(List.of("good", wrong))).isInstanceOf(IllegalArgumentException.class);
            }
            assertThatThrownBy(() -> session.append("a\nb")).hasMessageContainingAll("line break", "\"a\\nb\"");
            assertThat(path).doesNotExist();
        }

        @Test
        void cutsOffATornLineFirstUnderALockThatNobodyTakesOver() throws Exception {
            for (String whole : new String[] {"", "one\n", "x".repeat(200_000) + "\n"}) {
                given(whole + "torn" + "y".repeat(100_000));
                long before = locks.stats().acquired();
                session.append("two");
                assertThat(locks.stats().acquired() - before).as("to look, to repair, to append").isEqualTo(3);
                assertThat(path).hasContent(whole + "two\n");
            }
        }

        @Test
        void cutsItOffAtOnceUnderALockThatNobodyTakesOver() throws Exception {
            given("one\ntorn");
            SessionFile.of(path, locks, NO_TAKEOVER).append("two");
            assertThat(path).hasContent("one\ntwo\n");
            assertThat(locks.stats().acquired()).isEqualTo(1);
        }

        @Test
        void takesLinesOfManyMegabytes() throws Exception {
            String big = "ä".repeat(3 << 20);
            SessionFile unforced = session.withForce(false);
            unforced.append(big);
            unforced.append("small");
            unforced.appendOnce(big, big::equals);
            assertThat(session.lines()).containsExactly(big, "small");
        }

        @Test
        void fromManyThreadsIsThereOnceEach() throws Exception {
            List<Throwable> failed = Collections.synchronizedList(new ArrayList<>());
            List<Thread> threads = IntStream.range(0, 8).mapToObj(t -> new Thread(() -> {
                try {
                    for (int i = 0; i < 25; i++) {
                        session.withForce(false).append(t + "-" + i);
                    }
                } catch (IOException | InterruptedException | RuntimeException e) {
                    failed.add(e);
                }
            })).toList();
            threads.forEach(Thread::start);
            for (Thread thread : threads) {
                thread.join();
            }
            assertThat(failed).isEmpty();
            assertThat(session.lines()).hasSize(200).doesNotHaveDuplicates();
        }

        @Test
        void waitsNoLongerThanItsOptionsSay() throws Exception {
            try (SessionLock other = locks.acquire(path).detach()) {
                SessionFile impatient = SessionFile.of(path, locks, LockOptions.defaults().withTimeout(Duration.ZERO));
                assertThatThrownBy(() -> impatient.append("one")).isInstanceOf(LockTimeoutException.class);
                other.ensureHeld();
            }
            assertThat(path).doesNotExist();
        }

        @Test
        void goesByTheDefaultsOfItsLocks() throws Exception {
            try (SessionLocks brief = SessionLocks.builder().defaults(LockOptions.defaults().withTimeout(Duration.ZERO)).build();
                    SessionLock other = locks.acquire(path).detach()) {
                assertThatThrownBy(() -> SessionFile.of(path, brief).append("one")).isInstanceOf(LockTimeoutException.class);
                assertThatThrownBy(() -> SessionFile.of(path, brief).compact(lines -> lines)).isInstanceOf(LockTimeoutException.class);
                other.ensureHeld();
            }
        }
    }

    @Nested
    class Once {
        @Test
        void isThereOnceHoweverOftenItIsAppended() throws Exception {
            for (int i = 0; i < 3; i++) {
                session.appendOnce("{\"id\":1}", line -> line.contains("\"id\":1"));
            }
            session.compact(lines -> List.of("{\"id\":1,\"short\":true}"));
            session.appendOnce("{\"id\":1}", line -> line.contains("\"id\":1"));
            assertThat(path).hasContent("{\"id\":1,\"short\":true}\n");
        }

        @Test
        void doesNotTakeATornLineForIt() throws Exception {
            given("one\ntwo");
            session.appendOnce("two", "two"::equals);
            assertThat(path).hasContent("one\ntwo\n");
        }

        @Test
        void refusesAPredicateThatDoesNotKnowTheLine() {
            assertThatThrownBy(() -> session.appendOnce("one", "two"::equals)).isInstanceOf(IllegalArgumentException.class)
                    .hasMessageContaining("says no to the line itself");
            assertThat(path).doesNotExist();
        }

        @Test
        void looksAndTriesAgainAfterALoss() throws Exception {
            SessionFile brief = SessionFile.of(path, locks, LockOptions.defaults().withMaxHold(Duration.ofMillis(200))).withForce(false);
            given("other\n");
            AtomicInteger looks = new AtomicInteger();
            brief.appendOnce("one", line -> {
                if (line.equals("other") && looks.incrementAndGet() == 1) {
                    sleep(500); // longer than it may be held
                }
                return line.equals("one");
            });
            assertThat(looks.get()).isGreaterThanOrEqualTo(2);
            assertThat(path).hasContent("other\none\n");
        }
    }

    private static void sleep(long millis) {
        try {
            Thread.sleep(millis);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    @Nested
    class Reading {
        @Test
        void showsNoTornLineAndNothingOfAMissingFile() throws Exception {
            assertThat(session.lines()).isEmpty();
            given("");
            assertThat(session.lines()).isEmpty();
            given("torn");
            assertThat(session.lines()).isEmpty();
            given("one\r\n\ntorn");
            assertThat(session.lines()).containsExactly("one\r", "");
        }

        @Test
        void splitsAtEveryBoundary() throws Exception {
            for (int length : new int[] {65_534, 65_535, 65_536, 65_537, 131_072}) {
                String line = "é".repeat(length / 2) + "x".repeat(length % 2);
                given(line + "\nb\n" + line + "\ntorn");
                assertThat(session.lines()).containsExactly(line, "b", line);
                given(line + "\n" + line);
                assertThat(session.lines()).containsExactly(line);
            }
        }

        @Test
        void showsBytesThatAreNoTextAndDoesNotRewriteThem() throws Exception {
            Files.write(path, new byte[] {'a', '\n', (byte) 0xe4, '\n', 'b', '\n'});
            assertThat(session.lines()).containsExactly("a", "\ufffd", "b");
            assertThatThrownBy(() -> session.compact(lines -> lines)).isInstanceOf(IOException.class)
                    .hasMessageContainingAll("line 2 of " + path, "not UTF-8", "nothing was changed");
            assertThat(Files.size(path)).isEqualTo(6);
        }

        /** The reader has read part of the torn line when that is cut off and another line is appended in its place. */
        @Test
        void mixesNoTornLineWithOneThatIsAppendedMeanwhile() throws Exception {
            given("one\n" + "torn".repeat(25_000));
            List<String> seen = new ArrayList<>();
            new LineFile(path).has(line -> {
                seen.add(line);
                try {
                    session.append("new".repeat(30_000));
                } catch (IOException | InterruptedException e) {
                    throw new AssertionError(e);
                }
                return false;
            });
            assertThat(seen).containsExactly("one");
            assertThat(session.lines()).containsExactly("one", "new".repeat(30_000));
        }

        @Test
        void needsNoLock() throws Exception {
            given("one\n");
            try (SessionLock other = locks.acquire(path, NO_TAKEOVER)) {
                assertThat(session.lines()).containsExactly("one");
                other.ensureHeld();
            }
        }
    }

    @Nested
    class Compacting {
        @Test
        void rewritesInOneStepWithoutTheTornLine() throws Exception {
            given("one\ntwo\nthree\ntorn");
            Object before = Files.getAttribute(path, "unix:ino");
            session.compact(lines -> {
                lines.remove("two");
                return lines;
            });
            assertThat(path).hasContent("one\nthree\n");
            assertThat(Files.getAttribute(path, "unix:ino")).as("renamed").isNotEqualTo(before);
            assertThat(Listing.of(dir)).containsOnlyKeys("session.jsonl");
        }

        @Test
        void keepsThePermissions() throws Exception {
            given("one\n");
            for (String permissions : new String[] {"rw-------", "rw-rw-r--", "r--r-----"}) {
                Files.setPosixFilePermissions(path, PosixFilePermissions.fromString(permissions));
                session.compact(lines -> lines);
                assertThat(PosixFilePermissions.toString(Files.getPosixFilePermissions(path))).isEqualTo(permissions);
            }
        }

        @Test
        void leavesTheFileAsItWasIfItFails() throws Exception {
            given("one\n");
            assertThatThrownBy(() -> session.compact(lines -> {
                throw new IOException("no summary today");
            })).isInstanceOf(IOException.class).hasMessage("no summary today");
            assertThatThrownBy(() -> session.compact(lines -> List.of("a\nb"))).isInstanceOf(IllegalArgumentException.class);
            SessionFile brief = SessionFile.of(path, locks, LockOptions.defaults().withMaxHold(Duration.ofMillis(100)));
            assertThatThrownBy(() -> brief.compact(lines -> {
                sleep(300);
                return List.of("too late");
            })).isInstanceOf(LockLostException.class);
            assertThat(path).hasContent("one\n");
            assertThat(Listing.of(dir)).containsOnlyKeys("session.jsonl");
        }

        @Test
        void makesNothingOfNothing() throws Exception {
            session.compact(lines -> List.of("something"));
            assertThat(path).doesNotExist();
            given("one\n");
            session.compact(lines -> List.of());
            assertThat(path).isEmptyFile();
        }

        @Test
        void removesWhatKilledOnesHaveLeftAndNothingElse() throws Exception {
            given("one\n");
            for (String name : List.of("session.jsonl.compacting-17", "session.jsonl.compacting-x", "other.jsonl.compacting-17")) {
                Files.writeString(dir.resolve(name), "left");
            }
            session.compact(lines -> lines);
            assertThat(Listing.of(dir)).containsOnlyKeys("session.jsonl", "session.jsonl.compacting-x", "other.jsonl.compacting-17");
        }
    }

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

    @Test
    void permissionsOfAFreshFileAreNeverWiderThanTheOldOnes() throws Exception {
        given("secret\n");
        Files.setPosixFilePermissions(path, PosixFilePermissions.fromString("rw-------"));
        List<Set<?>> seen = new ArrayList<>();
        AtomicBoolean done = new AtomicBoolean();
        Thread spy = new Thread(() -> {
            while (!done.get()) {
                try (Stream<Path> files = Files.list(dir)) {
                    for (Path file : files.filter(f -> f.toString().contains(".compacting-")).toList()) {
                        seen.add(Files.getPosixFilePermissions(file));
                    }
                } catch (IOException e) {
                    // it has gone
                }
                LockSupport.parkNanos(50_000);
            }
        });
        spy.start();
        for (int i = 0; i < 5; i++) {
            session.compact(lines -> lines);
        }
        done.set(true);
        spy.join();
        assertThat(seen).allMatch(permissions -> PosixFilePermissions.fromString("rw-------").equals(permissions));
    }
}

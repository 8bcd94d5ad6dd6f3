package dev.sessionlock;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

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
import org.junit.jupiter.api.Nested;
import org.junit.jupiter.api.Test;

/** Lines that are appended, read and compacted. The effect of freezes and crashes is tested in lock-testkit. */
class SessionFileTest extends SessionFileFixture {
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

package dev.sessionlock;

import static dev.sessionlock.Patience.await;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.sessionlock.PastHold.Ending;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Future;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Nested;
import org.junit.jupiter.api.Test;

/** Who held a lock before, and how it ended: each ending is brought about by a real event, and read by others. */
class HistoryTest extends LocksFixture {
    private static final int PLENTY = 10_000;
    private static final LockOptions WITH_PURPOSE = PATIENT.withPurpose("append");

    private Path history() {
        return dir.resolve(".session-locks/history");
    }

    /** As another process would see it: from the disk. */
    private List<PastHold> written() throws Exception {
        return ReaderMain.inAnotherJvm(dir);
    }

    private PastHold untilOne(Ending ending) throws Exception {
        await().until(() -> locks.history(session(), PLENTY).stream().anyMatch(hold -> hold.ending() == ending));
        return locks.history(session(), PLENTY).stream().filter(hold -> hold.ending() == ending).findFirst().orElseThrow();
    }

    private void untilOnDisk(String text) {
        await().until(() -> Files.exists(history()) && Files.readString(history()).contains(text));
    }

    @Nested
    class Endings {
        @Test
        void released() throws Exception {
            Instant before = Instant.now().minusMillis(1);
            SessionLock lock = locks.acquire(session(), WITH_PURPOSE);
            lock.close();

            PastHold hold = locks.history(session(), 1).get(0);
            assertThat(hold.name()).isEqualTo("session.jsonl");
            assertThat(hold.token()).isEqualTo(lock.token());
            assertThat(hold.pid()).isEqualTo(ProcessHandle.current().pid());
            assertThat(hold.host()).isNotBlank();
            assertThat(hold.thread()).isEqualTo(Thread.currentThread().getName());
            assertThat(hold.purpose()).isEqualTo("append");
            assertThat(hold.since()).isEqualTo(lock.acquiredAt()).isAfter(before);
            assertThat(hold.until()).isBetween(hold.since(), Instant.now().plusMillis(1));
            assertThat(hold.ending()).isEqualTo(Ending.RELEASED);
            assertThat(hold.count()).isEqualTo(1);
            assertThat(hold.longest()).isLessThanOrEqualTo(Duration.between(hold.since(), hold.until()).plusMillis(1)).isPositive();
            assertThat(hold.waited()).isLessThan(Duration.ofSeconds(10));
            assertThat(hold.longestWaitBehind()).isZero();
            untilOnDisk("\"token\":" + lock.token());
            assertThat(written()).containsExactly(hold);
        }

        @Test
        void leaked() throws Exception {
            locks.acquire(session(), WITH_PURPOSE);
            await().until(() -> {
                System.gc();
                return locks.stats().lost() == 1;
            });
            assertThat(untilOne(Ending.LEAKED).purpose()).isEqualTo("append");
            untilOnDisk("LEAKED");
        }

        @Test
        void maxHold() throws Exception {
            SessionLock lock = locks.acquire(session(), WITH_PURPOSE.withMaxHold(Duration.ofMillis(100)));
            PastHold hold = untilOne(Ending.MAX_HOLD);
            assertThat(hold.token()).isEqualTo(lock.token());
            assertThat(hold.longest()).isGreaterThanOrEqualTo(Duration.ofMillis(100));
            untilOnDisk("MAX_HOLD");
            lock.close();
            assertThat(locks.history(session(), PLENTY)).as("once").hasSize(1);
        }

        @Test
        void removed() throws Exception {
            try (SessionLock lock = locks.acquire(session(), WITH_PURPOSE)) {
                Files.delete(lockFile());
                assertThat(untilOne(Ending.REMOVED).token()).isEqualTo(lock.token());
            }
        }

        @Test
        void askedToRelease() throws Exception {
            SessionLock lock = locks.acquire(session(), WITH_PURPOSE);
            lock.onLost(why -> lock.close());
            locks.clear(session(), ClearOptions.forReal().withToken(lock.token()).withTimeout(Patience.LIMIT));
            assertThat(untilOne(Ending.ASKED_TO_RELEASE).token()).isEqualTo(lock.token());
        }

        @Test
        void lost() throws Exception {
            try (SessionLock lock = locks.acquire(session(), WITH_PURPOSE)) {
                Files.delete(dir.resolve(".session-locks/board"));
                assertThat(untilOne(Ending.LOST).token()).isEqualTo(lock.token());
            }
        }

        @Test
        void processDied() throws Exception {
            try (Child child = Child.holding(dir)) {
                child.kill();
                try (SessionLock next = locks.acquire(session(), PATIENT)) {
                    PastHold hold = untilOne(Ending.PROCESS_DIED);
                    assertThat(hold.pid()).isEqualTo(child.pid());
                    assertThat(hold.token()).isLessThan(next.token()).isPositive();
                    assertThat(hold.purpose()).isEqualTo("child");
                    assertThat(hold.thread()).isEqualTo("main");
                    assertThat(hold.since()).isBefore(hold.until());
                    untilOnDisk("PROCESS_DIED");
                }
            }
        }

        @Test
        void processDiedAndItsLockWasCleared() throws Exception {
            try (Child child = Child.holding(dir)) {
                child.kill();
                await().until(() -> locks.clear(session(), ClearOptions.forReal()).get(0).outcome() == ClearReport.Outcome.CLEARED);
                assertThat(untilOne(Ending.PROCESS_DIED).pid()).isEqualTo(child.pid());
            }
        }

        @Test
        void leaseExpired() throws Exception {
            try (Child child = Child.holding(dir)) {
                child.signal("STOP");
                try (SessionLock next = locks.acquire(session(), PATIENT)) {
                    PastHold found = untilOne(Ending.LEASE_EXPIRED);
                    assertThat(found.pid()).isEqualTo(child.pid());
                    assertThat(found.waited()).as("only its own process knows").isNull();

                    child.signal("CONT");
                    await().until(() -> untilOne(Ending.LEASE_EXPIRED).waited() != null);
                    assertThat(locks.history(session(), PLENTY)).as("its own entry counts").hasSize(1);
                    assertThat(next.isHeld()).isTrue();
                }
            }
        }

        @Test
        void jvmEnded() throws Exception {
            try (Child child = Child.holding(dir)) {
                child.signal("TERM");
                child.ended();
                assertThat(untilOne(Ending.JVM_ENDED).pid()).isEqualTo(child.pid());
            }
        }

        @Test
        void eachReasonOfALossIsAnEnding() {
            for (LockLostException.Reason reason : LockLostException.Reason.values()) {
                assertThat(Ending.of(reason)).isNotIn(Ending.RELEASED, Ending.UNKNOWN);
            }
        }
    }

    @Nested
    class SummedUp {
        private long counted() throws Exception {
            return locks.history(session(), PLENTY).stream().mapToLong(PastHold::count).sum();
        }

        @Test
        void briefHolds() throws Exception {
            for (int i = 0; i < 500; i++) {
                locks.acquire(session(), WITH_PURPOSE).close();
            }
            assertThat(counted()).isEqualTo(500);
            assertThat(locks.history(session(), PLENTY)).hasSizeLessThan(100);
        }

        @Test
        void warmHolds() throws Exception {
            LockOptions lingering = WITH_PURPOSE.withLinger(Duration.ofMillis(50));
            for (int i = 0; i < 100_000; i++) {
                locks.acquire(session(), lingering).close();
            }
            await().until(() -> counted() == 100_000);
            assertThat(locks.history(session(), PLENTY)).hasSizeLessThan(100);
        }

        @Test
        void warmHoldThatLastsIsSeen() throws Exception {
            LockOptions lingering = WITH_PURPOSE.withLinger(Duration.ofSeconds(5));
            locks.acquire(session(), lingering).close();
            locks.acquire(session(), lingering).close();
            try (SessionLock lock = locks.acquire(session(), lingering)) {
                await().until(() -> Duration.between(lock.acquiredAt(), Instant.now()).toMillis() > 300);
            }
            await().until(() -> counted() == 3);
            assertThat(locks.history(session(), PLENTY)).anyMatch(hold -> hold.longest().toMillis() >= 300);
        }

        @Test
        void notThoseOfOtherThreadsOrPurposes() throws Exception {
            LockOptions lingering = WITH_PURPOSE.withLinger(Duration.ofSeconds(5));
            locks.acquire(session(), lingering).close();
            actor("another").does(() -> {
                locks.acquire(session(), lingering).close();
                return null;
            });
            locks.acquire(session(), lingering.withPurpose("compact")).close();
            await().until(() -> counted() == 3);
            assertThat(locks.history(session(), PLENTY)).extracting(PastHold::thread, PastHold::purpose).containsExactlyInAnyOrder(
                    org.assertj.core.groups.Tuple.tuple(Thread.currentThread().getName(), "append"), org.assertj.core.groups.Tuple.tuple("another", "append"),
                    org.assertj.core.groups.Tuple.tuple(Thread.currentThread().getName(), "compact"));
        }

        @Test
        void waitsAreTold() throws Exception {
            SessionLock lock = locks.acquire(session(), WITH_PURPOSE);
            Future<?> next = actor("next").begin(() -> {
                locks.acquire(session(), PATIENT.withPurpose("next")).close();
                return null;
            });
            await().until(() -> locks.stats().waiting() == 1);
            Instant waits = Instant.now();
            await().until(() -> Duration.between(waits, Instant.now()).toMillis() >= 50);
            lock.close();
            Actor.end(next);
            List<PastHold> holds = locks.history(session(), PLENTY);
            assertThat(holds).extracting(PastHold::purpose).containsExactly("next", "append");
            assertThat(holds.get(0).waited()).isGreaterThanOrEqualTo(Duration.ofMillis(50));
            assertThat(holds.get(1).longestWaitBehind()).isGreaterThanOrEqualTo(Duration.ofMillis(50));
        }
    }

    @Nested
    class Asked {
        @Test
        void forOneLockAndForAll() throws Exception {
            locks.acquire(dir.resolve("a")).close();
            locks.acquire(dir.resolve("b")).close();
            assertThat(locks.history(dir.resolve("a"), PLENTY)).extracting(PastHold::name).containsExactly("a");
            assertThat(locks.history(dir.resolve("b").toString(), PLENTY)).extracting(PastHold::name).containsExactly("b");
            assertThat(locks.historyOfAll(dir, PLENTY)).extracting(PastHold::name).containsExactly("b", "a");
            assertThat(locks.historyOfAll(dir.toString(), 1)).extracting(PastHold::name).containsExactly("b");
            assertThat(locks.history(dir.resolve("c"), PLENTY)).isEmpty();
        }

        @Test
        void whereNobodyLocked() throws Exception {
            assertThat(locks.historyOfAll(dir, PLENTY)).isEmpty();
            assertThat(locks.history(session(), PLENTY)).isEmpty();
            assertThat(dir).isEmptyDirectory();
        }

        @Test
        void badQuestions() {
            assertThatThrownBy(() -> locks.history(session(), -1)).isInstanceOf(IllegalArgumentException.class);
            assertThatThrownBy(() -> locks.historyOfAll(dir.resolve("missing"), 1)).isInstanceOf(LockException.class).hasMessageContaining("does not exist");
        }

        @Test
        void afterAllWasClosed() throws Exception {
            try (SessionLocks own = SessionLocks.create()) {
                own.acquire(session(), WITH_PURPOSE).close();
            }
            locks.close();
            Patience.untilLetGo(dir);
            assertThat(history()).exists();
            assertThat(written()).hasSize(1);
        }
    }

    /** Whatever lies in its place, locks go on. */
    @Nested
    class BrokenFiles {
        private void locksGoOn() throws Exception {
            for (int i = 0; i < 3; i++) {
                try (SessionLock lock = locks.acquire(session(), WITH_PURPOSE.withMaxHold(Duration.ofMillis(100)))) { // an ending that is written at once
                    await().until(() -> !lock.isHeld());
                }
            }
            assertThat(locks.history(session(), PLENTY)).as("what could not be written is known here").hasSizeGreaterThanOrEqualTo(3);
            assertThat(locks.list(dir).toList()).isEmpty();
        }

        @Test
        void directoryInItsPlace() throws Exception {
            Files.createDirectories(history().resolve("with something"));
            locksGoOn();
            assertThat(history()).isDirectory();
        }

        @Test
        void fifoInItsPlace() throws Exception {
            Files.createDirectories(history().getParent());
            assumeTrue(new ProcessBuilder("mkfifo", history().toString()).start().waitFor() == 0);
            locksGoOn();
        }

        @Test
        void linkInItsPlaceIsNotFollowed() throws Exception {
            Files.createDirectories(history().getParent());
            Path elsewhere = Files.writeString(dir.resolve("elsewhere"), "mine");
            Files.createSymbolicLink(history(), elsewhere);
            locksGoOn();
            assertThat(elsewhere).hasContent("mine");
        }

        @Test
        void oldOneCannotBeReplaced() throws Exception {
            Files.createDirectories(dir.resolve(".session-locks/history.old/full"));
            Files.write(history(), new byte[600_000]);
            locksGoOn();
            assertThat(Files.size(history())).isEqualTo(600_000);
        }

        @Test
        void deletedOneIsMadeAnew() throws Exception {
            locksGoOn();
            untilOnDisk("MAX_HOLD");
            Files.delete(history());
            locksGoOn();
            untilOnDisk("MAX_HOLD");
        }

        /** In a mount namespace of its own, the directory is a small disk. */
        @Test
        void fullDisk() throws Exception {
            List<String> onASmallDisk = List.of("unshare", "--mount", "/bin/sh", "-c", "mount -t tmpfs -o size=1m tmpfs '" + dir + "' && exec \"$@\"", "sh");
            List<String> probe = new ArrayList<>(onASmallDisk);
            probe.add("true");
            assumeTrue(new ProcessBuilder(probe).start().waitFor() == 0, "no small disk of its own");
            Process child = Child.start(onASmallDisk, FullDiskMain.class, List.of(), dir.toString());
            try {
                assertThat(new String(child.getInputStream().readAllBytes(), StandardCharsets.UTF_8).lines())
                        .containsExactly("full", "locks went on, and nothing was written", "written once there was room");
                assertThat(child.waitFor()).isZero();
            } finally {
                child.destroyForcibly();
            }
        }

        @Test
        void contentOfOthersIsSkipped() throws Exception {
            locks.acquire(session(), WITH_PURPOSE).close();
            untilOnDisk("append");
            String good = Files.readString(history()).strip();
            String torn = good.substring(0, good.length() / 2);
            String changed = good.replace("append", "oppend");
            byte[] junk = {0, (byte) 0xff, (byte) 0xfe, 10, '{', '}', 10, '{', '"', 10};
            Files.write(history(), junk, StandardOpenOption.APPEND);
            Files.writeString(history(), torn + "\n" + changed + "\n" + "x".repeat(3_000_000) + "\n" + torn, StandardOpenOption.APPEND);
            assertThat(locks.history(session(), PLENTY)).hasSize(1);
            assertThat(locks.historyOfAll(dir, PLENTY)).hasSize(1);
            Files.write(history(), "\n".getBytes(StandardCharsets.UTF_8), StandardOpenOption.APPEND);
            Files.writeString(history(), good + "\n", StandardOpenOption.APPEND);
            assertThat(locks.history(session(), PLENTY)).as("the same once more").hasSize(1);
        }

        @Test
        void tornLineCostsItselfAlone() throws Exception {
            locks.acquire(session(), WITH_PURPOSE).close();
            untilOnDisk("append");
            String good = Files.readString(history()).strip();
            Files.writeString(history(), good.substring(0, good.length() - 5)); // as a full disk, or a power cut, leaves it
            locks.acquire(session(), PATIENT.withPurpose("after")).close();
            untilOnDisk("after");
            assertThat(written()).extracting(PastHold::purpose).containsExactly("after");
        }
    }

    /** The bound is read when a directory is opened. */
    @Nested
    class Bound {
        private void with(String bytes, Path where, int holds) throws Exception {
            Process writer = Child.start(WriterMain.class, List.of("-Dsessionlock.history=" + bytes), where.toString(), String.valueOf(holds));
            try {
                assertThat(writer.waitFor()).isZero();
            } finally {
                writer.destroyForcibly();
            }
        }

        @Test
        void isKept() throws Exception {
            for (int i = 0; i < 3; i++) {
                with("32768", dir, 200);
            }
            long size = Files.size(history()) + Files.size(dir.resolve(".session-locks/history.old"));
            assertThat(size).isBetween(8_000L, 32_768L);
            List<PastHold> last = locks.historyOfAll(dir, 1);
            assertThat(last).extracting(PastHold::purpose).containsExactly("199");
        }

        @Test
        void zeroTurnsItOff() throws Exception {
            with("0", dir, 5);
            assertThat(history()).doesNotExist();
            assertThat(locks.historyOfAll(dir, PLENTY)).isEmpty();
        }

        @Test
        void badOneIsNotUsed() throws Exception {
            with("lots", dir, 5);
            assertThat(locks.historyOfAll(dir, PLENTY)).hasSize(5);
        }
    }

    /** Holds a lock for each number. */
    static final class WriterMain {
        public static void main(String... args) throws Exception {
            Path dir = Path.of(args[0]);
            try (SessionLocks locks = SessionLocks.create()) {
                for (int i : IntStream.range(0, Integer.parseInt(args[1])).toArray()) {
                    locks.acquire(dir.resolve("session.jsonl"), LockOptions.defaults().withPurpose(String.valueOf(i))).close();
                }
            }
        }
    }

    /** Fills its disk, and goes on. */
    static final class FullDiskMain {
        public static void main(String... args) throws Exception {
            Path dir = Path.of(args[0]);
            Path history = dir.resolve(".session-locks/history");
            try (SessionLocks locks = SessionLocks.create()) {
                locks.acquire(dir.resolve("session.jsonl"), LockOptions.defaults().withPurpose("before")).close();
                fill(dir);
                System.out.println("full");
                long written = Files.exists(history) ? Files.size(history) : 0;
                for (int i = 0; i < 3; i++) {
                    try (SessionLock lock = locks.acquire(dir.resolve("session.jsonl"), LockOptions.defaults().withMaxHold(Duration.ofMillis(100)))) {
                        await().until(() -> !lock.isHeld());
                    }
                }
                assertThat(Files.exists(history) ? Files.size(history) : 0).isEqualTo(written);
                System.out.println("locks went on, and nothing was written");
                Files.delete(dir.resolve("filler"));
                await().atMost(Duration.ofMinutes(2)) // what failed time after time is tried again after 30 s
                        .until(() -> Files.exists(history) && Files.readString(history).split("MAX_HOLD", -1).length == 4);
                System.out.println("written once there was room");
            }
        }

        private static void fill(Path dir) throws Exception {
            try (OutputStream filler = Files.newOutputStream(dir.resolve("filler"))) {
                for (byte[] page = new byte[4096]; ; ) {
                    filler.write(page);
                }
            } catch (IOException e) {
                assertThat(e).hasMessageContaining("No space left");
            }
        }
    }

    /** Prints the history. */
    static final class ReaderMain {
        public static void main(String... args) throws Exception {
            try (SessionLocks locks = SessionLocks.create()) {
                locks.historyOfAll(Path.of(args[0]), PLENTY).forEach(hold -> System.out.println(HistoryText.of(hold)));
            }
        }

        static List<PastHold> inAnotherJvm(Path dir) throws Exception {
            Process reader = Child.start(ReaderMain.class, List.of(), dir.toString());
            try {
                List<PastHold> read = new String(reader.getInputStream().readAllBytes(), StandardCharsets.UTF_8).lines().map(HistoryText::read).toList();
                assertThat(reader.waitFor()).isZero();
                return read;
            } finally {
                reader.destroyForcibly();
            }
        }
    }
}

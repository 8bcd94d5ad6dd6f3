package dev.sessionlock;

import static dev.sessionlock.Patience.await;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.sessionlock.ClearReport.Outcome;
import dev.sessionlock.LockLostException.Reason;
import dev.sessionlock.internal.directory.LockRecords;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.BasicFileAttributes;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.Future;
import java.util.concurrent.atomic.AtomicLong;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** A lock that lingers in its JVM when its user has closed it: what that saves, and which promises hold nevertheless. */
@Timeout(120)
class LingerTest {
    private static final LockOptions WARM = LockOptions.defaults().withLinger(Duration.ofMinutes(1));

    @TempDir
    Path dir;
    private SessionLocks locks = SessionLocks.create();
    private final Actor other = new Actor("other");

    @AfterEach
    void close() {
        other.close();
        locks.close();
        Patience.untilLetGo(dir);
    }

    private Path session() {
        return dir.resolve("session.jsonl");
    }

    private Path lockFile() {
        return dir.resolve("session.jsonl.lock");
    }

    private String record() throws IOException {
        return Files.exists(lockFile()) ? Files.readString(lockFile()) : "";
    }

    private void untilCold() {
        await().until(() -> Files.notExists(lockFile()) && Kernel.seatsHeldIn(dir) == 0);
    }

    // ---- what it saves ----

    @Test
    void theNextAcquisitionTouchesNeitherDiskNorKernel() throws Exception {
        long token;
        try (SessionLock lock = locks.acquire(session(), WARM)) {
            token = lock.token();
        }
        assertThat(Kernel.seatsHeldIn(dir)).isEqualTo(1);
        boolean untouched = false;
        int rounds = 0;
        while (!untouched && rounds < 100_000) { // once a second the keeper writes who has it then; not during each of these batches
            BasicFileAttributes before = Files.readAttributes(lockFile(), BasicFileAttributes.class);
            for (int i = 0; i < 100; i++, rounds++) {
                try (SessionLock lock = locks.acquire(session(), WARM)) {
                    assertThat(lock.token()).isGreaterThan(token);
                    lock.ensureHeld();
                    token = lock.token();
                }
            }
            BasicFileAttributes after = Files.readAttributes(lockFile(), BasicFileAttributes.class);
            untouched = after.lastModifiedTime().equals(before.lastModifiedTime()) && after.fileKey().equals(before.fileKey());
        }
        assertThat(untouched).isTrue();
        assertThat(locks.stats()).isEqualTo(new LockStats(0, 0, rounds + 1, 0, 0));
    }

    @Test
    void oneTryGetsItTooAndSoDoesAnotherThreadAndAnotherSessionLocks() throws Exception {
        locks.acquire(session(), WARM).close();
        SessionLock tried = locks.tryAcquire(session(), WARM).orElseThrow();
        assertThat(other.does(() -> locks.tryAcquire(session(), WARM))).isEmpty();
        tried.close();
        other.does(() -> locks.tryAcquire(session(), WARM)).orElseThrow().close();
        try (SessionLocks others = SessionLocks.create()) {
            try (SessionLock lock = others.acquire(session(), WARM)) {
                assertThat(lock.token()).isGreaterThan(tried.token());
                lock.verifyHeld();
            }
            assertThat(others.stats()).as("each counts its own").isEqualTo(new LockStats(0, 0, 1, 0, 0));
            try (SessionLock lock = locks.acquire(session(), WARM)) {
                lock.verifyHeld();
            }
            assertThat(locks.stats()).isEqualTo(new LockStats(0, 0, 4, 0, 0));
        }
    }

    // ---- when it ends ----

    @Test
    void nothingRemainsWhenItIsOver() throws Exception {
        locks.acquire(session(), WARM.withLinger(Duration.ofMillis(300))).close();
        assertThat(lockFile()).exists();
        untilCold();
        locks.acquire(session(), WARM.withLinger(Duration.ofMillis(1))).close();
        untilCold();
    }

    @Test
    void itIsCountedFromTheLastUser() throws Exception {
        LockOptions half = WARM.withLinger(Duration.ofMillis(500));
        int seenBeyond = 0;
        locks.acquire(session(), half).close();
        long start = System.nanoTime();
        for (long last = start; last - start < 1_500_000_000L; ) {
            Thread.sleep(20);
            boolean there = Files.exists(lockFile());
            long now = System.nanoTime();
            if (now - last < 300_000_000L) { // otherwise this machine stood still, and the lease may be over
                assertThat(there).as("it is warm %d ms after its first user, %d ms after its last one", (now - start) / 1_000_000,
                        (now - last) / 1_000_000).isTrue();
                seenBeyond += now - start > 600_000_000L ? 1 : 0;
            }
            locks.acquire(session(), half).close();
            last = System.nanoTime();
        }
        assertThat(seenBeyond).as("looks at a time at which it would be over, were it counted from its first user").isPositive();
        untilCold();
    }

    @Test
    void closingTheSessionLocksEndsIt() throws Exception {
        locks.acquire(session(), WARM).close();
        locks.close();
        untilCold();
        assertThatThrownBy(() -> locks.acquire(session(), WARM)).isInstanceOf(IllegalStateException.class);
    }

    @Test
    void withoutItNothingRemainsFromTheBeginning() throws Exception {
        locks.acquire(session()).close();
        assertThat(lockFile()).doesNotExist();
        locks.acquire(session(), WARM).close();
        locks.acquire(session()).close();
        assertThat(lockFile()).as("its last user did not ask for it").doesNotExist();
    }

    @Test
    void aLockWithoutTakeoverDoesNotLinger() throws Exception {
        locks.acquire(session(), WARM.withTakeover(false)).close();
        assertThat(lockFile()).doesNotExist();
        assertThat(Kernel.seatsHeldIn(dir)).isZero();
    }

    @Test
    void aLockThatWasLostDoesNotLinger() throws Exception {
        SessionLock lock = locks.acquire(session(), WARM.withMaxHold(Duration.ofMillis(100)).withRevokeGrace(Duration.ofMinutes(5)));
        await().until(() -> locks.stats().lost() == 1);
        lock.close();
        assertThat(lockFile()).doesNotExist();
        assertThat(locks.stats()).isEqualTo(new LockStats(0, 0, 1, 1, 0));
    }

    @Test
    void removingItsFileEndsItAndNobodyIsTold() throws Exception {
        ConcurrentLinkedQueue<LockLostException> told = new ConcurrentLinkedQueue<>();
        locks.close();
        locks = SessionLocks.builder().listener(new LockListener() {
            @Override
            public void lost(Event event, LockLostException why) {
                told.add(why);
            }
        }).build();
        locks.acquire(session(), WARM).close();
        Files.delete(lockFile());
        untilCold();
        SessionLock next = locks.acquire(session(), WARM.withMaxHold(Duration.ofMillis(100)));
        await().until(() -> !told.isEmpty()); // those of the next hold, in order
        assertThat(told.peek().reason()).isEqualTo(Reason.MAX_HOLD);
        next.close();
        assertThat(locks.stats()).isEqualTo(new LockStats(0, 0, 2, 1, 0));
        try (SessionLock lock = locks.acquire(session(), WARM)) {
            lock.verifyHeld();
        }
    }

    @Test
    void whoeverHasItWhenItsFileIsRemovedIsTold() throws Exception {
        locks.acquire(session(), WARM).close();
        try (SessionLock lock = locks.acquire(session(), WARM)) {
            Files.delete(lockFile());
            await().until(() -> !lock.isHeld());
            assertThatThrownBy(lock::ensureHeld).isInstanceOfSatisfying(LockLostException.class,
                    e -> assertThat(e.reason()).isEqualTo(Reason.REMOVED_BY_HAND));
        }
        assertThat(locks.stats()).isEqualTo(new LockStats(0, 0, 2, 1, 0));
    }

    @Test
    void itIsClearedByItsToken() throws Exception {
        SessionLock lock = locks.acquire(session(), WARM);
        lock.close();
        Outcome outcome = Outcome.REFUSED;
        while (outcome == Outcome.REFUSED) { // the keeper of a busy machine may be late
            outcome = locks.clear(session(), ClearOptions.forReal().withToken(lock.token()).withTimeout(Duration.ofSeconds(10))).get(0).outcome();
        }
        assertThat(outcome).isIn(Outcome.RELEASED, Outcome.CLEARED);
        untilCold();
        assertThat(locks.stats().lost()).isZero();
    }

    // ---- promises that hold nevertheless ----

    @Test
    void aHandleThatWasClosedStaysSoWhenTheLockIsTakenAgain() throws Exception {
        SessionLock first = locks.acquire(session(), WARM);
        long token = first.token();
        Instant acquiredAt = first.acquiredAt();
        first.close();
        Thread.sleep(2);
        try (SessionLock second = locks.acquire(session(), WARM)) {
            first.close();
            first.detach();
            assertThat(first.isHeld()).isFalse();
            assertThatThrownBy(first::ensureHeld).isInstanceOf(IllegalStateException.class).isNotInstanceOf(LockReentryException.class);
            assertThat(first.token()).isEqualTo(token);
            assertThat(first.acquiredAt()).isEqualTo(acquiredAt);
            assertThat(second.acquiredAt()).isAfter(acquiredAt);
            assertThat(second.isHeld()).isTrue();
            assertThatThrownBy(() -> locks.acquire(session(), WARM)).as("it still belongs to this thread").isInstanceOf(LockReentryException.class);
            assertThat(other.does(() -> locks.tryAcquire(session(), WARM))).isEmpty();
        }
    }

    @Test
    void maxHoldRunsForEachUserAndNotWhileNobodyHasIt() throws Exception {
        LockOptions brief = WARM.withMaxHold(Duration.ofMillis(400)).withRevokeGrace(Duration.ofMinutes(5));
        locks.acquire(session(), brief).close();
        String first = record();
        await().until(() -> !record().equals(first)); // other programs, which know only maxHold, must not find it overdue
        Thread.sleep(500); // longer than maxHold
        assertThat(lockFile()).as("it lingers on").exists();
        assertThat(locks.stats().lost()).isZero();
        try (SessionLock lock = locks.acquire(session(), brief)) {
            lock.ensureHeld();
            assertThat(lock.remaining()).isBetween(Duration.ofNanos(1), Duration.ofMillis(400));
            await().until(() -> locks.stats().lost() == 1);
            assertThatThrownBy(lock::ensureHeld).isInstanceOfSatisfying(LockLostException.class,
                    e -> assertThat(e.reason()).isEqualTo(Reason.MAX_HOLD));
        }
    }

    @Test
    void theRecordTellsWhoHasItNow() throws Exception {
        LockOptions seldomRenewed = WARM.withLease(Duration.ofMinutes(10));
        locks.acquire(session(), seldomRenewed).close();
        SessionLock lock = other.does(() -> locks.acquire(session(), seldomRenewed));
        await().until(() -> record().contains("\"token\":" + lock.token() + ",") && record().contains("\"thread\":\"other\""));
        assertThat(locks.inspect(session()).owner()).isNotNull();
        assertThat(locks.inspect(session()).owner().since()).isBetween(lock.acquiredAt().minusMillis(1), Instant.now());
        lock.verifyHeld();
        lock.close();
    }

    @Test
    void whatLingersIsRecordedWithTheMaxHoldOfItsNextUser() throws Exception {
        locks.acquire(session(), WARM).close();
        SessionLock lock = locks.acquire(session(), WARM);
        lock.close();
        await().until(() -> record().contains("\"token\":" + lock.token() + ","));
        assertThat(record()).containsPattern("\"maxHoldMs\":(300|299)\\d{3},");
    }

    @Test
    void onlyTheFirstUserIsToldThatItReclaimed() throws Exception {
        Files.write(lockFile(), LockRecords.of(999_999_999, 1, Duration.ofSeconds(30), true));
        locks.acquire(session(), WARM).close();
        locks.acquire(session(), WARM).close();
        try (SessionLocks others = SessionLocks.create()) {
            others.acquire(session(), WARM).close();
            assertThat(others.stats().reclaimed()).isZero();
        }
        assertThat(locks.stats().reclaimed()).isEqualTo(1);
    }

    @Test
    void otherOptionsAreHonoured() throws Exception {
        SessionLock first = locks.acquire(session(), WARM);
        first.close();
        try (SessionLock lock = locks.acquire(session(), WARM.withPurpose("flush").withLease(Duration.ofSeconds(7)))) {
            assertThat(record()).contains("\"purpose\":\"flush\"", "\"leaseMs\":7000", "\"token\":" + lock.token() + ",");
            assertThat(lock.token()).isGreaterThan(first.token());
            lock.verifyHeld();
        }
    }

    @Test
    void innerHandlesShareItAndTheLastOneClosedLeavesItWarm() throws Exception {
        LockOptions reentrant = WARM.withReentrant(true);
        locks.acquire(session(), reentrant).close();
        SessionLock outer = locks.acquire(session(), reentrant);
        SessionLock inner = locks.acquire(session(), reentrant);
        assertThat(inner.token()).isEqualTo(outer.token());
        outer.close();
        inner.ensureHeld();
        assertThat(other.does(() -> locks.tryAcquire(session(), reentrant))).isEmpty();
        inner.close();
        other.does(() -> locks.tryAcquire(session(), reentrant)).orElseThrow().close();
    }

    @Test
    void whoIsInterruptedGetsNothing() throws Exception {
        locks.acquire(session(), WARM).close();
        Thread.currentThread().interrupt();
        assertThatThrownBy(() -> locks.acquire(session(), WARM)).isInstanceOf(InterruptedException.class);
        locks.tryAcquire(session(), WARM).orElseThrow().close();
    }

    @Test
    void aForgottenHandleIsFound() throws Exception {
        locks.acquire(session(), WARM).close();
        forget();
        await().until(() -> {
            System.gc();
            return locks.stats().lost() == 1;
        });
        untilCold();
        try (SessionLock lock = locks.acquire(session(), WARM)) {
            lock.verifyHeld();
        }
    }

    private void forget() throws Exception {
        locks.acquire(session(), WARM);
    }

    @Test
    void aSymbolicLinkThatIsPointedElsewhereIsSeen() throws Exception {
        Path one = Files.createDirectory(dir.resolve("one"));
        Path two = Files.createDirectory(dir.resolve("two"));
        Path link = Files.createSymbolicLink(dir.resolve("link"), one);
        locks.acquire(link.resolve("s"), WARM).close();
        Files.delete(link);
        Files.createSymbolicLink(link, two);
        try (SessionLock lock = locks.acquire(link.resolve("s"), WARM)) {
            assertThat(lock.lockFile()).isEqualTo(two.toRealPath().resolve("s.lock")).exists();
        }
    }

    @Test
    void severalAtOnceLingerEachByItself() throws Exception {
        List<Path> both = List.of(session(), dir.resolve("index.jsonl"));
        long token;
        try (SessionLock all = locks.acquireAll(both, WARM)) {
            token = all.token();
        }
        assertThat(Kernel.seatsHeldIn(dir)).isEqualTo(2);
        try (SessionLock one = locks.acquire(session(), WARM); SessionLock lock = locks.acquire(both.get(1), WARM)) {
            assertThat(Math.max(one.token(), lock.token())).isGreaterThan(token);
        }
    }

    @Test
    void listenersAreToldOfEachUser() throws Exception {
        ConcurrentLinkedQueue<String> told = new ConcurrentLinkedQueue<>();
        locks.close();
        locks = SessionLocks.builder().listener(new LockListener() {
            @Override
            public void acquired(Event event) {
                told.add("acquired " + event.token());
            }

            @Override
            public void released(Event event) {
                told.add("released " + event.token());
            }
        }).build();
        List<String> expected = new ArrayList<>();
        for (int i = 0; i < 3; i++) {
            try (SessionLock lock = locks.acquire(session(), WARM)) {
                expected.add("acquired " + lock.token());
                expected.add("released " + lock.token());
            }
        }
        await().until(() -> told.size() == 6);
        assertThat(told).containsExactlyElementsOf(expected);
    }

    @Test
    void listenersAreToldOfOneUserAfterTheOther() throws Exception {
        ConcurrentLinkedQueue<String> told = new ConcurrentLinkedQueue<>();
        locks.close();
        locks = SessionLocks.builder().listener(new LockListener() {
            @Override
            public void acquired(Event event) {
                told.add("acquired");
            }

            @Override
            public void released(Event event) {
                told.add("released");
            }
        }).build();
        int rounds = 5_000;
        Future<Integer> theirs = other.begin(() -> rounds(rounds));
        rounds(rounds);
        Actor.end(theirs);
        await().until(() -> told.size() == 4 * rounds);
        List<String> inOrder = new ArrayList<>(told);
        for (int i = 0; i < inOrder.size(); i++) {
            assertThat(inOrder.get(i)).as("event %d", i).isEqualTo(i % 2 == 0 ? "acquired" : "released");
        }
    }

    private int rounds(int rounds) throws Exception {
        for (int i = 0; i < rounds; i++) {
            locks.acquire(session(), WARM.withTimeout(Duration.ofMinutes(1))).close();
        }
        return rounds;
    }

    @Test
    void threadsExcludeEachOtherAndTokensGrowWhateverTheyAskFor() throws Exception {
        AtomicLong inside = new AtomicLong();
        AtomicLong lastToken = new AtomicLong();
        List<Actor> actors = List.of(new Actor("one"), new Actor("two"), new Actor("three"), new Actor("four"));
        List<Future<Integer>> all = new ArrayList<>();
        for (int a = 0; a < actors.size(); a++) {
            LockOptions mine = a < 2 ? WARM : WARM.withPurpose("actor " + a).withLinger(Duration.ofMillis(a));
            all.add(actors.get(a).begin(() -> {
                int rounds = 0;
                for (long end = System.nanoTime() + 1_000_000_000L; System.nanoTime() < end; rounds++) {
                    try (SessionLock lock = locks.acquire(session(), mine.withTimeout(Duration.ofMinutes(1)))) {
                        assertThat(inside.incrementAndGet()).as("holders").isEqualTo(1);
                        assertThat(lock.token()).isGreaterThan(lastToken.getAndSet(lock.token()));
                        lock.ensureHeld();
                        inside.decrementAndGet();
                    }
                }
                return rounds;
            }));
        }
        int rounds = 0;
        for (Future<Integer> one : all) {
            rounds += Actor.end(one);
        }
        actors.forEach(Actor::close);
        assertThat(locks.stats()).isEqualTo(new LockStats(0, 0, rounds, 0, 0));
        locks.close();
        untilCold();
    }
}

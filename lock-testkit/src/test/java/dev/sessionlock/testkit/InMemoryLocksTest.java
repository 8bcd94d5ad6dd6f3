package dev.sessionlock.testkit;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.awaitility.Awaitility.await;

import dev.sessionlock.ClearOptions;
import dev.sessionlock.ClearReport.Outcome;
import dev.sessionlock.LockException;
import dev.sessionlock.LockListener;
import dev.sessionlock.LockLostException;
import dev.sessionlock.LockLostException.Reason;
import dev.sessionlock.LockOptions;
import dev.sessionlock.LockReentryException;
import dev.sessionlock.LockReport;
import dev.sessionlock.LockReport.State;
import dev.sessionlock.LockTimeoutException;
import dev.sessionlock.SessionLock;
import dev.sessionlock.SessionLocks;
import java.lang.ref.Reference;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.ExecutionException;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Locks in memory, within one process: time, inspection, clearing. */
class InMemoryLocksTest extends InMemoryFixture {
    // ---- within one process ----

    @Test
    void locksAndUnlocksWithoutADisk() throws Exception {
        SessionLocks locks = mine.locks();
        long token;
        try (SessionLock lock = locks.acquire(SESSION)) {
            lock.ensureHeld();
            lock.verifyHeld();
            token = lock.token();
            assertThat(lock.name()).isEqualTo("session.jsonl");
            assertThat(lock.lockFile()).isNull();
            assertThat(lock.acquiredAt()).isEqualTo(clock.wallTime());
            assertThat(lock.remaining()).isEqualTo(Duration.ofMinutes(5));
            assertThat(locks.stats().held()).isOne();
            assertThatThrownBy(() -> locks.acquire(SESSION)).isInstanceOf(LockReentryException.class);
            try (SessionLock inner = locks.acquire(SESSION, LockOptions.defaults().withReentrant(true))) {
                assertThat(inner.token()).isEqualTo(token);
            }
            assertThat(end(CompletableFuture.supplyAsync(() -> tryAcquire(locks)))).isFalse();
        }
        try (SessionLock again = locks.tryAcquire(Path.of("no/such/./directory/x/../session.jsonl")).orElseThrow()) {
            assertThat(again.token()).isGreaterThan(token);
        }
        assertThat(locks.stats().held()).isZero();
        assertThat(Path.of("no")).doesNotExist();
        assertThat(mine.locks()).isSameAs(locks);
    }

    @Test
    void afterTheGreatestTokenThereIsNone() throws Exception {
        mine.locks().acquire(SESSION).close();
        mine.process.machine.slots.values().forEach(slot -> slot.lastToken = Long.MAX_VALUE - 1);
        try (SessionLock last = mine.locks().acquire(SESSION)) {
            assertThat(last.token()).isEqualTo(Long.MAX_VALUE);
        }
        assertThatThrownBy(() -> mine.locks().acquire(SESSION)).isExactlyInstanceOf(LockException.class)
                .hasMessageContainingAll("tokens are used up", "fences", "new InMemoryLocks");
    }

    @Test
    void threadsQueueAndAreHandedTheLockInTheirOrder() throws Exception {
        SessionLock first = mine.locks().acquire(SESSION);
        List<CompletableFuture<SessionLock>> waiting = new ArrayList<>();
        for (int i = 0; i < 5; i++) {
            waiting.add(beginAcquire(mine.locks(), PATIENT));
        }
        assertThat(end(CompletableFuture.supplyAsync(() -> tryAcquire(mine.locks())))).isFalse();
        assertThat(waiting).noneMatch(CompletableFuture::isDone);
        long token = first.token();
        first.close();
        for (CompletableFuture<SessionLock> next : waiting) {
            SessionLock lock = end(next);
            assertThat(lock.token()).isGreaterThan(token);
            token = lock.token();
            assertThat(waiting.stream().filter(CompletableFuture::isDone).count()).isEqualTo(waiting.indexOf(next) + 1);
            lock.close();
        }
    }

    @Test
    void severalAreLockedAllOrNone() throws Exception {
        Path a = Path.of("a");
        Path b = Path.of("b");
        SessionLock held = other.locks().acquire(b);
        assertThatThrownBy(() -> mine.locks().acquireAll(List.of(a, b), ONE_TRY)).isInstanceOf(LockTimeoutException.class);
        assertThat(other.locks().inspect(a).state()).isEqualTo(State.FREE);
        held.close();
        try (SessionLock both = mine.locks().acquireAll(List.of(b, a, b))) {
            assertThat(both.parts()).hasSize(2);
        }
    }

    @Test
    void forgottenHandleIsFoundByTheGarbageCollector() throws Exception {
        List<Reason> lost = new CopyOnWriteArrayList<>();
        SessionLocks locks = mine.builder().listener(new LockListener() {
            @Override
            public void lost(Event event, LockLostException why) {
                assertThat(event.lockFile()).isNull();
                lost.add(why.reason());
            }
        }).build();
        Object forgotten = locks.acquire(SESSION).detach();
        Reference.reachabilityFence(forgotten);
        forgotten = null;
        await().atMost(Puppet.PATIENCE).until(() -> {
            System.gc();
            return lost.contains(Reason.LEAKED);
        });
        await().atMost(Puppet.PATIENCE).until(() -> other.locks().tryAcquire(SESSION).isPresent());
    }

    @Test
    void replaceWorksOnTheRealFiles(@TempDir Path dir) throws Exception {
        Path target = Files.writeString(dir.resolve("session.jsonl"), "old");
        try (SessionLock lock = mine.locks().acquire(target)) {
            lock.replace(Files.writeString(dir.resolve("new"), "new"));
        }
        assertThat(target).hasContent("new");
        assertThat(dir.toFile().list()).containsExactly("session.jsonl");
    }

    @Test
    void namesThatCannotBeLockedAreRefusedAsOnADisk() {
        assertThatThrownBy(() -> mine.locks().acquire(Path.of("/"))).isInstanceOf(LockException.class).hasMessageContaining("root");
        assertThatThrownBy(() -> mine.locks().acquire(Path.of("x".repeat(250)))).isInstanceOf(LockException.class)
                .hasMessageContaining("242");
    }

    // ---- time ----

    @Test
    void keeperRenewsWhileTimePassesUntilMaxHold() throws Exception {
        SessionLock lock = mine.locks().acquire(SESSION);
        List<Reason> told = new CopyOnWriteArrayList<>();
        lock.onLost(why -> told.add(why.reason()));
        clock.advance(Duration.ofSeconds(299));
        lock.ensureHeld();
        assertThat(lock.remaining()).isEqualTo(Duration.ofSeconds(1));
        lock.renew();
        clock.advance(Duration.ofSeconds(299));
        lock.ensureHeld();
        clock.advance(Duration.ofSeconds(1));
        assertThatThrownBy(lock::ensureHeld).isInstanceOf(LockLostException.class)
                .extracting(e -> ((LockLostException) e).reason()).isEqualTo(Reason.MAX_HOLD);
        await().atMost(Puppet.PATIENCE).until(() -> told.equals(List.of(Reason.MAX_HOLD)));
        assertThat(other.locks().tryAcquire(SESSION)).as("within the grace").isEmpty();
        clock.advance(Duration.ofSeconds(2));
        assertThat(other.locks().tryAcquire(SESSION)).as("after it").isPresent();
        lock.close();
    }

    @Test
    void lockWithoutLimitIsHeldForDays() throws Exception {
        try (SessionLock lock = mine.locks().acquire(SESSION, LockOptions.defaults().withMaxHold(LockOptions.UNLIMITED))) {
            clock.advance(Duration.ofDays(2));
            lock.verifyHeld();
        }
    }

    @Test
    void leaseThatIsSleptThroughIsLost() throws Exception {
        SessionLock lock = mine.locks().acquire(SESSION);
        clock.jump(Duration.ofSeconds(29));
        lock.ensureHeld();
        clock.jump(Duration.ofSeconds(31));
        assertThatThrownBy(lock::ensureHeld).isInstanceOf(LockLostException.class)
                .extracting(e -> ((LockLostException) e).reason()).isEqualTo(Reason.LEASE_EXPIRED);
        assertThat(other.locks().tryAcquire(SESSION)).isPresent();
        lock.close();
        assertThat(mine.locks().inspect(SESSION).owner().pid()).isEqualTo(other.pid());
    }

    @Test
    void timeoutFiresWhenItsTimeHasPassedAndNamesTheHolder() throws Exception {
        SessionLock held = other.locks().acquire(SESSION, LockOptions.defaults().withPurpose("compaction"));
        CompletableFuture<SessionLock> waiting = beginAcquire(mine.locks(), LockOptions.defaults());
        clock.advance(Duration.ofMillis(9_999));
        assertThat(waiting).isNotDone();
        clock.advance(Duration.ofMillis(1));
        assertThatThrownBy(() -> end(waiting)).isInstanceOf(ExecutionException.class).cause().isInstanceOf(LockTimeoutException.class)
                .hasMessageContaining("session file locked (timeout 10000ms): pid=" + other.pid() + " alive=true ageMs=10000 " + SESSION
                        + ".lock")
                .hasMessageContaining("purpose \"compaction\"").hasMessageContaining("lease     renewed ")
                .satisfies(e -> assertThat(((LockTimeoutException) e).waited()).isEqualTo(Duration.ofSeconds(10)));
        held.close();
    }

    @Test
    void stepsOfTheWallClockChangeNothing() throws Exception {
        SessionLock lock = mine.locks().acquire(SESSION);
        CompletableFuture<SessionLock> waiting = beginAcquire(other.locks(), PATIENT);
        clock.setWallTime(clock.wallTime().plus(Duration.ofDays(400)));
        clock.advance(Duration.ofSeconds(1));
        lock.verifyHeld();
        clock.setWallTime(clock.wallTime().minus(Duration.ofDays(4_000)));
        clock.advance(Duration.ofSeconds(20));
        lock.verifyHeld();
        assertThat(waiting).isNotDone();
        lock.close();
        assertThat(end(waiting).token()).as("though the wall clock went back").isGreaterThan(lock.token());
    }

    @Test
    void worksByTheMachinesClockToo() throws Exception {
        try (InMemoryLocks real = InMemoryLocks.create(); InMemoryLocks beside = real.anotherProcess()) {
            LockOptions brief = LockOptions.defaults().withLease(Duration.ofSeconds(1)).withTimeout(Duration.ofSeconds(20));
            SessionLock lock = real.locks().acquire(SESSION, brief);
            assertThatThrownBy(() -> beside.locks().acquire(SESSION, brief.withTimeout(Duration.ofMillis(1_500))))
                    .as("its keeper renews it").isInstanceOf(LockTimeoutException.class);
            real.freeze();
            try (SessionLock successor = beside.locks().acquire(SESSION, brief)) {
                assertThat(lock.isHeld()).as("what a frozen process believes").isTrue();
                real.wake();
                assertThat(lock.isHeld()).isFalse();
                successor.verifyHeld();
            }
        }
    }

    // ---- looking and clearing ----

    @Test
    void looksSayWhoHoldsWhat() throws Exception {
        Path beside = SESSION.resolveSibling("another.jsonl");
        assertThat(mine.locks().inspect(SESSION).state()).isEqualTo(State.FREE);
        try (SessionLock lock = mine.locks().acquire(SESSION, LockOptions.defaults().withPurpose("a flush"));
                SessionLock second = other.locks().acquire(beside);
                SessionLock elsewhere = other.locks().acquire(Path.of("elsewhere"))) {
            LockReport report = other.locks().inspect(SESSION);
            assertThat(report.state()).isEqualTo(State.HELD);
            assertThat(report.lockFile()).isNull();
            assertThat(report.owner().pid()).isEqualTo(mine.pid());
            assertThat(report.owner().purpose()).isEqualTo("a flush");
            assertThat(report.owner().token()).isEqualTo(lock.token());
            assertThat(report.owner().leaseUntil()).isEqualTo(clock.wallTime().plusSeconds(30));
            assertThat(report.owner().thread()).isEqualTo(Thread.currentThread().getName());
            assertThat(mine.locks().list(SESSION.getParent()).map(LockReport::name)).containsExactly("another.jsonl", "session.jsonl");
            assertThat(elsewhere.isHeld() && second.isHeld()).isTrue();
            mine.freeze();
            clock.advance(Duration.ofSeconds(34));
            assertThat(other.locks().inspect(SESSION).state()).isEqualTo(State.EXPIRED);
            mine.wake();
        }
        assertThat(mine.locks().list(SESSION.getParent())).isEmpty();
    }

    @Test
    void livingHolderIsAskedToLetGoAndADeadOneIsCleared() throws Exception {
        SessionLock lock = other.locks().acquire(SESSION);
        lock.onLost(why -> lock.close());
        assertThat(mine.locks().clear(SESSION)).singleElement().satisfies(c -> assertThat(c.outcome()).isEqualTo(Outcome.REFUSED));
        CompletableFuture<Outcome> clearing = CompletableFuture.supplyAsync(() -> {
            try {
                return mine.locks().clear(SESSION, ClearOptions.forReal().withToken(lock.token())).get(0).outcome();
            } catch (LockException | InterruptedException e) {
                throw new AssertionError(e);
            }
        });
        assertThat(end(clearing)).as("by its keeper, which ticks in real time too").isEqualTo(Outcome.RELEASED);
        assertThat(other.locks().stats().lost()).isOne();

        other.hold(SESSION);
        other.crash();
        assertThat(mine.locks().clear(SESSION.getParent(), ClearOptions.dryRun())).singleElement()
                .satisfies(c -> assertThat(c.outcome()).isEqualTo(Outcome.WOULD_CLEAR));
        assertThat(mine.locks().clear(SESSION.getParent(), ClearOptions.forReal())).singleElement()
                .satisfies(c -> assertThat(c.outcome()).isEqualTo(Outcome.CLEARED));
        assertThat(mine.locks().clear(SESSION.getParent(), ClearOptions.forReal())).isEmpty();
        assertThat(mine.locks().inspect(SESSION).state()).isEqualTo(State.FREE);
    }

    // ---- the end ----

    @Test
    void closeEndsTheProcessInGoodOrderAndLeavesNoThread() throws Exception {
        InMemoryLocks memory = InMemoryLocks.create();
        InMemoryLocks second = memory.anotherProcess();
        InMemoryLocks third = memory.anotherProcess();
        SessionLock lock = second.locks().acquire(SESSION);
        CompletableFuture<SessionLock> waiting = beginAcquire(memory.locks(), PATIENT);
        CompletableFuture<SessionLock> alsoWaiting = beginAcquire(third.locks(), PATIENT);
        second.close();
        assertThatThrownBy(lock::ensureHeld).isInstanceOf(LockLostException.class)
                .extracting(e -> ((LockLostException) e).reason()).isEqualTo(Reason.SHUTDOWN);
        await().atMost(Puppet.PATIENCE).until(() -> waiting.isDone() || alsoWaiting.isDone());
        memory.close();
        await().atMost(Puppet.PATIENCE).until(() -> waiting.isDone() && alsoWaiting.isDone());
        assertThat(memory.locks().stats().held() + third.locks().stats().held()).isZero();
        assertThatThrownBy(() -> memory.locks().acquire(SESSION)).isInstanceOf(IllegalStateException.class);
        memory.close();
    }
}

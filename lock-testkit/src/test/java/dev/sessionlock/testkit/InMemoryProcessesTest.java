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
import dev.sessionlock.LockReport;
import dev.sessionlock.LockReport.State;
import dev.sessionlock.LockTimeoutException;
import dev.sessionlock.SessionLock;
import dev.sessionlock.SessionLocks;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** Locks in memory between processes that the test freezes and kills, and how they are lost. */
class InMemoryProcessesTest extends InMemoryFixture {
    // ---- other processes ----

    @Test
    void somebodyIsInTheWayForAsLongAsTheTestLikes() throws Exception {
        SessionLock held = other.hold(SESSION);
        assertThat(other.locks().tryAcquire(SESSION)).as("it is bound to no thread").isEmpty();
        assertThatThrownBy(() -> mine.hold(SESSION)).isInstanceOf(IllegalStateException.class).hasMessageContaining("not to be had");
        clock.advance(Duration.ofHours(1));
        assertThat(held.isHeld()).isTrue();
        held.close();
        assertThat(mine.hold(SESSION).token()).isGreaterThan(held.token());
    }

    @Test
    void anotherProcessExcludesAndHandsOver() throws Exception {
        SessionLock lock = other.locks().acquire(SESSION);
        assertThat(mine.locks().tryAcquire(SESSION)).isEmpty();
        CompletableFuture<SessionLock> waiting = beginAcquire(mine.locks(), PATIENT);
        lock.close();
        assertThat(end(waiting).token()).isGreaterThan(lock.token());
    }

    @Test
    void othersTakeOverFromAFrozenHolderWhichWakesToALostHandle() throws Exception {
        SessionLock lock = other.locks().acquire(SESSION);
        other.freeze();
        assertThat(other.isFrozen()).isTrue();
        CompletableFuture<SessionLock> waiting = beginAcquire(mine.locks(), PATIENT);
        clock.advance(Duration.ofSeconds(30));
        assertThat(waiting).isNotDone();
        assertThat(mine.locks().inspect(SESSION).evidence().get(0)).contains("is stopped");
        clock.advance(Duration.ofSeconds(4)); // the grace is a tenth of the lease
        SessionLock successor = end(waiting);
        assertThat(successor.token()).isGreaterThan(lock.token());
        assertThat(mine.locks().stats().reclaimed()).isOne();
        assertThat(lock.isHeld()).as("its clock stands still").isTrue();
        assertThatThrownBy(() -> other.locks().tryAcquire(SESSION)).isInstanceOf(IllegalStateException.class)
                .hasMessageContaining("frozen");
        other.wake();
        assertThatThrownBy(lock::ensureHeld).isInstanceOf(LockLostException.class)
                .extracting(e -> ((LockLostException) e).reason()).isEqualTo(Reason.LEASE_EXPIRED);
        lock.close();
        successor.verifyHeld();
        assertThat(other.locks().tryAcquire(SESSION)).isEmpty();
    }

    @Test
    void frozenHolderWithoutTakeoverIsWaitedFor() throws Exception {
        SessionLock lock = other.locks().acquire(SESSION, LockOptions.defaults().withTakeover(false));
        other.freeze();
        CompletableFuture<SessionLock> waiting = beginAcquire(mine.locks(), PATIENT);
        clock.advance(Duration.ofMinutes(19));
        assertThat(waiting).isNotDone();
        assertThat(mine.locks().inspect(SESSION).state()).isEqualTo(State.HELD);
        other.wake();
        assertThat(lock.isHeld()).as("it was past maxHold").isFalse();
        lock.close();
        end(waiting);
    }

    @Test
    void crashedHolderIsReplacedAtOnceAndWhoWaitedInItGivesUp() throws Exception {
        SessionLock lock = other.locks().acquire(SESSION);
        CompletableFuture<SessionLock> within = beginAcquire(other.locks(), PATIENT);
        CompletableFuture<SessionLock> waiting = beginAcquire(mine.locks(), PATIENT);
        other.crash();
        SessionLock next = end(waiting);
        assertThat(next.token()).isGreaterThan(lock.token());
        assertThat(lock.isHeld()).isFalse();
        lock.close();
        next.verifyHeld();
        assertThatThrownBy(() -> end(within)).isInstanceOf(ExecutionException.class).hasCauseInstanceOf(IllegalStateException.class);
        assertThatThrownBy(() -> other.locks().acquire(SESSION)).isInstanceOf(IllegalStateException.class)
                .hasMessageContaining("anotherProcess");
    }

    @Test
    void whatACrashedHolderLeftIsStaleUntilSomebodyComes() throws Exception {
        other.hold(SESSION);
        other.crash();
        other.close(); // a dead process does not tidy up
        LockReport report = mine.locks().inspect(SESSION);
        assertThat(report.state()).isEqualTo(State.STALE);
        assertThat(report.owner().pid()).isEqualTo(other.pid());
        List<String> evidence = new CopyOnWriteArrayList<>();
        SessionLocks listening = mine.builder().listener(new LockListener() {
            @Override
            public void reclaimed(Event event, String why) {
                evidence.add(why);
            }
        }).build();
        try (SessionLock lock = listening.acquire(SESSION, ONE_TRY)) {
            lock.verifyHeld();
        }
        await().atMost(Puppet.PATIENCE).until(() -> evidence.equals(List.of("pid " + other.pid() + " does not exist")));
    }

    /** They take it in turn, and never two at once. */
    @Test
    void processesAndThreadsExcludeEachOther() throws Exception {
        AtomicInteger inside = new AtomicInteger();
        AtomicInteger mostInside = new AtomicInteger();
        List<CompletableFuture<Void>> all = new ArrayList<>();
        for (InMemoryLocks each : List.of(mine, other, mine, other, mine.anotherProcess())) {
            all.add(CompletableFuture.runAsync(() -> {
                try {
                    for (int i = 0; i < 200; i++) {
                        try (SessionLock lock = each.locks().acquire(SESSION, PATIENT)) {
                            mostInside.accumulateAndGet(inside.incrementAndGet(), Math::max);
                            lock.ensureHeld();
                            inside.decrementAndGet();
                        }
                    }
                } catch (LockException | InterruptedException e) {
                    throw new AssertionError(e);
                }
            }, task -> new Thread(task).start()));
        }
        for (CompletableFuture<Void> one : all) {
            end(one);
        }
        assertThat(mostInside).hasValue(1);
    }

    // ---- losing ----

    @ParameterizedTest
    @EnumSource
    void lockIsLostForAnyReasonOnDemand(Reason reason) throws Exception {
        List<Reason> told = new CopyOnWriteArrayList<>();
        SessionLock lock = mine.locks().acquire(SESSION);
        lock.onLost(why -> told.add(why.reason()));
        mine.loseLock(SESSION, reason);
        assertThatThrownBy(lock::ensureHeld).isInstanceOf(LockLostException.class).hasMessageContainingAll("lost the lock ", SESSION.toString())
                .extracting(e -> ((LockLostException) e).reason()).isEqualTo(reason);
        await().atMost(Puppet.PATIENCE).until(() -> told.equals(List.of(reason)));
        boolean atOnce = Set.of(Reason.LEASE_EXPIRED, Reason.KERNEL_LOCK_LOST).contains(reason);
        assertThat(other.locks().tryAcquire(SESSION).isPresent()).isEqualTo(atOnce);
        if (!atOnce) {
            clock.advance(Duration.ofSeconds(2)); // revokeGrace
            assertThat(other.locks().tryAcquire(SESSION)).isPresent();
        }
        lock.close();
        assertThat(mine.locks().stats().lost()).isOne();
        assertThatThrownBy(() -> mine.loseLock(SESSION, reason)).as("it is another's by now").isInstanceOf(IllegalStateException.class);
    }

    @Test
    void foreignLockIsWaitedForUntilItGoesOrItsProcessDies() throws Exception {
        SessionLocks careful = mine.builder().takeStrangers(false).build();
        InMemoryLocks.ForeignLock foreign = mine.foreignLock(SESSION);
        LockReport report = mine.locks().inspect(SESSION);
        assertThat(report.state()).isEqualTo(State.FOREIGN);
        assertThat(report.owner().pid()).isEqualTo(foreign.pid());
        assertThatThrownBy(() -> mine.locks().acquire(SESSION, ONE_TRY)).isInstanceOf(LockTimeoutException.class)
                .hasMessageContaining("pid=" + foreign.pid() + " alive=true").hasMessageContaining("another program's lock");
        assertThatThrownBy(() -> other.foreignLock(SESSION)).isInstanceOf(IllegalStateException.class);
        CompletableFuture<SessionLock> waiting = beginAcquire(careful, PATIENT);
        foreign.die();
        assertThat(waiting).isNotDone();
        assertThat(mine.locks().clear(SESSION, ClearOptions.forReal())).singleElement()
                .satisfies(c -> assertThat(c.outcome()).isEqualTo(Outcome.CLEARED));
        end(waiting).close();
        foreign = mine.foreignLock(SESSION);
        foreign.die();
        try (SessionLock lock = mine.locks().acquire(SESSION, ONE_TRY)) {
            assertThat(mine.locks().stats().reclaimed()).isOne();
            foreign.close();
            lock.verifyHeld();
        }
        try (InMemoryLocks.ForeignLock again = other.foreignLock(SESSION)) {
            assertThat(mine.locks().tryAcquire(SESSION)).isEmpty();
            assertThat(again.pid()).isNotEqualTo(foreign.pid());
        }
        assertThat(mine.locks().tryAcquire(SESSION)).isPresent();
    }
}

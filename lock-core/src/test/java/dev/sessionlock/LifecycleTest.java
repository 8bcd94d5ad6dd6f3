package dev.sessionlock;

import static dev.sessionlock.Patience.await;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.lang.ref.WeakReference;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Future;
import org.junit.jupiter.api.Test;

/** What a {@code SessionLocks} leaves behind when it is closed: nothing, once the last handle is. */
class LifecycleTest extends LocksFixture {
    private static boolean keeperRuns() {
        return Thread.getAllStackTraces().keySet().stream().anyMatch(thread -> thread.getName().equals("sessionlock-keeper"));
    }

    @Test
    void waitersGiveUpAndOpenHandlesStayAsTheyAre() throws Exception {
        SessionLock lock = locks.acquire(session());
        List<Future<SessionLock>> waiters = new ArrayList<>();
        for (int i = 0; i < 3; i++) {
            Actor actor = new Actor("waiter-" + i);
            actors.add(actor);
            waiters.add(actor.begin(() -> locks.acquire(session())));
        }
        await().until(() -> locks.stats().waiting() == 3);
        locks.close();
        locks.close();
        for (Future<SessionLock> waiter : waiters) {
            assertThatThrownBy(() -> Actor.end(waiter)).isInstanceOf(IllegalStateException.class).hasMessageContaining("closed");
        }
        assertThat(locks.stats()).isEqualTo(new LockStats(1, 0, 1, 0, 0));
        lock.verifyHeld();
        assertThat(Kernel.seatsHeldIn(dir)).isEqualTo(1);
        Thread.sleep(1500);
        lock.verifyHeld();
        lock.close();
        assertThat(Kernel.seatsHeldIn(dir)).isZero();
        assertThat(locks.stats()).isEqualTo(new LockStats(0, 0, 1, 0, 0));
    }

    @Test
    void itGivesOutNoMoreLocksButStillTellsWhatIsThere() throws Exception {
        locks.close();
        assertThatThrownBy(() -> locks.acquire(session())).isInstanceOf(IllegalStateException.class);
        assertThatThrownBy(() -> locks.tryAcquire(session())).isInstanceOf(IllegalStateException.class);
        assertThatThrownBy(() -> locks.acquireAll(List.of(session()))).isInstanceOf(IllegalStateException.class);
        assertThatThrownBy(() -> locks.withLock(session(), lock -> 1)).isInstanceOf(IllegalStateException.class);
        assertThat(locks.inspect(session()).state()).isEqualTo(LockReport.State.FREE);
        assertThat(dir).isEmptyDirectory();
    }

    @Test
    void theKeeperAndTheGuardsGoWithTheLastHandleOfTheLastOne() throws Exception {
        SessionLocks second = SessionLocks.create();
        SessionLock lock = locks.acquire(session());
        second.acquire(dir.resolve("x")).close();
        assertThat(keeperRuns()).isTrue();
        assertThat(Kernel.openFilesIn(dir)).isPositive();
        locks.close();
        second.close();
        Thread.sleep(1200);
        assertThat(keeperRuns()).as("a lock is still held").isTrue();
        assertThat(Kernel.seatsHeldIn(dir)).isEqualTo(1);

        lock.close();
        await().untilAsserted(() -> {
            assertThat(keeperRuns()).isFalse();
            assertThat(Kernel.openFilesIn(dir)).isZero();
        });
        assertThat(Listing.of(dir)).isEmpty();
        assertThat(dir.resolve(".session-locks").toFile().list((d, name) -> name.startsWith("claim-"))).isEmpty();

        try (SessionLocks anew = SessionLocks.create(); SessionLock again = anew.acquire(session())) {
            again.verifyHeld();
            assertThat(keeperRuns()).isTrue();
            assertThat(again.token()).isGreaterThan(lock.token());
        }
    }

    @Test
    void manyOpenedAndClosedInTurnLeaveNoThreads() throws Exception {
        for (int i = 0; i < 30; i++) {
            try (SessionLocks one = SessionLocks.create()) {
                one.acquire(session()).close();
            }
        }
        locks.close();
        await().until(() -> !keeperRuns() && Kernel.openFilesIn(dir) == 0);
        assertThat(Thread.getAllStackTraces().keySet().stream().filter(thread -> thread.getName().equals("sessionlock-keeper"))).isEmpty();
    }

    @Test
    void ourThreadsAreDaemons() throws Exception {
        try (SessionLock lock = locks.acquire(session())) {
            lock.ensureHeld();
            assertThat(Thread.getAllStackTraces().keySet()).filteredOn(thread -> thread.getName().startsWith("sessionlock-"))
                    .isNotEmpty().allMatch(Thread::isDaemon);
        }
    }

    @Test
    void theDefaultsOfTheBuilderAreUsed() throws Exception {
        LockOptions mine = LockOptions.defaults().withMaxHold(Duration.ofMinutes(1)).withTimeout(Duration.ZERO).withPurpose("nightly");
        try (SessionLocks built = SessionLocks.builder().defaults(mine).shutdownGrace(Duration.ZERO).build();
                SessionLock lock = built.acquire(session())) {
            assertThat(lock.remaining()).isLessThanOrEqualTo(Duration.ofMinutes(1));
            assertThat(built.inspect(session()).owner().purpose()).isEqualTo("nightly");
        }
    }

    @Test
    void nonsenseIsRefusedWhenBuilt() {
        assertThatIllegalArgumentException().isThrownBy(() -> SessionLocks.builder().shutdownGrace(Duration.ofMillis(-1)))
                .withMessageContaining("shutdownGrace");
        assertThatIllegalArgumentException().isThrownBy(() -> SessionLocks.builder().shutdownGrace(Duration.ofSeconds(3_601)));
        assertThatIllegalArgumentException().isThrownBy(() -> SessionLocks.builder().shutdownGrace(Duration.ofSeconds(Long.MAX_VALUE)));
        assertThatThrownBy(() -> SessionLocks.builder().defaults(null)).isInstanceOf(NullPointerException.class);
        assertThatThrownBy(() -> locks.acquire((Path) null)).isInstanceOf(NullPointerException.class);
        assertThatThrownBy(() -> locks.acquire(session(), null)).isInstanceOf(NullPointerException.class);
        assertThatThrownBy(() -> locks.withLock(session(), null)).isInstanceOf(NullPointerException.class);
        assertThat(dir).isEmptyDirectory();
    }

    /** Like an application server with a web application that contains the library: nothing may keep its class loader reachable. */
    @Test
    void nothingKeepsItsClassLoaderOnceItIsClosed() throws Exception {
        OwnClassLoader.awaitUnreachable(usedAndClosed());
    }

    private WeakReference<ClassLoader> usedAndClosed() throws Exception {
        OwnClassLoader loader = new OwnClassLoader();
        Class<?> type = loader.sessionLocks();
        assertThat(type).isNotSameAs(SessionLocks.class);
        try (AutoCloseable other = (AutoCloseable) type.getMethod("create").invoke(null)) {
            for (int times = 0; times < 2; times++) {
                try (AutoCloseable lock = (AutoCloseable) type.getMethod("acquire", Path.class).invoke(other, session())) {
                    assertThat(lock.toString()).contains("held");
                }
            }
        }
        return new WeakReference<>(loader);
    }
}

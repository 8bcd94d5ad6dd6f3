package dev.sessionlock;

import static dev.sessionlock.Patience.await;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Random;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.Future;
import java.util.concurrent.atomic.AtomicIntegerArray;
import org.junit.jupiter.api.Test;

/** Several locks at once: taken in one order, all or none. */
class AcquireAllTest extends LocksFixture {
    private Path file(String name) {
        return dir.resolve(name);
    }

    @Test
    void theyAreTakenInTheOrderOfTheirRealPathsAndGivenBackTogether() throws Exception {
        Files.createDirectory(file("sub"));
        SessionLock all = locks.acquireAll(List.of(file("c"), file("a"), file("sub/x"), file("b")));
        assertThat(all.name()).isEqualTo("a, b, c, x");
        assertThat(all.parts()).extracting(SessionLock::name).containsExactly("a", "b", "c", "x");
        assertThat(all.parts()).extracting(SessionLock::token).isSorted();
        assertThat(all.token()).isEqualTo(all.parts().get(3).token());
        assertThat(all.lockFile()).isEqualTo(dir.toRealPath().resolve("a.lock"));
        assertThat(Kernel.seatsHeldIn(dir)).isEqualTo(3);
        assertThat(Kernel.seatsHeldIn(file("sub"))).isEqualTo(1);
        assertThat(locks.stats().held()).isEqualTo(4);
        all.verifyHeld();
        all.renew();
        assertThat(all.remaining()).isBetween(Duration.ofMinutes(4), Duration.ofMinutes(5));
        all.close();
        all.close();
        assertThat(Kernel.seatsHeldIn(dir) + Kernel.seatsHeldIn(file("sub"))).isZero();
        assertThat(locks.stats()).isEqualTo(new LockStats(0, 0, 4, 0, 0));
        assertThatThrownBy(all::ensureHeld).isInstanceOf(IllegalStateException.class);
    }

    @Test
    void aFileThatIsNamedTwiceInAnyWayIsLockedOnce() throws Exception {
        Files.createDirectory(file("sub"));
        Files.createSymbolicLink(file("link"), dir);
        try (SessionLock all = locks.acquireAll(List.of(file("a"), file("a"), file("sub/../a"), file("./a"), file("link/a")))) {
            assertThat(all.name()).isEqualTo("a");
            assertThat(all.parts()).containsExactly(all);
            assertThat(Kernel.seatsHeldIn(dir)).isEqualTo(1);
        }
    }

    /** Something throws while those are given back that were taken before. */
    @Test
    void ifOneIsNotToBeHadEachOtherIsGivenBackAndTheReasonIsTold() throws Exception {
        FailingEngine.Fault fault = new FailingEngine.Fault("release", 1, false);
        FailingEngine engine = new FailingEngine(fault);
        LockOptions brief = LockOptions.defaults().withTimeout(Duration.ofMillis(100));
        try (SessionLocks others = engine.locks(); SessionLock c = locks.acquire(file("c"))) {
            assertThatThrownBy(() -> others.acquireAll(List.of(file("a"), file("b"), file("c")), brief)).isInstanceOf(LockTimeoutException.class)
                    .hasSuppressedException(new FailingEngine.Injected(fault.toString()));
            c.ensureHeld();
            await().until(() -> Kernel.seatsHeldIn(dir) == 1); // the keeper gives back what an error has left half-way
        }
    }

    @Test
    void ifOneIsNotToBeHadNoneIsHeld() throws Exception {
        Actor other = actor("other");
        SessionLock b = other.does(() -> locks.acquire(file("b")));
        LockOptions brief = LockOptions.defaults().withTimeout(Duration.ofMillis(100));

        assertThatThrownBy(() -> locks.acquireAll(List.of(file("a"), file("b"), file("c")), brief)).isInstanceOf(LockTimeoutException.class)
                .hasMessageContaining(file("b") + ".lock");
        assertThat(Kernel.seatsHeldIn(dir)).isEqualTo(1);
        assertThatThrownBy(() -> locks.acquireAll(List.of(file("a"), file("missing/x")))).isInstanceOf(LockException.class)
                .hasMessageContaining("does not exist");
        Files.writeString(file("d.lock"), "# yarn lockfile v1\n");
        assertThatThrownBy(() -> locks.acquireAll(List.of(file("a"), file("d")))).isInstanceOf(NotALockFileException.class);
        SessionLock mine = locks.acquire(file("c"));
        assertThatThrownBy(() -> locks.acquireAll(List.of(file("a"), file("c")))).isInstanceOf(LockReentryException.class);
        Future<SessionLock> waiting = actor("waiter").begin(() -> locks.acquireAll(List.of(file("a"), file("b"))));
        await().until(() -> locks.stats().waiting() == 1);
        actors.get(1).thread().interrupt();
        assertThatThrownBy(() -> Actor.end(waiting)).isInstanceOf(InterruptedException.class);

        assertThat(Kernel.seatsHeldIn(dir)).as("b, and c by this thread").isEqualTo(2);
        assertThat(locks.stats().held()).isEqualTo(2);
        b.close();
        mine.close();
    }

    @Test
    void theTimeoutIsForAllTogether() throws Exception {
        Actor other = actor("other");
        SessionLock a = other.does(() -> locks.acquire(file("a")));
        SessionLock b = other.does(() -> locks.acquire(file("b")));
        long start = System.nanoTime();
        Future<SessionLock> all = actor("waiter").begin(
                () -> locks.acquireAll(List.of(file("a"), file("b")), LockOptions.defaults().withTimeout(Duration.ofMillis(800))));
        await().until(() -> locks.stats().waiting() == 1 || all.isDone());
        Thread.sleep(400);
        a.close();
        assertThatThrownBy(() -> Actor.end(all)).isInstanceOf(LockTimeoutException.class);
        assertThat(System.nanoTime() - start).isGreaterThanOrEqualTo(800_000_000L);
        b.close();
    }

    @Test
    void threadThatIsInterruptedGetsNoneThoughAllAreFree() throws Exception {
        Thread.currentThread().interrupt();
        assertThatThrownBy(() -> locks.acquireAll(List.of(file("a"), file("b")))).isInstanceOf(InterruptedException.class);
        Thread.currentThread().interrupt();
        assertThatThrownBy(() -> locks.acquire(file("a").toString())).isInstanceOf(InterruptedException.class);
        assertThat(Thread.currentThread().isInterrupted()).isFalse();
        assertThat(Kernel.seatsHeldIn(dir)).isZero();
    }

    @Test
    void aZeroTimeoutIsOneTryForEach() throws Exception {
        try (SessionLock all = locks.acquireAll(List.of(file("a"), file("b")), LockOptions.defaults().withTimeout(Duration.ZERO))) {
            all.ensureHeld();
        }
    }

    @Test
    void noFilesAreRefused() {
        assertThatIllegalArgumentException().isThrownBy(() -> locks.acquireAll(List.of()));
    }

    @Test
    void thoseWhoWantOverlappingFilesNeverWaitForEachOther() throws Exception {
        int files = 6;
        AtomicIntegerArray inside = new AtomicIntegerArray(files);
        ConcurrentLinkedQueue<String> wrong = new ConcurrentLinkedQueue<>();
        List<Future<Void>> all = new ArrayList<>();
        for (int t = 0; t < 4; t++) {
            Random random = new Random(t);
            all.add(actor("t" + t).begin(() -> {
                for (int i = 0; i < 100; i++) {
                    List<Integer> some = new ArrayList<>();
                    for (int f = 0; f < files; f++) {
                        some.add(f);
                    }
                    Collections.shuffle(some, random);
                    some = some.subList(0, 1 + random.nextInt(4));
                    List<Path> targets = some.stream().map(f -> file("f" + f)).toList();
                    try (SessionLock lock = locks.acquireAll(targets, LockOptions.defaults().withTimeout(Duration.ofSeconds(25)))) {
                        for (int f : some) {
                            if (inside.incrementAndGet(f) != 1) {
                                wrong.add("two in f" + f);
                            }
                        }
                        lock.ensureHeld();
                        some.forEach(inside::decrementAndGet);
                    }
                }
                return null;
            }));
        }
        for (Future<Void> one : all) {
            Actor.end(one);
        }
        assertThat(wrong).isEmpty();
        assertThat(locks.stats().held()).isZero();
        assertThat(Kernel.seatsHeldIn(dir)).isZero();
    }

    @Test
    void itIsLostWhenOneOfThemIsAndTheListenerIsToldOnce() throws Exception {
        ConcurrentLinkedQueue<LockLostException> told = new ConcurrentLinkedQueue<>();
        SessionLock all = locks.acquireAll(List.of(file("a"), file("b")));
        all.onLost(told::add);
        Files.delete(file("b.lock"));
        await().until(() -> !all.isHeld());
        assertThatThrownBy(all::ensureHeld).isInstanceOf(LockLostException.class).hasMessageContaining("b");
        all.parts().get(0).verifyHeld();
        Files.delete(file("a.lock"));
        await().until(() -> locks.stats().lost() == 2);
        await().until(() -> told.size() == 1);
        Thread.sleep(100);
        assertThat(told).hasSize(1);
        assertThat(all.remaining()).isZero();
        all.close();
    }

    @Test
    void replacingSaysThatItMustKnowWhich() throws Exception {
        Path content = Files.writeString(file("new"), "x");
        try (SessionLock all = locks.acquireAll(List.of(file("a"), file("b")))) {
            assertThatThrownBy(() -> all.replace(content)).isInstanceOf(IllegalStateException.class).hasMessageContaining("parts()");
            all.parts().get(1).replace(content);
            assertThat(file("b")).hasContent("x");
        }
    }

    @Test
    void detachedAllAreNobodys() throws Exception {
        try (SessionLock all = locks.acquireAll(List.of(file("a"), file("b"))).detach()) {
            all.ensureHeld();
            assertThat(locks.tryAcquire(file("a"))).isEmpty();
            assertThat(locks.tryAcquire(file("b"))).isEmpty();
        }
    }
}

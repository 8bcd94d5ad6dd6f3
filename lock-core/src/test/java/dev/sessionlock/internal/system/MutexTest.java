package dev.sessionlock.internal.system;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIOException;

import java.io.File;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.ReentrantLock;
import java.util.function.IntConsumer;
import org.junit.jupiter.api.Test;

class MutexTest {
    private final Mutex mutex = new Mutex();

    @Test
    void isHeldDuringTheStepAndFreeAfterwards() throws IOException {
        String said = mutex.holding(() -> {
            assertThat(mutex.isHeldByMe()).isTrue();
            return "done";
        });
        assertThat(said).isEqualTo("done");
        assertThat(mutex.isHeld()).isFalse();
    }

    @Test
    void isFreeAfterAStepThatFails() {
        assertThatIOException().isThrownBy(() -> mutex.locked(() -> {
            throw new IOException("no");
        })).withMessage("no");
        assertThat(mutex.isHeld()).isFalse();
    }

    @Test
    void staysHeldWhenAnInnerStepEnds() {
        mutex.locked(() -> {
            mutex.locked(() -> assertThat(mutex.isHeldByMe()).isTrue());
            assertThat(mutex.isHeldByMe()).isTrue();
        });
        assertThat(mutex.isHeld()).isFalse();
    }

    @Test
    void oneAtATime() throws InterruptedException {
        int[] count = new int[1];
        CountDownLatch done = new CountDownLatch(4);
        for (int thread = 0; thread < 4; thread++) {
            new Thread(() -> {
                for (int i = 0; i < 10_000; i++) {
                    mutex.locked(() -> count[0]++);
                }
                done.countDown();
            }).start();
        }
        assertThat(done.await(60, TimeUnit.SECONDS)).isTrue();
        assertThat(count[0]).isEqualTo(40_000);
    }

    /**
     * In interpreted code, the depth at which the stack ends differs from try to try, so it hits every place. In a JVM of its own, because of that
     * flag.
     */
    @Test
    void overflowAtAnyDepthLeavesItFree() throws Exception {
        assertThat(overflows("mutex")).as("times that it stayed locked").isZero();
    }

    @Test
    void overflowAtAnyDepthLeavesItFreeWhereItIsWrittenOut() throws Exception {
        assertThat(overflows("written out")).as("times that it stayed locked").isZero();
    }

    @Test
    void theUsualWayStaysLockedWhichIsWhatThisIsFor() throws Exception {
        assertThat(overflows("usual")).as("times that it stayed locked").isPositive();
    }

    /** Unlocking needs more stack than locking did: it has to wake somebody. */
    @Test
    void overflowAtAnyDepthLeavesItFreeThoughAnotherThreadWaits() throws Exception {
        assertThat(overflows("wanted")).as("times that it stayed locked").isZero();
        assertThat(overflows("wanted", "-XX:TieredStopAtLevel=1")).as("times that it stayed locked").isZero();
        assertThat(overflows("wanted", "-Xint")).as("times that it stayed locked").isZero();
    }

    private static int overflows(String what) throws Exception {
        return overflows(what, "-Xint");
    }

    private static int overflows(String what, String... options) throws Exception {
        List<String> command = new ArrayList<>(List.of(new File(System.getProperty("java.home"), "bin/java").toString(), "-Xss256k"));
        command.addAll(List.of(options));
        command.addAll(List.of("-cp", System.getProperty("java.class.path"), Overflower.class.getName(), what));
        Process jvm = new ProcessBuilder(command).redirectErrorStream(true).start();
        String said = new String(jvm.getInputStream().readAllBytes(), StandardCharsets.UTF_8).trim();
        assertThat(jvm.waitFor()).as(said).isZero();
        return Integer.parseInt(said.substring(said.lastIndexOf(' ') + 1));
    }

    /** Overflows its stack again and again just where a lock is taken, and counts how often the lock is held afterwards. */
    static final class Overflower {
        private static final int ROUNDS = 3_000;

        private static int depth;

        private Overflower() {
        }

        /** A step deeper than the stack allows, with a few bytes more or less each time. */
        private static void descend(int left, IntConsumer atTheEnd) {
            depth++;
            if (left == 0) {
                atTheEnd.accept(0);
            } else {
                descend(left - 1, atTheEnd);
            }
        }

        private static int deepest() {
            depth = 0;
            try {
                descend(Integer.MAX_VALUE, i -> { });
            } catch (StackOverflowError e) {
                return depth;
            }
            throw new AssertionError();
        }

        public static void main(String[] args) throws InterruptedException {
            int[] stuck = new int[1];
            Thread thread = new Thread(null, () -> stuck[0] = args[0].equals("wanted") ? wanted() : rounds(args[0]), "overflows", 0);
            thread.start();
            thread.join();
            System.out.println("stuck: " + stuck[0]);
        }

        private static volatile Mutex wanted = new Mutex();
        private static volatile int had;

        /** Makes another thread want it, all the time. */
        private static int wanted() {
            Thread wanting = new Thread(() -> {
                while (true) {
                    wanted.locked(() -> had++);
                }
            });
            wanting.setDaemon(true);
            wanting.start();
            for (int warm = 0; warm < 20_000; warm++) {
                wanted.locked(Overflower::nothing); // so that it is compiled like the other's
            }
            for (int round = 0; round < ROUNDS / 3; round++) {
                int deepest = deepest();
                try {
                    descend(deepest - round % 120, i -> wanted.locked(Overflower::aMoment));
                } catch (StackOverflowError e) {
                    // as expected
                }
                int before = had;
                for (long end = System.nanoTime() + 2_000_000_000L; had == before; ) {
                    if (System.nanoTime() - end > 0) {
                        return 1; // it has stopped, for ever
                    }
                }
            }
            return 0;
        }

        /** Long enough for the other thread to wait; calls nothing. */
        private static void aMoment() {
            for (int i = 0; i < 20_000; i++) {
                depth += i;
            }
        }

        private static int rounds(String what) {
            int deepest = deepest();
            int stuck = 0;
            for (int round = 0; round < ROUNDS; round++) {
                Mutex mutex = new Mutex();
                ReentrantLock usual = new ReentrantLock();
                IntConsumer take = switch (what) {
                    case "mutex" -> i -> mutex.locked(Overflower::nothing);
                    case "written out" -> i -> takeInTheOpen(mutex);
                    default -> i -> takeAsUsual(usual);
                };
                try {
                    descend(deepest - round % 60, take);
                } catch (StackOverflowError e) {
                    stuck += mutex.isHeld() || usual.isLocked() ? 1 : 0;
                }
            }
            return stuck;
        }

        private static void takeInTheOpen(Mutex mutex) {
            int outer = mutex.depth();
            try {
                mutex.lock();
                nothing();
            } finally {
                mutex.unlock(outer);
            }
        }

        private static void takeAsUsual(ReentrantLock lock) {
            lock.lock();
            try {
                nothing();
            } finally {
                lock.unlock();
            }
        }

        private static void nothing() {
            StrictMath.floorDiv(7, 3);
        }
    }
}

package dev.sessionlock.internal.system;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIOException;

import java.io.File;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
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

    /** Interpreted, the depth at which the stack ends differs from try to try, and hits every place. In a JVM of its own for that flag. */
    @Test
    void overflowAtAnyDepthLeavesItFree() throws Exception {
        assertThat(overflows("mutex")).as("times that it stayed locked").isZero();
    }

    @Test
    void theUsualWayStaysLockedWhichIsWhatThisIsFor() throws Exception {
        assertThat(overflows("usual")).as("times that it stayed locked").isPositive();
    }

    private static int overflows(String what) throws Exception {
        Process jvm = new ProcessBuilder(new File(System.getProperty("java.home"), "bin/java").toString(), "-Xint", "-Xss256k", "-cp",
                System.getProperty("java.class.path"), Overflower.class.getName(), what).redirectErrorStream(true).start();
        String said = new String(jvm.getInputStream().readAllBytes(), StandardCharsets.UTF_8).trim();
        assertThat(jvm.waitFor()).as(said).isZero();
        return Integer.parseInt(said.substring(said.lastIndexOf(' ') + 1));
    }

    /** Overflows its stack again and again just where a lock is taken, and counts how often that is locked afterwards. */
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
            Thread thread = new Thread(null, () -> stuck[0] = rounds(args[0].equals("mutex")), "overflows", 0);
            thread.start();
            thread.join();
            System.out.println("stuck: " + stuck[0]);
        }

        private static int rounds(boolean robust) {
            int deepest = deepest();
            int stuck = 0;
            for (int round = 0; round < ROUNDS; round++) {
                Mutex mutex = new Mutex();
                ReentrantLock usual = new ReentrantLock();
                IntConsumer take = robust ? i -> mutex.locked(Overflower::nothing) : i -> takeAsUsual(usual);
                try {
                    descend(deepest - round % 60, take);
                } catch (StackOverflowError e) {
                    stuck += mutex.isHeld() || usual.isLocked() ? 1 : 0;
                }
            }
            return stuck;
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

package dev.sessionlock.internal.directory;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.concurrent.atomic.AtomicBoolean;
import org.junit.jupiter.api.Test;

/** Only the first pin and the last one decide anything. */
class PinsTest {
    private final Pins pins = new Pins();

    @Test
    void withoutTheLockNobodyAddsTheFirstPinNorRemovesTheLast() {
        assertThat(pins.addIfPinned()).isFalse();
        assertThat(pins.removeUnlessLast()).isFalse();
        assertThat(pins.isPinned()).isFalse();
        assertThat(pins.add()).isEqualTo(1);
        assertThat(pins.removeUnlessLast()).isFalse();
        assertThat(pins.addIfPinned()).isTrue();
        assertThat(pins.removeUnlessLast()).isTrue();
        assertThat(pins.removeUnlessLast()).isFalse();
        assertThat(pins.isPinned()).isTrue();
        assertThat(pins.remove()).isZero();
    }

    @Test
    void whatIsClosingIsNotPinned() {
        pins.setClosing(true);
        assertThat(pins.isClosing()).isTrue();
        assertThat(pins.addIfPinned()).isFalse();
        assertThat(pins.isPinned()).isFalse();
        pins.setClosing(false);
        assertThat(pins.isClosing()).isFalse();
        assertThat(pins.add()).isEqualTo(1);
    }

    @Test
    void noPinIsLostOrForgottenAmongManyThreads() throws Exception {
        pins.add();
        AtomicBoolean failed = new AtomicBoolean();
        Thread[] threads = new Thread[4];
        for (int i = 0; i < threads.length; i++) {
            threads[i] = new Thread(() -> {
                for (int times = 0; times < 20_000; times++) {
                    boolean right = pins.addIfPinned() && pins.removeUnlessLast();
                    failed.compareAndSet(false, !right);
                }
            });
            threads[i].start();
        }
        for (Thread thread : threads) {
            thread.join();
        }
        assertThat(failed).isFalse();
        assertThat(pins.remove()).isZero();
    }
}

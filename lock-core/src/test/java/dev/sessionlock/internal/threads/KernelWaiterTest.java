package dev.sessionlock.internal.threads;

import static org.assertj.core.api.Assertions.assertThat;

import dev.sessionlock.spi.EngineLock;
import java.io.IOException;
import java.lang.reflect.Proxy;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.List;
import java.util.Queue;
import java.util.concurrent.locks.ReentrantLock;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;

/** What becomes of a byte that is waited for in the kernel. The test runs what a thread of its own would: no disk, no thread. */
class KernelWaiterTest {
    /** It comes before the head is woken: woken sooner, the head would only wait for it. */
    private static final String TRIED = "a try on behalf of the head";

    private static final int BYTE = 1;

    private final List<String> calls = new ArrayList<>();
    private final Queue<Runnable> blocked = new ArrayDeque<>();
    private @Nullable Throwable refusal;
    /** The method that throws once. */
    private @Nullable String faultAt;
    private final CountedWaiter waiting = new CountedWaiter();
    private @Nullable Waiter head = waiting;
    private boolean untidy;
    private boolean threadsLeft = true;

    private final ReentrantLock engineLock = new ReentrantLock();
    private final MemoryLock stateLock = new MemoryLock();
    private final EngineLock engine = (EngineLock) Proxy.newProxyInstance(EngineLock.class.getClassLoader(), new Class<?>[] {EngineLock.class},
            (proxy, method, args) -> {
                if (method.getName().equals("toString")) {
                    return "the lock";
                }
                calls.add(method.getName());
                assertThat(engineLock.isHeldByCurrentThread()).as("whether %s is called under the engine lock", method.getName())
                        .isEqualTo(!method.getName().equals("awaitKernel"));
                if (method.getName().equals("awaitKernel") && refusal != null) {
                    throw refusal;
                }
                if (method.getName().equals(faultAt)) {
                    faultAt = null;
                    throw new StackOverflowError();
                }
                return null;
            });
    private final KernelWaiter waiter = new KernelWaiter(engine, engineLock, stateLock, new KernelWaiter.Host() {
        @Override
        public @Nullable Waiter waiterInNeed() {
            return head;
        }

        @Override
        public void tryOnBehalfOf(Waiter head) {
            calls.add(waiting.wakes == 0 ? TRIED : "a try after the head was woken");
        }

        @Override
        public void markUntidy() {
            untidy = true;
        }

        @Override
        public boolean runBlocking(Runnable task, int most) {
            if (threadsLeft) {
                blocked.add(task);
            }
            return threadsLeft;
        }
    });

    private void kernelAnswers() {
        blocked.remove().run();
    }

    @Test
    void byteIsAcquiredAheadForTheHeadWhichIsWoken() {
        assertThat(waiter.start(BYTE, 16)).isTrue();
        assertThat(waiter.waitsFor(BYTE)).isTrue();
        kernelAnswers();
        assertThat(calls).containsExactly("awaitKernel", "acceptAwaited", TRIED);
        assertThat(waiting.wakes).isEqualTo(1);
        assertThat(waiter.waitsFor(BYTE)).isFalse();
        assertThat(waiter.isWaiting()).isFalse();
        assertThat(untidy).isFalse();
    }

    @Test
    void byteThatNobodyNeedsAnyMoreIsGivenBack() {
        waiter.start(BYTE, 16);
        head = null;
        kernelAnswers();
        assertThat(calls).containsExactly("awaitKernel", "declineAwaited");
        assertThat(waiting.wakes).isZero();
    }

    @Test
    void oneThreadWaitsForOneThing() {
        assertThat(waiter.start(BYTE, 16)).isTrue();
        assertThat(waiter.start(BYTE, 16)).isTrue();
        assertThat(waiter.start(0, 16)).isTrue();
        assertThat(blocked).hasSize(2);
        kernelAnswers();
        assertThat(waiter.waitsFor(BYTE)).isFalse();
        assertThat(waiter.waitsFor(0)).isTrue();
        assertThat(waiter.isWaiting()).isTrue();
    }

    @Test
    void nobodyWaitsForWhatTheEngineDoesNotName() {
        waiter.start(BYTE, 16);
        assertThat(waiter.waitsFor(-1)).isFalse();
        assertThat(waiter.waitsFor(-2)).isFalse();
    }

    @Test
    void headPollsWhereThereIsNoThread() {
        threadsLeft = false;
        assertThat(waiter.start(BYTE, 16)).isFalse();
        assertThat(waiter.waitsFor(BYTE)).isFalse();
        threadsLeft = true;
        assertThat(waiter.start(BYTE, 16)).isTrue();
    }

    /** The head is asleep for long, since it was to be woken. The byte may be ours all the same. */
    @Test
    void headIsWokenToPollIfTheKernelRefuses() {
        refusal = new IOException("Resource deadlock avoided");
        waiter.start(BYTE, 16);
        long before = System.nanoTime();
        kernelAnswers();
        assertThat(calls).containsExactly("awaitKernel", "declineAwaited");
        assertThat(waiting.wakes).isEqualTo(1);
        assertThat(untidy).isTrue();
        boolean askedAgain = waiter.start(BYTE, 16);
        boolean atOnce = System.nanoTime() - before < KernelWaiter.REFUSED_NANOS; // the machine may be busy with other things
        assertThat(askedAgain && atOnce).isFalse();
    }

    @Test
    void byteIsNotForgottenIfSomethingIsThrownWhileItIsPassedOn() {
        waiter.start(BYTE, 16);
        faultAt = "acceptAwaited";
        kernelAnswers();
        assertThat(calls).containsExactly("awaitKernel", "acceptAwaited", "acceptAwaited", TRIED);
        assertThat(waiting.wakes).isEqualTo(1);
    }
}

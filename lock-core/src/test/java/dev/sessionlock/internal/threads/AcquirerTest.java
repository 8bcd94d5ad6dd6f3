package dev.sessionlock.internal.threads;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.sessionlock.LockOptions;
import dev.sessionlock.LockTimeoutException;
import dev.sessionlock.spi.Busy;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Nested;
import org.junit.jupiter.api.Test;

class AcquirerTest {
    private final ScriptedEngine engine = new ScriptedEngine();

    /** A thread has got the kernel byte for the head, and tries while the head wakes. */
    @Nested
    class OnBehalfOfTheHead {
        private final CountedWaiter head = new CountedWaiter(engine.request(LockOptions.defaults()), TimeUnit.MINUTES.toNanos(1), engine.now);

        @BeforeEach
        void waits() {
            engine.lock.acquirer().enqueue(head);
        }

        private void tryOnItsBehalf() {
            engine.lock.engineLock().lock();
            try {
                engine.lock.acquirer().tryOnBehalfOf(head);
            } finally {
                engine.lock.engineLock().unlock();
            }
        }

        @Test
        void headHasTheLock() {
            tryOnItsBehalf();
            assertThat(head.given.isHeld()).isTrue();
            assertThat(engine.lock.queue().isEmpty()).isTrue();
            assertThat(head.isWoken()).as("it may have looked a moment too early").isTrue();
        }

        @Test
        void headThatLeavesMeanwhileDoesNotKeepTheLock() {
            engine.called = method -> {
                if (method.equals("take")) {
                    engine.lock.acquirer().leave(head, null);
                }
            };
            tryOnItsBehalf();
            assertThat(head.given).isNull();
            assertThat(engine.lock.grant()).isNull();
            assertThat(engine.calls).containsSubsequence("take", "release");
        }

        @Test
        void nextInTheQueueGetsItIfTheHeadLeavesMeanwhile() {
            CountedWaiter next = new CountedWaiter(engine.request(LockOptions.defaults()), TimeUnit.MINUTES.toNanos(1), engine.now);
            engine.lock.acquirer().enqueue(next);
            engine.called = method -> {
                if (method.equals("take")) {
                    engine.lock.acquirer().leave(head, null);
                }
            };
            tryOnItsBehalf();
            assertThat(next.given.isHeld()).isTrue();
        }

        @Test
        void headTriesItselfIfTheEngineFails() {
            engine.faultAt = "take";
            tryOnItsBehalf();
            assertThat(head.given).isNull();
            assertThat(engine.lock.queue().head()).isSameAs(head);
            assertThat(engine.lock.owned().isUntidy()).isTrue();
        }
    }

    /** It is told last of all, when the thread has the lock, and its user no handle yet. */
    @Test
    void whatIsThrownAsTheEndOfALongWaitIsToldHarmsNothing() {
        CountedWaiter waiter = new CountedWaiter(engine.request(LockOptions.defaults()), Long.MAX_VALUE, engine.now);
        waiter.takesLong(new LongWait(engine.lock, waiter, List.of(), 1));
        engine.faultAt = "target";
        waiter.tellEnd(true, engine.now);
        assertThat(engine.calls).containsExactly("target");
    }

    /** Another process has the lock for some microseconds. A machine with one processor does not spin. */
    @Nested
    class Spinning {

        @BeforeEach
        void othersHaveIt() {
            assumeTrue(Runtime.getRuntime().availableProcessors() > 1, "there is one processor, so nobody spins");
            engine.busy = new Busy(0, Long.MAX_VALUE, "another process holds it");
            engine.spinPays = true;
        }

        @Test
        void threadGetsItWithoutSleeping() throws Exception {
            engine.called = method -> engine.busy = method.equals("spin") ? null : engine.busy;
            Handle handle = engine.lock.acquirer().acquire(engine.request(LockOptions.defaults()), TimeUnit.MINUTES.toNanos(1), engine.now);
            assertThat(handle.isHeld()).isTrue();
            assertThat(engine.calls).containsExactly("take", "spin", "take");
        }

        @Test
        void singleTryDoesNotSpin() throws Exception {
            assertThat(engine.tryAcquire(LockOptions.defaults())).isNull();
            assertThat(engine.calls).doesNotContain("spin");
        }

        @Test
        void spinEndsThoughTheEngineGoesOnSayingThatItPays() {
            assertThatThrownBy(() -> engine.lock.acquirer().acquire(engine.request(LockOptions.defaults()), 1, engine.now - 1))
                    .isInstanceOf(LockTimeoutException.class);
            assertThat(engine.lock.isClaimed()).isFalse();
        }
    }

    /** Found by ThreadSchedulesTest. What fails as a waiter leaves must not hide why it leaves: its interrupt would be lost. */
    @Test
    void interruptedWaiterIsToldSoThoughTheEngineFailsAsItLeaves() {
        engine.busy = new Busy(Busy.NOTHING, Long.MAX_VALUE, "another process holds it");
        engine.faultAt = "declineAllAwaited";
        Thread.currentThread().interrupt();
        assertThatThrownBy(() -> engine.lock.acquirer().acquire(engine.request(LockOptions.defaults()), TimeUnit.MINUTES.toNanos(1), engine.now))
                .isInstanceOf(InterruptedException.class);
        assertThat(engine.calls).contains("declineAllAwaited");
        assertThat(engine.lock.owned().isUntidy()).as("the keeper tries again").isTrue();
    }
}

package dev.sessionlock.internal.threads;

import static org.assertj.core.api.Assertions.assertThat;

import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.Executor;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.locks.LockSupport;
import java.util.stream.IntStream;
import org.awaitility.Awaitility;
import org.awaitility.core.ConditionFactory;
import org.junit.jupiter.api.Nested;
import org.junit.jupiter.api.Test;

/** User code runs in order, on the executor. A slow listener loses events, and no memory is used up for them. */
class EventDispatcherTest {
    private static final int MANY = 100_000;
    private final List<Integer> told = Collections.synchronizedList(new ArrayList<>());

    private static ConditionFactory await() {
        return Awaitility.await().atMost(Duration.ofMinutes(1));
    }

    private void post(EventDispatcher dispatcher, int event, boolean rare) {
        dispatcher.post(() -> told.add(event), rare);
    }

    @Nested
    class ASlowListener {
        private final CountDownLatch mayGoOn = new CountDownLatch(1);
        private final CountDownLatch begun = new CountDownLatch(1);

        private EventDispatcher held(Executor executor) throws InterruptedException {
            EventDispatcher dispatcher = new EventDispatcher(executor);
            dispatcher.post(() -> {
                begun.countDown();
                try {
                    mayGoOn.await();
                } catch (InterruptedException e) {
                    throw new IllegalStateException(e);
                }
            }, false);
            begun.await();
            return dispatcher;
        }

        @Test
        void losesTheEventsThatThereIsNoRoomFor() throws Exception {
            EventDispatcher dispatcher = held(null);
            for (int i = 0; i < MANY; i++) {
                post(dispatcher, i, false);
            }
            assertThat(dispatcher.dropped()).isEqualTo(MANY - EventDispatcher.CAPACITY);
            mayGoOn.countDown();
            await().until(() -> told.size() == EventDispatcher.CAPACITY);
            assertThat(told).isEqualTo(IntStream.range(0, EventDispatcher.CAPACITY).boxed().toList());
        }

        @Test
        void hearsOfALossThoughAcquisitionsAreDropped() throws Exception {
            EventDispatcher dispatcher = held(null);
            for (int i = 0; i < MANY; i++) {
                post(dispatcher, i, false);
            }
            post(dispatcher, -1, true);
            mayGoOn.countDown();
            await().until(() -> told.contains(-1));
        }

        @Test
        void losesThemAlsoOnAnExecutorOfItsOwnWhichGetsOneTaskAtATime() throws Exception {
            AtomicInteger tasks = new AtomicInteger();
            EventDispatcher dispatcher = held(task -> {
                tasks.incrementAndGet();
                new Thread(task).start();
            });
            for (int i = 0; i < MANY; i++) {
                post(dispatcher, i, false);
            }
            assertThat(tasks).hasValue(1);
            assertThat(dispatcher.dropped()).isEqualTo(MANY - EventDispatcher.CAPACITY);
            mayGoOn.countDown();
            await().until(() -> told.size() == EventDispatcher.CAPACITY);
            assertThat(told).isSorted();
        }

        @Test
        void hearsOnAfterwards() throws Exception {
            EventDispatcher dispatcher = held(null);
            for (int i = 0; i < MANY; i++) {
                post(dispatcher, i, false);
            }
            mayGoOn.countDown();
            await().until(() -> told.size() == EventDispatcher.CAPACITY);
            post(dispatcher, MANY, false);
            await().until(() -> told.contains(MANY));
        }
    }

    @Nested
    class AnExecutor {

        @Test
        void thatRefusesForGoodCostsItsEventsAndNoMemory() {
            AtomicInteger asked = new AtomicInteger();
            EventDispatcher dispatcher = new EventDispatcher(task -> {
                asked.incrementAndGet();
                throw new RejectedExecutionException("shut down");
            });
            for (int i = 0; i < 10; i++) {
                post(dispatcher, i, false);
            }
            await().until(() -> dispatcher.dropped() == 10);
            assertThat(asked).as("asked in vain").hasValueGreaterThan(10);
            assertThat(told).isEmpty();
        }

        @Test
        void thatRefusesKeepsNoThreadWaitingForEachLoss() {
            AtomicBoolean refuses = new AtomicBoolean(true);
            EventDispatcher dispatcher = new EventDispatcher(task -> {
                if (refuses.get()) {
                    throw new RejectedExecutionException("busy");
                }
                task.run();
            });
            int losses = 200;
            for (int i = 0; i < losses; i++) {
                int loss = i;
                dispatcher.run(() -> told.add(loss));
            }
            LockSupport.parkNanos(20_000_000);
            assertThat(Thread.getAllStackTraces().values().stream()
                    .filter(stack -> Arrays.stream(stack).anyMatch(frame -> frame.getClassName().endsWith("GrowingPause"))).count()).isLessThan(5);
            refuses.set(false);
            await().until(() -> told.size() == losses);
        }

        @Test
        void thatRefusesOnceIsAskedAgain() {
            AtomicInteger asked = new AtomicInteger();
            EventDispatcher dispatcher = new EventDispatcher(task -> {
                if (asked.incrementAndGet() == 1) {
                    throw new RejectedExecutionException("on purpose");
                }
                task.run();
            });
            post(dispatcher, 1, false);
            await().until(() -> told.equals(List.of(1)));
        }

        /** As a pool with a DiscardPolicy does. */
        @Test
        void thatSwallowsATaskIsAskedAgainWithALaterEvent() {
            ConcurrentLinkedQueue<Runnable> swallowed = new ConcurrentLinkedQueue<>();
            AtomicInteger tasks = new AtomicInteger();
            EventDispatcher dispatcher = new EventDispatcher(task -> {
                if (tasks.incrementAndGet() == 1) {
                    swallowed.add(task);
                } else {
                    task.run();
                }
            });
            AtomicInteger next = new AtomicInteger();
            await().until(() -> {
                post(dispatcher, next.getAndIncrement(), false);
                return !told.isEmpty();
            });
            assertThat(told).startsWith(0, 1);

            swallowed.remove().run(); // it was but slow
            post(dispatcher, next.get(), false);
            await().until(() -> told.size() == next.get() + 1);
            assertThat(told).isSorted();
        }
    }
}

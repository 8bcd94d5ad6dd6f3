package dev.sessionlock.internal.threads;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;

/** Who waits, in what order, and who is woken; no thread waits here. */
class WaitQueueTest {
    private final WaitQueue queue = new WaitQueue();

    private CountedWaiter added() {
        CountedWaiter waiter = new CountedWaiter();
        queue.add(waiter);
        return waiter;
    }

    // ---- order ----

    @Test
    void emptyQueueHasNoHeadAndNothingToDo() {
        assertThat(queue.head()).isNull();
        assertThat(queue.isEmpty()).isTrue();
        assertThat(queue.nothingIsDueFor(0)).isEqualTo(Long.MAX_VALUE);
        assertThat(queue.isAnyRestless(Long.MAX_VALUE)).isFalse();
        queue.wakeHead();
        queue.wakeAll();
        queue.remove(new CountedWaiter());
    }

    @Test
    void headIsTheOneThatHasWaitedLongest() {
        CountedWaiter first = added();
        CountedWaiter second = added();
        assertThat(queue.head()).isSameAs(first);
        queue.removeHead();
        assertThat(queue.head()).isSameAs(second);
        queue.removeHead();
        assertThat(queue.isEmpty()).isTrue();
    }

    @Test
    void whoLeavesFromTheMiddleLeavesTheOrderAsItWas() {
        CountedWaiter first = added();
        CountedWaiter second = added();
        CountedWaiter third = added();
        queue.remove(second);
        queue.remove(second);
        assertThat(queue.head()).isSameAs(first);
        queue.removeHead();
        assertThat(queue.head()).isSameAs(third);
    }

    /** Something may be thrown to a waiter before it can leave the queue; then it would stand in everybody's way. */
    @Test
    void whoWaitsNoMoreIsSkippedAtTheHeadAndIsNotWoken() {
        CountedWaiter first = added();
        CountedWaiter second = added();
        CountedWaiter third = added();
        first.leave();
        second.leave();
        queue.wakeHead();
        assertThat(queue.head()).isSameAs(third);
        assertThat(new int[] {first.wakes, second.wakes, third.wakes}).containsExactly(0, 0, 1);
        third.leave();
        assertThat(queue.isEmpty()).isTrue();
    }

    // ---- waking ----

    @Test
    void onlyTheHeadIsWokenUnlessAllAre() {
        CountedWaiter first = added();
        CountedWaiter second = added();
        queue.wakeHead();
        assertThat(first.wakes).isEqualTo(1);
        assertThat(second.wakes).isZero();
        queue.wakeAll();
        assertThat(first.wakes).isEqualTo(2);
        assertThat(second.wakes).isEqualTo(1);
    }

    @Test
    void wakeUpIsSeenOnceAndIsNotLostIfItComesBeforeTheSleep() {
        CountedWaiter waiter = new CountedWaiter();
        assertThat(waiter.clearWoken()).isFalse();
        waiter.wake();
        assertThat(waiter.isWoken()).isTrue();
        assertThat(waiter.clearWoken()).isTrue();
        assertThat(waiter.isWoken()).isFalse();
        assertThat(waiter.clearWoken()).isFalse();
    }

    // ---- deadlines ----

    @Test
    void deadlineIsToldFromWhenTheWaitingBegan() {
        CountedWaiter waiter = new CountedWaiter(100, 1_000);
        assertThat(waiter.left(1_000)).isEqualTo(100);
        assertThat(waiter.left(1_100)).isZero();
        assertThat(waiter.left(1_101)).isNegative();
        assertThat(new CountedWaiter(Long.MAX_VALUE, -7).left(Long.MAX_VALUE - 7)).isZero();
    }

    @Test
    void nextThingToDoIsTheSoonestDeadlineOrALookAfterASecond() {
        queue.add(new CountedWaiter(Long.MAX_VALUE, 0));
        assertThat(queue.nothingIsDueFor(5)).isEqualTo(TimeUnit.SECONDS.toNanos(1));
        queue.add(new CountedWaiter(300, 0));
        queue.add(new CountedWaiter(200, 50));
        assertThat(queue.nothingIsDueFor(100)).isEqualTo(150);
    }

    @Test
    void queueIsRestlessUntilEachWaiterHasLooked() {
        CountedWaiter first = added();
        CountedWaiter second = added();
        assertThat(queue.isAnyRestless(10)).isTrue();
        first.settled(10);
        assertThat(queue.isAnyRestless(10)).isTrue();
        second.settled(11);
        assertThat(queue.isAnyRestless(10)).isFalse();
        assertThat(queue.isAnyRestless(11)).isTrue();
    }
}

package dev.sessionlock.internal.threads;

import static dev.sessionlock.internal.threads.Backoff.FIRST_PAUSE_NANOS;
import static dev.sessionlock.internal.threads.Backoff.LONGEST_PAUSE_NANOS;
import static dev.sessionlock.internal.threads.Backoff.QUICK_TRIES;
import static org.assertj.core.api.Assertions.assertThat;

import dev.sessionlock.spi.Busy;
import dev.sessionlock.spi.EngineLock;
import java.util.concurrent.TimeUnit;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** When the head of the queue tries again: numbers alone. */
class BackoffTest {
    private static final long NOW = TimeUnit.HOURS.toNanos(1);
    private static final int KERNEL_BYTE = 1;

    private static Busy busy(int waitFor, long retryAt) {
        return new Busy(waitFor, retryAt, "somebody has it");
    }

    // ---- how long it sleeps ----

    @ParameterizedTest
    @ValueSource(ints = {KERNEL_BYTE, Busy.NOTHING})
    void firstPausesAreShortAndDouble(int waitFor) {
        for (int tries = 0; tries < QUICK_TRIES; tries++) {
            assertThat(Backoff.pause(busy(waitFor, Long.MAX_VALUE), tries, NOW, 0, false)).isEqualTo(FIRST_PAUSE_NANOS << tries);
            assertThat(Backoff.pause(busy(waitFor, Long.MAX_VALUE), tries, NOW, 1_234, false)).isEqualTo(FIRST_PAUSE_NANOS + 1_234 << tries);
        }
    }

    @Test
    void headThatPollsSleepsEverLongerButNoLongerThanTheLongestPause() {
        long before = 0;
        for (int tries = 0; tries < 100; tries++) {
            long pause = Backoff.pause(busy(KERNEL_BYTE, Long.MAX_VALUE), tries, NOW, FIRST_PAUSE_NANOS - 1, false);
            assertThat(pause).isBetween(before, LONGEST_PAUSE_NANOS);
            before = pause;
        }
        assertThat(before).isEqualTo(LONGEST_PAUSE_NANOS);
    }

    @Test
    void headThatIsWokenByTheKernelSleepsForHalfTheLifeOfItsWaiterMark() {
        assertThat(Backoff.pause(busy(KERNEL_BYTE, Long.MAX_VALUE), QUICK_TRIES, NOW, 0, true)).isEqualTo(EngineLock.WAITER_MARK_NANOS / 2);
    }

    @ParameterizedTest
    @ValueSource(booleans = {true, false})
    void headLooksWhenTheLeaseThatItSawIsOver(boolean kernelWakes) {
        long left = 1_000_000;
        for (int tries = QUICK_TRIES + 3; tries < 30; tries++) {
            assertThat(Backoff.pause(busy(KERNEL_BYTE, NOW + left), tries, NOW, 0, kernelWakes)).isBetween(left + 1, left + 100_000);
        }
    }

    @Test
    void whatIsOverAlreadyIsTriedAgainAtOnce() {
        assertThat(Backoff.pause(busy(KERNEL_BYTE, NOW - 1), 0, NOW, 0, false)).isBetween(1L, FIRST_PAUSE_NANOS);
    }

    /** Nobody would gain by a try before that, and nothing wakes the head. */
    @Test
    void engineThatHasNothingToWaitForIsAskedNoSoonerThanItSays() {
        long left = 7_000_000;
        assertThat(Backoff.pause(busy(Busy.NOTHING, NOW + left), 20, NOW, 0, false)).isGreaterThan(left);
        assertThat(Backoff.pause(busy(Busy.NOTHING, NOW), 20, NOW, 0, false)).isGreaterThanOrEqualTo(FIRST_PAUSE_NANOS);
    }

    @Test
    void engineThatSetsThePaceIsNotAskedSooner() {
        for (int tries = 0; tries < 20; tries++) {
            assertThat(Backoff.pause(busy(Busy.PACED, NOW + 3_000_000_000L), tries, NOW, 0, false)).isEqualTo(3_000_000_000L);
            assertThat(Backoff.pause(busy(Busy.PACED, NOW - 5), tries, NOW, 0, false)).isEqualTo(FIRST_PAUSE_NANOS);
        }
    }

    /** A clock may begin anywhere. What is never over by time must not overflow, or the head would spin. */
    @ParameterizedTest
    @ValueSource(longs = {-5_000_000_000L, -1, 0, 1, 5_000})
    void pausesAreTheSameByAClockThatBeganAMomentAgo(long now) {
        for (int tries = 0; tries < 30; tries++) {
            assertThat(Backoff.pause(busy(KERNEL_BYTE, Long.MAX_VALUE), tries, now, 17, false))
                    .isEqualTo(Backoff.pause(busy(KERNEL_BYTE, Long.MAX_VALUE), tries, NOW, 17, false));
        }
    }

    // ---- what it does ----

    @Test
    void threadIsSpentOnWaitingInTheKernelOnlyAfterTheQuickTries() {
        for (int tries = 0; tries < 20; tries++) {
            assertThat(Backoff.wantsKernelWaiter(busy(KERNEL_BYTE, Long.MAX_VALUE), tries)).isEqualTo(tries >= QUICK_TRIES);
            assertThat(Backoff.wantsKernelWaiter(busy(0, Long.MAX_VALUE), tries)).isEqualTo(tries >= QUICK_TRIES);
        }
    }

    @ParameterizedTest
    @ValueSource(ints = {Busy.NOTHING, Busy.PACED})
    void noThreadIsSpentWhereTheEngineCannotWait(int waitFor) {
        assertThat(Backoff.wantsKernelWaiter(busy(waitFor, Long.MAX_VALUE), 100)).isFalse();
    }

    @Test
    void headTriesItselfAtFirstAndOnceInAWhileAndWheneverItIsWoken() {
        assertThat(Backoff.triesItself(false, 0)).isTrue();
        assertThat(Backoff.triesItself(false, 1)).isFalse();
        assertThat(Backoff.triesItself(true, 1)).isTrue();
        long tries = IntStream.range(0, 100).filter(i -> Backoff.triesItself(false, i)).count();
        assertThat(tries).isEqualTo(100 / Backoff.PAUSES_A_TRY);
    }
}

package dev.sessionlock.internal.threads;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.catchThrowable;

import dev.sessionlock.LockOptions;
import java.time.Duration;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** Who has the lock after a handle was closed. Nobody waits in a thread here, and there is no disk. */
class ReleaserTest {
    private static final LockOptions OPTIONS = LockOptions.defaults().withLease(Duration.ofSeconds(60)).withReentrant(true);

    private final ScriptedEngine engine = new ScriptedEngine();
    private final WaitQueue queue = engine.lock.queue();
    private Handle handle;

    @BeforeEach
    void acquire() throws Exception {
        handle = engine.tryAcquire(OPTIONS);
        engine.calls.clear();
    }

    private CountedWaiter waiting(LockOptions options) {
        CountedWaiter waiter = new CountedWaiter(engine.request(options), Long.MAX_VALUE, engine.now);
        queue.add(waiter);
        return waiter;
    }

    private CountedWaiter waiting() {
        return waiting(OPTIONS);
    }

    @Test
    void lockThatNobodyWaitsForIsGivenBack() {
        handle.close();
        assertThat(engine.calls).containsExactly("release", "tidy");
        assertThat(engine.lock.grant()).isNull();
    }

    @Test
    void lockIsHandedOverToTheHeadWhichIsWoken() {
        CountedWaiter first = waiting();
        CountedWaiter second = waiting();
        handle.close();
        assertThat(engine.calls).containsExactly("handOver");
        assertThat(first.given).isNotNull();
        assertThat(first.given.isHeld()).isTrue();
        assertThat(first.given.token()).isGreaterThan(handle.token());
        assertThat(first.wakes).isEqualTo(1);
        assertThat(second.given).isNull();
        assertThat(second.wakes).isZero();
        assertThat(queue.head()).isSameAs(second);
        first.given.close();
        assertThat(second.given).isNotNull();
        assertThat(queue.isEmpty()).isTrue();
    }

    /** A waiter without a thread: the lock belongs to none. */
    @Test
    void lockBelongsToTheWaitersOwner() {
        CountedWaiter waiter = waiting();
        handle.close();
        assertThat(engine.lock.grant().owner()).isNull();
        assertThat(waiter.given.hold().thread()).isEqualTo("nobody's thread");
    }

    @Test
    void waiterThatHasGivenUpIsSkipped() {
        CountedWaiter gone = waiting();
        CountedWaiter next = waiting();
        gone.leave();
        handle.close();
        assertThat(gone.given).isNull();
        assertThat(next.given).isNotNull();
    }

    @Test
    void headTriesItselfIfTheEngineCannotHandOver() {
        CountedWaiter head = waiting();
        engine.handsOver = false;
        handle.close();
        assertThat(engine.calls).containsExactly("handOver", "release", "tidy");
        assertThat(head.given).isNull();
        assertThat(head.wakes).isEqualTo(1);
    }

    /** While this JVM has its time slice, its own threads go on. */
    @Test
    void lockIsHandedOverInTheTimeSliceThoughAnotherProcessWaits() {
        CountedWaiter head = waiting();
        engine.othersWait = true;
        engine.now += FairnessPolicy.TIME_SLICE_NANOS - 1;
        handle.close();
        assertThat(head.given).isNotNull();
    }

    @Test
    void lockIsLeftToTheOtherProcessAfterTheTimeSlice() {
        CountedWaiter head = waiting();
        engine.othersWait = true;
        engine.now += FairnessPolicy.TIME_SLICE_NANOS;
        handle.close();
        assertThat(head.given).isNull();
        assertThat(engine.calls).containsExactly("release", "tidy");
    }

    @Test
    void onlyTheLastHandleEndsIt() throws Exception {
        Handle inner = engine.tryAcquire(OPTIONS);
        assertThat(inner.token()).isEqualTo(handle.token());
        handle.close();
        handle.close();
        assertThat(engine.calls).isEmpty();
        assertThat(inner.isHeld()).isTrue();
        inner.close();
        assertThat(engine.calls).containsExactly("release", "tidy");
    }

    @Test
    void lockThatSomebodyWaitsForDoesNotLinger() throws Exception {
        handle.close();
        LockOptions warm = OPTIONS.withLinger(Duration.ofMinutes(1));
        Handle lingers = engine.tryAcquire(warm);
        CountedWaiter waiter = waiting(warm);
        lingers.close();
        assertThat(waiter.given).isNotNull();
    }

    @Test
    void lockIsFreeAgainAtALaterLookWhateverIsThrownAtTheHandOver() {
        CountedWaiter head = waiting();
        engine.faultAt = "handOver";
        assertThat(catchThrowable(handle::close)).isInstanceOf(StackOverflowError.class);
        assertThat(head.given).isNull();
        engine.lock.supervisor().maintain(false);
        assertThat(head.given).as("the keeper goes on where it was").isNotNull();
    }

    // ---- one try ----

    @Test
    void nobodyIsOvertaken() throws Exception {
        CountedWaiter head = waiting();
        engine.handsOver = false;
        handle.close();
        engine.calls.clear();
        assertThat(engine.tryAcquire(OPTIONS)).isNull();
        assertThat(engine.calls).isEmpty();
        head.leave();
        assertThat(engine.tryAcquire(OPTIONS)).isNotNull();
    }
}

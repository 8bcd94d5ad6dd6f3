package dev.sessionlock.internal.threads;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.catchThrowable;

import dev.sessionlock.LockLostException.Reason;
import dev.sessionlock.LockOptions;
import java.time.Duration;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Nested;
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
        engine.lock.supervisor().maintain(engine.lock, false);
        assertThat(head.given).as("the keeper goes on where it was").isNotNull();
    }

    /** The head of the queue has come this moment. */
    @Nested
    class BeforeTheHeadHasWaitedAMillisecond {
        private final CountedWaiter head = CountedWaiter.fresh(engine.request(OPTIONS), engine.now);

        @BeforeEach
        void queue() {
            queue.add(head);
        }

        @Test
        void lockStaysInMemoryAndTheHeadIsWoken() {
            handle.close();
            assertThat(engine.calls).isEmpty();
            assertThat(head.given).isNull();
            assertThat(head.wakes).isEqualTo(1);
            assertThat(engine.lock.grant().state()).isEqualTo(Grant.State.LINGERING);
        }

        @Test
        void runningThreadTakesItInMemory() throws Exception {
            handle.close();
            Handle next = engine.tryAcquire(OPTIONS);
            assertThat(next.isHeld()).isTrue();
            assertThat(next.token()).isGreaterThan(handle.token());
            assertThat(engine.calls).containsOnly("reuse");
        }

        @Test
        void briefUsersWakeTheHeadOnceUntilItHasLooked() throws Exception {
            handle.close();
            engine.tryAcquire(OPTIONS).close();
            engine.tryAcquire(OPTIONS).close();
            assertThat(head.wakes).isEqualTo(1);
            head.clearWoken();
            engine.tryAcquire(OPTIONS).close();
            assertThat(head.wakes).isEqualTo(2);
        }

        /** Its record would have to be written, which is not in memory. */
        @Test
        void nobodyOvertakesOnOtherOptions() throws Exception {
            handle.close();
            assertThat(engine.tryAcquire(OPTIONS.withPurpose("another"))).isNull();
            assertThat(engine.calls).isEmpty();
        }

        @Test
        void nobodyOvertakesWhereTheEngineKeepsNothingInMemory() throws Exception {
            engine.reusable = false;
            handle.close();
            assertThat(head.given).isNotNull();
            assertThat(engine.calls).containsExactly("handOver");
        }

        @Test
        void nobodyOvertakesOnceItHasWaitedForAMillisecond() throws Exception {
            handle.close();
            queue.remove(head);
            waiting();
            assertThat(engine.tryAcquire(OPTIONS)).isNull();
        }

        @Test
        void headGetsItEvenAfterTheTimeSliceUnlessAnotherProcessWaits() throws Exception {
            engine.now += FairnessPolicy.TIME_SLICE_NANOS;
            handle.close();
            assertThat(engine.calls).isEmpty();
            Handle next = engine.tryAcquire(OPTIONS);
            engine.othersWait = true;
            engine.calls.clear();
            next.close();
            assertThat(engine.calls).containsExactly("release", "tidy");
        }

        @Test
        void lostLockIsGivenBack() throws Exception {
            Revocation.loseNow(engine.lock, Reason.REMOVED_BY_HAND);
            handle.close();
            assertThat(engine.calls).containsExactly("release", "tidy");
        }

        /** It was broken off before it could give the lock back. */
        @Test
        void keeperGivesBackWhatNobodyWaitsForAnyMore() throws Exception {
            handle.close();
            head.leave();
            engine.lock.supervisor().maintain(engine.lock, false);
            assertThat(engine.calls).containsExactly("release", "tidy");
            assertThat(engine.lock.grant()).isNull();
        }

        /** Its thread may be stuck on a disk that does not answer. */
        @Test
        void keeperGivesBackWhatAHeadDoesNotComeForIfAnotherProcessWaits() throws Exception {
            handle.close();
            engine.othersWait = true;
            engine.now += FairnessPolicy.TIME_SLICE_NANOS;
            engine.lock.supervisor().maintain(engine.lock, false);
            assertThat(engine.calls).containsSubsequence("release", "tidy");
            assertThat(engine.lock.grant()).isNull();
        }

        @Test
        void keeperWakesAHeadThatNobodyWoke() throws Exception {
            handle.close();
            engine.lock.supervisor().maintain(engine.lock, false);
            assertThat(head.wakes).isEqualTo(2);
        }
    }

    /** Another process waits, and users here ask again at once, time after time. */
    @Nested
    class InALoopBesideAnotherProcess {

        @BeforeEach
        void loop() throws Exception {
            handle.close();
            for (int i = 0; i < FairnessPolicy.LOOP; i++) {
                engine.tryAcquire(OPTIONS).close();
            }
            engine.lock.fairness().othersSeen(engine.now);
            handle = engine.tryAcquire(OPTIONS);
            engine.othersWait = true;
            engine.calls.clear();
        }

        @Test
        void lockStaysInMemoryForTheSliceAndNoLonger() throws Exception {
            handle.close();
            Handle next = engine.tryAcquire(OPTIONS);
            assertThat(next.token()).isGreaterThan(handle.token());
            assertThat(engine.calls).containsExactly("reuse");
            engine.now += FairnessPolicy.TIME_SLICE_NANOS;
            long beforeClose = System.nanoTime();
            next.close();
            assertThat(engine.calls).containsExactly("reuse", "release", "tidy");
            assertThat(engine.lock.fairness().awayNanos(beforeClose)).isGreaterThanOrEqualTo(FairnessPolicy.AWAY_NANOS);
        }

        @Test
        void lockIsGivenBackAtOnceIfNobodyWaits() {
            engine.othersWait = false;
            handle.close();
            assertThat(engine.calls).containsExactly("release", "tidy");
        }

        @Test
        void lockIsGivenBackAtOnceAfterALongerUse() {
            engine.now += FairnessPolicy.BRIEF_NANOS;
            handle.close();
            assertThat(engine.calls).containsExactly("release", "tidy");
        }

        @Test
        void lockOfASessionLocksThatIsClosedIsGivenBackAtOnce() {
            engine.publisher.close();
            handle.close();
            assertThat(engine.calls).containsExactly("release", "tidy");
        }

        /** The keeper looks once a millisecond. */
        @Test
        void keeperGivesItBackWhenNobodyAsksAgain() {
            handle.close();
            engine.locks.idle().endIfDue(engine.lock);
            assertThat(engine.lock.grant()).as("a user may be about to come").isNotNull();
            engine.now += FairnessPolicy.BRIEF_NANOS;
            engine.locks.idle().endIfDue(engine.lock);
            assertThat(engine.lock.grant()).isNull();
        }

        /** It comes before the keeper's look, and after the loop has ended. */
        @Test
        void userThatComesLateLeavesItToTheProcessThatWaits() throws Exception {
            handle.close();
            engine.now += FairnessPolicy.BRIEF_NANOS;
            assertThat(engine.tryAcquire(OPTIONS)).isNull();
            assertThat(engine.calls).containsExactly("release", "tidy");
        }

        /** Otherwise each pause of such a user would cost the other process another look of the keeper. */
        @Test
        void loopHasEndedOnceTheKeeperHasGivenItBack() throws Exception {
            handle.close();
            engine.now += FairnessPolicy.BRIEF_NANOS;
            engine.locks.idle().endIfDue(engine.lock);
            engine.now += 2 * FairnessPolicy.AWAY_NANOS;
            engine.calls.clear();
            engine.lock.fairness().stayAway(System.nanoTime() - 2 * FairnessPolicy.AWAY_NANOS, 0);
            engine.tryAcquire(OPTIONS).close();
            assertThat(engine.calls).containsExactly("take", "release", "tidy");
        }

        @Test
        void lockIsHandedOverOnOtherTerms() throws Exception {
            handle.close();
            assertThat(engine.tryAcquire(OPTIONS.withPurpose("another"))).isNotNull();
            assertThat(engine.calls).containsExactly("handOver");
        }
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

    @Test
    void jvmStaysAwayAfterItsTimeSliceIfAnotherProcessWaitsAndNotOtherwise() throws Exception {
        handle.close();
        assertThat(engine.lock.fairness().awayNanos(System.nanoTime())).isNotPositive();
        handle = engine.tryAcquire(OPTIONS);
        engine.othersWait = true;
        engine.now += FairnessPolicy.TIME_SLICE_NANOS;
        long before = System.nanoTime();
        handle.close();
        assertThat(engine.lock.fairness().awayNanos(before)).isGreaterThanOrEqualTo(FairnessPolicy.AWAY_NANOS);
    }

    /** Giving the lock back for a moment is no yielding: otherwise a JVM that asks in a loop would have a new slice each time. */
    @Test
    void timeSliceGoesOnIfTheLockIsTakenAgainAtOnce() throws Exception {
        handle.close();
        engine.now += FairnessPolicy.YIELDED_NANOS;
        handle = engine.tryAcquire(OPTIONS);
        CountedWaiter head = waiting();
        engine.othersWait = true;
        engine.now += FairnessPolicy.TIME_SLICE_NANOS - FairnessPolicy.YIELDED_NANOS;
        handle.close();
        assertThat(head.given).as("the slice began with the first acquisition").isNull();
    }

    @Test
    void timeSliceBeginsAnewOnceTheLockWasLeft() throws Exception {
        handle.close();
        engine.now += FairnessPolicy.YIELDED_NANOS + 1;
        handle = engine.tryAcquire(OPTIONS);
        CountedWaiter head = waiting();
        engine.othersWait = true;
        engine.now += FairnessPolicy.TIME_SLICE_NANOS - 1;
        handle.close();
        assertThat(head.given).isNotNull();
    }

    @Test
    void eachHandleCountsAsHeldUntilItIsClosed() throws Exception {
        Handle inner = engine.tryAcquire(OPTIONS);
        assertThat(engine.publisher.stats().held()).isEqualTo(2);
        handle.close();
        assertThat(engine.publisher.stats().held()).isEqualTo(1);
        inner.close();
        assertThat(engine.publisher.stats().held()).isZero();
    }

    @Nested
    class AForgottenHandle {

        @Test
        void losesTheLockIfItWasTheLastOne() {
            engine.lock.releaser().forgotten(handle.ref());
            assertThat(engine.publisher.stats().lost()).isEqualTo(1);
            assertThat(engine.publisher.stats().held()).isZero();
            assertThat(handle.isHeld()).isFalse();
            assertThat(engine.lock.grant().lost().reason()).isEqualTo(Reason.LEAKED);
        }

        @Test
        void costsOtherHandlesNothing() throws Exception {
            Handle inner = engine.tryAcquire(OPTIONS);
            engine.lock.releaser().forgotten(handle.ref());
            assertThat(inner.isHeld()).isTrue();
            assertThat(engine.publisher.stats().lost()).isZero();
            assertThat(engine.publisher.stats().held()).isEqualTo(1);
            inner.close();
            assertThat(engine.calls).containsExactly("release", "tidy");
        }

        @Test
        void isNotOneThatWasClosed() {
            Handle.Ref ref = handle.ref();
            handle.close();
            engine.lock.releaser().forgotten(ref);
            assertThat(engine.publisher.stats().lost()).isZero();
        }
    }
}

package dev.sessionlock.internal.threads;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;

import dev.sessionlock.LockLostException;
import dev.sessionlock.LockLostException.Reason;
import dev.sessionlock.LockMode;
import dev.sessionlock.LockOptions;
import dev.sessionlock.LockReentryException;
import dev.sessionlock.PastHold;
import dev.sessionlock.internal.threads.Grant.State;
import java.time.Duration;
import java.util.List;
import org.junit.jupiter.api.Nested;
import org.junit.jupiter.api.Test;

/** The readers of one JVM, in memory: no disk, no other thread. */
class SharedGrantTest extends SharedFixture {
    @Nested
    class Together {
        @Test
        void shareOneHold() throws Exception {
            Handle first = gets(READER);
            Handle second = gets(READER.withPurpose("other").withMaxHold(Duration.ofSeconds(9)));
            assertThat(first.isHeld()).isTrue();
            assertThat(second.isHeld()).isTrue();
            assertThat(first.mode()).isEqualTo(LockMode.SHARED);
            assertThat(second.token()).isEqualTo(first.token());
            assertThat(engine.calls).filteredOn("take"::equals).hasSize(1);
            assertThat(engine.publisher.stats().held()).isEqualTo(2);
        }

        @Test
        void lastOneGivesItBack() throws Exception {
            Handle first = gets(READER);
            Handle second = gets(READER);
            first.close();
            assertThat(engine.calls).doesNotContain("release");
            assertThat(second.isHeld()).isTrue();
            second.close();
            assertThat(engine.calls).contains("release");
            assertThat(lock.grant()).isNull();
            assertThat(engine.publisher.stats().held()).isZero();
        }

        @Test
        void writerAndReadersExcludeEachOther() throws Exception {
            Handle reader = gets(READER);
            assertThat(gets(WRITER)).isNull();
            reader.close();
            Handle writer = gets(WRITER);
            assertThat(writer.mode()).isEqualTo(LockMode.EXCLUSIVE);
            assertThat(gets(READER)).isNull();
            writer.close();
            assertThat(gets(READER)).isNotNull();
        }

        @Test
        void engineMayRefuseOneMore() throws Exception {
            gets(READER);
            engine.mayShare = false;
            assertThat(gets(READER)).isNull();
        }

        @Test
        void clockIsReadAfterTheEngineWasAsked() throws Exception {
            gets(READER);
            engine.called = method -> engine.now += method.equals("mayShare") ? 61 * SECOND : 0;
            assertThat(gets(READER)).as("its thread slept for longer than the lease").isNull();
            assertThat(engine.publisher.stats().held()).isOne();
        }

        @Test
        void oneWithAnotherTakeoverWaits() throws Exception {
            Handle first = gets(READER);
            assertThat(gets(READER.withTakeover(false))).isNull();
            first.close();
            assertThat(gets(READER.withTakeover(false))).isNotNull();
        }

        @Test
        void faultAsOneJoinsChangesNothing() throws Exception {
            Handle first = gets(READER);
            engine.faultAt = "mayShare";
            assertThatExceptionOfType(StackOverflowError.class).isThrownBy(() -> gets(READER));
            assertThat(gets(READER)).isNotNull();
            first.close();
            assertThat(engine.publisher.stats().held()).isOne();
        }

        @Test
        void eachHasItsOwnHistory() throws Exception {
            engine.keepsHistory = true;
            Handle first = gets(READER.withPurpose("a"));
            Handle second = gets(READER.withPurpose("b"));
            engine.now += SECOND;
            second.close();
            first.close();
            assertThat(engine.history).extracting(PastHold::purpose).containsExactlyInAnyOrder("a", "b");
            assertThat(engine.history).extracting(PastHold::ending).containsOnly(PastHold.Ending.RELEASED);
        }

        @Test
        void aLoopOfOneThreadIsOneEntry() throws Exception {
            engine.keepsHistory = true;
            Handle first = gets(READER.withPurpose("long"));
            for (int i = 0; i < 5; i++) {
                gets(READER.withPurpose("brief")).close();
            }
            HoldRun.write(lock);
            assertThat(engine.history).hasSize(1).first().satisfies(run -> {
                assertThat(run.purpose()).isEqualTo("brief");
                assertThat(run.count()).isEqualTo(5);
            });
            first.close();
            assertThat(engine.history).hasSize(2);
        }
    }

    @Nested
    class WaitingTogether {
        @Test
        void waitingWriterKeepsNewReadersOut() throws Exception {
            Handle first = gets(READER);
            CountedWaiter writer = waits(WRITER);
            assertThat(gets(READER)).isNull();
            CountedWaiter behind = waits(READER);
            assertThat(looks(behind)).isNull();
            first.close();
            assertThat(writer.wakes).isPositive();
            assertThat(looks(writer).isHeld()).isTrue();
            assertThat(looks(behind)).isNull();
        }

        @Test
        void readersBehindAReaderGetInWithItUpToTheNextWriter() throws Exception {
            Handle writing = gets(WRITER);
            CountedWaiter first = waits(READER);
            CountedWaiter second = waits(READER);
            CountedWaiter writer = waits(WRITER);
            CountedWaiter third = waits(READER);
            writing.close();
            assertThat(looks(first).isHeld()).isTrue();
            assertThat(second.given.isHeld()).isTrue();
            assertThat(second.wakes).isPositive();
            assertThat(writer.given).isNull();
            assertThat(third.given).isNull();
            first.given.close();
            assertThat(looks(writer)).isNull();
            second.given.close();
            assertThat(looks(writer).isHeld()).isTrue();
            writer.given.close();
            assertThat(looks(third).isHeld()).isTrue();
        }

        @Test
        void readersGetInWhenTheWriterBeforeThemGivesUp() throws Exception {
            gets(READER);
            CountedWaiter writer = waits(WRITER);
            CountedWaiter reader = waits(READER);
            assertThat(looks(reader)).isNull();
            lock.acquirer().leave(writer, null);
            assertThat(reader.wakes).isPositive();
            assertThat(looks(reader).isHeld()).isTrue();
            assertThat(engine.calls).filteredOn("take"::equals).hasSize(1);
        }

        @Test
        void readerThatTheEngineRefusesLooksAgainSoon() throws Exception {
            gets(READER);
            engine.mayShare = false;
            CountedWaiter reader = waits(READER);
            assertThat(lock.acquirer().look(reader)).isLessThan(SECOND);
            engine.mayShare = true;
            assertThat(looks(reader).isHeld()).isTrue();
        }

        @Test
        void eachIsLetInOnce() throws Exception {
            gets(READER);
            CountedWaiter writer = waits(WRITER);
            CountedWaiter reader = waits(READER);
            lock.acquirer().leave(writer, null);
            Joining.letIn(lock);
            Handle given = reader.given;
            Joining.letIn(lock);
            assertThat(looks(reader)).isSameAs(given);
            assertThat(engine.publisher.stats().held()).isEqualTo(2);
        }

        @Test
        void aThrowableWhileSomebodyIsLetInLosesNobody() throws Exception {
            Handle first = gets(READER);
            CountedWaiter writer = waits(WRITER);
            CountedWaiter reader = waits(READER);
            lock.acquirer().leave(writer, null);
            engine.faultAt = "mayShare";
            Joining.letIn(lock);
            assertThat(reader.given).isNull();
            int wakes = reader.wakes;
            maintain();
            assertThat(reader.wakes).isGreaterThan(wakes);
            assertThat(looks(reader).isHeld()).isTrue();
            first.close();
        }
    }

    @Nested
    class Lingering {
        @Test
        void isReusedByReadersWithTheSameToken() throws Exception {
            Handle first = gets(WARM);
            first.close();
            assertThat(lock.grant().state()).isEqualTo(State.LINGERING);
            Handle second = gets(READER.withPurpose("on other terms"));
            assertThat(second.isHeld()).isTrue();
            assertThat(second.token()).isEqualTo(first.token());
            assertThat(engine.calls).filteredOn("take"::equals).hasSize(1);
            second.close();
            assertThat(lock.grant()).as("the last one wants no linger").isNull();
        }

        @Test
        void isGivenBackForAWriter() throws Exception {
            gets(WARM).close();
            Handle writer = gets(WRITER.withLinger(Duration.ofSeconds(10)));
            assertThat(writer.isHeld()).isTrue();
            assertThat(engine.calls).containsSubsequence("take", "release", "take").doesNotContain("handOver", "reuse");
            writer.close();
            assertThat(gets(READER).isHeld()).isTrue();
            assertThat(engine.calls).containsSubsequence("take", "release", "take", "release", "take").doesNotContain("handOver", "reuse");
        }

        @Test
        void doesNotLingerBeforeAWriter() throws Exception {
            Handle first = gets(WARM);
            waits(WRITER);
            first.close();
            assertThat(lock.grant()).isNull();
        }

        @Test
        void usesBetweenTwoIdleChecksAreSeen() throws Exception {
            gets(WARM).close();
            for (int i = 0; i < 30; i++) {
                assertThat(lock.grant().hasLingered(engine.now)).isFalse();
                engine.now += SECOND;
                gets(WARM).close();
            }
            assertThat(engine.calls).doesNotContain("release");
        }

        @Test
        void lossIsFoundWhenItsLeaseIsOver() throws Exception {
            gets(WARM).close();
            engine.called = method -> engine.now += method.equals("reuse") ? 61 * SECOND : 0;
            Handle second = gets(READER);
            assertThat(engine.calls).containsSubsequence("take", "reuse", "release", "take");
            assertThat(second.isHeld()).isTrue();
        }

        @Test
        void keeperDoesNotSpin() throws Exception {
            gets(WARM.withMaxHold(Duration.ofSeconds(1))).close();
            engine.now += 30 * SECOND;
            assertThat(lock.supervisor().nextLook(lock, engine.now)).isPositive();
        }
    }

    @Nested
    class OfOneThread {
        private static final LockOptions AGAIN = READER.withReentrant(true);

        @Test
        void doesNotReadTwice() throws Exception {
            engine.tryAcquire(READER);
            assertThatExceptionOfType(LockReentryException.class).isThrownBy(() -> engine.tryAcquire(READER)).withMessageContaining("withReentrant(true)");
        }

        @Test
        void getsAFurtherHandleIfItWantsOne() throws Exception {
            Handle outer = engine.tryAcquire(READER);
            Handle inner = engine.tryAcquire(AGAIN);
            assertThat(inner.grant()).isSameAs(outer.grant());
            outer.close();
            inner.ensureHeld();
            inner.close();
            assertThat(lock.grant()).isNull();
        }

        @Test
        void hasMoreThanItAskedForInsideOfAnExclusiveLock() throws Exception {
            engine.tryAcquire(WRITER);
            assertThatExceptionOfType(LockReentryException.class).isThrownBy(() -> engine.tryAcquire(READER));
            assertThat(engine.tryAcquire(AGAIN).mode()).isEqualTo(LockMode.EXCLUSIVE);
        }

        @Test
        void isToldThatThereIsNoUpgrade() throws Exception {
            engine.tryAcquire(READER);
            for (LockOptions options : List.of(WRITER, WRITER.withReentrant(true))) {
                assertThatExceptionOfType(LockReentryException.class).isThrownBy(() -> engine.tryAcquire(options))
                        .withMessageContainingAll("no upgrade", "Close the shared lock, then acquire exclusively, then read again");
            }
        }

        @Test
        void readsAgainAfterItHasLostItAlone() throws Exception {
            Handle lost = engine.tryAcquire(READER.withMaxHold(Duration.ofSeconds(5)));
            Handle other = Joining.tryJoin(lock, engine.publisher, READER, null);
            engine.now += 6 * SECOND;
            keeperLooks();
            assertThat(lossOf(lost)).isEqualTo(Reason.MAX_HOLD);
            assertThatExceptionOfType(LockLostException.class).isThrownBy(() -> engine.tryAcquire(AGAIN));
            CountedWaiter waiter = waits(READER);
            assertThat(looks(waiter).isHeld()).isTrue();
            lost.close();
            waiter.given.ensureHeld();
            other.ensureHeld();
        }
    }
}

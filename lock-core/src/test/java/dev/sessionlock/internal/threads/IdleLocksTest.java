package dev.sessionlock.internal.threads;

import static org.assertj.core.api.Assertions.assertThat;

import dev.sessionlock.LockOptions;
import dev.sessionlock.internal.threads.Grant.State;
import java.time.Duration;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;

/** What lingers in this JVM: who may have it again, and when it goes back; no disk, no thread. */
class IdleLocksTest {
    private static final long LINGER = TimeUnit.SECONDS.toNanos(1);
    private static final LockOptions WARM = LockOptions.defaults().withLease(Duration.ofSeconds(60)).withLinger(Duration.ofNanos(LINGER));

    private final ScriptedEngine engine = new ScriptedEngine();
    private final IdleLocks idle = engine.locks.idle();

    private Handle reused(LockOptions options) {
        return idle.tryReuse(engine.lock, engine.publisher, options, Thread.currentThread());
    }

    private void assertLingers(boolean lingers) {
        Grant grant = engine.lock.grant();
        assertThat(grant != null && grant.state() == State.LINGERING).isEqualTo(lingers);
    }

    @Test
    void lockThatLingersIsReusedInMemoryAloneWithANewToken() throws Exception {
        Handle first = engine.tryAcquire(WARM);
        first.close();
        assertLingers(true);
        engine.calls.clear();
        Handle second = reused(WARM);
        assertThat(second.token()).isGreaterThan(first.token());
        assertThat(engine.calls).containsExactly("reuse");
        assertThat(reused(WARM)).as("it is held").isNull();
    }

    @Test
    void lockIsNotReusedOnOtherTermsNorByOthers() throws Exception {
        engine.tryAcquire(WARM).close();
        assertThat(reused(WARM.withPurpose("another"))).isNull();
        assertThat(idle.tryReuse(engine.lock, new EventPublisher(null, null, false, 0), WARM, Thread.currentThread())).isNull();
        assertLingers(true);
    }

    @Test
    void lockThatIsAskedForOnOtherTermsIsHandedOver() throws Exception {
        engine.tryAcquire(WARM).close();
        engine.calls.clear();
        assertThat(engine.tryAcquire(WARM.withPurpose("another"))).isNotNull();
        assertThat(engine.calls).containsExactly("handOver");
    }

    @Test
    void lockThatCannotBeHandedOverIsGivenBackAndTakenAnew() throws Exception {
        engine.tryAcquire(WARM).close();
        engine.calls.clear();
        engine.handsOver = false;
        assertThat(engine.tryAcquire(WARM.withPurpose("another"))).isNotNull();
        assertThat(engine.calls).containsExactly("handOver", "release", "tidy", "take");
    }

    @Test
    void lockThatHasLingeredForLongEnoughIsGivenBackAndNotSooner() throws Exception {
        engine.tryAcquire(WARM).close();
        idle.endIfDue(engine.lock); // the keeper's first check: from here on it counts
        engine.now += LINGER - 1;
        idle.endIfDue(engine.lock);
        assertLingers(true);
        engine.now++;
        idle.endIfDue(engine.lock);
        assertThat(engine.lock.grant()).isNull();
        assertThat(engine.calls).contains("release");
    }

    @Test
    void lockThatIsReusedMeanwhileLingersAnew() throws Exception {
        engine.tryAcquire(WARM).close();
        idle.endIfDue(engine.lock);
        engine.now += LINGER - 1;
        reused(WARM).close();
        engine.now++;
        idle.endIfDue(engine.lock);
        assertLingers(true);
    }

    @Test
    void lockThatAnotherProcessWantsIsGivenBackUnlessItWasUsedForAMomentJustNow() throws Exception {
        engine.tryAcquire(WARM).close();
        engine.othersWait = true;
        idle.endIfDue(engine.lock);
        assertLingers(true);
        engine.now += FairnessPolicy.BRIEF_NANOS;
        idle.endIfDue(engine.lock);
        assertThat(engine.lock.grant()).isNull();
    }

    @Test
    void lockThatAnotherProcessWantsDoesNotLingerAfterALongerUse() throws Exception {
        Handle handle = engine.tryAcquire(WARM);
        engine.now += FairnessPolicy.BRIEF_NANOS;
        engine.othersWait = true;
        handle.close();
        assertThat(engine.lock.grant()).isNull();
    }
}

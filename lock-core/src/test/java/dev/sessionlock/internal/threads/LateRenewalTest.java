package dev.sessionlock.internal.threads;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.sessionlock.LockLostException;
import dev.sessionlock.LockLostException.Reason;
import dev.sessionlock.LockOptions;
import dev.sessionlock.LockReentryException;
import java.time.Duration;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** The machine sleeps for an hour, and the clock counts it: what the keeper and a user do with a lock whose lease is over when it wakes. */
class LateRenewalTest {
    private static final long HOUR = TimeUnit.HOURS.toNanos(1);
    private static final LockOptions OPTIONS = LockOptions.defaults();

    private final ScriptedEngine engine = new ScriptedEngine();
    private final LeaseSupervisor supervisor = engine.lock.supervisor();
    private Handle handle;

    @BeforeEach
    void acquireAndSleep() throws Exception {
        engine.mayRenewLate = true;
        acquire(OPTIONS);
        sleep();
    }

    private void acquire(LockOptions options) throws Exception {
        handle = engine.tryAcquire(options);
    }

    private void sleep() {
        engine.now += HOUR;
        engine.calls.clear();
    }

    @Test
    void keeperRenewsIt() throws Exception {
        supervisor.maintain(engine.lock, false);
        assertThat(engine.calls).containsExactly("renewLate", "check");
        handle.ensureHeld();
        assertThat(engine.lock.grant().lost()).isNull();
    }

    /** The keeper's thread touches no disk: a worker renews. */
    @Test
    void keeperLeavesItToAWorkerForAWhile() {
        assertThat(supervisor.loseIfOver(engine.lock, false)).isTrue();
        assertThat(engine.lock.grant().lost()).isNull();
        assertThat(supervisor.loseIfOver(engine.lock, true)).isFalse();
        assertThat(engine.lock.grant().lost().reason()).isEqualTo(Reason.LEASE_EXPIRED);
        assertThat(engine.calls).as("memory only").isEmpty();
    }

    @Test
    void userWhoComesBeforeTheKeeperRenewsIt() throws Exception {
        handle.ensureHeld();
        assertThat(engine.calls).containsExactly("renewLate");
        sleep();
        handle.renew();
        assertThat(engine.calls).containsExactly("renewLate");
        assertThat(handle.holdLeft()).isEqualTo(OPTIONS.maxHold().toNanos());
    }

    @Test
    void questionInMemoryAloneSaysThatItIsNotHeldYet() throws Exception {
        assertThat(handle.isHeld()).isFalse();
        assertThat(engine.calls).isEmpty();
        assertThat(engine.lock.grant().lost()).isNull();
    }

    @Test
    void lateRenewalThatFailsIsALoss() throws Exception {
        engine.renewsLate = false;
        assertThatThrownBy(handle::ensureHeld).isInstanceOf(LockLostException.class);
        assertThat(engine.lock.grant().lost().reason()).isEqualTo(Reason.LEASE_EXPIRED);
        engine.renewsLate = true;
        assertThat(handle.isHeld()).as("once told, it stays lost").isFalse();
        assertThat(engine.calls).containsExactly("renewLate");
    }

    @Test
    void keeperLosesAndGivesBackWhatCannotBeRenewed() throws Exception {
        engine.renewsLate = false;
        supervisor.maintain(engine.lock, false);
        assertThat(engine.lock.grant()).isNull();
        assertThat(engine.calls).containsExactly("renewLate", "release", "tidy");
    }

    @Test
    void lateRenewalThatThrowsIsALossThatTellsWhy() throws Exception {
        engine.faultAt = "renewLate";
        assertThatThrownBy(handle::ensureHeld).isInstanceOf(LockLostException.class).hasMessageContaining("StackOverflowError");
    }

    /** In time, but the machine sleeps while the renewal is made. */
    @Test
    void renewalThatIsOvertakenBySleepIsMadeOnceMore() throws Exception {
        handle.ensureHeld();
        engine.now += OPTIONS.lease().toNanos() / 3;
        engine.renews = false;
        engine.calls.clear();
        engine.called = method -> engine.now += method.equals("renew") ? HOUR : 0;
        supervisor.maintain(engine.lock, false);
        assertThat(engine.calls).containsExactly("renew", "renewLate", "check");
        assertThat(handle.isHeld()).isTrue();
    }

    /** Nobody could make progress meanwhile. */
    @Test
    void maxHoldDoesNotRunWhileTheMachineSleeps() throws Exception {
        handle.ensureHeld();
        assertThat(handle.holdLeft()).isEqualTo(OPTIONS.maxHold().toNanos());
    }

    @Test
    void maxHoldGoesOnAfterwards() throws Exception {
        handle.ensureHeld();
        engine.now += OPTIONS.lease().toNanos() - 1;
        assertThat(handle.holdLeft()).isEqualTo(OPTIONS.maxHold().minus(OPTIONS.lease()).toNanos() + 1);
    }

    @Test
    void lockThatLingersIsNotRenewed() throws Exception {
        handle.ensureHeld();
        handle.close();
        acquire(OPTIONS.withLinger(Duration.ofMinutes(1)));
        handle.close();
        sleep();
        supervisor.maintain(engine.lock, false);
        assertThat(engine.calls).doesNotContain("renewLate").contains("release");
    }

    @Test
    void threadThatHasItIsToldSoAfterASleep() throws Exception {
        assertThatThrownBy(() -> engine.tryAcquire(OPTIONS)).isInstanceOf(LockReentryException.class);
        sleep();
        Handle again = engine.tryAcquire(OPTIONS.withReentrant(true));
        assertThat(again.token()).isEqualTo(handle.token());
    }

    @Test
    void engineWhoseClockStandsStillMeanwhileIsNotAsked() throws Exception {
        engine.mayRenewLate = false;
        assertThat(handle.isHeld()).isFalse();
        assertThat(supervisor.loseIfOver(engine.lock, false)).isFalse();
        assertThat(engine.lock.grant().lost().reason()).isEqualTo(Reason.LEASE_EXPIRED);
        assertThat(engine.calls).as("memory only").isEmpty();
    }
}

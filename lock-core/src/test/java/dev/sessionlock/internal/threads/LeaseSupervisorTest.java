package dev.sessionlock.internal.threads;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.catchThrowable;

import dev.sessionlock.LockLostException;
import dev.sessionlock.LockLostException.Reason;
import dev.sessionlock.LockOptions;
import dev.sessionlock.internal.threads.Grant.State;
import dev.sessionlock.spi.EngineLock.HoldStatus;
import java.time.Duration;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;

/** What the keeper does with one lock, look by look; no disk, no thread, and the clock stands still. */
class LeaseSupervisorTest {
    private static final long LEASE = TimeUnit.SECONDS.toNanos(12);
    private static final long GRACE = TimeUnit.SECONDS.toNanos(2);
    private static final LockOptions OPTIONS = LockOptions.defaults().withLease(Duration.ofNanos(LEASE)).withMaxHold(LockOptions.UNLIMITED)
            .withRevokeGrace(Duration.ofNanos(GRACE));

    private final ScriptedEngine engine = new ScriptedEngine();
    private final LeaseSupervisor supervisor = engine.lock.supervisor();

    private Handle acquired(LockOptions options) throws Exception {
        Handle handle = engine.tryAcquire(options);
        assertThat(handle).isNotNull();
        engine.calls.clear();
        return handle;
    }

    private State state() {
        return engine.lock.grant().state();
    }

    private Reason lost() {
        LockLostException lost = engine.lock.grant().lost();
        return lost == null ? null : lost.reason();
    }

    // ---- renewing ----

    @Test
    void leaseIsRenewedAtAThirdOfIt() throws Exception {
        Handle handle = acquired(OPTIONS);
        engine.now += LEASE / 3 - 1;
        supervisor.maintain(engine.lock, false);
        assertThat(engine.calls).containsExactly("check");
        engine.now++;
        supervisor.maintain(engine.lock, false);
        assertThat(engine.calls).containsExactly("check", "renew", "check");
        assertThat(handle.hold().deadline()).isEqualTo(engine.now + LEASE);
    }

    @Test
    void renewalThatFailsIsTriedAgainAndTheLossTellsWhy() throws Exception {
        acquired(OPTIONS);
        engine.now += LEASE / 3;
        engine.faultAt = "renew";
        supervisor.maintain(engine.lock, false);
        assertThat(lost()).isNull();
        engine.faultAt = "renew";
        supervisor.maintain(engine.lock, false);
        engine.now += LEASE;
        supervisor.loseIfOver(engine.lock, false);
        assertThat(lost()).isEqualTo(Reason.LEASE_EXPIRED);
        assertThat(engine.lock.grant().lost()).hasMessageContaining("its lease could not be renewed").hasMessageContaining("StackOverflowError");
    }

    @Test
    void lockWhoseRenewalComesTooLateIsLostAndGivenBackAtOnce() throws Exception {
        Handle handle = acquired(OPTIONS);
        Grant grant = engine.lock.grant();
        engine.now += LEASE / 3;
        engine.renews = false;
        supervisor.maintain(engine.lock, false);
        assertThat(grant.lost().reason()).isEqualTo(Reason.KERNEL_LOCK_LOST);
        assertThat(grant.state()).isEqualTo(State.ENDED);
        assertThat(engine.lock.grant()).isNull();
        assertThat(handle.isHeld()).isFalse();
        assertThat(engine.calls).contains("release");
    }

    // ---- losing ----

    @Test
    void lockWhoseRecordWasRemovedIsRevokedAndGivenBackAfterItsGrace() throws Exception {
        Handle handle = acquired(OPTIONS);
        engine.status = HoldStatus.REMOVED;
        supervisor.maintain(engine.lock, false);
        assertThat(lost()).isEqualTo(Reason.REMOVED_BY_HAND);
        assertThat(state()).isEqualTo(State.REVOKED);
        assertThat(handle.isHeld()).isFalse();
        assertThat(supervisor.nextLook(engine.lock, engine.now)).isEqualTo(GRACE);
        engine.now += GRACE - 1;
        supervisor.maintain(engine.lock, false);
        assertThat(state()).isEqualTo(State.REVOKED);
        assertThat(engine.calls).doesNotContain("release");
        engine.now++;
        supervisor.maintain(engine.lock, false);
        assertThat(engine.lock.grant()).isNull();
        assertThat(engine.calls).contains("release");
    }

    /** Until its grace is over, others must not come in. */
    @Test
    void revokedLockIsRenewedInItsGrace() throws Exception {
        acquired(OPTIONS.withRevokeGrace(Duration.ofNanos(LEASE)));
        engine.status = HoldStatus.REQUESTED;
        supervisor.maintain(engine.lock, false);
        assertThat(lost()).isEqualTo(Reason.RELEASE_REQUESTED);
        engine.now += LEASE / 3;
        supervisor.maintain(engine.lock, false);
        assertThat(engine.calls).contains("renew").doesNotContain("release");
    }

    @Test
    void userThatClosesARevokedLockGivesItBackAtOnce() throws Exception {
        Handle handle = acquired(OPTIONS);
        engine.status = HoldStatus.REMOVED;
        supervisor.maintain(engine.lock, false);
        handle.close();
        assertThat(engine.lock.grant()).isNull();
        assertThat(engine.calls).containsSubsequence("release", "tidy");
    }

    @Test
    void nobodyIsToldOfALossWhileTheLockLingersAndItIsGivenBack() throws Exception {
        acquired(OPTIONS.withLinger(Duration.ofMinutes(1))).close();
        engine.status = HoldStatus.LOST;
        supervisor.maintain(engine.lock, false);
        assertThat(engine.lock.grant()).isNull();
        assertThat(engine.calls).contains("release");
        assertThat(engine.publisher.stats().lost()).isZero();
    }

    @Test
    void maxHoldEndsItByTheClockAlone() throws Exception {
        Handle handle = acquired(OPTIONS.withMaxHold(Duration.ofSeconds(3)));
        engine.now += TimeUnit.SECONDS.toNanos(3) - 1;
        supervisor.loseIfOver(engine.lock, false);
        assertThat(handle.isHeld()).isTrue();
        engine.now++;
        supervisor.loseIfOver(engine.lock, false);
        assertThat(lost()).isEqualTo(Reason.MAX_HOLD);
        assertThat(engine.calls).as("memory only").isEmpty();
    }

    // ---- finishing ----

    @Test
    void lockWhoseReleaseFailedIsGivenBackAtALaterLook() throws Exception {
        Handle handle = acquired(OPTIONS);
        engine.faultAt = "release";
        assertThat(catchThrowable(handle::close)).isInstanceOf(StackOverflowError.class);
        assertThat(state()).isEqualTo(State.ENDING);
        assertThat(supervisor.nextLook(engine.lock, engine.now)).isBetween(1L, TimeUnit.MILLISECONDS.toNanos(250));
        assertThat(engine.tryAcquire(OPTIONS)).isNull();
        supervisor.maintain(engine.lock, false);
        assertThat(engine.lock.grant()).isNull();
        assertThat(engine.lock.owned().isPresent()).isFalse();
    }

    @Test
    void holdWithoutAGrantIsGivenBack() throws Exception {
        engine.lock.owned().take(engine.request(OPTIONS).terms("taker"));
        supervisor.maintain(engine.lock, false);
        assertThat(engine.calls).containsExactly("take", "release", "tidy");
        assertThat(engine.lock.owned().isUntidy()).isFalse();
        supervisor.maintain(engine.lock, false);
        assertThat(engine.calls).as("nothing is left to do").hasSize(3);
    }

    // ---- when it looks ----

    @Test
    void keeperLooksInTimeForWhateverComesFirst() throws Exception {
        assertThat(supervisor.nextLook(engine.lock, engine.now)).isEqualTo(Long.MAX_VALUE);
        acquired(OPTIONS);
        assertThat(supervisor.nextLook(engine.lock, engine.now)).isEqualTo(LEASE / 4);
    }

    @Test
    void keeperLooksInTimeForMaxHold() throws Exception {
        acquired(OPTIONS.withMaxHold(Duration.ofSeconds(2)));
        assertThat(supervisor.nextLook(engine.lock, engine.now)).isEqualTo(TimeUnit.SECONDS.toNanos(2));
        engine.now += TimeUnit.SECONDS.toNanos(1);
        assertThat(supervisor.nextLook(engine.lock, engine.now)).isEqualTo(TimeUnit.SECONDS.toNanos(1));
    }
}

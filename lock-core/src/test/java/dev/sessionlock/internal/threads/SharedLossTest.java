package dev.sessionlock.internal.threads;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;

import dev.sessionlock.LockLostException.Reason;
import dev.sessionlock.LockOptions;
import dev.sessionlock.internal.threads.Grant.State;
import dev.sessionlock.spi.EngineLock.HoldStatus;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

/** What all readers of one JVM lose together, and what one of them loses alone. */
class SharedLossTest extends SharedFixture {
    private final List<Handle> told = new ArrayList<>();

    private Handle listens(LockOptions options) throws Exception {
        Handle handle = gets(options);
        handle.onLost(why -> told.add(handle));
        return handle;
    }

    @Test
    void lossOfTheHoldConcernsAll() throws Exception {
        Handle first = listens(READER);
        Handle second = listens(READER.withPurpose("second"));
        engine.status = HoldStatus.REMOVED;
        maintain();
        assertThat(lossOf(first)).isEqualTo(Reason.REMOVED_BY_HAND);
        assertThat(lossOf(second)).isEqualTo(Reason.REMOVED_BY_HAND);
        assertThat(engine.publisher.stats().lost()).isEqualTo(2);
        assertThat(engine.publisher.stats().held()).isZero();
        assertThat(gets(READER)).as("until they have closed it, or their grace is over").isNull();
        assertThat(engine.calls).doesNotContain("release");
        first.close();
        second.close();
        assertThat(engine.calls).contains("release");
        assertThat(gets(WRITER)).isNotNull();
    }

    @Test
    void longestGraceCounts() throws Exception {
        gets(READER.withRevokeGrace(Duration.ZERO));
        gets(READER.withRevokeGrace(Duration.ofSeconds(20)));
        engine.status = HoldStatus.REQUESTED;
        maintain();
        engine.now += 19 * SECOND;
        maintain();
        assertThat(engine.calls).doesNotContain("release");
        engine.now += 2 * SECOND;
        maintain();
        assertThat(engine.calls).contains("release");
        assertThat(lock.grant()).isNull();
    }

    @Test
    void leaseThatIsOverConcernsAllAtOnce() throws Exception {
        Handle first = gets(READER);
        Handle second = gets(READER);
        engine.now += 61 * SECOND;
        assertThat(lossOf(second)).isEqualTo(Reason.LEASE_EXPIRED);
        assertThat(lossOf(first)).isEqualTo(Reason.LEASE_EXPIRED);
        assertThat(engine.publisher.stats().lost()).isEqualTo(2);
        maintain();
        assertThat(lock.grant()).isNull();
        first.close();
        second.close();
        assertThat(engine.publisher.stats().held()).isZero();
    }

    @Test
    void maxHoldConcernsOne() throws Exception {
        Handle brief = gets(READER.withMaxHold(Duration.ofSeconds(5)).withRevokeGrace(Duration.ofSeconds(3)));
        Handle other = gets(READER);
        assertThat(lock.supervisor().nextLook(lock, engine.now)).isLessThanOrEqualTo(5 * SECOND);
        engine.now += 6 * SECOND;
        keeperLooks();
        assertThat(lossOf(brief)).isEqualTo(Reason.MAX_HOLD);
        other.ensureHeld();
        assertThat(gets(READER)).as("others may join").isNotNull();
        assertThat(engine.publisher.stats().lost()).isOne();
        engine.now += 4 * SECOND;
        maintain();
        assertThat(((SharedGrant) lock.grant()).readers()).hasSize(2);
        brief.close();
        other.ensureHeld();
        assertThat(engine.publisher.stats().held()).isEqualTo(2);
    }

    @Test
    void graceOfOneKeepsWritersOut() throws Exception {
        Handle brief = gets(READER.withMaxHold(Duration.ofSeconds(5)).withRevokeGrace(Duration.ofSeconds(3)));
        Handle other = gets(READER);
        engine.now += 6 * SECOND;
        keeperLooks();
        other.close();
        assertThat(gets(WRITER)).as("in its grace").isNull();
        engine.now += 4 * SECOND;
        maintain();
        assertThat(gets(WRITER)).isNotNull();
        brief.close();
        assertThat(lock.grant().isValid(engine.now)).isTrue();
    }

    @Test
    void progressOfOneIsNotThatOfAnother() throws Exception {
        Handle first = gets(READER.withMaxHold(Duration.ofSeconds(5)));
        Handle second = gets(READER.withMaxHold(Duration.ofSeconds(5)));
        engine.now += 4 * SECOND;
        first.renew();
        engine.now += 2 * SECOND;
        keeperLooks();
        first.ensureHeld();
        assertThat(lossOf(second)).isEqualTo(Reason.MAX_HOLD);
    }

    @Test
    void forgottenHandleConcernsOne() throws Exception {
        Handle leaked = gets(READER);
        Handle other = gets(READER);
        lock.releaser().forgotten(leaked.ref());
        other.ensureHeld();
        assertThat(engine.publisher.lost(Reason.LEAKED)).isOne();
        other.close();
        assertThat(engine.calls).contains("release");
    }

    @Test
    void lastForgottenHandleEndsTheHold() throws Exception {
        Handle leaked = gets(READER);
        lock.releaser().forgotten(leaked.ref());
        maintain();
        assertThat(lock.grant()).isNull();
        assertThat(engine.calls).contains("release");
    }

    @Test
    void oneThatIsClosedAsAllLoseItCountsOnce() throws Exception {
        Handle first = gets(READER);
        Handle second = gets(READER);
        first.close();
        Revocation.loseNow(lock, Reason.REMOVED_BY_HAND);
        second.close();
        assertThat(engine.publisher.stats().held()).isZero();
        assertThat(engine.publisher.stats().lost()).isOne();
        Revocation.lose(first.grant(), Reason.MAX_HOLD);
        assertThat(engine.publisher.stats().lost()).as("it has left").isOne();
    }

    @Test
    void closingThatWasBrokenOffIsFinished() throws Exception {
        Handle first = gets(READER);
        Handle second = gets(READER);
        first.ref().close(); // and then something was thrown
        maintain();
        maintain();
        assertThat(((SharedGrant) lock.grant()).readers()).containsExactly((ReaderGrant) second.grant());
        second.ref().close();
        maintain();
        maintain();
        assertThat(lock.grant()).isNull();
    }

    @Test
    void releaseThatThrowsIsTriedAgain() throws Exception {
        Handle first = gets(READER);
        engine.faultAt = "release";
        assertThatExceptionOfType(StackOverflowError.class).isThrownBy(first::close);
        assertThat(lock.grant().state()).isEqualTo(State.ENDING);
        assertThat(gets(READER)).isNull();
        maintain();
        assertThat(lock.grant()).isNull();
    }

    @Test
    void leaseIsRenewedOnceForAll() throws Exception {
        gets(READER);
        gets(READER);
        engine.calls.clear();
        engine.now += 21 * SECOND;
        maintain();
        assertThat(engine.calls).filteredOn("renew"::equals).hasSize(1);
    }

    @Test
    void leaseThatIsRenewedLateConcernsAll() throws Exception {
        engine.mayRenewLate = true;
        Handle first = gets(READER.withMaxHold(Duration.ofSeconds(50)));
        Handle second = gets(READER.withMaxHold(Duration.ofSeconds(50)));
        engine.now += 3600 * SECOND;
        first.ensureHeld();
        second.ensureHeld();
        assertThat(engine.calls).filteredOn("renewLate"::equals).hasSize(1);
    }
}

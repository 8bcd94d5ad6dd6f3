package dev.sessionlock.internal.threads;

import static dev.sessionlock.internal.threads.FairnessPolicy.AWAY_NANOS;
import static dev.sessionlock.internal.threads.FairnessPolicy.BRIEF_NANOS;
import static dev.sessionlock.internal.threads.FairnessPolicy.LOOP;
import static dev.sessionlock.internal.threads.FairnessPolicy.MOST_SPINS;
import static dev.sessionlock.internal.threads.FairnessPolicy.SPIN_AGAIN;
import static dev.sessionlock.internal.threads.FairnessPolicy.TIME_SLICE_NANOS;
import static dev.sessionlock.internal.threads.FairnessPolicy.YIELDED_NANOS;
import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Which process goes next: numbers alone. */
class FairnessPolicyTest {
    private static final long START = 1_000_000_000_000L;

    private final FairnessPolicy policy = new FairnessPolicy(START);

    // ---- time slices ----

    @Test
    void sliceBeginsWithTheFirstTakeAndEndsAfterFiveMilliseconds() {
        policy.taken(START);
        assertThat(policy.isSliceOver(START + TIME_SLICE_NANOS - 1)).isFalse();
        assertThat(policy.isSliceOver(START + TIME_SLICE_NANOS)).isTrue();
    }

    @Test
    void takingItAgainSoonGoesOnWithTheSlice() {
        policy.taken(START);
        policy.gaveBack(START + 1_000_000);
        policy.taken(START + 1_000_000 + YIELDED_NANOS);
        assertThat(policy.isSliceOver(START + TIME_SLICE_NANOS)).isTrue();
    }

    @Test
    void takingItAgainLaterBeginsANewSlice() {
        policy.taken(START);
        policy.gaveBack(START + 1_000_000);
        long again = START + 1_000_000 + YIELDED_NANOS + 1;
        policy.taken(again);
        assertThat(policy.isSliceOver(again + TIME_SLICE_NANOS - 1)).isFalse();
    }

    /** However soon this JVM takes it then: the other process has had its time slice. */
    @Test
    void takingItAfterAnotherProcessHadItBeginsANewSlice() {
        policy.taken(START);
        policy.gaveBack(START + 1_000_000);
        policy.foundTaken();
        policy.taken(START + 1_000_001);
        assertThat(policy.isSliceOver(START + 1_000_001 + TIME_SLICE_NANOS - 1)).isFalse();
    }

    @Test
    void briefUsersMayGoOnForTheSliceOnly() {
        policy.taken(START);
        for (long acquired = START; acquired < START + 2 * TIME_SLICE_NANOS; acquired += BRIEF_NANOS) {
            long closed = acquired + BRIEF_NANOS - 1;
            assertThat(policy.mayGoOn(acquired, closed)).isEqualTo(closed < START + TIME_SLICE_NANOS);
        }
    }

    @Test
    void userThatHeldItForLongerThanABriefOneEndsTheSlice() {
        policy.taken(START);
        assertThat(policy.mayGoOn(START, START + BRIEF_NANOS)).isFalse();
    }

    // ---- staying away ----

    @Test
    void nobodyStaysAwayAtFirst() {
        assertThat(policy.awayNanos(START)).isLessThanOrEqualTo(0);
    }

    @ParameterizedTest
    @ValueSource(longs = {0, 1, AWAY_NANOS - 1})
    void staysAwayForAMillisecondAndSomeJitter(long jitter) {
        policy.stayAway(START, jitter);
        assertThat(policy.awayNanos(START)).isEqualTo(AWAY_NANOS + jitter).isLessThan(2 * AWAY_NANOS);
        assertThat(policy.awayNanos(START + AWAY_NANOS + jitter)).isZero();
    }

    /** The machine's clock may begin anywhere. */
    @ParameterizedTest
    @ValueSource(longs = {Long.MIN_VALUE, -5, 0, 7, Long.MAX_VALUE - 3})
    void nobodyStaysAwayAtFirstByWhateverClock(long machineNow) {
        FairnessPolicy fresh = new FairnessPolicy(machineNow);
        assertThat(fresh.awayNanos(machineNow)).isLessThanOrEqualTo(0);
        fresh.stayAway(machineNow, 0);
        assertThat(fresh.awayNanos(machineNow)).isEqualTo(AWAY_NANOS);
    }

    // ---- spinning ----

    @Test
    void spinsThatAreInVainBecomeRare() {
        for (int i = 0; i < MOST_SPINS; i++) {
            assertThat(policy.maySpin()).isTrue();
            policy.spun(false);
        }
        int spins = 0;
        for (int i = 0; i < 10 * SPIN_AGAIN; i++) {
            if (policy.maySpin()) {
                spins++;
                policy.spun(false);
            }
        }
        assertThat(spins).isEqualTo(10);
    }

    @Test
    void spinThatPaysIsFollowedByMore() {
        for (int i = 0; i < MOST_SPINS; i++) {
            policy.spun(false);
        }
        policy.spun(true);
        for (int i = 0; i < MOST_SPINS; i++) {
            assertThat(policy.maySpin()).isTrue();
            policy.spun(false);
        }
        assertThat(policy.maySpin()).isFalse();
    }

    // ---- lingering ----

    @Test
    void lockThatNoOtherProcessUsesIsNotShared() {
        assertThat(policy.isShared(START)).isFalse();
    }

    @Test
    void lockAtWhichAnotherProcessWasSeenIsSharedForAWhile() {
        policy.othersSeen(START);
        assertThat(policy.isShared(START + ContentionMemory.FIRST_NANOS - 1)).isTrue();
        assertThat(policy.isShared(START + ContentionMemory.FIRST_NANOS)).isFalse();
    }

    @Test
    void lockThatIsUsedInALoopIsNotShared() {
        policy.othersSeen(START);
        long now = START;
        for (int i = 0; i < LOOP; i++) {
            assertThat(policy.isShared(now)).isTrue();
            now = use(now, YIELDED_NANOS - 1);
        }
        assertThat(policy.isShared(now)).isFalse();
    }

    /** One pause makes no end of a long loop, and many pauses do. */
    @Test
    void loopThatPausesLongEnoughOftenEnoughIsNoLoopAnyMore() {
        policy.othersSeen(START);
        long now = START;
        for (int i = 0; i < 100; i++) {
            now = use(now, 0);
        }
        for (int i = 0; i < LOOP; i++) {
            now = use(now, YIELDED_NANOS);
            assertThat(policy.isShared(now)).as("after %d pauses", i + 1).isFalse();
        }
        now = use(now, YIELDED_NANOS);
        assertThat(policy.isShared(now)).isTrue();
    }

    @Test
    void onlyALoopOfBriefUsersBesideOtherProcessesKeepsTheLockForItsSlice() {
        long now = START;
        for (int i = 0; i < LOOP; i++) {
            now = use(now, 0);
        }
        policy.foundTaken();
        policy.taken(now);
        assertThat(policy.isLoopInItsSlice(now, now)).as("no other process was seen").isFalse();
        policy.othersSeen(now);
        assertThat(policy.isLoopInItsSlice(now, now + BRIEF_NANOS - 1)).isTrue();
        assertThat(policy.isLoopInItsSlice(now, now + BRIEF_NANOS)).as("this user was not brief").isFalse();
        long end = now + TIME_SLICE_NANOS;
        assertThat(policy.isLoopInItsSlice(end, end)).as("the slice is over").isFalse();
        policy.loopEnded();
        assertThat(policy.isLoopInItsSlice(now, now)).isFalse();
    }

    private long use(long gaveBack, long pause) {
        policy.gaveBack(gaveBack);
        policy.granted(gaveBack + pause);
        return gaveBack + pause + 1;
    }
}

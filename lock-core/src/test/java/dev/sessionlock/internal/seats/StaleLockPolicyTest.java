package dev.sessionlock.internal.seats;

import static org.assertj.core.api.Assertions.assertThat;

import dev.sessionlock.internal.directory.LockContent;
import dev.sessionlock.internal.directory.LockRecord;
import dev.sessionlock.internal.directory.LockStore;
import dev.sessionlock.internal.seats.StaleLockPolicy.Judgement;
import dev.sessionlock.internal.seats.StaleLockPolicy.Refuse;
import dev.sessionlock.internal.seats.StaleLockPolicy.Replace;
import dev.sessionlock.internal.seats.StaleLockPolicy.WaitFor;
import dev.sessionlock.internal.system.Liveness;
import dev.sessionlock.spi.Terms;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Nested;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** PROTOCOL.md, section 4, row by row. */
class StaleLockPolicyTest {
    private static final long OTHER = 200;
    private static final long TICKS = 77;
    private static final long LEASE_MS = 30_000;
    private static final long GRACE_MS = 3_000;

    private final SimulatedDirectory directory = new SimulatedDirectory();
    private final SimulatedStore store = new SimulatedStore(directory, new Journal(op -> { }),
            SimulatedStore.process(100, 1, "pids-1", "time-1"), 0);
    private final StaleLockPolicy staleLocks = new StaleLockPolicy(store);

    private Judgement judge(LockContent content) {
        return judge(content, 0, 0);
    }

    private Judgement judge(LockContent content, long ageMillis, long watchedMillis) {
        return staleLocks.judge(found(content, ageMillis, watchedMillis), terms(true));
    }

    private static LockStore.Found found(LockContent content, long ageMillis, long watchedMillis) {
        return new LockStore.Found(content, new Object(), ageMillis, watchedMillis);
    }

    private static Terms terms(boolean takeForeign) {
        return new Terms(1_000_000_000, true, -1, "main", null, takeForeign);
    }

    private void otherLives() {
        directory.processes.put(OTHER, TICKS);
    }

    /** A record of ours, of process 200, whose lease runs for another {@code leftMillis}. */
    private LockContent ours(String boot, String pidns, String timens, boolean takeover, long leftMillis) {
        return new LockContent.Ours(new LockRecord(OTHER, 0, -1, TICKS, store.name(), 42, "birch", -1, boot, pidns, timens, "main", null, takeover,
                LEASE_MS, 0, directory.nanos + TimeUnit.MILLISECONDS.toNanos(leftMillis)));
    }

    private LockContent ours(long leftMillis) {
        return ours(SimulatedDirectory.BOOT, "pids-1", "time-1", true, leftMillis);
    }

    /** /proc shows start times as the reader's time namespace has them. So the same process seems to have started at another tick. */
    @Test
    void startTimeOfAnotherTimeNamespaceIsNoEvidenceOfDeath() {
        directory.processes.put(OTHER, TICKS + 360_000);

        assertThat(judge(ours(SimulatedDirectory.BOOT, "pids-1", "time-2", true, LEASE_MS))).isInstanceOf(StaleLockPolicy.WaitFor.class);
        // Nor does a process with that pid prove that the holder lives: otherwise others would wait for ever for a holder without takeover.
        assertThat(judge(ours(SimulatedDirectory.BOOT, "pids-1", "time-2", false, 0), 0, LEASE_MS + GRACE_MS)).isInstanceOf(StaleLockPolicy.Replace.class);
        assertThat(judge(ours(SimulatedDirectory.BOOT, "pids-1", "time-1", true, LEASE_MS))).isInstanceOf(StaleLockPolicy.Replace.class);
    }

    @Nested
    class OurOwnRecords {

        @Test
        void isReplacedWhenItsProcessIsGone() {
            assertThat(judge(ours(LEASE_MS))).isEqualTo(new Replace("pid 200 does not exist", 42));
        }

        @Test
        void isReplacedWhenItsPidIsAnotherProcessNow() {
            directory.processes.put(OTHER, TICKS + 1);

            assertThat(judge(ours(LEASE_MS))).isInstanceOfSatisfying(Replace.class, gone -> assertThat(gone.evidence()).contains("another process"));
        }

        @Test
        void isWaitedForWhileItsProcessLivesAndItsLeaseRuns() {
            otherLives();

            assertThat(judge(ours(LEASE_MS))).isInstanceOfSatisfying(WaitFor.class, wait -> {
                assertThat(wait.why()).contains("without a kernel lock", "pid 200 runs", "lease runs");
                assertThat(wait.nanos()).as("soon: its process may be about to end").isEqualTo(1_000_000);
            });
            assertThat(judge(ours(LEASE_MS), 0, 10_000)).isInstanceOfSatisfying(WaitFor.class, wait -> assertThat(wait.nanos()).isEqualTo(20_000_000));
        }

        @Test
        void isWaitedForInItsGraceAndNotBeyond() {
            otherLives();

            assertThat(judge(ours(-GRACE_MS + 5), 0, 10_000))
                    .isInstanceOfSatisfying(WaitFor.class, wait -> assertThat(wait.nanos()).isEqualTo(5_000_000));
            assertThat(judge(ours(-GRACE_MS))).isInstanceOf(Replace.class);
        }

        @Test
        void withoutTakeoverIsWaitedForWhileItsProcessLives() {
            otherLives();

            assertThat(judge(ours(SimulatedDirectory.BOOT, "pids-1", "time-1", false, -1_000_000)))
                    .isInstanceOfSatisfying(WaitFor.class, wait -> assertThat(wait.why()).contains("excludes takeover"));
        }

        @Test
        void withoutTakeoverIsReplacedWhenItsProcessIsGone() {
            assertThat(judge(ours(SimulatedDirectory.BOOT, "pids-1", "time-1", false, LEASE_MS))).isInstanceOf(Replace.class);
        }

        @Test
        void ofAnotherPidNamespaceCountsUntilItsLeaseIsOver() {
            assertThat(judge(ours(SimulatedDirectory.BOOT, "pids-2", "time-1", true, 1)))
                    .isInstanceOfSatisfying(WaitFor.class, wait -> assertThat(wait.why()).contains("another pid namespace"));
            assertThat(judge(ours(SimulatedDirectory.BOOT, "pids-2", "time-1", true, -GRACE_MS))).isInstanceOf(Replace.class);
            // Whether it lives is unknown. Its byte is free, so the lock of a dead container must not be stuck for ever.
            assertThat(judge(ours(SimulatedDirectory.BOOT, "pids-2", "time-1", false, -GRACE_MS))).isInstanceOf(Replace.class);
        }

        /** Its writer had no {@code /proc}. Its pid may be of any namespace, and we would look up another process, or none. */
        @Test
        void thatNamesNoPidNamespaceCountsUntilItsLeaseIsOver() {
            assertThat(judge(ours(SimulatedDirectory.BOOT, null, "time-1", true, 1)))
                    .isInstanceOfSatisfying(WaitFor.class, wait -> assertThat(wait.why()).contains("pid 200", "cannot be seen"));
            assertThat(judge(ours(SimulatedDirectory.BOOT, null, "time-1", true, -GRACE_MS))).isInstanceOf(Replace.class);
            assertThat(staleLocks.judgeDead(found(ours(SimulatedDirectory.BOOT, null, "time-1", true, -GRACE_MS), 0, 0), true)).isInstanceOf(WaitFor.class);
            assertThat(staleLocks.objection(found(ours(SimulatedDirectory.BOOT, null, "time-1", true, 1), 0, 0))).isNotNull();
        }

        @Test
        void isNotJudgedByOneWhoDoesNotKnowItsOwnPidNamespace() {
            StaleLockPolicy blind = new StaleLockPolicy(new SimulatedStore(directory, new Journal(op -> { }), SimulatedStore.process(100, 1, null, "time-1"), 0));

            assertThat(blind.judge(found(ours(LEASE_MS), 0, 0), terms(true))).isInstanceOf(WaitFor.class);
            assertThat(blind.judgeDead(found(ours(LEASE_MS), 0, 0), true)).isInstanceOf(WaitFor.class);
        }

        @Test
        void isJudgedByItsPidWhereThereAreNoPidNamespaces() {
            StaleLockPolicy there = new StaleLockPolicy(new SimulatedStore(directory, new Journal(op -> { }), SimulatedStore.process(100, 1, null, "time-1"), 0));

            assertThat(there.judge(found(ours(SimulatedDirectory.BOOT, null, "time-1", true, LEASE_MS), 0, 0), terms(true))).isInstanceOf(Replace.class);
        }

        @Test
        void whoseProcessCannotBeSeenCountsUntilItsLeaseIsOver() {
            directory.hidesProcesses = true;

            assertThat(judge(ours(1))).isInstanceOf(WaitFor.class);
            assertThat(judge(ours(-GRACE_MS))).isInstanceOf(Replace.class);
        }

        @Test
        void ofAnotherTimeNamespaceCountsUntilItWasSeenUnchangedForItsLease() {
            otherLives();
            LockContent record = ours(SimulatedDirectory.BOOT, "pids-1", "time-2", true, -1_000_000);

            assertThat(judge(record, 0, LEASE_MS + GRACE_MS - 1)).isInstanceOf(WaitFor.class);
            assertThat(judge(record, 0, LEASE_MS + GRACE_MS)).isInstanceOf(Replace.class);
        }

        @Test
        void whoseLeaseIsFurtherAwayThanAnyLeaseIsOfNoCount() {
            otherLives();

            assertThat(judge(ours(TimeUnit.HOURS.toMillis(3)))).isInstanceOf(Replace.class);
        }

        @Test
        void ofAnotherBootIsReplacedOnALocalDisk() {
            otherLives();

            assertThat(judge(ours("boot-0", "pids-1", "time-1", false, LEASE_MS)))
                    .isEqualTo(new Replace("the machine has been restarted since", 42));
        }

        @Test
        void ofAnotherMachineCountsUntilItWasSeenUnchangedForItsLease() {
            directory.shared = false;
            LockContent record = ours("boot-0", "pids-1", "time-1", true, -1_000_000);

            assertThat(judge(record, 0, LEASE_MS + GRACE_MS - 1))
                    .isInstanceOfSatisfying(WaitFor.class, wait -> assertThat(wait.why()).contains("another machine's record", "birch"));
            assertThat(judge(record, 0, LEASE_MS + GRACE_MS)).isInstanceOf(Replace.class);
        }

        @Test
        void ofUnknownBootIsJudgedByItsProcess() {
            otherLives();

            assertThat(judge(ours(null, "pids-1", "time-1", true, 1))).isInstanceOf(WaitFor.class);
        }
    }

    @Nested
    class ForeignLocks {
        private final LockContent theirs = new LockContent.Foreign(OTHER, null, TICKS, -1);

        @Test
        void isReplacedWhenItsProcessIsGone() {
            assertThat(judge(theirs)).isInstanceOfSatisfying(Replace.class,
                    gone -> assertThat(gone.evidence()).contains("another program's lock", "if it shares our pid namespace"));
        }

        @Test
        void isReplacedWhenItsPidIsAnotherProcessNow() {
            directory.processes.put(OTHER, TICKS + 1);

            assertThat(judge(theirs)).isInstanceOf(Replace.class);
        }

        @Test
        void isNeverTakenWhileItsProcessLives() {
            otherLives();

            assertThat(judge(theirs, Long.MAX_VALUE, Long.MAX_VALUE)).isInstanceOf(WaitFor.class);
        }

        @Test
        void isNeverTakenWhileItsProcessCannotBeSeen() {
            directory.hidesProcesses = true;

            assertThat(judge(theirs, Long.MAX_VALUE, Long.MAX_VALUE)).isInstanceOf(WaitFor.class);
        }

        @Test
        void isNeverTakenIfThatIsSwitchedOff() {
            assertThat(staleLocks.judge(found(theirs, 0, 0), terms(false))).isInstanceOf(WaitFor.class);
        }

        @Test
        void withoutAStartTimeCountsAsAliveWhileItsPidDoes() {
            otherLives();

            assertThat(judge(new LockContent.Foreign(OTHER, null, -1, -1))).isInstanceOf(WaitFor.class);
        }
    }

    @Nested
    class Others {

        @ParameterizedTest
        @ValueSource(booleans = {true, false})
        void tornIsReplacedOnceItIsOld(boolean byItsAge) {
            LockContent torn = new LockContent.Torn("it ends too soon");

            assertThat(judge(torn, 29_999, 29_999)).isInstanceOf(WaitFor.class);
            assertThat(judge(torn, byItsAge ? 30_000 : 0, byItsAge ? 0 : 30_000)).isInstanceOf(Replace.class);
        }

        @Test
        void emptyBesideItsTargetIsReplacedOnceItIsOld() {
            assertThat(judge(new LockContent.Empty(), 29_999, 0)).isInstanceOf(WaitFor.class);
            assertThat(judge(new LockContent.Empty(), 30_000, 0)).isInstanceOf(Replace.class);
        }

        @Test
        void emptyWithoutATargetIsNotTouched() {
            directory.targetExists = false;

            assertThat(judge(new LockContent.Empty(), 90_000, 90_000)).isInstanceOf(Refuse.class);
        }

        @Test
        void emptyWithoutATargetIsReplacedOnceItIsOldIfTheLockWasTakenHereBefore() {
            directory.targetExists = false;
            directory.token = 1;

            assertThat(judge(new LockContent.Empty(), 29_999, 29_999)).isInstanceOf(WaitFor.class);
            assertThat(judge(new LockContent.Empty(), 30_000, 0)).isInstanceOf(Replace.class);
            assertThat(staleLocks.judgeDead(found(new LockContent.Empty(), 0, 30_000), true)).isInstanceOf(Replace.class);
        }

        @Test
        void emptyWithoutATargetIsWaitedForWhileItIsYoung() {
            directory.targetExists = false;

            assertThat(judge(new LockContent.Empty(), 4_999, 4_999)).isInstanceOf(WaitFor.class);
            assertThat(judge(new LockContent.Empty(), 5_000, 0)).isInstanceOf(Refuse.class);
            assertThat(judge(new LockContent.Empty(), 0, 5_000)).isInstanceOf(Refuse.class);
        }

        @Test
        void whatIsNoLockIsNotTouched() {
            assertThat(judge(new LockContent.NotALock("a directory"), 90_000, 90_000)).isEqualTo(new Refuse("a directory"));
        }
    }

    @Nested
    class ObjectionsToTakeover {

        @Test
        void noneWithoutARecordOrByOneThatIsNoRecord() {
            assertThat(staleLocks.objection(null)).isNull();
            assertThat(staleLocks.objection(found(new LockContent.Torn("cut"), 0, 0))).isNull();
        }

        @Test
        void noneByTheDeadOrByAnotherBoot() {
            assertThat(staleLocks.objection(found(ours(LEASE_MS), 0, 0))).isNull();
            otherLives();
            assertThat(staleLocks.objection(found(ours("boot-0", "pids-1", "time-1", false, LEASE_MS), 0, 0))).isNull();
        }

        @Test
        void byTheLivingWhoseLeaseRuns() {
            otherLives();

            assertThat(staleLocks.objection(found(ours(-GRACE_MS + 1), 0, 0))).isNotNull();
            assertThat(staleLocks.objection(found(ours(-GRACE_MS), 0, 0))).isNull();
        }

        @Test
        void byALivingHolderWithoutTakeover() {
            otherLives();

            assertThat(staleLocks.objection(found(ours(SimulatedDirectory.BOOT, "pids-1", "time-1", false, -1_000_000), 0, 0))).isNotNull();
        }

        @Test
        void byAForeignLockThatIsNotDead() {
            LockContent theirs = new LockContent.Foreign(OTHER, null, TICKS, -1);

            assertThat(staleLocks.objection(found(theirs, 0, 0))).isNull();
            otherLives();
            assertThat(staleLocks.objection(found(theirs, 0, 0))).contains("another program's lock");
        }
    }

    // ---- to the nanosecond ----

    @Test
    void isLookedAtAgainTheMoreSeldomTheLongerItHasLainThere() {
        otherLives();

        assertThat(judge(ours(LEASE_MS), 0, 3)).isInstanceOfSatisfying(WaitFor.class, wait -> assertThat(wait.nanos()).isEqualTo(1_000_000));
        assertThat(judge(ours(LEASE_MS), 0, 40)).isInstanceOfSatisfying(WaitFor.class, wait -> assertThat(wait.nanos()).isEqualTo(10_000_000));
        assertThat(judge(ours(LEASE_MS), 0, 80)).isInstanceOfSatisfying(WaitFor.class, wait -> assertThat(wait.nanos()).isEqualTo(20_000_000));
    }

    @Test
    void ofAnotherMachineIsLookedAtAgainInATenthOfASecond() {
        directory.shared = false;
        LockContent theirs = ours("boot-2", null, null, true, LEASE_MS);

        assertThat(judge(theirs, 0, 0)).isInstanceOfSatisfying(WaitFor.class, wait -> assertThat(wait.nanos()).isEqualTo(100_000_000));
        assertThat(judge(theirs, 0, LEASE_MS + GRACE_MS - 7)).isInstanceOfSatisfying(WaitFor.class, wait -> assertThat(wait.nanos()).isEqualTo(7_000_000));
    }

    @Test
    void ofAnotherMachineIsNotDeadToOneWhoOnlyClears() {
        LockContent theirs = ours("boot-2", null, null, true, -1_000_000);
        assertThat(staleLocks.judgeDead(found(theirs, 0, 0), true)).isEqualTo(new Replace("the machine has been restarted since", 42));

        directory.shared = false;
        assertThat(staleLocks.judgeDead(found(theirs, 0, 1_000_000), true)).isInstanceOfSatisfying(WaitFor.class,
                wait -> assertThat(wait.why()).contains("another machine's record, birch"));
    }

    @Test
    void ageOfWhatIsTornIsInItsEvidence() {
        assertThat(judge(new LockContent.Torn("half"), 31_999, 0)).isEqualTo(new Replace("a torn lock record (half), 31 s old", 0));
    }

    @Test
    void aProcessIsJudgedByWhenItStartedToo() {
        List<Instant> asked = new ArrayList<>();
        SimulatedStore noting = new SimulatedStore(directory, new Journal(op -> { }), SimulatedStore.process(100, 1, "pids-1", "time-1"), 0) {
            @Override
            public Liveness judge(long pid, long startTicks, Instant started) {
                asked.add(started);
                return super.judge(pid, startTicks, started);
            }
        };
        for (long started : new long[] {-1, 0, 5_000}) {
            new StaleLockPolicy(noting).judge(found(new LockContent.Ours(new LockRecord(OTHER, 0, -1, TICKS, store.name(), 42, "birch", started,
                    SimulatedDirectory.BOOT, "pids-1", "time-1", "main", null, true, LEASE_MS, 0, directory.nanos)), 0, 0), terms(true));
        }

        assertThat(asked).containsExactly(null, Instant.ofEpochMilli(0), Instant.ofEpochMilli(5_000));
    }

    @Test
    void withoutTimeNamespacesOnEitherSideLeasesCompare() {
        SimulatedStore none = new SimulatedStore(directory, new Journal(op -> { }), SimulatedStore.process(100, 1, "pids-1", null), 0);
        otherLives();

        assertThat(new StaleLockPolicy(none).judge(found(ours(SimulatedDirectory.BOOT, "pids-1", null, true, -LEASE_MS), 0, 0), terms(true)))
                .isInstanceOf(Replace.class);
        assertThat(new StaleLockPolicy(none).judge(found(ours(SimulatedDirectory.BOOT, "pids-1", "time-1", true, -LEASE_MS), 0, 0), terms(true)))
                .as("one of a time namespace may have another clock: it is watched").isInstanceOf(WaitFor.class);
    }
}

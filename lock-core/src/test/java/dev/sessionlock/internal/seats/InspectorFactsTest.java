package dev.sessionlock.internal.seats;

import static org.assertj.core.api.Assertions.assertThat;

import dev.sessionlock.LockReport.KernelLockState;
import dev.sessionlock.LockReport.Lease;
import dev.sessionlock.LockReport.RemedyKind;
import dev.sessionlock.LockReport.Sentence;
import dev.sessionlock.LockReport.State;
import dev.sessionlock.LockReport.Topic;
import dev.sessionlock.internal.directory.LockContent;
import dev.sessionlock.internal.directory.LockSnapshot;
import dev.sessionlock.internal.directory.LockStore.Found;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.time.ZoneId;
import java.time.format.DateTimeFormatter;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** What a program is told of a lock, and its times. */
class InspectorFactsTest extends InspectorFixture {
    // ---- what a program is told ----

    @Test
    void factsSayWhoHasTheKernelsLock() {
        record = ours(self.pid(), 20, true);
        assertThat(report().facts().kernelLock()).isEqualTo(KernelLockState.FREE);
        owners = List.of(List.of(4711L), NOBODY);
        assertThat(report().facts().kernelLock()).isEqualTo(KernelLockState.HELD);
        assertThat(report().facts().kernelPid()).as("another than the record's").isEqualTo(4711);
        owners = List.of(List.of(0L), NOBODY);
        assertThat(report().facts().kernelLock()).isEqualTo(KernelLockState.HELD);
        assertThat(report().facts().kernelPid()).as("of another namespace").isNull();
        owners = null;
        assertThat(report().facts().kernelLock()).isEqualTo(KernelLockState.UNKNOWN);
        owners = List.of(List.of(4711L), List.of(self.pid()));
        takeover = ours(self.pid(), 20, true);
        assertThat(report().facts().kernelPid()).as("the successor's").isEqualTo(self.pid());
        takeover = null;
        record = null;
        assertThat(report().facts().kernelPid()).as("of the second seat, without a record").isEqualTo(self.pid());
    }

    @Test
    void factsSayHowLongTheLeaseRuns() {
        owners = List.of(List.of(self.pid()), NOBODY);
        record = ours(self.pid(), 20, true);
        assertThat(report().facts().lease()).isEqualTo(new Lease(Duration.ofSeconds(10), Duration.ofSeconds(20), true, Instant.ofEpochMilli(61_000)));
        maxHold = -1;
        record = ours(self.pid(), -7, false);
        assertThat(report().facts().lease()).isEqualTo(new Lease(Duration.ofSeconds(37), Duration.ofSeconds(-7), false, null));
        assertThat(report().facts().lease().isOver()).isTrue();
        record = ours(self.pid(), 1_000_000_000, true);
        assertThat(report().facts().lease().left()).as("longer than any lease").isZero();
        comparable = false;
        assertThat(report().facts().lease()).isNull();
        assertThat(report().sentences()).extracting(Sentence::topic).contains(Topic.LEASE);
    }

    @Test
    void remedyIsOfAKindAndEachSentenceHasATopic() throws Exception {
        assumeProc(self);
        owners = List.of(List.of(self.pid()), NOBODY);
        record = ours(self.pid(), 20, true);
        assertThat(kind()).isEqualTo(RemedyKind.ASK);
        assertThat(report().sentences()).extracting(Sentence::topic).containsExactly(Topic.PROCESS, Topic.KERNEL, Topic.LEASE, Topic.AGE);
        record = ours(self.pid(), -7, true);
        assertThat(kind()).isEqualTo(RemedyKind.LOOK);
        long pid = stopped();
        record = ours(pid, -7, true);
        assertThat(kind()).isEqualTo(RemedyKind.WAKE);
        record = null;
        assertThat(kind()).isEqualTo(RemedyKind.WAIT);
        owners = List.of(NOBODY, NOBODY);
        assertThat(kind()).isEqualTo(RemedyKind.NONE);
        record = ours(NO_SUCH_PID, 20, true);
        assertThat(kind()).isEqualTo(RemedyKind.CLEAR);
        record = new LockContent.Foreign(self.pid(), Instant.ofEpochMilli(1), -1, -1);
        assertThat(kind()).isEqualTo(RemedyKind.END);
        record = new LockContent.Torn("cut");
        assertThat(kind()).isEqualTo(RemedyKind.NOTHING);
        record = new LockContent.NotALock("a directory");
        wasTaken = true;
        assertThat(kind()).isEqualTo(RemedyKind.MOVE);
    }

    private RemedyKind kind() {
        return report().remedy().kind();
    }

    // ---- times ----

    @ParameterizedTest
    @CsvSource({"0, 0 s", "59999, 59 s", "60000, 1 min 0 s", "3599999, 59 min 59 s", "3600000, 1 h 0 min", "7265000, 2 h 1 min",
        "172799999, 47 h 59 min", "172800000, 2 days", "900000000, 10 days", "-5000, 0 s"})
    void agesAreInWords(long millis, String words) {
        record = new LockContent.Torn("its checksum is wrong");
        ageMillis = millis;

        assertThat(evidence(report())).contains("written " + words + " ago");
    }

    @Test
    void everyRecordSaysSinceWhen() {
        createdAt = System.currentTimeMillis() - 125_000;
        record = ours(self.pid(), 20, true);
        assertThat(evidence(report())).containsPattern("taken 2 min [5-9] s ago");
        owners = List.of(NOBODY, List.of(self.pid()));
        takeover = ours(self.pid(), 20, true);
        assertThat(evidence(report())).contains("second seat").containsPattern("taken 2 min [5-9] s ago");
        takeover = null;
        owners = List.of(NOBODY, NOBODY);
        record = ours(self.pid(), "another-boot", self.host(), self.pidNamespace(), self.timeNamespace(), 20, true);
        assertThat(evidence(report())).containsPattern("taken 2 min [5-9] s ago");
        assumeProc(self);
        record = ours(NO_SUCH_PID, 20, true);
        assertThat(evidence(report())).containsPattern("taken 2 min [5-9] s ago");
    }

    @Test
    void saysWhenTheHoldEndsAtTheLatest() {
        owners = List.of(List.of(self.pid()), NOBODY);
        record = ours(self.pid(), 20, true);
        String end = DateTimeFormatter.ofPattern("HH:mm:ss").withZone(ZoneId.systemDefault()).format(Instant.ofEpochMilli(61_000));
        assertThat(evidence(report())).contains("; it ends at the latest at " + end + " (maxHold)");
        maxHold = 0;
        record = ours(self.pid(), 20, true);
        assertThat(evidence(report())).contains("(maxHold)");
        maxHold = -1;
        record = ours(self.pid(), 20, true);
        assertThat(evidence(report())).contains("; it may be held without limit");
    }

    @Test
    void expiredFromTheLastNanosecondOfTheLeaseOn() {
        owners = List.of(List.of(self.pid()), NOBODY);
        record = ours(self.pid(), 0, true);

        assertThat(report().state()).isEqualTo(State.EXPIRED);
    }

    @Test
    void freeFromTheVeryMomentOfTheExpiryOn() {
        owners = null;
        expiries = List.of(NOW, 0L);

        assertThat(report().state()).isEqualTo(State.FREE);
    }

    @Test
    void tornIsReplaceableByItsAgeOrByHowLongItWasWatched() {
        assertThat(isReplaceable(new LockContent.Empty(), 29_999, 29_999)).isFalse();
        assertThat(isReplaceable(new LockContent.Empty(), 30_000, 0)).isTrue();
        assertThat(isReplaceable(new LockContent.Empty(), 0, 30_000)).isTrue();
        assertThat(isReplaceable(new LockContent.Torn("cut"), 30_000, 0)).isTrue();
        assertThat(isReplaceable(new LockContent.NotALock("a FIFO"), 30_000, 0)).isFalse();
        targetExists = false;
        assertThat(isReplaceable(new LockContent.Empty(), 30_000, 0)).isFalse();
        wasTaken = true;
        assertThat(isReplaceable(new LockContent.Empty(), 30_000, 0)).isTrue();
    }

    private boolean isReplaceable(LockContent content, long ageMillis, long watchedMillis) {
        return Inspector.isReplaceableNow(new LockSnapshot(Path.of("/sessions/a.jsonl"), new Found(content, new Object(), ageMillis, watchedMillis), null, owners,
                expiries, comparable, targetExists, used, wasTaken ? TOKEN : 0, NOW, self));
    }

    @Test
    void doesNotBlameTheByteOfOneWhoCannotBeSeenOrWhereTheKernelSaysNothing() {
        assumeProc(self);
        record = ours(4711, self.boot(), self.host(), "other", self.timeNamespace(), 20, true);
        assertThat(evidence(report())).contains("the kernel lock is free").doesNotContain("the kernel lock is not");
        owners = null;
        record = ours(self.pid(), 20, true);
        assertThat(evidence(report())).contains("the kernel does not tell").doesNotContain("the kernel lock is not");
    }

    @Test
    void quotesWhatAShellWouldTakeApart() {
        assertThat(Inspector.report(new LockSnapshot(Path.of("/my sessions/it's.jsonl"), found(new LockContent.Foreign(NO_SUCH_PID, null, -1, -1)), null,
                owners, expiries, true, true, true, TOKEN, NOW, self)).advice()).contains("clear --yes '/my sessions/it'\\''s.jsonl'   #");
    }
}

package dev.sessionlock;

import static org.assertj.core.api.Assertions.assertThat;

import dev.sessionlock.LockReport.Facts;
import dev.sessionlock.LockReport.KernelLockState;
import dev.sessionlock.LockReport.Lease;
import dev.sessionlock.LockReport.ProcessState;
import dev.sessionlock.LockReport.Remedy;
import dev.sessionlock.LockReport.RemedyKind;
import dev.sessionlock.LockReport.Sentence;
import dev.sessionlock.LockReport.State;
import dev.sessionlock.LockReport.Topic;
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** A report is made from facts, and put into words last. */
class LockReportTest {
    private static final Instant NOW = Instant.parse("2026-11-24T14:19:03Z");
    private static final LockOwner OWNER = new LockOwner(7, "moss", null, NOW.minusSeconds(90), "is stopped", "nothing", 42L, null);

    private static LockReport of(State state, Facts facts) {
        return new LockReport("x", null, state, OWNER, facts);
    }

    private static Facts facts(ProcessState process) {
        return new Facts(process, false, OWNER.since()).withSeenAt(NOW);
    }

    @Test
    void factsAloneMakeAWholeReport() {
        Lease lease = new Lease(Duration.ofSeconds(3), Duration.ofMillis(4_900), true, NOW.plusSeconds(60));
        LockReport held = of(State.HELD, facts(ProcessState.STOPPED).withKernelLock(KernelLockState.HELD, 7L).withLease(lease).withWaitedFor(true));

        assertThat(held.evidence()).containsExactly("pid 7 is stopped: alive", "the kernel lock is held by pid 7",
                "lease renewed 3 s ago; if the process freezes it runs out in 4 s; it ends at the latest at 14:20:03 UTC (maxHold)",
                "taken 1 min 30 s ago", "another process waits for it");
        assertThat(held.sentences()).extracting(Sentence::topic)
                .containsExactly(Topic.PROCESS, Topic.KERNEL, Topic.LEASE, Topic.AGE, Topic.WAITERS);
        assertThat(held.advice()).isEqualTo("wait, or ask it to let go: clear(target, ClearOptions.forReal().withToken(42L))");
        assertThat(held.facts().isStopped()).isTrue();
    }

    @Test
    void engineSaysHowItKnows() {
        assertThat(of(State.HELD, facts(ProcessState.UNKNOWN).withProof("its heartbeat is late")).evidence()).startsWith("its heartbeat is late: unknown");
        assertThat(of(State.STALE, facts(ProcessState.DEAD)).evidence()).startsWith("pid 7 does not exist: dead");
        assertThat(of(State.HELD, facts(ProcessState.ALIVE)).evidence()).startsWith("pid 7 runs: alive");
        assertThat(of(State.HELD, facts(ProcessState.UNKNOWN)).evidence()).startsWith("pid 7 cannot be seen: unknown");
        assertThat(new LockReport("x", null, State.FREE, null, facts(ProcessState.UNKNOWN)).evidence()).isEmpty();
    }

    @Test
    void leaseIsToldAsItIs() {
        assertThat(lease(new Lease(Duration.ofSeconds(9), Duration.ZERO, true, null))).isEqualTo("lease ran out 0 s ago");
        assertThat(lease(new Lease(Duration.ofSeconds(9), Duration.ofSeconds(-7), false, null)))
                .isEqualTo("lease ran out 7 s ago; it excludes takeover while its process lives");
        assertThat(lease(new Lease(null, null, false, null)))
                .isEqualTo("lease without end: it excludes takeover while its process lives; it may be held without limit");
        assertThat(lease(new Lease(null, Duration.ofSeconds(2), true, null)))
                .isEqualTo("lease runs; if the process freezes it runs out in 2 s; it may be held without limit");
    }

    private static String lease(Lease lease) {
        List<Sentence> sentences = of(State.HELD, new Facts(ProcessState.ALIVE, false, null).withLease(lease)).sentences();
        return sentences.stream().filter(sentence -> sentence.topic() == Topic.LEASE).findFirst().orElseThrow().inWords();
    }

    /** Purpose and thread hold words of ours, and say nothing. */
    @ParameterizedTest
    @EnumSource(State.class)
    void adviceIsEmptyOrNothingOnlyIfNobodyIsNeeded(State state) {
        for (ProcessState process : ProcessState.values()) {
            LockReport calm = of(state, new Facts(process, false, null));
            assertThat(calm.advice()).doesNotContain("kill");
            LockReport calling = of(state, new Facts(process, true, null));
            if (state != State.FREE) {
                assertThat(calling.advice()).isNotEmpty().doesNotStartWith("nothing");
                assertThat(calling.remedy().kind()).isNotIn(RemedyKind.NONE, RemedyKind.NOTHING);
            }
            assertThat(calling.facts().needsPerson()).isTrue();
        }
    }

    @Test
    void ownWordsOfAnEngineAreShownAndDecideNothing() {
        LockReport own = new LockReport("x", null, State.EXPIRED, OWNER, List.of("lease of mine", "pid 7: dead\u001b"), "kill -CONT 7   # asks it to let go");

        assertThat(own.evidence()).containsExactly("lease of mine", "pid 7: dead\\u001b");
        assertThat(own.sentences()).extracting(Sentence::topic).containsOnly(Topic.OTHER);
        assertThat(own.remedy().inBrief()).isEqualTo(own.advice()).isEqualTo("kill -CONT 7   # asks it to let go");
        assertThat(own.facts()).isEqualTo(new Facts(ProcessState.UNKNOWN, false, OWNER.since()));
        assertThat(own.isOwnerGone()).isFalse();
        assertThat(new LockReport("x", null, State.FREE, null, List.of(), "").remedy()).isEqualTo(Remedy.none());
        assertThat(own.toString()).contains("state=EXPIRED", "evidence=[lease of mine, ", "advice=kill -CONT 7   # asks it to let go");
    }

    @Test
    void ownerIsGoneIfItsLockIsStaleOrAForeignOnesIsDead() {
        assertThat(of(State.STALE, facts(ProcessState.DEAD)).isOwnerGone()).isTrue();
        assertThat(of(State.FOREIGN, facts(ProcessState.DEAD)).isOwnerGone()).isTrue();
        assertThat(of(State.FOREIGN, facts(ProcessState.STOPPED)).isOwnerGone()).isFalse();
        assertThat(of(State.HELD, facts(ProcessState.DEAD)).isOwnerGone()).as("its byte is held: it is just ending").isFalse();
    }
}

package dev.sessionlock.benchmarks.report;

import static org.assertj.core.api.Assertions.assertThat;

import dev.sessionlock.benchmarks.load.Deathwatch;
import dev.sessionlock.benchmarks.load.LoadResult;
import dev.sessionlock.benchmarks.load.ManyHeld;
import dev.sessionlock.benchmarks.peers.Peer;
import java.io.IOException;
import java.util.List;
import java.util.OptionalLong;
import java.util.stream.LongStream;
import org.HdrHistogram.Histogram;
import org.junit.jupiter.api.Test;

class MarkdownReportTest {
    private final Findings findings = new Findings();

    @Test
    void saysOfEachRowWhetherItIsMet() {
        findings.cycleNanos.put(Peer.STRICT, Rounds.of(110, 330, 120));
        findings.cycleNanos.put(Peer.BARE_SKETCH, Rounds.of(100, 300, 100));
        findings.cycleNanos.put(Peer.LUCENE, Rounds.of(110, 330, 120));

        assertThat(report()).contains("| strict cycle / bare sketch | ≤ 1.15 | 1.10 | yes |")
                .contains("| strict cycle / Lucene; / create, write, delete | ≤ 0.90; ≤ 0.65 | 1; not measured | **no** |");
    }

    @Test
    void aRowTellsItsLowerBoundWhereMeasured() {
        findings.clockNanos.add(24);
        findings.cycleNanos.put(Peer.REENTRANT_LOCK, Rounds.of(4));
        findings.cycleNanos.put(Peer.WARM, Rounds.of(72));
        findings.add(Scene.EIGHT_THREADS, Peer.FAIR_LOCK, result(List.of(List.of(10L, 20L)), 0, 10_000));

        assertThat(report()).contains("| 18 ×; not measured | **no** | 6 ×: `System.nanoTime()`, once |")
                .contains("| 8 threads, 1 JVM: longest wait; least/most served | ").contains("| **no** | 0.01 ms, 0.50: a fair `ReentrantLock` |")
                .contains("| 2 JVMs: strict / Lucene; least/most served; longest wait | ").doesNotContain("the bare sketch |");
    }

    @Test
    void aRowMayHaveSeveralFloors() {
        findings.add(Scene.EIGHT_THREADS, Peer.WARM, result(List.of(List.of(10L, 30L)), 0, 1_000));
        findings.add(Scene.EIGHT_THREADS, Peer.CHANNEL_KEPT, result(List.of(List.of(10L, 10L)), 0, 1_000));
        findings.add(Scene.EIGHT_THREADS, Peer.FAIR_LOCK, result(List.of(List.of(5L, 5L)), 0, 1_000));
        findings.add(Scene.EIGHT_THREADS, Peer.CHRONICLE, result(List.of(List.of(40L, 0L)), 0, 1_000));

        assertThat(report()).contains("| 8 threads, 1 JVM: warm / `FileChannel` kept open | ≥ 2 × | 2 × | yes "
                + "| 0.50 ×: a fair `ReentrantLock`; 2 ×: Chronicle's mapped lock, unfair |");
    }

    @Test
    void whatWasNotMeasuredIsNotMet() {
        assertThat(Bar.lines(findings)).isNotEmpty().noneMatch(Bar.BarRow::met);
        assertThat(report()).doesNotContain("NaN");
    }

    @Test
    void theFairnessAndTheWaitsAreOfTheScenesThatTheBarNames() {
        findings.add(Scene.TWO_JVMS, Peer.STRICT, result(List.of(List.of(95L), List.of(100L)), 0, 40_000_000));
        findings.add(Scene.TWO_JVMS, Peer.LUCENE, result(List.of(List.of(50L), List.of(50L)), 0, 1_000));
        findings.add(Scene.EIGHT_THREADS, Peer.STRICT, result(List.of(List.of(10L, 20L)), 0, 16_000_000));
        findings.add(Scene.EIGHT_THREADS, Peer.WARM, result(List.of(List.of(19L, 20L)), 0, 14_000_000));
        findings.add(Scene.EIGHT_THREADS, Peer.CHANNEL_KEPT, result(List.of(List.of(20L, 20L)), 0, 1_000));
        findings.add(Scene.TWO_BY_FOUR, Peer.WARM, result(List.of(List.of(10L), List.of(20L)), 0, 1_000));
        findings.add(Scene.TWO_BY_FOUR, Peer.CHANNEL_KEPT, result(List.of(List.of(10L), List.of(10L)), 0, 1_000));
        findings.add(Scene.MANY_LOCKS, Peer.WARM, result(List.of(List.of(7L), List.of(10L)), 0, 50_000_000));
        findings.add(Scene.MANY_LOCKS, Peer.STRICT, result(List.of(List.of(10L), List.of(10L)), 0, 60_000_000));

        assertThat(report())
                .contains("| 2 JVMs: strict / Lucene; least/most served; longest wait | ≥ 1 ×; ≥ 0.90; ≤ 50 ms | 1.95 ×; 0.95; 40.0 ms | yes |")
                .contains("| 8 threads, 1 JVM: strict / `FileChannel` kept open | ≥ 1 × | 0.75 × | **no** |")
                .contains("| 8 threads, 1 JVM: longest wait; least/most served | warm ≤ 15 ms; ≥ 0.80; strict ≤ 15 ms; ≥ 0.80 "
                        + "| warm 14.0 ms; 0.95; strict 16.0 ms; 0.50 | **no** |")
                .contains("| 2 JVMs, 4 threads each: warm / `FileChannel` kept open | ≥ 1.50 × | 1.50 × | yes |")
                .contains("| 2 JVMs, 4 threads each, 64 locks: least/most thread; longest wait | warm ≥ 0.70; ≤ 50 ms; strict ≥ 0.70; ≤ 50 ms "
                        + "| warm 0.70; 50.0 ms; strict 1; 60.0 ms | **no** |");
    }

    @Test
    void theLongestWaitOfAHoldOfOneMillisecondIsShownAndNotJudged() {
        findings.add(Scene.HELD_1_MS, Peer.WARM, result(List.of(List.of(9L, 10L)), 0, 8_000_000_000L));
        findings.add(Scene.HELD_1_MS, Peer.STRICT, result(List.of(List.of(10L, 10L)), 0, 9_000_000));
        findings.add(Scene.HELD_1_MS, Peer.FAIR_LOCK, result(List.of(List.of(10L, 10L)), 0, 7_000_000));

        assertThat(report()).containsPattern("\\| 8 threads, 1 JVM, each holds for 1 ms: least/most served; longest wait \\| warm ≥ 0.90; strict ≥ 0.90 "
                + "\\| warm 0.90; 8,\\d+ ms; strict 1; 9.0\\d ms \\| yes \\| 1, 7.0\\d ms: a fair `ReentrantLock` \\|")
                .contains("**" + Scene.HELD_1_MS.title + "**:");
    }

    @Test
    void aHandoverIsBesideThatOfTheBareSketch() {
        findings.add(Scene.TURNS, Peer.STRICT, handovers(50_000, 500_000));
        findings.add(Scene.TURNS, Peer.BARE_SKETCH, handovers(30_000, 300_000));
        findings.deathwatches.put(Peer.STRICT, new Deathwatch(0.002, List.of(OptionalLong.of(9_000_000))));

        assertThat(report()).containsPattern("\\| handover to a process that waits; the waiter's use of a core \\| p50 ≤ 60 µs; p99 ≤ 0.40 ms; ≤ 1 % "
                + "\\| p50 50.0 µs; p99 0.50 ms; 0.20 % \\| \\*\\*no\\*\\* \\| 30.0 µs, 0.30 ms: the bare sketch \\|");
    }

    @Test
    void whatLingeringCostsAnotherGatewayIsARatioOfTheSameRounds() {
        for (long nanos : new long[] {100, 100_000, 300}) {
            findings.add(Scene.TWO_GATEWAYS, Peer.STRICT, result(List.of(List.of(10L), List.of(10L)), 0, nanos));
            findings.add(Scene.TWO_GATEWAYS, Peer.WARM, result(List.of(List.of(10L), List.of(10L)), 0, 3 * nanos));
        }
        assertThat(report()).contains("| 2 gateways that share their sessions: warm / strict, waits | p50 ≤ 1.25 ×; p99 ≤ 2 × | p50 3")
                .contains("**" + Scene.TWO_GATEWAYS.title + "**:");
    }

    @Test
    void aWaiterThatIsNotLetInIsNeverIn() {
        findings.deathwatches.put(Peer.STRICT, new Deathwatch(0.002, List.of(OptionalLong.of(9_000_000), OptionalLong.empty())));
        findings.deathwatches.put(Peer.JGIT, new Deathwatch(0.05, List.of(OptionalLong.empty())));

        assertThat(report()).contains("| a waiter acquires after the holder's SIGKILL | ≤ 20 ms | never | **no** |").contains("| JGit LockFile | – | – | – | 0 | 5 | never |");
    }

    @Test
    void theFilesThatAllLocksShareAreNoDescriptorsOfALock() {
        findings.many.put(Peer.STRICT, new ManyHeld.Figures(100, 150, 700, 70 / 10_000.0, 0.01));

        assertThat(report()).contains("| 1.50 ×; 700 B of heap; 0 descriptors | yes |").contains("| the keeper, 10,000 locks held | ≤ 3 % of a core | 1 % of a core | yes |");
    }

    @Test
    void aPeerThatLetsTwoInIsShownAsFailing() {
        findings.add(Scene.TWO_JVMS, Peer.RESOLVER, result(List.of(List.of(500L), List.of(500L)), 1_234, 1_000));

        assertThat(findings.fails(Peer.RESOLVER)).isTrue();
        assertThat(report()).contains("**FAILING**: 1,234 double holders in 1,000").contains("| **1,234** |");
    }

    @Test
    void namesTheMachineTheCommandAndWhatFailed() {
        findings.failures.put("JGit LockFile: its start", "no more files");

        assertThat(report()).startsWith("`java -jar x`  \na machine\n").contains("](x.svg)").contains("* JGit LockFile: its start: no more files");
    }

    @Test
    void drawsAChart() throws IOException {
        findings.cycleNanos.put(Peer.STRICT, Rounds.of(15_000));
        findings.add(Scene.TWO_JVMS, Peer.STRICT, result(List.of(List.of(500L), List.of(500L)), 0, 1_000));

        assertThat(new Chart(findings).svg()).startsWith("<?xml").contains("<svg").endsWith("</svg>\n").doesNotContain("NaN")
                .contains("rgb(31,111,180)"); // a bar's colour
    }

    /** So it is tried before anything is measured. */
    @Test
    void drawsAChartOfNothing() throws IOException {
        assertThat(new Chart(findings).svg()).contains("<svg");
    }

    private static LoadResult result(List<List<Long>> cycles, long doubles, long... waits) {
        Histogram histogram = new Histogram(3);
        LongStream.of(waits).forEach(histogram::recordValue);
        return new LoadResult(cycles, 1, doubles, 0, histogram, new Histogram(3));
    }

    private static LoadResult handovers(long... nanos) {
        Histogram histogram = new Histogram(3);
        LongStream.of(nanos).forEach(histogram::recordValue);
        return new LoadResult(List.of(List.of(1L), List.of(1L)), 1, 0, 0, new Histogram(3), histogram);
    }

    private String report() {
        return MarkdownReport.of(findings, "a machine", "java -jar x", "x.svg");
    }
}

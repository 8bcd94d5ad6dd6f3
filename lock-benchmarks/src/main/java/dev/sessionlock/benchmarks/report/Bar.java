package dev.sessionlock.benchmarks.report;

import dev.sessionlock.benchmarks.load.Deathwatch;
import dev.sessionlock.benchmarks.load.LoadResult;
import dev.sessionlock.benchmarks.load.ManyHeld;
import dev.sessionlock.benchmarks.peers.Peer;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.OptionalLong;
import java.util.concurrent.TimeUnit;
import java.util.function.ToDoubleFunction;
import java.util.stream.Collectors;
import org.HdrHistogram.Histogram;

/** What we want to reach, and whether we have. Each row has one or more figures, with a limit for each. */
final class Bar {
    /** Stands for a figure that was not measured. */
    static final String NOT_MEASURED = "not measured";

    /** What the floors are of. */
    private static final String BARE_SKETCH = "the bare sketch";
    private static final String FAIR_LOCK = "a fair `ReentrantLock`";
    private static final String CHANNEL_KEPT = "`FileChannel` kept open";
    private static final String CHRONICLE = "Chronicle's mapped lock, unfair";

    /**
     * One figure and its limit.
     *
     * @param label its name, empty if the row says it
     * @param measured NaN if it was not measured
     * @param unit after the number, empty for a ratio
     */
    record BarCheck(String label, double measured, boolean atMost, double limit, String unit) {
        static BarCheck atMost(String label, double measured, double limit, String unit) {
            return new BarCheck(label, measured, true, limit, unit);
        }

        static BarCheck atLeast(String label, double measured, double limit, String unit) {
            return new BarCheck(label, measured, false, limit, unit);
        }

        /** A figure that is only shown. */
        static BarCheck shown(String label, double measured, String unit) {
            return new BarCheck(label, measured, true, Double.POSITIVE_INFINITY, unit);
        }

        private boolean isLimited() {
            return Double.isFinite(limit);
        }

        /** {@return whether it is within the limit; false if it was not measured} */
        boolean met() {
            return atMost ? measured <= limit : measured >= limit;
        }

        private String wanted() {
            return labelled((atMost ? "≤ " : "≥ ") + number(limit) + suffix());
        }

        private String found() {
            if (Double.isNaN(measured)) {
                return labelled(NOT_MEASURED);
            }
            return labelled(withUnit(measured));
        }

        private String withUnit(double figure) {
            return number(figure) + (Double.isFinite(figure) ? suffix() : "");
        }

        private String labelled(String figure) {
            return label.isEmpty() ? figure : label + " " + figure;
        }

        private String suffix() {
            return unit.isEmpty() ? "" : " " + unit;
        }
    }

    /**
     * One row of the bar.
     *
     * @param floor its first figures, in the same run, for something that does a part of our work and nothing else, or for a peer that comes close to
     *     that; empty if unknown
     */
    record BarRow(String title, List<BarCheck> checks, String floor) {
        BarRow(String title, BarCheck... checks) {
            this(title, List.of(checks), "");
        }

        /** {@return this row with one more floor} Its figures stand for the first figures of the row. What was not measured is left out. */
        private BarRow above(String what, double... figures) {
            List<String> texts = new ArrayList<>();
            for (int i = 0; i < figures.length; i++) {
                if (!Double.isNaN(figures[i])) {
                    texts.add(checks.get(i).withUnit(figures[i]));
                }
            }
            return texts.isEmpty() ? this
                    : new BarRow(title, checks, (floor.isEmpty() ? "" : floor + "; ") + String.join(", ", texts) + ": " + what);
        }

        /** {@return whether all its figures are within their limits} */
        boolean met() {
            return checks.stream().allMatch(BarCheck::met);
        }

        /** {@return what is wanted, for people} */
        String wanted() {
            return checks.stream().filter(BarCheck::isLimited).map(BarCheck::wanted).collect(Collectors.joining("; "));
        }

        /** {@return what was measured, for people} */
        String measured() {
            return checks.stream().map(BarCheck::found).collect(Collectors.joining("; "));
        }
    }

    private final Findings findings;

    private Bar(Findings findings) {
        this.findings = findings;
    }

    /** {@return the rows of the bar, with the results} */
    static List<BarRow> lines(Findings findings) {
        Bar bar = new Bar(findings);
        List<BarRow> lines = new ArrayList<>();
        lines.addAll(bar.cycles());
        lines.addAll(bar.crowds());
        lines.addAll(bar.waiting());
        lines.addAll(bar.many());
        return lines;
    }

    private List<BarRow> cycles() {
        return List.of(
                new BarRow("strict cycle / bare sketch", BarCheck.atMost("", cycle(Peer.STRICT, Peer.BARE_SKETCH), 1.15, "")),
                new BarRow("strict cycle / Lucene; / create, write, delete",
                        BarCheck.atMost("", cycle(Peer.STRICT, Peer.LUCENE), 0.9, ""),
                        BarCheck.atMost("", cycle(Peer.STRICT, Peer.CREATE_DELETE), 0.65, "")),
                new BarRow("warm cycle / uncontended `ReentrantLock`; allocation",
                        BarCheck.atMost("", cycle(Peer.WARM, Peer.REENTRANT_LOCK), 10, "×"),
                        BarCheck.atMost("", findings.cycleBytes.getOrDefault(Peer.WARM, new Rounds()).median(), 96, "B/op"))
                        .above("`System.nanoTime()`, once",
                                findings.clockNanos.ratioTo(findings.cycleNanos.getOrDefault(Peer.REENTRANT_LOCK, new Rounds()))),
                new BarRow("`ensureHeld()`; allocation",
                        BarCheck.atMost("", findings.ensureHeldNanos.median(), 40, "ns"),
                        // JMH counts all allocations of the JVM: some thousandths of a byte are its own
                        BarCheck.atMost("", whole(findings.ensureHeldBytes.median()), 0, "B/op")));
    }

    private static double whole(double bytes) {
        return Double.isNaN(bytes) ? bytes : Math.rint(bytes);
    }

    private double cycle(Peer peer, Peer other) {
        return findings.cycleNanos.getOrDefault(peer, new Rounds()).ratioTo(findings.cycleNanos.getOrDefault(other, new Rounds()));
    }

    private List<BarRow> crowds() {
        return List.of(
                new BarRow("8 threads, 1 JVM: warm / `FileChannel` kept open",
                        BarCheck.atLeast("", rate(Scene.EIGHT_THREADS, Peer.WARM, Peer.CHANNEL_KEPT), 2, "×"))
                        .above(FAIR_LOCK, rate(Scene.EIGHT_THREADS, Peer.FAIR_LOCK, Peer.CHANNEL_KEPT))
                        .above("an unfair one", rate(Scene.EIGHT_THREADS, Peer.REENTRANT_LOCK, Peer.CHANNEL_KEPT))
                        .above(CHRONICLE, rate(Scene.EIGHT_THREADS, Peer.CHRONICLE, Peer.CHANNEL_KEPT)),
                new BarRow("8 threads, 1 JVM: strict / `FileChannel` kept open",
                        BarCheck.atLeast("", rate(Scene.EIGHT_THREADS, Peer.STRICT, Peer.CHANNEL_KEPT), 1, "×"))
                        .above(BARE_SKETCH, rate(Scene.EIGHT_THREADS, Peer.BARE_SKETCH, Peer.CHANNEL_KEPT))
                        .above(FAIR_LOCK, rate(Scene.EIGHT_THREADS, Peer.FAIR_LOCK, Peer.CHANNEL_KEPT)),
                new BarRow("8 threads, 1 JVM: longest wait; least/most served",
                        BarCheck.atMost("warm", longestWait(Scene.EIGHT_THREADS, Peer.WARM), 15, "ms"),
                        BarCheck.atLeast("", ofThreads(Scene.EIGHT_THREADS, Peer.WARM), 0.8, ""),
                        BarCheck.atMost("strict", longestWait(Scene.EIGHT_THREADS, Peer.STRICT), 15, "ms"),
                        BarCheck.atLeast("", ofThreads(Scene.EIGHT_THREADS, Peer.STRICT), 0.8, ""))
                        .above(FAIR_LOCK, longestWait(Scene.EIGHT_THREADS, Peer.FAIR_LOCK), ofThreads(Scene.EIGHT_THREADS, Peer.FAIR_LOCK))
                        .above(CHANNEL_KEPT, longestWait(Scene.EIGHT_THREADS, Peer.CHANNEL_KEPT), ofThreads(Scene.EIGHT_THREADS, Peer.CHANNEL_KEPT)),
                new BarRow("8 threads, 1 JVM, each holds for 1 ms: least/most served; longest wait",
                        BarCheck.atLeast("warm", ofThreads(Scene.HELD_1_MS, Peer.WARM), 0.9, ""),
                        BarCheck.shown("", longestWait(Scene.HELD_1_MS, Peer.WARM), "ms"),
                        BarCheck.atLeast("strict", ofThreads(Scene.HELD_1_MS, Peer.STRICT), 0.9, ""),
                        BarCheck.shown("", longestWait(Scene.HELD_1_MS, Peer.STRICT), "ms"))
                        .above(FAIR_LOCK, ofThreads(Scene.HELD_1_MS, Peer.FAIR_LOCK), longestWait(Scene.HELD_1_MS, Peer.FAIR_LOCK))
                        .above(CHANNEL_KEPT, ofThreads(Scene.HELD_1_MS, Peer.CHANNEL_KEPT), longestWait(Scene.HELD_1_MS, Peer.CHANNEL_KEPT)),
                new BarRow("2 JVMs: strict / Lucene; least/most served; longest wait",
                        BarCheck.atLeast("", rate(Scene.TWO_JVMS, Peer.STRICT, Peer.LUCENE), 1, "×"),
                        BarCheck.atLeast("", ofProcesses(Peer.STRICT), 0.9, ""),
                        BarCheck.atMost("", longestWait(Scene.TWO_JVMS, Peer.STRICT), 50, "ms"))
                        .above(BARE_SKETCH, rate(Scene.TWO_JVMS, Peer.BARE_SKETCH, Peer.LUCENE)),
                new BarRow("2 JVMs: warm / `FileChannel` kept open; least/most served; longest wait",
                        BarCheck.atLeast("", rate(Scene.TWO_JVMS, Peer.WARM, Peer.CHANNEL_KEPT), 0.8, "×"),
                        BarCheck.atLeast("", ofProcesses(Peer.WARM), 0.8, ""),
                        BarCheck.atMost("", longestWait(Scene.TWO_JVMS, Peer.WARM), 100, "ms"))
                        .above(CHRONICLE, rate(Scene.TWO_JVMS, Peer.CHRONICLE, Peer.CHANNEL_KEPT)),
                new BarRow("2 JVMs, 4 threads each: warm / `FileChannel` kept open",
                        BarCheck.atLeast("", rate(Scene.TWO_BY_FOUR, Peer.WARM, Peer.CHANNEL_KEPT), 1.5, "×"))
                        .above(CHRONICLE, rate(Scene.TWO_BY_FOUR, Peer.CHRONICLE, Peer.CHANNEL_KEPT)),
                new BarRow("2 JVMs, 4 threads each, " + Scene.LOCKS + " locks: least/most thread; longest wait",
                        BarCheck.atLeast("warm", ofThreads(Scene.MANY_LOCKS, Peer.WARM), 0.7, ""),
                        BarCheck.atMost("", longestWait(Scene.MANY_LOCKS, Peer.WARM), 50, "ms"),
                        BarCheck.atLeast("strict", ofThreads(Scene.MANY_LOCKS, Peer.STRICT), 0.7, ""),
                        BarCheck.atMost("", longestWait(Scene.MANY_LOCKS, Peer.STRICT), 50, "ms"))
                        .above("no lock at all", ofThreads(Scene.MANY_LOCKS, Peer.NOTHING), longestWait(Scene.MANY_LOCKS, Peer.NOTHING)),
                new BarRow("2 gateways that share their sessions: warm / strict, waits",
                        BarCheck.atMost("p50", waits(50), 1.25, "×"), BarCheck.atMost("p99", waits(99), 2, "×")));
    }

    /** The median of the rounds: what slows down a machine slows down both. */
    private double waits(double percentile) {
        ToDoubleFunction<LoadResult> wait = result -> result.waits().getValueAtPercentile(percentile);
        return findings.rounds(Scene.TWO_GATEWAYS, Peer.WARM, wait).ratioTo(findings.rounds(Scene.TWO_GATEWAYS, Peer.STRICT, wait));
    }

    private double rate(Scene scene, Peer peer, Peer other) {
        return findings.rounds(scene, peer, LoadResult::perSecond).ratioTo(findings.rounds(scene, other, LoadResult::perSecond));
    }

    private double ofProcesses(Peer peer) {
        return findings.rounds(Scene.TWO_JVMS, peer, LoadResult::fairnessOfProcesses).median();
    }

    private double ofThreads(Scene scene, Peer peer) {
        return findings.rounds(scene, peer, LoadResult::fairnessOfThreads).median();
    }

    /** The median of the rounds' longest waits: if the machine stalls for a moment, that is not the lock's fault. */
    private double longestWait(Scene scene, Peer peer) {
        return findings.rounds(scene, peer, result -> millis(result.waits().getMaxValue())).median();
    }

    private List<BarRow> waiting() {
        return List.of(
                new BarRow("handover to a process that waits; the waiter's use of a core",
                        BarCheck.atMost("p50", handoverMicros(Peer.STRICT, 50), 60, "µs"),
                        BarCheck.atMost("p99", handoverMicros(Peer.STRICT, 99) / 1_000, 0.4, "ms"),
                        BarCheck.atMost("", waiterPercent(Peer.STRICT), 1, "%"))
                        .above(BARE_SKETCH, handoverMicros(Peer.BARE_SKETCH, 50), handoverMicros(Peer.BARE_SKETCH, 99) / 1_000, waiterPercent(Peer.BARE_SKETCH))
                        .above(CHANNEL_KEPT, handoverMicros(Peer.CHANNEL_KEPT, 50), handoverMicros(Peer.CHANNEL_KEPT, 99) / 1_000, waiterPercent(Peer.CHANNEL_KEPT)),
                new BarRow("a waiter acquires after the holder's SIGKILL", BarCheck.atMost("", millisAfterKill(Peer.STRICT), 20, "ms"))
                        .above(BARE_SKETCH, millisAfterKill(Peer.BARE_SKETCH)));
    }

    private double handoverMicros(Peer peer, double percentile) {
        Histogram handovers = findings.handovers(Scene.TURNS, peer);
        return handovers.getTotalCount() == 0 ? Double.NaN : micros(handovers.getValueAtPercentile(percentile));
    }

    private double waiterPercent(Peer peer) {
        Deathwatch watch = findings.deathwatches.get(peer);
        return watch == null ? Double.NaN : 100 * watch.waiterShare();
    }

    private double millisAfterKill(Peer peer) {
        Deathwatch watch = findings.deathwatches.get(peer);
        return watch == null ? Double.NaN : inAfterKill(watch);
    }

    /** {@return the median in milliseconds; infinite if a waiter did not get the lock} */
    static double inAfterKill(Deathwatch watch) {
        boolean all = watch.inAfterKill().stream().allMatch(OptionalLong::isPresent);
        return all ? Rounds.of(watch.inAfterKill().stream().mapToDouble(in -> millis(in.getAsLong())).toArray()).median()
                : Double.POSITIVE_INFINITY;
    }

    private List<BarRow> many() {
        ManyHeld.Figures figures = findings.many.get(Peer.STRICT);
        boolean any = figures != null;
        return List.of(
                new BarRow("a cycle beside 10,000 locks held / alone; for each held lock",
                        BarCheck.atMost("", any ? figures.besideNanos() / figures.aloneNanos() : Double.NaN, 2, "×"),
                        BarCheck.atMost("", any ? figures.heapBytes() : Double.NaN, 1_024, "B of heap"),
                        // the 64 guard files and the table serve all of them
                        BarCheck.atMost("", any ? Math.floor(100 * figures.descriptors()) / 100 : Double.NaN, 0, "descriptors")),
                new BarRow("the keeper, 10,000 locks held", BarCheck.atMost("", any ? 100 * figures.keeperShare() : Double.NaN, 3, "% of a core")));
    }

    static double millis(double nanos) {
        return nanos / TimeUnit.MILLISECONDS.toNanos(1);
    }

    static double micros(double nanos) {
        return nanos / TimeUnit.MICROSECONDS.toNanos(1);
    }

    /** {@return a number with three significant digits, or all digits before the point} */
    static String number(double value) {
        if (Double.isNaN(value)) {
            return "–";
        } else if (Double.isInfinite(value)) {
            return "never";
        }
        double size = Math.abs(value);
        if (value == Math.rint(value) || size >= 100) {
            return String.format(Locale.ROOT, "%,.0f", value);
        }
        return String.format(Locale.ROOT, size >= 10 ? "%.1f" : "%.2f", value);
    }
}

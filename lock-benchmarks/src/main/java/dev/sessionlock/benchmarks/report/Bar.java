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
            return labelled(number(measured) + (Double.isInfinite(measured) ? "" : suffix()));
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
     * @param floor the first of its figures, in the same run, for something that does a part of our work and nothing else; empty if unknown
     */
    record BarRow(String title, List<BarCheck> checks, String floor) {
        BarRow(String title, BarCheck... checks) {
            this(title, List.of(checks), "");
        }

        private BarRow above(double measured, String what) {
            return new BarRow(title, checks, Double.isNaN(measured) ? "" : number(measured) + checks.get(0).suffix() + ": " + what);
        }

        /** {@return whether all its figures are within their limits} */
        boolean met() {
            return checks.stream().allMatch(BarCheck::met);
        }

        /** {@return what is wanted, for people} */
        String wanted() {
            return checks.stream().map(BarCheck::wanted).collect(Collectors.joining("; "));
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
                        .above(findings.clockNanos.ratioTo(findings.cycleNanos.getOrDefault(Peer.REENTRANT_LOCK, new Rounds())),
                                "`System.nanoTime()`, once"),
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
                new BarRow("8 threads, 1 JVM: strict / Lucene; least/most served",
                        BarCheck.atLeast("", rate(Scene.EIGHT_THREADS, Peer.STRICT, Peer.LUCENE), 1.5, "×"),
                        BarCheck.atLeast("", findings.rounds(Scene.EIGHT_THREADS, Peer.STRICT, LoadResult::fairnessOfThreads).median(), 0.8, ""))
                        .above(rate(Scene.EIGHT_THREADS, Peer.FAIR_LOCK, Peer.LUCENE), "a fair `ReentrantLock`"),
                new BarRow("2 JVMs: strict / Lucene; least/most served; longest wait",
                        BarCheck.atLeast("", rate(Scene.TWO_JVMS, Peer.STRICT, Peer.LUCENE), 1.2, "×"),
                        BarCheck.atLeast("", fairness(Peer.STRICT), 0.9, ""),
                        BarCheck.atMost("", longestWait(Peer.STRICT), 50, "ms"))
                        .above(rate(Scene.TWO_JVMS, Peer.BARE_SKETCH, Peer.LUCENE), "the bare sketch"),
                new BarRow("2 JVMs: warm / `FileChannel` kept open; least/most served; longest wait",
                        BarCheck.atLeast("", rate(Scene.TWO_JVMS, Peer.WARM, Peer.CHANNEL_KEPT), 0.8, "×"),
                        BarCheck.atLeast("", fairness(Peer.WARM), 0.8, ""),
                        BarCheck.atMost("", longestWait(Peer.WARM), 100, "ms")),
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

    private double fairness(Peer peer) {
        return findings.rounds(Scene.TWO_JVMS, peer, LoadResult::fairnessOfProcesses).median();
    }

    /** The median of the rounds' longest waits: if the machine stalls for a moment, that is not the lock's fault. */
    private double longestWait(Peer peer) {
        return findings.rounds(Scene.TWO_JVMS, peer, result -> millis(result.waits().getMaxValue())).median();
    }

    private List<BarRow> waiting() {
        Histogram handovers = findings.handovers(Scene.TURNS, Peer.STRICT);
        boolean any = handovers.getTotalCount() > 0;
        Deathwatch watch = findings.deathwatches.get(Peer.STRICT);
        return List.of(
                new BarRow("handover to a process that waits; the waiter's use of a core",
                        BarCheck.atMost("p50", any ? micros(handovers.getValueAtPercentile(50)) : Double.NaN, 300, "µs"),
                        BarCheck.atMost("p99", any ? millis(handovers.getValueAtPercentile(99)) : Double.NaN, 5, "ms"),
                        BarCheck.atMost("", watch == null ? Double.NaN : 100 * watch.waiterShare(), 1, "%")),
                new BarRow("a waiter acquires after the holder's SIGKILL", BarCheck.atMost("", watch == null ? Double.NaN : inAfterKill(watch), 20, "ms")));
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

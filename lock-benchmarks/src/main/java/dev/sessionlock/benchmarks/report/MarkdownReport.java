package dev.sessionlock.benchmarks.report;

import static dev.sessionlock.benchmarks.report.Bar.micros;
import static dev.sessionlock.benchmarks.report.Bar.millis;
import static dev.sessionlock.benchmarks.report.Bar.number;

import dev.sessionlock.benchmarks.load.Deathwatch;
import dev.sessionlock.benchmarks.load.LoadResult;
import dev.sessionlock.benchmarks.load.ManyHeld;
import dev.sessionlock.benchmarks.peers.Peer;
import java.util.Arrays;
import java.util.List;
import java.util.stream.Collectors;
import org.HdrHistogram.Histogram;

/** The findings as Markdown: the bar first, then the figures behind it. */
final class MarkdownReport {
    private final Findings findings;
    private final StringBuilder text = new StringBuilder();

    private MarkdownReport(Findings findings) {
        this.findings = findings;
    }

    /**
     * {@return the report}
     *
     * @param machine where it was measured
     * @param command the command that was typed
     * @param chart the link to the picture, relative to the document
     */
    static String of(Findings findings, String machine, String command, String chart) {
        MarkdownReport report = new MarkdownReport(findings);
        report.paragraph("`" + command + "`  \n" + machine);
        report.paragraph("![Cycles a second of each lock](" + chart + ")");
        report.bar();
        report.cycles();
        // A blank line must follow; otherwise GitHub takes what follows for HTML.
        report.paragraph("<details><summary>Loads, waiting, and many locks held</summary>");
        for (Scene scene : List.of(Scene.EIGHT_THREADS, Scene.TWO_JVMS, Scene.TWO_BY_FOUR, Scene.MANY_LOCKS)) {
            report.load(scene, scene.title + ", as fast as they can");
        }
        for (Scene scene : List.of(Scene.HELD_1_MS, Scene.TWO_GATEWAYS)) {
            report.load(scene, scene.title);
        }
        report.waiting();
        report.many();
        report.paragraph("</details>");
        report.failures();
        return report.text.toString();
    }

    private void paragraph(String paragraph) {
        text.append(paragraph).append("\n\n");
    }

    private void row(String... cells) {
        text.append("| ").append(String.join(" | ", cells)).append(" |\n");
    }

    private void header(String... cells) {
        row(cells);
        text.append('|').append(Arrays.stream(cells).skip(1).map(cell -> "---:|").collect(Collectors.joining("", "---|", ""))).append('\n');
    }

    private void bar() {
        header("the bar", "wanted", "measured", "met", "floor in the same run");
        for (Bar.BarRow entry : Bar.lines(findings)) {
            row(entry.title(), entry.wanted(), entry.measured(), entry.met() ? "yes" : "**no**", entry.floor());
        }
        text.append('\n');
    }

    private void cycles() {
        paragraph("**One thread, undisturbed** (all take turns in one JVM; the turns that the machine disturbed least; the witness watches all loads below):");
        header("", "ns a cycle", "B a cycle", "/ strict", "excludes");
        for (Peer peer : Peer.values()) {
            Rounds nanos = findings.cycleNanos.getOrDefault(peer, new Rounds());
            row("**" + peer.title() + "**: " + peer.note(), number(nanos.median()),
                    number(Math.rint(findings.cycleBytes.getOrDefault(peer, new Rounds()).median())),
                    number(nanos.ratioTo(findings.cycleNanos.getOrDefault(Peer.STRICT, new Rounds()))), verdict(peer));
        }
        text.append('\n');
        paragraph("`ensureHeld()` " + number(findings.ensureHeldNanos.median()) + " ns, `isHeld()` " + number(findings.isHeldNanos.median())
                + " ns.");
    }

    private String verdict(Peer peer) {
        if (findings.fails(peer)) {
            return "**FAILING**: " + number(findings.doubles(peer)) + " double holders in " + number(findings.witnessed(peer));
        } else if (findings.witnessed(peer) == 0) {
            return "–";
        }
        return (peer.reach() == Peer.Reach.THREADS ? "threads" : "all") + ", " + number(findings.witnessed(peer)) + " seen";
    }

    private void load(Scene scene, String title) {
        paragraph("**" + title + "**:");
        header("", "cycles/s", "least/most JVM", "least/most thread", "wait p50", "p99", "longest", "double holders");
        for (Peer peer : scene.peers) {
            if (findings.of(scene, peer).isEmpty()) {
                continue;
            }
            Histogram waits = findings.waits(scene, peer);
            long doubles = findings.of(scene, peer).stream().mapToLong(LoadResult::doubles).sum();
            row(peer.title(), number(Math.rint(findings.rounds(scene, peer, LoadResult::perSecond).median())),
                    scene.jvms == 1 ? "–" : number(findings.rounds(scene, peer, LoadResult::fairnessOfProcesses).median()),
                    number(findings.rounds(scene, peer, LoadResult::fairnessOfThreads).median()),
                    time(waits.getValueAtPercentile(50)), time(waits.getValueAtPercentile(99)), time(waits.getMaxValue()),
                    doubles == 0 ? "0" : "**" + number(doubles) + "**");
        }
        text.append('\n');
    }

    private void waiting() {
        paragraph("**Waiting for another process**. A handover, while 2 JVMs take turns, is the time from the beginning of the release in one to "
                + "the return of `acquire` in the other. The table also has the share of a core that a waiter uses while the lock is held for long, "
                + "and how soon it acquires the lock after the holder's SIGKILL:");
        header("", "handover p50", "p99", "longest", "handovers", "waiter, % of a core", "acquires after SIGKILL, ms");
        for (Peer peer : Peer.betweenProcesses()) {
            Histogram handovers = findings.handovers(Scene.TURNS, peer);
            boolean any = handovers.getTotalCount() > 0;
            Deathwatch watch = findings.deathwatches.get(peer);
            row(peer.title(), any ? time(handovers.getValueAtPercentile(50)) : "–", any ? time(handovers.getValueAtPercentile(99)) : "–",
                    any ? time(handovers.getMaxValue()) : "–", number(handovers.getTotalCount()),
                    watch == null ? "–" : number(100 * watch.waiterShare()), watch == null ? "–" : number(Bar.inAfterKill(watch)));
        }
        text.append('\n');
    }

    private void many() {
        paragraph("**" + number(Effort.MANY) + " locks of one directory held by one JVM**:");
        header("", "cycle alone", "beside them", "heap a lock", "descriptors a lock", "keeper, % of a core");
        findings.many.forEach((peer, figures) -> row(many(peer, figures)));
        text.append('\n');
    }

    private static String[] many(Peer peer, ManyHeld.Figures figures) {
        return new String[] {peer.title(), time(figures.aloneNanos()), time(figures.besideNanos()), number(Math.rint(figures.heapBytes())) + " B",
            number(figures.descriptors()), figures.keeperShare() == 0 ? "–" : number(100 * figures.keeperShare())};
    }

    private void failures() {
        if (!findings.failures.isEmpty()) {
            paragraph("What could not be measured:");
            findings.failures.forEach((what, why) -> text.append("* ").append(what).append(": ").append(why).append('\n'));
        }
    }

    private static String time(double nanos) {
        if (nanos < 1_000) {
            return number(Math.rint(nanos)) + " ns";
        }
        return nanos < 1_000_000 ? number(micros(nanos)) + " µs" : number(millis(nanos)) + " ms";
    }
}

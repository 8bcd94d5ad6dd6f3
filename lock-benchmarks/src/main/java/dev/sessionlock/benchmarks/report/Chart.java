package dev.sessionlock.benchmarks.report;

import dev.sessionlock.benchmarks.load.LoadResult;
import dev.sessionlock.benchmarks.peers.Peer;
import java.awt.BasicStroke;
import java.awt.Color;
import java.awt.Font;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Locale;
import java.util.function.Function;
import java.util.regex.Pattern;
import org.knowm.xchart.CategoryChart;
import org.knowm.xchart.CategoryChartBuilder;
import org.knowm.xchart.ChartEncoder;
import org.knowm.xchart.style.Styler;

/** Cycles a second of each peer, as bars. */
final class Chart {
    private static final int WIDTH = 960;
    private static final int HEIGHT = 460;
    private static final double NANOS = 1e9;
    /** Where the axis begins: a bar of this height is invisible. No peer is this slow. */
    private static final double LEAST = 100;
    private static final Pattern MORE_THAN_HUNDREDTHS = Pattern.compile("(\\.\\d\\d)\\d+");
    private static final Color[] COLOURS = {new Color(0x1F6FB4), new Color(0x2CA089), new Color(0xE08214)};

    private final Findings findings;

    Chart(Findings findings) {
        this.findings = findings;
    }

    /**
     * {@return the picture, an SVG document}
     *
     * @throws IOException if this JVM has no fonts to measure texts with; the message is for people
     */
    String svg() throws IOException {
        System.setProperty("java.awt.headless", "true");
        ByteArrayOutputStream drawn = new ByteArrayOutputStream();
        try {
            ChartEncoder.saveChart(chart(), drawn, "svg");
        } catch (LinkageError | InternalError e) {
            throw new IOException("the chart needs fonts, which this machine has not (apt-get install fontconfig fonts-dejavu-core): " + e, e);
        }
        // Letters are drawn as outlines; rounded to a hundredth of a pixel, they take half the space.
        return MORE_THAN_HUNDREDTHS.matcher(drawn.toString(StandardCharsets.UTF_8)).replaceAll("$1");
    }

    private CategoryChart chart() {
        CategoryChart chart = new CategoryChartBuilder().width(WIDTH).height(HEIGHT)
                .title("Cycles a second (logarithmic; no bar under load: it let two in at once)").build();
        List<Peer> peers = List.of(Peer.values()).stream().filter(peer -> peer != Peer.NOTHING).toList();
        List<String> names = peers.stream().map(Peer::title).toList();
        add(chart, "1 thread", names, peers, peer -> findings.cycleNanos.containsKey(peer) ? NANOS / findings.cycleNanos.get(peer).median() : LEAST);
        add(chart, "8 threads of 1 JVM", names, peers, peer -> rate(Scene.EIGHT_THREADS, peer));
        add(chart, "2 JVMs", names, peers, peer -> rate(Scene.TWO_JVMS, peer));
        Font font = new Font(Font.SANS_SERIF, Font.PLAIN, 12);
        chart.getStyler().setYAxisLogarithmic(true).setYAxisMin(LEAST).setXAxisLabelRotation(30)
                .setAxisTickLabelsFont(font).setChartBackgroundColor(Color.WHITE).setSeriesColors(COLOURS)
                .setLegendPosition(Styler.LegendPosition.OutsideS)
                .setLegendLayout(Styler.LegendLayout.Horizontal).setLegendFont(font);
        // Dashes and the lines between the powers of ten would make up nine tenths of the file.
        chart.getStyler().setPlotGridLinesStroke(new BasicStroke(0.5f)).setPlotGridVerticalLinesVisible(false)
                .setYAxisTickLabelsFormattingFunction(value -> isPowerOfTen(value) ? String.format(Locale.ROOT, "%,.0f", value) : "");
        chart.getStyler().setAvailableSpaceFill(0.8);
        return chart;
    }

    private static boolean isPowerOfTen(double value) {
        double digits = Math.log10(value);
        return Math.abs(digits - Math.rint(digits)) < 1e-6;
    }

    private void add(CategoryChart chart, String title, List<String> names, List<Peer> peers, Function<Peer, Double> figure) {
        chart.addSeries(title, names, peers.stream().map(figure).map(value -> Math.max(LEAST, value)).toList());
    }

    private double rate(Scene scene, Peer peer) {
        Rounds rounds = findings.rounds(scene, peer, LoadResult::perSecond);
        return rounds.isEmpty() || findings.fails(peer) ? LEAST : rounds.median();
    }
}

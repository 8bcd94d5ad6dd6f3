package dev.sessionlock.cli;

import dev.sessionlock.LockOwner;
import dev.sessionlock.LockReport.Waiter;
import dev.sessionlock.PastHold;
import dev.sessionlock.internal.system.ThreadNames;
import dev.sessionlock.internal.system.WallClock;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import org.jspecify.annotations.Nullable;

/** A picture (SVG) of the last holds of a lock, of the present one, and of those who wait: one bar for each, by time. */
final class Timeline {
    private static final int WIDTH = 960;
    private static final int LEFT = 260;
    private static final int RIGHT = 840;
    private static final int ROW = 22;
    private static final int TOP = 30;
    private static final int BAR = 14;
    private static final int TICKS = 4;
    private static final int MOST_WAITERS = 30;
    private static final int LONGEST_LABEL = 38;
    /** A bar that is shorter cannot be seen. */
    private static final double SHORTEST = 3;

    /** One bar. */
    private record Bar(String label, String kind, Instant from, Instant to, String text) {
    }

    private final Story story;
    private final List<Bar> bars = new ArrayList<>();
    private Instant begin;
    private final Instant end;

    Timeline(Story story) {
        this.story = story;
        this.end = story.view().at();
        this.begin = end.minusSeconds(1);
        List<PastHold> past = story.last();
        for (int i = past.size() - 1; i >= 0; i--) {
            hold(past.get(i));
        }
        present();
        List<Waiter> waiters = story.view().report().waiters().stream().filter(waiter -> waiter.since() != null).toList();
        for (Waiter waiter : waiters.subList(0, Math.min(MOST_WAITERS, waiters.size()))) {
            add(label(waiter.pid(), waiter.thread()), "wait", waiter.since(), end, "waits, " + HoldRows.span(Duration.between(waiter.since(), end)));
        }
    }

    private void hold(PastHold hold) {
        Instant from = hold.since() != null ? hold.since() : hold.until();
        add(label(hold.pid(), hold.thread()), hold.ending().isOrdinary() ? "released" : "bad", from, hold.until(), HoldRows.ending(hold.ending())
                + (hold.count() > 1 ? ", " + hold.count() + " holds" : hold.longest() == null ? "" : ", " + HoldRows.span(hold.longest())));
    }

    private void present() {
        Instant since = story.view().report().facts().since();
        LockOwner owner = story.view().report().owner();
        if (since != null && owner != null) {
            add(label(owner.pid(), owner.thread()), story.cause() == Cause.NONE ? "now" : "bad", since, end, story.view().verdict() + ", "
                    + HoldRows.span(story.view().age()));
        }
    }

    private void add(String label, String kind, Instant from, Instant to, String text) {
        bars.add(new Bar(label, kind, from, to, text));
        if (from.isBefore(begin)) {
            begin = from;
        }
    }

    private static String label(@Nullable Long pid, @Nullable String thread) {
        String label = (pid == null ? "?" : "pid " + pid) + (ThreadNames.isNamed(thread) ? " " + thread : "");
        return label.codePointCount(0, label.length()) <= LONGEST_LABEL ? label : label.substring(0, label.offsetByCodePoints(0, LONGEST_LABEL - 1)) + "\u2026";
    }

    /** {@return the picture; a sentence if there is nothing to show} */
    String svg() {
        if (bars.isEmpty()) {
            return "<p>No hold is known.</p>\n";
        }
        int height = TOP + bars.size() * ROW + 10;
        StringBuilder svg = new StringBuilder(String.format(Locale.ROOT, "<div class=\"wide\"><svg viewBox=\"0 0 %d %d\" role=\"img\" "
                + "aria-label=\"Timeline of holds and waits\">%n", WIDTH, height));
        boolean days = Duration.between(begin, end).compareTo(Duration.ofHours(12)) > 0;
        for (int i = 0; i <= TICKS; i++) {
            Instant at = begin.plus(Duration.between(begin, end).multipliedBy(i).dividedBy(TICKS));
            double x = x(at);
            svg.append(String.format(Locale.ROOT, "<line x1=\"%.1f\" y1=\"%d\" x2=\"%.1f\" y2=\"%d\"/><text class=\"faint\" x=\"%.1f\" y=\"14\" "
                    + "text-anchor=\"middle\">%s</text>%n", x, TOP - 8, x, height - 6, x, tick(at, days)));
        }
        for (int i = 0; i < bars.size(); i++) {
            bar(svg, bars.get(i), TOP + i * ROW);
        }
        svg.append("</svg></div>\n<p class=\"faint\">Blue: released. Red: ended otherwise, or stuck now. Green: held now, and nothing points to trouble. Yellow: waits.");
        long waiting = story.view().report().waiters().size();
        long shown = bars.stream().filter(bar -> bar.kind().equals("wait")).count();
        return svg.append(waiting > shown ? " " + (waiting - shown) + " more wait, whose time is not known or for which there is no room." : "").append("</p>\n").toString();
    }

    /** Within a few seconds, several would have the same time of the day. */
    private String tick(Instant at, boolean days) {
        if (Duration.between(begin, end).compareTo(Story.LONG) < 0) {
            return at.equals(end) ? WallClock.time(end) : HoldRows.span(Duration.between(at, end)) + " before";
        }
        return days ? WallClock.dayAndTime(at) : WallClock.time(at);
    }

    private void bar(StringBuilder svg, Bar bar, int y) {
        double from = x(bar.from());
        double to = Math.max(x(bar.to()), from + SHORTEST);
        boolean roomBehind = to < RIGHT - 90;
        svg.append(String.format(Locale.ROOT, "<text x=\"%d\" y=\"%d\" text-anchor=\"end\">%s</text><rect class=\"%s\" x=\"%.1f\" y=\"%d\" width=\"%.1f\" height=\"%d\" "
                + "rx=\"2\"><title>%s</title></rect>", LEFT - 10, y + BAR - 2, StoryPage.escaped(bar.label()), bar.kind(), from, y, to - from, BAR,
                StoryPage.escaped(bar.label() + ": " + bar.text())));
        svg.append(String.format(Locale.ROOT, "<text x=\"%.1f\" y=\"%d\"%s>%s</text>%n", roomBehind || from < LEFT + 110 ? to + 6 : from - 6, y + BAR - 2,
                roomBehind || from < LEFT + 110 ? "" : " text-anchor=\"end\"", StoryPage.escaped(bar.text())));
    }

    private double x(Instant moment) {
        double whole = Math.max(1, Duration.between(begin, end).toMillis());
        double share = Math.max(0, Math.min(1, Duration.between(begin, moment).toMillis() / whole));
        return LEFT + share * (RIGHT - LEFT);
    }
}

package dev.sessionlock.cli;

import dev.sessionlock.LockReport.State;
import dev.sessionlock.internal.system.Printable;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.TreeMap;
import java.util.function.ToLongFunction;

/**
 * Writes what was found as gauges in the text format of OpenMetrics, which is that of Prometheus, too. There is one series for each directory and none for a lock, so
 * the number of series does not grow with the locks. Where nothing was found the values are 0: a series that is missing would alert nobody.
 */
final class OpenMetricsWriter {
    private final String label;
    private final String first;
    /** What was found, by the text of the label. */
    private final Map<String, List<ReportView>> groups = new TreeMap<>();
    private final List<String> lines = new ArrayList<>();

    /**
     * @param label the label that tells the series apart
     * @param first a value of it that has series even if nothing was found there
     */
    OpenMetricsWriter(String label, String first) {
        this.label = label;
        this.first = Printable.text(first);
        groups.put(this.first, new ArrayList<>());
    }

    /**
     * Adds a lock that was found. A name may hold what moves a cursor, and people look at this, too. Names that look the same in print share their series: two of the
     * same name would make the whole document invalid.
     */
    void add(String group, ReportView finding) {
        groups.computeIfAbsent(Printable.text(group), fresh -> new ArrayList<>()).add(finding);
    }

    /**
     * {@return the whole document, with its last line {@code # EOF}}
     *
     * @param unreadable what could not be read of all that was looked for
     */
    String text(int unreadable) {
        head("sessionlock_locks", "", "Locks, and what lies in their places, by state.");
        groups.forEach((group, found) -> {
            for (State state : State.values()) {
                long count = found.stream().filter(each -> each.report().state() == state).count();
                sample("sessionlock_locks", group, ",state=\"" + state.name().toLowerCase(Locale.ROOT) + "\"", Long.toString(count));
            }
        });
        sum("sessionlock_locks_needing_person", "Locks that will not get well by themselves.", each -> each.needsPerson() ? 1 : 0);
        sum("sessionlock_locks_waiting_processes", "Processes that wait for a lock.", ReportView::waiting);
        head("sessionlock_locks_oldest_hold_seconds", "seconds", "For how long the oldest lock has been held that is held now, or 0.");
        groups.forEach((group, found) -> sample("sessionlock_locks_oldest_hold_seconds", group, "", seconds(oldest(found))));
        head("sessionlock_locks_unreadable", "", "Directories and names that could not be read. The other gauges do not count what is there.");
        sample("sessionlock_locks_unreadable", first, "", Integer.toString(unreadable));
        lines.add("# EOF");
        return String.join("\n", lines) + "\n";
    }

    private void sum(String name, String help, ToLongFunction<ReportView> value) {
        head(name, "", help);
        groups.forEach((group, found) -> sample(name, group, "", Long.toString(found.stream().mapToLong(value).sum())));
    }

    private static Duration oldest(List<ReportView> found) {
        return found.stream().filter(each -> each.isHeld() && each.age() != null).map(ReportView::age).max(Duration::compareTo).orElse(Duration.ZERO);
    }

    private static String seconds(Duration duration) {
        return String.format(Locale.ROOT, "%d.%03d", duration.toSeconds(), duration.toMillisPart());
    }

    private void head(String name, String unit, String help) {
        lines.add("# TYPE " + name + " gauge");
        if (!unit.isEmpty()) {
            lines.add("# UNIT " + name + " " + unit);
        }
        lines.add("# HELP " + name + " " + help);
    }

    private void sample(String name, String group, String further, String value) {
        lines.add(name + "{" + label + "=\"" + escaped(group) + "\"" + further + "} " + value);
    }

    private static String escaped(String text) {
        return text.replace("\\", "\\\\").replace("\"", "\\\"").replace("\n", "\\n");
    }
}

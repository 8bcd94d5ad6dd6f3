package dev.sessionlock.metrics;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.TreeSet;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** The table of alerts in the guide: its expressions, and the metrics that they name. In a table of Markdown, a bar is escaped. */
final class AlertsOfTheGuide {
    private static final Pattern ROW = Pattern.compile("(?m)^\\| `([^`]*(?:sessionlock|node_textfile)_[^`]*)` \\|");
    private static final Pattern NAME = Pattern.compile("\\b(?:sessionlock|node_textfile)_\\w+");

    private AlertsOfTheGuide() {
    }

    static List<String> expressions() throws IOException {
        return ROW.matcher(Files.readString(Path.of("README.md"))).results().map(row -> row.group(1).replace("\\|", "|")).toList();
    }

    /** {@return the metrics that they name} */
    static TreeSet<String> names() throws IOException {
        TreeSet<String> names = new TreeSet<>();
        for (String expression : expressions()) {
            Matcher name = NAME.matcher(expression);
            while (name.find()) {
                names.add(name.group());
            }
        }
        return names;
    }

    /** {@return whether a metric is among those that were scraped, or of the tool} */
    static boolean isKnown(String name, String scraped) {
        return scraped.contains("\n" + name) || name.equals("node_textfile_mtime_seconds")
                || List.of("sessionlock_locks", "sessionlock_locks_oldest_hold_seconds", "sessionlock_locks_needing_person", "sessionlock_locks_waiting_processes",
                        "sessionlock_locks_unreadable").contains(name);
    }

    /** {@return a file of rules for Prometheus} */
    static String rules() throws IOException {
        StringBuilder rules = new StringBuilder("groups:\n- name: sessionlock\n  rules:\n");
        int count = 0;
        for (String expression : expressions()) {
            rules.append("  - alert: Alert").append(++count).append("\n    expr: '").append(expression.replace("'", "''")).append("'\n");
        }
        return rules.toString();
    }
}

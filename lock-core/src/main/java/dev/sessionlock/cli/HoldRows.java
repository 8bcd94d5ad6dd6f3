package dev.sessionlock.cli;

import dev.sessionlock.PastHold;
import dev.sessionlock.PastHold.HolderProcess;
import dev.sessionlock.internal.system.Durations;
import dev.sessionlock.internal.system.HolderProcesses;
import dev.sessionlock.internal.system.Printable;
import dev.sessionlock.internal.system.ThreadNames;
import dev.sessionlock.internal.system.WallClock;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** Past holds as the tool shows them: a table for a person, members of a JSON document for programs. */
final class HoldRows {
    private static final Duration FEW_SECONDS = Duration.ofSeconds(10);
    private static final Duration WORTH_SAYING = Duration.ofSeconds(1);
    private static final Duration TODAY = Duration.ofHours(12);

    private HoldRows() {
    }

    // ---- for a person ----

    /**
     * {@return the lines of a table, with its head}
     *
     * @param now when it is read: a time that is long ago has its day
     * @param named whether to name the locks
     */
    static List<String> table(List<PastHold> holds, Instant now, boolean named) {
        boolean today = holds.stream().allMatch(hold -> isToday(hold.until(), now) && (hold.since() == null || isToday(hold.since(), now)));
        List<String[]> rows = new ArrayList<>();
        rows.add(named ? new String[] {"SINCE", "UNTIL", "HELD", "ENDED", "BY", "FILE"} : new String[] {"SINCE", "UNTIL", "HELD", "ENDED", "BY"});
        for (PastHold hold : holds) {
            String since = hold.since() == null ? "-" : time(hold.since(), today);
            String by = by(hold);
            rows.add(named ? new String[] {since, time(hold.until(), today), held(hold), ending(hold.ending()), by, Printable.text(hold.name())}
                    : new String[] {since, time(hold.until(), today), held(hold), ending(hold.ending()), by});
        }
        int[] widths = Columns.widths(rows);
        List<String> lines = new ArrayList<>();
        for (String[] row : rows) {
            StringBuilder line = new StringBuilder();
            for (int column = 0; column < widths.length; column++) {
                line.append(Columns.padded(row[column], widths[column])).append("  ");
            }
            lines.add(line.append(row[row.length - 1]).toString());
        }
        return lines;
    }

    private static boolean isToday(Instant moment, Instant now) {
        return Duration.between(moment, now).abs().compareTo(TODAY) < 0;
    }

    private static String time(Instant moment, boolean today) {
        return today ? WallClock.time(moment) : WallClock.dayAndTime(moment);
    }

    private static String held(PastHold hold) {
        String longest = hold.longest() != null ? span(hold.longest()) : hold.since() == null ? "-" : "at most " + span(Duration.between(hold.since(), hold.until()));
        return hold.count() == 1 || hold.longest() == null ? longest : hold.count() + " holds, up to " + longest;
    }

    private static String by(PastHold hold) {
        StringBuilder by = new StringBuilder("pid " + hold.pid()).append(HolderProcesses.isElsewhere(hold) ? " in another pid namespace" : "");
        if (hold.thread() != null) {
            by.append(ThreadNames.isNamed(hold.thread()) ? " \"" + hold.thread() + '"' : " (no named thread)");
        }
        if (hold.purpose() != null) {
            by.append(" for \"").append(hold.purpose()).append('"');
        }
        if (hold.waited() != null && hold.waited().compareTo(WORTH_SAYING) >= 0) {
            by.append(", waited ").append(span(hold.waited()));
        }
        if (hold.longestWaitBehind() != null && hold.longestWaitBehind().compareTo(WORTH_SAYING) >= 0) {
            by.append(", others waited ").append(span(hold.longestWaitBehind()));
        }
        return Printable.text(by.toString());
    }

    /** {@return how a hold ended, in a word or three} */
    static String ending(PastHold.Ending ending) {
        return switch (ending) {
            case RELEASED -> "released";
            case LEAKED -> "leaked";
            case MAX_HOLD -> "maxHold";
            case LEASE_EXPIRED -> "lease expired";
            case REMOVED -> "removed by hand";
            case ASKED_TO_RELEASE -> "asked to release";
            case PROCESS_DIED -> "process died";
            case JVM_ENDED -> "JVM ended";
            case LOST -> "lost";
            case UNKNOWN -> "unknown";
        };
    }

    /** {@return a span in words; those of a few seconds are exact, since a lock is mostly held for less} */
    static String span(Duration span) {
        long millis = Math.max(0, span.toMillis());
        if (millis < 1000) {
            return millis == 0 ? "< 1 ms" : millis + " ms";
        }
        return span.compareTo(FEW_SECONDS) < 0 ? millis / 1000 + "." + millis / 100 % 10 + " s" : Durations.inWords(span);
    }

    // ---- for programs ----

    /** Writes a past hold as one object. */
    static void json(JsonWriter json, PastHold hold) {
        json.beginObject()
                .member("name", hold.name())
                .member("token", hold.token())
                .member("pid", hold.pid())
                .member("host", hold.host())
                .member("thread", hold.thread())
                .member("purpose", hold.purpose())
                .member("since", hold.since())
                .member("until", hold.until())
                .member("ending", hold.ending())
                .member("count", hold.count())
                .member("longestMs", millis(hold.longest()))
                .member("waitedMs", millis(hold.waited()))
                .member("longestWaitBehindMs", millis(hold.longestWaitBehind()))
                .name("process");
        process(json, hold.process());
        json.endObject();
    }

    private static void process(JsonWriter json, @Nullable HolderProcess process) {
        if (process == null) {
            json.value(null);
            return;
        }
        json.beginObject().member("startTicks", process.startTicks()).member("started", process.started()).member("boot", process.boot())
                .member("pidNamespace", process.pidNamespace()).member("timeNamespace", process.timeNamespace()).endObject();
    }

    private static @Nullable Long millis(@Nullable Duration span) {
        return span == null ? null : span.toMillis();
    }
}

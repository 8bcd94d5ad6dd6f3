package dev.sessionlock.cli;

import dev.sessionlock.LockOwner;
import dev.sessionlock.LockReport;
import dev.sessionlock.LockReport.RemedyKind;
import dev.sessionlock.internal.directory.WaiterScanner;
import dev.sessionlock.internal.system.Durations;
import dev.sessionlock.internal.system.Printable;
import dev.sessionlock.internal.system.ThreadNames;
import dev.sessionlock.internal.system.WallClock;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;

/**
 * A report as the tool shows it: for a person, or as a member of the JSON document.
 *
 * @param target what is locked, as its user wrote it
 * @param report what is known of its lock
 * @param at when it was looked at
 * @param waiters the processes that wait for it, {@link WaiterScanner#UNKNOWN_PID} for one whose id is not known; null if nobody has looked
 */
record ReportView(Path target, LockReport report, Instant at, @Nullable List<Long> waiters) {
    /** How wide the column of the labels is. */
    private static final int LABEL = 10;
    /** So many readers are named. */
    private static final int READERS = 10;

    ReportView(Path target, LockReport report, Instant at) {
        this(target, report, at, null);
    }

    /** {@return how many processes wait for it, as far as is known} */
    int waiting() {
        return waiters == null ? 0 : waiters.size();
    }

    /** {@return whether it will not get well by itself} */
    boolean needsPerson() {
        return report.facts().needsPerson();
    }

    /** {@return whether somebody has it} Else, if anything lies there at all, whoever wants the lock next replaces it, or a person must. */
    boolean isHeld() {
        return switch (report.state()) {
            case HELD -> true;
            case EXPIRED -> needsPerson();
            case FOREIGN -> !report.isOwnerGone();
            case FREE, STALE, TORN, NOT_A_LOCK -> false;
        };
    }

    /** {@return the file to name to a person: what is locked, or what is no lock} */
    Path shown() {
        boolean lock = report.state() != LockReport.State.NOT_A_LOCK || report.lockFile() == null;
        return lock ? target : target.resolveSibling(report.lockFile().getFileName());
    }

    /** {@return what to call it before a person; a lock without a file has its name alone} */
    String named() {
        return report.lockFile() == null ? report.name() : shown().toString();
    }

    /** {@return for how long it has been held; null if that is not known} */
    @Nullable Duration age() {
        Instant since = report.facts().since();
        return since == null ? null : since.isAfter(at) ? Duration.ZERO : Duration.between(since, at);
    }

    // ---- for a person ----

    /** {@return a headline with the verdict, and below it, aligned, what is known} */
    String text(boolean coloured) {
        List<String> lines = new ArrayList<>();
        lines.add(Printable.text(report.lockFile() == null ? report.name() : target.toString()) + ": " + styled(coloured, verdict()));
        if (report.owner() != null) {
            owner(lines, report.owner());
        }
        if (!report.readers().isEmpty()) {
            lines.add(line("readers", readersInWords()));
        }
        if (waiting() > 0) {
            lines.add(line("waiting", waitersInWords()));
        }
        String label = "evidence";
        for (String fact : report.evidence()) {
            lines.add(line(label, fact));
            label = "";
        }
        if (report.remedy().kind() != RemedyKind.NONE) {
            lines.add(line("to do", report.advice()));
        }
        return String.join(System.lineSeparator(), lines);
    }

    /** It is held in mode SHARED: by whom. */
    private String readersInWords() {
        List<LockOwner> readers = report.readers();
        String count = readers.size() == 1 ? "1 process" : readers.size() + " processes";
        String some = readers.stream().limit(READERS).map(reader -> "pid " + reader.pid() + (reader.purpose() == null ? "" : " (" + reader.purpose() + ")"))
                .collect(Collectors.joining(", "));
        return count + ": " + some + (readers.size() > READERS ? ", ..." : "");
    }

    private String waitersInWords() {
        String count = waiting() == 1 ? "1 process" : waiting() + " processes";
        String known = waiters.stream().filter(pid -> pid != WaiterScanner.UNKNOWN_PID).map(pid -> "pid " + pid).collect(Collectors.joining(", "));
        return count + (known.isEmpty() ? "" : ": " + known);
    }

    /** {@return the verdict as a person reads it} */
    String verdict() {
        return report.state().name().replace('_', ' ').toLowerCase(Locale.ROOT);
    }

    /** {@return a text in the colour of the verdict, if colours are wanted} */
    String styled(boolean coloured, String text) {
        return coloured ? Colours.styled(style(), text) : text;
    }

    private String style() {
        return needsPerson() ? "bold,red" : switch (report.state()) {
            case FREE -> "green";
            case HELD -> "bold,green";
            default -> "yellow";
        };
    }

    /** Adds the lines that say who holds it or left it behind. */
    void owner(List<String> lines, LockOwner owner) {
        StringBuilder who = new StringBuilder("pid " + owner.pid());
        if (owner.host() != null) {
            who.append(" on ").append(owner.host());
        }
        if (owner.processStart() != null) {
            who.append(", process started ").append(time(owner.processStart()));
        }
        if (owner.thread() != null) {
            who.append(", ").append(ThreadNames.inWords(owner.thread()));
        }
        lines.add(line("held by", who.toString()));
        if (owner.purpose() != null) {
            lines.add(line("purpose", owner.purpose()));
        }
        if (owner.since() != null) {
            lines.add(line("since", time(owner.since()) + " (" + Durations.inWords(age()) + ")"));
        }
        boolean leased = report.state() == LockReport.State.HELD || report.state() == LockReport.State.EXPIRED;
        if (leased && owner.leaseUntil() != null) {
            lines.add(line("lease", "until " + time(owner.leaseUntil()) + "; its holder renews it while it runs"));
        }
        if (owner.token() != null) {
            lines.add(line("token", owner.token().toString()));
        }
    }

    /** What a record says may hold anything, also what moves the cursor. */
    static String line(String label, String value) {
        return "  " + label + " ".repeat(Math.max(0, LABEL - label.length())) + Printable.text(value);
    }

    /** {@return a time; with its day if it is long ago} */
    String time(Instant instant) {
        boolean today = Duration.between(instant, at).abs().compareTo(Duration.ofHours(12)) < 0;
        return today ? WallClock.time(instant) : WallClock.dayAndTime(instant);
    }

    // ---- for programs ----

    /** {@return the document of all of them; its form is fixed, programs read it} */
    static String json(List<ReportView> findings) {
        JsonWriter json = new JsonWriter().beginObject().member("version", 1).name("locks").beginArray();
        findings.forEach(finding -> finding.json(json));
        return json.endArray().endObject().toString();
    }

    private void json(JsonWriter json) {
        members(json.beginObject()).endObject();
    }

    /** Writes what programs are told of one lock; {@code clear} adds what it has done. Returns the writer. */
    JsonWriter members(JsonWriter json) {
        LockOwner owner = report.owner();
        Duration age = age();
        json.member("lock", report.lockFile())
                .member("target", report.lockFile() == null ? report.name() : report.lockFile().resolveSibling(report.name()).toString())
                .member("state", report.state())
                .member("pid", owner == null ? null : owner.pid())
                .member("host", owner == null ? null : owner.host())
                .member("since", owner == null ? null : owner.since())
                .member("ageMs", age == null ? null : age.toMillis())
                .member("token", owner == null ? null : owner.token())
                .member("leaseUntil", owner == null ? null : owner.leaseUntil())
                .member("evidence", report.evidence())
                .member("advice", report.remedy().kind() == RemedyKind.NONE ? null : report.advice())
                .member("needsPerson", needsPerson())
                .member("waiting", waiters == null ? null : waiting())
                .name("waiters").beginArray();
        if (waiters != null) {
            waiters.stream().filter(pid -> pid != WaiterScanner.UNKNOWN_PID).forEach(json::value);
        }
        json.endArray();
        if (!report.readers().isEmpty()) {
            json.member("mode", "shared").name("readers").beginArray();
            report.readers().forEach(reader -> json.beginObject().member("pid", reader.pid()).member("host", reader.host()).member("since", reader.since())
                    .member("purpose", reader.purpose()).member("leaseUntil", reader.leaseUntil()).endObject());
            json.endArray();
        }
        return json;
    }
}

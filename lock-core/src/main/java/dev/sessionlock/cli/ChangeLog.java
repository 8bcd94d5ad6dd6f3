package dev.sessionlock.cli;

import dev.sessionlock.LockReport.State;
import dev.sessionlock.internal.system.Printable;
import java.time.Instant;
import java.time.ZoneId;
import java.time.format.DateTimeFormatter;
import java.time.temporal.ChronoUnit;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/** Writes lines that say what changed from one look to the next. */
final class ChangeLog {
    private static final DateTimeFormatter TIME = DateTimeFormatter.ISO_OFFSET_DATE_TIME;

    private final ZoneId zone;
    private List<String> unnamedBefore = List.of();
    private @Nullable Map<String, LockRow> before;
    /** The locks that were already reported as held long, or as waited for long. */
    private final Set<String> longTold = new HashSet<>();
    private final Set<String> waitTold = new HashSet<>();

    ChangeLog(ZoneId zone) {
        this.zone = zone;
    }

    /** {@return the lines on what has changed since the last call; on the first call, on all that is there} */
    List<String> lines(ViewSnapshot snapshot) {
        List<String> lines = new ArrayList<>();
        Map<String, LockRow> now = new HashMap<>();
        for (LockRow row : snapshot.rows()) {
            now.put(row.session(), row);
        }
        if (before != null) {
            before.values().stream().filter(old -> old.isLocked() && !isLocked(now.get(old.session()))).sorted(LockRow.WORST_FIRST)
                    .forEach(old -> released(lines, snapshot.at(), old));
        }
        for (LockRow row : snapshot.rows()) {
            compare(lines, snapshot.at(), before == null ? null : before.get(row.session()), row);
        }
        for (String unnamed : snapshot.unnamed()) {
            if (!unnamedBefore.contains(unnamed)) {
                lines.add(time(snapshot.at()) + "  " + Printable.text(unnamed));
            }
        }
        unnamedBefore = snapshot.unnamed();
        before = now;
        return lines;
    }

    private static boolean isLocked(@Nullable LockRow row) {
        return row != null && row.isLocked();
    }

    private void released(List<String> lines, Instant at, LockRow old) {
        lines.add(line(at, "released", old, old.who() + (old.finding().age() == null ? "" : ", held about " + old.age())));
        longTold.remove(old.session());
        waitTold.remove(old.session());
    }

    private void compare(List<String> lines, Instant at, @Nullable LockRow old, LockRow row) {
        boolean wasLocked = isLocked(old);
        if (row.isLocked()) {
            if (wasLocked && !row.isSameHold(old)) {
                released(lines, at, old);
                wasLocked = false;
            }
            if (!wasLocked) {
                boolean fresh = before != null && row.state() == State.HELD;
                lines.add(line(at, fresh ? "taken" : row.stateInWords(), row, owner(row)));
            } else if (old.state() != row.state()) {
                lines.add(line(at, row.stateInWords(), row, "was " + old.stateInWords() + ", " + owner(row)));
            }
            if (row.isLong() && longTold.add(row.session())) {
                lines.add(line(at, "long", row, owner(row) + ", for " + row.age()));
            }
        }
        if (row.isLongWaitedFor() && waitTold.add(row.session())) {
            lines.add(line(at, "waited for", row, row.waitingInWords() + ", held by " + owner(row)));
        } else if (!row.isLongWaitedFor()) {
            waitTold.remove(row.session());
        }
    }

    private static String owner(LockRow row) {
        return row.who() + (row.purpose().isEmpty() ? "" : ", " + row.purpose());
    }

    private String time(Instant at) {
        return TIME.format(at.truncatedTo(ChronoUnit.SECONDS).atZone(zone).toOffsetDateTime());
    }

    private String line(Instant at, String event, LockRow row, String detail) {
        return (time(at) + "  " + String.format("%-10s", event) + "  " + row.session() + "  " + detail).stripTrailing();
    }
}

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
import org.jetbrains.annotations.Nullable;

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
        for (LockRow sighting : snapshot.sightings()) {
            now.put(sighting.session(), sighting);
        }
        if (before != null) {
            before.values().stream().filter(old -> old.isLocked() && !isLocked(now.get(old.session()))).sorted(LockRow.WORST_FIRST)
                    .forEach(old -> released(lines, snapshot.at(), old));
        }
        for (LockRow sighting : snapshot.sightings()) {
            compare(lines, snapshot.at(), before == null ? null : before.get(sighting.session()), sighting);
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

    private static boolean isLocked(@Nullable LockRow sighting) {
        return sighting != null && sighting.isLocked();
    }

    private void released(List<String> lines, Instant at, LockRow old) {
        lines.add(line(at, "released", old, old.who() + (old.finding().age() == null ? "" : ", held about " + old.age())));
        longTold.remove(old.session());
        waitTold.remove(old.session());
    }

    private void compare(List<String> lines, Instant at, @Nullable LockRow old, LockRow sighting) {
        boolean wasLocked = isLocked(old);
        if (sighting.isLocked()) {
            if (wasLocked && !sighting.isSameHold(old)) {
                released(lines, at, old);
                wasLocked = false;
            }
            if (!wasLocked) {
                boolean fresh = before != null && sighting.state() == State.HELD;
                lines.add(line(at, fresh ? "taken" : sighting.stateInWords(), sighting, owner(sighting)));
            } else if (old.state() != sighting.state()) {
                lines.add(line(at, sighting.stateInWords(), sighting, "was " + old.stateInWords() + ", " + owner(sighting)));
            }
            if (sighting.isLong() && longTold.add(sighting.session())) {
                lines.add(line(at, "long", sighting, owner(sighting) + ", for " + sighting.age()));
            }
        }
        if (sighting.isLongWaitedFor() && waitTold.add(sighting.session())) {
            lines.add(line(at, "waited for", sighting, sighting.waitingInWords() + ", held by " + owner(sighting)));
        } else if (!sighting.isLongWaitedFor()) {
            waitTold.remove(sighting.session());
        }
    }

    private static String owner(LockRow sighting) {
        return sighting.who() + (sighting.purpose().isEmpty() ? "" : ", " + sighting.purpose());
    }

    private String time(Instant at) {
        return TIME.format(at.truncatedTo(ChronoUnit.SECONDS).atZone(zone).toOffsetDateTime());
    }

    private String line(Instant at, String event, LockRow sighting, String detail) {
        return (time(at) + "  " + String.format("%-10s", event) + "  " + sighting.session() + "  " + detail).stripTrailing();
    }
}

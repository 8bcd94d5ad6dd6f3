package dev.sessionlock.jdbc;

import dev.sessionlock.LockReport;
import dev.sessionlock.LockReport.Facts;
import dev.sessionlock.LockReport.State;
import dev.sessionlock.internal.system.Printable;
import dev.sessionlock.internal.system.Durations;
import dev.sessionlock.internal.system.ToolCommand;
import dev.sessionlock.internal.system.Liveness;
import java.time.Duration;
import java.time.Instant;
import java.time.ZoneId;
import java.time.format.DateTimeFormatter;
import java.util.ArrayList;
import java.util.List;
import org.jetbrains.annotations.Nullable;

/** Describes a row for a person: who holds the lock, and what proves it. */
final class RowReports {
    private static final DateTimeFormatter TIME = DateTimeFormatter.ofPattern("HH:mm:ss").withZone(ZoneId.systemDefault());

    private RowReports() {
    }

    /** {@return what is known of the lock of that name} */
    static LockReport of(String name, @Nullable Row row) {
        if (row == null || !row.isHeld()) {
            return new LockReport(name, null, State.FREE, null, List.of(), "");
        }
        Liveness liveness = row.liveness();
        boolean dead = liveness.verdict() == Liveness.Verdict.DEAD;
        boolean over = row.left().isNegative() || row.left().isZero();
        List<String> evidence = new ArrayList<>(List.of(liveness.inWords()));
        if (!dead) {
            evidence.add(lease(row, over));
        }
        evidence.add("taken " + Durations.inWords(Duration.between(row.since(), row.now())) + " ago, by the database's clock");
        if (row.waiterMark() != null && row.isWaitedForByOthersThan(row.process())) {
            evidence.add("another process waits for it");
        }
        State state = dead ? State.STALE : over ? State.EXPIRED : State.HELD;
        return new LockReport(name, null, state, row.owner(), evidence, advice(state, row, liveness),
                new Facts(liveness.processState(), false, row.since()));
    }

    private static String lease(Row row, boolean over) {
        if (over) {
            return "lease ran out " + seconds(row.left().negated()) + " ago by the database's clock, its grace included: its process is frozen, "
                    + "starved, dead, or cut off from the database";
        }
        String kept = row.takeover() ? "" : " (it asked not to be passed over, and has the longest lease there is)";
        return "lease renewed " + seconds(Duration.between(row.renewedAt(), row.now())) + " ago; if its process freezes, dies or is cut off, "
                + "others get in in " + seconds(row.left()) + kept + ending(row);
    }

    private static String ending(Row row) {
        Instant end = row.holdUntil();
        return end == null ? "; it may be held without limit" : "; it ends at the latest at " + TIME.format(end) + " (maxHold)";
    }

    private static String seconds(Duration span) {
        return Math.max(0, span.toSeconds()) + " s";
    }

    private static String advice(State state, Row row, Liveness liveness) {
        String name = (row.name().startsWith("-") ? "-- " : "") + Printable.shellWord(row.name()); // otherwise it would be an option
        String clear = ToolCommand.words() + " clear --jdbc URL";
        String letGo = clear + " --token " + row.token() + " --yes " + name;
        if (state == State.STALE) {
            return clear + " --yes " + name + "   # or nothing: the next acquisition on " + row.host() + " replaces it, and elsewhere once its "
                    + "lease is over";
        } else if (state == State.EXPIRED) {
            return "nothing: the next acquisition passes it over" + (liveness.isStopped() ? "; kill -CONT " + row.pid() + " wakes it" : "");
        } else if (liveness.isStopped()) {
            return "kill -CONT " + row.pid() + "   # it is stopped; woken, it may be asked to let go: " + letGo;
        }
        return letGo + "   # asks it to let go"
                + (liveness.verdict() == Liveness.Verdict.ALIVE ? "; what it is busy with: jstack " + row.pid() : "");
    }
}

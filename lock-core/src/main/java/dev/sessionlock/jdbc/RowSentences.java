package dev.sessionlock.jdbc;

import dev.sessionlock.LockReport.Facts;
import dev.sessionlock.LockReport.Lease;
import dev.sessionlock.LockReport.ProcessState;
import dev.sessionlock.LockReport.Remedy;
import dev.sessionlock.LockReport.RemedyKind;
import dev.sessionlock.LockReport.Sentence;
import dev.sessionlock.LockReport.State;
import dev.sessionlock.LockReport.Topic;
import dev.sessionlock.internal.system.Liveness;
import dev.sessionlock.internal.system.Printable;
import dev.sessionlock.internal.system.ReportSentences;
import dev.sessionlock.internal.system.ToolCommand;
import dev.sessionlock.internal.system.WallClock;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.UUID;
import org.jspecify.annotations.Nullable;

/** What a row says, in words for a person. No code decides by these words. */
final class RowSentences {
    private RowSentences() {
    }

    static List<Sentence> evidence(Facts facts, Liveness liveness) {
        List<Sentence> evidence = new ArrayList<>();
        evidence.add(ReportSentences.process(liveness));
        if (facts.process() != ProcessState.DEAD) {
            evidence.add(new Sentence(Topic.LEASE, lease(facts.lease())));
        }
        evidence.add(new Sentence(Topic.AGE, ReportSentences.taken(Duration.between(facts.since(), facts.seenAt())) + ", by the database's clock"));
        if (Boolean.TRUE.equals(facts.waitedFor())) {
            evidence.add(ReportSentences.waitedFor());
        }
        return evidence;
    }

    /**
     * {@return why a lock could not be taken}
     *
     * @param row as it was read; null if another process has just inserted it
     * @param me this process
     */
    static String busy(@Nullable Row row, UUID me) {
        if (row == null) {
            return "another process has taken it just now";
        } else if (!row.isHeld()) {
            return "it is free, and kept for the process that has waited longest, or a fencing transaction of its last holder has not ended";
        } else if (row.isLeaseOver()) {
            return "its lease is over, but a fencing transaction of its holder has not ended";
        } else if (row.isShared()) {
            return "pid " + row.pid() + " on " + row.host() + " or others read" + (row.isWaitedForByOthersThan(me) ? ", and another process waits" : "");
        }
        return row.process().equals(me) ? "this process holds it" : "pid " + row.pid() + " on " + row.host() + " holds it";
    }

    private static String lease(Lease lease) {
        if (lease.isOver()) {
            return "ran out " + ReportSentences.seconds(lease.left().negated()) + " ago by the database's clock, its grace included: its process is frozen, "
                    + "starved, dead, or cut off from the database";
        }
        String kept = lease.takeover() ? "" : " (it excludes takeover, and has the longest lease there is)";
        Instant end = lease.end();
        return "renewed " + ReportSentences.seconds(lease.renewedAgo()) + " ago; if its process freezes, dies or is cut off, others get in in "
                + ReportSentences.seconds(lease.left()) + kept + ReportSentences.ending(end == null ? null : WallClock.time(end));
    }

    static Remedy remedy(State state, Row row, Facts facts) {
        String name = (row.name().startsWith("-") ? "-- " : "") + Printable.shellWord(row.name()); // else it would be an option
        String clear = ToolCommand.words() + " clear --jdbc URL";
        String letGo = clear + " --token " + row.token() + " --yes " + name;
        String wake = "kill -CONT " + row.pid();
        if (state == State.STALE) {
            return new Remedy(RemedyKind.CLEAR, clear + " --yes " + name, "or nothing: the next acquisition on " + row.host() + " replaces it, and elsewhere "
                    + "once its lease is over");
        } else if (state == State.EXPIRED) {
            return new Remedy(RemedyKind.NOTHING, "nothing: the next acquisition passes it over" + (facts.isStopped() ? "; " + wake + " wakes it" : ""));
        } else if (facts.isStopped()) {
            return new Remedy(RemedyKind.WAKE, wake, "it is stopped; woken, it may be asked to let go: " + letGo);
        }
        return new Remedy(RemedyKind.ASK, letGo, "asks it to let go"
                + (facts.process().isAlive() ? "; what it is busy with: jstack " + row.pid() : ""));
    }
}

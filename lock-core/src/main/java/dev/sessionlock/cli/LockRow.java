package dev.sessionlock.cli;

import dev.sessionlock.LockOwner;
import dev.sessionlock.LockReport.State;
import dev.sessionlock.internal.system.Durations;
import dev.sessionlock.internal.system.Printable;
import dev.sessionlock.internal.system.ProcessIdentity;
import dev.sessionlock.internal.system.ThreadNames;
import java.time.Duration;
import java.util.Comparator;
import org.jspecify.annotations.Nullable;

/**
 * One lock as one look of {@code watch} saw it.
 *
 * @param session the locked file, relative to the directory that is watched
 * @param finding what is known of its lock
 * @param needsPerson whether a person must act; asked once, since the answer may change while rows are sorted
 * @param waiting how many processes wait for it
 * @param waited for how long the first of them has been seen to wait; null if none waits
 * @param longFrom from which age on a hold counts as long
 */
record LockRow(
        String session, ReportView finding, boolean needsPerson, int waiting, @Nullable Duration waited, Duration longFrom) {
    /** For this long callers wait by default; then they fail. */
    static final Duration LONG_WAIT = Duration.ofSeconds(10);

    /** First what needs a person, then what is held long or waited for long, the oldest first. */
    static final Comparator<LockRow> WORST_FIRST = Comparator
            .comparing((LockRow row) -> !row.needsPerson())
            .thenComparing(row -> !row.isLong() && !row.isLongWaitedFor())
            .thenComparing(row -> row.ageOrZero(), Comparator.reverseOrder())
            .thenComparing(LockRow::session);

    State state() {
        return finding.report().state();
    }

    /** {@return whether somebody has the lock, or has left it; otherwise it is only waited for} */
    boolean isLocked() {
        return state() != State.FREE && state() != State.NOT_A_LOCK;
    }

    boolean isLong() {
        return finding.isHeld() && finding.age() != null && finding.age().compareTo(longFrom) >= 0;
    }

    boolean isLongWaitedFor() {
        return waited != null && waited.compareTo(LONG_WAIT) >= 0;
    }

    private Duration ageOrZero() {
        Duration age = finding.age();
        return age == null ? Duration.ZERO : age;
    }

    String age() {
        return finding.age() == null ? "-" : Durations.inWords(finding.age());
    }

    String stateInWords() {
        return finding.verdict();
    }

    /** {@return the holder, in short} */
    String who() {
        LockOwner owner = finding.report().owner();
        if (owner == null) {
            return "";
        }
        boolean elsewhere = owner.host() != null && !owner.host().equals(ProcessIdentity.current().host());
        return Printable.text("pid " + owner.pid() + (elsewhere ? " on " + owner.host() : "")
                + (ThreadNames.isNamed(owner.thread()) ? " " + owner.thread() : ""));
    }

    String purpose() {
        LockOwner owner = finding.report().owner();
        return owner == null || owner.purpose() == null ? "" : Printable.text(owner.purpose());
    }

    String waitingInWords() {
        return waiting == 0 ? "" : waiting + (waited == null || waited.toSeconds() == 0 ? "" : " for " + Durations.inWords(waited));
    }

    /** {@return whether it is the same hold as at an earlier look, as far as can be told} */
    boolean isSameHold(LockRow earlier) {
        LockOwner now = finding.report().owner();
        LockOwner then = earlier.finding.report().owner();
        if (now == null || then == null) {
            return isLocked() == earlier.isLocked();
        } else if (now.token() == null || then.token() == null) {
            return now.pid() == then.pid(); // its record is just being made, or gone; or it is a foreign lock
        }
        return now.token().equals(then.token());
    }
}

package dev.sessionlock.cli;

import dev.sessionlock.LockReport.ProcessState;
import dev.sessionlock.PastHold;
import dev.sessionlock.PastHold.Ending;
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * The last trouble that a lock has had.
 *
 * @param hold the hold that was the trouble
 * @param cause what it was
 * @param after how many holds have ended well since
 * @param process the state of its process now
 * @param thread what its thread does now; null if nobody has looked
 */
record PastIncident(PastHold hold, Cause cause, long after, ProcessState process, @Nullable ThreadSnapshot thread) {
    /** Whoever wants to know why a lock was stuck comes soon. */
    private static final Duration LONG_AGO = Duration.ofDays(1);

    /** {@return the last trouble among past holds; null if there was none lately} Of its process nothing is known yet. */
    static @Nullable PastIncident of(List<PastHold> past, Instant now) {
        long after = 0;
        for (PastHold hold : past) {
            Cause cause = cause(hold, past);
            if (Duration.between(hold.until(), now).compareTo(LONG_AGO) > 0) {
                return null;
            } else if (cause != Cause.NONE) {
                return new PastIncident(hold, cause, after, ProcessState.UNKNOWN, null);
            }
            after += Math.min(hold.count(), Integer.MAX_VALUE); // whoever may write the history may have written any number
        }
        return null;
    }

    /** {@return the same, with what was seen of its process} */
    PastIncident with(ProcessState seen, @Nullable ThreadSnapshot look) {
        return new PastIncident(hold, cause, after, seen, look);
    }

    private static Cause cause(PastHold hold, List<PastHold> past) {
        return switch (hold.ending()) {
            case RELEASED -> wasLong(hold, past) ? Cause.LONG_HOLD : Cause.NONE;
            case LEAKED -> Cause.LEAKED_HANDLE;
            case MAX_HOLD -> Cause.HUNG_THREAD;
            case LEASE_EXPIRED -> Cause.PROCESS_STOPPED;
            case REMOVED, ASKED_TO_RELEASE -> Cause.FREED_BY_HAND;
            case PROCESS_DIED -> Cause.PROCESS_DIED;
            case JVM_ENDED -> Cause.JVM_ENDED;
            case LOST -> Cause.KERNEL_LOCK_LOST;
            case UNKNOWN -> Cause.NONE;
        };
    }

    private static boolean wasLong(PastHold hold, List<PastHold> past) {
        TypicalHold usual = hold.ending() == Ending.RELEASED && hold.longest() != null ? TypicalHold.of(past, hold.purpose()) : null;
        return usual != null && hold.longest().compareTo(Story.LONG) >= 0 && usual.times(hold.longest()) >= Story.MANY_TIMES;
    }
}

package dev.sessionlock.cli;

import dev.sessionlock.PastHold.Ending;
import java.time.Duration;
import org.jspecify.annotations.Nullable;

/** Something about a lock that is not as usual. */
sealed interface Anomaly {

    /** It is held for many times as long as usual. */
    record HeldLong(long times, TypicalHold usual) implements Anomaly {
    }

    /** Its process is stopped. */
    record HolderStopped(long pid) implements Anomaly {
    }

    /** Its lease has run out. */
    record LeaseOver(Duration ago) implements Anomaly {
    }

    /** Somebody has waited for longer than callers wait by default. */
    record LongWait(Duration waited) implements Anomaly {
    }

    /** The last holds for a purpose all ended in the same unusual way. */
    record SameEnding(Ending ending, int times, @Nullable String purpose) implements Anomaly {
    }

    /** Some of the last holds ended in an unusual way. */
    record UnusualEndings(int unusual, int holds) implements Anomaly {
    }
}

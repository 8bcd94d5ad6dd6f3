package dev.sessionlock.cli;

import dev.sessionlock.PastHold;
import dev.sessionlock.PastHold.Ending;
import java.time.Duration;
import java.util.Comparator;
import java.util.List;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/**
 * For how long a lock is held as a rule.
 *
 * @param median half of the holds were not longer. Of holds that are summed up, only the longest is known: each counts as that long
 * @param holds of how many holds
 * @param purpose of those for this purpose alone; null if all holds count
 */
record TypicalHold(Duration median, long holds, @Nullable String purpose) {
    private static final int ENOUGH = 3;
    private static final long MOST_WEIGHT = 1_000_000;
    /** A shorter median is a measurement of the machine. */
    private static final Duration SHORTEST = Duration.ofMillis(1);

    /** {@return what is usual of a lock that is held for a purpose; null if too little is known} */
    static @Nullable TypicalHold of(List<PastHold> past, @Nullable String purpose) {
        TypicalHold same = purpose == null ? null : among(past.stream().filter(hold -> Objects.equals(hold.purpose(), purpose)).toList(), purpose);
        return same != null ? same : among(past, null);
    }

    private static @Nullable TypicalHold among(List<PastHold> past, @Nullable String purpose) {
        List<PastHold> known = past.stream().filter(hold -> hold.ending() == Ending.RELEASED && hold.longest() != null)
                .sorted(Comparator.comparing(PastHold::longest)).toList();
        long holds = known.stream().mapToLong(TypicalHold::weight).sum();
        if (holds < ENOUGH) {
            return null;
        }
        long below = 0;
        for (PastHold hold : known) {
            below += weight(hold);
            if (below * 2 >= holds) {
                return new TypicalHold(hold.longest(), holds, purpose);
            }
        }
        throw new AssertionError(known);
    }

    /** {@return how many times as long something lasted} */
    long times(Duration held) {
        Duration unit = median.compareTo(SHORTEST) < 0 ? SHORTEST : median;
        return held.dividedBy(unit);
    }

    /** {@return for how many holds an entry counts} Whoever may write the history may have written any number. */
    private static long weight(PastHold hold) {
        return Math.min(hold.count(), MOST_WEIGHT);
    }
}

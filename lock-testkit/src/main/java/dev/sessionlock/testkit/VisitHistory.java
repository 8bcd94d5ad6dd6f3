package dev.sessionlock.testkit;

import java.time.Duration;
import java.util.ArrayList;
import java.util.Collections;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.NavigableSet;
import java.util.TreeSet;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;

/**
 * What the visits of a {@link MutualExclusionWitness} have proved, and which of it contradicts: the judge, without the sockets. The class comment of
 * the witness says why this gives no false alarm.
 *
 * <p>Not thread-safe: the witness calls it under its mutex.
 */
final class VisitHistory {
    static final int MOST_VIOLATIONS = 20;
    private static final int REMEMBERED = 100_000;
    private static final int SHOWN_BEFORE = 20;
    private static final int SHOWN_AFTER = 5;

    private final Map<String, Visits> locks = new HashMap<>();
    private final Map<String, Long> longestForgottenPause = new HashMap<>();
    private final List<String> violations = new ArrayList<>();
    private long visits;

    /** What one visit has proved. Its end grows. */
    static final class Interval {
        private final long number;
        private final String lock;
        private final String holder;
        private final boolean shared;
        private final long token;
        private final long from;
        private long to;
        private @Nullable String end;
        /** It is part of a reported violation already. */
        private boolean accused;

        private Interval(long number, String lock, String holder, boolean shared, long token, long from) {
            this.number = number;
            this.lock = lock;
            this.holder = holder;
            this.shared = shared;
            this.token = token;
            this.from = from;
            this.to = from;
        }

        /** The holder has left, and says why. */
        void end(String why) {
            end = why;
        }

        private long from() {
            return from;
        }

        private long to() {
            return to;
        }

        private long number() {
            return number;
        }

        private String describe(long zero) {
            return String.format(Locale.ROOT, "%13.3f ms to %13.3f ms  token %d  %s%s%s", (from - zero) / 1e6, (to - zero) / 1e6, token, holder,
                    shared ? "  shared" : "", end == null ? "" : "  (" + end + ")");
        }
    }

    /**
     * The visits of one lock. Exclusive ones do not touch each other, as long as nothing is wrong. So of those that meet a shared one, the last that began before its end is among them, and
     * of three exclusive ones that meet, two neighbours do.
     */
    private static final class Visits {
        private static final Comparator<Interval> BY_START = Comparator.comparingLong(Interval::from).thenComparingLong(Interval::number);
        private static final Comparator<Interval> BY_END = Comparator.comparingLong(Interval::to).thenComparingLong(Interval::number);

        private final NavigableSet<Interval> all = new TreeSet<>(BY_START);
        private final NavigableSet<Interval> exclusive = new TreeSet<>(BY_START);
        private final NavigableSet<Interval> shared = new TreeSet<>(BY_START);
        private final NavigableSet<Interval> sharedByEnd = new TreeSet<>(BY_END);

        void add(Interval visit) {
            all.add(visit);
            if (visit.shared) {
                shared.add(visit);
                sharedByEnd.add(visit);
            } else {
                exclusive.add(visit);
            }
        }

        Interval removeOldest() {
            Interval oldest = all.pollFirst();
            exclusive.remove(oldest);
            shared.remove(oldest);
            sharedByEnd.remove(oldest);
            return oldest;
        }

        void extend(Interval visit, long at) {
            sharedByEnd.remove(visit);
            visit.to = Math.max(visit.to, at);
            if (visit.shared && shared.contains(visit)) {
                sharedByEnd.add(visit);
            }
        }

        /** {@return an interval of no visit, to search by} */
        private static Interval at(long nanos, long number) {
            return new Interval(number, "", "", false, 0, nanos);
        }

        /** {@return the last exclusive visit that began at that time or before; null if none did} */
        @Nullable Interval lastExclusive(long until) {
            return exclusive.floor(at(until, Long.MAX_VALUE));
        }

        /** {@return the shared visits that ended at that time or later} */
        NavigableSet<Interval> sharedSince(long nanos) {
            return sharedByEnd.tailSet(at(nanos, Long.MIN_VALUE), true);
        }
    }

    /** A holder has entered. {@return what its visit has proved, so far the moment of its entry} */
    Interval enter(String lock, String holder, boolean shared, long token, long from) {
        Interval visit = new Interval(++visits, lock, holder, shared, token, from);
        Visits its = locks.computeIfAbsent(lock, l -> new Visits());
        its.add(visit);
        judge(its, visit);
        if (its.all.size() > REMEMBERED) {
            Interval oldest = its.removeOldest();
            longestForgottenPause.merge(visit.lock, its.all.first().from - oldest.to, Math::max);
        }
        return visit;
    }

    /** A visit has proved that it went on until this moment. */
    void extend(Interval visit, long at) {
        Visits its = locks.get(visit.lock);
        its.extend(visit, at);
        judge(its, visit);
    }

    private void judge(Visits its, Interval visit) {
        if (visit.shared) {
            Interval writer = its.lastExclusive(visit.to);
            if (writer != null && writer.from > visit.from) {
                judge(visit, writer);
            }
            Interval before = its.lastExclusive(visit.from);
            if (before != null) {
                judge(before, visit);
            }
            Interval after = its.exclusive.higher(visit);
            if (after != null) {
                judge(visit, after);
            }
            return;
        }
        Interval before = its.exclusive.lower(visit);
        if (before != null) {
            judge(before, visit);
        }
        Interval after = its.exclusive.higher(visit);
        if (after != null) {
            judge(visit, after);
        }
        for (Interval reader : its.sharedSince(visit.from)) {
            if (reader.from <= visit.to) {
                judge(reader.from < visit.from ? reader : visit, reader.from < visit.from ? visit : reader);
            }
        }
        Interval readerBefore = its.shared.lower(visit);
        if (readerBefore != null) {
            judge(readerBefore, visit);
        }
        Interval readerAfter = its.shared.higher(visit);
        if (readerAfter != null) {
            judge(visit, readerAfter);
        }
    }

    /** At most one of them is shared. A reader has the newest exclusive token: that of the writer before it. */
    private void judge(Interval first, Interval second) {
        if (first.to >= second.from) {
            violation("two valid holders at once", first, second);
        } else if (second.shared ? first.token > second.token : first.token >= second.token) {
            violation("a token that did not grow", first, second);
        }
    }

    private void violation(String what, Interval first, Interval second) {
        if (second.accused || violations.size() >= MOST_VIOLATIONS) {
            return;
        }
        second.accused = true;
        long zero = first.from;
        StringBuilder text = new StringBuilder(what).append(" of ").append(first.lock);
        text.append("\n    ").append(first.describe(zero)).append("\n    ").append(second.describe(zero)).append("\n  the visits around them:");
        NavigableSet<Interval> all = locks.get(first.lock).all;
        List<Interval> around = new ArrayList<>(all.headSet(first, true).descendingSet().stream().limit(SHOWN_BEFORE).toList());
        Collections.reverse(around);
        all.tailSet(first, false).stream().limit(SHOWN_AFTER).forEach(around::add);
        around.forEach(v -> text.append("\n    ").append(v.describe(zero)));
        violations.add(text.toString());
    }

    /** Adds something wrong that the judge has not found itself. */
    void report(String trouble) {
        violations.add(trouble);
    }

    long visits() {
        return visits;
    }

    List<String> violations() {
        return List.copyOf(violations);
    }

    /** {@return the last visits of a lock, one a line, oldest first} */
    List<String> lastVisits(String lock, int most) {
        NavigableSet<Interval> all = locks.getOrDefault(lock, new Visits()).all;
        long zero = all.isEmpty() ? 0 : all.first().from;
        return all.stream().skip(Math.max(0, all.size() - most)).map(v -> v.describe(zero)).toList();
    }

    /** {@return the longest time during which nobody held the lock, between its first visit and its last} */
    Duration longestPause(String lock) {
        long longest = longestForgottenPause.getOrDefault(lock, 0L);
        long until = Long.MIN_VALUE;
        for (Interval visit : locks.getOrDefault(lock, new Visits()).all) {
            longest = until == Long.MIN_VALUE ? longest : Math.max(longest, visit.from - until);
            until = Math.max(until, visit.to);
        }
        return Duration.ofNanos(longest);
    }

    /** {@return what is remembered of all locks, one visit a line, in the order of entry, below a heading} */
    List<String> lines() {
        List<String> lines = new ArrayList<>();
        List<Interval> all = locks.values().stream().flatMap(visitsOfOne -> visitsOfOne.all.stream())
                .sorted(Comparator.comparingLong(visit -> visit.from)).toList();
        lines.add("# " + visits + " visits of " + locks.size() + " locks" + (all.size() < visits ? ", the last " + all.size() : "")
                + "; from and to in ms since the first: what each has proved by the machine's monotonic clock");
        violations.forEach(violation -> lines.add("# " + violation.lines().findFirst().orElse("") + violation.lines().skip(1).limit(2)
                .map(line -> "\n#" + line).collect(Collectors.joining())));
        long zero = all.isEmpty() ? 0 : all.get(0).from;
        all.forEach(visit -> lines.add(visit.describe(zero) + "  " + visit.lock));
        return lines;
    }
}

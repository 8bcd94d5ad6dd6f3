package dev.sessionlock.testkit;

import java.time.Duration;
import java.util.ArrayList;
import java.util.Collections;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.NavigableMap;
import java.util.TreeMap;
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

    private final Map<String, TreeMap<Long, Interval>> locks = new HashMap<>();
    private final Map<String, Long> longestForgottenPause = new HashMap<>();
    private final List<String> violations = new ArrayList<>();
    private long visits;

    /** What one visit has proved. Its end grows. */
    static final class Interval {
        private final String lock;
        private final String holder;
        private final long token;
        private final long from;
        private long to;
        private @Nullable String end;
        /** It is part of a reported violation already. */
        private boolean accused;

        private Interval(String lock, String holder, long token, long from) {
            this.lock = lock;
            this.holder = holder;
            this.token = token;
            this.from = from;
            this.to = from;
        }

        /** The holder has left, and says why. */
        void end(String why) {
            end = why;
        }

        private String describe(long zero) {
            return String.format(Locale.ROOT, "%13.3f ms to %13.3f ms  token %d  %s%s", (from - zero) / 1e6, (to - zero) / 1e6, token, holder,
                    end == null ? "" : "  (" + end + ")");
        }
    }

    /** A holder has entered. {@return what its visit has proved, so far the moment of its entry} */
    Interval enter(String lock, String holder, long token, long from) {
        Interval visit = new Interval(lock, holder, token, from);
        TreeMap<Long, Interval> all = locks.computeIfAbsent(visit.lock, l -> new TreeMap<>());
        visits++;
        Interval twin = all.putIfAbsent(visit.from, visit);
        if (twin != null) {
            violation("two valid holders at once", twin, visit);
            return visit;
        }
        judge(visit);
        if (all.size() > REMEMBERED) {
            Interval oldest = all.pollFirstEntry().getValue();
            longestForgottenPause.merge(visit.lock, all.firstEntry().getValue().from - oldest.to, Math::max);
        }
        return visit;
    }

    /** A visit has proved that it went on until this moment. */
    void extend(Interval visit, long at) {
        visit.to = Math.max(visit.to, at);
        judge(visit);
    }

    /** Comparing neighbours is enough: as long as no two touch, an interval that meets a third one meets the neighbour first. */
    private void judge(Interval visit) {
        TreeMap<Long, Interval> all = locks.get(visit.lock);
        Map.Entry<Long, Interval> before = all.lowerEntry(visit.from);
        Map.Entry<Long, Interval> after = all.higherEntry(visit.from);
        if (before != null) {
            judge(before.getValue(), visit);
        }
        if (after != null) {
            judge(visit, after.getValue());
        }
    }

    private void judge(Interval first, Interval second) {
        if (first.to >= second.from) {
            violation("two valid holders at once", first, second);
        } else if (first.token >= second.token) {
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
        NavigableMap<Long, Interval> all = locks.get(first.lock);
        List<Interval> around = new ArrayList<>(all.headMap(first.from, true).descendingMap().values().stream().limit(SHOWN_BEFORE).toList());
        Collections.reverse(around);
        all.tailMap(first.from, false).values().stream().limit(SHOWN_AFTER).forEach(around::add);
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
        TreeMap<Long, Interval> all = locks.getOrDefault(lock, new TreeMap<>());
        long zero = all.isEmpty() ? 0 : all.firstKey();
        return all.values().stream().skip(Math.max(0, all.size() - most)).map(v -> v.describe(zero)).toList();
    }

    /** {@return the longest time during which nobody held the lock, between its first visit and its last} */
    Duration longestPause(String lock) {
        long longest = longestForgottenPause.getOrDefault(lock, 0L);
        Interval before = null;
        for (Interval visit : locks.getOrDefault(lock, new TreeMap<>()).values()) {
            longest = before == null ? longest : Math.max(longest, visit.from - before.to);
            before = visit;
        }
        return Duration.ofNanos(longest);
    }

    /** {@return what is remembered of all locks, one visit a line, in the order of entry, below a heading} */
    List<String> lines() {
        List<String> lines = new ArrayList<>();
        List<Interval> all = locks.values().stream().flatMap(visitsOfOne -> visitsOfOne.values().stream())
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

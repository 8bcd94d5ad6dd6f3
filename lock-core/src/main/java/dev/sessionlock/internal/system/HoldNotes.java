package dev.sessionlock.internal.system;

import com.google.errorprone.annotations.concurrent.GuardedBy;
import dev.sessionlock.PastHold;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/**
 * What this process has noted of holds that have ended, until it is written: to a directory's files, or to a table. Memory only, and bounded. Thread-safe.
 *
 * <p>Brief holds of one lock by one thread for one purpose, all released, become one entry until they are taken to be written.
 */
public final class HoldNotes {
    /** A hold that lasted longer is an entry of its own. */
    private static final Duration BRIEF = Duration.ofSeconds(1);
    /** How many entries may wait to be written. */
    private static final int MOST_WAITING = 1_024;
    /** Of brief holds: beyond that, the threads of one lock are not told apart. */
    private static final int MOST_THREADS = 64;

    /** Memory only is done under it. A thread that gives a lock back may hold it. */
    private final Mutex noting = new Mutex();
    @GuardedBy("noting")
    private Map<Brief, PastHold> brief = new LinkedHashMap<>();
    @GuardedBy("noting")
    private List<PastHold> others = new ArrayList<>();
    /** What is being written, or could not be written yet. */
    @GuardedBy("noting")
    private List<PastHold> writing = List.of();
    /** Something is not written yet. It stays so while it is being written: the end of the JVM waits for that. */
    private volatile boolean any;

    /** What brief holds that become one entry have in common. Its methods are written out: what the compiler gives a record is linked at its first use. */
    private static final class Brief {
        private final String name;
        private final @Nullable String thread;
        private final @Nullable String purpose;

        Brief(String name, @Nullable String thread, @Nullable String purpose) {
            this.name = name;
            this.thread = thread;
            this.purpose = purpose;
        }

        @Override
        public boolean equals(@Nullable Object other) {
            return other instanceof Brief that && name.equals(that.name) && Objects.equals(thread, that.thread) && Objects.equals(purpose, that.purpose);
        }

        @Override
        public int hashCode() {
            return (name.hashCode() * 31 + Objects.hashCode(thread)) * 31 + Objects.hashCode(purpose);
        }
    }

    // ---- noting ----

    /** A hold has ended. */
    public void note(PastHold ended) {
        int outer = noting.depth();
        try {
            noting.lock();
            add(ended);
            any = true;
        } finally {
            noting.unlock(outer);
        }
    }

    private void add(PastHold ended) {
        boolean isBrief = ended.ending().isOrdinary() && ended.longest() != null && ended.longest().compareTo(BRIEF) < 0;
        if (!isBrief) {
            if (others.size() == MOST_WAITING) {
                others.remove(0);
            }
            others.add(ended);
            return;
        }
        Brief key = new Brief(ended.name(), ended.thread(), ended.purpose());
        PastHold before = brief.get(key);
        if (before == null && brief.size() >= MOST_THREADS) {
            key = new Brief(ended.name(), null, ended.purpose());
            before = brief.get(key);
        }
        if (before != null) {
            brief.put(key, sum(before, ended, key.thread));
        } else if (brief.size() < MOST_WAITING) {
            brief.put(key, key.thread == null ? sum(ended, null, null) : ended);
        } // else thousands of locks came and went within a second: these are not told
    }

    private static PastHold sum(PastHold one, @Nullable PastHold next, @Nullable String thread) {
        PastHold last = next == null ? one : next;
        long count = next == null ? one.count() : one.count() + next.count();
        return new PastHold(one.name(), last.token(), one.pid(), one.host(), thread, one.purpose(), earlier(one.since(), last.since()),
                last.until().isAfter(one.until()) ? last.until() : one.until(), one.ending(), count, longer(one.longest(), last.longest()),
                longer(one.waited(), last.waited()), longer(one.longestWaitBehind(), last.longestWaitBehind()), one.process());
    }

    private static @Nullable Instant earlier(@Nullable Instant one, @Nullable Instant other) {
        return one == null || other == null ? null : one.isBefore(other) ? one : other;
    }

    private static @Nullable Duration longer(@Nullable Duration one, @Nullable Duration other) {
        return one == null || other == null ? null : one.compareTo(other) >= 0 ? one : other;
    }

    // ---- writing: one thread at a time ----

    /** {@return whether anything is not written yet} */
    public boolean isAny() {
        return any;
    }

    /** {@return what was noted, the earliest end first, together with what could not be written before} {@link #written} must follow. */
    public List<PastHold> take() {
        return noting.holding(() -> {
            List<PastHold> all = new ArrayList<>(writing);
            all.addAll(others);
            all.addAll(brief.values());
            all.sort(Comparator.comparing(PastHold::until));
            List<PastHold> latest = all.subList(Math.max(0, all.size() - 2 * MOST_WAITING), all.size());
            others = new ArrayList<>();
            brief = new LinkedHashMap<>();
            writing = List.copyOf(latest);
            return writing;
        });
    }

    /** What was taken is written, except for {@code left}, which is kept for the next time. */
    public void written(List<PastHold> left) {
        noting.locked(() -> {
            writing = left;
            any = !left.isEmpty() || !others.isEmpty() || !brief.isEmpty();
        });
    }

    // ---- reading ----

    /** {@return what is not written yet, including what is just being written} */
    public List<PastHold> unwritten() {
        return noting.holding(() -> {
            List<PastHold> all = new ArrayList<>(writing);
            all.addAll(others);
            all.addAll(brief.values());
            return all;
        });
    }
}

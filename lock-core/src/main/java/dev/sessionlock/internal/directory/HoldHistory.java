package dev.sessionlock.internal.directory;

import com.google.errorprone.annotations.concurrent.GuardedBy;
import dev.sessionlock.PastHold;
import dev.sessionlock.internal.system.Loggers;
import dev.sessionlock.internal.system.Mutex;
import dev.sessionlock.internal.system.RareLog;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.Deque;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.concurrent.TimeUnit;
import java.util.function.Predicate;
import org.jspecify.annotations.Nullable;

/**
 * What happened to the locks of one directory, as this process tells it. A hold that ends is noted in memory. What has gathered is written at the keeper's next tick,
 * on one of its workers, and as the JVM ends: {@link HistoryFiles}. So no user's thread touches the disk for it, and no lock depends on it: where it cannot be written,
 * it is kept for a while and then dropped.
 *
 * <p>Brief holds of one lock by one thread for one purpose, all released, become one entry a tick.
 */
public final class HoldHistory {
    /** The system property that says how many bytes the history of a directory may have; 0 for none. */
    public static final String PROPERTY = "sessionlock.history";
    static final long USUAL_BYTES = 1024 * 1024;
    static final long LEAST_BYTES = 16 * 1024;
    private static final long MOST_BYTES = 64 * 1024 * 1024;

    /** A hold that lasted longer is an entry of its own. */
    private static final Duration BRIEF = Duration.ofSeconds(1);
    /** How many entries may wait to be written. */
    private static final int MOST_WAITING = 1_024;
    /** Of brief holds: beyond that, the threads of one lock are not told apart. */
    private static final int MOST_THREADS = 64;
    private static final long FIRST_PAUSE_NANOS = TimeUnit.SECONDS.toNanos(1);
    private static final long LONGEST_PAUSE_NANOS = TimeUnit.SECONDS.toNanos(30);
    /** For how long the file must have been missing before it is made: to delete a directory takes less. */
    private static final long MISSING_NANOS = TimeUnit.MILLISECONDS.toNanos(500);

    private static final RareLog trouble = new RareLog(Loggers.LIBRARY, "the history of a directory of locks could not be written, and the locks go on");
    private static final RareLog badSetting = new RareLog(Loggers.LIBRARY, "-D" + PROPERTY + " is not used");

    private final LockDirectory directory;
    private final HistoryFiles files;

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

    private final Mutex disk = new Mutex();
    @GuardedBy("disk")
    private long pause;
    @GuardedBy("disk")
    private long notBefore = System.nanoTime();
    /** Since when the file was missing at each look. */
    @GuardedBy("disk")
    private long missingSince;
    @GuardedBy("disk")
    private boolean missing;

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

    private HoldHistory(LockDirectory directory, long bytes) {
        this.directory = directory;
        this.files = new HistoryFiles(directory, bytes);
    }

    /** {@return the history of a directory; null if it has none} */
    static @Nullable HoldHistory of(LockDirectory directory) {
        long bytes = directory.traits().network() == null ? bytes() : 0;
        return bytes == 0 ? null : new HoldHistory(directory, bytes);
    }

    private static long bytes() {
        String set = System.getProperty(PROPERTY, "");
        if (set.isBlank()) {
            return USUAL_BYTES;
        }
        try {
            long bytes = Long.parseLong(set.strip());
            if (bytes == 0 || bytes >= LEAST_BYTES && bytes <= MOST_BYTES) {
                return bytes;
            }
        } catch (NumberFormatException e) {
            // said below
        }
        badSetting.warn("it must be 0, or a number of bytes from " + LEAST_BYTES + " to " + MOST_BYTES + ", not \"" + set + "\"", null);
        return USUAL_BYTES;
    }

    // ---- noting; memory only ----

    /** A hold of this process has ended. It is written at the keeper's next tick. */
    void note(PastHold ended) {
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
                longer(one.waited(), last.waited()), longer(one.longestWaitBehind(), last.longestWaitBehind()));
    }

    private static @Nullable Instant earlier(@Nullable Instant one, @Nullable Instant other) {
        return one == null || other == null ? null : one.isBefore(other) ? one : other;
    }

    private static @Nullable Duration longer(@Nullable Duration one, @Nullable Duration other) {
        return one == null || other == null ? null : one.compareTo(other) >= 0 ? one : other;
    }

    // ---- writing; on a worker of the keeper, or as the JVM ends ----

    /**
     * Writes what was noted. Throws nothing because of the disk: locks go on.
     *
     * @param last there is no later time: also if it has failed a moment ago, or if the file has to be made
     */
    void write(boolean last) {
        if (any) {
            writeNow(last);
        }
    }

    private void writeNow(boolean last) {
        disk.locked(() -> {
            if (!last && (System.nanoTime() - notBefore < 0 || !mayWrite())) {
                return;
            }
            List<PastHold> batch = take();
            ArrayDeque<byte[]> lines = new ArrayDeque<>();
            try {
                encode(batch, lines);
                if (directory.mayCreate() && files.append(lines)) {
                    pause = 0;
                }
            } catch (IOException | RuntimeException e) {
                pause = Math.min(Math.max(2 * pause, FIRST_PAUSE_NANOS), LONGEST_PAUSE_NANOS);
                trouble.warn(directory.mode().named(e instanceof IOException io ? io : new IOException(e)).toString(), null);
            } finally {
                notBefore = System.nanoTime() + pause;
                written(batch.subList(batch.size() - lines.size(), batch.size()));
            }
        });
    }

    /**
     * {@return whether to write now} Where the file is missing, somebody may be deleting the whole directory: a test does so a moment after its last lock was closed,
     * and a file that is made just then keeps the directory from being deleted.
     */
    private boolean mayWrite() {
        boolean before = missing;
        missing = !files.isThere();
        missingSince = before && missing ? missingSince : System.nanoTime();
        return !missing || System.nanoTime() - missingSince >= MISSING_NANOS;
    }

    /** {@return whether what was noted needs a file that is to be made in a moment, unless somebody is deleting the directory} A call writes what it can. */
    boolean isAboutToMakeFile() {
        write(false);
        return any && disk.holding(() -> missing && System.nanoTime() - missingSince < MISSING_NANOS) && directory.mayCreate();
    }

    /** {@return what was noted, the earliest end first, together with what could not be written before} */
    private List<PastHold> take() {
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

    private void written(List<PastHold> left) {
        noting.locked(() -> {
            writing = left;
            any = !left.isEmpty() || !others.isEmpty() || !brief.isEmpty();
        });
    }

    private static void encode(List<PastHold> batch, Deque<byte[]> lines) {
        for (PastHold hold : batch) {
            lines.add(HistoryCodec.encode(hold));
        }
    }

    // ---- reading ----

    /** {@return what this process has not written yet} */
    private List<PastHold> unwritten() {
        return noting.holding(() -> {
            List<PastHold> all = new ArrayList<>(writing);
            all.addAll(others);
            all.addAll(brief.values());
            return all;
        });
    }

    /**
     * {@return the last holds, the latest end first} Reads the disk, and creates nothing.
     *
     * @param home the real path of the directory
     * @param wanted of which locks, by name
     * @param most how many at most
     */
    public static List<PastHold> read(Path home, Predicate<String> wanted, int most) throws IOException {
        List<PastHold> all = new ArrayList<>();
        for (LockDirectory open : OpenDirectories.OF_THIS_PROCESS.all()) { // before the disk: what is written meanwhile is read twice, and not left out
            HoldHistory history = open.notes().history();
            if (history != null && open.home().equals(home)) {
                all.addAll(history.unwritten().stream().filter(hold -> wanted.test(hold.name())).toList());
            }
        }
        all.addAll(HistoryFiles.read(home, wanted));
        all.sort(Comparator.comparing(PastHold::until)); // stable: of the same moment, as they were written
        return latest(new ArrayList<>(new LinkedHashSet<>(all)), most);
    }

    private static List<PastHold> latest(List<PastHold> all, int most) {
        Map<Unusual, PastHold> told = told(all);
        List<PastHold> last = new ArrayList<>();
        for (int i = all.size() - 1; i >= 0 && last.size() < most; i--) {
            PastHold hold = all.get(i);
            if (!isFound(hold) || told.getOrDefault(Unusual.of(hold), hold) == hold) {
                last.add(hold);
            }
        }
        return List.copyOf(last);
    }

    /** A hold that did not end as it should: its holder, if it still could, and each process that met what it had left may have written an entry. */
    private record Unusual(String name, @Nullable Long token, long pid) {
        static Unusual of(PastHold hold) {
            return new Unusual(hold.name(), hold.token(), hold.pid());
        }
    }

    /** {@return whether another process than the holder has told how it ended} */
    private static boolean isFound(PastHold hold) {
        return hold.waited() == null;
    }

    /** {@return of each hold that ended in an unusual way the entry that counts: that of the holder itself, or else the first one} */
    private static Map<Unusual, PastHold> told(List<PastHold> all) {
        Map<Unusual, PastHold> told = new HashMap<>();
        for (PastHold hold : all) {
            if (!hold.ending().isOrdinary() && hold.token() != null) {
                told.merge(Unusual.of(hold), hold, (before, now) -> isFound(before) && !isFound(now) ? now : before);
            }
        }
        return told;
    }
}

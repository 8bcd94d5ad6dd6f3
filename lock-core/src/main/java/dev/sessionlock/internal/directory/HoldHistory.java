package dev.sessionlock.internal.directory;

import com.google.errorprone.annotations.concurrent.GuardedBy;
import dev.sessionlock.PastHold;
import dev.sessionlock.internal.system.HoldNotes;
import dev.sessionlock.internal.system.Loggers;
import dev.sessionlock.internal.system.Mutex;
import dev.sessionlock.internal.system.PastHolds;
import dev.sessionlock.internal.system.RareLog;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.function.Predicate;
import org.jspecify.annotations.Nullable;

/**
 * What happened to the locks of one directory, as this process tells it. A hold that ends is noted in memory. What has gathered is written at the keeper's next tick,
 * on one of its workers, and as the JVM ends: {@link HistoryFiles}. So no user's thread touches the disk for it, and no lock depends on it: where it cannot be written,
 * it is kept for a while and then dropped.
 */
public final class HoldHistory {
    /** The system property that says how many bytes the history of a directory may have; 0 for none. */
    public static final String PROPERTY = "sessionlock.history";
    static final long USUAL_BYTES = 1024 * 1024;
    static final long LEAST_BYTES = 16 * 1024;
    private static final long MOST_BYTES = 64 * 1024 * 1024;

    private static final long FIRST_PAUSE_NANOS = TimeUnit.SECONDS.toNanos(1);
    private static final long LONGEST_PAUSE_NANOS = TimeUnit.SECONDS.toNanos(30);
    /** For how long the file must have been missing before it is made: to delete a directory takes less. */
    private static final long MISSING_NANOS = TimeUnit.MILLISECONDS.toNanos(500);

    private static final RareLog trouble = new RareLog(Loggers.LIBRARY, "the history of a directory of locks could not be written, and the locks go on");
    private static final RareLog badSetting = new RareLog(Loggers.LIBRARY, "-D" + PROPERTY + " is not used");

    private final LockDirectory directory;
    private final HistoryFiles files;

    private final HoldNotes notes = new HoldNotes();

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
        notes.note(ended);
    }

    // ---- writing; on a worker of the keeper, or as the JVM ends ----

    /**
     * Writes what was noted. Throws nothing because of the disk: locks go on.
     *
     * @param last there is no later time: also if it has failed a moment ago, or if the file has to be made
     */
    void write(boolean last) {
        if (notes.isAny()) {
            writeNow(last);
        }
    }

    private void writeNow(boolean last) {
        disk.locked(() -> {
            if (!last && (System.nanoTime() - notBefore < 0 || !mayWrite())) {
                return;
            }
            List<PastHold> batch = notes.take();
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
                notes.written(batch.subList(batch.size() - lines.size(), batch.size()));
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
        return notes.isAny() && disk.holding(() -> missing && System.nanoTime() - missingSince < MISSING_NANOS) && directory.mayCreate();
    }

    private static void encode(List<PastHold> batch, Deque<byte[]> lines) {
        for (PastHold hold : batch) {
            lines.add(HistoryCodec.encode(hold));
        }
    }

    // ---- reading ----

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
                all.addAll(history.notes.unwritten().stream().filter(hold -> wanted.test(hold.name())).toList());
            }
        }
        all.addAll(HistoryFiles.read(home, wanted));
        return PastHolds.latest(all, most);
    }
}

package dev.sessionlock.jdbc;

import com.google.errorprone.annotations.concurrent.GuardedBy;
import dev.sessionlock.PastHold;
import dev.sessionlock.internal.system.HoldNotes;
import dev.sessionlock.internal.system.Loggers;
import dev.sessionlock.internal.system.Mutex;
import dev.sessionlock.internal.system.RareLog;
import dev.sessionlock.spi.Maintainable;
import java.sql.SQLException;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.TimeUnit;

/**
 * What happened to the locks in a table, as this engine tells it. A hold that ends is noted in memory; what has gathered is written at the keeper's next tick, on one of
 * its workers, and as the JVM ends. No lock depends on it: what cannot be written is kept for a while and then dropped.
 *
 * <p>It is a part of its own for the keeper. So a server that does not answer keeps the worker that writes the history waiting, and not the one that looks after the locks.
 */
final class JdbcHistory implements Maintainable {
    private static final long FIRST_PAUSE_NANOS = TimeUnit.SECONDS.toNanos(1);
    private static final long LONGEST_PAUSE_NANOS = TimeUnit.SECONDS.toNanos(30);
    /** For this long, entries that cannot be written keep the keeper's thread alive though no lock is in use. Later they wait for the next use of a lock. */
    private static final long PATIENCE_NANOS = TimeUnit.MINUTES.toNanos(2);

    /** So often in a row it may happen by chance that others are writing. */
    private static final int MOST_BUSY = 10;

    private final HistoryTable table;
    private final int rows;
    private final Duration limit;
    private final RareLog trouble;
    private final HoldNotes notes = new HoldNotes();
    /** Makes the keeper look now. */
    private volatile Runnable wake = () -> { };

    private final Mutex writing = new Mutex();
    @GuardedBy("writing")
    private long pause;
    @GuardedBy("writing")
    private long notBefore = System.nanoTime();
    /** How often in a row it could not be written since others were writing. */
    @GuardedBy("writing")
    private int busy;
    /** Since when each try has failed; only while {@link #fails}. */
    private volatile long failsSince;
    private volatile boolean fails;

    /**
     * @param rows how many rows the table may have
     * @param limit how long the server may keep a statement waiting
     */
    JdbcHistory(HistoryTable table, int rows, Duration limit) {
        this.table = table;
        this.rows = rows;
        this.limit = limit;
        this.trouble = new RareLog(Loggers.LIBRARY, "the history " + table.sqlName() + " could not be written, and the locks go on");
    }

    // ---- noting; memory only ----

    /** A hold of this process has ended. */
    void note(PastHold ended) {
        notes.note(ended);
    }

    /** The hold of another process has ended, as was found out: it is written at once. */
    void noteFound(PastHold ended) {
        notes.note(ended);
        wake.run();
    }

    void onFound(Runnable action) {
        wake = action;
    }

    // ---- writing ----

    @Override
    public void record(boolean last) {
        if (notes.isAny()) {
            writing.locked(() -> write(last));
        }
    }

    @GuardedBy("writing")
    private void write(boolean last) {
        if (!last && System.nanoTime() - notBefore < 0) {
            return;
        }
        List<PastHold> left = notes.take();
        try {
            if (table.append(left.stream().map(HistoryTable::asWritten).toList(), rows, last, limit)) {
                left = List.of();
                pause = 0;
                busy = 0;
                fails = false;
            } else if (++busy >= MOST_BUSY) {
                failed("other sessions hold its writers' lock all the time (pg_locks, locktype advisory)");
            }
        } catch (SQLException e) {
            failed(table.inWords(e));
        } catch (RuntimeException | Error e) { // usually thrown by the user's data source
            failed(String.valueOf(e));
        } finally {
            notBefore = System.nanoTime() + pause;
            notes.written(left);
        }
    }

    @GuardedBy("writing")
    private void failed(String why) {
        pause = Math.min(Math.max(2 * pause, FIRST_PAUSE_NANOS), LONGEST_PAUSE_NANOS);
        if (!fails) {
            failsSince = System.nanoTime();
            fails = true;
        }
        trouble.warn(why, null);
    }

    /** What is not written yet keeps it open, unless it cannot be written. */
    @Override
    public boolean closeIdle(boolean atOnce) {
        return !notes.isAny() || fails && (atOnce || System.nanoTime() - failsSince >= PATIENCE_NANOS);
    }

    // ---- reading ----

    /** {@return what this process has not written yet, as it will be read} */
    List<PastHold> unwritten() {
        return notes.unwritten().stream().map(HistoryTable::asWritten).toList();
    }

    @Override
    public String toString() {
        return "the history " + table.sqlName();
    }
}

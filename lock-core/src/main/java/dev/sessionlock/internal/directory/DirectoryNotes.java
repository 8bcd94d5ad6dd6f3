package dev.sessionlock.internal.directory;

import dev.sessionlock.LockReport;
import dev.sessionlock.PastHold;
import java.io.IOException;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * What this process writes down in a directory, for those who look: how holds ended ({@link HoldHistory}), and which of its threads wait ({@link WaitingFile}). It is
 * noted in memory, and written by the keeper. No lock depends on it.
 */
public final class DirectoryNotes {
    private final LockDirectory directory;
    private final @Nullable HoldHistory history;
    /** Null on a network file system. */
    private final @Nullable WaitingFile waiting;

    DirectoryNotes(LockDirectory directory) {
        this.directory = directory;
        this.history = HoldHistory.of(directory);
        this.waiting = directory.traits().network() == null ? new WaitingFile(directory) : null;
    }

    /** {@return the history; null if it is turned off} */
    @Nullable HoldHistory history() {
        return history;
    }

    /** {@return whether the directory has a history} */
    public boolean keepsHistory() {
        return history != null;
    }

    /** A hold of this process has ended. Memory only. */
    public void note(PastHold ended) {
        if (history != null) {
            history.note(ended);
        }
    }

    /** The hold of another process has ended, as was found out: the keeper writes it at once. Memory only. */
    public void noteFound(PastHold ended) {
        if (history != null) {
            history.note(ended);
            directory.guards().wakeKeeper();
        }
    }

    /**
     * These threads of this JVM wait for a lock, until {@link #write} is called again. Memory only.
     *
     * @param name the lock's name
     */
    public void showWaiters(String name, List<LockReport.Waiter> waiters) {
        if (waiting != null) {
            waiting.show(name, waiters);
        }
    }

    /**
     * Writes all that. Whatever the disk says to that, nothing is thrown.
     *
     * @param last there is no later time: also what could not be written a moment ago
     */
    public void write(boolean last) {
        if (history != null) {
            history.write(last);
        }
        if (waiting != null) {
            waiting.write();
        }
    }

    /** {@return whether what was noted needs a file that is to be made in a moment} A call writes what it can. */
    boolean isAboutToMakeFile() {
        return history != null && history.isAboutToMakeFile();
    }

    /** Deletes what processes that are gone have left. */
    void sweep() throws IOException {
        if (waiting != null) {
            waiting.sweep();
        }
    }
}

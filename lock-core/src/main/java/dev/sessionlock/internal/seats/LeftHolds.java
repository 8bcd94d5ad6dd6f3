package dev.sessionlock.internal.seats;

import dev.sessionlock.PastHold;
import dev.sessionlock.internal.directory.DirectoryNotes;
import dev.sessionlock.internal.directory.LockContent;
import dev.sessionlock.internal.directory.LockRecord;
import dev.sessionlock.internal.directory.LockStore;
import dev.sessionlock.internal.directory.LockStore.Found;
import dev.sessionlock.internal.system.HolderProcesses;
import dev.sessionlock.internal.system.Loggers;
import dev.sessionlock.internal.system.RareLog;
import java.time.Instant;
import org.jspecify.annotations.Nullable;

/**
 * Writes into the history how a hold ended whose holder cannot: its process is gone, or was frozen past its lease. Whoever replaces or removes the record does it.
 * Memory only, and nothing is thrown: the lock is taken, or cleared, even if nobody is told.
 */
final class LeftHolds {
    private static final RareLog trouble = new RareLog(Loggers.LIBRARY, "it could not be noted how another process's hold ended");

    private LeftHolds() {
    }

    /**
     * @param left the record; null if there was none
     * @param policy tells what became of its process
     */
    static void note(LockStore store, @Nullable Found left, StaleLockPolicy policy) {
        DirectoryNotes notes = store.notes();
        if (left == null || notes == null || !notes.keepsHistory()) {
            return;
        }
        try {
            PastHold hold = holdOf(store, left, policy);
            if (hold != null) {
                notes.noteFound(hold);
            }
        } catch (RuntimeException | Error e) {
            trouble.warn(store.toString(), e);
        }
    }

    private static @Nullable PastHold holdOf(LockStore store, Found left, StaleLockPolicy policy) {
        Instant now = store.clock().instant();
        PastHold.Ending ending = policy.hasDied(left) ? PastHold.Ending.PROCESS_DIED : PastHold.Ending.LEASE_EXPIRED;
        if (left.content() instanceof LockContent.Foreign foreign) {
            return new PastHold(store.name(), null, foreign.pid(), null, null, null, foreign.createdAt(), now, ending, 1, null, null, null);
        } else if (left.content() instanceof LockContent.Ours ours && !ours.record().isGivenBack()) {
            LockRecord record = ours.record();
            if (record.shared() && store.sharesAmongReaders()) {
                return null; // whoever finds its reader slot notes it
            }
            return new PastHold(store.name(), record.token(), record.pid(), record.host(), record.thread(), record.purpose(),
                    Instant.ofEpochMilli(record.createdAt()), now, ending, 1, null, null, null, HolderProcesses.of(record.starttime(),
                    StaleLockPolicy.started(record), record.boot(), record.pidns(), record.timens()));
        }
        return null;
    }
}

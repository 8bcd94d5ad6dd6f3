package dev.sessionlock.internal.seats;

import dev.sessionlock.internal.directory.LockRecord;
import dev.sessionlock.internal.directory.LockStore;
import dev.sessionlock.internal.directory.TableEntry;
import org.jspecify.annotations.Nullable;

/**
 * What an acquisition or {@code clear} has put on one seat so far, so that it can be undone if a throwable interrupts the call. Each field is set
 * before the step that it describes, and cleared after that step was undone. While there is an attempt, the seat's byte is ours.
 */
final class SeatAttempt {
    final int seat;
    /** The entry in which the expiry was to be published; null before that. */
    @Nullable TableEntry entry;
    long expiry;
    /** The file of the record; null before it is written. */
    LockStore.@Nullable RecordFile recordFile;
    /** What it says, or is about to say; null before it is written. */
    @Nullable LockRecord record;
    /** Seat 1 only: the record may also lie at x.lock. */
    boolean covering;
    /** Other programs may see the {@code .reclaim} directory. */
    boolean reclaiming;

    SeatAttempt(int seat) {
        this.seat = seat;
    }
}

package dev.sessionlock.internal.seats;

import dev.sessionlock.internal.directory.TableEntry;
import dev.sessionlock.internal.directory.LockStore;
import dev.sessionlock.spi.Terms;
import org.jetbrains.annotations.Nullable;

/**
 * What a take or a clearing has put on one seat so far, so that it can be taken back later if a throwable breaks the call off. Each field is set
 * before the step that it tells of, and cleared after that step was taken back. The seat's byte is ours as long as there is an attempt.
 */
final class SeatAttempt {
    final int seat;
    final Terms terms;
    /** Where the word was to be published; null before that. */
    @Nullable TableEntry entry;
    long expiry;
    /** The record; null before it is written. */
    LockStore.@Nullable RecordFile recordFile;
    /** What the record says. */
    long token;
    long createdAtMillis;
    /** Seat 1 only: the record may also lie at x.lock. */
    boolean covering;
    /** Other programs may see the directory that announces a reclaim. */
    boolean reclaiming;

    SeatAttempt(int seat, Terms terms) {
        this.seat = seat;
        this.terms = terms;
    }
}

package dev.sessionlock.internal.seats;

import dev.sessionlock.LockLostException;
import dev.sessionlock.internal.directory.LockStore;
import dev.sessionlock.internal.directory.TableEntry;
import dev.sessionlock.spi.Hold;
import dev.sessionlock.spi.Terms;
import org.jspecify.annotations.Nullable;

/** A lock that this process holds on one of its two seats. */
final class SeatHold extends Hold {
    final int seat;
    final TableEntry entry;
    final LockStore.RecordFile recordFile;
    /** When it was acquired, as the record tells it, wall clock. */
    long createdAtMillis;
    /** The expiry that we published last; the entry has it while the seat is ours. Read by {@link SeatHolding#reuse} on any thread. */
    volatile long published;
    /** The expiry that the entry may have instead, if a throwable interrupted a publishing. */
    long intended;
    /** The kernel has lost our byte, and another may have it: nothing of the seat is ours any more. */
    boolean byteLost;
    /** Our byte is being taken again: while this is set, it may be anybody's. */
    boolean retaking;
    /** Another process drew the entry's last token before ours. */
    boolean wasOthers;
    /** Seat 1 only: our record also lies at x.lock, where the frozen owner's no longer was. */
    boolean atLock;
    /** Seat 1 only: our record was about to be put at x.lock. */
    boolean covering;
    /** The record is deleted, or will be by {@link SeatRelease#tidy}. */
    boolean recordSettled;
    /** What went wrong when its table entry was last read or written; null if nothing did. Written on any thread. */
    volatile @Nullable String trouble;

    SeatHold(int seat, TableEntry entry, LockStore.RecordFile recordFile, Terms terms, long token, long createdAtMillis, long takenAt, long deadline,
            @Nullable String reclaimed) {
        super(terms, token, takenAt, deadline, reclaimed);
        this.seat = seat;
        this.entry = entry;
        this.recordFile = recordFile;
        this.createdAtMillis = createdAtMillis;
    }

    /** The entry has this expiry from now on. */
    void notePublished(long expiry) {
        intended = expiry;
        published = expiry;
    }

    /** A throwable may have come between publishing and noting it. */
    void settleExpiry() {
        if (intended != published && entry.hasExpiry(seat, intended)) {
            published = intended;
        }
    }

    @Override
    public @Nullable String lossInWords(LockLostException.Reason reason) {
        String why = trouble;
        return why == null ? null : switch (reason) {
            case LEASE_EXPIRED -> "its lease could not be renewed (" + why + "), so others may have taken it over";
            case KERNEL_LOCK_LOST -> why;
            default -> null;
        };
    }

    void leaseBegins(long now, long deadline) {
        renewed(now, deadline);
    }

    void usedBy(String thread, long token) {
        reused(token, thread);
    }

    void recordTells(long token) {
        recorded(token);
    }
}

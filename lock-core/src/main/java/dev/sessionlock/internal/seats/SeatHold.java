package dev.sessionlock.internal.seats;

import dev.sessionlock.LockLostException;
import dev.sessionlock.internal.directory.LockStore;
import dev.sessionlock.internal.directory.TableEntry;
import dev.sessionlock.internal.directory.TableFault;
import dev.sessionlock.spi.Hold;
import dev.sessionlock.spi.Terms;
import java.io.IOException;
import org.jspecify.annotations.Nullable;

/** A lock that this process holds on one of its two seats. */
final class SeatHold extends Hold {
    /** How many tokens {@link #reuse} draws ahead. To draw one costs as much as the rest of a warm acquisition. */
    private static final byte AHEAD = 31;

    /** Few bits: thousands of locks may be held, and each byte more is eight more for each of them. */
    final byte seat;
    final TableEntry entry;
    final LockStore.RecordFile recordFile;
    /** When it was acquired, as the record tells it, wall clock. */
    long createdAtMillis;
    /** The expiry that we published last; the entry has it while the seat is ours. Read by {@link #reuse} on any thread. */
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
    /**
     * So many tokens after {@link #token} were drawn ahead, for those who reuse it. Used by whoever is about to have the lock: a user under the state lock, or who hands
     * it over or gives it back under the engine lock, after the state lock has told it that nobody reuses it.
     */
    private byte tokensAhead;
    /** The record is deleted, or will be by {@link SeatRelease#tidy}. */
    boolean recordSettled;
    /** What went wrong when its table entry was last read or written; null if nothing did. Written on any thread. */
    volatile @Nullable String trouble;

    SeatHold(int seat, TableEntry entry, LockStore.RecordFile recordFile, Terms terms, long token, long createdAtMillis, long takenAt, long deadline,
            @Nullable String reclaimed) {
        super(terms, token, takenAt, deadline, reclaimed);
        this.seat = (byte) seat;
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

    // ---- what it is asked on the way of a warm acquisition; any thread ----

    /** {@return whether our byte is known to be lost, without asking the kernel} */
    boolean isByteMissing(LockStore store) {
        return retaking || store.knowsByteLost(seat);
    }

    /** A frozen holder with {@code takeover(false)} would stop everybody although nobody uses the lock, so it is not reused. */
    boolean isReusable(LockStore store) {
        return seat == 0 && terms().takeover() && store.shared() && !byteLost;
    }

    /** A further user has it from now on, on the same terms. False if it must be acquired in the ordinary way. */
    boolean reuse(LockStore store, String thread) {
        try {
            if (!isReusable(store) || isByteMissing(store)) {
                return false;
            }
            if (tokensAhead == 0) { // rule 4: before the clock is read
                long first = entry.drawTokens(0, AHEAD + 1);
                if (first == TableEntry.NO_TOKEN) {
                    return false; // an ordinary acquisition says why
                }
                reused(first, thread);
                tokensAhead = AHEAD;
            } else {
                reused(token() + 1, thread);
                tokensAhead--;
            }
            // And before this check: a process that draws a token after it has a greater one.
            return entry.isUntouched(seat, published, lastDrawn()) || refusedToReuse();
        } catch (TableFault e) {
            trouble = e.getMessage();
            return false; // an ordinary acquisition has the table created anew
        }
    }

    /** Another process has had the seat, or a token, since. What was drawn ahead could be older than what it drew. */
    private boolean refusedToReuse() {
        tokensAhead = 0;
        return false;
    }

    /** {@return the last token that this process has drawn for it} */
    long lastDrawn() {
        return token() + tokensAhead;
    }

    /** A reader slot has another user, with the same token. */
    void usedBy(String thread) {
        reused(token(), thread);
    }

    // ---- seat 1 ----

    /** {@return whether our record lies at x.lock} A throwable may have come between covering and noting it. */
    boolean isAtLock(LockStore store) throws IOException {
        if (covering && !atLock) {
            atLock = store.isAt(recordFile, LockStore.RecordLocation.LOCK);
        }
        covering = false;
        return atLock;
    }

    // ---- what has become of it ----

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

    void recordTells(long token) {
        recorded(token);
    }
}

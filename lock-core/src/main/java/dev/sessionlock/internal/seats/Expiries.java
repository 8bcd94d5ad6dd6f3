package dev.sessionlock.internal.seats;

import dev.sessionlock.internal.directory.LockStore;
import dev.sessionlock.internal.directory.MarkedTime;
import dev.sessionlock.internal.directory.TableEntry;
import dev.sessionlock.spi.Hold;
import dev.sessionlock.spi.Terms;
import java.io.IOException;
import java.util.concurrent.TimeUnit;

/**
 * The words of the table entry, as one process computes and publishes them: until when a seat is held, and whether somebody waits. The mark of this
 * process is in each word that it writes.
 */
final class Expiries {
    private static final long A_MOMENT_NANOS = TimeUnit.MILLISECONDS.toNanos(1);

    private final LockStore store;
    /** In all that this process writes to the table entry. It must not change between publishing an expiry and withdrawing it. */
    private volatile long mark;

    Expiries(LockStore store) {
        this.store = store;
        readMark();
    }

    /** The process may have drawn another mark. Called while nothing of this process is in the entry. */
    void readMark() {
        mark = MarkedTime.mark(store.mark());
    }

    long now() {
        return store.clock().nanos();
    }

    // ---- until when ----

    /** {@return the expiry that others see: deadline and grace; never, if takeover is excluded or clocks do not compare} */
    long expiryFor(Terms terms, long from) {
        boolean bounded = terms.takeover() && store.comparable();
        return bounded ? MarkedTime.expiry(from + terms.leaseNanos() + terms.graceNanos(), mark) : MarkedTime.never(mark);
    }

    /** {@return rule 5: until when it is ours} Where the table is not shared, only the record bounds it, for everyone. */
    long deadlineOf(Terms terms, long from) {
        return terms.takeover() || !store.shared() ? from + terms.leaseNanos() : Hold.NEVER;
    }

    boolean isPast(long expiry, long now) {
        return TableEntry.isPast(expiry, now, store.comparable());
    }

    /** {@return when to look again} Where clocks do not compare the expiry says nothing: it may be past, and we would look without a pause. */
    long momentAfter(long expiry) {
        return TableEntry.isNever(expiry) || !store.comparable() ? Long.MAX_VALUE : expiry + A_MOMENT_NANOS;
    }

    // ---- read before the byte is requested, and replaced after it is ours (rule 1) ----

    /**
     * {@return the expiry of a seat, to be read before its byte is requested: only this value may be replaced} If the kernel has dropped our byte, and
     * another process holds the seat by then, that process has written another value.
     */
    long expiryOf(int seat) throws IOException {
        TableEntry entry = store.findEntry();
        return entry == null ? 0 : entry.expiry(seat);
    }

    /**
     * Replaces only the expiry of a dead process (rule 1). If the kernel lost our byte and another process holds the seat by now, that process has
     * written another value. The kernel is not asked: for a reader of {@code /proc/locks} it first waits for all processors, some eight milliseconds.
     *
     * @param before seat 0's expiry as it was before byte 0 was requested
     * @return false if another process has written its expiry
     */
    boolean publishOnSeat0(TableEntry entry, long before, long expiry) {
        long replaced = store.shared() ? before : entry.expiry(0); // an entry that is not shared is written by this process alone
        // 0 was written by a holder that gave the lock back.
        return entry.replaceExpiry(0, replaced, expiry) || replaced != 0 && entry.replaceExpiry(0, 0, expiry);
    }

    // ---- waiter marks ----

    /** {@return what this process writes to say that it wants the lock} */
    long waiterMark(boolean waits) {
        return MarkedTime.waiterMark(now(), waits, mark);
    }

    boolean tellsOfWaiting(long mark) {
        return MarkedTime.tellsOfWaiting(mark);
    }

    /** {@return whether this process has set a waiter mark} */
    boolean isOurs(long waiterMark) {
        return waiterMark != 0 && MarkedTime.isBy(mark, waiterMark);
    }

    /** {@return whether another process has set a waiter mark within the last {@code nanos}} */
    boolean isSetByOthers(long waiterMark, long nanos) {
        if (waiterMark == 0 || MarkedTime.isBy(mark, waiterMark)) {
            return false;
        }
        long age = MarkedTime.age(waiterMark, now());
        return age >= 0 && age < nanos; // one from the future is of another time namespace
    }
}

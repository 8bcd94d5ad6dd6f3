package dev.sessionlock.internal.seats;

import dev.sessionlock.NotALockFileException;
import dev.sessionlock.internal.directory.LockStore;
import dev.sessionlock.internal.directory.LockStore.Found;
import dev.sessionlock.internal.directory.LockStore.RecordFile;
import dev.sessionlock.internal.directory.LockStore.RecordLocation;
import dev.sessionlock.internal.directory.TableEntry;
import dev.sessionlock.spi.Busy;
import dev.sessionlock.spi.Terms;
import java.io.IOException;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;

/**
 * Removes what dead owners have left where records lie (PROTOCOL.md, section 4). {@link StaleLockPolicy} says what may be removed; this does it. The
 * caller holds the byte of the location; without it, the record of a living owner could be removed. Made when it is needed, which is rare, and not
 * kept; before the byte is taken, since making it may run out of memory.
 */
final class StaleRecords {
    /** A record that speaks against a takeover is looked at again after this. */
    static final long OBJECTION_NANOS = TimeUnit.MILLISECONDS.toNanos(20);
    private static final long RECLAIM_AGAIN_NANOS = TimeUnit.MILLISECONDS.toNanos(10);

    /** What has become of a file that was in the way. */
    sealed interface Clearance permits InTheWay, Deleted, Gone {
    }

    /** It stays for now: this is why, and for how long to wait. */
    record InTheWay(Busy busy) implements Clearance {
    }

    /** It was deleted, on this evidence. */
    record Deleted(StaleLockPolicy.Replace judgement) implements Clearance {
    }

    /** It is not there any more. */
    enum Gone implements Clearance {
        BY_ITSELF
    }

    private final LockStore store;
    private final Expiries expiries;
    private final SeatLedger ledger;
    private final StaleLockPolicy policy;

    StaleRecords(LockStore store, Expiries expiries, SeatLedger ledger) {
        this.store = store;
        this.expiries = expiries;
        this.ledger = ledger;
        this.policy = new StaleLockPolicy(store);
    }

    /** A file lies where our record is to be linked. {@return whether it is out of the way now, and how} */
    Clearance clear(RecordLocation location, Terms terms) throws IOException {
        if (location == RecordLocation.TAKEOVER) {
            String objection = takeAwayTakeover(); // not there a moment ago: put there by a person, or by a process whose byte was lost
            return objection == null ? Gone.BY_ITSELF : new InTheWay(new Busy(Busy.NOTHING, expiries.now() + OBJECTION_NANOS, objection));
        }
        Found found = store.find(location);
        if (found == null) {
            return Gone.BY_ITSELF;
        }
        StaleLockPolicy.Judgement judgement = judge(found, terms);
        if (judgement instanceof StaleLockPolicy.WaitFor wait) {
            return new InTheWay(busy(wait));
        }
        if (reclaim(found)) {
            LeftHolds.note(store, found, policy);
            return new Deleted((StaleLockPolicy.Replace) judgement);
        }
        return new InTheWay(beingReplaced());
    }

    /** {@return whether it may be replaced, or has to be waited for} */
    StaleLockPolicy.Judgement judge(Found found, Terms terms) throws NotALockFileException {
        StaleLockPolicy.Judgement judgement = policy.judge(found, terms);
        if (judgement instanceof StaleLockPolicy.Refuse refuse) {
            throw new NotALockFileException(store.lockFile() + " is not a lock file but " + refuse.what()
                    + ". It was not touched. If nobody needs it, move it away; else choose another name for " + store.name());
        }
        return judgement;
    }

    Busy busy(StaleLockPolicy.WaitFor wait) {
        return new Busy(Busy.NOTHING, expiries.now() + wait.nanos(), wait.why());
    }

    private Busy beingReplaced() {
        return new Busy(Busy.NOTHING, expiries.now() + RECLAIM_AGAIN_NANOS, "another process is replacing a dead lock (" + store.lockFile() + ".reclaim is there)");
    }

    /**
     * Puts a reader's record at {@code x.lock} in place of what a dead owner left, or a reader that has left: others may read, so the place must not be empty in between.
     *
     * @return what is in the way; null if that is done, or if something else lies there by now
     */
    @Nullable Busy replace(Found found, RecordFile by) throws IOException {
        if (policy.isGivenBackByTheLiving(found)) { // no other program takes it for a dead lock
            store.cover(by, found.key());
            return null;
        }
        boolean[] replaced = new boolean[1];
        if (!reclaim(found, () -> replaced[0] = store.cover(by, found.key()))) {
            return beingReplaced();
        }
        if (replaced[0]) {
            LeftHolds.note(store, found, policy);
        }
        return null;
    }

    /**
     * Deletes what a dead owner left. Byte 0 keeps out our own processes. Other programs, which judge and unlink, are kept out by the
     * {@code .reclaim} directory, which they expect to see.
     */
    boolean reclaim(Found found) throws IOException {
        return reclaim(found, () -> store.delete(RecordLocation.LOCK, found.key()));
    }

    private boolean reclaim(Found found, SeatLedger.ReleaseStep step) throws IOException {
        SeatAttempt mine = ledger.attempt;
        mine.reclaiming = true;
        boolean begun = store.beginReclaim();
        mine.reclaiming = begun;
        if (!begun) {
            return false;
        }
        try {
            Found still = store.find(RecordLocation.LOCK);
            if (still != null && still.key().equals(found.key()) && still.content().equals(found.content())) {
                step.run();
            }
            return true;
        } finally {
            store.endReclaim();
            mine.reclaiming = false;
        }
    }

    /**
     * We hold byte 1, and not byte 0: the last owner of seat 1 is gone, unless its record objects. Clears what it left, and frees the byte.
     *
     * @param before seat 1's expiry as it was before byte 1 was requested
     * @return why nothing was cleared; null if the seat is clear
     */
    @Nullable String clearSeat1(long before) throws IOException {
        try {
            String objection = takeAwayTakeover();
            TableEntry entry = objection != null ? null : store.findEntry();
            if (entry != null) {
                entry.replaceExpiry(1, before, 0); // last: while it is not 0, some process will come back for what lies here
            }
            return objection;
        } finally {
            store.freeByte(1);
        }
    }

    /**
     * With byte 1 held: deletes the record of the last successor. The record is the second witness: if its process lives and its lease runs, we have
     * the byte only because code of that process made the kernel drop it.
     *
     * @return why it was not deleted; null if there is none any more
     */
    @Nullable String takeAwayTakeover() throws IOException {
        Found left = store.find(RecordLocation.TAKEOVER);
        String objection = policy.objection(left);
        if (left != null && objection == null) {
            store.delete(RecordLocation.TAKEOVER, left.key());
            LeftHolds.note(store, left, policy);
        }
        return objection;
    }
}

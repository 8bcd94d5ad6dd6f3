package dev.sessionlock.internal.seats;

import dev.sessionlock.LockLostException;
import dev.sessionlock.internal.directory.LockStore;
import dev.sessionlock.internal.directory.TableEntry;
import dev.sessionlock.internal.directory.TableFault;
import dev.sessionlock.spi.Hold;
import dev.sessionlock.spi.Terms;
import org.jspecify.annotations.Nullable;

/**
 * A lock that this process holds as one of its readers: by a hold of a reader slot, which counts in the lock's entry. Its lease is that of the slot. Its token is the
 * newest exclusive one, and stays.
 */
final class ReaderHold extends Hold {
    final int slot;
    /** What it has of the slot. */
    final SeatHold held;
    /** The entry of the lock, which counts the slot. */
    final TableEntry entry;
    /** What the entry said when it last counted this slot anew; 0 before the first time. */
    long registered;
    /** It was registered on seat 0: with byte 0, so nobody was handing x.lock on at that time. */
    boolean onSeat0;
    /** Another process drew the entry's last token since this process had the lock before. */
    boolean wasOthers;

    ReaderHold(Terms terms, int slot, SeatHold held, TableEntry entry, @Nullable String reclaimed) {
        super(terms, held.token(), held.renewedAt(), held.deadline(), reclaimed);
        this.slot = slot;
        this.held = held;
        this.entry = entry;
    }

    /**
     * {@return whether no other reader has come or gone between its coming and its withdrawing, nor since then, and none was there before: so nobody can have handed {@code
     * x.lock} on to it}
     */
    boolean wasAlone() {
        try {
            return onSeat0 && TableEntry.readersIn(registered) == 1 && entry.readers() == TableEntry.withReaders(registered, 0);
        } catch (TableFault e) {
            return false;
        }
    }

    /** {@return whether writers know of it: its slot counts} */
    boolean isCounted() {
        return TableEntry.readersIn(entry.readers()) > slot && entry.isValid();
    }

    /**
     * {@return whether a further user of this JVM may have it, as far as memory tells} No writer has drawn a token since, and the slot is still ours. Any thread.
     */
    boolean isUntouched(LockStore slotStore) {
        try {
            return !held.byteLost && !held.isByteMissing(slotStore) && held.entry.isUntouched(held.seat, held.published, token()) && isCounted();
        } catch (TableFault e) {
            held.trouble = e.getMessage();
            return false;
        }
    }

    /** A further user has it, on the same terms; the record names another one until it is renewed. */
    void usedBy(String thread) {
        reused(token(), thread);
        held.usedBy(thread);
        recorded(0);
    }

    /** The slot's lease was renewed. */
    void renewed() {
        renewed(held.renewedAt(), held.deadline());
        recorded(token());
    }

    @Override
    public @Nullable String lossInWords(LockLostException.Reason reason) {
        return held.lossInWords(reason);
    }
}

package dev.sessionlock.internal.directory;

import dev.sessionlock.spi.Clock;
import java.io.IOException;
import org.jspecify.annotations.Nullable;

/**
 * The table entry of one lock, as this process knows it, so that it is not searched for at each acquisition. It is used only while the table in which it
 * was found is the directory's, and while it is valid: an entry of a table that was replaced by hand bounds nobody.
 */
final class KnownEntry {
    private final FileLockStore store;
    /** The table entry, and the table in which it was found: a table that was replaced by hand is not ours any more. */
    private @Nullable TableEntry entry;
    private @Nullable SharedTable table;
    /** The state of {@code .session-locks} when the table files of the entry were last found in place; null if that told nothing. */
    private @Nullable DirectoryState inPlaceAsOf;
    /** It was seen to be the only entry of this lock: a process that claims another one sees ours, and gives its own up. */
    private boolean isOnly;

    KnownEntry(FileLockStore store) {
        this.store = store;
    }

    /** {@return the table entry; null if the lock has none, or where the table is not shared} */
    @Nullable TableEntry find() throws IOException {
        SharedTable now = store.directory().table();
        if (now == null) {
            return null;
        }
        if (!isKnown(now)) {
            know(now, now.find(store.hash()), false);
        }
        return entry;
    }

    /** {@return the only table entry, claimed if the lock had none; null while it has two that are in use} */
    @Nullable TableEntry claim() throws IOException {
        LockDirectory directory = store.directory();
        SharedTable now = directory.table();
        if (now == null) {
            return directory.heapEntry(store.name());
        }
        if (!isKnown(now) || !isOnly) {
            know(now, now.findOrClaim(store.hash(), Clock.SYSTEM.wallMicros(), directory.mode(), directory.bytes()), true);
        }
        return entry;
    }

    /** {@return the only table entry, searched anew; null if the lock has none, or two that are in use} */
    @Nullable TableEntry findOnly() throws IOException {
        SharedTable now = store.directory().table();
        if (now == null) {
            return null;
        }
        know(now, now.findOnly(store.hash()), true);
        return entry;
    }

    private boolean isKnown(SharedTable now) {
        return entry != null && table == now && entry.isValid();
    }

    private void know(SharedTable now, @Nullable TableEntry found, boolean only) {
        if (found != entry || now != table) {
            inPlaceAsOf = null;
        }
        entry = found;
        table = now;
        isOnly = only;
    }

    /** {@return whether an entry of a shared table is known, valid or not} */
    boolean isOfATable() {
        return table != null;
    }

    /** {@return whether the table files of an entry were last found in place while {@code .session-locks} had this state} */
    boolean wasInPlaceAsOf(DirectoryState state, TableEntry used) {
        return state.equals(inPlaceAsOf) && used == entry;
    }

    /** The table files of an entry were found in place after {@code .session-locks} had this state. */
    void inPlace(@Nullable DirectoryState state, TableEntry used) {
        inPlaceAsOf = used == entry ? state : null;
    }

    /** {@return whether another table than the entry's is in use by now} */
    boolean isOfAReplacedTable() {
        return table != null && table != store.directory().table();
    }

    /** {@return whether the lock has another entry, which is in use; false if that cannot be told now} */
    boolean hasAnother() {
        TableEntry known = entry;
        SharedTable its = table;
        try {
            return its != null && known != null && !its.isOnly(known);
        } catch (IOException e) {
            store.directory().log().debug("could not look for further entries of {}", store, e);
            return false;
        }
    }
}

package dev.sessionlock.internal.seats;

import dev.sessionlock.internal.directory.LockStore.RecordLocation;
import dev.sessionlock.internal.seats.SimulatedDirectory.Inode;
import java.util.ArrayList;
import java.util.List;

/** What all processes share of one lock, or of one reader slot, which is a lock of its own: its bytes, its entry in each table, the places of its records. */
class SimulatedLock {

    /** The entry in a table that does not lie there any more. */
    static final class Table {
        boolean hasEntry;
        final long[] expiries = new long[2];
        long token;
        long waiterMark;
        long writerMark;
        long readers;
    }

    /** The kernel's state of the two bytes. */
    final SimulatedStore[] owner = new SimulatedStore[2];

    boolean hasEntry;
    final long[] expiries = new long[2];
    /** Of a lock, not of a slot. */
    long token;
    long waiterMark;
    long writerMark;
    long readers;
    /** A process has cleared the entry, and may have given its place to another lock. */
    boolean entryCleared;

    /** The entries in the tables that were replaced: those who have one open go on with it. By what {@link SimulatedDirectory#generation} was then. */
    final List<Table> replaced = new ArrayList<>();

    private final Inode[] locations;

    SimulatedLock() {
        this(new Inode[2]);
    }

    private SimulatedLock(Inode[] locations) {
        this.locations = locations;
    }

    /** Its records are those of another lock; all else is new. */
    SimulatedLock(SimulatedLock records) {
        this(records.locations);
    }

    /** The table is replaced: the entry goes with it. */
    void replaceEntry() {
        Table old = new Table();
        old.hasEntry = hasEntry;
        System.arraycopy(expiries, 0, old.expiries, 0, 2);
        old.token = token;
        old.waiterMark = waiterMark;
        old.writerMark = writerMark;
        old.readers = readers;
        replaced.add(old);
        hasEntry = false;
        expiries[0] = 0;
        expiries[1] = 0;
        token = 0;
        waiterMark = 0;
        writerMark = 0;
        readers = 0;
    }

    Inode at(RecordLocation location) {
        return locations[location.ordinal()];
    }

    void put(RecordLocation location, Inode file) {
        locations[location.ordinal()] = file;
    }

    /** {@return whether a file lies in one of its places} */
    boolean isAnywhere(Inode file) {
        return locations[0] == file || locations[1] == file;
    }
}

package dev.sessionlock.internal.directory;

/** Lets the simulation of the seats floor use the entry of a reader slot as it is. */
public final class SlotEntries {

    private SlotEntries() {
    }

    /**
     * {@return the table entry of a reader slot}
     *
     * @param its the slot's own entry
     * @param ofLock the entry of the lock
     */
    public static TableEntry of(TableEntry its, TableEntry ofLock) {
        return new SlotEntry(its, ofLock);
    }
}

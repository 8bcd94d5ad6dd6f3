package dev.sessionlock.internal.directory;

/** What tests do to an entry of the shared table. */
final class TableEntries {
    private TableEntries() {
    }

    /** Publishes over whatever a seat contains. No other process may write to it meanwhile. */
    static void publish(TableEntry entry, int seat, long expiry) {
        if (!entry.replaceExpiry(seat, entry.expiry(seat), expiry)) {
            throw new AssertionError("somebody else wrote to seat " + seat);
        }
    }
}

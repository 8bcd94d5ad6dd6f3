package dev.sessionlock.internal.directory;

/** What tests do to a line of the board. */
final class TableEntries {
    private TableEntries() {
    }

    /** Publishes whatever a seat says so far; nobody else may write to it meanwhile. */
    static void publish(TableEntry entry, int seat, long until) {
        if (!entry.replaceExpiry(seat, entry.expiry(seat), until)) {
            throw new AssertionError("somebody else wrote to seat " + seat);
        }
    }
}

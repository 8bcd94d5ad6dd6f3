package dev.sessionlock.internal.directory;

/** What tests do to a line of the board. */
final class Lines {
    private Lines() {
    }

    /** Publishes whatever a seat says so far; nobody else may write to it meanwhile. */
    static void publish(Line line, int seat, long until) {
        if (!line.replace(seat, line.until(seat), until)) {
            throw new AssertionError("somebody else wrote to seat " + seat);
        }
    }
}

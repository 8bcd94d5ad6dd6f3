package dev.sessionlock.spi;

import dev.sessionlock.LockReport;

/**
 * The result of a look at a lock.
 *
 * @param id which lock
 * @param report what is known of it
 * @param leftover whether a file lies there that a dead owner may have left, whatever the report says
 * @param isComplete whether a torn file is no longer being written
 * @param isDoubtful whether the file may be something else than this lock: then the report says little and has no target
 */
public record Inspection(
        LockEngine.LockId id, LockReport report, boolean leftover, boolean isComplete, boolean isDoubtful) {

    /** A look that leaves no doubt. */
    public Inspection(LockEngine.LockId id, LockReport report) {
        this(id, report, false, true, false);
    }
}

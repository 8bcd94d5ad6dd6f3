package dev.sessionlock.spi;

import dev.sessionlock.LockReport;
import org.jetbrains.annotations.NotNull;

/**
 * What a look at a lock has shown.
 *
 * @param id which lock
 * @param report what there is to say about it
 * @param leftover something that a dead owner may have left lies there, whatever the report says
 * @param isComplete whether what lies there is no longer being written, if it is torn
 * @param isDoubtful whether what lies there may be something else than this lock: it says but little, and there is no target
 */
public record Inspection(
        @NotNull LockEngine.LockId id, @NotNull LockReport report, boolean leftover, boolean isComplete, boolean isDoubtful) {

    /** One of which a look leaves no doubt. */
    public Inspection(@NotNull LockEngine.LockId id, @NotNull LockReport report) {
        this(id, report, false, true, false);
    }
}

package dev.sessionlock.internal.seats;

import dev.sessionlock.LockReport;
import java.nio.file.Path;

/**
 * What a look at a lock has shown.
 *
 * @param target what is locked
 * @param report what there is to say about it
 * @param leftover something that a dead owner may have left lies there, whatever the report says
 * @param isComplete whether what lies there is no longer being written, if it is torn
 * @param isDoubtful whether what lies there may be something else than this target's lock: it says but little, and there is no target
 */
public record Sight(Path target, LockReport report, boolean leftover, boolean isComplete, boolean isDoubtful) {
}

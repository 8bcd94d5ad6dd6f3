package dev.sessionlock.internal.threads;

import dev.sessionlock.LockOptions;
import dev.sessionlock.spi.Terms;
import java.nio.file.Path;
import org.jetbrains.annotations.Nullable;

/**
 * One wish for a lock.
 *
 * @param audience on whose behalf
 * @param options how
 * @param shown what is to be locked as its user wrote it, for messages
 * @param target the file that a name stands for; null if the name was given, or if the engine knows its file
 * @param acquiredHere where its user asks for it; null unless that is wanted
 * @param asked since when, for the flight recorder; null if nobody records
 */
public record AcquireRequest(EventPublisher publisher, LockOptions options, String shown, @Nullable Path target, @Nullable AcquisitionTrace acquiredHere,
        LockEvents.@Nullable Timed asked) {

    /** A wish of this thread, that comes now. */
    public AcquireRequest(EventPublisher publisher, LockOptions options, String shown, @Nullable Path target) {
        this(publisher, options, shown, target, AcquisitionTrace.ifWanted(options), LockEvents.asked());
    }

    Terms terms(Thread thread) {
        return publisher.terms(options, thread.getName());
    }
}

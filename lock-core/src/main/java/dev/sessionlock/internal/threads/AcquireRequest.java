package dev.sessionlock.internal.threads;

import dev.sessionlock.LockOptions;
import dev.sessionlock.internal.system.ThreadNames;
import dev.sessionlock.spi.Terms;
import java.nio.file.Path;
import org.jspecify.annotations.Nullable;

/**
 * One request for a lock.
 *
 * @param publisher on whose behalf: whom to tell what happens
 * @param options how
 * @param shown what is to be locked as its user wrote it, for messages
 * @param target the file that a name stands for; null if the name was given, or if the engine knows its file
 * @param acquiredHere where its user asks for it; null unless that is wanted
 * @param asked since when, for the flight recorder; null if nobody records
 */
public record AcquireRequest(EventPublisher publisher, LockOptions options, String shown, @Nullable Path target, @Nullable AcquisitionTrace acquiredHere,
        LockEvents.@Nullable Timed asked) {

    /** A request of this thread, made now. */
    public AcquireRequest(EventPublisher publisher, LockOptions options, String shown, @Nullable Path target) {
        this(publisher, options, shown, target, AcquisitionTrace.ifWanted(options), LockEvents.asked());
    }

    /** @param ownerName the name under which the record shows the new holder: that of its thread, or {@link ThreadNames#NONE} */
    Terms terms(String ownerName) {
        return publisher.terms(options, ownerName);
    }
}

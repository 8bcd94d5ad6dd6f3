package dev.sessionlock.internal.threads;

import dev.sessionlock.LockOptions;
import dev.sessionlock.internal.seats.Terms;

/**
 * One wish for a lock.
 *
 * @param audience on whose behalf
 * @param options how
 * @param shown the target as its user wrote it, for messages
 */
public record Request(Audience audience, LockOptions options, String shown) {

    Terms terms(Thread thread) {
        long maxHold = options.maxHold().equals(LockOptions.UNLIMITED) ? -1 : options.maxHold().toMillis();
        return new Terms(options.lease().toNanos(), options.takeover(), maxHold, thread.getName(), options.purpose(), audience.takeStrangers());
    }
}

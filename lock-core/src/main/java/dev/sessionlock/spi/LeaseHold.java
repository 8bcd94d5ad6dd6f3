package dev.sessionlock.spi;

import org.jspecify.annotations.Nullable;

/** A hold whose lease runs on the clock of this machine: valid until its lease is over, or for ever if nobody may take over from its holder. */
public class LeaseHold extends Hold {

    /**
     * @param terms on what terms it was taken
     * @param token the fencing token
     * @param takenAt when, monotonic nanoseconds
     * @param reclaimed why the former owner did not count any more; null if nobody was taken over
     */
    public LeaseHold(Terms terms, long token, long takenAt, @Nullable String reclaimed) {
        super(terms, token, takenAt, deadline(terms, takenAt), reclaimed);
    }

    private static long deadline(Terms terms, long at) {
        return terms.takeover() ? at + terms.leaseNanos() : NEVER;
    }

    /**
     * {@return until when others must wait if the lease begins at that time: longer than its holder counts on it, or for ever}
     *
     * @param terms on what terms it is held
     * @param at when the lease begins, monotonic nanoseconds
     */
    public static long othersWaitUntil(Terms terms, long at) {
        return terms.takeover() ? at + terms.leaseNanos() + terms.graceNanos() : NEVER;
    }

    /**
     * The lease begins anew. Called once others can see that.
     *
     * @param at when, monotonic nanoseconds; others must {@linkplain #othersWaitUntil wait} at least as if the lease began then
     */
    public final void renewedAt(long at) {
        renewed(at, deadline(terms(), at));
    }
}

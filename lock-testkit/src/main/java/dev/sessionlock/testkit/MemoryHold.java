package dev.sessionlock.testkit;

import dev.sessionlock.spi.Hold;
import dev.sessionlock.spi.Terms;
import org.jspecify.annotations.Nullable;

/** A lock that a process of {@link InMemoryLocks} holds. */
final class MemoryHold extends Hold {
    final MemoryProcess process;
    final long sinceMillis;
    /** When others may take over, by the machine's clock. */
    long expiry;
    /** Somebody has asked for its release, and it was not told yet. */
    boolean releaseRequested;
    /** When it ends at the latest, by wall clock; negative if never. */
    long holdUntilMillis;

    MemoryHold(MemoryProcess process, Terms terms, long token, long now, long sinceMillis, @Nullable String reclaimed) {
        super(terms, token, now, deadline(terms, now), reclaimed);
        this.process = process;
        this.sinceMillis = sinceMillis;
        this.expiry = expiry(terms, now);
        this.holdUntilMillis = terms.maxHoldMillis() < 0 ? -1 : sinceMillis + terms.maxHoldMillis();
    }

    void renew(long now) {
        expiry = expiry(terms(), now);
        renewed(now, deadline(terms(), now));
    }

    /** {@return whether it keeps nobody out any more, since its process is dead or its lease and grace are over} */
    boolean isOver(long now) {
        return process.isDead() || now >= expiry;
    }

    /** {@return in words why it keeps nobody out any more} */
    String whyOver() {
        return process.isDead() ? "pid " + process.pid + " does not exist" : "its holder is frozen past its lease";
    }

    private static long deadline(Terms terms, long now) {
        return terms.takeover() ? now + terms.leaseNanos() : NEVER;
    }

    private static long expiry(Terms terms, long now) {
        return terms.takeover() ? now + terms.leaseNanos() + terms.graceNanos() : NEVER;
    }
}

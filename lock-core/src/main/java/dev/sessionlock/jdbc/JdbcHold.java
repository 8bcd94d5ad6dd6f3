package dev.sessionlock.jdbc;

import dev.sessionlock.LockLostException;
import dev.sessionlock.LockOptions;
import dev.sessionlock.spi.Clock;
import dev.sessionlock.spi.Hold;
import dev.sessionlock.spi.Terms;
import java.util.UUID;
import java.util.concurrent.TimeUnit;
import org.jetbrains.annotations.Nullable;

/**
 * A lock that this process holds in a row of the table. It counts from before the statement was sent that took or renewed it, and ends
 * a grace before the server would let another in. It ends by the wall clock, too: the monotonic one stands still while a machine sleeps.
 */
final class JdbcHold extends Hold {
    /** One that asked not to be passed over has this lease at least: over a network nobody can tell the dead from the silent. */
    static final long KEPT_LEASE_NANOS = LockOptions.MAX_LEASE.toNanos();

    final LockTable table;
    final String name;
    /** Tells this very hold from all others, also from one of ours whose answer was lost. */
    final UUID id;
    private final Clock clock;
    private volatile long wallDeadlineMillis;
    /** Why it could not be renewed, since it last was; null if it could. */
    private volatile @Nullable String trouble;
    /** Why it is no longer ours, by what the table says; null if it is. */
    private volatile @Nullable String gone;
    /** Since when a renewal has been under way; {@link Long#MIN_VALUE} if none is. */
    private volatile long askedAt = Long.MIN_VALUE;
    private volatile boolean requested;
    private volatile long holdUntilMillis;

    JdbcHold(LockTable table, String name, UUID id, Terms terms, long token, Moment sent, Clock clock, @Nullable String reclaimed) {
        super(terms, token, sent.nanos(), sent.nanos() + leaseNanos(terms), reclaimed);
        this.table = table;
        this.name = name;
        this.id = id;
        this.clock = clock;
        this.wallDeadlineMillis = sent.wallMillis() + leaseMillis(terms);
    }

    /** When a statement was sent, by both clocks. */
    record Moment(long nanos, long wallMillis) {
        static Moment now(Clock clock) {
            return new Moment(clock.nanos(), clock.wallMillis());
        }
    }

    /** {@return the lease that the table is told, without the grace} */
    static long leaseNanos(Terms terms) {
        return terms.takeover() ? terms.leaseNanos() : Math.max(terms.leaseNanos(), KEPT_LEASE_NANOS);
    }

    static long leaseMillis(Terms terms) {
        return TimeUnit.NANOSECONDS.toMillis(leaseNanos(terms));
    }

    /** {@return how long others wait from the moment at which the server has renewed it, milliseconds} */
    static long leaseAndGraceMillis(Terms terms) {
        return leaseMillis(terms) + TimeUnit.NANOSECONDS.toMillis(Terms.grace(leaseNanos(terms)));
    }

    @Override
    public boolean isValid(long now) {
        return super.isValid(now) && gone == null && clock.wallMillis() < wallDeadlineMillis;
    }

    /** A renewal is begun. */
    void asked() {
        askedAt = clock.nanos();
    }

    /** The server has renewed it. Counts only if it had not ended before: a loss is for ever. */
    void renewed(Moment sent) {
        askedAt = Long.MIN_VALUE;
        if (isValid(clock.nanos())) {
            trouble = null;
            wallDeadlineMillis = sent.wallMillis() + leaseMillis(terms());
            renewed(sent.nanos(), sent.nanos() + leaseNanos(terms()));
        }
    }

    /** The table says that it is no longer ours. */
    void gone(String why) {
        if (gone == null) {
            gone = why;
        }
    }

    boolean isGone() {
        return gone != null;
    }

    void failed(String why) {
        askedAt = Long.MIN_VALUE;
        trouble = why;
    }

    void requested() {
        requested = true;
    }

    boolean isRequested() {
        return requested;
    }

    /** When it ends at the latest, by our wall clock; negative if never. */
    void endsAt(long wallMillis) {
        holdUntilMillis = wallMillis;
    }

    /** {@return in how many milliseconds it ends at the latest; negative if never} As a span, since the server's clock is another one. */
    long holdLeftMillis() {
        return holdUntilMillis < 0 ? -1 : Math.max(0, holdUntilMillis - clock.wallMillis());
    }

    @Override
    public @Nullable String lossInWords(LockLostException.Reason reason) {
        if (reason != LockLostException.Reason.LEASE_EXPIRED) {
            return null;
        } else if (gone != null) {
            return gone;
        }
        String why = trouble;
        long asked = askedAt;
        if (why == null && asked != Long.MIN_VALUE) {
            why = "the database could not be reached: for " + TimeUnit.NANOSECONDS.toMillis(clock.nanos() - asked)
                    + " ms the data source has given no connection, or the server no answer";
        }
        return why == null ? null : "it could not be renewed for a whole lease, so others may have taken it over: " + why;
    }
}

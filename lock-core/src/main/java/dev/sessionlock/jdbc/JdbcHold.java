package dev.sessionlock.jdbc;

import dev.sessionlock.LockLostException;
import dev.sessionlock.LockOptions;
import dev.sessionlock.internal.system.Durations;
import dev.sessionlock.spi.Clock;
import dev.sessionlock.spi.Hold;
import dev.sessionlock.spi.Terms;
import java.time.Duration;
import java.util.UUID;
import java.util.concurrent.TimeUnit;
import org.jetbrains.annotations.Nullable;

/**
 * A lock that this process holds in a row of the table. It counts from before the statement was sent that took or renewed it, and ends
 * a grace before the server would let another in.
 *
 * <p>The monotonic clock stands still while a machine sleeps, and the server's does not. So the wall clock is looked at, too, and what it
 * has gone ahead of the monotonic one since the statement was sent counts as slept. Whether the machine has slept or somebody has set the
 * clock cannot be told. A clock that is set back makes up for nothing: what counts is how far the wall clock has gone ahead since it was
 * least ahead. Only where a machine sleeps while its clock is set back, by as much, its sleep goes unnoticed.
 */
final class JdbcHold extends Hold {
    /** One that asked not to be passed over has this lease at least: over a network nobody can tell the dead from the silent. */
    static final long KEPT_LEASE_NANOS = LockOptions.MAX_LEASE.toNanos();

    final LockTable table;
    final RowAttempt attempt;
    private final Clock clock;
    /** How far the wall clock was ahead of the monotonic one when it was least ahead since the last renewal was sent, microseconds. */
    private volatile long leastAheadMicros;
    /** By how much the wall clock went ahead when that ended it, nanoseconds; 0 if it did not. */
    private volatile long jumpNanos;
    /** Why it could not be renewed, since it last was; null if it could. */
    private volatile @Nullable String trouble;
    /** Why it is no longer ours, by what the table says; null if it is. */
    private volatile @Nullable String gone;
    /** The row may be this one's by now, since it was handed over and the answer was lost; null if not. */
    private volatile @Nullable RowAttempt passedOn;
    /** Since when a renewal has been under way; {@link Long#MIN_VALUE} if none is. */
    private volatile long askedAt = Long.MIN_VALUE;
    private volatile boolean requested;
    private volatile long holdUntilMillis;

    /** @param attempt what it came of; its UUID tells this very hold from all others, also from one of ours whose answer was lost */
    JdbcHold(LockTable table, RowAttempt attempt, Terms terms, long token, SentAt sent, Clock clock, @Nullable String reclaimed) {
        super(terms, token, sent.nanos(), sent.nanos() + leaseNanos(terms), reclaimed);
        this.table = table;
        this.attempt = attempt;
        this.clock = clock;
        this.leastAheadMicros = leastAhead(sent);
    }

    /**
     * When a statement was sent.
     *
     * @param nanos by the monotonic clock
     * @param aheadMicros how far the wall clock was ahead of that
     */
    record SentAt(long nanos, long aheadMicros) {
        static SentAt now(Clock clock) {
            long nanos = clock.nanos();
            return new SentAt(nanos, ahead(clock, nanos));
        }
    }

    private static long ahead(Clock clock, long nanos) {
        return clock.wallMicros() - Math.floorDiv(nanos, 1_000);
    }

    private long leastAhead(SentAt sent) {
        return Math.min(sent.aheadMicros(), ahead(clock, clock.nanos())); // it may have been set back since
    }

    String name() {
        return attempt.name;
    }

    UUID id() {
        return attempt.id;
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
        return super.isValid(now) && gone == null && passedOn == null && jumpNanos == 0 && !isOverByWallClock(now);
    }

    private boolean isOverByWallClock(long now) {
        long ahead = ahead(clock, now);
        long least = leastAheadMicros;
        if (ahead < least) {
            leastAheadMicros = ahead;
            return false;
        }
        long jump = TimeUnit.MICROSECONDS.toNanos(ahead - least);
        boolean over = jump >= deadline() - now;
        if (over && super.isValid(clock.nanos())) { // else it was this thread that stood still between the two clocks
            jumpNanos = jump;
        }
        return over;
    }

    /** A renewal is begun. */
    void asked() {
        askedAt = clock.nanos();
    }

    /** The server has renewed it. Counts only if it had not ended before: a loss is for ever. */
    void renewed(SentAt sent) {
        askedAt = Long.MIN_VALUE;
        if (isValid(clock.nanos())) {
            trouble = null;
            leastAheadMicros = leastAhead(sent);
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

    /** @param next whose the row may be from now on; null if it has not become his */
    void passedOn(@Nullable RowAttempt next) {
        passedOn = next;
    }

    /** {@return whose the row may be, since it was handed over and the answer was lost; null if nobody's} */
    @Nullable RowAttempt passedOn() {
        return passedOn;
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
        } else if (passedOn != null) {
            return "it was being passed on within this JVM, and the answer of the database was lost";
        } else if (gone != null) {
            return gone;
        } else if (jumpNanos != 0) {
            return "by the wall clock its lease was over: since the last renewal that clock has jumped ahead by " + inWords(jumpNanos)
                    + " against the monotonic clock. Either the machine slept, and others may have taken the lock over, or somebody set the clock";
        }
        String why = trouble;
        long asked = askedAt;
        if (why == null && asked != Long.MIN_VALUE) {
            why = "the database could not be reached: for " + TimeUnit.NANOSECONDS.toMillis(clock.nanos() - asked)
                    + " ms the data source has given no connection, or the server no answer";
        }
        return why == null ? null : "it could not be renewed for a whole lease, so others may have taken it over: " + why;
    }

    private static String inWords(long nanos) {
        Duration span = Duration.ofNanos(nanos);
        return span.toSeconds() == 0 ? span.toMillis() + " ms" : Durations.inWords(span);
    }
}

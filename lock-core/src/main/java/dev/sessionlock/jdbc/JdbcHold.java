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
import org.jspecify.annotations.Nullable;

/**
 * A lock that this process holds in a row of the table. Its lease counts from just before the statement was sent that took or renewed it. It ends one
 * grace before the server would let others in.
 *
 * <p>While a machine sleeps, its monotonic clock stands still and the server's clock does not. So the wall clock is read as well. The time by which
 * it has gone ahead of the monotonic clock since the statement was sent counts as time slept. A machine that has slept looks the same as one whose
 * clock was set ahead. Setting the clock back does not compensate: what counts is how far the wall clock has gone ahead since it was least ahead. One
 * case goes unnoticed: the machine sleeps, and its clock is set back by as much.
 */
final class JdbcHold extends Hold {
    /** A hold that asked for no takeover has at least this lease: over a network nobody can tell a dead holder from a silent one. */
    static final long KEPT_LEASE_NANOS = LockOptions.MAX_LEASE.toNanos();

    /** A waiter that was seen counts until it is looked for again, which is once a second. */
    private static final long WAITED_FOR_NANOS = TimeUnit.MILLISECONDS.toNanos(1_500);

    final LockTable table;
    final RowAttempt attempt;
    private final Clock clock;
    /** How far the wall clock was ahead of the monotonic clock when it was least ahead since the last renewal was sent, microseconds. */
    private volatile long leastAheadMicros;
    /** By how much the wall clock went ahead when that ended the hold, nanoseconds; 0 if it did not. */
    private volatile long jumpNanos;
    /** Why the last renewal failed; null if it succeeded. */
    private volatile @Nullable String trouble;
    /** Why the hold is no longer ours, according to the table; null if it is. */
    private volatile @Nullable String gone;
    /** The attempt that the row may belong to by now: the hold was handed over, and the answer was lost. Null if not. */
    private volatile @Nullable RowAttempt passedOn;
    /** Since when a renewal has been under way; {@link Long#MIN_VALUE} if none is. */
    private volatile long askedAt = Long.MIN_VALUE;
    private volatile boolean requested;
    /** When another process was last seen to wait for the lock. */
    private volatile long waitedForAt;
    private volatile long holdUntilMillis;

    /**
     * @param attempt the attempt that led to this hold. Its UUID tells this very hold from all others, also from one of ours whose answer was lost
     */
    JdbcHold(LockTable table, RowAttempt attempt, Terms terms, long token, SentAt sent, Clock clock, @Nullable String reclaimed) {
        super(terms, token, sent.nanos(), sent.nanos() + leaseNanos(terms), reclaimed);
        this.table = table;
        this.attempt = attempt;
        this.clock = clock;
        this.leastAheadMicros = leastAhead(sent);
        this.waitedForAt = sent.nanos() - WAITED_FOR_NANOS;
    }

    /**
     * The time at which a statement was sent.
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
        return Math.min(sent.aheadMicros(), ahead(clock, clock.nanos())); // the wall clock may have been set back since
    }

    String name() {
        return attempt.name;
    }

    UUID id() {
        return attempt.id;
    }

    /** {@return the lease that is written to the table, without the grace} */
    static long leaseNanos(Terms terms) {
        return terms.takeover() ? terms.leaseNanos() : Math.max(terms.leaseNanos(), KEPT_LEASE_NANOS);
    }

    static long leaseMillis(Terms terms) {
        return TimeUnit.NANOSECONDS.toMillis(leaseNanos(terms));
    }

    /** {@return how long others wait from the moment when the server has renewed it, milliseconds} */
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
        if (over && super.isValid(clock.nanos())) { // otherwise it was this thread that stood still between the two clocks
            jumpNanos = jump;
        }
        return over;
    }

    /** A renewal begins. */
    void asked() {
        askedAt = clock.nanos();
    }

    /** The server has renewed the lease. This has no effect on a hold that had ended before: a loss is final. */
    void renewed(SentAt sent) {
        askedAt = Long.MIN_VALUE;
        if (isValid(clock.nanos())) {
            trouble = null;
            leastAheadMicros = leastAhead(sent);
            renewed(sent.nanos(), sent.nanos() + leaseNanos(terms()));
        }
    }

    /** The table says that the hold is no longer ours. */
    void gone(String why) {
        if (gone == null) {
            gone = why;
        }
    }

    boolean isGone() {
        return gone != null;
    }

    /** @param next the attempt that the row may belong to from now on; null if the handover did not take place */
    void passedOn(@Nullable RowAttempt next) {
        passedOn = next;
    }

    /** {@return the attempt that the row may belong to, since the hold was handed over and the answer was lost; null if there is none} */
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

    /** {@return whether it shares the lock with other readers} */
    boolean isShared() {
        return attempt.shared;
    }

    /** Another process waits for the lock. */
    void waitedFor() {
        waitedForAt = clock.nanos();
    }

    /** {@return whether another process was seen lately to wait for the lock} */
    boolean isWaitedFor() {
        return clock.nanos() - waitedForAt < WAITED_FOR_NANOS;
    }

    /** Sets when the hold ends at the latest, by our wall clock; negative if never. */
    void endsAt(long wallMillis) {
        holdUntilMillis = wallMillis;
    }

    /**
     * {@return in how many milliseconds the hold ends at the latest; negative if never} A duration rather than a time, since the server's clock is
     * another one.
     */
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

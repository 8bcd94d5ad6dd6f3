package dev.sessionlock.jdbc;

import dev.sessionlock.LockException;
import dev.sessionlock.LockMode;
import dev.sessionlock.LockReport;
import dev.sessionlock.PastHold;
import dev.sessionlock.internal.system.Liveness;
import dev.sessionlock.internal.system.Log;
import dev.sessionlock.internal.system.Loggers;
import dev.sessionlock.jdbc.JdbcHold.SentAt;
import dev.sessionlock.jdbc.ReadersInside.Way;
import dev.sessionlock.spi.AcquireResult;
import dev.sessionlock.spi.Busy;
import dev.sessionlock.spi.Clock;
import dev.sessionlock.spi.EngineLock;
import dev.sessionlock.spi.Hold;
import dev.sessionlock.spi.Terms;
import java.io.IOException;
import java.sql.SQLException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.ThreadLocalRandom;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;

/** One lock in the table. */
final class JdbcLock implements EngineLock {
    static final String OVER = "by the database's clock its lease was over, or somebody took it away there, so that others may have it";
    static final String DELETED = "somebody deleted its row from the table, so that others may have it";

    private static final Log log = Loggers.LIBRARY;

    /** A lock that is still open when the JVM ends is kept for this long: the time for the other shutdown hooks and the halt. */
    private static final Duration LAST_MOMENTS = Duration.ofSeconds(5);

    private final LockTable table;
    private final RenewalWorker renewals;
    private final @Nullable NotificationListener listener;
    private final @Nullable JdbcHistory history;
    private final Clock clock;
    private final Duration limit;
    private final String name;
    /** Wakes whoever waits in this JVM. */
    private volatile Runnable wake = () -> { };

    // Guarded by the caller, who calls one method at a time.
    private @Nullable JdbcHold current;
    /**
     * The attempts of this lock whose outcome is open: from before an attempt is made until it has led to a hold or to nothing, or until its row was
     * given back. If no call is running, each attempt in here belongs to a call that threw.
     */
    private final List<RowAttempt> unsettled = new ArrayList<>(2);
    private @Nullable Row seen;
    private final PollPause pause;
    private volatile long waiterMarkSeenAt;

    /**
     * @param listener hears when others give the lock back; null if waiting threads only poll
     * @param history null if how holds end is not written down
     */
    JdbcLock(LockTable table, RenewalWorker renewals, @Nullable NotificationListener listener, @Nullable JdbcHistory history, Clock clock, Duration limit, String name) {
        this.table = table;
        this.renewals = renewals;
        this.listener = listener;
        this.history = history;
        this.pause = new PollPause(clock);
        this.clock = clock;
        this.limit = limit;
        this.name = name;
        this.waiterMarkSeenAt = clock.nanos() - PollPause.FRESH_NANOS;
    }

    @Override
    public String name() {
        return name;
    }

    // ---- taking ----

    @Override
    public AcquireResult take(Terms terms) throws IOException {
        seen = null;
        AcquireResult taken = take(terms, null, null);
        Row row = seen;
        if (taken instanceof Hold || row == null || !row.isHeld() || row.process().equals(table.process())) {
            return taken;
        } else if (row.isShared()) {
            Way way = terms.shared() ? Way.BARRED : Way.make(table, name, limit);
            return way.isFree() ? take(terms, null, way.evidence()) : taken;
        }
        Liveness liveness = row.liveness();
        return liveness.verdict() == Liveness.Verdict.DEAD ? take(terms, row, null) : taken;
    }

    /**
     * @param dead the row of an owner whose death is proven; null if only the lease counts
     * @param evidence why readers that have not given the lock back do not count any more; null if there are none
     */
    private AcquireResult take(Terms terms, @Nullable Row dead, @Nullable String evidence) throws IOException {
        RowAttempt attempt = begin(terms);
        try {
            return take(attempt, terms, dead, evidence);
        } catch (SQLException e) {
            return notTaken(attempt, e);
        } catch (RuntimeException | Error e) {
            giveUpBecauseOf(e, attempt);
            throw e;
        }
    }

    private AcquireResult take(RowAttempt attempt, Terms terms, @Nullable Row dead, @Nullable String evidence) throws SQLException {
        SentAt sent = SentAt.now(clock);
        LockTable.Answer answer = table.of(attempt.shared).take(attempt, terms, dead == null ? null : dead.holder(), limit);
        Row before = answer.before();
        if (answer.token() == null) {
            over(attempt);
            seen = before;
            return busy(before);
        }
        String why = evidence != null ? evidence : LeftRows.evidence(before, dead);
        JdbcHold hold = new JdbcHold(table, attempt, terms, answer.token(), sent, clock, why);
        if (why != null && before != null && before.isHeld()) {
            LeftRows.tidy(history, before, table, clock, limit);
        }
        if (!hold.isValid(clock.nanos())) {
            giveUp(attempt);
            return new Busy(Busy.PACED, clock.nanos() + pause.next(), "the answer of the database took longer than the lease");
        }
        notice(before);
        pause.reset();
        return begin(hold, null);
    }

    /** Remembers the attempt that is about to be sent, since it may take the row. Earlier attempts that came to nothing are settled first. */
    private RowAttempt begin(Terms terms) throws LockException {
        settle();
        RowAttempt attempt = new RowAttempt(name, terms, limit);
        unsettled.add(attempt);
        renewals.begin(attempt);
        return attempt;
    }

    /** From here on the caller has the hold, so nothing may throw. */
    private JdbcHold begin(JdbcHold hold, @Nullable JdbcHold before) {
        hold.endsAt(hold.terms().maxHoldMillis() < 0 ? -1 : clock.wallMillis() + hold.terms().maxHoldMillis());
        renewals.took(hold, before);
        unsettled.remove(hold.attempt);
        current = hold;
        return hold;
    }

    /** The attempt has left nothing in the table. */
    private void over(RowAttempt attempt) {
        renewals.over(attempt);
        unsettled.remove(attempt);
    }

    /** Has the row given back soon, if it may be ours. {@link #tidy} tells when that is done. */
    private void giveUp(RowAttempt attempt) {
        if (!attempt.isOver() && !unsettled.contains(attempt)) {
            unsettled.add(attempt);
        }
        renewals.giveUp(attempt);
    }

    /** @param trouble the throwable that is about to be rethrown; errors that follow from it must not hide it */
    private void giveUpBecauseOf(Throwable trouble, RowAttempt attempt) {
        try {
            giveUp(attempt);
        } catch (RuntimeException | Error e) {
            log.debug("{} cannot be given back now, for what caused this: {}; it will be by tidy()", attempt.name, trouble, e);
        }
    }

    /** Gives up what a call that threw has left behind: no call is running now. Has the rows given back that still have to be. */
    private void settle() {
        for (int i = unsettled.size() - 1; i >= 0; i--) {
            RowAttempt attempt = unsettled.get(i);
            renewals.giveUp(attempt);
            if (attempt.isOver()) {
                unsettled.remove(i);
            }
        }
    }

    /** The statement may have been carried out nevertheless, or may still be. Then it is undone, or its lease runs out. */
    private AcquireResult notTaken(RowAttempt attempt, SQLException e) throws LockException {
        boolean mayPass = Database.mayPass(e);
        if (!mayPass) {
            attempt.refused();
        }
        giveUp(attempt);
        LockException why = Database.explain(e, "cannot lock " + name, table.of(attempt.shared).sqlNames());
        if (!mayPass) {
            throw why;
        }
        log.debug("{}", why.getMessage(), e);
        return new Busy(Busy.PACED, clock.nanos() + pause.next(), why.getMessage(), why);
    }

    private LockException explain(String what, SQLException e) {
        return Database.explain(e, "cannot " + what + " " + name, table.sqlNames());
    }

    private Busy busy(@Nullable Row row) {
        long now = clock.nanos();
        long sleep = pause.next();
        if (row != null && row.isHeld() && !row.isLeaseOver()) {
            sleep = Math.min(sleep, row.left().toNanos() + ThreadLocalRandom.current().nextLong(PollPause.FIRST_NANOS));
        }
        return new Busy(Busy.PACED, now + sleep, RowSentences.busy(row, table.process()));
    }

    /** A hold is never handed over to readers, nor by them: a reader draws no token, and a writer has to wait for the readers of other processes. */
    @Override
    public @Nullable Hold handOver(Hold from, Terms terms) throws IOException {
        JdbcHold old = (JdbcHold) from;
        if (old.isShared() || terms.shared()) {
            return null;
        }
        RowAttempt attempt = begin(terms);
        old.passedOn(attempt); // until it is known which attempt the row belongs to, the old hold does not count, and both are given back
        try {
            return handOver(old, attempt, terms);
        } catch (SQLException e) {
            if (!Database.mayPass(e)) {
                attempt.refused();
            }
            notHandedOver(old, attempt, e);
            throw explain("hand over", e);
        } catch (RuntimeException | Error e) {
            notHandedOver(old, attempt, e);
            throw e;
        }
    }

    private @Nullable Hold handOver(JdbcHold old, RowAttempt attempt, Terms terms) throws SQLException {
        SentAt sent = SentAt.now(clock);
        Row row = table.handOver(old, attempt, terms, limit);
        if (row == null) {
            over(attempt);
            old.passedOn(null);
            return null;
        }
        JdbcHold hold = new JdbcHold(table, attempt, terms, row.token(), sent, clock, null);
        if (!hold.isValid(clock.nanos())) {
            giveUp(attempt);
            return null;
        }
        notice(row);
        return begin(hold, old);
    }

    private void notHandedOver(JdbcHold old, RowAttempt attempt, Throwable trouble) {
        if (attempt.state() == RowAttempt.AttemptState.PREPARED) {
            old.passedOn(null); // nothing was done, and the old hold is as it was
        }
        giveUpBecauseOf(trouble, attempt);
    }

    // ---- holding ----

    /** Only starts the renewal: one statement renews the leases of all holds. */
    @Override
    public boolean renew(Hold hold, long holdUntilMillis) {
        JdbcHold ours = (JdbcHold) hold;
        ours.endsAt(holdUntilMillis);
        boolean valid = ours.isValid(clock.nanos());
        if (valid) {
            renewals.renewSoon(ours);
        }
        return valid;
    }

    @Override
    public HoldStatus check(Hold hold, boolean deeply) {
        JdbcHold ours = (JdbcHold) hold;
        return ours.isGone() ? HoldStatus.LOST : ours.isRequested() ? HoldStatus.REQUESTED : HoldStatus.INTACT;
    }

    @Override
    public void lookAfresh() throws IOException {
        JdbcHold ours = current;
        if (ours == null) {
            return;
        }
        try {
            LockTable.RowVerdict verdict = table.of(ours.isShared()).judge(List.of(ours), limit).get(0);
            if (verdict != LockTable.RowVerdict.OURS) {
                ours.gone(verdict == LockTable.RowVerdict.OVER ? OVER : DELETED);
            }
        } catch (SQLException e) {
            throw explain("verify the lock", e);
        }
    }

    // ---- giving back ----

    @Override
    public void release(Hold hold) {
        JdbcHold ours = (JdbcHold) hold;
        forget(ours);
        if (ours.attempt.state() != RowAttempt.AttemptState.HELD) {
            return; // it was released before; if that is not done yet, it is under way
        } else if (!ours.isValid(clock.nanos())) {
            releaseSoon(ours); // the database may be away: the thread that closes need not wait for it
            return;
        }
        try {
            table.of(ours.isShared()).release(name, ours.id(), limit);
            over(ours.attempt);
        } catch (SQLException | RuntimeException e) {
            giveUp(ours.attempt);
            log.warn("could not give back {} (token {}); it is tried again until its lease is over", this, ours.token(), e);
        } catch (Error e) {
            giveUpBecauseOf(e, ours.attempt);
            throw e;
        }
    }

    @Override
    public void releaseSoon(Hold hold) {
        JdbcHold ours = (JdbcHold) hold;
        forget(ours);
        if (ours.attempt.state() != RowAttempt.AttemptState.HELD) {
            return; // as above; and if it was handed over, the row belongs to another hold of this JVM
        }
        RowAttempt next = ours.passedOn();
        if (next != null) {
            giveUp(next);
        }
        if (ours.isGone()) {
            over(ours.attempt);
        } else {
            giveUp(ours.attempt);
        }
    }

    private void forget(JdbcHold hold) {
        renewals.end(hold);
        if (current == hold) {
            current = null;
        }
    }

    @Override
    public void abandon(Hold hold) {
        JdbcHold ours = (JdbcHold) hold;
        forget(ours);
        if (!ours.isValid(clock.nanos()) || renewals.isAway()) {
            return; // the end of the JVM must not wait for a database that is away, one lock after the other
        }
        try {
            table.of(ours.isShared()).abandon(ours, ours.terms().takeover() ? LAST_MOMENTS : Duration.ofNanos(ours.terms().leaseNanos()), limit);
        } catch (SQLException | RuntimeException e) {
            renewals.failed();
            log.debug("could not shorten the lease of {}; it runs out", this, e);
        }
    }

    /** Memory only: the renewal worker gives the rows back. */
    @Override
    public boolean tidy() {
        settle();
        return unsettled.isEmpty();
    }

    // ---- looking ----

    @Override
    public LockReport inspect() throws IOException {
        try {
            return RowReports.look(table, name, limit);
        } catch (SQLException e) {
            throw explain("look at", e);
        }
    }

    // ---- what happened ----

    @Override
    public boolean keepsHistory() {
        return history != null;
    }

    @Override
    public void note(PastHold ended) {
        if (history != null) {
            history.note(ended);
        }
    }

    // ---- for a person who wants it free ----

    @Override
    public Cleared clear(boolean takeForeign) throws IOException {
        try {
            Row row = table.look(name, limit);
            if (row == null || !row.isHeld()) {
                return new Cleared(ClearOutcome.NOTHING, "nobody has it any more");
            } else if (row.isShared()) {
                return ReadersInside.of(table, name, limit).clear();
            }
            Liveness liveness = row.liveness();
            if (liveness.verdict() != Liveness.Verdict.DEAD) {
                return new Cleared(ClearOutcome.KEPT, liveness.evidence());
            }
            if (!table.clear(name, row.holder(), limit)) {
                return new Cleared(ClearOutcome.KEPT, "it is another's by now, or a fencing transaction of its holder has not ended");
            }
            LeftRows.note(history, row, table, clock);
            return new Cleared(ClearOutcome.REMOVED, liveness.evidence());
        } catch (SQLException e) {
            throw explain("clear", e);
        }
    }

    @Override
    public void askForRelease(long token) throws IOException {
        try {
            table.request(name, token, limit);
        } catch (SQLException e) {
            throw explain("clear", e);
        }
    }

    @Override
    public boolean withdrawAsking(long token) throws IOException {
        try {
            return table.withdrawRequest(name, token, limit);
        } catch (SQLException e) {
            throw explain("clear", e);
        }
    }

    // ---- waiting ----

    @Override
    public void setWaiterMark(LockMode mode, boolean waits) {
        if (!waits) {
            return; // nothing lingers in a table
        }
        if (listener != null) {
            listener.waits(this);
        }
        Row row = seen;
        if (row == null || !row.needsWaiterMark(table.process(), mode)) {
            return;
        }
        try {
            table.setWaiterMark(name, limit);
        } catch (SQLException | RuntimeException e) {
            log.debug("could not tell other processes that we wait for {}", this, e);
        }
    }

    @Override
    public void onFreed(Runnable action) {
        wake = action;
    }

    /** Another process has given it back, and it is reserved for this one. */
    void freed() {
        wake.run();
    }

    private void notice(@Nullable Row row) {
        if (row != null && row.isWaitedForByOthersThan(table.process())) {
            waiterMarkSeenAt = clock.nanos();
        }
    }

    /** As the last statement has read it. The table decides how long a waiter mark counts. */
    @Override
    public boolean othersWait(Hold hold, long nanos) {
        return clock.nanos() - waiterMarkSeenAt < TimeUnit.MILLISECONDS.toNanos(LockTable.WAITER_MARK_LASTS_MS) || ((JdbcHold) hold).isWaitedFor();
    }

    /** What the last take has seen, or the renewal worker, which looks once a second. */
    @Override
    public boolean mayShare(Hold hold) {
        return !((JdbcHold) hold).isShared() || !othersWait(hold, WAITER_MARK_NANOS);
    }

    /** {@return the lock's name and its table, for the log} */
    @Override
    public String toString() {
        return name + " in " + table.sqlName();
    }
}

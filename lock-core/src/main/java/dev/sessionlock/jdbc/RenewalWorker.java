package dev.sessionlock.jdbc;

import dev.sessionlock.LockException;
import dev.sessionlock.internal.system.GrowingPause;
import dev.sessionlock.internal.system.Log;
import dev.sessionlock.internal.system.Loggers;
import dev.sessionlock.internal.system.RareLog;
import dev.sessionlock.internal.system.StackRoom;
import dev.sessionlock.jdbc.JdbcHold.SentAt;
import dev.sessionlock.spi.Clock;
import java.sql.SQLException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.Iterator;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.UUID;
import java.util.concurrent.ThreadFactory;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.Condition;
import java.util.concurrent.locks.ReentrantLock;
import org.jspecify.annotations.Nullable;

/**
 * Background work of the engine, done by one thread, which a silent database may keep waiting. It renews all holds of this process in one statement,
 * gives back rows that could not be given back at once, and asks which holds somebody wants released. The keeper, which ends holds that are over,
 * never waits for it.
 *
 * <p>The thread ends only when there is nothing to do. Neither what the user's data source throws ends it, nor an {@code Error} of its own. If the
 * system gives us no thread, no attempt is begun, and whatever comes next (an acquisition, the keeper's next look) tries to start the thread again.
 */
final class RenewalWorker {
    private static final Log log = Loggers.LIBRARY;

    private static final long HEAR_NANOS = TimeUnit.SECONDS.toNanos(1);
    private static final long TRY_AGAIN_NANOS = TimeUnit.SECONDS.toNanos(1);
    private static final long IDLE_NANOS = TimeUnit.SECONDS.toNanos(5);
    /** The most rows in one statement; more would keep the first ones waiting. */
    private static final int BATCH = 10_000;
    private static final Duration SHORTEST_LIMIT = Duration.ofMillis(500);
    private static final String NO_THREAD = "no thread could be started to look after it: the user, the process or its container has as many "
            + "as it may (ulimit -u, pids.max of the cgroup), or no memory is left for a stack";

    private final LockTable table;
    private final Clock clock;
    private final Duration limit;
    private final ThreadFactory threads;
    private final RareLog startTrouble;
    private final RareLog renewalTrouble;
    private final RareLog releaseTrouble;
    private final RareLog hearingTrouble;
    private final RareLog trouble;
    private final ReentrantLock mutex = new ReentrantLock();
    private final Condition changed = mutex.newCondition();

    // guarded by the mutex
    private final Map<UUID, JdbcHold> live = new HashMap<>();
    private Map<UUID, JdbcHold> due = new HashMap<>();
    /** The attempts whose outcome is open, and those that were given up. */
    private final Map<UUID, RowAttempt> attempts = new HashMap<>();
    private @Nullable Thread thread;
    private long hearAt;

    /** Used by the worker's thread only. */
    private final GrowingPause pause = new GrowingPause();

    /** When a statement last failed that may succeed later. */
    private volatile long failedAt;

    /**
     * @param limit how long the server may keep a statement waiting
     * @param threads makes the thread, not yet started
     */
    RenewalWorker(LockTable table, Clock clock, Duration limit, ThreadFactory threads) {
        this.table = table;
        this.clock = clock;
        this.limit = limit;
        this.threads = threads;
        this.failedAt = clock.nanos() - TimeUnit.MINUTES.toNanos(1);
        String where = table.sqlName();
        this.startTrouble = new RareLog(log, "the locks in " + where + " are not renewed: no thread could be started; trying again");
        this.renewalTrouble = new RareLog(log, "could not renew the leases of locks in " + where + "; trying again");
        this.releaseTrouble = new RareLog(log, "could not give back locks in " + where + "; trying again until their leases are over");
        this.hearingTrouble = new RareLog(log, "could not look who is asked to let go of a lock in " + where + "; trying again");
        this.trouble = new RareLog(log, "the thread that renews the locks in " + where + " stumbled; it goes on");
    }

    /**
     * {@return the thread for this work} It belongs to the topmost thread group, since an application server may interrupt all threads of its own
     * group. It has the library's class loader, since a pool may use that to find its driver.
     */
    static Thread daemon(Runnable work) {
        ThreadGroup top = Thread.currentThread().getThreadGroup();
        while (top.getParent() != null) {
            top = top.getParent();
        }
        Thread thread = new Thread(top, work, "sessionlock-jdbc", 0, false);
        thread.setContextClassLoader(RenewalWorker.class.getClassLoader());
        thread.setDaemon(true);
        return thread;
    }

    void failed() {
        failedAt = clock.nanos();
    }

    /** {@return whether the database could not be reached recently} */
    boolean isAway() {
        return clock.nanos() - failedAt < limit.toNanos();
    }

    /** Takes the mutex, if the stack has room for whatever follows. */
    private void lock() {
        StackRoom.require();
        mutex.lock();
    }

    // ---- attempts ----

    /**
     * An attempt is about to be made. The thread must run from now on, so that it can clean up after the attempt.
     *
     * @throws LockException if no thread can be started; then the attempt must not be made
     */
    void begin(RowAttempt attempt) throws LockException {
        lock();
        try {
            attempts.put(attempt.id, attempt);
            start();
        } catch (NoThreadException e) {
            forget(attempt);
            attempt.over();
            throw new LockException("cannot lock " + attempt.name + ": " + NO_THREAD, e.getCause());
        } finally {
            mutex.unlock();
        }
    }

    /**
     * An attempt has led to a hold. From now on the hold is renewed, and requests to release it are looked for.
     *
     * @param before the hold that was handed over, which is over; null if there was none
     */
    void took(JdbcHold hold, @Nullable JdbcHold before) {
        lock();
        try {
            boolean isFirst = live.isEmpty();
            live.put(hold.id(), hold);
            if (isFirst) {
                hearAt = clock.nanos() + HEAR_NANOS; // nobody can have asked yet
                changed.signalAll(); // the thread sleeps longer while nothing is held
            }
            hold.attempt.held();
            attempts.remove(hold.id());
            if (before != null) {
                forget(before.attempt);
                before.attempt.over();
            }
        } finally {
            mutex.unlock();
        }
    }

    /** An attempt has come to nothing, or the table has nothing left of its hold. */
    void over(RowAttempt attempt) {
        lock();
        try {
            forget(attempt);
            attempt.over();
        } finally {
            mutex.unlock();
        }
    }

    /**
     * Nobody uses an attempt or its hold any more. If its row may be ours, or may become ours when the statement arrives, it is given back. The
     * caller may repeat this, and should if the attempt was not over then: whatever kept the row from being given back may have passed.
     */
    void giveUp(RowAttempt attempt) {
        lock();
        try {
            boolean news = attempt.giveUp(clock.nanos());
            forget(attempt);
            if (!attempt.isOver()) {
                news |= attempts.put(attempt.id, attempt) == null;
                startQuietly();
            }
            if (news) {
                changed.signalAll();
            }
        } finally {
            mutex.unlock();
        }
    }

    /** Under the mutex. */
    private void forget(RowAttempt attempt) {
        live.remove(attempt.id);
        due.remove(attempt.id);
        if (attempt.state() != RowAttempt.AttemptState.GIVEN_UP) {
            attempts.remove(attempt.id);
        }
    }

    // ---- holds ----

    /** The hold is over, whatever still has to be done about it. */
    void end(JdbcHold hold) {
        lock();
        try {
            live.remove(hold.id());
            due.remove(hold.id());
        } finally {
            mutex.unlock();
        }
    }

    void renewSoon(JdbcHold hold) {
        lock();
        try {
            if (!live.containsKey(hold.id())) {
                return;
            }
            if (due.put(hold.id(), hold) == null) {
                changed.signalAll();
            }
            if (!startQuietly()) {
                hold.failed(NO_THREAD);
            }
        } finally {
            mutex.unlock();
        }
    }

    boolean isIdle() {
        lock();
        try {
            return live.isEmpty() && attempts.isEmpty();
        } finally {
            mutex.unlock();
        }
    }

    // ---- the thread ----

    /** The system gives us no thread. */
    private static final class NoThreadException extends Exception {
        private static final long serialVersionUID = 1L;

        private NoThreadException(Throwable cause) {
            super(cause);
        }
    }

    /** Under the mutex. Starts the thread unless it runs. */
    private void start() throws NoThreadException {
        if (thread != null && thread.isAlive()) {
            return;
        }
        try {
            Thread fresh = threads.newThread(this::run);
            fresh.start();
            thread = fresh; // not before start() has returned: a thread that did not start must not look as if it ran
        } catch (RuntimeException | Error e) {
            throw new NoThreadException(e);
        }
    }

    /** Under the mutex. Returns whether the thread runs. */
    private boolean startQuietly() {
        try {
            start();
            return true;
        } catch (NoThreadException e) {
            startTrouble.error(e.getCause());
            return false;
        }
    }

    /** The work of one round. */
    private record RenewalRound(List<JdbcHold> renewals, List<RowAttempt> givenUp, boolean hear) {
        List<JdbcHold> renewals(boolean shared) {
            return renewals.stream().filter(hold -> hold.isShared() == shared).toList();
        }

        List<RowAttempt> givenUp(boolean shared) {
            return givenUp.stream().filter(attempt -> attempt.shared == shared).toList();
        }
    }

    private void run() {
        while (true) {
            try {
                RenewalRound round = await();
                if (round == null) {
                    return;
                } else if (isDone(round)) {
                    pause.reset();
                } else {
                    pause.rest();
                }
            } catch (RuntimeException | Error e) { // if this thread ended, every lock would be lost with its lease
                trouble.error(e);
                pause.rest();
            }
        }
    }

    /** Each part is separate: what the data source throws in one must not prevent the others. Returns whether nothing was thrown. */
    private boolean isDone(RenewalRound round) {
        boolean done = true;
        for (boolean shared : new boolean[] {false, true}) {
            done &= isDone(() -> renew(round.renewals(shared), table.of(shared)), renewalTrouble);
            done &= isDone(() -> release(round.givenUp(shared), table.of(shared)), releaseTrouble);
            done &= !round.hear || isDone(() -> hear(shared), hearingTrouble);
        }
        return done;
    }

    private boolean isDone(Runnable part, RareLog ifNot) {
        try {
            part.run();
            return true;
        } catch (RuntimeException | Error e) {
            ifNot.error(e);
            failed();
            return false;
        }
    }

    /** {@return null when there has been nothing to do for a while; the thread then ends} */
    private @Nullable RenewalRound await() {
        lock();
        try {
            long idleAt = clock.nanos() + IDLE_NANOS;
            while (true) {
                long now = clock.nanos();
                List<RowAttempt> ready = ready(now);
                boolean hear = !live.isEmpty() && hearAt - now <= 0;
                if (!due.isEmpty() || !ready.isEmpty() || hear) {
                    hearAt = hear ? now + HEAR_NANOS : hearAt;
                    return new RenewalRound(renewals(), ready, hear);
                } else if (!live.isEmpty() || !attempts.isEmpty()) {
                    idleAt = now + IDLE_NANOS;
                } else if (now - idleAt >= 0) {
                    thread = null;
                    return null;
                }
                sleep(now, idleAt);
            }
        } finally {
            mutex.unlock();
        }
    }

    private void sleep(long now, long idleAt) {
        long until = idleAt;
        if (!live.isEmpty()) {
            until = Math.min(until, hearAt);
        }
        for (RowAttempt attempt : attempts.values()) {
            if (attempt.state() == RowAttempt.AttemptState.GIVEN_UP) {
                until = Math.min(until, attempt.dueAt());
            }
        }
        try {
            changed.awaitNanos(Math.max(until - now, 1));
        } catch (InterruptedException e) {
            log.debug("somebody interrupted the thread that renews the locks; it goes on", e);
        }
    }

    private List<JdbcHold> renewals() {
        List<JdbcHold> batch = new ArrayList<>(Math.min(due.size(), BATCH));
        if (due.size() <= BATCH) {
            batch.addAll(due.values());
            due = new HashMap<>();
            return batch;
        }
        for (JdbcHold hold : due.values()) {
            if (batch.size() < BATCH) {
                batch.add(hold);
            }
        }
        batch.forEach(hold -> due.remove(hold.id()));
        return batch;
    }

    private List<RowAttempt> ready(long now) {
        List<RowAttempt> ready = new ArrayList<>();
        for (Iterator<RowAttempt> i = attempts.values().iterator(); i.hasNext(); ) {
            RowAttempt attempt = i.next();
            if (attempt.state() != RowAttempt.AttemptState.GIVEN_UP) {
                continue;
            } else if (attempt.hasRunOut(now)) {
                attempt.over();
                i.remove();
            } else if (attempt.isDue(now) && ready.size() < BATCH) {
                ready.add(attempt);
                attempt.tryAgainAt(now + TRY_AGAIN_NANOS);
            }
        }
        return ready;
    }

    // ---- renewing ----

    private void renew(List<JdbcHold> due, HoldStatements rows) {
        long now = clock.nanos();
        // A hold may have been renewed since it was put on this list. It can wait.
        List<JdbcHold> holds = due.stream().filter(hold -> hold.isValid(now) && now - hold.renewedAt() >= hold.terms().leaseNanos() / 4).toList();
        if (holds.isEmpty()) {
            return;
        }
        SentAt sent = SentAt.now(clock);
        Duration within = within(holds);
        holds.forEach(JdbcHold::asked);
        try {
            Set<UUID> renewed = rows.renew(holds, within);
            List<JdbcHold> left = new ArrayList<>();
            for (JdbcHold hold : holds) {
                if (renewed.contains(hold.id())) {
                    hold.renewed(sent);
                } else {
                    left.add(hold);
                }
            }
            if (!left.isEmpty()) {
                judge(left, rows, within);
            }
        } catch (SQLException e) {
            String why = Database.inWords(e, rows.sqlNames());
            holds.forEach(hold -> hold.failed(why));
            failed();
            renewalTrouble.warn(why, null);
        } catch (RuntimeException | Error e) { // usually thrown by the user's data source
            holds.forEach(hold -> hold.failed(String.valueOf(e)));
            throw e;
        }
    }

    /** No longer than leaves time for another try. */
    private Duration within(List<JdbcHold> holds) {
        long lease = holds.stream().mapToLong(hold -> hold.terms().leaseNanos()).min().orElse(Long.MAX_VALUE);
        Duration third = Duration.ofNanos(lease / 3);
        return third.compareTo(SHORTEST_LIMIT) < 0 ? SHORTEST_LIMIT : third.compareTo(limit) < 0 ? third : limit;
    }

    private void judge(List<JdbcHold> holds, HoldStatements rows, Duration within) throws SQLException {
        List<LockTable.RowVerdict> verdicts = rows.judge(holds, within);
        for (int i = 0; i < holds.size(); i++) {
            switch (verdicts.get(i)) {
                case OURS -> holds.get(i).failed("its row is locked by another transaction, not one of ours (pg_blocking_pids() tells whose)");
                case OVER -> holds.get(i).gone(JdbcLock.OVER);
                case DELETED -> holds.get(i).gone(JdbcLock.DELETED);
            }
        }
    }

    // ---- the rest ----

    private void release(List<RowAttempt> ready, HoldStatements rows) {
        if (ready.isEmpty()) {
            return;
        }
        try {
            Set<UUID> released = rows.release(ready.stream().map(attempt -> attempt.name).toList(),
                    ready.stream().map(attempt -> attempt.id).toList(), limit);
            lock();
            try {
                ready.stream().filter(attempt -> released.contains(attempt.id)).forEach(attempt -> {
                    attempts.remove(attempt.id);
                    attempt.over();
                });
            } finally {
                mutex.unlock();
            }
        } catch (SQLException e) {
            log.debug("could not give back {} locks; trying again until their leases are over", ready.size(), e);
        }
    }

    private void hear(boolean shared) {
        List<JdbcHold> holds;
        lock();
        try {
            holds = live.values().stream().filter(hold -> hold.isShared() == shared).toList();
        } finally {
            mutex.unlock();
        }
        if (!holds.isEmpty()) {
            HoldRequests.hear(table, holds, shared, within(holds));
        }
    }
}

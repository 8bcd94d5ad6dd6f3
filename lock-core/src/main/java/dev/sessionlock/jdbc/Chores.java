package dev.sessionlock.jdbc;

import dev.sessionlock.jdbc.JdbcHold.Moment;
import dev.sessionlock.spi.Clock;
import java.sql.SQLException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.UUID;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.Condition;
import java.util.concurrent.locks.ReentrantLock;
import org.jetbrains.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * What is done behind the holders' backs, by one thread that a database which has gone silent may keep waiting: it renews all holds of
 * this process in one statement, gives back what could not be given back at once, and hears who is asked to let go. The keeper, who ends
 * what is over, waits for nobody.
 */
final class Chores {
    private static final Logger log = LoggerFactory.getLogger(Chores.class);

    private static final long HEAR_NANOS = TimeUnit.SECONDS.toNanos(1);
    private static final long TRY_AGAIN_NANOS = TimeUnit.SECONDS.toNanos(1);
    private static final long IDLE_NANOS = TimeUnit.SECONDS.toNanos(5);
    /** So many rows in one statement; more would keep the first ones waiting. */
    private static final int BATCH = 10_000;
    private static final Duration SHORTEST_LIMIT = Duration.ofMillis(500);

    /** A hold that is to be given back, or one of which nobody knows whether it came about. */
    private static final class Leftover {
        private final String name;
        private final UUID id;
        /** From then on the server lets others in anyway. */
        private final long until;
        private long tryAt;

        private Leftover(String name, UUID id, long until, long tryAt) {
            this.name = name;
            this.id = id;
            this.until = until;
            this.tryAt = tryAt;
        }
    }

    private final LockTable table;
    private final Clock clock;
    private final Duration limit;
    private final ReentrantLock mutex = new ReentrantLock();
    private final Condition changed = mutex.newCondition();

    // guarded by the mutex
    private final Map<UUID, JdbcHold> live = new HashMap<>();
    private Map<UUID, JdbcHold> due = new HashMap<>();
    private final Map<UUID, Leftover> leftovers = new HashMap<>();
    private @Nullable Thread thread;
    private long hearAt;

    /** When a statement last failed that may succeed later. */
    private volatile long failedAt;

    /** @param limit how long the server may keep a statement waiting */
    Chores(LockTable table, Clock clock, Duration limit) {
        this.table = table;
        this.clock = clock;
        this.limit = limit;
        this.failedAt = clock.nanos() - TimeUnit.MINUTES.toNanos(1);
    }

    void failed() {
        failedAt = clock.nanos();
    }

    /** {@return whether the database has been found away of late} */
    boolean isAway() {
        return clock.nanos() - failedAt < limit.toNanos();
    }

    /** From now on it is listened for who asks this hold to let go. */
    void begin(JdbcHold hold) {
        mutex.lock();
        try {
            live.put(hold.id, hold);
            start();
        } finally {
            mutex.unlock();
        }
    }

    /** It is over, whatever is still to be done about it. */
    void end(JdbcHold hold) {
        mutex.lock();
        try {
            live.remove(hold.id);
            due.remove(hold.id);
        } finally {
            mutex.unlock();
        }
    }

    void renewSoon(JdbcHold hold) {
        mutex.lock();
        try {
            if (live.containsKey(hold.id) && due.put(hold.id, hold) == null) {
                start();
                changed.signalAll();
            }
        } finally {
            mutex.unlock();
        }
    }

    /**
     * Has a hold given back.
     *
     * @param id which; it may never have come about, or only come about when its statement arrives
     * @param until when, monotonic nanoseconds, the server lets others in anyway
     */
    void releaseSoon(String name, UUID id, long until) {
        mutex.lock();
        try {
            leftovers.put(id, new Leftover(name, id, until, clock.nanos()));
            start();
            changed.signalAll();
        } finally {
            mutex.unlock();
        }
    }

    boolean isIdle() {
        mutex.lock();
        try {
            return live.isEmpty() && leftovers.isEmpty();
        } finally {
            mutex.unlock();
        }
    }

    /** Under the mutex. */
    private void start() {
        if (thread == null) {
            thread = new Thread(null, this::run, "sessionlock-jdbc", 0, false);
            thread.setContextClassLoader(Chores.class.getClassLoader()); // the pool may look for its driver by it
            thread.setDaemon(true);
            thread.start();
        }
    }

    /** What is to be done in one round. */
    private record Round(List<JdbcHold> renewals, List<Leftover> leftovers, boolean hear) {
    }

    private void run() {
        while (true) {
            Round round = await();
            if (round == null) {
                return;
            }
            try {
                renew(round.renewals);
                release(round.leftovers);
                if (round.hear) {
                    hear();
                }
            } catch (RuntimeException | Error e) { // of the user's data source, perhaps: if this ended, every lock would be lost
                round.renewals.forEach(hold -> hold.failed(e.toString()));
                log.error("could not renew the locks of {}; trying again", table.sqlName(), e);
            }
        }
    }

    /** {@return null when there has been nothing to do for a while: then the thread is no more} */
    private @Nullable Round await() {
        mutex.lock();
        try {
            long idleAt = clock.nanos() + IDLE_NANOS;
            while (true) {
                long now = clock.nanos();
                List<Leftover> ready = ready(now);
                boolean hear = !live.isEmpty() && hearAt - now <= 0;
                if (!due.isEmpty() || !ready.isEmpty() || hear) {
                    hearAt = hear ? now + HEAR_NANOS : hearAt;
                    return new Round(renewals(), ready, hear);
                } else if (live.isEmpty() && leftovers.isEmpty() && now - idleAt >= 0) {
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
        for (Leftover leftover : leftovers.values()) {
            until = Math.min(until, leftover.tryAt);
        }
        try {
            changed.awaitNanos(Math.max(until - now, 1));
        } catch (InterruptedException e) {
            log.debug("somebody interrupted the chores; they go on", e);
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
        batch.forEach(hold -> due.remove(hold.id));
        return batch;
    }

    private List<Leftover> ready(long now) {
        leftovers.values().removeIf(leftover -> leftover.until - now <= 0);
        List<Leftover> ready = new ArrayList<>();
        for (Leftover leftover : leftovers.values()) {
            if (leftover.tryAt - now <= 0 && ready.size() < BATCH) {
                leftover.tryAt = now + TRY_AGAIN_NANOS;
                ready.add(leftover);
            }
        }
        return ready;
    }

    // ---- renewing ----

    private void renew(List<JdbcHold> due) {
        long now = clock.nanos();
        // What was renewed while it was put down for it once more can wait.
        List<JdbcHold> holds = due.stream().filter(hold -> hold.isValid(now) && now - hold.renewedAt() >= hold.terms().leaseNanos() / 4).toList();
        if (holds.isEmpty()) {
            return;
        }
        Moment sent = Moment.now(clock);
        Duration within = within(holds);
        holds.forEach(JdbcHold::asked);
        try {
            Set<UUID> renewed = table.renew(holds, within);
            List<JdbcHold> left = new ArrayList<>();
            for (JdbcHold hold : holds) {
                if (renewed.contains(hold.id)) {
                    hold.renewed(sent);
                } else {
                    left.add(hold);
                }
            }
            if (!left.isEmpty()) {
                judge(left, within);
            }
        } catch (SQLException e) {
            String why = Database.inWords(e, table.sqlName());
            log.warn("could not renew the leases of {} lock(s) in {}: {}; trying again", holds.size(), table.sqlName(), why);
            failed();
            holds.forEach(hold -> hold.failed(why));
        }
    }

    /** No longer than would leave time for another try. */
    private Duration within(List<JdbcHold> holds) {
        long lease = holds.stream().mapToLong(hold -> hold.terms().leaseNanos()).min().orElse(Long.MAX_VALUE);
        Duration third = Duration.ofNanos(lease / 3);
        return third.compareTo(SHORTEST_LIMIT) < 0 ? SHORTEST_LIMIT : third.compareTo(limit) < 0 ? third : limit;
    }

    private void judge(List<JdbcHold> holds, Duration within) throws SQLException {
        List<LockTable.Verdict> verdicts = table.judge(holds, within);
        for (int i = 0; i < holds.size(); i++) {
            switch (verdicts.get(i)) {
                case OURS -> holds.get(i).failed("its row is locked by another transaction, not one of ours (pg_blocking_pids() tells whose)");
                case OVER -> holds.get(i).gone(JdbcLock.OVER);
                case DELETED -> holds.get(i).gone(JdbcLock.DELETED);
            }
        }
    }

    // ---- the rest ----

    private void release(List<Leftover> ready) {
        if (ready.isEmpty()) {
            return;
        }
        try {
            Set<UUID> released = table.release(ready.stream().map(leftover -> leftover.name).toList(),
                    ready.stream().map(leftover -> leftover.id).toList(), limit);
            mutex.lock();
            try {
                leftovers.keySet().removeAll(new HashSet<>(released));
            } finally {
                mutex.unlock();
            }
        } catch (SQLException e) {
            log.debug("could not give back {} locks; trying again until their leases are over", ready.size(), e);
        }
    }

    private void hear() {
        List<JdbcHold> holds;
        mutex.lock();
        try {
            holds = List.copyOf(live.values());
        } finally {
            mutex.unlock();
        }
        Duration within = within(holds);
        try {
            Set<UUID> asked = table.requests(within);
            holds.stream().filter(hold -> asked.contains(hold.id)).forEach(JdbcHold::requested);
            if (!asked.isEmpty()) {
                table.heard(asked, within);
            }
        } catch (SQLException e) {
            log.debug("could not look who is asked to let go; trying again", e);
        }
    }
}

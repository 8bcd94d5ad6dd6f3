package dev.sessionlock.jdbc;

import com.google.errorprone.annotations.concurrent.GuardedBy;
import dev.sessionlock.internal.system.GrowingPause;
import dev.sessionlock.internal.system.Log;
import dev.sessionlock.internal.system.Loggers;
import dev.sessionlock.internal.system.RareLog;
import dev.sessionlock.internal.system.StackRoom;
import dev.sessionlock.spi.Clock;
import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.SQLFeatureNotSupportedException;
import java.sql.Statement;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ThreadFactory;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.Condition;
import java.util.concurrent.locks.ReentrantLock;
import javax.sql.DataSource;
import org.jspecify.annotations.Nullable;

/**
 * Wakes the threads that wait for a lock in this JVM, when the server notifies this process that the lock was given back and is reserved for it. One daemon thread
 * listens, on one connection, while somebody waits and for a while after.
 *
 * <p>A notification is a hint and no proof: whoever is woken tries to take the lock like any other, and polls as if there were no listener. So no failure here costs
 * more than the hint. Nobody waits for the listening thread, since a driver or a silent network may keep it for long.
 *
 * <p>A connection that listens only reads, and would never find out that the other end is gone, or that a pooler dropped the LISTEN. So a probe is sent from time to
 * time over another connection. If it does not come back, the connection is given up.
 */
final class NotificationListener {
    /** Where the thread is in its life. */
    private enum State {
        /** There is no thread: nobody waits. */
        IDLE,
        /** The thread listens, or tries to. */
        RUNNING,
        /** Nobody locks anything any more: the thread ends unless somebody waits after all. */
        ENDING,
        /** The driver cannot tell what the server notifies. There is no thread, and never will be. */
        UNUSABLE
    }

    /** The connection listens, and has never heard anything. */
    private static final class SilenceException extends SQLException {
        private static final long serialVersionUID = 1L;
    }

    private static final Log log = Loggers.LIBRARY;

    private static final int READ_MILLIS = 500;
    /** A waiting thread tries, and so says that it waits, at intervals of 250 ms at most. A statement may take longer. */
    private static final long WAITS_NANOS = TimeUnit.SECONDS.toNanos(6);
    private static final long IDLE_NANOS = TimeUnit.SECONDS.toNanos(10);
    private static final long FIRST_PROBE_NANOS = TimeUnit.SECONDS.toNanos(1);
    private static final long NEXT_PROBE_NANOS = TimeUnit.SECONDS.toNanos(10);
    private static final long LONGEST_PAUSE_NANOS = TimeUnit.SECONDS.toNanos(30);
    /** What a probe carries instead of a lock's name, which is never empty. */
    private static final String PROBE = "";

    private final Database listenOn;
    private final LockTable table;
    private final String channel;
    private final Clock clock;
    private final Duration limit;
    private final ThreadFactory threads;
    private final RareLog startTrouble;
    private final RareLog trouble;
    private final ReentrantLock mutex = new ReentrantLock();
    private final Condition changed = mutex.newCondition();

    @GuardedBy("mutex")
    private State state = State.IDLE;
    @GuardedBy("mutex")
    private @Nullable Thread thread;
    /** The locks that are waited for, by name, and until when that is believed. More than one {@code SessionLocks} may use the engine. */
    @GuardedBy("mutex")
    private final Map<String, Map<JdbcLock, Long>> waiting = new HashMap<>();
    @GuardedBy("mutex")
    private long idleAt;

    // Used by the thread only, one after the other.
    private final GrowingPause pause = new GrowingPause(LONGEST_PAUSE_NANOS);
    private boolean isSilenceTold;

    /**
     * @param source where the connection that listens comes from
     * @param limit how long the server may keep a statement waiting, or a probe under way
     * @param threads makes the thread, not yet started
     */
    NotificationListener(DataSource source, LockTable table, Clock clock, Duration limit, ThreadFactory threads) {
        this.listenOn = new Database(source);
        this.table = table;
        this.channel = Notifications.channel(table.process());
        this.clock = clock;
        this.limit = limit;
        this.threads = threads;
        String where = table.sqlName();
        this.startTrouble = new RareLog(log, "no thread could be started to listen for releases of the locks in " + where + "; waiting threads poll");
        this.trouble = new RareLog(log, "cannot listen for releases of the locks in " + where + "; waiting threads poll, and it is tried again");
    }

    // ---- who waits ----

    /** A thread of this JVM waits for that lock, and has just found it taken. To be said again with each try. Never throws: it is about a hint. */
    void waits(JdbcLock lock) {
        try {
            note(lock);
        } catch (RuntimeException | Error e) {
            log.debug("{} is polled only", lock, e);
        }
    }

    private void note(JdbcLock lock) {
        StackRoom.require();
        mutex.lock();
        try {
            if (state == State.UNUSABLE || !isStarted()) {
                return;
            }
            state = State.RUNNING;
            waiting.computeIfAbsent(lock.name(), name -> new HashMap<>(2)).put(lock, clock.nanos() + WAITS_NANOS);
        } finally {
            mutex.unlock();
        }
    }

    @GuardedBy("mutex")
    private boolean isStarted() {
        if (thread != null && thread.isAlive()) {
            return true;
        }
        waiting.clear(); // of a thread that an error has ended
        state = State.IDLE;
        try {
            Thread fresh = threads.newThread(this::run);
            fresh.setName("sessionlock-jdbc-listens");
            fresh.start();
            thread = fresh;
            idleAt = clock.nanos() + IDLE_NANOS;
            return true;
        } catch (RuntimeException | Error e) {
            startTrouble.warn(String.valueOf(e.getMessage()), e);
            return false;
        }
    }

    /** Nobody locks anything any more. The thread ends soon, unless somebody waits all the same. Waits for nothing. */
    void endSoon() {
        mutex.lock();
        try {
            if (state == State.RUNNING) {
                state = State.ENDING;
                changed.signalAll();
            }
        } finally {
            mutex.unlock();
        }
    }

    // ---- the thread ----

    private void run() {
        while (goesOn()) {
            try {
                listenOn.run(limit, this::listen);
            } catch (SilenceException e) {
                rest(); // it was told
            } catch (SQLException e) {
                trouble.warn(Database.inWords(e, table.sqlName()), null);
                rest();
            } catch (RuntimeException | Error e) {
                trouble.warn(String.valueOf(e), e);
                rest();
            }
        }
    }

    /** {@return whether anybody waits, or has until a moment ago} If not, the thread has to end. */
    private boolean goesOn() {
        mutex.lock();
        try {
            boolean goesOn = isWanted();
            if (!goesOn) {
                thread = null;
                waiting.clear();
                state = state == State.UNUSABLE ? state : State.IDLE;
            }
            return goesOn;
        } finally {
            mutex.unlock();
        }
    }

    private boolean isStillWanted() {
        mutex.lock();
        try {
            return isWanted();
        } finally {
            mutex.unlock();
        }
    }

    @GuardedBy("mutex")
    private boolean isWanted() {
        long now = clock.nanos();
        waiting.values().forEach(locks -> locks.values().removeIf(until -> now - until >= 0));
        waiting.values().removeIf(Map::isEmpty);
        if (state == State.UNUSABLE || state == State.ENDING) {
            return false;
        } else if (!waiting.isEmpty()) {
            idleAt = now + IDLE_NANOS;
        }
        return now - idleAt < 0;
    }

    /** Sleeps after a failure, ever longer. */
    private void rest() {
        long until = clock.nanos() + pause.grow();
        mutex.lock();
        try {
            for (long left = until - clock.nanos(); left > 0 && isWanted(); left = until - clock.nanos()) {
                changed.awaitNanos(Math.min(left, TimeUnit.MILLISECONDS.toNanos(READ_MILLIS)));
            }
        } catch (InterruptedException e) {
            log.debug("somebody interrupted the thread that listens for releases; it goes on", e);
        } finally {
            mutex.unlock();
        }
    }

    /** It will not work later either. */
    private void giveUp(SQLException why) {
        log.warn("cannot listen for releases of the locks in {}; waiting threads poll: {}", table.sqlName(), why.getMessage());
        mutex.lock();
        try {
            state = State.UNUSABLE;
        } finally {
            mutex.unlock();
        }
    }

    // ---- listening ----

    /** Returns when nobody has waited for a while. Then the connection does not listen any more. */
    private boolean listen(Connection connection) throws SQLException {
        NotificationReader reader;
        try {
            reader = NotificationReader.of(connection, channel);
        } catch (SQLFeatureNotSupportedException e) {
            giveUp(e);
            return false;
        }
        try {
            execute(connection, "LISTEN \"" + channel + '"'); // in here: it may have been carried out although it throws
            Probe probe = new Probe();
            while (isStillWanted()) {
                probe.sendIfDue();
                long start = System.nanoTime();
                List<String> names = reader.await(READ_MILLIS);
                if (names.isEmpty()) {
                    probe.requireAnswerInTime();
                    takeABreath(start);
                } else {
                    probe.answered();
                    names.forEach(this::wake);
                }
            }
            return true;
        } finally {
            stopListening(connection, reader);
        }
    }

    private static void execute(Connection connection, String sql) throws SQLException {
        try (Statement statement = connection.createStatement()) {
            statement.execute(sql);
        }
    }

    /** A driver that does not wait must not make this thread run hot. */
    private void takeABreath(long start) {
        if (System.nanoTime() - start < TimeUnit.MILLISECONDS.toNanos(READ_MILLIS) / 2) {
            new GrowingPause().rest();
        }
    }

    /** A pool must not get back a connection that listens. */
    private void stopListening(Connection connection, NotificationReader reader) {
        try {
            execute(connection, "UNLISTEN \"" + channel + '"'); // not what others have made it listen to
            reader.drop();
        } catch (SQLException | RuntimeException | Error e) {
            log.debug("the connection that listened for releases is broken", e);
            abort(connection);
        }
    }

    /** What this throws must not hide why it is done. */
    private static void abort(Connection connection) {
        try {
            connection.abort(Runnable::run);
        } catch (SQLException | RuntimeException | Error e) {
            log.debug("it could not be aborted either", e);
        }
    }

    private void wake(String name) {
        List<JdbcLock> locks;
        mutex.lock();
        try {
            Map<JdbcLock, Long> waitingFor = waiting.get(name);
            locks = waitingFor == null ? List.of() : new ArrayList<>(waitingFor.keySet());
        } finally {
            mutex.unlock();
        }
        locks.forEach(JdbcLock::freed);
    }

    /** Whether what is sent to our channel comes back on the connection that listens. */
    private final class Probe {
        private boolean isUnderWay;
        private boolean isProven;
        private long sentAt;
        private long nextAt = clock.nanos() + FIRST_PROBE_NANOS;

        /** Over a connection of the locks: one that the same session has sent itself would prove less. */
        void sendIfDue() {
            if (isUnderWay || nextAt - clock.nanos() > 0) {
                return;
            }
            nextAt = clock.nanos() + NEXT_PROBE_NANOS;
            try {
                table.database().run(limit, connection -> {
                    try (PreparedStatement notify = connection.prepareStatement("SELECT pg_notify(?, ?)")) {
                        notify.setString(1, channel);
                        notify.setString(2, PROBE);
                        try (ResultSet sent = notify.executeQuery()) {
                            return sent.next();
                        }
                    }
                });
                isUnderWay = true;
                sentAt = clock.nanos();
            } catch (SQLException e) {
                log.debug("could not probe whether notifications arrive; trying again", e); // the locks cannot be reached either
            }
        }

        void answered() {
            isUnderWay = false;
            isProven = true;
            isSilenceTold = false;
            pause.reset();
        }

        void requireAnswerInTime() throws SQLException {
            if (!isUnderWay || clock.nanos() - sentAt < limit.toNanos()) {
                return;
            } else if (isProven) {
                throw new SQLException("no notification arrives any more", "08006");
            } else if (!isSilenceTold) {
                isSilenceTold = true;
                log.warn("the server accepts LISTEN for the locks in {}, but no notification arrives; waiting threads poll. Either a pooler in transaction mode lies "
                        + "between, which cannot carry LISTEN, or the connection that listens leads to another database than the locks", table.sqlName());
            }
            throw new SilenceException();
        }
    }
}

package dev.sessionlock.internal.threads;

import dev.sessionlock.LockLostException;
import dev.sessionlock.internal.system.Loggers;
import dev.sessionlock.internal.system.RareLog;
import dev.sessionlock.spi.EngineLock;
import jdk.jfr.Category;
import jdk.jfr.Enabled;
import jdk.jfr.Event;
import jdk.jfr.FlightRecorder;
import jdk.jfr.Label;
import jdk.jfr.Name;
import jdk.jfr.StackTrace;
import jdk.jfr.Threshold;
import jdk.jfr.Timespan;
import org.jspecify.annotations.Nullable;

/**
 * The flight recorder's events, {@code dev.sessionlock.*}, where the JVM has the module {@code jdk.jfr}; else nothing.
 *
 * <p>Loading an event's class starts half of the flight recorder, which takes longer than the first acquisition of a JVM. So no event
 * class is touched before somebody records; until then each of these methods reads one static field of the JDK. A recording that starts
 * later sees what happens from then on.
 *
 * <p>In a recording with default settings, acquisitions and releases are recorded only if the wait or the hold took at least
 * {@value #THRESHOLD}, as the JDK does for its monitors: a lock may be taken a hundred thousand times a second.
 *
 * <p>None of the methods throws: the lock is acquired, or given back, whoever could not be told of it.
 */
final class LockEvents {
    static final String THRESHOLD = "20 ms";

    private static final RareLog trouble = new RareLog(Loggers.LIBRARY, "the flight recorder was not told");
    private static final boolean THERE = isThere();
    /** The event classes could not be loaded, once and for all. */
    private static volatile boolean broken;

    private LockEvents() {
    }

    /** An event that has begun and has not yet ended. */
    interface Timed {
    }

    private static boolean isThere() {
        try {
            // Loads that one class, and initialises nothing. The boot layer's list of modules would not say whether our loader sees it.
            Class.forName("jdk.jfr.FlightRecorder", false, LockEvents.class.getClassLoader());
            return true;
        } catch (ClassNotFoundException | LinkageError e) {
            return false;
        }
    }

    /** {@return whether anybody has recorded anything in this JVM} */
    private static boolean mayRecord() {
        return THERE && FlightRecorder.isInitialized() && !broken;
    }

    private static void failed(Throwable why) {
        broken |= why instanceof LinkageError;
        trouble.warn("an event is missing", why);
    }

    /** A thread asks for a lock. Returns for {@link #acquired}; null if nobody records. */
    static @Nullable Timed asked() {
        try {
            return mayRecord() ? Recorder.asked() : null;
        } catch (RuntimeException | Error e) {
            failed(e);
            return null;
        }
    }

    /** A lock begins to be held. Returns for {@link #released}; null if nobody records. */
    static @Nullable Timed held() {
        try {
            return mayRecord() ? Recorder.held() : null;
        } catch (RuntimeException | Error e) {
            failed(e);
            return null;
        }
    }

    /**
     * A thread has got what it asked for; called by that thread.
     *
     * @param asked when it asked; null if nobody recorded then
     * @param since when it asked, monotonic nanoseconds
     */
    static void acquired(@Nullable Timed asked, LocalLock lock, long token, long since) {
        try {
            if (mayRecord()) {
                Recorder.acquired(asked, lock, token, since);
            }
        } catch (RuntimeException | Error e) {
            failed(e);
        }
    }

    /**
     * The last handle was closed.
     *
     * @param held when it was acquired; null if nobody recorded then
     * @param since when it was acquired, monotonic nanoseconds
     */
    static void released(@Nullable Timed held, LocalLock lock, long token, long since) {
        try {
            if (mayRecord()) {
                Recorder.released(held, lock, token, since);
            }
        } catch (RuntimeException | Error e) {
            failed(e);
        }
    }

    static void contended(EngineLock lock) {
        try {
            if (mayRecord()) {
                Recorder.contended(lock);
            }
        } catch (RuntimeException | Error e) {
            failed(e);
        }
    }

    /**
     * @param waited for how long, nanoseconds
     * @param why who holds it
     */
    static void timedOut(EngineLock lock, long waited, String why) {
        try {
            if (mayRecord()) {
                Recorder.timedOut(lock, waited, why);
            }
        } catch (RuntimeException | Error e) {
            failed(e);
        }
    }

    static void lost(LocalLock lock, long token, long since, LockLostException why) {
        try {
            if (mayRecord()) {
                Recorder.lost(lock, token, since, why.reason().name());
            }
        } catch (RuntimeException | Error e) {
            failed(e);
        }
    }

    static void reclaimed(EngineLock lock, long token, String evidence) {
        try {
            if (mayRecord()) {
                Recorder.reclaimed(lock, token, evidence);
            }
        } catch (RuntimeException | Error e) {
            failed(e);
        }
    }

    /**
     * Makes the events. In a class of its own: the verifier loads the class of an event for a method that passes one on - which must not
     * happen in the outer class, where there may be no flight recorder, nor in the events' own superclass, which the recorder looks at
     * while it is defining one of them (a LinkageError then, once somebody records).
     */
    private static final class Recorder {
        private Recorder() {
        }

        static @Nullable Timed asked() {
            return begun(new Recorded.Acquired());
        }

        static @Nullable Timed held() {
            return begun(new Recorded.Released());
        }

        private static @Nullable Timed begun(Recorded event) {
            if (!event.isEnabled()) {
                return null;
            }
            event.begin();
            return event;
        }

        static void acquired(@Nullable Timed asked, LocalLock lock, long token, long since) {
            commitSince(asked == null ? new Recorded.Acquired() : (Recorded) asked, lock, token, since, null);
        }

        static void released(@Nullable Timed held, LocalLock lock, long token, long since) {
            commitSince(held == null ? new Recorded.Released() : (Recorded) held, lock, token, since, null);
        }

        static void contended(EngineLock lock) {
            commit(new Recorded.Contended(), lock, 0, 0, null);
        }

        static void timedOut(EngineLock lock, long waited, String why) {
            commit(new Recorded.TimedOut(), lock, 0, waited, why);
        }

        static void lost(LocalLock lock, long token, long since, String why) {
            commitSince(new Recorded.Lost(), lock, token, since, why);
        }

        static void reclaimed(EngineLock lock, long token, String evidence) {
            commit(new Recorded.Reclaimed(), lock, token, 0, evidence);
        }

        /** The lock's clock is not read unless it is recorded: a warm acquisition has no time for it. */
        private static void commitSince(Recorded event, LocalLock lock, long token, long since, @Nullable String why) {
            event.end();
            if (event.shouldCommit()) {
                commit(event, lock.engine(), token, lock.clock().nanos() - since, why);
            }
        }

        private static void commit(Recorded event, EngineLock lock, long token, long elapsed, @Nullable String why) {
            if (event.shouldCommit()) {
                event.lockFile = lock.lockFile() == null ? lock.name() : lock.lockFile().toString();
                event.token = token;
                event.elapsed = elapsed;
                event.why = why;
                event.commit();
            }
        }
    }

    @Category("sessionlock")
    @StackTrace(false)
    abstract static class Recorded extends Event implements Timed {
        @Label("Lock file")
        String lockFile;
        @Label("Fencing token")
        long token;
        @Label("Waited or held for")
        @Timespan(Timespan.NANOSECONDS)
        long elapsed;
        @Label("Why")
        String why;

        /** Off unless it is enabled by name: a long wait is told by the event that ends it. */
        @Name("dev.sessionlock.Contended")
        @Label("Lock contended")
        @Enabled(false)
        static final class Contended extends Recorded {
        }

        @Name("dev.sessionlock.Acquired")
        @Label("Lock acquired")
        @Threshold(THRESHOLD)
        @StackTrace
        static final class Acquired extends Recorded {
        }

        @Name("dev.sessionlock.Released")
        @Label("Lock released")
        @Threshold(THRESHOLD)
        static final class Released extends Recorded {
        }

        @Name("dev.sessionlock.TimedOut")
        @Label("Lock acquisition timed out")
        @StackTrace
        static final class TimedOut extends Recorded {
        }

        @Name("dev.sessionlock.Lost")
        @Label("Lock lost")
        static final class Lost extends Recorded {
        }

        @Name("dev.sessionlock.Reclaimed")
        @Label("Lock reclaimed")
        static final class Reclaimed extends Recorded {
        }
    }
}

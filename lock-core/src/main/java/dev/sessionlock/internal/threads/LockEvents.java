package dev.sessionlock.internal.threads;

import dev.sessionlock.LockLostException;
import dev.sessionlock.spi.EngineLock;
import jdk.jfr.Category;
import jdk.jfr.Event;
import jdk.jfr.Label;
import jdk.jfr.Name;
import jdk.jfr.StackTrace;
import jdk.jfr.Timespan;
import org.jetbrains.annotations.Nullable;

/**
 * The flight recorder's events, {@code dev.sessionlock.*}, where the JVM has the module {@code jdk.jfr}; else nothing. They cost a
 * field read while nobody records.
 */
final class LockEvents {
    /** Asked before the first event class is touched: without the module it could not even be loaded. */
    private static final boolean THERE = ModuleLayer.boot().findModule("jdk.jfr").isPresent();

    private LockEvents() {
    }

    static void contended(EngineLock lock) {
        if (THERE) {
            Recorder.contended(lock);
        }
    }

    static void acquired(EngineLock lock, long token, long waited) {
        if (THERE) {
            Recorder.acquired(lock, token, waited);
        }
    }

    static void released(Cell lock, long token, long since) {
        if (THERE) {
            Recorder.released(lock, token, since);
        }
    }

    static void lost(Cell lock, long token, long since, LockLostException why) {
        if (THERE) {
            Recorder.lost(lock, token, since, why.reason().name());
        }
    }

    static void reclaimed(EngineLock lock, long token, String evidence) {
        if (THERE) {
            Recorder.reclaimed(lock, token, evidence);
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

        static void contended(EngineLock lock) {
            commit(new Recorded.Contended(), lock, 0, 0, null);
        }

        static void acquired(EngineLock lock, long token, long waited) {
            commit(new Recorded.Acquired(), lock, token, waited, null);
        }

        static void released(Cell lock, long token, long since) {
            commitSince(new Recorded.Released(), lock, token, since, null);
        }

        static void lost(Cell lock, long token, long since, String why) {
            commitSince(new Recorded.Lost(), lock, token, since, why);
        }

        static void reclaimed(EngineLock lock, long token, String evidence) {
            commit(new Recorded.Reclaimed(), lock, token, 0, evidence);
        }

        /** The clock is not read unless somebody records: a warm acquisition has no time for it. */
        private static void commitSince(Recorded event, Cell lock, long token, long since, @Nullable String why) {
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
    abstract static class Recorded extends Event {
        @Label("Lock file")
        String lockFile;
        @Label("Fencing token")
        long token;
        @Label("Waited or held for")
        @Timespan(Timespan.NANOSECONDS)
        long elapsed;
        @Label("Why")
        String why;

        @Name("dev.sessionlock.Contended")
        @Label("Lock contended")
        static final class Contended extends Recorded {
        }

        @Name("dev.sessionlock.Acquired")
        @Label("Lock acquired")
        static final class Acquired extends Recorded {
        }

        @Name("dev.sessionlock.Released")
        @Label("Lock released")
        static final class Released extends Recorded {
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

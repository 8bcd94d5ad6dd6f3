package dev.sessionlock.internal.system;

import org.slf4j.LoggerFactory;

/** The loggers of the library. Their names are public: users configure them, and they outlive the classes that log. */
public final class Loggers {
    /** Failures that the library deals with itself, and events of its own threads and files. */
    public static final Log LIBRARY = new Log(() -> LoggerFactory.getLogger("dev.sessionlock"));
    /** What happens to locks: waited for, acquired, released (debug); taken over (info); lost or leaked (warn). */
    public static final Log EVENTS = new Log(() -> LoggerFactory.getLogger("dev.sessionlock.events"));

    private Loggers() {
    }

    /**
     * Finds them, and loads what makes their lines printable. To be called before the first lock is taken: when something is to be logged, there may be no
     * descriptor left to load SLF4J by, and one of our locks may be held. Who only looks needs none, and SLF4J's search takes as long as the look. Never
     * throws: if there is no logger now, each line looks for it again.
     */
    public static void load() {
        LIBRARY.isDebugEnabled();
        EVENTS.isDebugEnabled();
        try {
            Printable.load();
        } catch (Throwable e) {
            return; // no memory; it is loaded when it is needed
        }
    }
}

package dev.sessionlock.internal.system;

import org.slf4j.LoggerFactory;

/** The loggers of the library. Their names are public: users configure them, and they outlive the classes that log. */
public final class Loggers {
    /** Failures that the library deals with itself, and events of its own threads and files. */
    public static final Log LIBRARY = new Log(LoggerFactory.getLogger("dev.sessionlock"));
    /** What happens to locks: waited for, acquired, released (debug); taken over (info); lost or leaked (warn). */
    public static final Log EVENTS = new Log(LoggerFactory.getLogger("dev.sessionlock.events"));

    private Loggers() {
    }
}

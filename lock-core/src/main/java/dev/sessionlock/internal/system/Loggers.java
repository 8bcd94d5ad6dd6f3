package dev.sessionlock.internal.system;

import org.slf4j.LoggerFactory;

/** The loggers of the library. Their names are public: users configure by them, and they outlive the classes that log. */
public final class Loggers {
    /** What goes wrong on the way and is dealt with, and what becomes of the library's own threads and files. */
    public static final Log LIBRARY = new Log(LoggerFactory.getLogger("dev.sessionlock"));
    /** What happens to locks: waited for, acquired, released (debug); taken over (info); lost or leaked (warn). */
    public static final Log EVENTS = new Log(LoggerFactory.getLogger("dev.sessionlock.events"));

    private Loggers() {
    }
}

package dev.sessionlock.internal.system;

import java.util.concurrent.atomic.AtomicBoolean;

/** Warns, once in a JVM, that the locks on files are not yet proven on the operating system. Thread-safe. */
public final class UnprovenSystemWarning {
    /** The one of this JVM. */
    public static final UnprovenSystemWarning OF_THIS_PROCESS = new UnprovenSystemWarning(OperatingSystem.current(), Loggers.LIBRARY);

    private final OperatingSystem system;
    private final Log log;
    private final AtomicBoolean due;

    UnprovenSystemWarning(OperatingSystem system, Log log) {
        this.system = system;
        this.log = log;
        this.due = new AtomicBoolean(system.support() != OperatingSystem.Support.PROVEN);
    }

    /** To be called at each first use of a directory. Logs at the first call; never throws. A line that is lost is logged at the next call. */
    public void log() {
        if (due.get() && due.compareAndSet(true, false)
                && !log.warn("locks on files are not yet proven on {}{}; see \"Operating systems\" in {}, and try a directory with: sessionlock doctor DIR",
                        system.name(), system.support() == OperatingSystem.Support.UNSUPPORTED ? ", and there are known defects" : "",
                        "https://github.com/sessionlock/sessionlock/blob/main/lock-core/README.md#operating-systems")) {
            due.set(true);
        }
    }
}

package dev.sessionlock.internal.system;

import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;

/**
 * A logger that makes forged lines impossible: all that it is given, exceptions too, is made {@linkplain Printable printable} first. The last of the
 * values may be a throwable, as in SLF4J.
 *
 * <p>It never throws, whatever the logging back end throws, nor what the values throw as they are written out: a lock must not fail, or be lost, because a
 * line cannot be logged. That goes for a VirtualMachineError, too. It says that the line found no memory or no stack, and nothing about the operation that
 * wanted to log it; the operation meets such an error itself, where it needs memory itself. What is not logged is not told elsewhere: there is nobody to tell.
 */
public final class Log {
    private final Supplier<Logger> source;
    private volatile @Nullable Logger logger;

    /** @param source tells the logger, when something is logged first; the same one each time */
    public Log(Supplier<Logger> source) {
        this.source = source;
    }

    /** {@return the logger, found by now} */
    Logger logger() {
        Logger known = logger;
        if (known == null) {
            known = source.get();
            logger = known;
        }
        return known;
    }

    /** {@return whether a line of this level would be logged; false if that cannot be found out} */
    public boolean isDebugEnabled() {
        try {
            return logger().isDebugEnabled();
        } catch (Throwable e) {
            return false;
        }
    }

    /** {@return false if the line was lost} */
    public boolean debug(String format, @Nullable Object... values) {
        try {
            Logger to = logger();
            if (to.isDebugEnabled()) {
                to.debug(format, printable(values));
            }
            return true;
        } catch (Throwable e) {
            return false;
        }
    }

    /** {@return false if the line was lost} */
    public boolean info(String format, @Nullable Object... values) {
        try {
            Logger to = logger();
            if (to.isInfoEnabled()) {
                to.info(format, printable(values));
            }
            return true;
        } catch (Throwable e) {
            return false;
        }
    }

    /** {@return false if the line was lost} */
    public boolean warn(String format, @Nullable Object... values) {
        try {
            Logger to = logger();
            if (to.isWarnEnabled()) {
                to.warn(format, printable(values));
            }
            return true;
        } catch (Throwable e) {
            return false;
        }
    }

    /** {@return false if the line was lost} */
    public boolean error(String format, @Nullable Object... values) {
        try {
            Logger to = logger();
            if (to.isErrorEnabled()) {
                to.error(format, printable(values));
            }
            return true;
        } catch (Throwable e) {
            return false;
        }
    }

    private static Object[] printable(@Nullable Object[] values) {
        Object[] printable = new Object[values.length];
        for (int i = 0; i < values.length; i++) {
            Object value = values[i];
            printable[i] = value == null || value instanceof Number || value instanceof Boolean ? value
                    : value instanceof Throwable thrown ? Printable.throwable(thrown) : Printable.text(String.valueOf(value));
        }
        return printable;
    }
}

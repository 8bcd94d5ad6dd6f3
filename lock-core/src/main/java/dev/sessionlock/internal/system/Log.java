package dev.sessionlock.internal.system;

import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;

/**
 * A logger that makes forged lines impossible: all that it is given, exceptions too, is made {@linkplain Printable printable} first. The last of the
 * values may be a throwable, as in SLF4J.
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

    public boolean isDebugEnabled() {
        return logger().isDebugEnabled();
    }

    public void debug(String format, @Nullable Object... values) {
        if (logger().isDebugEnabled()) {
            logger().debug(format, printable(values));
        }
    }

    public void info(String format, @Nullable Object... values) {
        if (logger().isInfoEnabled()) {
            logger().info(format, printable(values));
        }
    }

    public void warn(String format, @Nullable Object... values) {
        if (logger().isWarnEnabled()) {
            logger().warn(format, printable(values));
        }
    }

    public void error(String format, @Nullable Object... values) {
        if (logger().isErrorEnabled()) {
            logger().error(format, printable(values));
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

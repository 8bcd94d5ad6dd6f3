package dev.sessionlock;

import java.lang.reflect.Proxy;
import java.util.List;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.Supplier;
import org.slf4j.ILoggerFactory;
import org.slf4j.Logger;

/** A logging back end that is broken, as one without memory or descriptors is. For a JVM with {@link #options}. */
public final class ThrowingLog extends LogForTests {
    private static final String BROKEN_AT = ThrowingLog.class.getName() + ".at";
    /** The first one is what the JDK throws where a formatter needs its time zones, and there is no descriptor. */
    private static final List<Supplier<Throwable>> THROWN = List.of(() -> new Error("tzdb.dat (Too many open files)"),
            () -> new NoClassDefFoundError("java/time/format/DateTimeFormatter"), () -> new OutOfMemoryError("of the log"),
            () -> new StackOverflowError("of the log"), () -> new IllegalStateException("of the log"));

    private static final AtomicInteger THROWS = new AtomicInteger();

    /** Where it is broken: at lines of a level, or earlier. */
    enum Breaks {
        AT_DEBUG, AT_INFO, AT_WARN, AT_ERROR, AT_ALL_LEVELS, WHEN_ASKED_WHAT_IS_LOGGED, AT_MAKING_A_LOGGER;

        boolean at(String method) {
            return switch (this) {
                case AT_ALL_LEVELS -> List.of("debug", "info", "warn", "error").contains(method);
                case WHEN_ASKED_WHAT_IS_LOGGED -> method.endsWith("Enabled");
                case AT_MAKING_A_LOGGER -> false;
                default -> method.equalsIgnoreCase(name().substring("AT_".length()));
            };
        }
    }

    /** Called by SLF4J. */
    public ThrowingLog() {
    }

    /** {@return the JVM options that make SLF4J use it} */
    static String[] options(Breaks where) {
        return new String[] {option(ThrowingLog.class), "-D" + BROKEN_AT + "=" + where};
    }

    /** {@return how often it has thrown something in this JVM} */
    static int count() {
        return THROWS.get();
    }

    private static Throwable thrown() {
        return THROWN.get(THROWS.getAndIncrement() % THROWN.size()).get();
    }

    @Override
    public ILoggerFactory getLoggerFactory() {
        Breaks where = Breaks.valueOf(System.getProperty(BROKEN_AT));
        return name -> {
            if (where == Breaks.AT_MAKING_A_LOGGER) {
                throw new NoClassDefFoundError("logger no. " + THROWS.getAndIncrement());
            }
            return (Logger) Proxy.newProxyInstance(ThrowingLog.class.getClassLoader(), new Class<?>[] {Logger.class}, (proxy, method, args) -> {
                if (where.at(method.getName())) {
                    throw thrown();
                }
                return method.getReturnType() == boolean.class ? true : null;
            });
        };
    }
}

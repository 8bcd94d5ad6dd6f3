package dev.sessionlock;

import java.util.Arrays;
import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;
import org.slf4j.ILoggerFactory;
import org.slf4j.Marker;
import org.slf4j.event.Level;
import org.slf4j.helpers.AbstractLogger;
import org.slf4j.helpers.MessageFormatter;

/** Prints what is logged, from INFO up, as {@code WARN message}. For tests of the log, in a JVM with {@link #OPTION}. */
public final class PrintedLog extends LogForTests {
    /** The JVM option that makes SLF4J use it. */
    static final String OPTION = option(PrintedLog.class);

    private static final List<String> PRINTED = new CopyOnWriteArrayList<>();

    /** Called by SLF4J. */
    public PrintedLog() {
    }

    private static final class Printer extends AbstractLogger {
        private static final long serialVersionUID = 1L;

        @Override
        protected void handleNormalizedLoggingCall(Level level, Marker marker, String message, Object[] values, Throwable thrown) {
            String line = level + " " + MessageFormatter.basicArrayFormat(message, values);
            System.out.println(line);
            if (thrown != null) {
                System.out.println(thrown);
                Arrays.stream(thrown.getStackTrace()).forEach(frame -> System.out.println("\tat " + frame));
            }
            PRINTED.add(line); // last, since the tests wait for it
        }

        @Override
        protected String getFullyQualifiedCallerName() {
            return null;
        }

        @Override
        public boolean isTraceEnabled() {
            return false;
        }

        @Override
        public boolean isTraceEnabled(Marker marker) {
            return false;
        }

        @Override
        public boolean isDebugEnabled() {
            return false;
        }

        @Override
        public boolean isDebugEnabled(Marker marker) {
            return false;
        }

        @Override
        public boolean isInfoEnabled() {
            return true;
        }

        @Override
        public boolean isInfoEnabled(Marker marker) {
            return true;
        }

        @Override
        public boolean isWarnEnabled() {
            return true;
        }

        @Override
        public boolean isWarnEnabled(Marker marker) {
            return true;
        }

        @Override
        public boolean isErrorEnabled() {
            return true;
        }

        @Override
        public boolean isErrorEnabled(Marker marker) {
            return true;
        }
    }

    /** {@return how many lines with this text were printed, with their stacks} */
    static long count(String text) {
        return PRINTED.stream().filter(line -> line.contains(text)).count();
    }

    @Override
    public ILoggerFactory getLoggerFactory() {
        return name -> new Printer();
    }
}

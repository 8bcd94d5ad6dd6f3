package dev.sessionlock;

import org.slf4j.ILoggerFactory;
import org.slf4j.IMarkerFactory;
import org.slf4j.helpers.BasicMarkerFactory;
import org.slf4j.helpers.NOPMDCAdapter;
import org.slf4j.spi.MDCAdapter;
import org.slf4j.spi.SLF4JServiceProvider;

/** What the logging back ends of tests have in common. SLF4J has one back end in a JVM, so each is for a JVM of its own. */
abstract class LogForTests implements SLF4JServiceProvider {
    private final IMarkerFactory markers = new BasicMarkerFactory();
    private final MDCAdapter mdc = new NOPMDCAdapter();

    /** {@return the JVM option that makes SLF4J use it} */
    static String option(Class<? extends LogForTests> provider) {
        return "-Dslf4j.provider=" + provider.getName();
    }

    @Override
    public abstract ILoggerFactory getLoggerFactory();

    @Override
    public final IMarkerFactory getMarkerFactory() {
        return markers;
    }

    @Override
    public final MDCAdapter getMDCAdapter() {
        return mdc;
    }

    @Override
    public final String getRequestedApiVersion() {
        return "2.0.99";
    }

    @Override
    public final void initialize() {
        // nothing to do
    }
}

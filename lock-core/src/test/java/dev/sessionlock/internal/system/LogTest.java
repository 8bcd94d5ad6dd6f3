package dev.sessionlock.internal.system;

import static org.assertj.core.api.Assertions.assertThat;

import java.lang.reflect.Proxy;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import org.slf4j.Logger;

/** The front of the logging back end: nothing that a line throws gets out of it. */
class LogTest {
    private final List<String> logged = new ArrayList<>();

    /** One of its methods. */
    private interface Line {
        boolean log(Log log, String format, Object... values);
    }

    static Stream<Line> levels() {
        return Stream.of(Log::debug, Log::info, Log::warn, Log::error);
    }

    static Stream<Throwable> throwables() {
        return Stream.of(new Error("tzdb.dat (Too many open files)"), new NoClassDefFoundError(), new OutOfMemoryError(), new StackOverflowError(),
                new ThreadDeath(), new IllegalStateException());
    }

    @ParameterizedTest
    @MethodSource("levels")
    void backEndThatThrowsCostsTheLineAlone(Line level) {
        throwables().forEach(thrown -> {
            assertThat(level.log(new Log(() -> logger(thrown, false)), "a line")).as("a line that threw").isFalse();
            assertThat(level.log(new Log(() -> logger(thrown, true)), "a line")).as("no answer to what is logged").isFalse();
            assertThat(new Log(() -> logger(thrown, true)).isDebugEnabled()).isFalse();
            assertThat(level.log(new Log(() -> {
                throw LogTest.<RuntimeException>sneaky(thrown);
            }), "a line")).as("no logger").isFalse();
        });
    }

    @ParameterizedTest
    @MethodSource("levels")
    void valueThatCannotBeWrittenOutCostsTheLineAlone(Line level) {
        Object value = new Object() {
            @Override
            public String toString() {
                throw new OutOfMemoryError();
            }
        };
        assertThat(level.log(new Log(() -> logger(null, false)), "{}", value)).isFalse();
        assertThat(logged).isEmpty();
    }

    @Test
    void loggerIsLookedForAgainAfterItCouldNotBeMade() {
        boolean[] there = new boolean[1];
        Log log = new Log(() -> {
            if (!there[0]) {
                throw new NoClassDefFoundError();
            }
            return logger(null, false);
        });
        assertThat(log.warn("a line")).isFalse();
        there[0] = true;
        assertThat(log.warn("another line")).isTrue();
        assertThat(logged).containsExactly("another line");
    }

    private Logger logger(Throwable thrown, boolean whenAsked) {
        return (Logger) Proxy.newProxyInstance(getClass().getClassLoader(), new Class<?>[] {Logger.class}, (proxy, method, args) -> {
            boolean asks = method.getReturnType() == boolean.class;
            if (thrown != null && asks == whenAsked) {
                throw thrown;
            }
            if (!asks) {
                logged.add((String) args[0]);
            }
            return asks ? true : null;
        });
    }

    @SuppressWarnings("unchecked")
    private static <T extends Throwable> T sneaky(Throwable thrown) throws T {
        throw (T) thrown;
    }
}

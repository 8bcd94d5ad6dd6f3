package dev.sessionlock.internal.system;

import static org.assertj.core.api.Assertions.assertThat;

import java.lang.reflect.Proxy;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;
import org.junit.jupiter.api.Test;
import org.slf4j.Logger;
import org.slf4j.helpers.MessageFormatter;

class RareLogTest {
    private final List<String> logged = new ArrayList<>();
    private final AtomicLong now = new AtomicLong(Long.MAX_VALUE - 5); // nanoTime, too, may overflow
    private boolean loggerFails;
    private final Logger log = (Logger) Proxy.newProxyInstance(getClass().getClassLoader(), new Class<?>[] {Logger.class},
            (proxy, method, args) -> {
                if (method.getReturnType() == boolean.class) {
                    return true;
                } else if (loggerFails) {
                    throw new StackOverflowError();
                }
                Object[] values = args[1] instanceof Object[] many ? many : new Object[] {args[1], args[2]};
                logged.add(method.getName() + ' ' + MessageFormatter.arrayFormat((String) args[0], values).getMessage());
                return null;
            });
    private final RareLog rare = new RareLog(new Log(() -> log), "could not look; trying again", now::get);

    @Test
    void firstTroubleIsLoggedAtOnceAndFurtherTroubleAfterHalfAMinuteWithItsNumber() {
        for (int i = 0; i < 4; i++) {
            rare.error(new IllegalStateException());
            now.addAndGet(TimeUnit.SECONDS.toNanos(9));
        }
        assertThat(logged).containsExactly("error could not look; trying again");
        rare.warn("no answer", null);
        assertThat(logged).last().isEqualTo("warn could not look; trying again: no answer (and 3 times since this was last logged)");
        now.addAndGet(TimeUnit.SECONDS.toNanos(30));
        rare.warn("no answer", null);
        assertThat(logged).hasSize(3).last().isEqualTo("warn could not look; trying again: no answer");
    }

    @Test
    void loggerThatThrowsHarmsNobody() {
        loggerFails = true;
        rare.error(new IllegalStateException());
        rare.warn("no answer", null);
        assertThat(logged).isEmpty();

        loggerFails = false;
        now.addAndGet(TimeUnit.SECONDS.toNanos(30));
        rare.warn("no answer", null);
        assertThat(logged).containsExactly("warn could not look; trying again: no answer (and 2 times since this was last logged)");
    }
}

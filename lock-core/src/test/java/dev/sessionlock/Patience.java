package dev.sessionlock;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import org.awaitility.Awaitility;
import org.awaitility.core.ConditionFactory;

/** Waits for conditions and looks often. Awaitility's default of a tenth of a second would be most of the time of these tests. */
final class Patience {
    /** Prevents hanging. Whatever happens at all happens sooner, on any machine. */
    static final Duration LIMIT = Duration.ofSeconds(60);

    private Patience() {
    }

    /**
     * Waits until the keeper has closed a directory, which it does soon after the last {@code SessionLocks} is closed. Otherwise it may create a
     * guard file there while JUnit deletes the directory.
     */
    static void untilLetGo(Path dir) {
        long start = System.nanoTime();
        try {
            while (Kernel.openFilesIn(dir) > 0) {
                assertThat(System.nanoTime() - start).as("nanoseconds since the last locks in %s were closed; a file there is still open", dir)
                        .isLessThan(LIMIT.toNanos());
                Thread.sleep(2);
            }
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    static ConditionFactory await() {
        return Awaitility.await().pollDelay(Duration.ZERO).pollInterval(Duration.ofMillis(4)).atMost(LIMIT);
    }

    /** Something with a promised speed. */
    interface Measured {
        /** {@return the nanoseconds that it took} */
        long run() throws Exception;
    }

    /** Does something up to three times, until it is fast enough once. The machine may stand still for a moment, but not at each try. */
    static void within(Duration limit, Measured step) throws Exception {
        List<Duration> took = new ArrayList<>();
        do {
            took.add(Duration.ofNanos(step.run()));
        } while (took.get(took.size() - 1).compareTo(limit) >= 0 && took.size() < 3);
        assertThat(took.get(took.size() - 1)).as("the last of %s", took).isLessThan(limit);
    }
}

package dev.sessionlock;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Path;
import java.time.Duration;
import org.awaitility.Awaitility;
import org.awaitility.core.ConditionFactory;

/** Waits for conditions, looking often: a tenth of a second, Awaitility's own pace, would be most of the time of these tests. */
final class Patience {
    private Patience() {
    }

    /**
     * Waits until the keeper has let go of a directory, which it does soon after the last {@code SessionLocks} is closed: else it may put
     * a guard file there while JUnit deletes the directory.
     */
    static void untilLetGo(Path dir) {
        long start = System.nanoTime();
        try {
            while (Kernel.openFilesIn(dir) > 0 && System.nanoTime() - start < 5_000_000_000L) {
                Thread.sleep(2);
            }
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    static ConditionFactory await() {
        return Awaitility.await().pollDelay(Duration.ZERO).pollInterval(Duration.ofMillis(4)).atMost(Duration.ofSeconds(20));
    }
}

package dev.sessionlock.jdbc;

import static org.assertj.core.api.Assertions.assertThat;

import dev.sessionlock.spi.EngineLock;
import dev.sessionlock.spi.Hold;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.Nested;
import org.junit.jupiter.api.Test;

/** As {@link JdbcThrowablesTest}, for a stack that overflows at each depth. */
class JdbcOverflowTest extends JdbcThrowablesFixture {
    /** A stack overflow happens anywhere: also within our own code, and within the locks that it takes. */
    @Nested
    class OnANearlyUsedUpStack {
        private static final int ENOUGH = 5;
        private final List<Throwable> met = new ArrayList<>();
        private final List<Hold> held = new ArrayList<>();
        private int taken;

        @Test
        void nothingIsLeftBehindHoweverDeepItIs() throws Throwable {
            EngineLock lock = lock(engine, "deep");
            release(lock, take(lock)); // a class that is not loaded yet would be spoiled for good
            Throwable[] failed = new Throwable[1];
            Thread thread = new Thread(null, () -> {
                try {
                    dive(lock);
                } catch (Throwable e) {
                    failed[0] = e;
                }
            }, "deep", 512 << 10);
            thread.setDaemon(true);
            thread.start();
            thread.join(PATIENCE.toMillis());
            assertThat(thread.isAlive()).as("the thread at %s", Arrays.toString(thread.getStackTrace())).isFalse();
            assertThat(failed[0]).isNull();
            assertThat(taken).isEqualTo(ENOUGH);
            assertThat(met).isNotEmpty();
            held.forEach(hold -> release(lock, hold));
            tidy(lock);
            isFree("deep", "a stack overflow");
        }

        private void dive(EngineLock lock) {
            try {
                dive(lock);
            } catch (StackOverflowError e) {
                // from here on back up
            }
            if (taken < ENOUGH) {
                attempt(lock);
            }
        }

        private void attempt(EngineLock lock) {
            Hold hold = null;
            try {
                hold = lock.take(TERMS) instanceof Hold ours ? ours : null;
                if (hold != null) {
                    lock.release(hold);
                    taken++;
                }
            } catch (Throwable e) {
                met.add(e);
                if (hold != null) {
                    held.add(hold);
                }
            }
        }
    }
}

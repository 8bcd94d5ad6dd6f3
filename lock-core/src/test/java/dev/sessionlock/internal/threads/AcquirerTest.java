package dev.sessionlock.internal.threads;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.sessionlock.LockOptions;
import dev.sessionlock.spi.Busy;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;

class AcquirerTest {
    private final ScriptedEngine engine = new ScriptedEngine();

    /** Found by ThreadSchedulesTest. What fails as a waiter leaves must not hide why it leaves: its interrupt would be lost. */
    @Test
    void interruptedWaiterIsToldSoThoughTheEngineFailsAsItLeaves() {
        engine.busy = new Busy(Busy.NOTHING, Long.MAX_VALUE, "another process holds it");
        engine.faultAt = "declineAllAwaited";
        Thread.currentThread().interrupt();
        assertThatThrownBy(() -> engine.lock.acquirer().acquire(engine.request(LockOptions.defaults()), TimeUnit.MINUTES.toNanos(1), engine.now))
                .isInstanceOf(InterruptedException.class);
        assertThat(engine.calls).contains("declineAllAwaited");
        assertThat(engine.lock.owned().isUntidy()).as("the keeper tries again").isTrue();
    }
}

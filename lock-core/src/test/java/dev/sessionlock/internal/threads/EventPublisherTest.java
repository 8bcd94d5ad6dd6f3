package dev.sessionlock.internal.threads;

import static org.assertj.core.api.Assertions.assertThat;

import dev.sessionlock.LockOptions;
import dev.sessionlock.spi.Terms;
import java.time.Duration;
import org.junit.jupiter.api.Test;

/** On what terms the locks of one {@code SessionLocks} are asked for. */
class EventPublisherTest {
    private final EventPublisher publisher = new EventPublisher(null, null, false, Shutdown.WHILE_HOOKS_WORK);

    @Test
    void termsAreOneObjectForOneThreadAndItsOptionsAndNeverAnothers() {
        LockOptions options = LockOptions.defaults().withPurpose("compaction");
        Terms mine = publisher.terms(options, "one");
        assertThat(mine.thread()).isEqualTo("one");
        assertThat(mine.purpose()).isEqualTo("compaction");
        assertThat(mine.takeForeign()).isFalse();
        assertThat(publisher.terms(options, "one")).as("each held lock keeps its terms").isSameAs(mine);

        assertThat(publisher.terms(options, "two").thread()).isEqualTo("two");
        assertThat(publisher.terms(options.withLease(Duration.ofSeconds(7)), "two").leaseNanos()).isEqualTo(7_000_000_000L);
        assertThat(publisher.terms(options.withMaxHold(LockOptions.UNLIMITED), "two").maxHoldMillis()).isNegative();
        assertThat(publisher.terms(options, "one")).isEqualTo(mine);
    }
}

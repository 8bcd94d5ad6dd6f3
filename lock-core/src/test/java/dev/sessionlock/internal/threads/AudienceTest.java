package dev.sessionlock.internal.threads;

import static org.assertj.core.api.Assertions.assertThat;

import dev.sessionlock.LockOptions;
import dev.sessionlock.spi.Terms;
import java.time.Duration;
import org.junit.jupiter.api.Test;

/** On what terms the locks of one {@code SessionLocks} are asked for. */
class AudienceTest {
    private final Audience audience = new Audience(null, null, false, Shutdown.WHILE_HOOKS_WORK);

    @Test
    void termsAreOneObjectForOneThreadAndItsOptionsAndNeverAnothers() {
        LockOptions options = LockOptions.defaults().withPurpose("compaction");
        Terms mine = audience.terms(options, "one");
        assertThat(mine.thread()).isEqualTo("one");
        assertThat(mine.purpose()).isEqualTo("compaction");
        assertThat(mine.takeStrangers()).isFalse();
        assertThat(audience.terms(options, "one")).as("each held lock keeps its terms").isSameAs(mine);

        assertThat(audience.terms(options, "two").thread()).isEqualTo("two");
        assertThat(audience.terms(options.withLease(Duration.ofSeconds(7)), "two").leaseNanos()).isEqualTo(7_000_000_000L);
        assertThat(audience.terms(options.withMaxHold(LockOptions.UNLIMITED), "two").maxHoldMillis()).isNegative();
        assertThat(audience.terms(options, "one")).isEqualTo(mine);
    }
}

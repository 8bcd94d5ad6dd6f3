package dev.sessionlock.internal.system;

import static java.time.temporal.ChronoUnit.SECONDS;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.time.Instant;
import java.util.Optional;
import org.junit.jupiter.api.Test;

/** What it reads from {@code /proc} is the same as what the JDK says. */
class ProcessIdentityTest {
    private final ProcessIdentity self = ProcessIdentity.current();

    @Test
    void itsPid() {
        assertThat(self.pid()).isEqualTo(ProcessHandle.current().pid());
    }

    @Test
    void whenItStarted() {
        Optional<Instant> told = ProcessHandle.current().info().startInstant();
        assumeTrue(told.isPresent(), "the JDK does not know when this process started");
        assertThat(self.started()).isCloseTo(told.get(), within(1, SECONDS)); // the time of the boot is computed anew at each look
    }
}

package dev.sessionlock.benchmarks.load;

import static org.assertj.core.api.Assertions.assertThat;

import dev.sessionlock.benchmarks.Workplace;
import dev.sessionlock.benchmarks.peers.Peer;
import java.nio.file.Path;
import java.time.Duration;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What the report says of waiters, deaths and many locks. Takes several seconds, since it waits until compilers and keepers are at rest. */
@Tag("soak")
class HeldForLongTest {
    private static final int MANY = 200;

    @TempDir
    private Path temporary;

    @Test
    void aWaiterIsInAfterTheDeathOfAHolder() throws Exception {
        try (Workplace place = Workplace.in(temporary)) {
            Deathwatch watch = Deathwatch.of(Peer.STRICT, place, Duration.ofMillis(200), 2);

            assertThat(watch.inAfterKill()).hasSize(2).allMatch(in -> in.isPresent() && in.getAsLong() > 0);
            assertThat(watch.waiterShare()).isBetween(0.0, 2.0);
        }
    }

    @Test
    void aWaiterForAFileThatStaysIsNeverIn() throws Exception {
        try (Workplace place = Workplace.in(temporary)) {
            Deathwatch watch = Deathwatch.of(Peer.CREATE_DELETE, place, Duration.ofMillis(200), 3);

            assertThat(watch.inAfterKill()).hasSize(1).allMatch(in -> in.isEmpty());
        }
    }

    @Test
    void aWaiterThatLooksAfterFifteenSecondsIsInThen() throws Exception {
        try (Workplace place = Workplace.in(temporary)) {
            Deathwatch watch = Deathwatch.of(Peer.CHRONICLE, place, Duration.ofMillis(200), 3);

            assertThat(watch.inAfterKill()).hasSize(1).allMatch(in -> in.isPresent() && in.getAsLong() > Duration.ofSeconds(10).toNanos());
        }
    }

    @Test
    void aLockOnAChannelOfItsOwnCostsADescriptorAndOursDoesNot() throws Exception {
        try (Workplace place = Workplace.in(temporary)) {
            ManyHeld.Figures kept = ManyHeld.of(Peer.CHANNEL_KEPT, place, MANY, Duration.ZERO);
            ManyHeld.Figures ours = ManyHeld.of(Peer.STRICT, place, MANY, Duration.ofMillis(100));

            assertThat(kept.descriptors()).isBetween(0.99, 1.05);
            assertThat(ours.descriptors()).isLessThan(0.5); // 64 guard files at most
            assertThat(ours.heapBytes()).isPositive();
            assertThat(ours.besideNanos()).isPositive();
        }
    }
}

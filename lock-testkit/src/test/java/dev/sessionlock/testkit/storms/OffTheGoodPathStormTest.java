package dev.sessionlock.testkit.storms;

import dev.sessionlock.testkit.storms.Storm.Attack;
import dev.sessionlock.testkit.storms.Storm.Plan;
import dev.sessionlock.testkit.storms.Storm.Promise;
import dev.sessionlock.testkit.storms.Storm.Removals;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.EnumSet;
import java.util.Set;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Nested;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.api.parallel.Isolated;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

@Isolated
@Tag("soak")
class OffTheGoodPathStormTest {
    @TempDir
    Path temp;
    private Path dir;

    @BeforeEach
    void makeDirectory() throws Exception {
        dir = Files.createDirectory(temp.resolve("sessions"));
    }

    private static Duration length(long seconds) {
        return Duration.ofSeconds(Long.getLong("offpath.seconds", seconds));
    }

    private void storm(String name, Plan plan, Set<Promise> promises, Duration length, Attack attack) throws Exception {
        try (Storm storm = new Storm(name, plan, temp)) {
            storm.rage(length, attack);
            storm.calm();
            storm.assertKept(promises);
        }
    }

    @Nested
    class GuardsReadInAHoldersJvm {
        /** One guard, that of all the new names; or each in turn. */
        @ParameterizedTest
        @ValueSource(ints = {0, Gateway.ANY_GUARD})
        void neverGivesALockTwoLinesOrTwoHolders(int guard) throws Exception {
            storm("guards read, " + guard, Plan.in(dir).allowing("lost KERNEL_LOCK_LOST", "lost LEASE_EXPIRED"), EnumSet.allOf(Promise.class), length(20), storm -> {
                Set<String> names = storm.withNewNames(guard, s -> s.tellAll("read-guards", guard, 2_000));
                storm.suspect(BoardFile.read(dir).doubled(names));
            });
        }
    }
}

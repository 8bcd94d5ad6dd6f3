package dev.sessionlock;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What a lock costs in memory. Objects are counted, so the figures depend on the JVM's object layout and on nothing else of the machine. */
class FootprintTest {
    /** With all that the JDK keeps for it, the map that finds it, and its user's handle; without the characters of its name. */
    static final long MOST_HELD = 1_064;
    /** Without a compiler that finds out which objects are used by one method only; with it, 80. */
    private static final long MOST_WARM = 280;

    @TempDir
    static Path dir;

    private static List<String> said;

    @BeforeAll
    static void count() throws Exception {
        said = FreshJvm.run(Footprint.class, dir).lines().toList();
        assumeTrue(!said.get(0).startsWith("layout with"), () -> "the objects of this JVM are larger: " + said.get(0));
        assertThat(said).contains("layout usual");
    }

    private static long figure(String name) {
        return said.stream().filter(line -> line.startsWith(name + " ")).mapToLong(line -> Long.parseLong(line.split(" ")[1])).findFirst().orElseThrow();
    }

    @Test
    void heldLockKeepsLittle() {
        assertThat(figure("held")).as(() -> String.join("\n", said)).isBetween(500L, MOST_HELD);
    }

    @Test
    void warmCycleAllocatesLittle() {
        assertThat(figure("warm")).as(() -> String.join("\n", said)).isBetween(1L, MOST_WARM);
    }
}

package dev.sessionlock.testkit;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.api.parallel.Isolated;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** How processes that want one lock take turns. Runs alone, since it measures. */
@Isolated
class TakingTurnsTest {
    private static final double LEAST_SHARE = 0.25;

    @TempDir
    Path dir;

    @ParameterizedTest(name = "linger {0} ms")
    @ValueSource(longs = {0, 1_000})
    void processesThatHammerOneLockGetFairSharesAndAThirdOneGetsItsTurns(long linger) throws Exception {
        Path file = dir.resolve("session.jsonl");
        try (MutualExclusionWitness witness = MutualExclusionWitness.open(); ChildJvm one = hammer(witness, "one", file, linger);
                ChildJvm two = hammer(witness, "two", file, linger); Puppet third = Puppet.start()) {
            one.send("go");
            two.send("go");
            assertThirdGetsItsTurnsSoon(third, file); // meanwhile they warm up
            double share = 0;
            for (int tries = 0; tries < 3 && share <= LEAST_SHARE; tries++) { // one of them may stand still for a moment
                share = lesserShare(one, two);
            }
            assertThat(share).as("the lesser share, to the greater").isGreaterThan(LEAST_SHARE);
            for (ChildJvm each : List.of(one, two)) {
                each.send("stop");
                each.awaitMark("stopped", Puppet.PATIENCE);
                assertThat(each.pollMark("trouble")).isEmpty();
            }
            witness.awaitAllLeft(Puppet.PATIENCE);
            witness.verify();
            third.acquire("a", file, "timeout=30000"); // a lock that lingers in a process is given back a moment after its SessionLocks is closed
        }
    }

    private static double lesserShare(ChildJvm one, ChildJvm two) throws InterruptedException {
        one.send("count");
        two.send("count");
        Thread.sleep(2_000);
        one.send("say");
        two.send("say");
        long first = one.awaitMark("count", Puppet.PATIENCE).number(0);
        long second = two.awaitMark("count", Puppet.PATIENCE).number(0);
        System.out.println("two JVMs with four threads each, locks had in 2 s: " + first + " and " + second);
        return (double) Math.min(first, second) / Math.max(first, second);
    }

    private static void assertThirdGetsItsTurnsSoon(Puppet third, Path file) throws InterruptedException {
        third.acquire("first", file.resolveSibling("another.jsonl")); // a first acquisition loads classes: some 200 ms beside eight threads that hammer
        third.close("first");
        List<Long> waits = new ArrayList<>();
        for (int i = 0; i < 20; i++) {
            long start = System.nanoTime();
            Puppet.Held held = third.acquire("a", file, "timeout=30000");
            waits.add((held.nanos() - start) / 1_000_000);
            third.close("a");
        }
        Collections.sort(waits);
        System.out.println("a third process among two that hammer waited for, ms: " + waits);
        assertThat(waits.get(waits.size() / 2)).as("the median wait, ms, of %s", waits).isLessThan(1_000);
    }

    private static ChildJvm hammer(MutualExclusionWitness witness, String name, Path file, long linger) throws IOException, InterruptedException {
        ChildJvm jvm = SmallJvm.of(Hammer.class).name(name).args(witness.address(), name, file.toString(), "4", Long.toString(linger)).start();
        jvm.awaitMark("ready", Puppet.PATIENCE);
        return jvm;
    }
}

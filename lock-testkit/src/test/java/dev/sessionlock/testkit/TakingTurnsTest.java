package dev.sessionlock.testkit;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import org.junit.jupiter.api.parallel.Isolated;

/** How processes that want one lock take turns, and what it costs to wait. */
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
            Thread.sleep(1_000);
            one.send("count");
            two.send("count");
            Thread.sleep(2_000);
            one.send("stop");
            two.send("stop");
            long first = one.awaitMark("count", Puppet.PATIENCE).number(0);
            long second = two.awaitMark("count", Puppet.PATIENCE).number(0);
            witness.awaitAllLeft(Puppet.PATIENCE);
            witness.verify();
            System.out.println("two JVMs with four threads each, locks had in 2 s: " + first + " and " + second);
            assertThat((double) Math.min(first, second) / Math.max(first, second)).as("the lesser share of %d and %d, to the greater", first, second)
                    .isGreaterThan(LEAST_SHARE);
            assertThat(one.pollMark("trouble")).isEmpty();
            assertThat(two.pollMark("trouble")).isEmpty();
            assertThat(third.tryAcquire("a", file)).isTrue();
        }
    }

    @Test
    void waiterAmongHammeringProcessesGetsItsTurnSoon() throws Exception {
        Path file = dir.resolve("session.jsonl");
        try (MutualExclusionWitness witness = MutualExclusionWitness.open(); ChildJvm one = hammer(witness, "one", file, 0);
                ChildJvm two = hammer(witness, "two", file, 0); Puppet third = Puppet.start()) {
            one.send("go");
            two.send("go");
            List<Long> waits = new ArrayList<>();
            for (int i = 0; i < 20; i++) {
                long start = System.nanoTime();
                Puppet.Held held = third.acquire("a", file, "timeout=10000");
                waits.add((held.nanos() - start) / 1_000_000);
                third.close("a");
            }
            Collections.sort(waits);
            System.out.println("a third process among two that hammer waited for, ms: " + waits);
            assertThat(waits.get(waits.size() / 2)).as("the median wait, ms, of %s", waits).isLessThan(1_000);
            for (ChildJvm each : List.of(one, two)) {
                each.send("count");
                each.send("stop");
                each.awaitMark("stopped", Puppet.PATIENCE);
                assertThat(each.pollMark("trouble")).isEmpty();
            }
            witness.awaitAllLeft(Puppet.PATIENCE);
            witness.verify();
        }
    }

    private static ChildJvm hammer(MutualExclusionWitness witness, String name, Path file, long linger) throws IOException, InterruptedException {
        ChildJvm jvm = ChildJvm.of(Hammer.class).name(name).jvmArgs(Puppet.SMALL)
                .args(witness.address(), name, file.toString(), "4", Long.toString(linger)).start();
        jvm.awaitMark("ready", Puppet.PATIENCE);
        return jvm;
    }

    @Test
    void waitingBurnsNoCore() throws Exception {
        try (Puppet holder = Puppet.start(); Puppet waiter = Puppet.start()) {
            List<Puppet.Call> waiting = new ArrayList<>();
            for (int i = 0; i < 24; i++) { // more than may wait in the kernel: the others poll
                holder.acquire("h" + i, dir.resolve("session-" + i));
                waiting.add(waiter.beginAcquire("w" + i, dir.resolve("session-" + i), "timeout=60000"));
            }
            Thread.sleep(1_000); // classes are loaded and compiled
            long before = waiter.tell("cpu").number(0);
            long start = System.nanoTime();
            Thread.sleep(2_000);
            long used = waiter.tell("cpu").number(0) - before;
            double share = used * 1e6 / (System.nanoTime() - start);
            System.out.printf("24 waiting threads used %.1f %% of a core%n", share * 100);
            assertThat(share).as("share of a core").isLessThan(0.1);
            for (int i = 0; i < 24; i++) {
                holder.close("h" + i);
                Puppet.held(waiting.get(i));
            }
        }
    }
}

package dev.sessionlock.testkit;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The cost of waiting: the CPU time of the process itself, to which other processes do not add. */
class WaitingCostTest {
    @TempDir
    Path dir;

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

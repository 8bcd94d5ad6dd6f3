package dev.sessionlock.testkit;

import static org.awaitility.Awaitility.await;

import java.nio.file.Path;
import java.time.Duration;
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
            await().pollDelay(Duration.ZERO).until(() -> shareOfACore(waiter) < 0.1); // at first classes are loaded and compiled
            for (int i = 0; i < 24; i++) {
                holder.close("h" + i);
                Puppet.held(waiting.get(i));
            }
        }
    }

    private static double shareOfACore(Puppet waiter) throws Exception {
        long before = waiter.tell("cpu").number(0);
        long start = System.nanoTime();
        Thread.sleep(1_000);
        double share = (waiter.tell("cpu").number(0) - before) * 1e6 / (System.nanoTime() - start);
        System.out.printf("24 waiting threads used %.1f %% of a core%n", share * 100);
        return share;
    }
}

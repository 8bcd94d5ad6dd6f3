package dev.sessionlock.testkit;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import java.io.IOException;
import java.lang.management.ManagementFactory;
import java.lang.management.OperatingSystemMXBean;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.locks.LockSupport;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.api.parallel.Isolated;

/** How soon a waiter gets the lock after the holder's process was killed. Runs alone, since it measures. */
@Isolated
class KilledHolderTest {
    private static final int KILLS = 12;
    private static final double MOST_MILLIS = 20;

    @TempDir
    Path dir;

    @Test
    void waiterIsInWithin20MillisecondsOfTheEndOfTheKilledProcess() throws Exception {
        Path file = dir.resolve("session.jsonl");
        List<Double> delays = new ArrayList<>();
        Puppet next = Puppet.start();
        try (Puppet waiter = Puppet.start()) {
            for (int i = 0; i < KILLS; i++) {
                try (Puppet victim = next) {
                    victim.acquire("a", file);
                    Puppet.Call waiting = waiter.beginAcquire("w" + i, file, "timeout=30000");
                    awaitWaiting(waiter);
                    next = i == KILLS - 1 ? null : Puppet.start();
                    long end = endOf(victim.jvm());
                    delays.add((Puppet.held(waiting).nanos() - end) / 1e6);
                    waiter.close("w" + i);
                }
            }
        } finally {
            if (next != null) {
                next.close();
            }
        }
        double crowd = crowd();
        System.out.printf("waiter in after the end of the killed process: median %.2f ms of %s; %.1f wanted each core%n", median(delays), delays,
                crowd);
        assertThat(median(delays)).as("milliseconds from the end of the killed process to the waiter's entry, median of %s", delays)
                .isLessThan(MOST_MILLIS * crowd);
    }

    /** {@return how many threads compete for each core, at least one: everything takes that many times longer} */
    private static double crowd() {
        OperatingSystemMXBean system = ManagementFactory.getOperatingSystemMXBean();
        return Math.max(1, system.getSystemLoadAverage() / system.getAvailableProcessors());
    }

    private static double median(List<Double> values) {
        List<Double> sorted = values.stream().sorted().toList();
        return (sorted.get((sorted.size() - 1) / 2) + sorted.get(sorted.size() / 2)) / 2;
    }

    /** Waits until the puppet waits in the kernel, as a thread does that has waited for a while. */
    private void awaitWaiting(Puppet waiter) {
        await().atMost(Puppet.PATIENCE).until(() -> Files.readAllLines(Path.of("/proc/locks")).stream()
                .anyMatch(line -> line.contains("-> POSIX") && line.contains(" " + waiter.jvm().pid() + " ")));
    }

    /**
     * Kills a JVM. Returns the monotonic clock when the process was gone, found by polling. The first thread looks like a zombie some milliseconds
     * before the last one closes the files; the process has ended when no thread is left.
     */
    private static long endOf(ChildJvm victim) {
        Path process = Path.of("/proc/" + victim.pid());
        ProcessHandle.of(victim.pid()).orElseThrow().destroyForcibly();
        while (hasThreads(process)) {
            LockSupport.parkNanos(20_000); // with a pause: there may be only two cores
        }
        return System.nanoTime();
    }

    private static boolean hasThreads(Path process) {
        try (Stream<Path> threads = Files.list(process.resolve("task"))) {
            String stat = Files.readString(process.resolve("stat"), StandardCharsets.ISO_8859_1);
            return threads.count() > 1 || stat.charAt(stat.lastIndexOf(')') + 2) != 'Z';
        } catch (IOException e) {
            return false; // reaped
        }
    }
}

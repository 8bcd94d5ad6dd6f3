package dev.sessionlock.benchmarks.load;

import dev.sessionlock.benchmarks.Workplace;
import dev.sessionlock.benchmarks.peers.Peer;
import dev.sessionlock.benchmarks.peers.PeerLock;
import dev.sessionlock.testkit.ChildJvm;
import java.io.IOException;
import java.lang.management.ManagementFactory;
import java.lang.management.ThreadMXBean;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;

/** What it costs one JVM to hold many locks of one directory. */
public final class ManyHeld {
    private static final Duration WARM_UP = Duration.ofMillis(800);
    private static final Duration WINDOW = Duration.ofMillis(200);
    private static final int WINDOWS = 5;
    /** After their release, some locks linger for a second; a cycle measured meanwhile would not be alone. */
    private static final Duration LINGERS = Duration.ofSeconds(2);
    /** So many that free nothing, one after the other. */
    private static final int COLLECTIONS = 5;
    private static final Duration BETWEEN_COLLECTIONS = Duration.ofMillis(100);
    /** Bytes that come and go with what the JVM itself does. */
    private static final long NOISE = 4_096;
    private static final Duration PATIENCE = Duration.ofSeconds(120);

    private final Peer peer;
    private final Path directory;
    private final List<PeerLock> locks = new ArrayList<>();
    private final List<AutoCloseable> holds = new ArrayList<>();

    /**
     * The figures.
     *
     * @param aloneNanos a cycle of one more lock while no other is held, before and after
     * @param besideNanos the same while they are held
     * @param heapBytes for each lock that has been held for a while: all that the peer keeps for it, and the hold that its user has
     * @param descriptors for each held lock
     * @param keeperShare the share of a core that the keeper's thread uses while they are held, once it has run for a while; 0 if there is no keeper
     */
    public record Figures(double aloneNanos, double besideNanos, double heapBytes, double descriptors, double keeperShare) {
        private static Figures parse(List<String> words) {
            double[] all = words.stream().mapToDouble(Double::parseDouble).toArray();
            return new Figures(all[0], all[1], all[2], all[3], all[4]);
        }

        private String text() {
            return aloneNanos + " " + besideNanos + " " + heapBytes + " " + descriptors + " " + keeperShare;
        }
    }

    ManyHeld(Peer peer, Path directory) {
        this.peer = peer;
        this.directory = directory;
    }

    /**
     * Measures in a JVM of its own.
     *
     * @param count how many are held
     * @param watched for how long the keeper is watched, after half as long again; our locks are renewed every 10 s, so a shorter time misses the
     *     renewals
     * @throws IOException if the peer has thrown something, or has no more descriptors
     */
    public static Figures of(Peer peer, Workplace place, int count, Duration watched) throws IOException, InterruptedException {
        try (Crew crew = Crew.start(peer, place.directory("many"), 1, 1)) {
            ChildJvm worker = crew.workers().get(0);
            worker.send("hold " + count + " " + watched.toMillis());
            return Figures.parse(Crew.answer(worker, "holds", PATIENCE.plus(watched)));
        }
    }

    /** Measures in this JVM. Returns the figures, as text. */
    String measure(int count, long watchMillis) throws Exception {
        try (PeerLock one = peer.open(directory, "one.jsonl")) {
            cycle(one, WARM_UP);
            double[] alone = new double[2 * WINDOWS];
            double[] beside = new double[WINDOWS];
            measure(one, alone, 0);
            long heap = heap();
            long descriptors = descriptors();
            hold(count);
            descriptors = descriptors() - descriptors;
            double keeper = keeperShare(watchMillis);
            heap = heap() - heap; // only now: a lock that has just been taken still keeps what it needed for that
            measure(one, beside, 0);
            release();
            Thread.sleep(LINGERS.toMillis());
            measure(one, alone, WINDOWS);
            return new Figures(median(alone), median(beside), (double) heap / count, (double) descriptors / count, keeper).text();
        }
    }

    private static void measure(PeerLock lock, double[] into, int from) throws Exception {
        for (int i = from; i < from + WINDOWS; i++) {
            into[i] = cycle(lock, WINDOW);
        }
    }

    /** {@return nanoseconds a cycle} */
    private static double cycle(PeerLock lock, Duration time) throws Exception {
        long from = System.nanoTime();
        long cycles = 0;
        long now;
        do {
            lock.acquire().close();
            cycles++;
            now = System.nanoTime();
        } while (now - from < time.toNanos());
        return (double) (now - from) / cycles;
    }

    private void hold(int count) throws Exception {
        for (int i = 0; i < count; i++) {
            PeerLock lock = peer.open(directory, "held-" + i + ".jsonl");
            if (lock.staysOpen()) {
                locks.add(lock);
            }
            holds.add(lock.acquire());
        }
    }

    private void release() throws Exception {
        for (AutoCloseable hold : holds) {
            hold.close();
        }
        for (PeerLock lock : locks) {
            lock.close();
        }
    }

    /** {@return the bytes in use once nothing more becomes free} Some become free only when other threads have run, which a collection wakes. */
    private static long heap() throws InterruptedException {
        long least = Long.MAX_VALUE;
        for (int inVain = 0; inVain < COLLECTIONS; inVain++) {
            System.gc();
            long used = ManagementFactory.getMemoryMXBean().getHeapMemoryUsage().getUsed();
            if (used < least - NOISE) {
                inVain = 0;
            }
            least = Math.min(least, used);
            Thread.sleep(BETWEEN_COLLECTIONS.toMillis());
        }
        return least;
    }

    private static long descriptors() throws IOException {
        Path own = Path.of("/proc/self/fd");
        if (!Files.isDirectory(own)) {
            own = Path.of("/dev/fd");
        }
        try (Stream<Path> all = Files.list(own)) {
            return all.count();
        }
    }

    private static double keeperShare(long watchMillis) throws InterruptedException {
        ThreadMXBean threads = ManagementFactory.getThreadMXBean();
        long keeper = Arrays.stream(threads.getThreadInfo(threads.getAllThreadIds()))
                .filter(thread -> thread != null && thread.getThreadName().equals("sessionlock-keeper"))
                .mapToLong(thread -> thread.getThreadId()).findFirst().orElse(-1);
        if (keeper < 0) {
            return 0;
        }
        Thread.sleep(watchMillis / 2); // until it is compiled: in its first seconds it uses twice as much
        long used = threads.getThreadCpuTime(keeper);
        Thread.sleep(watchMillis);
        return (threads.getThreadCpuTime(keeper) - used) / (double) TimeUnit.MILLISECONDS.toNanos(watchMillis);
    }

    private static double median(double[] all) {
        double[] sorted = all.clone();
        Arrays.sort(sorted);
        int middle = sorted.length / 2;
        return sorted.length % 2 == 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
    }
}

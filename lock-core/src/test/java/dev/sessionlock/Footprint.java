package dev.sessionlock;

import com.sun.management.HotSpotDiagnosticMXBean;
import com.sun.management.ThreadMXBean;
import java.lang.management.ManagementFactory;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.locks.LockSupport;
import javax.management.ObjectName;

/**
 * A program that counts what locks cost in memory. It prints {@code layout usual}, or how the objects of this JVM lie otherwise; {@code warm BYTES}, what an
 * acquisition of a lingering lock and its close allocate; and {@code held BYTES}, what a held lock keeps, and of that {@code of BYTES CLASS}.
 */
final class Footprint {
    private static final int HELD = 1_000;
    private static final int CYCLES = 10_000;
    private static final long QUICK_NANOS = 1_000_000;
    private static final int MOST_TRIES = 100;
    /** The keeper looks after a lock with so short a lease several times a second, and lets go of what only taking it needed. */
    private static final LockOptions STRICT = LockOptions.defaults().withLease(Duration.ofSeconds(4)).withMaxHold(LockOptions.UNLIMITED);
    private static final LockOptions WARM = LockOptions.defaults().withLinger(Duration.ofMinutes(1));

    private record Kind(long instances, long bytes) {
    }

    private Footprint() {
    }

    /** @param args a file in an empty directory */
    public static void main(String[] args) throws Exception {
        System.out.println("layout " + layout());
        Path file = Path.of(args[0]);
        try (SessionLocks locks = SessionLocks.create()) {
            System.out.println("warm " + warm(locks, file));
            held(locks, file.toAbsolutePath().getParent());
        }
    }

    private static String layout() {
        HotSpotDiagnosticMXBean jvm = ManagementFactory.getPlatformMXBean(HotSpotDiagnosticMXBean.class);
        for (String option : List.of("UseCompressedOops", "UseCompressedClassPointers")) {
            if (!jvm.getVMOption(option).getValue().equals("true")) {
                return "without " + option;
            }
        }
        return jvm.getVMOption("ObjectAlignmentInBytes").getValue().equals("8") ? "usual" : "with another alignment than 8";
    }

    private static long warm(SessionLocks locks, Path file) throws Exception {
        ThreadMXBean threads = (ThreadMXBean) ManagementFactory.getThreadMXBean();
        long id = Thread.currentThread().getId();
        long least = Long.MAX_VALUE;
        for (int round = 0; round < 10; round++) { // the least: in some rounds the JVM compiles, or the keeper writes who has the lock
            long before = threads.getThreadAllocatedBytes(id);
            for (int i = 0; i < CYCLES; i++) {
                locks.acquire(file, WARM).close();
            }
            least = Math.min(least, (threads.getThreadAllocatedBytes(id) - before) / CYCLES);
        }
        return least;
    }

    private static void held(SessionLocks locks, Path directory) throws Exception {
        Map<String, Kind> before = histogram();
        before = histogram(); // while there is one such map, as there is later
        List<SessionLock> held = new ArrayList<>();
        for (int i = 0; i < HELD; i++) {
            held.add(quicklyAcquired(locks, directory.resolve("held-" + i + ".jsonl")));
        }
        Map<String, Long> kept = kept(before);
        long deadline = System.nanoTime() + Patience.LIMIT.toNanos() / 2;
        while (sum(kept) > FootprintTest.MOST_HELD && System.nanoTime() < deadline) { // the keeper has not looked at all of them yet
            LockSupport.parkNanos(Duration.ofMillis(100).toNanos());
            kept = kept(before);
        }
        System.out.println("held " + sum(kept));
        kept.forEach((type, bytes) -> System.out.println("of " + bytes + " " + type));
        for (SessionLock lock : held) {
            lock.close();
        }
    }

    /** A lock that took a millisecond keeps for the history how long it was waited for. On a busy machine that may be any of them, so it is acquired again. */
    private static SessionLock quicklyAcquired(SessionLocks locks, Path file) throws Exception {
        for (int tries = 1; ; tries++) {
            long before = System.nanoTime();
            SessionLock lock = locks.acquire(file, STRICT);
            if (System.nanoTime() - before < QUICK_NANOS || tries == MOST_TRIES) {
                return lock;
            }
            lock.close();
        }
    }

    private static long sum(Map<String, Long> kept) {
        return kept.values().stream().mapToLong(Long::longValue).sum();
    }

    /**
     * {@return the bytes that each lock keeps, by class} Only of classes of which it keeps an instance at least, since other threads allocate, too. Without the
     * characters of its name: the JVM has megabytes of strings, which come and go.
     */
    private static Map<String, Long> kept(Map<String, Kind> before) throws Exception {
        Map<String, Long> kept = new TreeMap<>();
        histogram().forEach((type, now) -> {
            Kind then = before.getOrDefault(type, new Kind(0, 0));
            boolean text = type.equals("[B") || type.equals("java.lang.String");
            if (!text && now.instances() - then.instances() >= HELD) {
                kept.put(type, (now.bytes() - then.bytes()) / HELD);
            }
        });
        return kept;
    }

    /** {@return the objects that are alive, by class} */
    private static Map<String, Kind> histogram() throws Exception {
        String text = (String) ManagementFactory.getPlatformMBeanServer().invoke(new ObjectName("com.sun.management:type=DiagnosticCommand"),
                "gcClassHistogram", new Object[] {new String[0]}, new String[] {String[].class.getName()});
        Map<String, Kind> kinds = new HashMap<>();
        for (String line : text.lines().toList()) {
            String[] words = line.trim().split("\\s+"); // "1: 15 1234 java.lang.String (java.base@17)"
            if (words.length >= 4 && words[0].endsWith(":") && Character.isDigit(words[0].charAt(0))) {
                kinds.merge(words[3], new Kind(Long.parseLong(words[1]), Long.parseLong(words[2])),
                        (one, other) -> new Kind(one.instances() + other.instances(), one.bytes() + other.bytes()));
            }
        }
        return kinds;
    }
}

package dev.sessionlock.testkit;

import dev.sessionlock.LockLostException;
import dev.sessionlock.LockMode;
import dev.sessionlock.LockOptions;
import dev.sessionlock.SessionLock;
import dev.sessionlock.SessionLocks;
import java.io.FileOutputStream;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.locks.LockSupport;

/**
 * One JVM of the storm: two threads that append lines to one transcript under its lock, and now and then compact it. In between they read it, as readers of the lock: nothing
 * changes there meanwhile. A line counts once it was read
 * back whole and the lock was still held after that. Until then it is written again, under the same id.
 */
final class StormWriters implements ChildScenario {
    static final Duration LEASE = Duration.ofSeconds(1);
    private static final Duration LINGER = Duration.ofMillis(300);
    static final Duration TIMEOUT = Duration.ofSeconds(25);
    static final String LOCK = "session";
    private static final int THREADS = 2;
    private static final int COMPACT_EVERY = 60;
    private static final int TEAR_EVERY = 15;
    private static final int DAWDLE_EVERY = 400;
    private static final int READ_EVERY = 2;

    private final SessionLocks locks = SessionLocks.create();
    private final AtomicLong lost = new AtomicLong();
    private volatile boolean hammering;
    private volatile boolean stopped;
    private ParentJvm parent;
    private WitnessedHolder me;
    private Path file;
    private Transcript transcript;
    private FileOutputStream counted;

    @Override
    public void run(ParentJvm parent) throws Exception {
        this.parent = parent;
        List<String> args = parent.args();
        String name = args.get(0);
        me = WitnessedHolder.connect(args.get(1), name);
        file = Path.of(args.get(2));
        transcript = new Transcript(file);
        counted = new FileOutputStream(args.get(3), true);
        long seed = Long.parseLong(args.get(4));
        List<Thread> threads = new ArrayList<>();
        for (int i = 0; i < THREADS; i++) {
            String id = name + "-" + i;
            Random random = new Random(seed + i);
            threads.add(new Thread(() -> write(id, random), id));
        }
        parent.mark("ready");
        threads.forEach(Thread::start);
        for (String line = parent.awaitLine(); !line.equals("stop"); line = parent.awaitLine()) {
            hammering = line.equals("hammer");
        }
        stopped = true;
        for (Thread thread : threads) {
            thread.join();
        }
        parent.mark("stopped", lost.get());
        me.close();
    }

    private void write(String id, Random random) {
        try {
            for (long n = 0; !stopped; n++) {
                String line = Transcript.line(id + "-" + n, random.nextInt(300));
                if (random.nextInt(READ_EVERY) == 0) {
                    read(random);
                }
                boolean done = false;
                for (int tries = 0; !done && !stopped; tries++) {
                    done = random.nextInt(COMPACT_EVERY) == 0 ? compact(id) : append(id + "-" + n, line, tries > 0, random);
                }
                if (!hammering) {
                    LockSupport.parkNanos(random.nextInt(2_000_000));
                }
            }
        } catch (Throwable e) {
            e.printStackTrace(System.out);
            parent.mark("trouble", id, e);
        }
    }

    /** {@return whether the line counts} */
    private boolean append(String id, String line, boolean again, Random random) throws Exception {
        LockOptions options = LockOptions.defaults().withLease(LEASE).withTimeout(TIMEOUT).withPurpose("append")
                .withLinger(random.nextBoolean() ? Duration.ZERO : LINGER);
        try (SessionLock lock = locks.acquire(file, options)) {
            WitnessedHolder.Visit<LockLostException> visit = me.entered(LOCK, lock.token(), lock::ensureHeld);
            boolean there = again && transcript.contains(line); // the earlier try may have succeeded after all
            if (!there) {
                transcript.append(line, random.nextInt(TEAR_EVERY) == 0 ? () -> LockSupport.parkNanos(random.nextInt(3_000_000)) : null);
            }
            boolean whole = there || transcript.endsWith(line);
            if (random.nextInt(DAWDLE_EVERY) == 0) {
                visit.stillIn();
                Thread.sleep(random.nextInt(600)); // long enough for the keeper to notice that the record was removed
            }
            visit.leaving();
            if (whole) {
                counted.write((id + "\n").getBytes(StandardCharsets.UTF_8));
            }
            return whole;
        } catch (LockLostException e) {
            lost.incrementAndGet();
            return false;
        }
    }

    /** Reads twice what must not change meanwhile. */
    private void read(Random random) throws Exception {
        LockOptions options = LockOptions.defaults().withMode(LockMode.SHARED).withLease(LEASE).withTimeout(TIMEOUT).withPurpose("read")
                .withLinger(random.nextBoolean() ? Duration.ZERO : LINGER);
        try (SessionLock lock = locks.acquire(file, options)) {
            WitnessedHolder.Visit<LockLostException> visit = me.entered(LOCK, lock.mode(), lock.token(), lock::ensureHeld);
            byte[] before = Files.exists(file) ? Files.readAllBytes(file) : new byte[0];
            LockSupport.parkNanos(random.nextInt(2_000_000));
            byte[] after = Files.exists(file) ? Files.readAllBytes(file) : new byte[0];
            visit.leaving();
            if (!Arrays.equals(before, after)) {
                // A write that a frozen writer had begun comes when it wakes, whoever has the lock by then: its line is whole or torn, and nothing else has changed.
                boolean onlyMore = after.length > before.length && Arrays.equals(before, 0, before.length, after, 0, before.length);
                if (!onlyMore) {
                    parent.mark("trouble", "what was read has changed from " + before.length + " to " + after.length + " bytes");
                }
            }
        } catch (LockLostException e) {
            lost.incrementAndGet();
        }
    }

    /** Rewrites the transcript without its torn lines. Nobody may take over: a late rename would bring the old lines back. */
    private boolean compact(String id) throws Exception {
        LockOptions options = LockOptions.defaults().withLease(LEASE).withTimeout(TIMEOUT).withTakeover(false).withPurpose("compaction");
        Path fresh = file.resolveSibling(file.getFileName() + "." + id);
        try (SessionLock lock = locks.acquire(file, options)) {
            WitnessedHolder.Visit<LockLostException> visit = me.entered(LOCK, lock.token(), lock::ensureHeld);
            Files.write(fresh, transcript.wholeLines());
            lock.replace(fresh);
            visit.leaving();
        } catch (LockLostException e) {
            lost.incrementAndGet();
            Files.deleteIfExists(fresh);
        }
        return false; // no line was written
    }

    static List<String> counted(Path file) throws IOException {
        String text = Files.exists(file) ? Files.readString(file) : "";
        return text.lines().toList();
    }
}

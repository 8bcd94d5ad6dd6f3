package dev.sessionlock.benchmarks.load;

import dev.sessionlock.benchmarks.peers.Peer;
import dev.sessionlock.benchmarks.peers.PeerLock;
import dev.sessionlock.testkit.ChildScenario;
import dev.sessionlock.testkit.ParentJvm;
import java.io.IOException;
import java.lang.management.CompilationMXBean;
import java.lang.management.ManagementFactory;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Base64;
import java.util.List;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.ThreadLocalRandom;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;
import java.util.stream.Collectors;
import java.util.zip.DataFormatException;
import org.HdrHistogram.Histogram;

/**
 * One process of a {@link Crew}. Its arguments: the peer, the directory, the file of the witness, how many locks there are, and which process of the
 * crew it is, from 1. It carries out the lines from its parent:
 *
 * <pre>
 * load THREADS LOCKS START END HOLD PAUSE PER_SECOND   nanoseconds; answers {@code loaded ok CYCLES,… DOUBLES WAITS HANDOVERS}, or {@code loaded failed WHY}
 * acquire                                   the first lock; answers {@code in NANOS} once it is had
 * release                                   answers {@code out}
 * settle MOST_NANOS                         answers {@code settled} once its compiler has had nothing to do for a while
 * hold COUNT WATCH                          answers {@code holds ok …}, see {@link ManyHeld}
 * </pre>
 */
final class Worker implements ChildScenario {
    private static final long QUIET_NANOS = TimeUnit.SECONDS.toNanos(2);

    private Peer peer;
    private Path directory;
    private Witness witness;
    private List<PeerLock> locks;
    private int process;
    private final ExecutorService acquirer = Executors.newSingleThreadExecutor(task -> {
        Thread thread = new Thread(task, "acquirer");
        thread.setDaemon(true);
        return thread;
    });
    /** Used only by the thread that acquires. */
    private AutoCloseable held;

    /** The counts of one thread. */
    private static final class Tally {
        private static final int DIGITS = 3;
        private static final long LONGEST = TimeUnit.MINUTES.toNanos(10);

        final Histogram waits = new Histogram(LONGEST, DIGITS);
        final Histogram handovers = new Histogram(LONGEST, DIGITS);
        long cycles;
        long doubles;

        static void count(Histogram histogram, long nanos) {
            histogram.recordValue(Math.min(nanos, LONGEST));
        }
    }

    @Override
    public void run(ParentJvm parent) throws Exception {
        peer = Peer.valueOf(parent.args().get(0));
        directory = Path.of(parent.args().get(1));
        int count = Integer.parseInt(parent.args().get(3));
        witness = Witness.open(Path.of(parent.args().get(2)), count);
        process = Integer.parseInt(parent.args().get(4));
        locks = new ArrayList<>();
        for (int i = 0; i < count; i++) {
            locks.add(peer.open(directory, "session-" + i + ".jsonl"));
        }
        parent.mark("ready");
        while (true) {
            obey(parent, parent.awaitLine().split(" "));
        }
    }

    private void obey(ParentJvm parent, String[] words) {
        switch (words[0]) {
            case "load" -> answer(parent, "loaded", () -> load(words));
            case "hold" -> answer(parent, "holds", () -> new ManyHeld(peer, directory).measure(Integer.parseInt(words[1]), Long.parseLong(words[2])));
            case "acquire" -> acquirer.execute(() -> answer(parent, "in", () -> {
                held = locks.get(0).acquire();
                return Long.toString(System.nanoTime());
            }));
            case "release" -> acquirer.execute(() -> answer(parent, "out", () -> {
                held.close();
                return "";
            }));
            case "settle" -> answer(parent, "settled", () -> settle(Long.parseLong(words[1])));
            default -> throw new IllegalArgumentException(words[0]);
        }
    }

    private interface Task {
        String run() throws Exception;
    }

    /** If a peer throws, the process reports that and goes on. */
    private static void answer(ParentJvm parent, String mark, Task task) {
        try {
            parent.mark(mark, "ok", task.run());
        } catch (Exception e) {
            parent.mark(mark, "failed", e.getClass() == IOException.class ? e.getMessage() : e.toString());
        }
    }

    private static String settle(long mostNanos) throws InterruptedException {
        CompilationMXBean compiler = ManagementFactory.getCompilationMXBean();
        long end = System.nanoTime() + mostNanos;
        long quietSince = System.nanoTime();
        long before = compiler.getTotalCompilationTime();
        while (System.nanoTime() - quietSince < QUIET_NANOS && System.nanoTime() - end < 0) {
            Thread.sleep(TimeUnit.NANOSECONDS.toMillis(QUIET_NANOS) / 10);
            long now = compiler.getTotalCompilationTime();
            if (now != before) {
                quietSince = System.nanoTime();
                before = now;
            }
        }
        return "";
    }

    private String load(String[] words) throws Exception {
        int threads = Integer.parseInt(words[1]);
        ExecutorService executor = Executors.newFixedThreadPool(threads);
        try {
            List<Future<Tally>> running = new ArrayList<>();
            for (int thread = 1; thread <= threads; thread++) {
                long me = ((long) process << 32) + thread;
                running.add(executor.submit(() -> cycle(me, words)));
            }
            List<Tally> tallies = new ArrayList<>();
            for (Future<Tally> tally : running) {
                tallies.add(tally.get());
            }
            return text(tallies);
        } catch (ExecutionException e) {
            throw new IOException(e.getCause().toString(), e);
        } finally {
            executor.shutdownNow();
        }
    }

    private Tally cycle(long me, String[] words) throws Exception {
        int among = Integer.parseInt(words[2]);
        long start = Long.parseLong(words[3]);
        long end = Long.parseLong(words[4]);
        long hold = Long.parseLong(words[5]);
        long pause = Long.parseLong(words[6]);
        int messages = Integer.parseInt(words[7]);
        double nanosAMessage = messages == 0 ? 0 : Double.parseDouble(words[1]) * TimeUnit.SECONDS.toNanos(1) / messages;
        Tally tally = new Tally();
        long next = start + untilNext(nanosAMessage);
        sleepUntil(next);
        for (long now = System.nanoTime(); now - end < 0; now = System.nanoTime()) {
            int lock = messages == 0 ? ThreadLocalRandom.current().nextInt(among) : oftenOneOfTheFirst(among);
            visit(lock, me, now, hold, tally);
            tally.cycles++;
            if (messages > 0) {
                next += untilNext(nanosAMessage); // a message that came meanwhile has waited, and is served at once
                sleepUntil(Math.min(next, end));
            }
            if (pause > 0) {
                LockSupport.parkNanos(pause);
            }
        }
        return tally;
    }

    private void visit(int lock, long me, long askedAt, long hold, Tally tally) throws Exception {
        AutoCloseable own = locks.get(lock).acquire();
        try {
            long inAt = System.nanoTime();
            boolean alone = witness.enter(lock, me);
            long handover = witness.handover(lock, process, askedAt, inAt);
            Tally.count(tally.waits, inAt - askedAt);
            if (handover >= 0) {
                Tally.count(tally.handovers, handover);
            }
            if (hold > 0) {
                sleepUntil(inAt + hold);
            }
            if (alone) {
                witness.leave(lock, me, process);
            } else {
                tally.doubles++;
            }
        } finally {
            own.close();
        }
    }

    /** {@return when the next message comes, at random: as if each of many users wrote now and then} */
    private static long untilNext(double meanNanos) {
        return Math.round(-Math.log(1 - ThreadLocalRandom.current().nextDouble()) * meanNanos);
    }

    /** {@return one of the locks, at random} Of 32 locks, the first gets a sixth of all messages, and the second half together 3 in 10. */
    private static int oftenOneOfTheFirst(int among) {
        double chance = ThreadLocalRandom.current().nextDouble();
        return (int) (among * chance * chance);
    }

    /** Sleeps as long as told: a permit that a lock has left behind would end a single park at once. */
    static void sleepUntil(long nanoTime) {
        for (long left = nanoTime - System.nanoTime(); left > 0; left = nanoTime - System.nanoTime()) {
            LockSupport.parkNanos(left);
        }
    }

    private static String text(List<Tally> tallies) throws IOException {
        Tally all = new Tally();
        tallies.forEach(tally -> {
            all.doubles += tally.doubles;
            all.waits.add(tally.waits);
            all.handovers.add(tally.handovers);
        });
        String cycles = tallies.stream().map(tally -> Long.toString(tally.cycles)).collect(Collectors.joining(","));
        return cycles + " " + all.doubles + " " + text(all.waits) + " " + text(all.handovers);
    }

    private static String text(Histogram histogram) {
        ByteBuffer buffer = ByteBuffer.allocate(histogram.getNeededByteBufferCapacity());
        int length = histogram.encodeIntoCompressedByteBuffer(buffer);
        return Base64.getEncoder().encodeToString(Arrays.copyOf(buffer.array(), length));
    }

    /** {@return the histogram that {@link #text(Histogram)} has written} */
    static Histogram histogram(String text) {
        try {
            return Histogram.decodeFromCompressedByteBuffer(ByteBuffer.wrap(Base64.getDecoder().decode(text)), 0);
        } catch (DataFormatException e) {
            throw new IllegalArgumentException(e);
        }
    }
}

package dev.sessionlock.benchmarks.load;

import dev.sessionlock.benchmarks.peers.ChronicleAccess;
import dev.sessionlock.benchmarks.peers.Peer;
import dev.sessionlock.testkit.ChildJvm;
import java.io.Closeable;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.HdrHistogram.Histogram;

/**
 * Some JVMs that share the locks of one peer in one directory. They are started once and then given load after load, so that the crews of several
 * peers can take turns and all meet the machine's noise. None outlives this JVM, nor {@link #close}.
 */
public final class Crew implements Closeable {
    /** The same for each. Small machines run twenty of them, and what they do needs no parallel collector. */
    private static final String[] SMALL = {"-Xmx256m", "-XX:+UseSerialGC", "-Xshare:auto"};
    /** In addition to the time of a load. A peer that hangs ends its crew. */
    private static final Duration PATIENCE = Duration.ofSeconds(30);
    /** The time until all have heard that a load begins. */
    private static final Duration RUN_UP = Duration.ofMillis(60);

    private final Peer peer;
    private final Path directory;
    private final int locks;
    private final Path page;
    private final Witness witness;
    private final List<ChildJvm> workers = new ArrayList<>();

    private Crew(Peer peer, Path directory, int locks) throws IOException {
        this.peer = peer;
        this.directory = directory;
        this.locks = locks;
        // A file in the directory itself could look to a peer like one of its own.
        page = directory.resolveSibling(directory.getFileName() + ".witness");
        witness = Witness.open(page, locks);
    }

    /**
     * Starts a crew.
     *
     * @param peer provides the locks
     * @param directory an empty directory; the witness lies beside it
     * @param jvms how many
     * @param locks how many each opens
     * @return the crew, to be closed
     * @throws IOException if a process cannot be started, or the peer cannot open its locks
     */
    public static Crew start(Peer peer, Path directory, int jvms, int locks) throws IOException, InterruptedException {
        Crew crew = new Crew(peer, directory, locks);
        try {
            for (int i = 0; i < jvms; i++) {
                crew.join();
            }
            return crew;
        } catch (Throwable e) {
            crew.close();
            throw e;
        }
    }

    /** Starts one more JVM and returns it. It is the last one. */
    ChildJvm join() throws IOException, InterruptedException {
        ChildJvm worker = ChildJvm.of(Worker.class).name(peer.title()).jvmArgs(SMALL).jvmArgs(ChronicleAccess.jvmArgs().toArray(String[]::new))
                .args(peer.name(), directory.toString(), page.toString(), Integer.toString(locks), Integer.toString(workers.size() + 1)).start();
        workers.add(worker);
        answer(worker, "ready", PATIENCE);
        return worker;
    }

    /** {@return the details of a mark} A child that ends instead, or hangs, is a failure of the peer, not of ours. */
    static List<String> answer(ChildJvm worker, String mark, Duration patience) throws IOException, InterruptedException {
        try {
            List<String> details = worker.awaitMark(mark, patience).details();
            if (!details.isEmpty() && details.get(0).equals("failed")) {
                throw new IOException(String.join(" ", details.subList(1, details.size())));
            }
            return details.isEmpty() ? details : details.subList(1, details.size());
        } catch (AssertionError e) {
            throw new IOException(e.getMessage().lines().findFirst().orElse("no answer"), e);
        }
    }

    /**
     * Makes all of them work at once.
     *
     * @param load what each does
     * @return the result
     * @throws IOException if the peer has thrown something, or hangs; the message says what
     */
    public LoadResult load(Load load) throws IOException, InterruptedException {
        long visitsBefore = witness.visits();
        long start = System.nanoTime() + RUN_UP.toNanos();
        long end = start + load.time().toNanos();
        String line = String.join(" ", "load", Integer.toString(load.threads()), Integer.toString(load.locks()), Long.toString(start),
                Long.toString(end), Long.toString(load.hold().toNanos()), Long.toString(load.pause().toNanos()), Integer.toString(load.perSecond()));
        workers.forEach(worker -> worker.send(line));
        List<List<Long>> cycles = new ArrayList<>();
        long doubles = 0;
        Histogram waits = null;
        Histogram handovers = null;
        for (ChildJvm worker : workers) {
            List<String> told = answer(worker, "loaded", load.time().plus(PATIENCE));
            cycles.add(Arrays.stream(told.get(0).split(",")).map(Long::valueOf).toList());
            doubles += Long.parseLong(told.get(1));
            waits = sum(waits, Worker.histogram(told.get(2)));
            handovers = sum(handovers, Worker.histogram(told.get(3)));
        }
        double seconds = load.time().toNanos() / (double) TimeUnit.SECONDS.toNanos(1);
        long visits = cycles.stream().flatMap(List::stream).mapToLong(Long::longValue).sum();
        long lost = visits - (witness.visits() - visitsBefore);
        return new LoadResult(cycles, seconds, doubles, lost, waits, handovers);
    }

    private static Histogram sum(Histogram one, Histogram other) {
        if (one == null) {
            return other;
        }
        one.add(other);
        return one;
    }

    /** {@return the JVMs, in the order in which they were started} */
    List<ChildJvm> workers() {
        return workers;
    }

    /** Kills them all. */
    @Override
    public void close() {
        workers.forEach(ChildJvm::close);
    }
}

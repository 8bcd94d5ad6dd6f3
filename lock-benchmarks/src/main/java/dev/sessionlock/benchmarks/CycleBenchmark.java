package dev.sessionlock.benchmarks;

import dev.sessionlock.benchmarks.peers.ChronicleAccess;
import dev.sessionlock.benchmarks.peers.Peer;
import dev.sessionlock.benchmarks.peers.PeerLock;
import java.io.IOException;
import java.util.concurrent.TimeUnit;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.BenchmarkMode;
import org.openjdk.jmh.annotations.Fork;
import org.openjdk.jmh.annotations.Measurement;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.annotations.OutputTimeUnit;
import org.openjdk.jmh.annotations.Param;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.Setup;
import org.openjdk.jmh.annotations.State;
import org.openjdk.jmh.annotations.TearDown;
import org.openjdk.jmh.annotations.Threads;
import org.openjdk.jmh.annotations.Warmup;

/**
 * One lock, taken and given back: by one thread alone, and by eight at once. Only the ratio to a peer within one run means anything, since the
 * machines are noisy.
 *
 * <pre>
 * java -jar lock-benchmarks/target/benchmarks.jar CycleBenchmark.cycle -p peer=STRICT,BARE_SKETCH,LUCENE -prof gc
 * </pre>
 */
@State(Scope.Benchmark)
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.NANOSECONDS)
@Warmup(iterations = 3, time = 1)
@Measurement(iterations = 5, time = 1)
@Fork(value = 1, jvmArgsAppend = {ChronicleAccess.REFLECTION, ChronicleAccess.MAPPING, ChronicleAccess.UNMAPPING})
public class CycleBenchmark {
    private static final int THREADS = 8;

    @Param({"STRICT", "WARM", "BARE_SKETCH", "CHANNEL_KEPT", "CHANNEL_OPENED", "CREATE_DELETE", "LUCENE", "JGIT", "RESOLVER",
        "CHRONICLE", "REENTRANT_LOCK", "FAIR_LOCK"})
    private Peer peer;

    private Workplace place;
    private PeerLock lock;

    /** Makes a directory of its own on a disk. */
    @Setup
    public void open() throws IOException {
        place = Workplace.create();
        lock = peer.open(place.path(), "session.jsonl");
    }

    /** Leaves nothing behind. */
    @TearDown
    public void close() throws IOException {
        lock.close();
        place.close();
    }

    /** One thread; nobody else wants the lock. */
    @Benchmark
    public void cycle() throws Exception {
        lock.acquire().close();
    }

    /** Eight threads want the lock. The time is that of one thread: its own cycle, and its wait for the others. */
    @Benchmark
    @Threads(THREADS)
    public void eightThreads() throws Exception {
        lock.acquire().close();
    }
}

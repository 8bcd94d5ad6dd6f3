package dev.sessionlock.benchmarks;

import dev.sessionlock.benchmarks.peers.ChronicleAccess;
import dev.sessionlock.benchmarks.peers.Peer;
import dev.sessionlock.benchmarks.peers.PeerLock;
import java.util.ArrayList;
import java.util.List;
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
import org.openjdk.jmh.annotations.Warmup;

/** A gateway has many sessions: one thread takes many locks one after the other, or takes one while many others are held. */
@State(Scope.Benchmark)
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.NANOSECONDS)
@Warmup(iterations = 3, time = 1)
@Measurement(iterations = 5, time = 1)
@Fork(value = 1, jvmArgsAppend = {ChronicleAccess.REFLECTION, ChronicleAccess.MAPPING, ChronicleAccess.UNMAPPING})
public class ManyLocksBenchmark {
    private static final int NAMES = 1_024;

    @Param({"STRICT", "WARM", "LUCENE", "CREATE_DELETE"})
    private Peer peer;

    /** How many other locks are held meanwhile, in the same directory. */
    @Param({"0", "10000"})
    private int held;

    private Workplace place;
    private final List<PeerLock> names = new ArrayList<>();
    private final List<PeerLock> others = new ArrayList<>();
    private final List<AutoCloseable> holds = new ArrayList<>();
    private int next;

    /** Takes the other locks. */
    @Setup
    public void open() throws Exception {
        place = Workplace.create();
        for (int i = 0; i < NAMES; i++) {
            names.add(peer.open(place.path(), "session-" + i + ".jsonl"));
        }
        for (int i = 0; i < held; i++) {
            PeerLock other = peer.open(place.path(), "held-" + i + ".jsonl");
            others.add(other);
            holds.add(other.acquire());
        }
    }

    /** Leaves nothing behind. */
    @TearDown
    public void close() throws Exception {
        for (AutoCloseable hold : holds) {
            hold.close();
        }
        for (PeerLock lock : others) {
            lock.close();
        }
        for (PeerLock lock : names) {
            lock.close();
        }
        place.close();
    }

    /** The same lock each time. */
    @Benchmark
    public void oneName() throws Exception {
        names.get(0).acquire().close();
    }

    /** Another lock each time. */
    @Benchmark
    public void manyNames() throws Exception {
        next = (next + 1) % NAMES;
        names.get(next).acquire().close();
    }
}

package dev.sessionlock.benchmarks;

import dev.sessionlock.LockOptions;
import dev.sessionlock.SessionLock;
import dev.sessionlock.SessionLocks;
import java.io.IOException;
import java.util.concurrent.TimeUnit;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.BenchmarkMode;
import org.openjdk.jmh.annotations.Fork;
import org.openjdk.jmh.annotations.Measurement;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.annotations.OutputTimeUnit;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.Setup;
import org.openjdk.jmh.annotations.State;
import org.openjdk.jmh.annotations.TearDown;
import org.openjdk.jmh.annotations.Warmup;

/** The check that a holder makes before each write. */
@State(Scope.Benchmark)
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.NANOSECONDS)
@Warmup(iterations = 3, time = 1)
@Measurement(iterations = 5, time = 1)
@Fork(1)
public class HeldBenchmark {
    private Workplace place;
    private SessionLocks locks;
    private SessionLock held;

    /** Takes the lock. */
    @Setup
    public void open() throws IOException, InterruptedException {
        place = Workplace.create();
        locks = SessionLocks.create();
        held = locks.acquire(place.path().resolve("session.jsonl"), LockOptions.defaults().withMaxHold(LockOptions.UNLIMITED));
    }

    /** Leaves nothing behind. */
    @TearDown
    public void close() throws IOException {
        held.close();
        locks.close();
        place.close();
    }

    /** The check that throws. */
    @Benchmark
    public void ensureHeld() throws IOException {
        held.ensureHeld();
    }

    /** The lower bound of both checks, and of a warm cycle: reading the clock that tells whether a lease is over. */
    @Benchmark
    public long clock() {
        return System.nanoTime();
    }

    /** The check that returns a boolean. */
    @Benchmark
    public boolean isHeld() {
        return held.isHeld();
    }
}

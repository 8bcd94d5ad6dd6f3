package dev.sessionlock.benchmarks;

import dev.sessionlock.LockOptions;
import dev.sessionlock.SessionLock;
import dev.sessionlock.SessionLocks;
import java.io.IOException;
import java.io.RandomAccessFile;
import java.nio.channels.FileLock;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.BasicFileAttributes;
import java.util.Comparator;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
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

/**
 * One lock, taken and given back by one thread that nobody disturbs, beside its floor: the same system calls with nothing around
 * them. Only the ratio within one run says anything; these machines are noisy.
 *
 * <pre>
 * java -jar lock-benchmarks/target/benchmarks.jar CycleBenchmark -prof gc
 * </pre>
 */
@State(Scope.Benchmark)
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.NANOSECONDS)
@Warmup(iterations = 3, time = 2)
@Measurement(iterations = 5, time = 2)
@Fork(1)
public class CycleBenchmark {
    private static final byte[] RECORD = " ".repeat(1_024).getBytes();

    private Path directory;
    private Path session;
    private SessionLocks locks;
    private SessionLock held;
    private Path record;
    private Path claim;
    private RandomAccessFile guard;
    private RandomAccessFile claimFile;

    /** Makes a directory of its own on the disk of the working directory: The temporary one may be memory. */
    @Setup
    public void open() throws IOException, InterruptedException {
        directory = Files.createTempDirectory(Path.of("").toAbsolutePath(), "bench-");
        session = directory.resolve("session.jsonl");
        locks = SessionLocks.create();
        held = locks.acquire(directory.resolve("held.jsonl"), LockOptions.defaults().withMaxHold(LockOptions.UNLIMITED));
        record = directory.resolve("floor.lock");
        claim = directory.resolve("claim");
        guard = new RandomAccessFile(directory.resolve("guard").toFile(), "rw");
        claimFile = new RandomAccessFile(claim.toFile(), "rw");
    }

    /** Leaves nothing behind. */
    @TearDown
    public void close() throws IOException {
        held.close();
        locks.close();
        guard.close();
        claimFile.close();
        try (Stream<Path> all = Files.walk(directory)) {
            for (Path path : all.sorted(Comparator.reverseOrder()).toList()) {
                Files.delete(path);
            }
        }
    }

    /** The library. */
    @Benchmark
    public long sessionLock() throws IOException, InterruptedException {
        try (SessionLock lock = locks.acquire(session)) {
            return lock.token();
        }
    }

    /** Its floor: kernel byte, one write, one link, a look at the inode, one unlink. */
    @Benchmark
    public Object floor() throws IOException {
        FileLock lock = guard.getChannel().tryLock(1L << 61, 1, false);
        claimFile.seek(0);
        claimFile.write(RECORD);
        Files.createLink(record, claim);
        Object key = Files.readAttributes(record, BasicFileAttributes.class, LinkOption.NOFOLLOW_LINKS).fileKey();
        Files.delete(record);
        lock.release();
        return key;
    }

    /** What most lock files do: create, write, delete. It excludes only those who do the same, and stays after a crash. */
    @Benchmark
    public Path createWriteDelete() throws IOException {
        Files.write(record, RECORD, StandardOpenOption.CREATE_NEW, StandardOpenOption.WRITE);
        Files.delete(record);
        return record;
    }

    /** What stands before each write of a holder. */
    @Benchmark
    public SessionLock ensureHeld() throws IOException {
        held.ensureHeld();
        return held;
    }
}

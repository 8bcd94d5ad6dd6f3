package dev.sessionlock.internal.seats;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.sessionlock.internal.system.KernelLocks;
import dev.sessionlock.spi.AcquireResult;
import dev.sessionlock.spi.EngineLock;
import dev.sessionlock.spi.Hold;
import dev.sessionlock.spi.LockEngine.LockId;
import dev.sessionlock.spi.LockEngine.LockNamespace;
import dev.sessionlock.spi.Terms;
import java.io.File;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashSet;
import java.util.Set;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * The real engine on a real directory, called where the stack ends. The error comes out of whatever runs at that moment, at all depths, down to the
 * calls of the JDK. In an interpreting JVM it may happen at any place, even in the process's own table of locks.
 */
class EngineOverflowTest {
    @TempDir
    Path dir;

    @Test
    void whateverAnOverflowBreaksOffIsFinishedByTheNextCalls() throws Exception {
        assumeTrue(Files.isReadable(Path.of("/proc/locks")), "skipped: no /proc/locks here");
        Process jvm = new ProcessBuilder(new File(System.getProperty("java.home"), "bin/java").toString(), "-Xint", "-Xmx64m", "-XX:+UseSerialGC", "-cp",
                System.getProperty("java.class.path"), "-Dorg.slf4j.simpleLogger.defaultLogLevel=off", Overflower.class.getName(), dir.toString())
                .redirectErrorStream(true).start();
        try {
            String said = new String(jvm.getInputStream().readAllBytes(), StandardCharsets.UTF_8).trim();
            assertThat(jvm.waitFor(300, TimeUnit.SECONDS)).as("it ended").isTrue();
            assertThat(said).contains("done, overflows").doesNotContain("LEFT");
            System.out.println(said);
        } finally {
            jvm.destroyForcibly();
        }
    }

    /** Takes and releases at the end of its stack. */
    static final class Overflower {
        /** What the engine needs at most, in frames of {@link #descend}. */
        private static final int FRAMES = 28;
        private static final int PADS = 5;
        private static final Terms TERMS = new Terms(30_000_000_000L, true, -1, "main", null, true);

        private final Path dir;
        private int depth;
        private int pad;
        private int overflows;
        private Hold hold;

        private Overflower(Path dir) {
            this.dir = dir;
        }

        private interface Call {
            void run() throws IOException;
        }

        public static void main(String[] args) throws Exception {
            Overflower overflower = new Overflower(Path.of(args[0]));
            Throwable[] failure = new Throwable[1];
            Thread thread = new Thread(null, () -> {
                try {
                    overflower.run();
                } catch (Throwable e) {
                    failure[0] = e;
                }
            }, "overflows", 384 * 1024);
            thread.setDaemon(true);
            thread.start();
            thread.join(TimeUnit.MINUTES.toMillis(4));
            if (thread.isAlive()) {
                System.out.println("LEFT locked: it hangs");
                for (StackTraceElement frame : thread.getStackTrace()) {
                    System.out.println("    " + frame);
                }
            } else if (failure[0] != null) {
                System.out.println("LEFT: " + failure[0]);
                failure[0].printStackTrace(System.out);
            }
            System.out.println("done, overflows: " + overflower.overflows);
            Runtime.getRuntime().halt(0);
        }

        private void run() throws Exception {
            Path file = dir.resolve("session.jsonl");
            LockId id = FileEngine.OF_THIS_PROCESS.idOf(file, false);
            LockNamespace first = FileEngine.OF_THIS_PROCESS.pin(id);
            EngineLock lock = first.lock("session.jsonl");
            for (int i = 0; i < 3; i++) { // so that all classes are loaded
                AcquireResult taken = lock.take(TERMS);
                lock.check((Hold) taken, true);
                lock.renew((Hold) taken, -1);
                lock.release((Hold) taken);
                lock.tidy();
                FileEngine.OF_THIS_PROCESS.verify();
                FileEngine.OF_THIS_PROCESS.pin(id).unpin();
            }
            int deepest = deepest();
            for (int round = 0; round < FRAMES * PADS; round++) {
                pad = round % PADS;
                int at = deepest - round / PADS;
                overflow(at, () -> {
                    AcquireResult taken = lock.take(TERMS);
                    hold = taken instanceof Hold it ? it : null;
                });
                if (hold == null) {
                    finish(lock);
                    mustBeFree(lock, round);
                    hold = (Hold) lock.take(TERMS);
                }
                Hold held = hold;
                hold = null;
                overflow(at, () -> lock.check(held, true));
                overflow(at, () -> lock.renew(held, -1));
                overflow(at, () -> lock.release(held));
                lock.release(held);
                finish(lock);
                overflow(at, () -> FileEngine.OF_THIS_PROCESS.pin(id).unpin());
                overflow(at, FileEngine.OF_THIS_PROCESS::verify);
                mustBeFree(lock, round);
            }
            try (Stream<Path> recordFiles = Files.list(dir.resolve(".session-locks"))) {
                long left = recordFiles.filter(path -> path.getFileName().toString().startsWith("claim-")).count();
                if (left > 32) {
                    throw new AssertionError(left + " record files");
                }
            }
        }

        private void finish(EngineLock lock) throws InterruptedException {
            for (int tries = 0; !lock.tidy(); tries++) {
                if (tries == 1_000) {
                    throw new AssertionError("never tidy");
                }
                Thread.sleep(1 + tries);
            }
        }

        private void mustBeFree(EngineLock lock, int round) throws IOException {
            if (Files.exists(dir.resolve("session.jsonl.lock"))) {
                throw new AssertionError("a record, in round " + round);
            }
            Set<Long> seats = seats();
            if (!seats.isEmpty()) {
                throw new AssertionError("bytes " + seats + ", in round " + round);
            }
            if (!(lock.take(TERMS) instanceof Hold taken)) {
                throw new AssertionError("cannot be taken, in round " + round);
            }
            lock.release(taken);
            if (!lock.tidy()) {
                throw new AssertionError("not tidy, in round " + round);
            }
        }

        private Set<Long> seats() {
            Set<Long> seats = new HashSet<>();
            new KernelLocks().read(inode -> true).orElseThrow().stream()
                    .filter(entry -> entry.pid() == ProcessHandle.current().pid() && entry.start() >= 1L << 61).forEach(entry -> seats.add(entry.start()));
            return seats;
        }

        private int deepest() {
            depth = 0;
            try {
                descend(Integer.MAX_VALUE, () -> { });
            } catch (StackOverflowError | IOException e) {
                return depth;
            }
            throw new AssertionError();
        }

        private void overflow(int at, Call call) {
            try {
                descend(at, call);
            } catch (StackOverflowError e) {
                overflows++;
            } catch (IOException e) {
                throw new AssertionError(e);
            }
        }

        private void descend(int left, Call call) throws IOException {
            depth++;
            if (left == 0) {
                switch (pad) { // frames are some hundred bytes apart: these end the stack in between
                    case 0 -> call.run();
                    case 1 -> padded1(call, 1, 2);
                    case 2 -> padded2(call, 1, 2, 3, 4);
                    case 3 -> padded3(call, 1, 2, 3, 4, 5, 6);
                    default -> padded4(call, 1, 2, 3, 4, 5, 6, 7, 8);
                }
            } else {
                descend(left - 1, call);
            }
        }

        private static void padded1(Call call, long a, long b) throws IOException {
            call.run();
        }

        private static void padded2(Call call, long a, long b, long c, long d) throws IOException {
            call.run();
        }

        private static void padded3(Call call, long a, long b, long c, long d, long e, long f) throws IOException {
            call.run();
        }

        private static void padded4(Call call, long a, long b, long c, long d, long e, long f, long g, long h) throws IOException {
            call.run();
        }
    }
}

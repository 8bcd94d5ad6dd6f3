package dev.sessionlock.internal.directory;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.io.RandomAccessFile;
import java.nio.channels.FileLock;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import org.awaitility.Awaitility;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** A directory cannot be opened for seconds, since a frozen process is setting it up. That delays nobody who opens another directory. */
class StalledOpeningTest {
    private static final OpenDirectories OPEN = OpenDirectories.OF_THIS_PROCESS;
    /** The setup byte of whoever creates or reshapes a table: see {@link GuardFiles}. */
    private static final long SETUP = (1L << 61) - 1;

    @TempDir
    Path temp;

    private final ExecutorService threads = Executors.newCachedThreadPool();
    private Path stalled;
    private Path other;

    @BeforeEach
    void make() throws IOException {
        stalled = Files.createDirectory(temp.resolve("stalled")).toRealPath();
        other = Files.createDirectory(temp.resolve("other")).toRealPath();
    }

    @AfterEach
    void close() throws InterruptedException {
        threads.shutdown();
        assertThat(threads.awaitTermination(60, TimeUnit.SECONDS)).isTrue();
        OPEN.closeIdle(true);
    }

    private Future<?> pinAndUnpin(Path home) {
        return threads.submit(() -> {
            OPEN.unpin(OPEN.pin(home, false));
            return null;
        });
    }

    private Future<?> beginToOpenTheStalledOne() {
        Future<?> opening = pinAndUnpin(stalled);
        Awaitility.await().until(() -> Files.exists(stalled.resolve(LockDirectory.INNER)) && !opening.isDone());
        return opening;
    }

    @Test
    void othersAreOpenedMeanwhile() throws Exception {
        LockDirectory open = OPEN.pin(temp.toRealPath(), false);
        Path inner = Files.createDirectory(stalled.resolve(LockDirectory.INNER));
        try (RandomAccessFile guard = new RandomAccessFile(GuardLayout.file(inner, 0).toFile(), "rw");
                FileLock setup = guard.getChannel().lock(SETUP, 1, false)) { // for the library it belongs to another process
            Future<?> opening = beginToOpenTheStalledOne();
            pinAndUnpin(other).get();
            OPEN.unpin(OPEN.pin(temp.toRealPath(), false));
            OPEN.unpin(open);
            assertThat(OPEN.all()).hasSizeGreaterThanOrEqualTo(2);
            OPEN.closeIdle(true);
            assertThat(OPEN.all()).isEmpty();
            assertThat(opening).isNotDone();
            setup.release();
            opening.get();
        }
    }

    /** Two threads that open one directory get the same object. If guard files were opened twice, closing one would drop the bytes of the other. */
    @Test
    void whoOpensTheSameOneGetsTheSame() throws Exception {
        Path inner = Files.createDirectory(stalled.resolve(LockDirectory.INNER));
        try (RandomAccessFile guard = new RandomAccessFile(GuardLayout.file(inner, 0).toFile(), "rw");
                FileLock setup = guard.getChannel().lock(SETUP, 1, false)) {
            Future<LockDirectory> one = threads.submit(() -> OPEN.pin(stalled, false));
            Future<LockDirectory> two = threads.submit(() -> OPEN.pin(stalled, false));
            TimeUnit.MILLISECONDS.sleep(50);
            setup.release();
            assertThat(one.get()).isSameAs(two.get());
            OPEN.unpin(one.get());
            OPEN.unpin(two.get());
        }
    }
}

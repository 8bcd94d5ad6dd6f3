package dev.sessionlock.internal.directory;

import dev.sessionlock.internal.system.ProcessIdentity;
import java.io.IOException;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.locks.ReentrantLock;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.io.TempDir;

/** A directory with a shared table, and a kernel of the test's own. */
abstract class SharedTableFixture {
    static final ProcessIdentity SELF = identity("3f8a2f5e-6b0c-4d3e-9f21-0a1b2c3d4e5f", "4026531834");
    static final long WALL = 1_770_617_943_000_000L;

    static final SharedTable.OtherNamespaces ALONE = step -> {
        step.run();
        return true;
    };

    @TempDir
    Path dir;

    FileMode mode;
    final KernelBytes bytes = new KernelBytes();

    /** Stands for the kernel: whose bytes are in use, and the one setup byte. */
    static final class KernelBytes implements SharedTable.TableBytes {
        final Set<Long> inUse = ConcurrentHashMap.newKeySet();
        private final ReentrantLock setup = new ReentrantLock();
        final List<Long> cleared = new ArrayList<>();

        @Override
        public boolean holdingBoth(long h, Runnable clear) {
            if (!inUse.add(h)) {
                return false;
            }
            try {
                clear.run();
                cleared.add(h);
                return true;
            } finally {
                inUse.remove(h);
            }
        }

        @Override
        public <T> T holdingSetup(BytesStep<T> step) throws IOException {
            setup.lock();
            try {
                return step.run();
            } finally {
                setup.unlock();
            }
        }
    }

    static ProcessIdentity identity(String boot, String timens) {
        return new ProcessIdentity(1, 1, null, boot, "1", timens, "moss", true);
    }

    @BeforeEach
    void modes() throws IOException {
        mode = FileMode.of(dir);
    }

    SharedTable open() throws IOException {
        return SharedTable.openForUse(dir, mode, SELF, ALONE);
    }

    TableEntry claim(SharedTable table, long h) throws IOException {
        return table.findOrClaim(h, WALL, mode, bytes);
    }

    long sizeOfAll() throws IOException {
        long sum = 0;
        try (DirectoryStream<Path> files = Files.newDirectoryStream(dir, "board*")) {
            for (Path file : files) {
                sum += Files.size(file);
            }
        }
        return sum;
    }

    /** A hash whose window in the first file begins at a given slot. */
    static long h(int place, int number) {
        return (place + 256L * (number + 1)) << 6;
    }
}

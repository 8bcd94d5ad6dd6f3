package dev.sessionlock.testkit.disk;

import java.nio.file.FileSystemException;
import java.nio.file.Path;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicInteger;

/**
 * Plays a virus scanner or an indexer: a file that has just been created, or has got another name, is in use for a moment, and nobody can open, rename, link or delete it.
 */
final class UsedFiles {
    /** The system property that says how many attempts at such a file fail. */
    static final String ATTEMPTS = "sessionlock.lab.scanner";

    private static final int SCANNER = Integer.getInteger(ATTEMPTS, 0);

    private final Map<String, AtomicInteger> left = new ConcurrentHashMap<>();

    void created(Path path) {
        if (SCANNER > 0) {
            left.put(path.getFileName().toString(), new AtomicInteger(SCANNER));
        }
    }

    void requireUnused(Path path) throws FileSystemException {
        AtomicInteger attempts = SCANNER == 0 || path.getFileName() == null ? null : left.get(path.getFileName().toString());
        if (attempts != null && attempts.getAndUpdate(n -> Math.max(0, n - 1)) > 0) {
            throw new FileSystemException(path.toString(), null, HandleChannel.IN_USE);
        }
    }
}

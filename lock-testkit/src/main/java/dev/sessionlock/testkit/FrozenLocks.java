package dev.sessionlock.testkit;

import dev.sessionlock.LockException;
import dev.sessionlock.LockOwner;
import dev.sessionlock.LockReport;
import dev.sessionlock.SessionLocks;
import dev.sessionlock.internal.directory.LockDirectory;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;

/** The locks of a process that is frozen. */
final class FrozenLocks {
    private static final Duration LEAST_GRACE = Duration.ofMillis(50);

    private final Path directory;
    private final long pid;

    /** Finds those that it has anywhere beneath a directory. */
    FrozenLocks(Path directory, long pid) {
        this.directory = directory;
        this.pid = pid;
    }

    /**
     * Waits for the rest of the grace after their leases. Locks without takeover have no such end.
     *
     * @param frozen for how long the process has been frozen
     * @throws AssertionError if a lease is still running: others would wait only because the holder was not frozen for long enough
     */
    void awaitTheirEnd(Duration frozen) throws IOException, InterruptedException {
        Duration grace = frozen.dividedBy(10);
        for (LockReport report : reports()) {
            LockOwner owner = report.owner();
            if (owner == null || owner.pid() != pid || owner.leaseUntil() == null) {
                continue;
            }
            Duration left = Duration.between(Instant.now(), owner.leaseUntil());
            if (!left.isNegative()) {
                throw new AssertionError("it was frozen for " + frozen.toMillis() + " ms, and the lease of its lock on " + report.name() + " goes on for "
                        + left.toMillis() + " ms: nobody can take that over yet, so this finds nothing. Freeze it for longer than the lease and a "
                        + "tenth of it, and have the scenario take a short lease: LockOptions.defaults().withLease(LockOptions.MIN_LEASE)");
            }
            Duration rest = left.plus(grace.compareTo(LEAST_GRACE) < 0 ? LEAST_GRACE : grace);
            if (!rest.isNegative()) {
                TimeUnit.NANOSECONDS.sleep(rest.toNanos());
            }
        }
    }

    private List<LockReport> reports() throws IOException {
        List<LockReport> all = new ArrayList<>();
        try (SessionLocks locks = SessionLocks.create(); Stream<Path> tree = Files.walk(directory)) {
            for (Path inner : (Iterable<Path>) tree.filter(path -> path.endsWith(LockDirectory.INNER))::iterator) {
                try (Stream<LockReport> reports = locks.list(inner.getParent())) {
                    reports.forEach(all::add);
                }
            }
        } catch (LockException e) {
            throw new IOException("could not look at the locks of the frozen process", e);
        }
        return all;
    }
}

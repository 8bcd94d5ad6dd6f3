package dev.sessionlock.internal.directory;

import dev.sessionlock.internal.system.ProcessIdentity;
import java.io.IOException;
import java.nio.file.Path;
import java.util.Collection;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * What can be seen of one lock from outside, without touching it: nothing is created, no guard file is opened (closing it would drop this process's
 * bytes), no byte is requested (a probing lock would disturb others).
 *
 * @param target the file that is locked
 * @param record what is at {@code x.lock}; null if nothing
 * @param takeover what is at {@code takeover-x}; null if nothing
 * @param owners the pids that hold the byte of seat 0 and of seat 1, as the kernel says; null where it does not say. It hides holders of other pid
 *     namespaces
 * @param expiries the table entry's expiries for both seats; zeros if the lock has no entry
 * @param comparable whether expiries and leases can be compared with {@code now}
 * @param targetExists whether the target exists
 * @param used whether any lock was ever taken in its directory
 * @param lastToken the token that was drawn last for this one, as far as the table knows; 0 if none ever was
 * @param now the monotonic clock, read before everything else
 * @param self the process that looks
 * @param readers the records of those who hold it in mode SHARED, as far as the kernel, or the table, agrees. If there are any, {@code owners} and {@code expiries} of seat 0 are
 *     those of the reader whose record stands for all
 */
public record LockSnapshot(
        Path target,
        LockStore.@Nullable Found record,
        LockStore.@Nullable Found takeover,
        @Nullable List<List<Long>> owners,
        List<Long> expiries,
        boolean comparable,
        boolean targetExists,
        boolean used,
        long lastToken,
        long now,
        ProcessIdentity self,
        List<LockRecord> readers) {

    /** A look at a lock that nobody reads. */
    public LockSnapshot(Path target, LockStore.@Nullable Found record, LockStore.@Nullable Found takeover, @Nullable List<List<Long>> owners, List<Long> expiries,
            boolean comparable, boolean targetExists, boolean used, long lastToken, long now, ProcessIdentity self) {
        this(target, record, takeover, owners, expiries, comparable, targetExists, used, lastToken, now, self, List.of());
    }

    /**
     * Looks at the lock of one file.
     *
     * @param home the real path of its directory
     * @param name its name
     */
    public static LockSnapshot at(Path home, String name) throws IOException {
        return new DirectoryScanner(home).of(name);
    }

    /**
     * Looks at all locks of a directory: every file in a lock's place, and kernel bytes that are held for a file of it without a record. Locks that
     * nobody holds and that have left no file are left out.
     *
     * @param home the real path of the directory
     * @return what can be seen of each, by name
     */
    public static Collection<LockSnapshot> atAll(Path home) throws IOException {
        return new DirectoryScanner(home).ofAll();
    }

    /** {@return whether this lock was ever taken, as far as the table knows} */
    public boolean wasTaken() {
        return lastToken != 0;
    }
}

package dev.sessionlock.internal.directory;

import dev.sessionlock.spi.Clock;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.NotDirectoryException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.ReentrantLock;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The directories that this process has open. There is one of these a process (and class loader), since POSIX binds the bytes of
 * a file to the process: two objects that opened one guard would drop each other's.
 */
public final class OpenDirectories {
    /** The one of this process. */
    public static final OpenDirectories OF_THIS_PROCESS = new OpenDirectories();

    private static final Logger log = LoggerFactory.getLogger(OpenDirectories.class);
    private static final long IDLE_NANOS = TimeUnit.SECONDS.toNanos(60);

    private final ReentrantLock lock = new ReentrantLock();
    private final Map<Object, LockDirectory> byKey = new HashMap<>();
    /**
     * The guards that are open, by the inode of their directory, for as long as anybody uses them: a directory that was moved is
     * another {@link LockDirectory} at its new path, but its guard files are the same, and may not be opened twice.
     */
    private final Map<Object, Guards> guardsByKey = new HashMap<>();

    /**
     * Parents whose own path is their real path. Only such are remembered: a symbolic link that is pointed elsewhere must be
     * seen at once, while a real directory that is replaced is told by its claims, which are not in the new one.
     */
    private final Map<Path, LockDirectory> byRealPath = new ConcurrentHashMap<>();

    private OpenDirectories() {
        Copies.countIn();
    }

    /**
     * Opens a directory for locking, or finds it open, and pins it: it stays open until {@link #unpin}.
     *
     * @param parent the absolute path of the directory of the locked file
     * @param networkAllowed whether a network file system is accepted
     */
    public LockDirectory pin(Path parent, boolean networkAllowed) throws IOException {
        LockDirectory known = byRealPath.get(parent);
        if (known != null && tryPin(known, networkAllowed)) {
            return known;
        }
        Path home = parent.toRealPath();
        if (!Files.isDirectory(home)) {
            throw new NotDirectoryException(home.toString());
        }
        LockDirectory directory = open(home, networkAllowed);
        if (home.equals(parent)) {
            byRealPath.put(parent, directory);
        }
        return directory;
    }

    private boolean tryPin(LockDirectory directory, boolean networkAllowed) throws IOException {
        lock.lock();
        try {
            if (directory.pins < 0 || directory.isDisplaced()) {
                return false;
            }
            directory.traits().refuseNetwork(directory.home(), networkAllowed);
            directory.pins++;
            return true;
        } finally {
            lock.unlock();
        }
    }

    private LockDirectory open(Path home, boolean networkAllowed) throws IOException {
        Path inner = home.resolve(LockDirectory.INNER);
        lock.lock();
        try {
            LockDirectory directory = byKey.get(FileKey.ofOrNull(inner));
            if (directory == null || !directory.isInPlace()) {
                directory = openAnew(home, inner, networkAllowed);
            }
            directory.traits().refuseNetwork(home, networkAllowed);
            directory.pins++;
            return directory;
        } finally {
            lock.unlock();
        }
    }

    private LockDirectory openAnew(Path home, Path inner, boolean networkAllowed) throws IOException {
        Traits.of(home).refuseNetwork(home, networkAllowed); // before anything is made there
        FileMode mode = FileMode.of(home);
        mode.createDirectoryIfMissing(inner);
        Object key = FileKey.of(inner);
        Guards guards = guardsByKey.get(key);
        boolean fresh = guards == null;
        if (fresh) {
            guards = new Guards(inner, mode);
        }
        LockDirectory directory = new LockDirectory(home, key, Traits.of(home), mode, guards);
        if (fresh) {
            guardsByKey.put(key, guards);
        }
        LockDirectory moved = byKey.put(key, directory);
        if (moved != null) {
            forget(moved);
        }
        return directory;
    }

    /** Pins a directory that is pinned already. */
    public void pinAgain(LockDirectory directory) {
        lock.lock();
        try {
            directory.pins++;
        } finally {
            lock.unlock();
        }
    }

    /** Takes back one pin. */
    public void unpin(LockDirectory directory) {
        lock.lock();
        try {
            if (--directory.pins == 0) {
                directory.idleSince = Clock.SYSTEM.nanos();
                if (byKey.get(directory.innerKey()) != directory) {
                    closeIfUnused(directory); // it was replaced; nobody will ask for it again
                }
            }
        } finally {
            lock.unlock();
        }
    }

    /** Forgets a directory that was replaced: who asks for its path from now on gets what lies there now. */
    public void forget(LockDirectory directory) {
        directory.displace();
        byRealPath.values().removeIf(directory::equals);
        lock.lock();
        try {
            byKey.remove(directory.innerKey(), directory);
            closeIfUnused(directory);
        } finally {
            lock.unlock();
        }
    }

    /** {@return those that are open now} */
    public List<LockDirectory> all() {
        lock.lock();
        try {
            return new ArrayList<>(byKey.values());
        } finally {
            lock.unlock();
        }
    }

    /**
     * Closes what has been idle for a minute.
     *
     * @param atOnce without waiting for the minute: nobody locks anything any more
     */
    public void closeIdle(boolean atOnce) {
        lock.lock();
        try {
            long now = Clock.SYSTEM.nanos();
            for (LockDirectory directory : new ArrayList<>(byKey.values())) {
                if (directory.pins == 0 && (atOnce || now - directory.idleSince > IDLE_NANOS)) {
                    closeIfUnused(directory);
                }
            }
        } finally {
            lock.unlock();
        }
    }

    private void closeIfUnused(LockDirectory directory) {
        if (directory.pins != 0) {
            return;
        }
        try {
            if (directory.close(() -> guardsByKey.remove(directory.innerKey()))) {
                directory.pins = -1;
                byKey.remove(directory.innerKey(), directory);
                byRealPath.values().removeIf(directory::equals);
            }
        } catch (IOException e) {
            log.warn("could not close the guards of {}", directory, e);
        }
    }
}

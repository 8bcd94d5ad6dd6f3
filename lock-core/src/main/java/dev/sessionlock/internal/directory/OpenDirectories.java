package dev.sessionlock.internal.directory;

import dev.sessionlock.internal.system.Loggers;
import dev.sessionlock.internal.system.Mutex;
import dev.sessionlock.internal.system.RareLog;
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
import java.util.concurrent.atomic.AtomicInteger;
import org.jetbrains.annotations.Nullable;
import org.slf4j.Logger;

/**
 * The directories that this process has open. There is one of these a process (and class loader), since POSIX binds the bytes of
 * a file to the process: two objects that opened one guard would drop each other's.
 */
public final class OpenDirectories {
    /** The one of this process. */
    public static final OpenDirectories OF_THIS_PROCESS = new OpenDirectories();

    private static final Logger log = Loggers.LIBRARY;
    private static final RareLog trouble = new RareLog(log, "a directory of locks could not be looked after, and is looked at again");
    private static final long IDLE_NANOS = TimeUnit.SECONDS.toNanos(60);
    /** A look misses the locks that somebody just deals with. */
    private static final int LOOKS_AFTER_A_SUSPICION = 3;

    private final Mutex lock = new Mutex();
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

    private final AtomicInteger suspicions = new AtomicInteger();
    private volatile @Nullable Runnable woken;

    /** Of all directories together. Guarded by the lock. */
    private int pins;

    private OpenDirectories() {
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

    /** {@return whether a directory is open, and would be found by this path} Memory only. */
    public boolean isOpen(Path parent) {
        return byRealPath.containsKey(parent);
    }

    private boolean tryPin(LockDirectory directory, boolean networkAllowed) throws IOException {
        return lock.holding(() -> {
            if (directory.pins < 0 || directory.isDisplaced()) {
                return false;
            }
            directory.traits().refuseNetwork(directory.home(), networkAllowed);
            pinned(directory);
            return true;
        });
    }

    private LockDirectory open(Path home, boolean networkAllowed) throws IOException {
        Path inner = home.resolve(LockDirectory.INNER);
        return lock.holding(() -> {
            LockDirectory directory = byKey.get(FileKey.ofOrNull(inner));
            if (directory == null || !directory.isInPlace()) {
                directory = openAnew(home, inner, networkAllowed);
            }
            directory.traits().refuseNetwork(home, networkAllowed);
            pinned(directory);
            return directory;
        });
    }

    /** Under the lock. */
    private void pinned(LockDirectory directory) throws IOException {
        if (pins == 0 && Copies.OF_THIS_JVM.enter()) {
            for (LockDirectory open : byKey.values()) {
                open.verify(); // what says that this process lives was dropped by another copy's closing, perhaps
            }
        }
        directory.pins++;
        pins++;
    }

    private LockDirectory openAnew(Path home, Path inner, boolean networkAllowed) throws IOException {
        Traits.of(home).refuseNetwork(home, networkAllowed); // before anything is made there
        FileMode mode = FileMode.of(home);
        mode.createDirectoryIfMissing(inner);
        Object key = FileKey.of(inner);
        Guards guards = guardsByKey.get(key);
        if (guards == null) {
            guards = new Guards(inner, mode, this::suspect);
            guardsByKey.put(key, guards); // before it has any file open: collected, those would be closed, and drop the bytes of the next one
        }
        LockDirectory directory;
        try {
            directory = new LockDirectory(home, key, Traits.of(home), mode, guards);
        } finally {
            if (guards.isClosed()) {
                guardsByKey.remove(key, guards);
            }
        }
        LockDirectory moved = byKey.put(key, directory);
        if (moved != null) {
            forget(moved);
        }
        return directory;
    }

    /** Pins a directory that is pinned already. */
    public void pinAgain(LockDirectory directory) {
        lock.locked(() -> {
            directory.pins++;
            pins++;
        });
    }

    /** Takes back one pin. */
    public void unpin(LockDirectory directory) {
        lock.locked(() -> {
            if (--pins == 0) {
                Copies.OF_THIS_JVM.leave();
            }
            if (--directory.pins == 0) {
                directory.idleSince = Clock.SYSTEM.nanos();
                if (byKey.get(directory.innerKey()) != directory) {
                    closeIfUnused(directory); // it was replaced; nobody will ask for it again
                }
            }
        });
    }

    /** Forgets a directory that was replaced: who asks for its path from now on gets what lies there now. */
    public void forget(LockDirectory directory) {
        directory.displace();
        byRealPath.values().removeIf(directory::equals);
        lock.locked(() -> {
            byKey.remove(directory.innerKey(), directory);
            closeIfUnused(directory);
        });
    }

    /** {@return those that are open now} */
    public List<LockDirectory> all() {
        return lock.holding(() -> new ArrayList<>(byKey.values()));
    }

    /**
     * Closes what has been idle for a minute.
     *
     * @param atOnce without waiting for the minute: nobody locks anything any more
     */
    public void closeIdle(boolean atOnce) {
        lock.locked(() -> {
            long now = Clock.SYSTEM.nanos();
            for (LockDirectory directory : new ArrayList<>(byKey.values())) {
                if (directory.pins == 0 && (atOnce || now - directory.idleSince > IDLE_NANOS)) {
                    closeIfUnused(directory);
                }
            }
        });
    }

    // ---- when bytes may be gone ----

    /**
     * Has something run, on whatever thread, whenever it is seen that the kernel may have dropped bytes. It must be brief.
     *
     * @param wake what to run
     */
    public void onSuspicion(Runnable wake) {
        woken = wake;
    }

    /** {@return whether it was seen since the last two {@linkplain #verify looks} that the kernel may have dropped bytes} Memory only. */
    public boolean isSuspect() {
        return suspicions.get() > 0;
    }

    private void suspect() {
        suspicions.set(LOOKS_AFTER_A_SUSPICION);
        Runnable wake = woken;
        if (wake != null) {
            wake.run();
        }
    }

    /** Looks at what is open, by inode and by what the kernel says; forgets what was replaced. */
    public void verify() {
        suspicions.updateAndGet(left -> Math.max(0, left - 1)); // before the look: what is seen during it counts for the next
        for (LockDirectory directory : all()) {
            try {
                if (!directory.verify()) {
                    forget(directory);
                }
            } catch (IOException | RuntimeException e) { // whatever it is, the other directories are looked after
                trouble.warn(directory.toString(), e);
            }
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

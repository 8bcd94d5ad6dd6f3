package dev.sessionlock.internal.directory;

import dev.sessionlock.internal.system.Log;
import dev.sessionlock.internal.system.Loggers;
import dev.sessionlock.internal.system.Mutex;
import dev.sessionlock.internal.system.SystemFiles;
import dev.sessionlock.spi.Clock;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.NotDirectoryException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;

/**
 * The directories that this process has open. There is one registry per process (and class loader), since POSIX binds the bytes of a file to the
 * process: two objects that opened one guard file would drop each other's bytes.
 *
 * <p>A disk may not answer for minutes, and the directories of other disks are used meanwhile. So disk operations are done under the lock of their
 * own {@link Folder} alone. The registry's lock guards memory only, and is taken last.
 */
public final class OpenDirectories {
    /** The one of this process. */
    public static final OpenDirectories OF_THIS_PROCESS = new OpenDirectories();

    private static final Log log = Loggers.LIBRARY;
    private static final long IDLE_NANOS = TimeUnit.SECONDS.toNanos(60);
    /** How often the path is resolved again, if others replace the directory meanwhile. */
    private static final int LOOKS = 4;

    private final Mutex lock = new Mutex();
    private final Map<Object, Folder> folders = new HashMap<>();
    /** Also those that were replaced, and will be closed once nobody uses them. */
    private final Set<LockDirectory> open = new LinkedHashSet<>();

    /**
     * Parents whose own path is their real path. Only such are remembered: if a symbolic link is pointed elsewhere, that must be seen at once. A real
     * directory that is replaced is detected by its record files, which are not in the new one.
     */
    private final Map<Path, LockDirectory> byRealPath = new ConcurrentHashMap<>();

    private volatile @Nullable Runnable woken;

    /** How many directories are pinned. Guarded by the registry's lock. */
    private int pinnedDirectories;

    private OpenDirectories() {
    }

    /**
     * One {@code .session-locks}, by its inode. A directory that was moved is another {@link LockDirectory} at its new path, but its guard files are
     * the same, and must not be opened twice.
     */
    private static final class Folder {
        private final Object key;
        /** Held while the directory is opened or closed. */
        private final Mutex opening = new Mutex();
        /** How many callers open or close it, plus what is open of it. Guarded by the registry's lock. */
        private int users;
        /** What a caller that asks for its path gets. Written under the registry's lock. */
        private volatile @Nullable LockDirectory directory;
        /** Set while anybody uses them. Written while the directory is opened or closed. */
        private volatile @Nullable GuardFiles guards;

        private Folder(Object key) {
            this.key = key;
        }
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
            return trusted(known);
        }
        Path home = parent.toRealPath();
        if (!Files.isDirectory(home)) {
            throw new NotDirectoryException(home.toString());
        }
        LockDirectory directory = trusted(open(home, networkAllowed));
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
        if (!directory.isDisplaced()) {
            directory.traits().refuseNetwork(directory.home(), networkAllowed);
            if (directory.pins.addIfPinned()) {
                return true;
            }
        }
        return lock.holding(() -> {
            if (directory.pins.isClosing() || directory.isDisplaced()) {
                return false;
            }
            directory.traits().refuseNetwork(directory.home(), networkAllowed);
            pinned(directory);
            return true;
        });
    }

    /** Checks a directory that was just pinned. */
    private LockDirectory trusted(LockDirectory directory) throws IOException {
        boolean trusted = false;
        try {
            directory.verifyIfDoubted();
            trusted = true;
            return directory;
        } finally {
            if (!trusted) {
                unpin(directory);
            }
        }
    }

    /** {@return the directory at a path, open and pinned} */
    private LockDirectory open(Path home, boolean networkAllowed) throws IOException {
        Path inner = home.resolve(LockDirectory.INNER);
        for (int looks = 0; looks < LOOKS; looks++) {
            SystemFiles.OF_THIS_PROCESS.awaitIdentity(inner);
            Object key = FileKey.ofOrNull(inner);
            if (key == null) {
                FileSystemTraits.of(home).refuseNetwork(home, networkAllowed); // before anything is created there
                FileMode mode = FileMode.of(home);
                try {
                    mode.createDirectoryIfMissing(inner);
                } finally {
                    mode.leave();
                }
                key = FileKey.of(inner);
            }
            Folder folder = enter(key);
            try {
                int outer = folder.opening.depth();
                try {
                    folder.opening.lock();
                    LockDirectory directory = openAlone(folder, home, inner, networkAllowed);
                    if (directory != null) {
                        return directory;
                    }
                } finally {
                    folder.opening.unlock(outer);
                }
            } finally {
                leave(folder);
            }
        }
        throw new NoSuchFileException(inner.toString(), null, "others replace it again and again");
    }

    /** {@return null if another directory is there by now} */
    private @Nullable LockDirectory openAlone(Folder folder, Path home, Path inner, boolean networkAllowed) throws IOException {
        if (!folder.key.equals(FileKey.ofOrNull(inner))) {
            return null;
        }
        LockDirectory known = folder.directory;
        if (known != null && lock.holding(() -> known.pins.isClosing())) {
            closeAlone(folder, known); // an error interrupted its closing
            if (lock.holding(() -> known.pins.isClosing() && open.contains(known))) {
                throw new IOException(inner + " could not be closed, as the log says; nobody uses it half closed: try again");
            }
        }
        LockDirectory found = folder.directory;
        LockDirectory directory = found != null && found.isInPlace() ? found : openAnew(folder, home, inner, networkAllowed);
        if (directory == null) {
            return null;
        }
        directory.traits().refuseNetwork(home, networkAllowed);
        pinned(directory);
        return directory;
    }

    private @Nullable LockDirectory openAnew(Folder folder, Path home, Path inner, boolean networkAllowed) throws IOException {
        FileSystemTraits traits = FileSystemTraits.of(home);
        traits.refuseNetwork(home, networkAllowed);
        FileMode mode = FileMode.of(home);
        try {
            return openAnew(folder, home, inner, traits, mode);
        } finally {
            mode.leave();
        }
    }

    private @Nullable LockDirectory openAnew(Folder folder, Path home, Path inner, FileSystemTraits traits, FileMode mode) throws IOException {
        mode.createDirectoryIfMissing(inner); // reports what is wrong if that is no directory
        if (mode.isShared() && !folder.key.equals(FileKey.ofOrNull(mode.inner().resolve(".")))) {
            return null; // it was replaced meanwhile, perhaps by a link
        }
        GuardFiles guards = folder.guards;
        if (guards == null) {
            guards = new GuardFiles(inner, mode, this::wake);
            folder.guards = guards; // before it has any file open: if collected, they would be closed, and drop the bytes of the next one
        }
        LockDirectory directory;
        try {
            directory = new LockDirectory(home, folder.key, traits, mode, guards);
            mode.shared();
        } finally {
            if (guards.isClosed()) {
                folder.guards = null;
            }
        }
        LockDirectory moved = register(directory, folder);
        if (moved != null) {
            forget(moved);
        }
        return directory;
    }

    /** {@return the directory that was open at its path before} */
    private @Nullable LockDirectory register(LockDirectory directory, Folder folder) {
        int outer = lock.depth();
        try {
            lock.lock();
            LockDirectory before = folder.directory;
            open.add(directory);
            folder.users++;
            folder.directory = directory;
            return before;
        } finally {
            lock.unlock(outer);
        }
    }

    private Folder enter(Object key) {
        int outer = lock.depth();
        try {
            lock.lock();
            Folder folder = folders.get(key);
            if (folder == null) {
                folder = new Folder(key);
                folders.put(key, folder);
            }
            folder.users++;
            return folder;
        } finally {
            lock.unlock(outer);
        }
    }

    private void leave(Folder folder) {
        int outer = lock.depth();
        try {
            lock.lock();
            if (--folder.users == 0 && folder.guards == null) {
                folders.remove(folder.key, folder);
            }
        } finally {
            lock.unlock(outer);
        }
    }

    private void pinned(LockDirectory directory) {
        if (directory.pins.addIfPinned()) {
            return;
        }
        int outer = lock.depth();
        try {
            lock.lock();
            if (pinnedDirectories == 0 && LibraryCopies.OF_THIS_JVM.enter()) {
                open.forEach(LockDirectory::doubt); // another copy may have dropped our process byte and mark byte by closing
            }
            if (directory.pins.add() == 1) {
                pinnedDirectories++;
            }
        } finally {
            lock.unlock(outer);
        }
    }

    /** Adds a pin to a directory that is pinned already. */
    public void pinAgain(LockDirectory directory) {
        pinned(directory);
    }

    /** Removes one pin. Memory only. */
    public void unpin(LockDirectory directory) {
        if (directory.pins.removeUnlessLast()) {
            return;
        }
        int outer = lock.depth();
        try {
            lock.lock();
            if (directory.pins.remove() == 0) {
                directory.idleSince = Clock.SYSTEM.nanos();
                if (--pinnedDirectories == 0) {
                    LibraryCopies.OF_THIS_JVM.leave();
                }
            }
        } finally {
            lock.unlock(outer);
        }
    }

    /** Forgets a directory that was replaced: from now on its path leads to the directory that is there now. Memory only. */
    public void forget(LockDirectory directory) {
        directory.displace();
        byRealPath.values().removeIf(directory::equals);
        lock.locked(() -> {
            Folder folder = folders.get(directory.innerKey());
            if (folder != null && folder.directory == directory) {
                folder.directory = null;
            }
        });
    }

    /** {@return those that are open now} Memory only. */
    public List<LockDirectory> all() {
        int outer = lock.depth();
        try {
            lock.lock();
            return new ArrayList<>(open);
        } finally {
            lock.unlock(outer);
        }
    }

    /** As {@link #closeIfIdle}, all of them. */
    public void closeIdle(boolean atOnce) {
        all().forEach(directory -> closeIfIdle(directory, atOnce));
    }

    /**
     * Closes a directory that has been idle for a minute, or was replaced and is not used any more.
     *
     * @param atOnce without waiting for the minute: nobody locks anything any more
     * @return whether it is closed
     */
    public boolean closeIfIdle(LockDirectory directory, boolean atOnce) {
        Folder folder = enterIfIdle(directory, atOnce);
        if (folder != null) {
            try {
                folder.opening.locked(() -> {
                    if (lock.holding(() -> isIdle(directory, atOnce))) {
                        closeAlone(folder, directory);
                    }
                });
            } finally {
                leave(folder);
            }
        }
        return !isOpen(directory);
    }

    private @Nullable Folder enterIfIdle(LockDirectory directory, boolean atOnce) {
        int outer = lock.depth();
        try {
            lock.lock();
            return isIdle(directory, atOnce) ? enter(directory.innerKey()) : null;
        } finally {
            lock.unlock(outer);
        }
    }

    private boolean isOpen(LockDirectory directory) {
        int outer = lock.depth();
        try {
            lock.lock();
            return open.contains(directory);
        } finally {
            lock.unlock(outer);
        }
    }

    /** Under the lock. */
    private boolean isIdle(LockDirectory directory, boolean atOnce) {
        return !directory.pins.isPinned() && open.contains(directory)
                && (atOnce || directory.isDisplaced() || Clock.SYSTEM.nanos() - directory.idleSince > IDLE_NANOS);
    }

    /** Closes it, unless it is pinned, or another copy of the library could lose bytes by that. Under the lock of its folder. */
    private void closeAlone(Folder folder, LockDirectory directory) {
        boolean unused = lock.holding(() -> {
            if (directory.pins.isPinned()) {
                return false;
            }
            directory.pins.setClosing(true); // from now on it is not found by its path
            return true;
        });
        if (!unused) {
            return;
        }
        boolean[] closed = new boolean[1];
        boolean[] refused = new boolean[1];
        try {
            closed[0] = directory.close(() -> folder.guards = null);
            refused[0] = !closed[0];
        } catch (IOException e) {
            log.warn("could not close the guards of {}; trying again", directory, e);
        } finally {
            lock.locked(() -> {
                if (refused[0]) {
                    directory.pins.setClosing(false);
                } else if (closed[0] && open.remove(directory)) {
                    folder.users--;
                    folder.directory = folder.directory == directory ? null : folder.directory;
                    byRealPath.values().removeIf(directory::equals);
                }
            });
        }
    }

    // ---- when bytes may be gone ----

    /**
     * Sets what is run, on any thread, whenever it is noticed that the kernel may have dropped bytes. It must be brief.
     *
     * @param wake what to run
     */
    public void onSuspicion(Runnable wake) {
        woken = wake;
    }

    private void wake() {
        Runnable wake = woken;
        if (wake != null) {
            wake.run();
        }
    }

    /** Checks a directory, by inode and by what the kernel says, and forgets it if it was replaced. */
    public void verify(LockDirectory directory) throws IOException {
        if (!directory.verify()) {
            forget(directory);
        }
    }
}

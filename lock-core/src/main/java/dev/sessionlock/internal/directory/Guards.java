package dev.sessionlock.internal.directory;

import java.io.IOException;
import java.io.RandomAccessFile;
import java.nio.channels.ClosedChannelException;
import java.nio.channels.FileChannel;
import java.nio.channels.FileLock;
import java.nio.channels.OverlappingFileLockException;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.atomic.AtomicReferenceArray;
import java.util.concurrent.locks.ReentrantLock;
import org.jetbrains.annotations.Nullable;

/**
 * The guard files of one directory, which carry the kernel's byte locks, far beyond any content.
 *
 * <p>A POSIX record lock belongs to the process, and <em>closing any descriptor of the file, anywhere in the process, drops
 * it</em> (POSIX.1-2017, fcntl; reproduced on JDK 17 and 25). So each guard is opened once a process and stays open, and
 * nobody but the library opens it. They are {@link RandomAccessFile}s, which an interrupted thread cannot close under us, and
 * they stay strongly reachable: a collected channel takes its locks with it.
 *
 * <pre>
 * byte                        what it says
 * 2^59 + mark                 a living process writes this mark into its words on the board (guard 0)
 * 2^60 + process              this process lives (guard 0); the high 16 of 52 bits tell its time namespace
 * 2^61 - 1                    this process makes or reshapes the board (guard 0)
 * 2^61 + (h >>> 6) * 2 + s    seat s of lock h is taken (guard h & 63)
 * </pre>
 */
final class Guards {
    static final int COUNT = 64;

    /** A process's number: 16 bits of its time namespace, then random ones. */
    static final int PROCESS_BITS = 52;
    static final int RANDOM_BITS = 36;

    private static final long MARKS = 1L << 59;
    private static final long PROCESSES = 1L << 60;
    private static final long SEATS = 1L << 61;
    private static final long SETUP = SEATS - 1;

    private final FileMode mode;
    /** Open for as long as the guards are, so that no other directory can be given its inode number meanwhile; null if refused. */
    private final @Nullable FileChannel pin;
    private final AtomicReferenceArray<Guard> guards = new AtomicReferenceArray<>(COUNT);
    private final List<Guard> displaced = new ArrayList<>();
    private final ReentrantLock opening = new ReentrantLock();
    /** Where they lie now: somebody may have moved the whole directory. */
    private volatile Path dir;
    private int users;
    private boolean closed;

    Guards(Path dir, FileMode mode) {
        this.dir = dir;
        this.mode = mode;
        this.pin = pin(dir);
    }

    private static @Nullable FileChannel pin(Path dir) {
        try {
            return FileChannel.open(dir, StandardOpenOption.READ);
        } catch (IOException | UnsupportedOperationException e) {
            return null; // a system that does not open directories
        }
    }

    /** Counts a user in, who knows the directory by this path. */
    void enter(Path path) {
        opening.lock();
        try {
            users++;
            dir = path;
        } finally {
            opening.unlock();
        }
    }

    static int guardOf(long h) {
        return (int) (h & (COUNT - 1));
    }

    static long positionOf(long h, int seat) {
        return SEATS + (h >>> 6) * 2 + seat;
    }

    /** {@return the lock, of those of a guard, that has a byte for one of its seats there: the way back from {@link #positionOf}} */
    static long lockAt(int guard, long position) {
        return (position - SEATS) / 2 << 6 | guard;
    }

    static Path file(Path dir, int guard) {
        return dir.resolve((guard < 16 ? "guard-0" : "guard-") + Integer.toHexString(guard));
    }

    /** Takes a seat's byte; null if another process, or another copy of the library in this one, has it. */
    @Nullable FileLock trySeat(long h, int seat) throws IOException {
        return tryLock(guardOf(h), positionOf(h, seat));
    }

    /** Waits for a seat's byte. Cannot be broken off: an interrupt would close the channel and drop every byte of the guard. */
    FileLock awaitSeat(long h, int seat) throws IOException {
        return open(guardOf(h)).lock(positionOf(h, seat), 1, false);
    }

    @Nullable FileLock tryProcess(long process) throws IOException {
        return tryLock(0, positionOf(process));
    }

    /** {@return the byte that says, in guard 0, that a process lives} */
    static long positionOf(long process) {
        return PROCESSES + process;
    }

    @Nullable FileLock tryMark(long mark) throws IOException {
        return tryLock(0, positionOfMark(mark));
    }

    /** {@return the byte that says, in guard 0, that a living process has a mark} */
    static long positionOfMark(long mark) {
        return MARKS + mark;
    }

    /**
     * {@return the 16 bits of a process's number that tell its time namespace; 0 if that is unknown} Numbers of namespaces are given one after the
     * other, so that two of them differ here.
     */
    static long worldOf(long timeNamespace) {
        return timeNamespace == 0 ? 0 : 1 + Long.remainderUnsigned(timeNamespace, 0xffff);
    }

    /**
     * Runs a step while no process of another time namespace than ours can begin to live here, if none does now. The bytes of our own namespace,
     * ours among them, are in neither of the two ranges that are locked for it: to lock and free them would drop ours.
     *
     * @return false if another lives
     */
    boolean holdingOtherWorlds(long world, Runnable step) throws IOException {
        long from = PROCESSES + (world << RANDOM_BITS);
        long to = from + (1L << RANDOM_BITS);
        long end = PROCESSES + (1L << PROCESS_BITS);
        try (FileLock below = from == PROCESSES ? null : tryLock(0, PROCESSES, from - PROCESSES)) {
            if (below == null && from != PROCESSES) {
                return false;
            }
            try (FileLock above = to == end ? null : tryLock(0, to, end - to)) {
                if (above == null && to != end) {
                    return false;
                }
                step.run();
                return true;
            }
        }
    }

    @Nullable FileLock trySetup() throws IOException {
        return tryLock(0, SETUP);
    }

    private @Nullable FileLock tryLock(int guard, long position) throws IOException {
        return tryLock(guard, position, 1);
    }

    private @Nullable FileLock tryLock(int guard, long position, long bytes) throws IOException {
        try {
            return open(guard).tryLock(position, bytes, false);
        } catch (OverlappingFileLockException e) {
            return null; // another copy of the library in this JVM, or a thread of ours that waits for this byte
        }
    }

    private FileChannel open(int guard) throws IOException {
        Guard open = guards.get(guard);
        return (open != null ? open : openOnce(guard)).file.getChannel();
    }

    boolean isOpen(int guard) {
        return guards.get(guard) != null;
    }

    private Guard openOnce(int guard) throws IOException {
        opening.lock();
        try {
            if (closed) {
                throw new ClosedChannelException();
            }
            Guard open = guards.get(guard);
            if (open == null) {
                open = Copies.oneAtATime(() -> create(file(dir, guard)));
                guards.set(guard, open);
            }
            return open;
        } finally {
            opening.unlock();
        }
    }

    /** Making a file closes it once: another copy of the library must not lock bytes in it before that. */
    private Guard create(Path path) throws IOException {
        mode.createIfMissing(path);
        // The key before the file: if it is replaced in between, the keeper sees two that differ.
        Object key = FileKey.of(path);
        return new Guard(key, new RandomAccessFile(path.toFile(), "rw"));
    }

    /** {@return whether a lock is on the guard that is open now, and not on one that was displaced} */
    boolean isCurrent(long h, FileLock lock) {
        Guard open = guards.get(guardOf(h));
        return open != null && open.file.getChannel() == lock.acquiredBy();
    }

    /**
     * Finds the open guards whose file no longer is the one at its name, and puts them aside: they are opened anew at need.
     * The old ones stay open until all are closed; the bytes on them exclude nobody who came later.
     *
     * @return whether there were any
     */
    boolean putDisplacedAside() throws IOException {
        boolean any = false;
        for (int guard = 0; guard < COUNT; guard++) {
            Guard open = guards.get(guard);
            if (open != null && !open.key.equals(FileKey.ofOrNull(file(dir, guard)))) {
                putAside(guard, open);
                any = true;
            }
        }
        return any;
    }

    private void putAside(int guard, Guard open) {
        opening.lock();
        try {
            if (guards.compareAndSet(guard, open, null)) {
                displaced.add(open); // strongly held: collected, it would be closed, and drop the bytes of whoever has it open too
            }
        } finally {
            opening.unlock();
        }
    }

    /** {@return the inode of a guard, for a look into {@code /proc/locks}; negative if there is none} */
    static long inode(Path dir, int guard) {
        try {
            return ((Number) Files.getAttribute(file(dir, guard), "unix:ino", LinkOption.NOFOLLOW_LINKS)).longValue();
        } catch (IOException | UnsupportedOperationException | IllegalArgumentException e) {
            return -1;
        }
    }

    /**
     * Counts a user out. With the last one they are closed, and with them goes every byte that this process holds in them.
     *
     * @return whether that was the last one
     */
    boolean leave() throws IOException {
        opening.lock();
        try {
            if (--users > 0) {
                return false;
            }
            closed = true;
            if (pin != null) {
                pin.close();
            }
            for (int guard = 0; guard < COUNT; guard++) {
                Guard open = guards.getAndSet(guard, null);
                if (open != null) {
                    open.file.close();
                }
            }
            for (Guard old : displaced) {
                old.file.close();
            }
            return true;
        } finally {
            opening.unlock();
        }
    }

    private record Guard(Object key, RandomAccessFile file) {
    }
}

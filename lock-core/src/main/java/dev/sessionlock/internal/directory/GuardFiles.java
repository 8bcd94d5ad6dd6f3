package dev.sessionlock.internal.directory;

import dev.sessionlock.internal.system.Failures;
import dev.sessionlock.internal.system.Log;
import dev.sessionlock.internal.system.Loggers;
import dev.sessionlock.internal.system.Mutex;
import dev.sessionlock.internal.system.SystemFiles;
import dev.sessionlock.spi.Clock;
import java.io.Closeable;
import java.io.IOException;
import java.nio.channels.Channel;
import java.nio.channels.ClosedChannelException;
import java.nio.channels.FileChannel;
import java.nio.channels.FileLock;
import java.nio.channels.OverlappingFileLockException;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicReferenceArray;
import org.jspecify.annotations.Nullable;

/**
 * The guard files of one directory. They carry the kernel bytes, far beyond any content: {@link GuardLayout} says which.
 *
 * <p>A POSIX record lock belongs to the process, and <em>closing any descriptor of the file, anywhere in the process, drops it</em> (POSIX.1-2017,
 * fcntl; reproduced on JDK 17 and 25). So each guard file is opened once per process and stays open, and nobody but the library opens it. They stay
 * strongly reachable: a collected channel takes its locks with it.
 *
 * <p>A channel may be closed all the same: by an interrupt of the kernel waiter. Then the kernel has dropped every byte of that file. The first
 * thread to meet a closed channel opens the file again, and raises a suspicion: everything that was held through it is then taken again at once.
 */
final class GuardFiles {
    private static final Log log = Loggers.LIBRARY;
    /** How long the JDK may count a byte as taken that we do not have, until the guard file is opened anew for it. */
    private static final long PHANTOM_PATIENCE_NANOS = TimeUnit.SECONDS.toNanos(1);
    /** A look misses the locks that another thread is just working on. */
    private static final int LOOKS_AFTER_A_SUSPICION = 3;

    private final FileMode mode;
    /** Of the directory; null if it does not exist. */
    private final @Nullable Object key;
    private final @Nullable Runnable suspicion;
    private final AtomicInteger suspicions = new AtomicInteger();
    /** Open for as long as the guard files are, so that no other directory can get its inode number meanwhile; null if refused. */
    private final @Nullable FileChannel pin;
    private final AtomicReferenceArray<GuardFile> guards = new AtomicReferenceArray<>(GuardLayout.COUNT);
    private final List<GuardFile> displaced = new ArrayList<>();
    /** Bytes that are taken for a moment only, kept here so that nothing thrown leaves them taken. */
    private final ConcurrentLinkedQueue<Loan> loans = new ConcurrentLinkedQueue<>();
    private final Mutex opening = new Mutex();
    private final OtherChannels others = new OtherChannels();
    /** Where the guard files are now: somebody may have moved the whole directory. */
    private volatile Path dir;
    /** Written while {@link #opening} is held. */
    private volatile int users;
    private volatile boolean closed;
    /** When a byte was first seen that the JDK counts as taken, and that we do not have; 0 if none. */
    private volatile long phantomSince;

    GuardFiles(Path dir, FileMode mode) {
        this(dir, mode, null);
    }

    /** @param suspicion run, on any thread, when the kernel has dropped bytes */
    GuardFiles(Path dir, FileMode mode, @Nullable Runnable suspicion) {
        this.dir = dir;
        this.mode = mode.shared();
        this.suspicion = suspicion;
        this.pin = pin(dir);
        this.key = FileKey.ofOrNull(dir);
    }

    private static @Nullable FileChannel pin(Path dir) {
        try {
            return FileChannel.open(dir, StandardOpenOption.READ);
        } catch (IOException | UnsupportedOperationException e) {
            return null; // a system that does not open directories
        }
    }

    /** Has the keeper look at once. */
    void wakeKeeper() {
        if (suspicion != null) {
            suspicion.run();
        }
    }

    /** Adds a user, who knows the directory by this path. */
    void enter(Path path) {
        int outer = opening.depth();
        try {
            opening.lock();
            users++;
            dir = path;
        } finally {
            opening.unlock(outer);
        }
    }

    /** {@return whether the last user has left} */
    boolean isClosed() {
        return closed;
    }

    /** Takes a seat's byte; null if another process, or another copy of the library in this one, has it. */
    @Nullable FileLock trySeat(long h, int seat) throws IOException {
        return tryLock(GuardLayout.guardOf(h), GuardLayout.positionOf(h, seat));
    }

    /**
     * As {@link #trySeat}, after an earlier call that a throwable interrupted: the JDK may count the byte as taken though nobody has it. It does so
     * for as long as the channel is open. So after a while the guard file is opened anew, and what was held through it is taken again.
     *
     * @throws IOException if the byte is still in that state
     */
    @Nullable FileLock trySeatAgain(long h, int seat) throws IOException {
        int guard = GuardLayout.guardOf(h);
        try {
            FileLock lock = channel(guard).tryLock(GuardLayout.positionOf(h, seat), 1, false);
            if (lock == null && !SystemFiles.OF_THIS_PROCESS.givesByteAgain()) { // another process has it, or the kernel has it for us
                channel(guard).close();
                reopen(guard);
            }
            phantomSince = 0;
            return lock;
        } catch (OverlappingFileLockException e) {
            long now = Clock.SYSTEM.nanos();
            long since = phantomSince;
            if (since == 0) {
                phantomSince = now; // it may belong to the same lock under the path that its directory had before
            } else if (now - since > PHANTOM_PATIENCE_NANOS && LibraryCopies.OF_THIS_JVM.isAlone()) {
                phantomSince = 0;
                log.warn("the JDK counts a byte of {} as taken, which an error has left; it is opened anew", GuardLayout.file(dir, guard));
                channel(guard).close();
                reopen(guard);
            }
            throw new IOException("an error in this JVM has left a byte of " + GuardLayout.file(dir, guard) + " behind; it is freed soon", e);
        }
    }

    /** Waits for a seat's byte. Cannot be cancelled: an interrupt closes the channel, and drops every byte of the guard file. */
    FileLock awaitSeat(long h, int seat) throws IOException {
        int guard = GuardLayout.guardOf(h);
        FileChannel channel = channel(guard);
        GuardFile open = guards.get(guard);
        FileChannel its = others.toWaitOn(channel, GuardLayout.file(dir, guard), open == null ? null : open.key);
        boolean got = false;
        try {
            Thread.interrupted(); // an earlier interrupt would close the channel as well
            FileLock lock = its.lock(GuardLayout.positionOf(h, seat), 1, false);
            got = true;
            return lock;
        } catch (ClosedChannelException e) {
            Thread.interrupted(); // the interrupt has been handled; this thread serves other locks
            throw e;
        } finally {
            if (!got && its != channel) {
                others.close(its);
            } else if (!got && !channel.isOpen()) {
                reopen(guard);
            }
        }
    }

    /** Frees a byte that this process has. Nothing is freed if its channel was closed: then it is lost. */
    void release(FileLock lock) throws IOException {
        Channel its = lock.acquiredBy();
        if (its.isOpen()) {
            try {
                lock.release();
            } catch (ClosedChannelException e) {
                assert !its.isOpen() : e; // just now
            }
        }
        others.close(its);
    }

    @Nullable FileLock tryProcess(long process) throws IOException {
        return tryLock(0, GuardLayout.positionOf(process));
    }

    @Nullable FileLock tryMark(long mark) throws IOException {
        return tryLock(0, GuardLayout.positionOfMark(mark));
    }

    /**
     * Runs a step while no process of another time namespace is registered here, and none can register meanwhile. For this, two ranges are locked, on
     * both sides of our own namespace's range: locking and freeing that one would drop our own process byte.
     *
     * @return false if a process of another namespace is registered
     */
    boolean holdingOtherNamespaces(long namespace, SharedTable.TableBytes.BytesStep<?> step) throws IOException {
        long from = GuardLayout.PROCESSES + (namespace << GuardLayout.RANDOM_BITS);
        long to = from + (1L << GuardLayout.RANDOM_BITS);
        long end = GuardLayout.PROCESSES + (1L << GuardLayout.PROCESS_BITS);
        try (FileLock below = from == GuardLayout.PROCESSES ? null : tryLock(0, GuardLayout.PROCESSES, from - GuardLayout.PROCESSES)) {
            if (below == null && from != GuardLayout.PROCESSES) {
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
        return tryLock(0, GuardLayout.SETUP);
    }

    private @Nullable FileLock tryLock(int guard, long position) throws IOException {
        return tryLock(guard, position, 1);
    }

    private @Nullable FileLock tryLock(int guard, long position, long bytes) throws IOException {
        for (boolean again = false; ; again = true) {
            FileChannel channel = channel(guard);
            try {
                return channel.tryLock(position, bytes, false);
            } catch (OverlappingFileLockException e) {
                return null; // another copy of the library in this JVM, or a thread of ours that waits for this byte
            } catch (ClosedChannelException e) {
                if (again || closed) {
                    throw e;
                }
                reopen(guard); // it was closed this very moment
            }
        }
    }

    private FileChannel channel(int guard) throws IOException {
        GuardFile open = guards.get(guard);
        FileChannel channel = open == null ? null : open.file;
        if (channel == null) {
            return openOnce(guard);
        } else if (!channel.isOpen()) {
            return reopen(guard);
        }
        return channel;
    }

    boolean isOpen(int guard) {
        GuardFile open = guards.get(guard);
        return open != null && open.file != null;
    }

    private FileChannel openOnce(int guard) throws IOException {
        int outer = opening.depth();
        try {
            opening.lock();
            if (closed) {
                throw new ClosedChannelException();
            }
            GuardFile open = guards.get(guard);
            if (open == null) {
                open = new GuardFile();
                guards.set(guard, open); // before it has a file: a collected one would be closed, and drop the bytes of the next one
            }
            FileChannel file = open.file;
            if (file == null) {
                if (!FileKey.equal(key, FileKey.ofOrNull(dir))) {
                    // Another directory is at the name. Its guard files are open in this process through other GuardFiles: closed here, they would
                    // lose their bytes.
                    throw new NoSuchFileException(dir.toString(), null, "it was replaced");
                }
                synchronized (LibraryCopies.OF_THIS_JVM.monitorOf(FileKey.of(dir))) {
                    file = open.open(GuardLayout.file(dir, guard), mode);
                }
            }
            return file;
        } finally {
            opening.unlock(outer);
        }
    }

    /**
     * Opens a guard file again whose channel was closed under us. The kernel has dropped all bytes that this process had in the file: what was held
     * through it must be taken again, and the suspicion is reported to whoever does that.
     */
    private FileChannel reopen(int guard) throws IOException {
        boolean[] found = new boolean[1];
        try {
            return opening.holding(() -> {
                GuardFile old = guards.get(guard);
                FileChannel channel = old == null ? null : old.file;
                if (closed || old == null || channel == null) {
                    return openOnce(guard);
                }
                if (channel.isOpen()) {
                    return channel; // another thread was faster
                }
                found[0] = true;
                // Waits until the thread that closes it is done: its close(2) would drop what we take through a new descriptor.
                channel.close();
                others.put(channel, old.key);
                log.warn("{} was closed under us, as an interrupt of the thread that waits in the kernel does; it is opened again, and what was "
                        + "held through it is taken again", GuardLayout.file(dir, guard));
                guards.set(guard, null);
                return openOnce(guard);
            });
        } finally {
            if (found[0]) {
                suspicions.set(LOOKS_AFTER_A_SUSPICION * Math.max(1, users)); // one look by each user
                if (suspicion != null) {
                    suspicion.run();
                }
            }
        }
    }

    /** {@return whether the kernel may have dropped bytes since the last looks at what is held} Memory only. */
    boolean isSuspect() {
        return suspicions.get() > 0;
    }

    /** A look at what is held begins: suspicions raised from now on count for the next. */
    void isLookedAt() {
        suspicions.updateAndGet(left -> Math.max(0, left - 1));
    }

    /** Reopens guard files whose channel was closed under us, so that this is noticed even if nobody uses them. */
    void reopenClosed() throws IOException {
        for (int guard = 0; guard < GuardLayout.COUNT; guard++) {
            GuardFile open = guards.get(guard);
            FileChannel file = open == null ? null : open.file;
            if (file != null && !file.isOpen()) {
                reopen(guard);
            }
        }
    }

    /**
     * {@return whether a lock is on the file that its guard file is now} It may be on another channel of it: if that was closed under us, the byte
     * can be taken again, and nobody uses another file.
     */
    boolean isOfThisFile(long h, FileLock lock) {
        int guard = GuardLayout.guardOf(h);
        GuardFile open = guards.get(guard);
        FileChannel file = open == null ? null : open.file;
        if (file != null && file == lock.acquiredBy()) {
            return true;
        }
        Object key = file == null ? FileKey.ofOrNull(GuardLayout.file(dir, guard)) : open.key; // it may not have been opened again yet
        return others.isOf(key, lock.acquiredBy());
    }

    /** {@return whether a lock is on the guard file that is open now, and not on a replaced one} */
    boolean isCurrent(long h, FileLock lock) {
        GuardFile open = guards.get(GuardLayout.guardOf(h));
        FileChannel file = open == null ? null : open.file;
        Channel its = lock.acquiredBy();
        return file != null && its.isOpen() && (file == its || others.isWaitedOn(its) && others.isOf(open.key, its));
    }

    /**
     * Finds open guard files that are no longer the files at their names, and puts them aside; they are opened anew when needed. The old ones stay
     * open until all are closed; the bytes on them exclude no process that came later.
     *
     * @return whether there were any
     */
    boolean putDisplacedAside() throws IOException {
        boolean any = false;
        for (int guard = 0; guard < GuardLayout.COUNT; guard++) {
            GuardFile open = guards.get(guard);
            if (open != null && open.file != null && !FileKey.equal(open.key, FileKey.ofOrNull(GuardLayout.file(dir, guard)))) {
                putAside(guard, open);
                any = true;
            }
        }
        return any;
    }

    private void putAside(int guard, GuardFile open) {
        opening.locked(() -> {
            if (guards.get(guard) == open) {
                displaced.add(open); // first, and strongly held: if collected, it would be closed, and drop the bytes of whoever has it open too
                guards.set(guard, null);
            }
        });
    }

    /**
     * Removes a user. With the last one the guard files are closed, and every byte that this process holds in them is dropped.
     *
     * @return whether that was the last one
     */
    boolean leave() throws IOException {
        return opening.holding(() -> {
            if (users > 1) {
                users--;
                return false;
            }
            closeAll();
            if (!closed) {
                mode.leave();
            }
            users = 0;
            closed = true; // last: what a throwable interrupts here is done again by the next call
            return true;
        });
    }

    private void closeAll() throws IOException {
        List<@Nullable Closeable> all = new ArrayList<>(displaced);
        for (int guard = 0; guard < GuardLayout.COUNT; guard++) {
            all.add(guards.get(guard));
        }
        all.add(others::closeAll);
        all.add(pin);
        Failures.closeAll(all);
        for (int guard = 0; guard < GuardLayout.COUNT; guard++) {
            guards.set(guard, null);
        }
    }

    /** Removes a user, and closes nothing: another copy of the library has bytes in these files, which the kernel would drop. */
    void leaveOpen() {
        opening.locked(() -> users--);
    }

    /** One guard file. It is in the list before its file is opened, and for as long as it is open. */
    private static final class GuardFile implements Closeable {
        private volatile @Nullable Object key;
        private volatile @Nullable FileChannel file;

        /** Creating a file closes it once: another copy of the library must not lock bytes in it before that. */
        private FileChannel open(Path path, FileMode mode) throws IOException {
            mode.createIfMissing(path);
            key = FileKey.of(path); // before the file: if it is replaced in between, the keeper sees two that differ
            FileChannel opened = mode.openGuard(path);
            file = opened;
            return opened;
        }

        @Override
        public void close() throws IOException {
            FileChannel open = file;
            if (open != null) {
                open.close();
            }
        }
    }

    // ---- bytes that are taken for a moment ----

    /** {@return a holder for a byte, which is freed when the holder is closed, or soon after if a throwable interrupts that} */
    Loan lendTo() {
        Loan loan = new Loan();
        loans.add(loan);
        return loan;
    }

    /** Frees the bytes of loans whose closing was interrupted. */
    void settle() throws IOException {
        Failures.closeAll(loans.stream().filter(loan -> loan.over).toList());
    }

    /** A byte that is taken for a moment. */
    final class Loan implements Closeable {
        private volatile @Nullable FileLock lock;
        private volatile boolean over;

        boolean trySeat(long h, int seat) throws IOException {
            lock = GuardFiles.this.trySeat(h, seat);
            return lock != null;
        }

        boolean trySetup() throws IOException {
            lock = GuardFiles.this.trySetup();
            return lock != null;
        }

        boolean tryProcess(long process) throws IOException {
            lock = GuardFiles.this.tryProcess(process);
            return lock != null;
        }

        @Override
        public void close() throws IOException {
            over = true; // first: the keeper finishes it if this is interrupted
            FileLock taken = lock;
            if (taken != null) {
                release(taken);
            }
            lock = null;
            loans.remove(this);
        }
    }
}

package dev.sessionlock.internal.directory;

import dev.sessionlock.internal.system.Failures;
import dev.sessionlock.internal.system.FileAnswer;
import dev.sessionlock.internal.system.Log;
import dev.sessionlock.internal.system.Loggers;
import dev.sessionlock.internal.system.Mutex;
import dev.sessionlock.internal.system.OpenFile;
import dev.sessionlock.internal.system.SystemFiles;
import dev.sessionlock.spi.Clock;
import java.io.IOException;
import java.nio.channels.FileLock;
import java.nio.file.AccessDeniedException;
import java.nio.file.DirectoryIteratorException;
import java.nio.file.DirectoryNotEmptyException;
import java.nio.file.DirectoryStream;
import java.nio.file.NoSuchFileException;
import java.nio.file.NotDirectoryException;
import java.nio.file.Path;
import java.util.ArrayDeque;
import java.util.HashSet;
import java.util.Set;
import java.util.concurrent.ThreadLocalRandom;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;
import java.util.function.BiFunction;
import org.jspecify.annotations.Nullable;

/**
 * Spare record files of this process, {@code claim-<process>-<n>}: a record is written into one and then linked into place, so that it appears whole
 * or not at all. Pooled and reused.
 *
 * <p>{@code process} is drawn at random, so that a name never means two files, not even when the directory is removed and created again under us.
 * While a process lives it holds the process byte of its number, taken before its first record file exists. So the record files of a killed process
 * can be told from those of a living one, and swept.
 */
final class RecordFilePool {
    private static final Log log = Loggers.LIBRARY;
    private static final SystemFiles FILES = SystemFiles.OF_THIS_PROCESS;
    private static final String PREFIX = "claim-";
    /** Ends the name of a further link to a record file, made for a moment: to be renamed, or to find out whether links are refused. */
    static final String LINK_PROBE = ".link";
    private static final int PROCESS_BITS = GuardLayout.PROCESS_BITS;
    private static final long REGISTER_PATIENCE_NANOS = TimeUnit.SECONDS.toNanos(5);
    /** How many are kept ready, and how many are kept open while in use. So a held lock costs no descriptor. */
    private static final int SPARE = 32;
    /** How many of the open ones may belong to locks that are held for long; the others are for those that come and go. */
    private static final int OPEN_FOR_LONG = SPARE / 2;

    private final Path dir;
    private final FileMode mode;
    private final GuardFiles guards;
    private final Mutex pool = new Mutex();
    private final ArrayDeque<PooledFile> idle = new ArrayDeque<>(SPARE + 1); // so that it never grows: growing may fail half-way
    /** The high bits of this process's number. */
    private final long namespaceNumber;
    private long process;
    private @Nullable FileLock alive;
    private long aliveSince;
    private int open;
    private long next;

    RecordFilePool(Path dir, FileMode mode, GuardFiles guards) {
        this(dir, mode, guards, 0);
    }

    /** @param namespaceNumber what tells our time namespace from others: {@link GuardLayout#namespaceNumber} */
    RecordFilePool(Path dir, FileMode mode, GuardFiles guards, long namespaceNumber) {
        this.dir = dir;
        this.mode = mode;
        this.guards = guards;
        this.namespaceNumber = namespaceNumber;
        this.process = drawProcess();
    }

    /** One record file in use. Used by one thread at a time: the one that holds the engine lock. */
    final class PooledFile implements LockStore.RecordFile {
        private final long owner;
        private final long number;
        private final Object key;
        private @Nullable OpenFile file;
        private @Nullable Path path;
        private boolean mayBeLonger;
        /** The state of {@code .session-locks} when it was last found at its name; null if that told nothing. */
        @Nullable DirectoryState inPlaceAsOf;
        /** It was recycled or retired: the file may serve another lock by now, through another object. */
        private volatile boolean letGo;

        /** The next use of a spare file. */
        private PooledFile(PooledFile spare) {
            this(spare.owner, spare.number, spare.key, spare.file);
            this.path = spare.path;
            this.inPlaceAsOf = spare.inPlaceAsOf;
            this.mayBeLonger = spare.mayBeLonger;
        }

        private PooledFile(long owner, long number, Object key, OpenFile file) {
            this.owner = owner;
            this.number = number;
            this.key = key;
            this.file = file;
        }

        /** {@return whether it was given back, so that its file is not ours any more} */
        boolean isLetGo() {
            return letGo;
        }

        /** Not kept while the file is closed: ten thousand held locks would keep as many paths. */
        Path path() {
            Path known = path;
            if (known == null) {
                known = pathOf(owner, number);
                path = file == null ? null : known;
            }
            return known;
        }

        /** {@return the inode, as Java tells it} */
        Object key() {
            return key;
        }

        /** Writes the record, from the first byte on, with one write; and cuts off what follows, if the file may be longer. */
        void write(byte[] record) throws IOException {
            if (letGo) {
                return; // only requested where a throwable interrupted giving it back
            }
            OpenFile f = file;
            if (f != null) {
                f.seek(0);
                write(f, record);
                return;
            }
            try (OpenFile again = reopen()) {
                write(again, record);
            }
        }

        private void write(OpenFile file, byte[] record) throws IOException {
            file.write(record);
            if (mayBeLonger && file.length() > record.length) {
                file.setLength(record.length);
            }
            mayBeLonger = false;
        }

        /**
         * Somebody may have appended something to the file through its other name: the next write checks. Not every write does: that would cost each
         * acquisition one more system call.
         */
        void mayBeLonger() {
            mayBeLonger = true;
        }

        /** {@return whether its own file still lies at its name} */
        boolean isInPlace() {
            return key.equals(FileKey.ofOrNull(path()));
        }

        /** {@return what is thrown if it does not} */
        NoSuchFileException replaced() {
            return new NoSuchFileException(path().toString(), null, "somebody replaced it");
        }

        private OpenFile reopen() throws IOException {
            return mode.openRecord(path(), key);
        }

        /** Closes the file while it is in use, if many are open. */
        void rest() throws IOException {
            if (file != null && !letGo && mayClose(SPARE)) {
                closeFile();
            }
        }

        /** Closes a file that will be in use for long, so that those that come and go find room among the few that are open. */
        void restForLong() throws IOException {
            if (file != null && !letGo && mayClose(OPEN_FOR_LONG)) {
                closeFile();
            }
        }

        private void close() throws IOException {
            if (file != null && mayClose(0)) {
                closeFile();
            }
        }

        private void closeFile() throws IOException {
            OpenFile open = file;
            file = null;
            path = null;
            if (open != null) {
                open.close();
            }
        }

        @Override
        public String toString() {
            return path().toString();
        }
    }

    private long drawProcess() {
        return namespaceNumber << GuardLayout.RANDOM_BITS | ThreadLocalRandom.current().nextLong() >>> (64 - GuardLayout.RANDOM_BITS);
    }

    /** Makes others see that this process lives, and in which time namespace. */
    void register() throws IOException {
        int outer = pool.depth();
        try {
            pool.lock();
            long start = Clock.SYSTEM.nanos();
            while (alive == null) {
                alive = guards.tryProcess(process);
                aliveSince = Clock.SYSTEM.nanos();
                if (alive != null) {
                    return;
                }
                process = drawProcess(); // another process has this number, or has our byte since we lost it
                // Or a process of another time namespace is checking, for a moment, whether there is any of ours.
                if (aliveSince - start > REGISTER_PATIENCE_NANOS) {
                    throw new IOException("another process has been setting up " + dir + " for 5 s; is it frozen? (kill -CONT wakes it)");
                }
                LockSupport.parkNanos(500_000);
            }
        } finally {
            pool.unlock(outer);
        }
    }

    /** {@return the number by which the files of this process are told from those of others; it may change} */
    long process() {
        return pool.holding(() -> process);
    }

    /** {@return whether a process is gone, and its number nobody's, by its process byte} */
    boolean isGone(long other) throws IOException {
        try (GuardFiles.Loan gone = guards.lendTo()) {
            return gone.tryProcess(other);
        }
    }

    private Path pathOf(long owner, long number) {
        return dir.resolve(PREFIX + Long.toHexString(owner) + "-" + number);
    }

    private boolean mayClose(int ifMoreThan) {
        int outer = pool.depth();
        try {
            pool.lock();
            if (open <= ifMoreThan) {
                return false;
            }
            open--;
            return true;
        } finally {
            pool.unlock(outer);
        }
    }

    /** {@return a record file for one lock, from the pool or new} */
    PooledFile take() throws IOException {
        int outer = pool.depth();
        try {
            pool.lock();
            PooledFile spare = idle.peekLast();
            if (spare != null && spare.file == null && !isOpenedAgain(spare)) {
                dropSpares(); // somebody has swept it, and most likely the others, too
            }
            spare = idle.peekLast();
            if (spare == null) {
                return create();
            }
            PooledFile next = new PooledFile(spare); // before it leaves the pool
            idle.pollLast();
            return next;
        } finally {
            pool.unlock(outer);
        }
    }

    /** Under the pool's lock. Returns false if its file is gone. A file that cannot be opened for another reason stays in the pool. */
    private boolean isOpenedAgain(PooledFile spare) throws IOException {
        try {
            spare.file = spare.reopen();
            open++;
            return true;
        } catch (NoSuchFileException e) {
            log.debug("{} was removed", spare, e);
            return false;
        }
    }

    private PooledFile create() throws IOException {
        register();
        long number = next++;
        Path path = pathOf(process, number);
        FileMode.Made made = mode.create(path);
        PooledFile file = new PooledFile(process, number, made.key(), made.file());
        open++;
        return file;
    }

    /** Takes back a record file whose link is gone. */
    void recycle(PooledFile file) throws IOException {
        pool.locked(() -> {
            if (!file.letGo && idle.size() < SPARE) {
                idle.addLast(file);
                file.letGo = true;
            }
        });
        retire(file); // if there was no room
    }

    /** Gives up a record file that may still be linked somewhere: another lock's record written into it would appear there as well. */
    void retire(PooledFile file) throws IOException {
        if (!file.letGo) {
            retireFile(file);
        }
    }

    private void retireFile(PooledFile file) throws IOException {
        file.close();
        if (file.isInPlace()) { // else somebody has put another file there
            FILES.remove(file.path()).done();
        }
        file.letGo = true;
    }

    /**
     * Makes sure that others see this process alive: somebody may have removed guard 0, or opened and closed it in this JVM. Then others would take
     * our record files for litter.
     *
     * @param kernelHas says whether the kernel has a byte, given the byte and when it was taken; null if it does not say
     */
    void verify(BiFunction<Long, Long, @Nullable Boolean> kernelHas) throws IOException {
        pool.locked(() -> {
            FileLock had = alive;
            boolean closed = had != null && !had.acquiredBy().isOpen();
            if (had != null && (closed || Boolean.FALSE.equals(kernelHas.apply(GuardLayout.positionOf(process), aliveSince)))) {
                if (!closed) {
                    had.release();
                }
                alive = guards.tryProcess(process);
                aliveSince = Clock.SYSTEM.nanos();
                dropSpares();
                register();
            }
        });
    }

    /** Gives up a record file that is not at its name any more, and the spare ones, too: most likely somebody has swept them all. */
    void giveUpSwept(PooledFile file) throws IOException {
        retire(file);
        dropSpares();
    }

    /** Gives up the spare record files: somebody removed them. */
    void dropSpares() throws IOException {
        pool.locked(() -> {
            Failures failures = new Failures();
            for (PooledFile file = idle.poll(); file != null; file = idle.poll()) {
                PooledFile spare = file;
                failures.close(() -> retireFile(spare));
            }
            failures.throwFirst();
        });
    }

    /** Deletes the record files of processes that are gone, except those that are still linked in a lock's place. */
    void sweep() throws IOException {
        Set<Long> seen = new HashSet<>();
        try (DirectoryStream<Path> all = FolderStream.open(dir, PREFIX)) {
            Failures failures = new Failures();
            for (Path path : all) {
                long owner = processOf(path);
                if (owner >= 0 && seen.add(owner)) {
                    failures.close(() -> sweep(owner));
                }
            }
            failures.throwFirst();
        }
    }

    /** Deletes the record files of one process, holding its process byte, unless it lives. */
    private void sweep(long owner) throws IOException {
        try (GuardFiles.Loan gone = guards.lendTo()) {
            if (!gone.tryProcess(owner)) {
                return;
            }
            try (DirectoryStream<Path> litter = FolderStream.open(dir, PREFIX + Long.toHexString(owner) + "-")) {
                Failures failures = new Failures();
                for (Path path : litter) {
                    failures.close(() -> sweepFile(path));
                }
                failures.throwFirst();
            }
            log.debug("swept the claims of a process that is gone from {}", dir);
        }
    }

    private void sweepFile(Path path) throws IOException {
        if (path.toString().endsWith(LINK_PROBE) || !FILES.hasOtherName(path, dir, dir.getParent())) {
            deleteUnlessFull(path);
        }
    }

    /** A directory that somebody has put there, with something in it, stays, and keeps nothing else from being swept. */
    private static void deleteUnlessFull(Path litter) throws IOException {
        FileAnswer answer = FILES.remove(litter);
        if (answer.kind() == FileAnswer.Kind.REFUSED && answer.reason() instanceof DirectoryNotEmptyException) {
            log.debug("{} is a directory that somebody put there", litter);
            return;
        }
        answer.done();
    }

    /**
     * {@return whether a file is one of the record files in a directory, by its inode} A record of ours keeps its first name there while it is in a
     * lock's place, also after its process has died.
     *
     * @param dir the directory
     * @param path the file
     * @param key its inode, as Java tells it
     */
    static boolean contains(Path dir, Path path, Object key) throws IOException {
        if (!FILES.hasOtherName(path, dir)) {
            return false;
        }
        try (DirectoryStream<Path> all = FolderStream.open(dir, PREFIX)) {
            for (Path recordFile : all) {
                if (key.equals(FileKey.ofOrNull(recordFile))) {
                    return true;
                }
            }
            return false;
        } catch (DirectoryIteratorException e) {
            throw e.getCause();
        } catch (NoSuchFileException | NotDirectoryException | AccessDeniedException e) {
            return false;
        }
    }

    private static long processOf(Path recordFile) {
        String name = recordFile.getFileName().toString();
        int end = name.lastIndexOf('-');
        try {
            long process = Long.parseLong(name.substring(PREFIX.length(), end), 16);
            return process >>> PROCESS_BITS == 0 ? process : -1;
        } catch (NumberFormatException | StringIndexOutOfBoundsException e) {
            return -1; // not one of ours
        }
    }

    /** Deletes the spare record files. Called when no lock is held. */
    void close() throws IOException {
        pool.locked(() -> {
            Failures failures = new Failures();
            failures.close(this::dropSpares);
            failures.close(this::unregister);
            failures.throwFirst();
        });
    }

    private void unregister() throws IOException {
        FileLock had = alive;
        if (had != null && had.acquiredBy().isOpen()) {
            had.release();
        }
        alive = null;
    }
}

package dev.sessionlock;

import dev.sessionlock.internal.system.Printable;
import dev.sessionlock.internal.system.SystemFiles;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.PosixFileAttributeView;
import java.nio.file.attribute.PosixFileAttributes;
import java.nio.file.attribute.PosixFilePermission;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.EnumSet;
import java.util.List;
import java.util.Objects;
import java.util.Set;
import java.util.function.Predicate;
import org.jspecify.annotations.Nullable;

/**
 * A session file: lines of text in UTF-8, such as JSON lines, that several threads and processes append to, read and compact. For each change
 * this class takes the file's {@link SessionLock}, and does the steps that keep an acknowledged line safe in the right order. The line stays
 * safe whatever happens to this process and to others: they may be killed, frozen past their lease and woken, or out of disk.
 *
 * <pre>{@code
 * SessionFile session = SessionFile.of(Path.of("session.jsonl"), locks);
 * session.append(line);                                       // when it returns, the line is there for good
 *
 * for (String each : session.lines()) {                       // whole lines only; needs no lock
 *     System.out.println(each);
 * }
 * session.compact(lines -> lines.stream().filter(each -> !each.contains("\"done\"")).toList());
 * }</pre>
 *
 * <p><b>A line is acknowledged</b> when the method that writes it returns. Then the line is whole, it is forced to the disk, and the lock was still
 * held after that. If the method throws, the line may be there or not, unless the message says that nothing was written. Appending it
 * again may write it twice. If it must not be there twice, give each line an id, and use {@link #appendOnce}:
 *
 * <pre>{@code
 * session.appendOnce(line, each -> id.equals(idOf(each)));    // also again, after an exception or a crash
 * }</pre>
 *
 * <p><b>A torn line</b> comes from a writer that was killed while it wrote, or that met a full disk. No reader sees it. The next append or
 * compaction cuts it off. Only for that, {@code append} takes the lock a second time, so that nobody may take it over.
 *
 * <p><b>Several steps under one lock.</b> Use {@link #withLock}, and in it {@link #append(SessionLock, List)} or {@link #lines()}. The other methods
 * take the lock themselves. The thread must not hold it when it calls them ({@link LockReentryException}).
 *
 * <p><b>What it relies on.</b> Every program that changes the file uses this class, or appends whole lines with one {@code write} at the end
 * ({@code O_APPEND}). The file is on a local file system. Over a network, appends of two machines may overwrite each other after a takeover.
 *
 * <p><b>Late lines.</b> A writer can freeze past its lease exactly between its last check of the lock and its write. Then it appends its line late. The line
 * is whole, and not acknowledged. In two cases two lines that nobody acknowledged can become one garbled line. Either another writer was killed in
 * the middle of a line just before, and no other writer has come since. Or the late writer is itself killed in its write. So readers skip what they cannot
 * parse. Writers with {@link LockOptions#withTakeover withTakeover(false)} are never late, but others wait while such a writer is frozen.
 *
 * <p>Immutable and thread-safe. It keeps no file open. An interrupt ends the wait for the lock. A later interrupt is deferred until the file is in order.
 */
public final class SessionFile {
    private static final SystemFiles FILES = SystemFiles.OF_THIS_PROCESS;
    private static final String FRESH = ".compacting-";
    private static final int MOST_TRIES = 10;
    private static final int CHUNK = 64 * 1024;

    private final Path path;
    private final SessionLocks locks;
    private final LockOptions options;
    private final boolean forced;
    private final LineFile content;

    /**
     * Makes the new lines of a compaction from the old ones.
     *
     * @param <X> what it throws; inferred as {@link RuntimeException} if it throws nothing
     */
    @FunctionalInterface
    public interface Rewrite<X extends Exception> {

        /**
         * Runs while the lock is held.
         *
         * @param lines all whole lines, without their line ends; this method may change the list and return it
         * @return the new lines of the file
         * @throws X anything; then the file is unchanged
         */
        List<String> rewrite(List<String> lines) throws X;
    }

    /** Runs under the lock, when the file ends with a whole line. */
    private interface Step<T, X extends Exception> {
        T run(SessionLock lock, long end) throws X, IOException, InterruptedException;
    }

    private SessionFile(Path path, SessionLocks locks, LockOptions options, boolean forced) {
        this.path = path;
        this.locks = locks;
        this.options = options;
        this.forced = forced;
        this.content = new LineFile(path);
    }

    /**
     * Makes a session file whose lock is taken with the default options of {@code locks}. This does not touch the disk.
     *
     * @param path the file; it need not exist, its directory must
     * @param locks where the locks come from
     * @return that file
     */
    public static SessionFile of(Path path, SessionLocks locks) {
        return of(path, locks, locks.defaults());
    }

    /**
     * Makes a session file whose lock is taken with these options. This does not touch the disk.
     *
     * @param path the file; it need not exist, its directory must
     * @param locks where the locks come from
     * @param options the options of each lock; a compaction adds {@link LockOptions#withTakeover withTakeover(false)}. Each lock is exclusive, whatever the options say
     * @return that file
     */
    public static SessionFile of(Path path, SessionLocks locks, LockOptions options) {
        return new SessionFile(Objects.requireNonNull(path, "path"), Objects.requireNonNull(locks, "locks"),
                Objects.requireNonNull(options, "options").withMode(LockMode.EXCLUSIVE), true);
    }

    /**
     * Sets whether lines are forced to the disk before they are acknowledged. That usually takes milliseconds. Without it, a power cut or a crash of
     * the system may remove the lines of the last half minute, even acknowledged ones. The end of a process removes none. Compactions are always
     * forced.
     *
     * @param forced true by default
     * @return a copy with this setting
     */
    public SessionFile withForce(boolean forced) {
        return new SessionFile(path, locks, options, forced);
    }

    /** {@return the file} */
    public Path path() {
        return path;
    }

    // ---- reading ----

    /**
     * Reads all whole lines as they are now, without a lock. The result has each acknowledged line, and perhaps some that are not acknowledged yet. It
     * leaves out a torn last line. Inside {@link #withLock}, no other writer changes the lines meanwhile.
     *
     * @return the lines in their order, without their line ends; empty if there is no file. Bytes that are not UTF-8 become U+FFFD
     * @throws IOException if the file cannot be read
     */
    public List<String> lines() throws IOException {
        return content.lines(false);
    }

    // ---- appending ----

    /**
     * Appends a line. When this returns, the line is acknowledged.
     *
     * @param line the line, without its line end
     * @throws IllegalArgumentException if the line contains a line break or half of a surrogate pair; then nothing is done
     * @throws LockTimeoutException if the lock was not acquired in time; nothing was written
     * @throws LockLostException if the lock was lost before or after the write: the message says whether the line may be there
     * @throws LockReentryException if this thread holds the lock already; see {@link #append(SessionLock, List)}
     * @throws IOException if the disk refuses: the message says whether the line may be there
     * @throws InterruptedException if the thread is interrupted before or while it waits for the lock; nothing was written
     */
    public void append(String line) throws IOException, InterruptedException {
        append(List.of(line));
    }

    /**
     * Appends lines in one write. When this returns, they are acknowledged. If the process is killed in the middle of the write, the first lines may be
     * there and the others not. Otherwise as {@link #append(String)}.
     *
     * @param lines the lines, without their line ends; nothing is done if there are none
     */
    public void append(List<String> lines) throws IOException, InterruptedException {
        byte[] bytes = LineFile.encode(lines);
        if (bytes.length > 0) {
            this.<Void, IOException>locked((lock, end) -> {
                write(lock, end, bytes);
                return null;
            });
        }
    }

    /**
     * Appends lines under a lock that the caller holds, for example in {@link #withLock}. When this returns, they are acknowledged.
     *
     * @param lock the lock of this file; it stays open
     * @param lines the lines, without their line ends; nothing is done if there are none
     * @throws IllegalArgumentException if the lock belongs to another file, or if a line contains a line break or half of a surrogate pair
     * @throws IllegalStateException if the lock was closed
     * @throws LockLostException if the lock was lost before or after the write: the message says whether the lines may be there
     * @throws IOException if the disk refuses: the message says whether the lines may be there. Also if the last line is torn and others may take
     *     this lock over: then nobody may cut off the line under this lock. The lock of {@link #withLock} never has this problem, because
     *     {@code withLock} repairs the file first
     */
    public void append(SessionLock lock, List<String> lines) throws IOException {
        byte[] bytes = LineFile.encode(lines);
        SessionLock own = own(lock);
        if (bytes.length == 0) {
            return;
        }
        long end = wholeEnd(own);
        if (end < 0) {
            throw new IOException(Printable.text("the last line of " + path + " is torn, and this lock may be taken over, so it cannot be cut off under "
                    + "it; nothing was written. Close the lock and take it with SessionFile.withLock, which repairs first"));
        }
        write(own, end, bytes);
        lock.ensureHeld();
    }

    /**
     * Appends a line unless it is there already. When this returns, the line is acknowledged, and it is in the file once. Use it for a line that may
     * have been appended before, by a call that threw or by a process that died. This method reads the whole file under the lock. If the lock is lost
     * meanwhile, it looks and tries again.
     *
     * <p>The line is there once if everybody appends it with this method, one process after the other. Two copies are possible if two processes
     * append it at the same time and one of them freezes meanwhile.
     *
     * @param line the line, without its line end
     * @param isTheLine recognises the line, usually by its id, even after a compaction has rewritten it. It is called for each line of the file while the
     *     lock is held. It must return false for what it cannot parse. It must not search for a part of the line only, because a garbled line may
     *     contain that part
     * @throws IllegalArgumentException if {@code isTheLine} does not recognise the line, or as {@link #append(String)}
     * @throws LockLostException if the lock was lost again and again
     * @throws IOException as {@link #append(String)}; you may call this method again
     * @throws InterruptedException as {@link #append(String)}; you may call this method again
     */
    public void appendOnce(String line, Predicate<String> isTheLine) throws IOException, InterruptedException {
        byte[] bytes = LineFile.encode(List.of(line));
        if (!isTheLine.test(line)) {
            throw new IllegalArgumentException("isTheLine says no to the line itself, so it would never be found and be appended each time");
        }
        for (int tries = 1; ; tries++) {
            try {
                this.<Void, IOException>locked((lock, end) -> {
                    if (content.has(isTheLine)) {
                        acknowledge(lock); // its writer may have died before it acknowledged the line
                    } else {
                        write(lock, end, bytes);
                    }
                    return null;
                });
                return;
            } catch (LockLostException e) {
                if (tries == MOST_TRIES) {
                    throw e;
                }
            }
        }
    }

    private void write(SessionLock lock, long end, byte[] bytes) throws IOException {
        try {
            content.append(bytes, end, lock);
        } catch (LockLostException e) {
            throw told(e, "Nothing was written to " + path + " after that");
        }
        acknowledge(lock);
    }

    /** Makes lines that are in the file safe: forces them, and checks the lock. */
    private void acknowledge(SessionLock lock) throws IOException {
        if (forced) {
            try {
                FILES.force(path);
                FILES.forceNames(path.toAbsolutePath().getParent()); // else a new file may lose its name
            } catch (IOException e) {
                throw LineFile.failed("the lines are in " + path + ", but could not be forced to the disk (" + e
                        + "): they are not acknowledged, and a power cut may take them away", e);
            }
        }
        try {
            lock.ensureHeld();
        } catch (LockLostException e) {
            throw told(e, "What was being written to " + path + " may be there or not, and is not acknowledged: look for it under the next "
                    + "lock (SessionFile.appendOnce does) before it is written again");
        }
    }

    private static LockLostException told(LockLostException lost, String what) {
        LockLostException told = new LockLostException(lost.reason(), lost.since(), lost.getMessage() + ". " + what);
        told.initCause(lost);
        return told;
    }

    // ---- the lock ----

    /**
     * Runs an action under the lock of this file. Before that, it repairs a torn last line. The action may use {@link #lines()} and
     * {@link #append(SessionLock, List)}. If nobody may take the lock over, it may also use {@link #compact(SessionLock, Rewrite)}.
     *
     * <pre>{@code
     * int number = session.<Integer, IOException>withLock(lock -> {
     *     int next = session.lines().size() + 1;
     *     session.append(lock, List.of("{\"number\":" + next + "}"));
     *     return next;
     * });
     * }</pre>
     *
     * @param action what to run; the lock is closed after it
     * @return what the action returned
     * @throws X what the action threw
     * @throws LockLostException if the action returned but the lock had been lost before
     * @throws IOException if the lock was not acquired, or the disk refused a repair; then the action was not run
     * @throws InterruptedException if the thread is interrupted before or while it waits for the lock; then the action was not run
     */
    public <T, X extends Exception> T withLock(LockedAction<T, X> action) throws X, IOException, InterruptedException {
        Objects.requireNonNull(action, "action");
        return this.<T, X>locked((lock, end) -> action.run(lock));
    }

    /** As {@link #withLock}, for an action that returns nothing. */
    public <X extends Exception> void runWithLock(LockedRunnable<X> action) throws X, IOException, InterruptedException {
        Objects.requireNonNull(action, "action");
        this.<Boolean, X>locked((lock, end) -> {
            action.run(lock);
            return true;
        });
    }

    private <T, X extends Exception> T locked(Step<T, X> step) throws X, IOException, InterruptedException {
        while (true) {
            try (SessionLock lock = locks.acquire(path, options)) {
                long end = wholeEnd(lock);
                if (end >= 0) {
                    T result = step.run(lock, end);
                    lock.ensureHeld();
                    return result;
                }
            }
            repair();
        }
    }

    /** Repairs under a lock of its own. A repair that came late would cut off what others have appended since. */
    private void repair() throws IOException, InterruptedException {
        try (SessionLock lock = locks.acquire(path, options.withTakeover(false).withMaxHold(LockOptions.UNLIMITED))) {
            requireNoTakeover(lock, "repaired");
            wholeEnd(lock);
            lock.ensureHeld();
        }
    }

    /** {@return the file's length if its last line is whole, or if this lock allowed to cut off a torn one; -1 if not} */
    private long wholeEnd(SessionLock lock) throws IOException {
        long end = content.wholeEnd();
        if (end < 0 && !lock.mayBeTakenOver()) {
            content.cutTail(lock);
            end = content.wholeEnd();
        }
        return end;
    }

    private static void requireNoTakeover(SessionLock lock, String what) {
        if (lock.mayBeTakenOver()) {
            throw new IllegalStateException("the lock of " + lock.name() + " may be taken over, so the file must not be " + what
                    + " under it: this would come late if the process froze. Take it with LockOptions.withTakeover(false)");
        }
    }

    /** {@return the caller's lock, or the one of its parts that locks this file} */
    private SessionLock own(SessionLock lock) throws IOException {
        Path absolute = path.toAbsolutePath();
        for (SessionLock part : lock.parts()) {
            Path target = part.target();
            if (target != null && (target.equals(absolute) || target.getFileName().equals(absolute.getFileName())
                    && Files.isSameFile(target.getParent(), absolute.getParent()))) {
                if (part.mode() == LockMode.SHARED) {
                    throw new IllegalArgumentException("the lock of " + lock.name() + " is shared, and others may be reading now: acquire it exclusively");
                }
                return part;
            }
        }
        throw new IllegalArgumentException("the lock of " + lock.name() + " is not the lock of " + path);
    }

    // ---- compacting ----

    /**
     * Rewrites the whole file in one step. A reader finds all of the old lines or all of the new ones, also after a power cut.
     *
     * <p>The new content is written to {@code <name>.compacting-<token>} beside the file, forced to the disk, and renamed over the file. Nobody takes
     * the lock over meanwhile ({@link LockOptions#withTakeover}), but {@link LockOptions#maxHold()} counts. A torn last line is left out. The new file has
     * the old one's permissions. It also has the old one's owner and group, if this process may set them. If there is no file, nothing is done.
     *
     * @param rewrite makes the new lines from the old ones, while the lock is held
     * @throws X what {@code rewrite} threw; the file is unchanged
     * @throws IllegalArgumentException if a new line contains a line break or half of a surrogate pair; the file is unchanged
     * @throws LockTimeoutException if the lock was not acquired in time
     * @throws LockLostException if the lock was lost; the file is unchanged, unless the loss came exactly at the rename
     * @throws LockReentryException if this thread holds the lock already; see {@link #compact(SessionLock, Rewrite)}
     * @throws IOException if the disk refuses, or a line is not UTF-8; the file is unchanged unless the message says otherwise
     * @throws InterruptedException if the thread is interrupted before or while it waits for the lock
     */
    public <X extends Exception> void compact(Rewrite<X> rewrite) throws X, IOException, InterruptedException {
        Objects.requireNonNull(rewrite, "rewrite");
        try (SessionLock lock = locks.acquire(path, options.withTakeover(false))) {
            compact(lock, rewrite);
        }
    }

    /**
     * As {@link #compact(Rewrite)}, under a lock that the caller holds.
     *
     * @param lock the lock of this file, acquired with {@link LockOptions#withTakeover withTakeover(false)}; it stays open
     * @throws IllegalStateException if the lock was closed, or others may take it over
     * @throws IllegalArgumentException if the lock belongs to another file; or as {@link #compact(Rewrite)}
     */
    public <X extends Exception> void compact(SessionLock lock, Rewrite<X> rewrite) throws X, IOException {
        Objects.requireNonNull(rewrite, "rewrite");
        SessionLock own = own(lock);
        requireNoTakeover(own, "rewritten");
        lock.ensureHeld();
        if (!Files.exists(path)) {
            return;
        }
        removeLeftovers();
        byte[] bytes = LineFile.encode(rewrite.rewrite(content.lines(true)));
        // A name of its own: a holder that lost the lock here, and does not know it yet, must not write into its successor's file.
        Path fresh = path.resolveSibling(path.getFileName() + FRESH + own.token());
        try {
            writeFresh(fresh, bytes);
            lock.ensureHeld();
            own.replace(fresh);
        } finally {
            FILES.remove(fresh).done();
        }
        lock.ensureHeld();
    }

    /** Removes what killed compactions left. Nobody else compacts now, because we hold the lock. */
    private void removeLeftovers() throws IOException {
        String beginning = path.getFileName() + FRESH;
        try (DirectoryStream<Path> left = Files.newDirectoryStream(path.toAbsolutePath().getParent(), entry -> {
            String name = entry.getFileName().toString();
            return name.startsWith(beginning) && name.substring(beginning.length()).chars().allMatch(c -> c >= '0' && c <= '9');
        })) {
            for (Path fresh : left) {
                FILES.remove(fresh).done();
            }
        }
    }

    private void writeFresh(Path fresh, byte[] bytes) throws IOException {
        @Nullable PosixFileAttributeView view = Files.getFileAttributeView(path, PosixFileAttributeView.class);
        @Nullable PosixFileAttributes old = view == null ? null : view.readAttributes();
        try {
            LineFile.uninterrupted(() -> {
                FILES.remove(fresh).done();
                try (FileChannel out = create(fresh, old != null)) {
                    for (ByteBuffer left = ByteBuffer.wrap(bytes); left.hasRemaining(); ) {
                        out.write(left.slice(left.position(), Math.min(CHUNK, left.remaining())));
                        left.position((int) out.position());
                    }
                    if (old != null) {
                        content.target().giveAs(fresh, out, old);
                    }
                }
                return null;
            });
        } catch (IOException e) {
            throw LineFile.failed("could not write the new content of " + path + " to " + fresh + " (" + e + "); the file is as it was", e);
        }
    }

    /** Creates the file for its owner only: nobody else may read it before it has the permissions of the old one. */
    private FileChannel create(Path fresh, boolean posix) throws IOException {
        Set<StandardOpenOption> options = EnumSet.of(StandardOpenOption.CREATE_NEW, StandardOpenOption.WRITE);
        Set<PosixFilePermission> own = EnumSet.of(PosixFilePermission.OWNER_READ, PosixFilePermission.OWNER_WRITE);
        return posix ? content.target().open(fresh, options, PosixFilePermissions.asFileAttribute(own)) : content.target().open(fresh, options);
    }

    /** {@return the file's path} */
    @Override
    public String toString() {
        return "SessionFile[" + path + "]";
    }
}

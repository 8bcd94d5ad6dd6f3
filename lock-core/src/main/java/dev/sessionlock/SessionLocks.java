package dev.sessionlock;

import dev.sessionlock.internal.seats.Engines.Whereabouts;
import dev.sessionlock.internal.seats.Sight;
import dev.sessionlock.internal.threads.Audience;
import dev.sessionlock.internal.threads.Cells;
import dev.sessionlock.internal.threads.Handle;
import dev.sessionlock.internal.threads.Handles;
import dev.sessionlock.internal.threads.Request;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collection;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.TreeMap;
import java.util.concurrent.Executor;
import java.util.stream.Stream;
import org.jetbrains.annotations.NotNull;
import org.jetbrains.annotations.Nullable;

/**
 * Gives out locks on session files. Thread-safe; one is enough for a program, and several in one JVM know of each other.
 *
 * <pre>{@code
 * SessionLocks locks = SessionLocks.create();
 * try (SessionLock lock = locks.acquire(Path.of("session.jsonl"))) { // waits, 10 s by default
 *     lock.ensureHeld();                                            // before each write that must not come late
 *     Files.writeString(session, line, APPEND);
 * }
 * }</pre>
 *
 * <p>The lock of {@code x} is the record {@code x.lock} beside it, for people and for other programs, and a byte that the kernel locks
 * in {@code .session-locks}, which is what excludes. It is advisory: who does not ask is not stopped. The same file is the same lock
 * by whatever path its <em>directory</em> is named (relative, {@code ..}, symbolic links); a symbolic or hard link <em>to the file</em>
 * is another lock, since a compaction renames over the name. Network file systems are refused.
 *
 * <p>Which errors are what: a lock that was not to be had in time is a {@link LockTimeoutException}; something else in the lock's
 * place, a {@link NotALockFileException}; a directory that is missing, read-only or full, a {@link LockException} that says so; a
 * thread that asks for what it holds, a {@link LockReentryException}.
 */
public final class SessionLocks implements AutoCloseable {
    private final Cells cells;
    private final LockOptions defaults;
    private final Audience audience;
    private final boolean networkAllowed;

    private SessionLocks(Builder builder) {
        this.cells = builder.cells;
        this.defaults = builder.defaults;
        this.networkAllowed = builder.allowNetworkFileSystem;
        this.audience = new Audience(builder.listener, builder.executor, builder.takeStrangers);
        cells.moveIn(builder.shutdownGrace);
    }

    /** {@return one with the default options} */
    public static @NotNull SessionLocks create() {
        return builder().build();
    }

    /** {@return a builder} */
    public static @NotNull Builder builder() {
        return new Builder();
    }

    /**
     * Waits for the lock of a file, with the default options.
     *
     * @param target the file to lock; it need not exist, its directory must
     * @return the lock, to be closed
     * @throws LockTimeoutException if it was not to be had within {@link LockOptions#timeout()}
     * @throws NotALockFileException if something that is not a lock lies in its place
     * @throws LockException if the directory or the disk refuses
     * @throws LockLostException if this thread holds it already, the options are reentrant, and it was lost meanwhile
     * @throws LockReentryException if this thread holds it already and the options are not reentrant
     * @throws InterruptedException if the thread is interrupted before or while it waits; nothing is left behind
     * @throws IllegalStateException if this {@code SessionLocks} was closed
     */
    public @NotNull SessionLock acquire(@NotNull Path target) throws LockException, InterruptedException {
        return acquire(target, defaults);
    }

    /** As {@link #acquire(Path)}, with these options. */
    public @NotNull SessionLock acquire(@NotNull Path target, @NotNull LockOptions options) throws LockException, InterruptedException {
        if (Thread.interrupted()) {
            throw new InterruptedException();
        }
        Handle warm = lingers(target, options);
        return new SessionLock(warm != null ? warm : remembered(target, acquire(target, request(target, options), patience(options))));
    }

    /** Takes it again if it lingers here. {@return null if it is to be acquired in the ordinary way} */
    private @Nullable Handle lingers(Path target, LockOptions options) {
        Objects.requireNonNull(target, "target");
        return Objects.requireNonNull(options, "options").linger().isZero() ? null : cells.tryAgain(target, audience, options);
    }

    private Handle remembered(Path target, Handle handle) {
        if (handle.mayLinger()) {
            cells.remember(target, handle);
        }
        return handle;
    }

    private Handle acquire(Path target, Request request, long patience) throws LockException, InterruptedException {
        try {
            return cells.acquire(whereabouts(target), request, patience);
        } catch (IOException e) {
            throw Trouble.explain(e, target);
        }
    }

    /**
     * Tries once for the lock of a file, without waiting and without passing anybody who waits.
     *
     * @param target the file to lock
     * @return the lock; empty if it is not to be had now
     * @throws NotALockFileException if something that is not a lock lies in its place
     * @throws LockException if the directory or the disk refuses
     * @throws LockLostException if this thread holds it already, the options are reentrant, and it was lost meanwhile
     * @throws LockReentryException if this thread holds it already and the options are not reentrant
     * @throws IllegalStateException if this {@code SessionLocks} was closed
     */
    public @NotNull Optional<SessionLock> tryAcquire(@NotNull Path target) throws LockException {
        return tryAcquire(target, defaults);
    }

    /** As {@link #tryAcquire(Path)}, with these options; their timeout does not matter. */
    public @NotNull Optional<SessionLock> tryAcquire(@NotNull Path target, @NotNull LockOptions options) throws LockException {
        Handle warm = lingers(target, options);
        if (warm != null) {
            return Optional.of(new SessionLock(warm));
        }
        Request request = request(target, options);
        try {
            return Optional.ofNullable(cells.tryAcquire(whereabouts(target), request)).map(handle -> new SessionLock(remembered(target, handle)));
        } catch (IOException e) {
            throw Trouble.explain(e, target);
        }
    }

    /**
     * Waits for the locks of several files, all or none, in one fixed order (by real path), so that two callers who want the same files
     * cannot wait for each other. Files named twice are locked once. The timeout is for all together.
     *
     * @param targets the files to lock, at least one
     * @return one handle for all
     * @throws IllegalArgumentException if there are none
     * @throws LockException as {@link #acquire(Path)}; then none is held
     * @throws InterruptedException as {@link #acquire(Path)}; then none is held
     */
    public @NotNull SessionLock acquireAll(@NotNull Collection<Path> targets) throws LockException, InterruptedException {
        return acquireAll(targets, defaults);
    }

    /** As {@link #acquireAll(Collection)}, with these options. */
    public @NotNull SessionLock acquireAll(@NotNull Collection<Path> targets, @NotNull LockOptions options)
            throws LockException, InterruptedException {
        if (targets.isEmpty()) {
            throw new IllegalArgumentException("no files to lock");
        }
        Map<Path, Path> inOrder = new TreeMap<>();
        for (Path target : targets) {
            Whereabouts where = whereabouts(target);
            inOrder.putIfAbsent(rank(where, target), target);
        }
        long end = cells.clock().nanos() + Math.min(patience(options), Long.MAX_VALUE / 2);
        List<Handle> taken = new ArrayList<>();
        try {
            for (Path target : inOrder.values()) {
                taken.add(acquire(target, request(target, options), end - cells.clock().nanos()));
            }
            return new SessionLock(taken.size() == 1 ? taken.get(0) : new Handles(taken));
        } catch (LockException | InterruptedException | RuntimeException e) {
            taken.forEach(Handle::close);
            throw e;
        }
    }

    private Path rank(Whereabouts where, Path target) throws LockException {
        try {
            return cells.engines().rank(where);
        } catch (IOException e) {
            throw Trouble.explain(e, target);
        }
    }

    /**
     * Runs an action under the lock of a file, with the default options. What the action throws is thrown as it is. If it returned, but
     * the lock had been lost by then, so that what it did may have met what others did, that is thrown instead.
     *
     * <pre>{@code
     * int lines = locks.withLock(session, lock -> compact(session, lock));
     * }</pre>
     *
     * @param target the file to lock
     * @param action what to run; the lock is closed after it
     * @return what the action returned
     * @throws X what the action threw
     * @throws LockLostException if the action returned but the lock had been lost before
     * @throws LockException as {@link #acquire(Path)}; then the action was not run
     * @throws InterruptedException as {@link #acquire(Path)}; then the action was not run
     */
    public <T, X extends Exception> T withLock(@NotNull Path target, @NotNull LockedAction<T, X> action)
            throws X, LockException, InterruptedException {
        return withLock(target, defaults, action);
    }

    /** As {@link #withLock(Path, LockedAction)}, with these options. */
    public <T, X extends Exception> T withLock(@NotNull Path target, @NotNull LockOptions options, @NotNull LockedAction<T, X> action)
            throws X, LockException, InterruptedException {
        Objects.requireNonNull(action, "action");
        try (SessionLock lock = acquire(target, options)) {
            T result = action.run(lock);
            lock.ensureHeld();
            return result;
        }
    }

    /**
     * Looks at the lock of a file without disturbing it: nothing is written, opened for locking, or waited for.
     *
     * @param target the file
     * @return what is known of its lock
     * @throws LockException if the directory is missing or cannot be read
     */
    public @NotNull LockReport inspect(@NotNull Path target) throws LockException {
        Whereabouts where = whereabouts(target);
        try {
            return cells.engines().look(where).report();
        } catch (IOException e) {
            throw Trouble.explain(e, "look at", target);
        }
    }

    /**
     * Looks at all locks of a directory without disturbing them, as {@link #inspect} looks at one: whatever lies in a lock's place (a
     * {@code *.lock} file, a successor's record), and locks that are held although somebody removed their record, if their target is in
     * the directory. Files without a lock are left out, and so are the directories in it.
     *
     * <p>All is looked at before this returns, so that the reports belong together; the stream holds no file open, and need not be closed.
     *
     * <pre>{@code
     * locks.list(sessions).filter(report -> report.state() == LockReport.State.EXPIRED)
     *         .forEach(report -> log.warn("{}: {}", report.name(), report.advice()));
     * }</pre>
     *
     * @param directory the directory
     * @return what is known of each lock, by name
     * @throws LockException if the directory is missing or cannot be read
     */
    public @NotNull Stream<LockReport> list(@NotNull Path directory) throws LockException {
        return Clearing.looks(cells.engines(), directory).stream().map(Sight::report)
                .filter(report -> report.state() != LockReport.State.FREE);
    }

    /** As {@link #clear(Path, ClearOptions)}, dry: says what would be cleared, and writes nothing. */
    public @NotNull List<ClearReport> clear(@NotNull Path target) throws LockException, InterruptedException {
        return clear(target, ClearOptions.dryRun());
    }

    /**
     * Clears the lock of a file, or all locks of a directory: removes what an owner has left who is provably dead, under the kernel's
     * lock, so that a living one's record is never removed, however fast locks change hands. With the {@linkplain ClearOptions#withToken
     * token} of a living holder, that holder is asked to let go and waited for. Whatever is not a lock is never touched.
     *
     * <pre>{@code
     * for (ClearReport done : locks.clear(session, ClearOptions.forReal())) {
     *     log.info("{}: {} {}", done.lock().name(), done.outcome(), done.lock().evidence());
     * }
     * }</pre>
     *
     * @param target the locked file, or a directory
     * @param options whether in earnest, whom to ask, and how long to wait
     * @return what has become of each lock; empty if there is none
     * @throws IllegalArgumentException if a token is given for a directory
     * @throws LockException if the directory is missing, or refuses
     * @throws InterruptedException if the thread is interrupted while it waits for a holder; what was asked is taken back
     * @throws IllegalStateException if this {@code SessionLocks} was closed
     */
    public @NotNull List<ClearReport> clear(@NotNull Path target, @NotNull ClearOptions options) throws LockException, InterruptedException {
        Objects.requireNonNull(options, "options");
        cells.ensureOpen(audience);
        Clearing clearing = new Clearing(cells, audience, options, networkAllowed);
        return cells.engines().isDirectory(target) ? clearing.all(target) : clearing.one(target, whereabouts(target));
    }

    /** {@return the counters} */
    public @NotNull LockStats stats() {
        return audience.stats();
    }

    /**
     * Gives out no more locks; threads that wait for one get an {@link IllegalStateException}. Waits for nothing: handles that are
     * open stay as they are, and with the last of them the library's threads and open files of this JVM go. Idempotent.
     */
    @Override
    public void close() {
        if (audience.close()) {
            cells.moveOut();
        }
    }

    private Request request(Path target, LockOptions options) {
        Objects.requireNonNull(options, "options");
        return new Request(audience, options, Objects.requireNonNull(target, "target").toString());
    }

    private static long patience(LockOptions options) {
        return options.timeout().toNanos();
    }

    private Whereabouts whereabouts(Path target) throws LockException {
        try {
            return cells.engines().whereabouts(target, networkAllowed);
        } catch (IOException e) {
            throw Trouble.explain(e, target);
        }
    }

    /** Builds a {@link SessionLocks}. Not thread-safe. */
    public static final class Builder {
        private Cells cells = Cells.OF_THIS_PROCESS;
        private LockOptions defaults = LockOptions.defaults();
        private @Nullable LockListener listener;
        private @Nullable Executor executor;
        private Duration shutdownGrace = Duration.ofSeconds(1);
        private boolean takeStrangers = true;
        private boolean allowNetworkFileSystem;

        private Builder() {
        }

        /** The options of acquisitions that name none. */
        public @NotNull Builder defaults(@NotNull LockOptions defaults) {
            this.defaults = Objects.requireNonNull(defaults, "defaults");
            return this;
        }

        /** Who is told what happens; null for nobody. */
        public @NotNull Builder listener(@Nullable LockListener listener) {
            this.listener = listener;
            return this;
        }

        /** Where the listener and {@code onLost} run; null for daemon threads of our own. */
        public @NotNull Builder executor(@Nullable Executor executor) {
            this.executor = executor;
            return this;
        }

        /**
         * How long the end of the JVM waits for open handles to be closed by the hooks and threads that still work.
         *
         * @param shutdownGrace 0 to 1 min; 1 s by default
         * @throws IllegalArgumentException if it is outside
         */
        public @NotNull Builder shutdownGrace(@NotNull Duration shutdownGrace) {
            if (shutdownGrace.isNegative() || shutdownGrace.compareTo(Duration.ofMinutes(1)) > 0) {
                throw new IllegalArgumentException("shutdownGrace must be from 0s to 1m, not " + shutdownGrace);
            }
            this.shutdownGrace = shutdownGrace;
            return this;
        }

        /**
         * Whether another program's lock may be replaced once its process is gone. Its record names no pid namespace, so that its pid
         * means the same here is an assumption; false if other programs run in containers of their own.
         *
         * @param takeStrangers true by default
         */
        public @NotNull Builder takeStrangers(boolean takeStrangers) {
            this.takeStrangers = takeStrangers;
            return this;
        }

        /**
         * Accepts network file systems, as well as can be: kernel locks may not reach all machines there, nobody is passed over while
         * its record changes, and another machine's record counts as alive until it has been seen unchanged for its lease and grace.
         */
        public @NotNull Builder allowNetworkFileSystem() {
            this.allowNetworkFileSystem = true;
            return this;
        }

        /**
         * For engines, not for users, to whom the type of its parameter is closed: gives out other locks than those on files of this
         * machine.
         *
         * @param cells the locks of this JVM on that engine, one object for all that are to meet
         */
        public @NotNull Builder over(@NotNull Cells cells) {
            this.cells = Objects.requireNonNull(cells, "cells");
            return this;
        }

        /** {@return what was built} */
        public @NotNull SessionLocks build() {
            return new SessionLocks(this);
        }
    }
}

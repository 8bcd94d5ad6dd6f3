package dev.sessionlock;

import dev.sessionlock.internal.seats.FileEngine;
import dev.sessionlock.internal.seats.LockNameRules;
import dev.sessionlock.internal.system.StackRoom;
import dev.sessionlock.internal.threads.EventPublisher;
import dev.sessionlock.internal.threads.LocalLocks;
import dev.sessionlock.internal.threads.Handle;
import dev.sessionlock.internal.threads.CombinedHandle;
import dev.sessionlock.internal.threads.AcquireRequest;
import dev.sessionlock.internal.threads.Shutdown;
import dev.sessionlock.spi.LockEngine;
import dev.sessionlock.spi.LockEngine.LockId;
import dev.sessionlock.spi.Inspection;
import java.io.IOException;
import java.nio.file.Files;
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
 * SessionFile.of(Path.of("session.jsonl"), locks).append(line);      // lines of text: SessionFile does the rest
 *
 * try (SessionLock lock = locks.acquire(Path.of("session.bin"))) {   // waits, 10 s by default
 *     lock.ensureHeld();                                            // before each step that must not come late
 * }
 * }</pre>
 *
 * <p>The lock of {@code x} is the record {@code x.lock} beside it, for people and for other programs, and a byte that the kernel locks
 * in {@code .session-locks}, which is what excludes. It is advisory: who does not ask is not stopped. The same file is the same lock
 * by whatever path its <em>directory</em> is named (relative, {@code ..}, symbolic links); a symbolic or hard link <em>to the file</em>
 * is another lock, since a compaction renames over the name. Only files are locked, whether they exist or not: a directory or a device
 * is refused when it is first asked for. (One that takes the place of a file later is not looked at again while the lock is in use: the name
 * is what is locked.) Network file systems are refused. For many machines there is
 * {@link #over another engine}, which locks names.
 *
 * <p>Which errors are what: a lock that was not to be had in time is a {@link LockTimeoutException}; something else in the lock's
 * place, a {@link NotALockFileException}; a directory that is missing, read-only or full, or a path that names no file, a
 * {@link LockException} that says so; a thread that asks for what it holds, a {@link LockReentryException}.
 */
public final class SessionLocks implements AutoCloseable {
    private final LocalLocks locks;
    private final LockOptions defaults;
    private final EventPublisher publisher;
    private final LockTarget.Naming naming;

    private SessionLocks(Builder builder) {
        this.locks = LocalLocks.of(builder.engine);
        this.defaults = builder.defaults;
        this.naming = new LockTarget.Naming(builder.engine, builder.root, builder.allowNetworkFileSystem);
        this.publisher = new EventPublisher(builder.listener, builder.executor, builder.takeStrangers, builder.shutdownGraceNanos);
        locks.retain();
    }

    /** {@return one with the default options} */
    public static @NotNull SessionLocks create() {
        return builder().build();
    }

    /**
     * Gives out locks of another engine than the files of this machine, with the default options.
     *
     * <pre>{@code
     * SessionLocks locks = SessionLocks.over(JdbcLockEngine.postgresql(dataSource));
     * try (SessionLock lock = locks.acquire("session-4711")) {
     *     ...
     * }
     * }</pre>
     *
     * @param engine where the locks come from; one object for all in this JVM that are to meet
     * @return those locks
     */
    public static @NotNull SessionLocks over(@NotNull LockEngine engine) {
        return builder().over(engine).build();
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
     * @throws LockException if the directory or the disk refuses, the path is empty or that of a directory or a device, or the JVM ends
     *     and the time for that is over: see {@link Builder#shutdownGrace}
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
        requireOptions(options);
        requireNotInterrupted();
        Handle warm = lingers(target, options);
        return warm != null ? opened(warm) : opened(target, await(naming.of(target), options, patience(options)));
    }

    /** Takes it again if it lingers here. {@return null if it is to be acquired in the ordinary way} */
    private @Nullable Handle lingers(Path target, LockOptions options) throws LockException {
        Objects.requireNonNull(target, "target");
        StackRoom.requireWhileCold();
        return options.linger().isZero() ? null : locks.tryReuse(target, publisher, options);
    }

    private SessionLock opened(Path target, Handle handle) {
        try {
            if (handle.mayLinger()) {
                locks.remember(target, handle);
            }
        } catch (RuntimeException | Error e) {
            handle.close();
            throw e;
        }
        return opened(handle);
    }

    /** What the user gets. If there is no memory for it, the lock is given back: nobody could close it. */
    private static SessionLock opened(Handle handle) {
        try {
            return new SessionLock(handle);
        } catch (OutOfMemoryError e) {
            handle.close();
            throw e;
        }
    }

    /**
     * Waits for the lock of a name, with the default options. Otherwise as {@link #acquire(Path)}.
     *
     * @param name what to lock, on an engine that locks names; on one that locks files, the path of the file
     * @return the lock, to be closed
     */
    public @NotNull SessionLock acquire(@NotNull String name) throws LockException, InterruptedException {
        return acquire(name, defaults);
    }

    /** As {@link #acquire(String)}, with these options. */
    public @NotNull SessionLock acquire(@NotNull String name, @NotNull LockOptions options) throws LockException, InterruptedException {
        requireOptions(options);
        return opened(acquire(naming.of(name), options, patience(options)));
    }

    private static void requireNotInterrupted() throws InterruptedException {
        if (Thread.interrupted()) {
            throw new InterruptedException();
        }
    }

    private Handle acquire(LockTarget subject, LockOptions options, long patience) throws LockException, InterruptedException {
        requireNotInterrupted();
        return await(subject, options, patience);
    }

    /** The caller has looked whether the thread is interrupted. */
    private Handle await(LockTarget subject, LockOptions options, long patience) throws LockException, InterruptedException {
        StackRoom.require();
        try {
            return locks.acquire(subject.id(), request(subject, options), patience);
        } catch (IOException e) {
            throw ErrorMessages.explain(e, subject);
        }
    }

    /**
     * Tries once for the lock of a file, without waiting and without passing anybody who waits.
     *
     * @param target the file to lock
     * @return the lock; empty if it is not to be had now
     * @throws NotALockFileException if something that is not a lock lies in its place
     * @throws LockException if the directory or the disk refuses, the path is empty or that of a directory or a device, or the JVM ends
     *     and the time for that is over: see {@link Builder#shutdownGrace}
     * @throws LockLostException if this thread holds it already, the options are reentrant, and it was lost meanwhile
     * @throws LockReentryException if this thread holds it already and the options are not reentrant
     * @throws IllegalStateException if this {@code SessionLocks} was closed
     */
    public @NotNull Optional<SessionLock> tryAcquire(@NotNull Path target) throws LockException {
        return tryAcquire(target, defaults);
    }

    /** As {@link #tryAcquire(Path)}, with these options; their timeout does not matter. */
    public @NotNull Optional<SessionLock> tryAcquire(@NotNull Path target, @NotNull LockOptions options) throws LockException {
        requireOptions(options);
        Handle warm = lingers(target, options);
        return warm != null ? Optional.of(opened(warm)) : tryAcquire(naming.of(target), options).map(handle -> opened(target, handle));
    }

    /** As {@link #tryAcquire(Path)}, for a name: see {@link #acquire(String)}. */
    public @NotNull Optional<SessionLock> tryAcquire(@NotNull String name) throws LockException {
        return tryAcquire(name, defaults);
    }

    /** As {@link #tryAcquire(String)}, with these options; their timeout does not matter. */
    public @NotNull Optional<SessionLock> tryAcquire(@NotNull String name, @NotNull LockOptions options) throws LockException {
        requireOptions(options);
        return tryAcquire(naming.of(name), options).map(SessionLocks::opened);
    }

    private Optional<Handle> tryAcquire(LockTarget subject, LockOptions options) throws LockException {
        StackRoom.require();
        try {
            return Optional.ofNullable(locks.tryAcquire(subject.id(), request(subject, options)));
        } catch (IOException e) {
            throw ErrorMessages.explain(e, subject);
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
        requireOptions(options);
        Map<LockId, LockTarget> inOrder = new TreeMap<>();
        for (Path target : targets) {
            add(naming.of(target), inOrder);
        }
        return acquireInOrder(inOrder.values(), options);
    }

    /**
     * Waits for the locks of several names, all or none, in the order of the names. Otherwise as {@link #acquireAll(Collection)}.
     *
     * @param names what to lock, at least one: see {@link #acquire(String)}
     * @param options how
     * @return one handle for all
     */
    public @NotNull SessionLock acquireAllNamed(@NotNull Collection<String> names, @NotNull LockOptions options)
            throws LockException, InterruptedException {
        if (names.isEmpty()) {
            throw new IllegalArgumentException("no names to lock");
        }
        requireOptions(options);
        Map<LockId, LockTarget> inOrder = new TreeMap<>();
        for (String name : names) {
            add(naming.of(name), inOrder);
        }
        return acquireInOrder(inOrder.values(), options);
    }

    private void add(LockTarget subject, Map<LockId, LockTarget> inOrder) throws LockException {
        try {
            inOrder.putIfAbsent(locks.engine().canonical(subject.id()), subject);
        } catch (IOException e) {
            throw ErrorMessages.explain(e, subject);
        }
    }

    private SessionLock acquireInOrder(Collection<LockTarget> inOrder, LockOptions options) throws LockException, InterruptedException {
        long end = locks.clock().nanos() + Math.min(patience(options), Long.MAX_VALUE / 2);
        List<Handle> taken = new ArrayList<>();
        try {
            for (LockTarget subject : inOrder) {
                taken.add(acquire(subject, options, end - locks.clock().nanos()));
            }
            return new SessionLock(taken.size() == 1 ? taken.get(0) : new CombinedHandle(taken));
        } catch (LockException | InterruptedException | RuntimeException | Error e) {
            taken.forEach(Handle::close);
            throw e;
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
     * <p>What is inferred for X is one type. An action that throws two that have nothing in common, and returns something, is better written with
     * {@link #acquire(Path)}:
     *
     * <pre>{@code
     * int count(Path session) throws IOException, InterruptedException, SQLException {
     *     try (SessionLock lock = locks.acquire(session)) {
     *         int missing = inFile(session) - inDatabase(session);
     *         lock.ensureHeld();                                    // what withLock does at the end
     *         return missing;
     *     }
     * }
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
        return run(action, acquire(target, options));
    }

    /** As {@link #withLock(Path, LockedAction)}, for a name: see {@link #acquire(String)}. */
    public <T, X extends Exception> T withLock(@NotNull String name, @NotNull LockedAction<T, X> action)
            throws X, LockException, InterruptedException {
        return withLock(name, defaults, action);
    }

    /** As {@link #withLock(String, LockedAction)}, with these options. */
    public <T, X extends Exception> T withLock(@NotNull String name, @NotNull LockOptions options, @NotNull LockedAction<T, X> action)
            throws X, LockException, InterruptedException {
        Objects.requireNonNull(action, "action");
        return run(action, acquire(name, options));
    }

    private static <T, X extends Exception> T run(LockedAction<T, X> action, SessionLock acquired)
            throws X, LockException, InterruptedException {
        try (SessionLock lock = acquired) {
            T result = action.run(lock);
            lock.ensureHeld();
            return result;
        }
    }

    /**
     * Runs an action that returns nothing under the lock of a file, with the default options. Otherwise as {@link #withLock(Path, LockedAction)}.
     * (It has a name of its own, since {@code lock -> append(line)} could be either.)
     *
     * <pre>{@code
     * void append(Path session, String line) throws IOException, InterruptedException, SQLException {
     *     locks.runWithLock(session, lock -> {
     *         Files.writeString(session, line, APPEND);             // IOException
     *         index.add(line);                                      // SQLException
     *     });
     * }
     * }</pre>
     *
     * @param target the file to lock
     * @param action what to run; the lock is closed after it
     * @throws X what the action threw
     * @throws LockLostException if the action returned but the lock had been lost before
     * @throws IOException what the action threw; a {@link LockException} as {@link #acquire(Path)}, and then the action was not run
     * @throws InterruptedException what the action threw; or as {@link #acquire(Path)}, and then the action was not run
     */
    public <X extends Exception> void runWithLock(@NotNull Path target, @NotNull LockedRunnable<X> action)
            throws X, IOException, InterruptedException {
        runWithLock(target, defaults, action);
    }

    /** As {@link #runWithLock(Path, LockedRunnable)}, with these options. */
    public <X extends Exception> void runWithLock(@NotNull Path target, @NotNull LockOptions options, @NotNull LockedRunnable<X> action)
            throws X, IOException, InterruptedException {
        Objects.requireNonNull(action, "action");
        runUnder(action, acquire(target, options));
    }

    /** As {@link #runWithLock(Path, LockedRunnable)}, for a name: see {@link #acquire(String)}. */
    public <X extends Exception> void runWithLock(@NotNull String name, @NotNull LockedRunnable<X> action)
            throws X, IOException, InterruptedException {
        runWithLock(name, defaults, action);
    }

    /** As {@link #runWithLock(String, LockedRunnable)}, with these options. */
    public <X extends Exception> void runWithLock(@NotNull String name, @NotNull LockOptions options, @NotNull LockedRunnable<X> action)
            throws X, IOException, InterruptedException {
        Objects.requireNonNull(action, "action");
        runUnder(action, acquire(name, options));
    }

    private static <X extends Exception> void runUnder(LockedRunnable<X> action, SessionLock acquired) throws X, IOException, InterruptedException {
        try (SessionLock lock = acquired) {
            action.run(lock);
            lock.ensureHeld();
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
        return inspect(naming.of(target));
    }

    /** As {@link #inspect(Path)}, for a name: see {@link #acquire(String)}. */
    public @NotNull LockReport inspect(@NotNull String name) throws LockException {
        return inspect(naming.of(name));
    }

    private LockReport inspect(LockTarget subject) throws LockException {
        try {
            return locks.engine().inspect(subject.id()).report();
        } catch (IOException e) {
            throw ErrorMessages.explain(e, "look at", subject.shown(), subject.file());
        }
    }

    /**
     * Looks at all locks of a directory without disturbing them, as {@link #inspect} looks at one: whatever lies in a lock's place (a
     * {@code *.lock} file, a successor's record), and locks that are held although somebody removed their record, if their target is in
     * the directory. Files without a lock are left out, and so are the directories in it, and names that the JVM cannot write down: start it with a
     * locale of UTF-8 ({@code LC_ALL=C.UTF-8}), or on a machine without one everything that is not ASCII is missing here.
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
        return reports(looks(directory));
    }

    /**
     * Looks at all locks whose names begin alike, on an engine that locks names; on one that locks files, at those of a directory.
     * Otherwise as {@link #list(Path)}.
     *
     * @param prefix how the names begin; empty for all
     * @return what is known of each lock, by name
     */
    public @NotNull Stream<LockReport> list(@NotNull String prefix) throws LockException {
        return locks.engine().locksFiles() ? list(LockTarget.Naming.path(prefix, "look at")) : reports(looks(prefix));
    }

    private static Stream<LockReport> reports(List<Inspection> sights) {
        return sights.stream().map(Inspection::report).filter(report -> report.state() != LockReport.State.FREE);
    }

    private List<Inspection> looks(Path directory) throws LockException {
        Objects.requireNonNull(directory, "directory");
        if (locks.engine().locksFiles()) {
            return ClearOperation.looks(locks.engine(), directory);
        }
        String prefix = naming.prefix(directory);
        return looks(prefix).stream().filter(seen -> seen.id().name().indexOf('/', prefix.length()) < 0).toList();
    }

    private List<Inspection> looks(String prefix) throws LockException {
        try {
            return locks.engine().inspectAll(prefix);
        } catch (IOException e) {
            throw ErrorMessages.explain(e, "look at", prefix.isEmpty() ? "the locks" : prefix, null);
        }
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
        ClearOperation clearing = clearing(options);
        LockNameRules.requireNamed(target);
        if (locks.engine().locksFiles()) {
            return locks.engine().isDirectory(target) ? clearing.all(target) : clearing.one(naming.of(target));
        }
        return Files.isDirectory(target) && options.token().isEmpty() ? clearing.all(looks(target)) : clearing.one(naming.of(target));
    }

    /** As {@link #clear(Path, ClearOptions)}, for the lock of one name: see {@link #acquire(String)}. */
    public @NotNull List<ClearReport> clear(@NotNull String name, @NotNull ClearOptions options) throws LockException, InterruptedException {
        return locks.engine().locksFiles() ? clear(LockTarget.Naming.path(name, "clear"), options) : clearing(options).one(naming.of(name));
    }

    private ClearOperation clearing(ClearOptions options) throws LockException {
        Objects.requireNonNull(options, "options");
        locks.ensureOpen(publisher);
        return new ClearOperation(locks, publisher, options, naming.networkAllowed());
    }

    LockOptions defaults() {
        return defaults;
    }

    /** {@return the counters} */
    public @NotNull LockStats stats() {
        return publisher.stats();
    }

    /**
     * Gives out no more locks; threads that wait for one get an {@link IllegalStateException}. Waits for nothing: handles that are
     * open stay as they are, and with the last of them the library's threads and open files of this JVM go. Idempotent.
     */
    @Override
    public void close() {
        if (publisher.close()) {
            locks.release();
        }
    }

    private static void requireOptions(LockOptions options) {
        Objects.requireNonNull(options, "options");
    }

    private AcquireRequest request(LockTarget subject, LockOptions options) {
        Path file = subject.file() == null || naming.engine().locksFiles() ? null : subject.file().toAbsolutePath();
        return new AcquireRequest(publisher, options, subject.shown(), file);
    }

    private static long patience(LockOptions options) {
        return options.timeout().toNanos();
    }

    /** Builds a {@link SessionLocks}. Not thread-safe. */
    public static final class Builder {
        private LockEngine engine = FileEngine.OF_THIS_PROCESS;
        private @Nullable Path root;
        private LockOptions defaults = LockOptions.defaults();
        private @Nullable LockListener listener;
        private @Nullable Executor executor;
        private long shutdownGraceNanos = Shutdown.WHILE_HOOKS_WORK;
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
         * How long locks can be taken and held once the JVM has begun to end (SIGTERM, Ctrl-C, {@link System#exit}, the end of the last thread
         * that is no daemon). When it is over, what is still held is lost ({@link LockLostException.Reason#SHUTDOWN}), its record is removed,
         * and who asks for a lock gets a {@link LockException}. The JVM does not end before its locks are closed or this is over. Zero: all
         * that at once.
         *
         * <p>Without this, the application has what time it takes: locks can be taken and held as long as any of its own shutdown hooks works
         * (a server that serves what it has begun), and a second longer. Where it cannot be seen which hooks work (there is no {@code /proc}),
         * the JVM waits up to 10 s for locks that are held. A lock that is taken after that ends with the process, as with {@code kill -9}.
         *
         * @param shutdownGrace 0 to 1 h
         * @throws IllegalArgumentException if it is outside
         * @see #noShutdownHook()
         */
        public @NotNull Builder shutdownGrace(@NotNull Duration shutdownGrace) {
            if (shutdownGrace.isNegative() || shutdownGrace.compareTo(Duration.ofHours(1)) > 0) {
                throw new IllegalArgumentException("shutdownGrace must be from 0s to 1h, not " + shutdownGrace);
            }
            this.shutdownGraceNanos = shutdownGrace.toNanos();
            return this;
        }

        /**
         * Leaves the end of the JVM to the application, which closes its locks itself: nothing waits for them, none is refused or lost. What is
         * held when the process ends ends with it, as with {@code kill -9}: others get in at once, and replace its record.
         */
        public @NotNull Builder noShutdownHook() {
            this.shutdownGraceNanos = Shutdown.LEAVE_ALONE;
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
         * Gives out locks of another engine than the files of this machine.
         *
         * @param engine where the locks come from; one object for all in this JVM that are to meet
         */
        public @NotNull Builder over(@NotNull LockEngine engine) {
            this.engine = Objects.requireNonNull(engine, "engine");
            return this;
        }

        /**
         * On an engine that locks names: lets paths name locks, too. A path below {@code root} means the lock of its name from there on,
         * with {@code /} between directories, so that {@code /srv/a/session.jsonl} here and {@code /mnt/b/session.jsonl} there are one
         * lock, if {@code /srv/a} and {@code /mnt/b} are the roots. It goes by the letters: {@code .} and {@code ..} are resolved,
         * symbolic links are not, and nothing need exist.
         *
         * @param root the directory, as it is called on this machine; null if paths name nothing
         */
        public @NotNull Builder root(@Nullable Path root) {
            this.root = root;
            return this;
        }

        /**
         * {@return what was built}
         *
         * @throws IllegalStateException if there is a {@link #root} and the engine locks files, which have their places already
         */
        public @NotNull SessionLocks build() {
            if (root != null && engine.locksFiles()) {
                throw new IllegalStateException("root(" + root + ") is for engines that lock names, such as JdbcLockEngine: locks on files "
                        + "lie beside them");
            }
            return new SessionLocks(this);
        }
    }
}

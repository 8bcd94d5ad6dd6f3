package dev.sessionlock;

import dev.sessionlock.internal.seats.FileEngine;
import dev.sessionlock.internal.seats.LockNameRules;
import dev.sessionlock.internal.threads.EventPublisher;
import dev.sessionlock.internal.threads.LocalLocks;
import dev.sessionlock.internal.threads.LongestNow;
import dev.sessionlock.internal.threads.Shutdown;
import dev.sessionlock.spi.FileLockEngine;
import dev.sessionlock.spi.LockEngine;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Collection;
import java.util.List;
import java.util.Objects;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.Executor;
import java.util.function.Function;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;

/**
 * Gives out locks on session files. Thread-safe. One object is enough for a program. Several objects in one JVM know of each other.
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
 * <p><b>What a lock is.</b> The lock of {@code x} has two parts. A byte in {@code .session-locks}, which the kernel locks, excludes others.
 * The record {@code x.lock} beside the file explains, to people and to other programs. The lock is advisory: a program that does not ask
 * for it is not stopped.
 *
 * <p><b>Which file.</b> The same file is the same lock, whatever path leads to its <em>directory</em> (relative, {@code ..}, symbolic links).
 * A symbolic or hard link <em>to the file</em> is another lock, because a compaction renames over the name. Only files can be locked, and they
 * need not exist. A directory or a device is refused when somebody first asks for its lock. If one takes the place of a file later, nobody looks
 * again while the lock is in use, because the lock is on the name. Network file systems are refused. For many machines there is
 * {@link #over another engine}, which locks names.
 *
 * <p><b>Fairness.</b> Threads of one JVM wait in a queue. A running thread may take the lock ahead of them, but nobody is overtaken once it is first in
 * the queue and has waited for a millisecond (eventual fairness, as in {@code sync.Mutex} of Go). Processes share a lock by time slices of some milliseconds.
 * {@link #acquireAsync(Path, LockOptions)} waits in the same queue, without a thread.
 *
 * <p><b>Errors:</b>
 * <ul>
 * <li>{@link LockTimeoutException}: the lock was not acquired in time.
 * <li>{@link NotALockFileException}: something that is not a lock lies in the lock's place.
 * <li>{@link LockException}: the directory is missing, read-only or full, or the path names no file. The message says which.
 * <li>{@link LockReentryException}: the thread holds the lock already.
 * </ul>
 */
public final class SessionLocks implements AutoCloseable {
    // Longer than other classes: it is all that a user types, and two thirds of it are Javadoc. Its methods delegate to Acquisitions, Inspections and
    // ClearOperation.
    private final LocalLocks locks;
    private final LockOptions defaults;
    private final EventPublisher publisher;
    private final LockTarget.Naming naming;
    private final Acquisitions acquisitions;
    private final Inspections inspections;
    /** Null unless JMX shows it. */
    private final @Nullable JmxRegistration jmx;

    private SessionLocks(Builder builder) {
        this.locks = LocalLocks.of(builder.engine);
        this.defaults = builder.defaults;
        this.naming = new LockTarget.Naming(builder.engine, builder.root, builder.allowNetworkFileSystem);
        this.publisher = new EventPublisher(builder.listener, builder.executor, builder.takeStrangers, builder.shutdownGraceNanos,
                builder.logLongWaits.toNanos());
        this.acquisitions = new Acquisitions(locks, publisher, naming);
        this.inspections = new Inspections(locks, builder.engine, naming);
        this.jmx = builder.jmx == null ? null : new JmxRegistration(this, builder.jmx);
        locks.retain();
    }

    /** {@return an object with the default options} */
    public static SessionLocks create() {
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
     * @param engine where the locks come from; all users in this JVM that share locks must use the same object
     * @return locks of that engine
     */
    public static SessionLocks over(LockEngine engine) {
        return builder().over(engine).build();
    }

    /** {@return a builder} */
    public static Builder builder() {
        return new Builder();
    }

    /**
     * Waits for the lock of a file, with the default options.
     *
     * @param target the file to lock; it need not exist, its directory must
     * @return the lock; the caller closes it
     * @throws LockTimeoutException if the lock was not acquired within {@link LockOptions#timeout()}
     * @throws NotALockFileException if something that is not a lock lies in its place
     * @throws LockException if the directory or the disk refuses, if the path is empty or names a directory or a device, or if the JVM shuts
     *     down and the time for that is over: see {@link Builder#shutdownGrace}
     * @throws LockLostException if this thread holds the lock already, the options are reentrant, and the lock has been lost
     * @throws LockReentryException if this thread holds the lock already and the options are not reentrant
     * @throws InterruptedException if the thread is interrupted before or while it waits; nothing is left behind
     * @throws IllegalStateException if this {@code SessionLocks} was closed
     */
    public SessionLock acquire(Path target) throws LockException, InterruptedException {
        return acquire(target, defaults);
    }

    /** As {@link #acquire(Path)}, with these options. */
    public SessionLock acquire(Path target, LockOptions options) throws LockException, InterruptedException {
        return acquisitions.acquire(target, options);
    }

    /**
     * Waits for the lock of a name, with the default options. Otherwise as {@link #acquire(Path)}.
     *
     * @param name the name to lock; if the engine locks files, the path of the file
     * @return the lock; the caller closes it
     */
    public SessionLock acquire(String name) throws LockException, InterruptedException {
        return acquire(name, defaults);
    }

    /** As {@link #acquire(String)}, with these options. */
    public SessionLock acquire(String name, LockOptions options) throws LockException, InterruptedException {
        return acquisitions.acquire(name, options);
    }

    /**
     * Tries once to acquire the lock of a file. It does not wait, and overtakes no thread of this JVM that has waited for a millisecond. A try may fail although
     * nobody holds the lock: for example, right after another process has closed it, while that process still finishes the release.
     *
     * @param target the file to lock
     * @return the lock; empty if it cannot be acquired now
     * @throws NotALockFileException if something that is not a lock lies in its place
     * @throws LockException if the directory or the disk refuses, if the path is empty or names a directory or a device, or if the JVM shuts
     *     down and the time for that is over: see {@link Builder#shutdownGrace}
     * @throws LockLostException if this thread holds the lock already, the options are reentrant, and the lock has been lost
     * @throws LockReentryException if this thread holds the lock already and the options are not reentrant
     * @throws IllegalStateException if this {@code SessionLocks} was closed
     */
    public Optional<SessionLock> tryAcquire(Path target) throws LockException {
        return tryAcquire(target, defaults);
    }

    /** As {@link #tryAcquire(Path)}, with these options. Their timeout does not matter. */
    public Optional<SessionLock> tryAcquire(Path target, LockOptions options) throws LockException {
        return acquisitions.tryAcquire(target, options);
    }

    /** As {@link #tryAcquire(Path)}, for a name: see {@link #acquire(String)}. */
    public Optional<SessionLock> tryAcquire(String name) throws LockException {
        return tryAcquire(name, defaults);
    }

    /** As {@link #tryAcquire(String)}, with these options. Their timeout does not matter. */
    public Optional<SessionLock> tryAcquire(String name, LockOptions options) throws LockException {
        return acquisitions.tryAcquire(name, options);
    }

    // ---- without a thread that waits ----

    /** As {@link #acquireAsync(Path, LockOptions)}, with the default options. */
    public CompletableFuture<SessionLock> acquireAsync(Path target) {
        return acquireAsync(target, defaults);
    }

    /**
     * Acquires the lock of a file without a thread that waits: for event loops and reactive programs. The acquisition has its place in the queue as any
     * thread has. A few threads of the library work for all such acquisitions together. The calling thread neither waits nor touches the disk.
     *
     * <pre>{@code
     * locks.acquireAsync(session, options)
     *         .thenCompose(lock -> append(session, message).whenComplete((done, failure) -> lock.close()));
     * }</pre>
     *
     * <p>{@link #withLockAsync} closes the lock by itself.
     *
     * <p><b>Who closes it.</b> You do, when the future has it. The lock belongs to no thread, as after {@link SessionLock#detach()}, so {@code reentrant} has no meaning.
     * If you cancel the future, or {@code orTimeout} ends it, it leaves the queue. If the lock is granted at that very moment, the library closes it. Cancel this future
     * itself: cancelling one that you derived from it, by {@code thenApply} for example, does not reach it.
     *
     * <p><b>Where it completes.</b> On the executor for callbacks ({@link Builder#executor}), or on a thread of the library if that refuses. A lock that
     * needs no waiting may be there when this method returns. {@link SessionLock#close()} deletes a file: do it on an executor that may block.
     *
     * @param target the file to lock
     * @param options as for {@link #acquire(Path, LockOptions)}; the timeout counts from now
     * @return the lock; or the exceptions of {@link #acquire(Path)}, such as {@link LockTimeoutException}, and {@link IllegalStateException} if this
     *     {@code SessionLocks} is closed meanwhile
     * @throws IllegalStateException if this {@code SessionLocks} was closed
     */
    public CompletableFuture<SessionLock> acquireAsync(Path target, LockOptions options) {
        return acquisitions.acquireAsync(target, options);
    }

    /** As {@link #acquireAsync(Path, LockOptions)}, for a name, with the default options: see {@link #acquire(String)}. */
    public CompletableFuture<SessionLock> acquireAsync(String name) {
        return acquireAsync(name, defaults);
    }

    /** As {@link #acquireAsync(Path, LockOptions)}, for a name: see {@link #acquire(String)}. */
    public CompletableFuture<SessionLock> acquireAsync(String name, LockOptions options) {
        return acquisitions.acquireAsync(name, options);
    }

    /** As {@link #withLockAsync(Path, LockOptions, Function)}, with the default options. */
    public <T> CompletableFuture<T> withLockAsync(Path target, Function<? super SessionLock, ? extends CompletionStage<T>> action) {
        return withLockAsync(target, defaults, action);
    }

    /**
     * Runs an asynchronous action under the lock of a file, and closes the lock when the action's stage completes, however it completes.
     *
     * <pre>{@code
     * CompletableFuture<Reply> reply = locks.withLockAsync(session, options, lock -> answer(session, message));
     * }</pre>
     *
     * <p>If the lock is lost before the action's stage completes, the result is a {@link LockLostException}: somebody else may have worked on the file at the
     * same time. Cancelling the result ends the waiting. It does not end an action that has begun: the lock is held until that action's stage completes.
     *
     * @param target the file to lock
     * @param options as for {@link #acquireAsync(Path, LockOptions)}
     * @param action begins the work and returns a stage that completes when it is done; runs where {@link #acquireAsync(Path, LockOptions)} completes
     * @return what the action's stage has, or its exception; or the exceptions of {@link #acquireAsync(Path, LockOptions)}, and then the action was not run
     * @throws IllegalStateException if this {@code SessionLocks} was closed
     */
    public <T> CompletableFuture<T> withLockAsync(Path target, LockOptions options, Function<? super SessionLock, ? extends CompletionStage<T>> action) {
        Objects.requireNonNull(action, "action");
        return AsyncResult.withLock(acquireAsync(target, options), action);
    }

    /** As {@link #withLockAsync(Path, LockOptions, Function)}, for a name: see {@link #acquire(String)}. */
    public <T> CompletableFuture<T> withLockAsync(String name, LockOptions options, Function<? super SessionLock, ? extends CompletionStage<T>> action) {
        Objects.requireNonNull(action, "action");
        return AsyncResult.withLock(acquireAsync(name, options), action);
    }

    // ---- several ----

    /**
     * Waits for the locks of several files, and acquires all of them or none. The order is fixed (by real path), so two callers that want
     * the same files cannot wait for each other. A file that is named twice is locked once. The timeout is for all locks together.
     *
     * @param targets the files to lock, at least one
     * @return one handle for all of them
     * @throws IllegalArgumentException if there is no file
     * @throws LockException as {@link #acquire(Path)}; then no lock is held
     * @throws InterruptedException as {@link #acquire(Path)}; then no lock is held
     */
    public SessionLock acquireAll(Collection<Path> targets) throws LockException, InterruptedException {
        return acquireAll(targets, defaults);
    }

    /** As {@link #acquireAll(Collection)}, with these options. */
    public SessionLock acquireAll(Collection<Path> targets, LockOptions options)
            throws LockException, InterruptedException {
        if (targets.isEmpty()) {
            throw new IllegalArgumentException("no files to lock");
        }
        return acquisitions.acquireAll(targets, options);
    }

    /**
     * Waits for the locks of several names, and acquires all of them or none, in the order of the names. Otherwise as
     * {@link #acquireAll(Collection)}.
     *
     * @param names the names to lock, at least one: see {@link #acquire(String)}
     * @param options the options of each lock
     * @return one handle for all of them
     */
    public SessionLock acquireAllNamed(Collection<String> names, LockOptions options)
            throws LockException, InterruptedException {
        if (names.isEmpty()) {
            throw new IllegalArgumentException("no names to lock");
        }
        return acquisitions.acquireAllNamed(names, options);
    }

    /**
     * Runs an action under the lock of a file, with the default options. An exception of the action is thrown as it is. If the action returns
     * after the lock was lost, this method throws a {@link LockLostException}: somebody else may have worked on the file at the same time.
     *
     * <pre>{@code
     * int lines = locks.withLock(session, lock -> compact(session, lock));
     * }</pre>
     *
     * <p>The compiler infers one type for X. If an action returns something and throws two unrelated exceptions, use {@link #acquire(Path)}
     * instead:
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
    public <T, X extends Exception> T withLock(Path target, LockedAction<T, X> action)
            throws X, LockException, InterruptedException {
        return withLock(target, defaults, action);
    }

    /** As {@link #withLock(Path, LockedAction)}, with these options. */
    public <T, X extends Exception> T withLock(Path target, LockOptions options, LockedAction<T, X> action)
            throws X, LockException, InterruptedException {
        Objects.requireNonNull(action, "action");
        return run(action, acquire(target, options));
    }

    /** As {@link #withLock(Path, LockedAction)}, for a name: see {@link #acquire(String)}. */
    public <T, X extends Exception> T withLock(String name, LockedAction<T, X> action)
            throws X, LockException, InterruptedException {
        return withLock(name, defaults, action);
    }

    /** As {@link #withLock(String, LockedAction)}, with these options. */
    public <T, X extends Exception> T withLock(String name, LockOptions options, LockedAction<T, X> action)
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
     * It has a name of its own, because {@code lock -> append(line)} could be either kind of action.
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
     * @throws IOException what the action threw; or a {@link LockException} as {@link #acquire(Path)}, and then the action was not run
     * @throws InterruptedException what the action threw; or as {@link #acquire(Path)}, and then the action was not run
     */
    public <X extends Exception> void runWithLock(Path target, LockedRunnable<X> action)
            throws X, IOException, InterruptedException {
        runWithLock(target, defaults, action);
    }

    /** As {@link #runWithLock(Path, LockedRunnable)}, with these options. */
    public <X extends Exception> void runWithLock(Path target, LockOptions options, LockedRunnable<X> action)
            throws X, IOException, InterruptedException {
        Objects.requireNonNull(action, "action");
        runUnder(action, acquire(target, options));
    }

    /** As {@link #runWithLock(Path, LockedRunnable)}, for a name: see {@link #acquire(String)}. */
    public <X extends Exception> void runWithLock(String name, LockedRunnable<X> action)
            throws X, IOException, InterruptedException {
        runWithLock(name, defaults, action);
    }

    /** As {@link #runWithLock(String, LockedRunnable)}, with these options. */
    public <X extends Exception> void runWithLock(String name, LockOptions options, LockedRunnable<X> action)
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
     * Inspects the lock of a file without disturbing it. This writes nothing, opens nothing for locking, and waits for nothing.
     *
     * @param target the file
     * @return what is known of its lock
     * @throws LockException if the directory is missing or cannot be read
     */
    public LockReport inspect(Path target) throws LockException {
        return inspections.one(naming.of(target)).report();
    }

    /** As {@link #inspect(Path)}, for a name: see {@link #acquire(String)}. */
    public LockReport inspect(String name) throws LockException {
        return inspections.one(naming.of(name)).report();
    }

    /**
     * Inspects all locks of a directory without disturbing them, as {@link #inspect} does for one lock.
     *
     * <p>The list has everything that lies in a lock's place: each {@code *.lock} file, and the record of a successor. It also has locks that are
     * held although somebody removed their record, if their target is in the directory. It leaves out files without a lock, directories, and names
     * that the JVM cannot express. In a locale without UTF-8 these are all names that are not ASCII: start the JVM with
     * {@code LC_ALL=C.UTF-8}.
     *
     * <p>This method inspects all locks before it returns, so the reports belong together. The stream keeps no file open and need not be closed.
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
    public Stream<LockReport> list(Path directory) throws LockException {
        return Inspections.reports(inspections.all(directory));
    }

    /**
     * Inspects all locks whose names begin with a prefix. If the engine locks files, the prefix is a directory. Otherwise as {@link #list(Path)}.
     *
     * @param prefix how the names begin; empty for all
     * @return what is known of each lock, by name
     */
    public Stream<LockReport> list(String prefix) throws LockException {
        return Inspections.reports(inspections.all(prefix));
    }

    // ---- what happened before ----

    /**
     * Reads who held the lock of a file before, and how each hold ended. Disturbs nobody, and opens nothing for locking.
     *
     * <pre>{@code
     * for (PastHold hold : locks.history(session, 10)) {
     *     log.info("{} until {}: {} by pid {}", hold.since(), hold.until(), hold.ending(), hold.pid());
     * }
     * }</pre>
     *
     * <p>Holds are written down within about a second of their end, those that ended in an unusual way at once. So what ended just now may be missing, except if
     * this JVM has held it. A hold that goes on is not in the list: {@link #inspect} shows it. The directory keeps the last holds within a bound of bytes
     * (the guide says which); older ones are gone. Locks in a database have a history if the engine has {@linkplain dev.sessionlock.jdbc.JdbcLockEngine#withHistory one}.
     *
     * @param target the file
     * @param most how many entries at most; an entry may stand for several holds, see {@link PastHold#count}
     * @return the last holds, the latest end first; empty if none is known, if the history is turned off, or if the engine keeps none
     * @throws IllegalArgumentException if {@code most} is negative
     * @throws LockException if the directory is missing or cannot be read
     */
    public List<PastHold> history(Path target, int most) throws LockException {
        return inspections.history(naming.of(target), most);
    }

    /** As {@link #history(Path, int)}, for a name: see {@link #acquire(String)}. */
    public List<PastHold> history(String name, int most) throws LockException {
        return inspections.history(naming.of(name), most);
    }

    /**
     * Reads who held the locks of a directory before. Otherwise as {@link #history(Path, int)}.
     *
     * @param directory the directory
     * @param most how many entries at most, of all locks together
     * @return the last holds of all its locks, the latest end first
     * @throws IllegalArgumentException if {@code most} is negative
     * @throws LockException if the directory is missing or cannot be read
     */
    public List<PastHold> historyOfAll(Path directory, int most) throws LockException {
        return inspections.historyOfAll(directory, most);
    }

    /**
     * Reads who held the locks whose names begin with a prefix. If the engine locks files, the prefix is a directory. Otherwise as
     * {@link #historyOfAll(Path, int)}.
     *
     * @param prefix how the names begin; empty for all
     * @param most how many entries at most, of all locks together
     * @return the last holds of all these locks, the latest end first
     */
    public List<PastHold> historyOfAll(String prefix, int most) throws LockException {
        return inspections.historyOfAll(prefix, most);
    }

    // ---- clearing ----

    /** As {@link #clear(Path, ClearOptions)}, as a dry run: it says what it would clear, and writes nothing. */
    public List<ClearReport> clear(Path target) throws LockException, InterruptedException {
        return clear(target, ClearOptions.dryRun());
    }

    /**
     * Clears the lock of a file, or all locks of a directory. It removes a record if the owner of the record is provably dead. It does so under the
     * kernel lock, so it never removes the record of a living holder, however fast the lock changes hands.
     *
     * <p>With the {@linkplain ClearOptions#withToken token} of a living holder, it asks that holder to release the lock, and waits for it. It never
     * touches anything that is not a lock.
     *
     * <pre>{@code
     * for (ClearReport done : locks.clear(session, ClearOptions.forReal())) {
     *     log.info("{}: {} {}", done.lock().name(), done.outcome(), done.lock().evidence());
     * }
     * }</pre>
     *
     * @param target the locked file, or a directory
     * @param options whether to write, which holder to ask, and how long to wait
     * @return what happened to each lock; empty if there is none
     * @throws IllegalArgumentException if a token is given for a directory
     * @throws LockException if the directory is missing, or refuses
     * @throws InterruptedException if the thread is interrupted while it waits for a holder; the request is withdrawn
     * @throws IllegalStateException if this {@code SessionLocks} was closed
     */
    public List<ClearReport> clear(Path target, ClearOptions options) throws LockException, InterruptedException {
        ClearOperation clearing = clearing(options);
        LockNameRules.requireNamed(target);
        FileLockEngine files = naming.files();
        if (files != null) {
            return files.isDirectory(target) ? clearing.allOf(target) : clearing.one(naming.of(target));
        }
        return Files.isDirectory(target) && options.token().isEmpty() ? clearing.allOf(target) : clearing.one(naming.of(target));
    }

    /** As {@link #clear(Path, ClearOptions)}, for the lock of one name: see {@link #acquire(String)}. */
    public List<ClearReport> clear(String name, ClearOptions options) throws LockException, InterruptedException {
        return naming.files() != null ? clear(LockTarget.Naming.path(name, "clear"), options) : clearing(options).one(naming.of(name));
    }

    private ClearOperation clearing(ClearOptions options) throws LockException {
        Objects.requireNonNull(options, "options");
        locks.ensureOpen(publisher);
        return new ClearOperation(locks, publisher, options, inspections);
    }

    LockOptions defaults() {
        return defaults;
    }

    /** {@return the counters} */
    public LockStats stats() {
        return publisher.stats();
    }

    /**
     * {@return how many handles were lost for one reason; {@link LockStats#lost()} is their sum}
     *
     * @param reason the reason
     */
    public long lost(LockLostException.Reason reason) {
        return publisher.lost(Objects.requireNonNull(reason, "reason"));
    }

    /**
     * {@return how long the oldest of the current holds has lasted; zero if nothing is held} A lock that was lost counts until its handle is closed. This
     * looks at all locks of this JVM, in memory.
     */
    public Duration longestHold() {
        return Duration.ofNanos(LongestNow.hold(locks, publisher));
    }

    /** {@return how long the oldest of the current waits has lasted; zero if nobody waits} It looks as {@link #longestHold} does. */
    public Duration longestWait() {
        return Duration.ofNanos(LongestNow.wait(locks, publisher));
    }

    /**
     * Measures from now on how long acquisitions wait and how long locks are held. Without a meter nothing is measured.
     *
     * @param meter what hears of each wait and each hold
     */
    public void addMeter(LockMeter meter) {
        publisher.meters().add(Objects.requireNonNull(meter, "meter"));
    }

    /** Takes back one {@link #addMeter}. If it was not added, nothing happens. */
    public void removeMeter(LockMeter meter) {
        publisher.meters().remove(meter);
    }

    /**
     * Gives out no more locks. Threads that wait for a lock get an {@link IllegalStateException}. Open handles stay as they are, and this method
     * does not wait for them. When the last handle of this JVM is closed, the library ends its threads and closes its files. Idempotent.
     */
    @Override
    public void close() {
        if (publisher.close()) {
            try {
                if (jmx != null) {
                    jmx.close();
                }
            } finally {
                locks.release();
            }
        }
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
        private Duration logLongWaits = Duration.ofSeconds(1);
        private @Nullable String jmx;

        private Builder() {
        }

        /** Sets the options of acquisitions that name none. */
        public Builder defaults(LockOptions defaults) {
            this.defaults = Objects.requireNonNull(defaults, "defaults");
            return this;
        }

        /** Sets the listener that hears what happens; null for none. */
        public Builder listener(@Nullable LockListener listener) {
            this.listener = listener;
            return this;
        }

        /** Sets the executor of the listener and of {@code onLost}; null for daemon threads of the library. */
        public Builder executor(@Nullable Executor executor) {
            this.executor = executor;
            return this;
        }

        /**
         * Limits how long locks work after the JVM has begun to shut down (SIGTERM, Ctrl-C, {@link System#exit}, the end of the last thread
         * that is not a daemon). The JVM does not end before its locks are closed or the limit is over. At the limit:
         * <ul>
         * <li>locks that are still held are lost ({@link LockLostException.Reason#SHUTDOWN}), and their records are removed,
         * <li>an acquisition throws a {@link LockException}.
         * </ul>
         * Zero means that this happens at once.
         *
         * <p>Without this setting, the application has the time that it needs. Locks work while any of its own shutdown hooks works, such as a
         * server that finishes its requests, and for one second more. If the library cannot see which hooks work, because there is no {@code /proc},
         * the JVM waits up to 10 s for locks that are held. A lock that is acquired after that ends with the process, as with {@code kill -9}.
         *
         * @param shutdownGrace 0 to 1 h
         * @throws IllegalArgumentException if it is outside
         * @see #noShutdownHook()
         */
        public Builder shutdownGrace(Duration shutdownGrace) {
            if (shutdownGrace.isNegative() || shutdownGrace.compareTo(Duration.ofHours(1)) > 0) {
                throw new IllegalArgumentException("shutdownGrace must be from 0s to 1h, not " + shutdownGrace);
            }
            this.shutdownGraceNanos = shutdownGrace.toNanos();
            return this;
        }

        /**
         * Leaves the shutdown to the application, which closes its locks itself. The library does not wait for them, and refuses and ends none. A
         * lock that is held when the process ends is free at once, as with {@code kill -9}; the next holder replaces its record.
         */
        public Builder noShutdownHook() {
            this.shutdownGraceNanos = Shutdown.LEAVE_ALONE;
            return this;
        }

        /**
         * Sets after what time a wait is logged. The logger {@code dev.sessionlock.events} then warns once: who waits, who holds the lock and since when,
         * and who else of this JVM waits. It warns again when that wait ends, by an acquisition or without. Of each lock at most one wait in 30 s is logged.
         * The library looks at least once a second, so a wait of less than a second may not be noticed.
         *
         * @param threshold 1 s by default; zero if no wait is logged; at most 1 h
         * @throws IllegalArgumentException if it is outside
         */
        public Builder logLongWaits(Duration threshold) {
            if (threshold.isNegative() || threshold.compareTo(Duration.ofHours(1)) > 0) {
                throw new IllegalArgumentException("logLongWaits must be from 0s to 1h, not " + threshold);
            }
            this.logLongWaits = threshold;
            return this;
        }

        /**
         * Shows the counters in JMX, as {@code dev.sessionlock:type=SessionLocks,name=NAME}, until {@link SessionLocks#close}. Each {@code SessionLocks} of a
         * JVM needs a name of its own. The JVM's management starts with the first one, which takes longer than an acquisition.
         *
         * @param name the name; null, the default, if JMX does not show it
         * @see SessionLocksMXBean
         */
        public Builder jmx(@Nullable String name) {
            this.jmx = name;
            return this;
        }

        /**
         * Sets whether a foreign lock (another program's) may be replaced once its process is gone. A foreign record names no pid namespace,
         * so the library assumes that its pid means the same process here. Set it to false if other programs run in containers of their own.
         *
         * @param takeStrangers true by default
         */
        public Builder takeStrangers(boolean takeStrangers) {
            this.takeStrangers = takeStrangers;
            return this;
        }

        /**
         * Accepts network file systems, and directories that a virtual machine or container shares with its host, and locks as well as is possible
         * there. Kernel locks may not reach all machines. Nobody takes a lock over while its record changes. Another machine's record counts as alive until it has been seen unchanged for its lease and grace.
         */
        public Builder allowNetworkFileSystem() {
            this.allowNetworkFileSystem = true;
            return this;
        }

        /**
         * Gives out locks of another engine than the files of this machine.
         *
         * @param engine where the locks come from; all users in this JVM that share locks must use the same object
         */
        public Builder over(LockEngine engine) {
            this.engine = Objects.requireNonNull(engine, "engine");
            return this;
        }

        /**
         * Lets paths name locks, too, on an engine that locks names. The name of the lock is the path relative to {@code root}, with {@code /}
         * between directories. So {@code /srv/a/session.jsonl} on one machine and {@code /mnt/b/session.jsonl} on another are one lock, if
         * {@code /srv/a} and {@code /mnt/b} are their roots. Only the text of the path counts: {@code .} and {@code ..} are resolved, symbolic links
         * are not, and nothing need exist.
         *
         * @param root the directory, as this machine calls it; null if paths name no locks
         */
        public Builder root(@Nullable Path root) {
            this.root = root;
            return this;
        }

        /**
         * {@return locks with these settings}
         *
         * @throws IllegalStateException if there is a {@link #root} and the engine locks files, or if another {@code SessionLocks} has the {@link #jmx} name
         */
        public SessionLocks build() {
            if (root != null && engine instanceof FileLockEngine) {
                throw new IllegalStateException("root(" + root + ") is for engines that lock names, such as JdbcLockEngine: locks on files "
                        + "lie beside them");
            }
            return new SessionLocks(this);
        }
    }
}

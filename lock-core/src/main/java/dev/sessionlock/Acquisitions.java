package dev.sessionlock;

import dev.sessionlock.internal.system.StackRoom;
import dev.sessionlock.internal.threads.AcquireRequest;
import dev.sessionlock.internal.threads.CombinedHandle;
import dev.sessionlock.internal.threads.EventPublisher;
import dev.sessionlock.internal.threads.Handle;
import dev.sessionlock.internal.threads.LocalLocks;
import dev.sessionlock.internal.threads.LockMeters;
import dev.sessionlock.spi.FileLockEngine;
import dev.sessionlock.spi.LockEngine.LockId;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collection;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.TreeMap;
import java.util.concurrent.CompletableFuture;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;

/**
 * The acquisitions of one {@link SessionLocks}: from what a user names to the handle that the user closes.
 *
 * <p>Between the two, a handle has no owner but this class. Whatever is thrown there, such as an {@link OutOfMemoryError}, it closes the handle,
 * because nobody else could.
 */
final class Acquisitions {
    private final LocalLocks locks;
    private final EventPublisher publisher;
    private final LockTarget.Naming naming;

    Acquisitions(LocalLocks locks, EventPublisher publisher, LockTarget.Naming naming) {
        this.locks = locks;
        this.publisher = publisher;
        this.naming = naming;
    }

    SessionLock acquire(Path target, LockOptions options) throws LockException, InterruptedException {
        requireOptions(options);
        requireNotInterrupted();
        Handle warm = reuse(target, options, Thread.currentThread());
        return warm != null ? opened(measured(warm)) : remembered(target, await(naming.of(target), options, patience(options)));
    }

    SessionLock acquire(String name, LockOptions options) throws LockException, InterruptedException {
        requireOptions(options);
        return opened(acquire(naming.of(name), options, patience(options)));
    }

    Optional<SessionLock> tryAcquire(Path target, LockOptions options) throws LockException {
        requireOptions(options);
        Handle warm = reuse(target, options, Thread.currentThread());
        return warm != null ? Optional.of(opened(measured(warm))) : tryOnce(naming.of(target), options).map(handle -> remembered(target, handle));
    }

    Optional<SessionLock> tryAcquire(String name, LockOptions options) throws LockException {
        requireOptions(options);
        return tryOnce(naming.of(name), options).map(Acquisitions::opened);
    }

    // ---- without a thread that waits ----

    CompletableFuture<SessionLock> acquireAsync(Path path, LockOptions options) {
        requireOptions(options);
        try {
            Handle warm = reuse(path, options, null);
            if (warm != null) {
                return CompletableFuture.completedFuture(opened(measured(warm)));
            }
            LockTarget target = naming.of(path);
            return begin(target, options, handle -> remembered(path, handle));
        } catch (LockException e) {
            return CompletableFuture.failedFuture(e);
        }
    }

    CompletableFuture<SessionLock> acquireAsync(String name, LockOptions options) {
        requireOptions(options);
        try {
            return begin(naming.of(name), options, Acquisitions::opened);
        } catch (LockException e) {
            return CompletableFuture.failedFuture(e);
        }
    }

    private CompletableFuture<SessionLock> begin(LockTarget target, LockOptions options, Function<Handle, SessionLock> opening) throws LockException {
        StackRoom.require();
        locks.ensureOpen(publisher);
        long asked = asked();
        return new AsyncResult(target, publisher, handle -> opening.apply(measured(handle, asked)), asked).begin(locks, request(target, options));
    }

    // ---- several ----

    SessionLock acquireAll(Collection<Path> targets, LockOptions options) throws LockException, InterruptedException {
        requireOptions(options);
        Map<LockId, LockTarget> inOrder = new TreeMap<>();
        for (Path target : targets) {
            add(naming.of(target), inOrder);
        }
        return acquireInOrder(inOrder.values(), options);
    }

    SessionLock acquireAllNamed(Collection<String> names, LockOptions options) throws LockException, InterruptedException {
        requireOptions(options);
        Map<LockId, LockTarget> inOrder = new TreeMap<>();
        for (String name : names) {
            add(naming.of(name), inOrder);
        }
        return acquireInOrder(inOrder.values(), options);
    }

    /** Two paths to one file are one lock, and every caller has the same order. */
    private void add(LockTarget target, Map<LockId, LockTarget> inOrder) throws LockException {
        try {
            FileLockEngine files = naming.files();
            inOrder.putIfAbsent(files == null ? target.id() : files.canonical(target.id()), target);
        } catch (IOException e) {
            throw ErrorMessages.explain(e, target);
        }
    }

    private SessionLock acquireInOrder(Collection<LockTarget> inOrder, LockOptions options) throws LockException, InterruptedException {
        long end = locks.clock().nanos() + Math.min(patience(options), Long.MAX_VALUE / 2);
        List<Handle> taken = new ArrayList<>();
        try {
            for (LockTarget target : inOrder) {
                taken.add(acquire(target, options, end - locks.clock().nanos()));
            }
            return new SessionLock(taken.size() == 1 ? taken.get(0) : new CombinedHandle(taken));
        } catch (LockException | InterruptedException | RuntimeException | Error e) {
            try {
                CombinedHandle.closeAll(taken);
            } catch (RuntimeException | Error other) {
                if (other != e) { // the JVM throws one and the same OutOfMemoryError again and again
                    e.addSuppressed(other);
                }
            }
            throw e;
        }
    }

    // ---- one lock ----

    /** {@return the lock of this file, taken again where it lingers or others of this JVM wait for it; null if the caller must acquire in the ordinary way} */
    private @Nullable Handle reuse(Path target, LockOptions options, @Nullable Thread owner) throws LockException {
        Objects.requireNonNull(target, "target");
        StackRoom.requireWhileCold();
        return locks.tryReuse(target, publisher, options, owner);
    }

    private Handle acquire(LockTarget target, LockOptions options, long patience) throws LockException, InterruptedException {
        requireNotInterrupted();
        return await(target, options, patience);
    }

    /** The caller has looked whether the thread is interrupted. */
    private Handle await(LockTarget target, LockOptions options, long patience) throws LockException, InterruptedException {
        StackRoom.require();
        long asked = asked();
        try {
            return measured(locks.acquire(target.id(), request(target, options), patience), asked);
        } catch (LockTimeoutException e) {
            AsyncResult.measured(e, target, publisher, asked);
            throw ErrorMessages.explain(e, target);
        } catch (IOException e) {
            throw ErrorMessages.explain(e, target);
        }
    }

    private Optional<Handle> tryOnce(LockTarget target, LockOptions options) throws LockException {
        StackRoom.require();
        try {
            Handle handle = locks.tryAcquire(target.id(), request(target, options));
            return handle == null ? Optional.empty() : Optional.of(measured(handle));
        } catch (IOException e) {
            throw ErrorMessages.explain(e, target);
        }
    }

    private AcquireRequest request(LockTarget target, LockOptions options) {
        Path file = target.file() == null || naming.files() != null ? null : target.file().toAbsolutePath();
        return new AcquireRequest(publisher, options, target.shown(), file);
    }

    // ---- measuring ----

    /** {@return the time; or that nobody measures, and then the clock is not read} */
    private long asked() {
        return publisher.meters().areThere() ? locks.clock().nanos() : LockMeters.NOT_MEASURED;
    }

    /** {@return the handle, after its wait was measured if anybody measured when it began} */
    private Handle measured(Handle handle, long asked) {
        if (asked != LockMeters.NOT_MEASURED) {
            try {
                publisher.meters().waited(handle.name(), handle.acquiredNanos() - asked, true);
            } catch (RuntimeException | Error e) {
                handle.close();
                throw e;
            }
        }
        return handle;
    }

    /** As {@link #measured(Handle, long)}, of one that has not waited. */
    private Handle measured(Handle handle) {
        return publisher.meters().areThere() ? measured(handle, handle.acquiredNanos()) : handle;
    }

    // ---- what the user gets ----

    /** {@return what the user gets} If the lock may be reused, it will be found by the same path. */
    private SessionLock remembered(Path target, Handle handle) {
        try {
            if (handle.mayBeReused()) {
                locks.remember(target, handle);
            }
        } catch (RuntimeException | Error e) {
            handle.close();
            throw e;
        }
        return opened(handle);
    }

    private static SessionLock opened(Handle handle) {
        try {
            return new SessionLock(handle);
        } catch (OutOfMemoryError e) {
            handle.close();
            throw e;
        }
    }

    private static void requireOptions(LockOptions options) {
        Objects.requireNonNull(options, "options");
    }

    private static void requireNotInterrupted() throws InterruptedException {
        if (Thread.interrupted()) {
            throw new InterruptedException();
        }
    }

    private static long patience(LockOptions options) {
        return options.timeout().toNanos();
    }
}

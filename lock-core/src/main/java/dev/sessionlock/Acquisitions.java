package dev.sessionlock;

import dev.sessionlock.internal.system.StackRoom;
import dev.sessionlock.internal.threads.AcquireRequest;
import dev.sessionlock.internal.threads.CombinedHandle;
import dev.sessionlock.internal.threads.EventPublisher;
import dev.sessionlock.internal.threads.Handle;
import dev.sessionlock.internal.threads.LocalLocks;
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
        Handle warm = reuse(target, options);
        return warm != null ? opened(warm) : remembered(target, await(naming.of(target), options, patience(options)));
    }

    SessionLock acquire(String name, LockOptions options) throws LockException, InterruptedException {
        requireOptions(options);
        return opened(acquire(naming.of(name), options, patience(options)));
    }

    Optional<SessionLock> tryAcquire(Path target, LockOptions options) throws LockException {
        requireOptions(options);
        Handle warm = reuse(target, options);
        return warm != null ? Optional.of(opened(warm)) : tryOnce(naming.of(target), options).map(handle -> remembered(target, handle));
    }

    Optional<SessionLock> tryAcquire(String name, LockOptions options) throws LockException {
        requireOptions(options);
        return tryOnce(naming.of(name), options).map(Acquisitions::opened);
    }

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
            taken.forEach(Handle::close);
            throw e;
        }
    }

    // ---- one lock ----

    /** {@return the lingering lock of this file, taken again; null if the caller must acquire in the ordinary way} */
    private @Nullable Handle reuse(Path target, LockOptions options) throws LockException {
        Objects.requireNonNull(target, "target");
        StackRoom.requireWhileCold();
        return options.linger().isZero() ? null : locks.tryReuse(target, publisher, options);
    }

    private Handle acquire(LockTarget target, LockOptions options, long patience) throws LockException, InterruptedException {
        requireNotInterrupted();
        return await(target, options, patience);
    }

    /** The caller has looked whether the thread is interrupted. */
    private Handle await(LockTarget target, LockOptions options, long patience) throws LockException, InterruptedException {
        StackRoom.require();
        try {
            return locks.acquire(target.id(), request(target, options), patience);
        } catch (IOException e) {
            throw ErrorMessages.explain(e, target);
        }
    }

    private Optional<Handle> tryOnce(LockTarget target, LockOptions options) throws LockException {
        StackRoom.require();
        try {
            return Optional.ofNullable(locks.tryAcquire(target.id(), request(target, options)));
        } catch (IOException e) {
            throw ErrorMessages.explain(e, target);
        }
    }

    private AcquireRequest request(LockTarget target, LockOptions options) {
        Path file = target.file() == null || naming.files() != null ? null : target.file().toAbsolutePath();
        return new AcquireRequest(publisher, options, target.shown(), file);
    }

    // ---- what the user gets ----

    /** {@return what the user gets} If the lock may linger, it will be found by the same path. */
    private SessionLock remembered(Path target, Handle handle) {
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

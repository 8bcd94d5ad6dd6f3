package dev.sessionlock;

import dev.sessionlock.internal.threads.AcquireRequest;
import dev.sessionlock.internal.threads.AsyncAcquisition;
import dev.sessionlock.internal.threads.EventPublisher;
import dev.sessionlock.internal.threads.Handle;
import dev.sessionlock.internal.threads.LocalLocks;
import dev.sessionlock.internal.threads.LockMeters;
import java.io.IOException;
import java.util.Objects;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;

/**
 * The future of one lock, and the acquisition behind it. Each ends the other: the acquisition completes the future, on the executor for callbacks; a future that its
 * user cancels, or that times out, ends the acquisition. A lock that comes too late for its future is closed.
 */
final class AsyncResult implements AsyncAcquisition.Outcome {
    private final LockTarget target;
    private final EventPublisher publisher;
    private final Function<Handle, SessionLock> opening;
    private final long asked;
    private final CompletableFuture<SessionLock> future = new CompletableFuture<>();
    /** Whoever sets it says what becomes of the lock: it is delivered, or given back. An executor that runs what it has refused would deliver twice. */
    private final AtomicBoolean decided = new AtomicBoolean();
    /** The lock, on its way to the executor; null before. */
    private volatile @Nullable Handle granted;

    /**
     * @param opening makes what the user gets; closes the handle if it throws
     * @param asked when it was asked for, if anybody measures
     */
    AsyncResult(LockTarget target, EventPublisher publisher, Function<Handle, SessionLock> opening, long asked) {
        this.asked = asked;
        this.target = target;
        this.publisher = publisher;
        this.opening = opening;
    }

    CompletableFuture<SessionLock> begin(LocalLocks locks, AcquireRequest request) {
        AsyncAcquisition acquisition = locks.acquireAsync(target.id(), request, request.options().timeout().toNanos(), this);
        future.whenComplete((lock, why) -> {
            if (decided.compareAndSet(false, true)) {
                acquisition.cancel(granted);
            }
        });
        return future;
    }

    @Override
    public void acquired(Handle handle) {
        granted = handle;
        if (decided.get()) { // the future was completed by others, who may not have seen this lock
            handle.close();
            return;
        }
        publisher.complete(() -> {
            if (decided.compareAndSet(false, true)) {
                deliver(handle);
            }
        });
    }

    private void deliver(Handle handle) {
        SessionLock lock;
        try {
            lock = opening.apply(handle);
        } catch (RuntimeException | Error e) {
            future.completeExceptionally(e);
            return;
        }
        if (!future.complete(lock)) {
            lock.close(); // cancelled, or timed out, at the very moment
        }
    }

    @Override
    public void failed(Throwable why) {
        Throwable explained = why instanceof IOException e ? ErrorMessages.explain(e, target) : why;
        try {
            publisher.complete(() -> {
                if (why instanceof LockTimeoutException late) {
                    measured(late, target, publisher, asked);
                }
                future.completeExceptionally(explained);
            });
        } catch (RuntimeException | Error e) { // no thread for it
            explained.addSuppressed(e);
            future.completeExceptionally(explained);
        }
    }

    /** Measures a wait that was over in vain, if anybody measured when it began. */
    static void measured(LockTimeoutException late, LockTarget target, EventPublisher publisher, long asked) {
        if (asked != LockMeters.NOT_MEASURED) {
            publisher.meters().waited(target.id().name(), late.waited().toNanos(), false);
        }
    }

    // ---- an action under a lock ----

    /** Runs an action when the lock is there, and closes the lock when the action's stage completes. */
    static <T> CompletableFuture<T> withLock(CompletableFuture<SessionLock> acquired, Function<? super SessionLock, ? extends CompletionStage<T>> action) {
        CompletableFuture<T> result = new CompletableFuture<>();
        acquired.whenComplete((lock, why) -> {
            if (why != null) {
                result.completeExceptionally(why);
            } else if (result.isDone()) {
                lock.close();
            } else {
                run(lock, action, result);
            }
        });
        result.whenComplete((value, why) -> acquired.cancel(false)); // does nothing once the lock is there
        return result;
    }

    private static <T> void run(SessionLock lock, Function<? super SessionLock, ? extends CompletionStage<T>> action, CompletableFuture<T> result) {
        try {
            CompletionStage<T> stage = Objects.requireNonNull(action.apply(lock), "the action returned no stage");
            stage.whenComplete((value, why) -> end(lock, value, why, result));
        } catch (RuntimeException | Error e) {
            end(lock, null, e, result);
        }
    }

    private static <T> void end(SessionLock lock, @Nullable T value, @Nullable Throwable why, CompletableFuture<T> result) {
        Throwable failure = why;
        try (lock) {
            if (failure == null) {
                lock.ensureHeld();
            }
        } catch (LockLostException | RuntimeException | Error e) { // also an error: whoever waits for the result must hear of it
            failure = e;
        }
        if (failure == null) {
            result.complete(value);
        } else {
            result.completeExceptionally(failure);
        }
    }
}

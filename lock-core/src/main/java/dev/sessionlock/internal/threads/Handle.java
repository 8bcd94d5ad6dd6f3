package dev.sessionlock.internal.threads;

import dev.sessionlock.LockLostException;
import dev.sessionlock.spi.Clock;
import dev.sessionlock.spi.EngineLock;
import dev.sessionlock.spi.Hold;
import java.io.IOException;
import java.lang.ref.ReferenceQueue;
import java.lang.ref.WeakReference;
import java.nio.file.Path;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.locks.ReentrantLock;
import java.util.function.Consumer;
import org.jetbrains.annotations.Nullable;

/**
 * One open handle on a grant; what the user's object stands on. Nothing of ours refers to it strongly, so that a handle that was
 * forgotten is found by the garbage collector and closed by the keeper.
 */
public final class Handle {

    /** What the grant and the keeper know of a handle: enough to find that it was forgotten. */
    static final class Ref extends WeakReference<Handle> {
        private final Grant grant;
        private final AtomicBoolean closed = new AtomicBoolean();

        Ref(Handle handle, Grant grant, ReferenceQueue<Handle> forgotten) {
            super(handle, forgotten);
            this.grant = grant;
        }

        Grant grant() {
            return grant;
        }

        /** {@return whether this call closed it} */
        boolean close() {
            return closed.compareAndSet(false, true);
        }

        boolean isClosed() {
            return closed.get();
        }
    }

    private final Grant grant;
    private final Clock clock;
    private final Ref ref;
    private final ReentrantLock mutex = new ReentrantLock();
    /** Kept here and not in the grant: a listener that captures the user's handle must not keep it alive. */
    private @Nullable List<Consumer<LockLostException>> onLost;

    Handle(Grant grant, ReferenceQueue<Handle> forgotten) {
        this.grant = grant;
        this.clock = grant.clock();
        this.ref = new Ref(this, grant, forgotten);
    }

    Ref ref() {
        return ref;
    }

    /** {@return the lock's name} */
    public String name() {
        return grant.cell().engine().name();
    }

    /** {@return the file that is locked, or that the lock stands for; null if it is a name alone} */
    public @Nullable Path target() {
        Path target = grant.cell().engine().target();
        return target != null ? target : grant.request().target();
    }

    /** {@return where the record lies; null if the engine has no files} */
    public @Nullable Path lockFile() {
        return grant.cell().engine().lockFile();
    }

    /** {@return the fencing token} */
    public long token() {
        return grant.token();
    }

    /** {@return when the lock was acquired, by wall clock} */
    public Instant acquiredAt() {
        return grant.acquiredAt();
    }

    /** {@return nanoseconds until {@code maxHold}; 0 if it does not hold, {@link Long#MAX_VALUE} if without limit} */
    public long holdLeft() {
        long now = clock.nanos();
        return ref.isClosed() || !grant.isValid(now) ? 0 : grant.holdLeft(now);
    }

    /** {@return whether it holds; memory and our own clock only} */
    public boolean isHeld() {
        return !ref.isClosed() && grant.isValid(clock.nanos());
    }

    /** As {@link #isHeld}, but throws. */
    public void ensureHeld() throws LockLostException {
        if (ref.isClosed() || !grant.isValid(clock.nanos())) {
            throw notHeld();
        }
    }

    /** As {@link #ensureHeld}, after a look at the disk and the kernel. */
    public void verifyHeld() throws IOException {
        ensureHeld();
        grant.cell().verify(grant);
        ensureHeld();
    }

    private LockLostException notHeld() {
        if (ref.isClosed()) {
            throw new IllegalStateException("the handle of " + grant.request().shown() + " was closed by its user; acquire the lock again");
        }
        return grant.cell().expired(grant);
    }

    /** {@code maxHold} starts anew. */
    public void renew() throws LockLostException {
        long now = clock.nanos();
        if (ref.isClosed() || !grant.isValid(now)) {
            throw notHeld();
        }
        grant.progressed(now);
    }

    /** The lock no longer belongs to the thread that acquired it. */
    public void detach() {
        grant.detach();
    }

    /** Has {@code listener} run on the executor when the handle is lost, at once if it is. */
    public void onLost(Consumer<LockLostException> listener) {
        mutex.lock();
        try {
            if (grant.lost() == null) {
                onLost = onLost == null ? new ArrayList<>(1) : onLost;
                onLost.add(listener);
                return;
            }
        } finally {
            mutex.unlock();
        }
        if (!ref.isClosed()) {
            tell(listener, grant.lost());
        }
    }

    /** Tells those who wanted to know. */
    void lost(LockLostException why) {
        List<Consumer<LockLostException>> listeners;
        mutex.lock();
        try {
            listeners = onLost;
            onLost = null;
        } finally {
            mutex.unlock();
        }
        if (listeners != null && !ref.isClosed()) {
            listeners.forEach(listener -> tell(listener, why));
        }
    }

    private void tell(Consumer<LockLostException> listener, LockLostException why) {
        grant.audience().run(() -> listener.accept(why));
    }

    /** Gives the lock back; only the first call does anything. */
    public void close() {
        if (ref.close()) {
            grant.cell().close(ref);
        }
    }

    /** {@return what the engine has of it} */
    public Hold hold() {
        return grant.hold();
    }

    /** {@return what the engine knows of the lock} */
    EngineLock engine() {
        return grant.cell().engine();
    }
}

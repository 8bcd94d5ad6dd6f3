package dev.sessionlock.internal.threads;

import com.google.errorprone.annotations.concurrent.GuardedBy;
import dev.sessionlock.LockLostException;
import dev.sessionlock.LockMode;
import dev.sessionlock.internal.system.StackRoom;
import dev.sessionlock.spi.EngineLock;
import dev.sessionlock.spi.Hold;
import java.io.IOException;
import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.lang.ref.ReferenceQueue;
import java.lang.ref.WeakReference;
import java.nio.file.Path;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/**
 * One open handle on a grant; what the user's object stands on. Nothing of ours refers to it strongly, so the garbage collector finds a handle that was forgotten,
 * and the keeper closes it.
 */
public final class Handle implements LockHandle {

    /** What the grant and the keeper know of a handle: enough to find that it was forgotten. */
    static final class Ref extends WeakReference<Handle> {
        private static final VarHandle CLOSED;

        static {
            try {
                CLOSED = MethodHandles.lookup().findVarHandle(Ref.class, "closed", boolean.class);
            } catch (ReflectiveOperationException e) {
                throw new ExceptionInInitializerError(e);
            }
        }

        private final Grant grant;
        private final @Nullable AcquisitionTrace acquiredHere;
        /** No AtomicBoolean: a warm acquisition makes nothing but the handle, this, and what the user sees. */
        private volatile boolean closed;

        Ref(Handle handle, Grant grant, ReferenceQueue<Handle> forgotten, @Nullable AcquisitionTrace acquiredHere) {
            super(handle, forgotten);
            this.grant = grant;
            this.acquiredHere = acquiredHere;
        }

        /** {@return where it was acquired; null unless that is wanted} */
        @Nullable AcquisitionTrace acquiredHere() {
            return acquiredHere;
        }

        Grant grant() {
            return grant;
        }

        /** {@return whether this call closed it} */
        boolean close() {
            return CLOSED.compareAndSet(this, false, true);
        }

        boolean isClosed() {
            return closed;
        }
    }

    private final Grant grant;
    private final Ref ref;
    /** These two are copies: with {@code linger} the grant may be another user's when somebody asks for them. */
    private final long token;
    private final long acquiredNanos;
    /** Kept here and not in the grant: a listener that captures the user's handle must not keep it alive. Null until there is one. */
    @GuardedBy("LocalLock.stateLock")
    private @Nullable List<Consumer<LockLostException>> onLost;

    /** @param acquiredHere where it is acquired; null unless that is wanted */
    Handle(Grant grant, ReferenceQueue<Handle> forgotten, @Nullable AcquisitionTrace acquiredHere) {
        this.grant = grant;
        this.token = grant.token();
        this.acquiredNanos = grant.acquiredNanos();
        this.ref = new Ref(this, grant, forgotten, acquiredHere);
        grant.add(ref);
    }

    Ref ref() {
        return ref;
    }

    /** {@return what its user has} */
    Grant grant() {
        return grant;
    }

    LocalLock lock() {
        return grant.lock();
    }

    /** {@return whether the lock may stay in this JVM when it is closed, or others may join it, for {@link LocalLocks#tryReuse}} */
    public boolean mayBeReused() {
        return grant != grant.whole() || (grant.lingersByItself() || lock().isContended()) && grant.isReusable();
    }

    /** {@return whether others may take the lock over when its process freezes; of an inner handle, what the outermost one asked for} */
    public boolean mayBeTakenOver() {
        return grant.options().takeover();
    }

    @Override
    public String name() {
        return grant.lock().engine().name();
    }

    /** {@return the file that is locked, or that the lock stands for; null if it is a name alone} */
    public @Nullable Path target() {
        Path target = grant.lock().engine().target();
        return target != null ? target : grant.target();
    }

    @Override
    public @Nullable Path lockFile() {
        return grant.lock().engine().lockFile();
    }

    @Override
    public long token() {
        return token;
    }

    @Override
    public LockMode mode() {
        return grant.options().mode();
    }

    @Override
    public Instant acquiredAt() {
        return grant.at(acquiredNanos);
    }

    @Override
    public long holdLeft() {
        long now = grant.clock().nanos();
        return ref.isClosed() || !grant.isValid(now) ? 0 : grant.holdLeft(now);
    }

    @Override
    public boolean isHeld() {
        return !ref.isClosed() && grant.isValid(grant.clock().nanos());
    }

    @Override
    public void ensureHeld() throws LockLostException {
        if (ref.isClosed() || !grant.isValid(grant.clock().nanos()) && !isRenewedLate()) {
            throw notHeld();
        }
    }

    /** As {@link #ensureHeld}, after a look at the disk and the kernel. */
    public void verifyHeld() throws IOException {
        ensureHeld();
        StackRoom.require();
        grant.lock().supervisor().verify(grant);
        ensureHeld();
    }

    /** {@return whether it is valid after all: where the clock counts the time for which the machine sleeps, its user may come before the keeper} */
    private boolean isRenewedLate() {
        return grant.lock().supervisor().renewLate(grant) && !ref.isClosed();
    }

    private LockLostException notHeld() {
        LockLostException lost = ref.isClosed() ? null : Revocation.expired(grant, token);
        if (lost == null) {
            throw new IllegalStateException("the handle of " + grant.lock().engine() + " was closed by its user; acquire the lock again");
        }
        return lost;
    }

    @Override
    public void renew() throws LockLostException {
        long last = grant.progressAt(); // before it is known to be ours: once this handle is closed, the grant may be another user's
        long now = grant.clock().nanos();
        if (!ref.isClosed() && !grant.isValid(now) && isRenewedLate()) {
            last = grant.progressAt();
            now = grant.clock().nanos();
        }
        if (ref.isClosed() || !grant.isValid(now)) {
            throw notHeld();
        }
        grant.progressed(last, now);
    }

    @Override
    public void detach() {
        grant.lock().releaser().detach(ref);
    }

    @Override
    public void onLost(Consumer<LockLostException> listener) {
        MemoryLock stateLock = grant.lock().stateLock();
        stateLock.lock();
        try {
            if (grant.lost() == null) {
                onLost = onLost == null ? new ArrayList<>(1) : onLost;
                onLost.add(listener);
                return;
            }
        } finally {
            stateLock.unlock();
        }
        if (!ref.isClosed()) {
            tell(listener, grant.lost());
        }
    }

    /** Tells the listeners. */
    void lost(LockLostException why) {
        List<Consumer<LockLostException>> listeners;
        MemoryLock stateLock = grant.lock().stateLock();
        stateLock.lock();
        try {
            listeners = onLost;
            onLost = null;
        } finally {
            stateLock.unlock();
        }
        if (listeners != null && !ref.isClosed()) {
            listeners.forEach(listener -> tell(listener, why));
        }
    }

    private void tell(Consumer<LockLostException> listener, LockLostException why) {
        grant.publisher().run(() -> listener.accept(why));
    }

    /** {@return when it was acquired, by the lock's clock, monotonic nanoseconds} */
    public long acquiredNanos() {
        return acquiredNanos;
    }

    @Override
    public void close() {
        closeOnce();
    }

    @Override
    public void closeByUser() {
        LockMeters meters = grant.publisher().meters();
        long held = meters.areThere() ? grant.clock().nanos() - acquiredNanos : LockMeters.NOT_MEASURED;
        if (closeOnce() && held != LockMeters.NOT_MEASURED) {
            meters.held(name(), held);
        }
    }

    /** {@return whether this call closed it} */
    private boolean closeOnce() {
        // Before anything has happened: a user whose stack overflows here may close the handle again.
        if (grant.options().linger().isZero()) {
            StackRoom.require();
        } else {
            StackRoom.requireWhileCold();
        }
        boolean first = ref.close();
        if (first) {
            grant.lock().releaser().close(ref);
        }
        return first;
    }

    /** {@return what the engine has of it} */
    public Hold hold() {
        return grant.hold();
    }

    /** {@return what the engine knows of the lock} */
    EngineLock engine() {
        return grant.lock().engine();
    }

    @Override
    public List<Handle> parts() {
        return List.of(this);
    }
}

package dev.sessionlock.internal.threads;

import com.google.errorprone.annotations.concurrent.GuardedBy;
import dev.sessionlock.LockLostException;
import dev.sessionlock.LockOptions;
import java.nio.file.Path;
import org.jspecify.annotations.Nullable;

/**
 * What one reader has of a {@link SharedGrant}: its handles, its {@code maxHold}, its purpose and its thread. It is HELD, then perhaps REVOKED, and ENDED when the
 * reader leaves. It is lost with the whole; and the reader may lose it alone, by {@code maxHold} or by forgetting its handle, while the others read on.
 */
final class ReaderGrant extends Grant {
    private final SharedGrant whole;
    private final String thread;
    private final long waitedNanos;
    /** Its neighbours in the list of readers. */
    @GuardedBy("LocalLock.stateLock")
    @Nullable ReaderGrant previous;
    @GuardedBy("LocalLock.stateLock")
    @Nullable ReaderGrant next;

    /**
     * @param owner the thread that it belongs to; null for an asynchronous acquisition
     * @param thread the name under which reports and histories show it
     * @param waitedNanos how long its user waited for it
     */
    ReaderGrant(SharedGrant whole, EventPublisher publisher, LockOptions options, @Nullable Path target, @Nullable Thread owner, String thread, long now,
            long waitedNanos) {
        super(whole.lock(), whole.hold(), publisher, options, target, owner, now, whole.wallMicros(now));
        this.whole = whole;
        this.thread = thread;
        this.waitedNanos = waitedNanos;
    }

    /** Under the state lock. Returns the reader that came after it; null if it is the last one, or has left. */
    @Nullable ReaderGrant next() {
        return next;
    }

    @Override
    SharedGrant whole() {
        return whole;
    }

    @Override
    String thread() {
        return thread;
    }

    long waitedNanos() {
        return waitedNanos;
    }

    @Override
    void detach() {
        whole.detached(this);
        super.detach();
    }

    // ---- validity: it is lost as soon as the whole is, even before it is told why ----

    @Override
    boolean isValid(long now) {
        return super.isValid(now) && whole.lost() == null;
    }

    @Override
    @Nullable LockLostException lost() {
        LockLostException own = super.lost();
        return own != null ? own : whole.lost();
    }

    /** {@return whether its user alone has lost it} */
    boolean isLostAlone() {
        return super.lost() != null && whole.lost() == null;
    }

    /** Under the state lock. Returns whether it has to leave, since its user alone has lost it and has no grace left, or since it has no handle. */
    boolean isOver(long now) {
        return !isOpen() || isLostAlone() && graceLeft(now) <= 0;
    }
}

package dev.sessionlock.internal.threads;

import com.google.errorprone.annotations.concurrent.GuardedBy;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** The open handles of one user. Hardly any user has more than one. Every method is called under the lock's state lock. */
abstract class HandleSet {
    /** One of them; null if there is none. */
    @GuardedBy("LocalLock.stateLock")
    private Handle.@Nullable Ref handle;
    /** All but that one; null if there never were others. */
    @GuardedBy("LocalLock.stateLock")
    private @Nullable List<Handle.Ref> others;
    /** A handle that was closed, and still counted as open, at the keeper's last look. */
    @GuardedBy("LocalLock.stateLock")
    private Handle.@Nullable Ref halfClosed;

    /** Adds an open handle. */
    void add(Handle.Ref open) {
        if (handle == null) {
            handle = open;
        } else {
            others = others == null ? new ArrayList<>(1) : others;
            others.add(open);
        }
    }

    /** Removes a handle that was closed. Returns whether none is left. */
    boolean remove(Handle.Ref closed) {
        if (handle == closed) {
            handle = others == null || others.isEmpty() ? null : others.remove(others.size() - 1);
        } else if (others != null) {
            others.remove(closed);
        }
        return handle == null;
    }

    /** {@return whether a handle is among the open ones} */
    boolean has(Handle.Ref one) {
        return handle == one || others != null && others.contains(one);
    }

    /** {@return whether any handle is open} */
    boolean isOpen() {
        return handle != null;
    }

    /**
     * {@return a handle whose closing was broken off by a throwable; null if there is none} Such a handle is closed and still counts as open, at this look of the
     * keeper and at the one before.
     */
    Handle.@Nullable Ref halfClosed() {
        Handle.Ref before = halfClosed;
        halfClosed = handle != null && handle.isClosed() ? handle : null;
        for (int i = 0; halfClosed == null && others != null && i < others.size(); i++) {
            halfClosed = others.get(i).isClosed() ? others.get(i) : null;
        }
        return halfClosed == before ? halfClosed : null;
    }

    /** {@return whether this is its only open handle} */
    boolean isLast(Handle.Ref open) {
        return handle == open && (others == null || others.isEmpty());
    }

    /** {@return the handles that are open now} */
    List<Handle.Ref> handles() {
        List<Handle.Ref> all = new ArrayList<>(others == null ? List.of() : others);
        if (handle != null) {
            all.add(0, handle);
        }
        return all;
    }

    /** {@return where its first open handle was acquired; null if there is none, or if nobody wants to know} */
    @Nullable AcquisitionTrace acquiredHere() {
        return handle == null ? null : handle.acquiredHere();
    }
}

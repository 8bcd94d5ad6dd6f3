package dev.sessionlock.internal.directory;

import dev.sessionlock.spi.Clock;
import java.io.IOException;
import java.nio.channels.ClosedChannelException;
import java.nio.channels.FileLock;
import java.nio.channels.OverlappingFileLockException;
import java.nio.file.NoSuchFileException;
import org.jspecify.annotations.Nullable;

/**
 * The kernel byte of one seat of a lock, as this process has it.
 *
 * <p>Any call may throw anything. So what the kernel gives is stored by the assignment that follows the call, and forgotten only after it was given
 * back: at any moment we know that we have the byte, or that we do not, or that it is uncertain ({@link #unsure}), which {@link #settle} ends.
 *
 * <p>Used by one thread at a time, except for {@link #await}, which one more thread calls, and {@link #isKnownToBeLost}, which any thread may call.
 */
final class KernelByte {
    private final FileLockStore store;
    /** Few bits: thousands of locks may be held, and each byte more is eight more for each of them. */
    private final byte seat;

    private volatile @Nullable FileLock lock;
    /** Since when it is ours: what was read from the kernel before says nothing about it. */
    private long takenAt;
    /** It is to be freed, which has failed or was interrupted: the kernel still keeps others out for us. */
    private boolean owed;
    /** A call that requests it was interrupted: it may be ours though the caller was not told. */
    private boolean unsure;

    /** What a kernel waiter got, until it is accepted or declined: it is not yet ours to use. */
    private volatile @Nullable FileLock awaited;
    private volatile boolean waiting;
    /** As {@link #owed}, for the awaited one. */
    private boolean declined;
    /** As {@link #unsure}, for waiting. */
    private volatile boolean waitBroken;

    KernelByte(FileLockStore store, int seat) {
        this.store = store;
        this.seat = (byte) seat;
    }

    private GuardFiles guards() {
        return store.directory().guards();
    }

    /** {@return the lock that stands for it; null if it is not ours} */
    @Nullable FileLock lock() {
        return lock;
    }

    /** {@return since when it is ours, monotonic nanoseconds; long ago if it is not: then it counts as lost} */
    long takenAt() {
        return lock == null ? Long.MIN_VALUE : takenAt;
    }

    /** Takes it. False if another process has it, or a thread of this process waits for it. */
    boolean tryTake() throws IOException {
        settle();
        if (lock != null) {
            return false;
        }
        unsure = true;
        try {
            lock = guards().trySeat(store.hash(), seat);
            takenAt = Clock.SYSTEM.nanos();
        } catch (IOException e) {
            unsure = false; // the JDK has cleaned up after itself
            throw e;
        }
        unsure = false;
        return lock != null;
    }

    /** Waits for it. It must then be accepted or declined. */
    void await() throws IOException {
        waiting = true;
        waitBroken = true;
        FileLock got;
        try {
            awaited = guards().awaitSeat(store.hash(), seat);
            waitBroken = false;
            got = awaited;
        } catch (OverlappingFileLockException e) { // somebody else in this JVM has it, or waits for it: it is not ours
            waitBroken = false;
            throw new IOException("another copy of the library in this JVM, or the same directory under its former path, has the byte or waits for it", e);
        } catch (IOException e) {
            waitBroken = false;
            throw e;
        } finally {
            waiting = false;
        }
        if (got != null && !guards().isCurrent(store.hash(), got)) {
            release(got);
            awaited = null;
            throw new NoSuchFileException(GuardLayout.file(store.directory().inner(), GuardLayout.guardOf(store.hash())).toString(), null, "it was replaced meanwhile");
        }
    }

    /** Makes the awaited byte ours to use. Returns false if there is none, or none any more. */
    boolean accept() {
        FileLock got = awaited;
        if (got == null || declined || lock != null) {
            return false;
        }
        takenAt = Clock.SYSTEM.nanos();
        lock = got;
        awaited = null;
        return true;
    }

    /** Frees the awaited byte. */
    void decline() throws IOException {
        FileLock got = awaited;
        if (got == null) {
            return;
        }
        declined = true;
        if (got != lock) { // else an acceptance was interrupted in between
            release(got);
        }
        awaited = null;
        declined = false;
    }

    /** Frees it, if it is ours. */
    void free() throws IOException {
        owed = true;
        settle();
    }

    /** Settles both, whatever the first one throws. */
    static void settle(KernelByte first, @Nullable KernelByte second) throws IOException {
        try {
            first.settle();
        } finally {
            if (second != null) {
                second.settle();
            }
        }
    }

    /** Frees what could not be freed before, or what a throwable has interrupted. */
    void settle() throws IOException {
        FileLock had = lock;
        if (had != null && (owed || unsure)) {
            release(had);
            lock = null;
        } else if (had == null && unsure) {
            giveBackUnheld();
        }
        owed = false;
        unsure = false;
        if (declined) {
            decline();
        }
        if (waitBroken && !waiting) {
            if (awaited == null) {
                giveBackUnheld();
            }
            waitBroken = false;
        }
    }

    /** It may be ours though we have no {@link FileLock} for it. Requesting it tells: the kernel gives a process again what it has. */
    private void giveBackUnheld() throws IOException {
        if (waiting || awaited != null) {
            return; // the JDK lets only one request it: it was not ours
        }
        try {
            lock = guards().trySeatAgain(store.hash(), seat);
            FileLock got = lock;
            if (got != null) {
                release(got);
                lock = null;
            }
        } catch (ClosedChannelException e) {
            lock = null; // the guard files have been closed, which drops every byte
        }
    }

    private void release(FileLock lock) throws IOException {
        guards().release(lock);
    }

    /** {@return whether it is lost because its channel has been closed} */
    boolean isKnownToBeLost() {
        FileLock had = lock;
        return had != null && !had.acquiredBy().isOpen();
    }
}

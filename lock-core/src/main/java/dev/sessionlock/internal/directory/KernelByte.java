package dev.sessionlock.internal.directory;

import dev.sessionlock.spi.Clock;
import java.io.IOException;
import java.nio.channels.ClosedChannelException;
import java.nio.channels.FileLock;
import java.nio.channels.OverlappingFileLockException;
import java.nio.file.NoSuchFileException;
import org.jetbrains.annotations.Nullable;

/**
 * The kernel byte of one seat of a lock, as this process has it.
 *
 * <p>A throwable may come out of any call. So what the kernel gives is stored by the assignment that follows the call, and forgotten only after it was
 * given back: at any moment it is known what is ours, or that it is not known ({@link #unsure}), and {@link #settle} ends that.
 *
 * <p>Used by one thread at a time, but for {@link #await}, which is called by one thread more, and {@link #isKnownToBeLost}, by any.
 */
final class KernelByte {
    private final LockDirectory directory;
    private final long h;
    private final int seat;

    private volatile @Nullable FileLock lock;
    /** Since when it is ours: what was read of the kernel before then says nothing about it. */
    private long takenAt;
    /** It is to be given back, which has failed or was broken off: the kernel still keeps others out for us. */
    private boolean owed;
    /** A call that asks for it was broken off: it may be ours though nobody was told. */
    private boolean unsure;

    /** What a thread waited for and got, until it is accepted or declined: it is not yet ours to use. */
    private volatile @Nullable FileLock awaited;
    private volatile boolean waiting;
    /** As {@link #owed}, of what was awaited. */
    private boolean declined;
    /** As {@link #unsure}, of a waiting. */
    private volatile boolean waitBroken;

    KernelByte(LockDirectory directory, long h, int seat) {
        this.directory = directory;
        this.h = h;
        this.seat = seat;
    }

    /** {@return the lock that stands for it; null if it is not ours} */
    @Nullable FileLock lock() {
        return lock;
    }

    /** {@return since when it is ours, monotonic nanoseconds; long ago if it is not, since who asks without having it has lost it} */
    long takenAt() {
        return lock == null ? Long.MIN_VALUE : takenAt;
    }

    /** Takes it. False if another has it, or a thread of this process waits for it. */
    boolean tryTake() throws IOException {
        settle();
        if (lock != null) {
            return false;
        }
        unsure = true;
        try {
            lock = directory.guards().trySeat(h, seat);
            takenAt = Clock.SYSTEM.nanos();
        } catch (IOException e) {
            unsure = false; // the JDK has cleaned up after itself
            throw e;
        }
        unsure = false;
        return lock != null;
    }

    /** Waits for it. It has then to be accepted or declined. */
    void await() throws IOException {
        waiting = true;
        waitBroken = true;
        FileLock got;
        try {
            awaited = directory.guards().awaitSeat(h, seat);
            waitBroken = false;
            got = awaited;
        } catch (OverlappingFileLockException e) { // somebody else of this JVM has it, or waits for it: it is not ours
            waitBroken = false;
            throw new IOException("another copy of the library in this JVM, or the same directory under its former path, has the byte or waits for it", e);
        } catch (IOException e) {
            waitBroken = false;
            throw e;
        } finally {
            waiting = false;
        }
        if (got != null && !directory.guards().isCurrent(h, got)) {
            release(got);
            awaited = null;
            throw new NoSuchFileException(GuardFiles.file(directory.inner(), GuardFiles.guardOf(h)).toString(), null, "it was replaced meanwhile");
        }
    }

    /** Makes what was awaited ours to use. {@return false if there is nothing, or nothing any more} */
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

    /** Gives back what was awaited. */
    void decline() throws IOException {
        FileLock got = awaited;
        if (got == null) {
            return;
        }
        declined = true;
        if (got != lock) { // else an acceptance was broken off in between
            release(got);
        }
        awaited = null;
        declined = false;
    }

    /** Gives it back, if it is ours. */
    void free() throws IOException {
        owed = true;
        settle();
    }

    /** Gives back what could not be given back, or what a throwable has broken off. */
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

    /** It may be ours though we have nothing in hand for it. Asking for it tells: the kernel gives a process again what it has. */
    private void giveBackUnheld() throws IOException {
        if (waiting || awaited != null) {
            return; // the JDK lets only one at it: it was not ours
        }
        try {
            lock = directory.guards().trySeatAgain(h, seat);
            FileLock got = lock;
            if (got != null) {
                release(got);
                lock = null;
            }
        } catch (ClosedChannelException e) {
            lock = null; // the guards have been closed, and with them every byte is gone
        }
    }

    private static void release(FileLock lock) throws IOException {
        if (lock.acquiredBy().isOpen()) { // else the byte is gone with what it was taken through
            try {
                lock.release();
            } catch (ClosedChannelException e) {
                assert !lock.acquiredBy().isOpen() : e; // just now
            }
        }
    }

    /** {@return whether it is gone because what it was taken through has been closed} */
    boolean isKnownToBeLost() {
        FileLock had = lock;
        return had != null && !had.acquiredBy().isOpen();
    }
}

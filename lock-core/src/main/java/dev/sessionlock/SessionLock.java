package dev.sessionlock;

import dev.sessionlock.internal.system.Printable;
import dev.sessionlock.internal.system.SystemFiles;
import dev.sessionlock.internal.threads.Handle;
import dev.sessionlock.internal.threads.LockHandle;
import dev.sessionlock.spi.Hold;
import java.io.IOException;
import java.nio.file.AtomicMoveNotSupportedException;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.Objects;
import java.util.Optional;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/**
 * A lock that is held. {@link SessionLocks#acquire} returns it; close it with try-with-resources. For files of lines use
 * {@link SessionFile}, which handles the lock correctly.
 *
 * <pre>{@code
 * try (SessionLock lock = locks.acquire(session, LockOptions.defaults().withTakeover(false))) {
 *     Path changed = Files.writeString(session.resolveSibling("session.new"), change(session));
 *     lock.replace(changed);                            // if it is still held
 * }
 * }</pre>
 *
 * <p><b>How long it holds.</b> It holds until it is closed or lost. It can be lost by the rules of {@link LockOptions} (lease, {@code maxHold}), if
 * an operator removes the lock file or asks the holder to release, or if the JVM ends. After a loss {@link #ensureHeld} throws a
 * {@link LockLostException}, and the listeners of {@link #onLost} hear of it. If the program forgets the handle, the garbage collector
 * closes it.
 *
 * <p><b>Threads.</b> The handle belongs to the thread that acquired it. Until it is closed or {@linkplain #detach() detached}, that thread cannot
 * acquire the same lock again. Apart from that, any thread may call any method.
 *
 * <p>A handle of {@link SessionLocks#acquireAll} stands for several locks. It is held while all of them are held.
 */
public final class SessionLock implements AutoCloseable {
    private static final SystemFiles FILES = SystemFiles.OF_THIS_PROCESS;
    private final LockHandle held;

    SessionLock(LockHandle held) {
        this.held = held;
    }

    /** {@return the lock's name: the file name of the target, or the name that was locked; several names are separated by commas} */
    public String name() {
        return held.name();
    }

    /** {@return the path of the record while the lock is held; of several locks, the first one's; null if the engine has no files} */
    public @Nullable Path lockFile() {
        return held.lockFile();
    }

    /**
     * The fencing token. It is greater than the token of every earlier holder of this lock, across processes, crashes and reboots. A resource can
     * remember the greatest token it has seen, and refuse writes with a smaller one. Then it is safe even from a holder that froze in the middle of
     * a write.
     *
     * @return the token; of several locks, the greatest one ({@link #parts()} has each)
     */
    public long token() {
        return held.token();
    }

    /**
     * {@return whether others may hold the lock at the same time} This is what was asked for ({@link LockOptions#withMode}), or more: a {@linkplain
     * LockOptions#withReentrant reentrant} handle that a thread gets while it holds the lock exclusively is exclusive. Of several locks, {@link LockMode#EXCLUSIVE}
     * if all of them are.
     */
    public LockMode mode() {
        return held.mode();
    }

    /** {@return the locks that this handle stands for, in the order of their acquisition; only this handle if there is one lock} */
    public List<SessionLock> parts() {
        List<Handle> parts = held.parts();
        return parts.size() == 1 ? List.of(this) : parts.stream().map(SessionLock::new).toList();
    }

    /** {@return when it was acquired, by wall clock} */
    public Instant acquiredAt() {
        return held.acquiredAt();
    }

    /**
     * How long the lock may still be held without {@link #renew()}.
     *
     * @return the time until {@link LockOptions#maxHold()}; zero if the lock is not held, {@link LockOptions#UNLIMITED} if there is no limit
     */
    public Duration remaining() {
        long left = held.holdLeft();
        return left == Long.MAX_VALUE ? LockOptions.UNLIMITED : Duration.ofNanos(Math.max(0, left));
    }

    /**
     * {@return whether the lock is held now} This looks only at memory and at the monotonic clock, and takes nanoseconds. On Windows, when the machine has slept for
     * longer than the lease, this is false for about a second, until the lease is renewed; {@link #ensureHeld} renews it at once.
     */
    public boolean isHeld() {
        return held.isHeld();
    }

    /**
     * Makes sure that the lock is held now. This looks only at memory and at the monotonic clock, and takes nanoseconds. So you can call it
     * before every write. If somebody removes the lock file by hand, this method knows within 1 s. On Windows, when the machine has slept for longer than the lease,
     * this method first renews the lease, which takes as long as a write to the disk.
     *
     * @throws LockLostException if the lock was lost
     * @throws IllegalStateException if it was closed
     */
    public void ensureHeld() throws LockLostException {
        held.ensureHeld();
    }

    /**
     * Makes sure that the lock is held now, and checks the disk and the kernel, too, or the database.
     *
     * @throws LockLostException if the lock was lost
     * @throws IllegalStateException if it was closed
     * @throws LockException if the disk cannot be read, or the database cannot be reached
     */
    public void verifyHeld() throws LockException {
        for (Handle part : held.parts()) {
            try {
                part.verifyHeld();
            } catch (LockException e) {
                throw e;
            } catch (IOException e) {
                throw new LockException("could not look at the lock " + (part.lockFile() == null ? part.name() : part.lockFile()) + ": " + e, e);
            }
        }
    }

    /**
     * Says "I am making progress": {@link LockOptions#maxHold()} starts again. This is a volatile write without I/O. The lease needs no call. The
     * library renews it while the process runs and {@code maxHold} is not over.
     *
     * @throws LockLostException if the lock was lost; a lost lock cannot be renewed
     * @throws IllegalStateException if it was closed
     */
    public void renew() throws LockLostException {
        held.renew();
    }

    /**
     * Commits new content for the locked file safely. It forces the new file to the disk, makes sure that the lock is held, renames the new file
     * over the target in one step, and forces the directory. A reader finds either the whole old content or the whole new content, also after a power
     * cut. The new file keeps its own permissions and owner. Forcing takes milliseconds, and more on macOS, where it waits for the drive's own cache.
     *
     * <p>Microseconds pass between the last check of the lock and the rename. A process can freeze there for a long time. If others took the lock over
     * meanwhile, the rename would come late. So acquire the lock with {@link LockOptions#withTakeover withTakeover(false)} for this.
     *
     * <pre>{@code
     * try (SessionLock lock = locks.acquire(session, LockOptions.defaults().withTakeover(false))) {
     *     Path compacted = Files.writeString(session.resolveSibling("session.jsonl.new"), compact(session));
     *     lock.replace(compacted);
     * }
     * }</pre>
     *
     * @param newContent an ordinary file on the same file system as the target, preferably beside it; it is renamed, so it is gone afterwards
     * @throws LockLostException if the lock was lost; then the target is unchanged
     * @throws LockException if the disk refuses; then the target is unchanged unless the message says otherwise
     * @throws IllegalStateException if the handle was closed, stands for several locks, locks a name, or is {@linkplain LockMode#SHARED shared}
     */
    public void replace(Path newContent) throws LockException {
        Objects.requireNonNull(newContent, "newContent");
        List<Handle> parts = held.parts();
        if (parts.size() > 1) {
            throw new IllegalStateException("this handle stands for " + parts.size() + " locks; say which: lock.parts().get(i).replace(...)");
        }
        Path target = parts.get(0).target();
        if (target == null) {
            throw new IllegalStateException("this lock is not a file's but that of the name " + name() + ", so there is nothing to replace");
        }
        if (mode() == LockMode.SHARED) {
            throw new IllegalStateException("this lock of " + target + " is shared, and others may be reading it now: nothing may be written under it. Close it, and acquire exclusively");
        }
        requireOrdinary(newContent, target);
        try {
            FILES.force(newContent);
        } catch (IOException e) {
            throw new LockException("could not force " + newContent + " to the disk (" + e + "); " + target + " is as it was", e);
        }
        try {
            FILES.renameIf(this::ensureHeld, newContent, target).requireDone();
        } catch (LockLostException e) {
            throw e;
        } catch (AtomicMoveNotSupportedException e) {
            throw new LockException(newContent + " is on another file system than " + target + ", so it cannot be put there in one step: "
                    + "write it beside the target", e);
        } catch (IOException e) {
            throw new LockException("could not rename " + newContent + " over " + target + " (" + e + "); the target is as it was", e);
        }
        try {
            FILES.forceNames(target.getParent());
        } catch (IOException e) {
            throw new LockException(target + " has its new content, but the directory could not be forced to the disk (" + e
                    + "): a power cut now may bring the old content back", e);
        }
    }

    private static void requireOrdinary(Path newContent, Path target) throws LockException {
        if (!Files.isRegularFile(newContent, LinkOption.NOFOLLOW_LINKS)) {
            throw new LockException(newContent + " is not an ordinary file; " + target + " is as it was");
        }
        try {
            if (Files.exists(target) && Files.isSameFile(newContent, target)) {
                throw new LockException(newContent + " is the target itself; write the new content into another file beside it");
            }
        } catch (LockException e) {
            throw e;
        } catch (IOException e) {
            throw new LockException("could not compare " + newContent + " with " + target + ": " + e, e);
        }
    }

    /**
     * Registers a listener that is called once, on the executor, when the lock is lost. If the lock is lost already, the listener is called at once. It
     * is not called after {@link #close()}. This handle keeps the listener, so a listener that captures the handle does not keep the handle alive.
     *
     * @param listener receives why and since when the lock is lost
     */
    public void onLost(Consumer<LockLostException> listener) {
        held.onLost(Objects.requireNonNull(listener, "listener"));
    }

    /**
     * Separates the lock from the thread that acquired it, for code that closes it in another thread. After that the thread may ask for the same lock
     * again, and waits for it like any other thread.
     *
     * @return this handle
     */
    public SessionLock detach() {
        held.detach();
        return this;
    }

    /**
     * Releases the lock. Idempotent. Any thread may call it, even an interrupted one. It throws no exception: if something cannot be cleaned up, the library
     * logs that and tries again.
     *
     * <p>If this was the last open handle, the lock is free when this returns, and its record is gone. There are three exceptions:
     * <ul>
     * <li>A thread of this JVM waits. It has the lock now, or takes it at once.
     * <li>Another process waits, and this JVM has taken the lock in a loop. Then this JVM keeps the lock for its time slice of 5 ms.
     * <li>The lock {@linkplain LockOptions#withLinger lingers}.
     * </ul>
     */
    @Override
    public void close() {
        held.closeByUser();
    }

    /**
     * Gives the engine's own object for this lock, for code that belongs to an engine.
     *
     * @param type the expected type, a subclass of {@link dev.sessionlock.spi.Hold}
     * @return the object; empty if it belongs to another engine, or if this handle stands for several locks
     */
    public <T extends Hold> Optional<T> unwrap(Class<T> type) {
        List<Handle> parts = held.parts();
        return parts.size() == 1 && type.isInstance(parts.get(0).hold()) ? Optional.of(type.cast(parts.get(0).hold())) : Optional.empty();
    }

    /** {@return the file that this handle locks; null if it locks a name or several files} */
    @Nullable Path target() {
        List<Handle> parts = held.parts();
        return parts.size() == 1 ? parts.get(0).target() : null;
    }

    /** {@return whether others may take over this lock, or one of these locks, when the process of its holder freezes} */
    boolean mayBeTakenOver() {
        return held.parts().stream().anyMatch(Handle::mayBeTakenOver);
    }

    /** {@return the lock's name, its token, and whether it is held} */
    @Override
    public String toString() {
        return Printable.text("SessionLock[" + name() + ", token " + token() + (isHeld() ? ", held]" : ", not held]"));
    }
}

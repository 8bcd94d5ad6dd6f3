package dev.sessionlock;

import dev.sessionlock.internal.system.Printable;
import dev.sessionlock.internal.threads.Handle;
import dev.sessionlock.internal.threads.LockHandle;
import dev.sessionlock.spi.Hold;
import java.io.IOException;
import java.nio.channels.ClosedByInterruptException;
import java.nio.channels.FileChannel;
import java.nio.file.AtomicMoveNotSupportedException;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.Objects;
import java.util.Optional;
import java.util.function.Consumer;
import org.jetbrains.annotations.NotNull;
import org.jetbrains.annotations.Nullable;

/**
 * A lock that is held: what {@link SessionLocks#acquire} gives, to be closed with try-with-resources. For
 * files of lines there is {@link SessionFile}, which uses it in the right way.
 *
 * <pre>{@code
 * try (SessionLock lock = locks.acquire(session, LockOptions.defaults().withTakeover(false))) {
 *     Path changed = Files.writeString(session.resolveSibling("session.new"), change(session));
 *     lock.replace(changed);                            // if it is still held
 * }
 * }</pre>
 *
 * <p>It holds until it is closed, or lost: by the rules of {@link LockOptions} (lease, {@code maxHold}), by an operator who removed
 * the lock file or asked the holder to let go, or by the end of the JVM. After a loss {@link #ensureHeld} throws
 * {@link LockLostException}, and {@link #onLost} listeners have been told. One that is forgotten is closed by the garbage collector.
 *
 * <p>It belongs to the thread that acquired it, which cannot acquire the same lock again meanwhile, until it is closed or
 * {@linkplain #detach() detached}. Apart from that every method may be called by any thread.
 *
 * <p>A handle of {@link SessionLocks#acquireAll} stands for several locks at once: it is held while all are.
 */
public final class SessionLock implements AutoCloseable {
    private final LockHandle held;

    SessionLock(LockHandle held) {
        this.held = held;
    }

    /** {@return the lock's name, the target's file name, or the name that was locked; of several, all of them, separated by commas} */
    public @NotNull String name() {
        return held.name();
    }

    /** {@return where the record lies while the lock is held; of several, the first one's; null if the engine has no files} */
    public @Nullable Path lockFile() {
        return held.lockFile();
    }

    /**
     * The fencing token: a number that is greater than that of every earlier holder of this lock, over processes, crashes and
     * reboots. A resource that remembers the greatest one it has seen, and refuses writes with a smaller one, is safe even from a
     * holder that was frozen in the middle of a write.
     *
     * @return the token; of several locks, the greatest of theirs ({@link #parts()} has each)
     */
    public long token() {
        return held.token();
    }

    /** {@return the locks that this handle stands for, in the order in which they were acquired; itself if it is one} */
    public @NotNull List<SessionLock> parts() {
        List<Handle> parts = held.parts();
        return parts.size() == 1 ? List.of(this) : parts.stream().map(SessionLock::new).toList();
    }

    /** {@return when it was acquired, by wall clock} */
    public @NotNull Instant acquiredAt() {
        return held.acquiredAt();
    }

    /**
     * How long it may still be held without {@link #renew()}.
     *
     * @return the time until {@link LockOptions#maxHold()}; zero if it does not hold, {@link LockOptions#UNLIMITED} if without limit
     */
    public @NotNull Duration remaining() {
        long left = held.holdLeft();
        return left == Long.MAX_VALUE ? LockOptions.UNLIMITED : Duration.ofNanos(Math.max(0, left));
    }

    /** {@return whether it holds now; memory and our own clock only, nanoseconds} */
    public boolean isHeld() {
        return held.isHeld();
    }

    /**
     * Makes sure that it holds now. Looks at memory and our own clock only and takes nanoseconds, so it can stand before every
     * write; what a hand did to the lock file shows within a tick of the keeper (1 s at most).
     *
     * @throws LockLostException if it was lost
     * @throws IllegalStateException if it was closed
     */
    public void ensureHeld() throws LockLostException {
        held.ensureHeld();
    }

    /**
     * Makes sure that it holds now, and looks at the disk and at what the kernel says too; or at what the database says.
     *
     * @throws LockLostException if it was lost
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
     * Says "I am making progress": {@link LockOptions#maxHold()} starts anew. A volatile write, no I/O. The lease needs no call: the
     * keeper renews it by itself for as long as the process runs and {@code maxHold} is not over.
     *
     * @throws LockLostException if it was lost: a loss is for ever
     * @throws IllegalStateException if it was closed
     */
    public void renew() throws LockLostException {
        held.renew();
    }

    /**
     * Commits new content for the locked file, the right way: forces it to the disk, makes sure that the lock is held, renames it
     * over the target in one step, and forces the directory. A reader finds the old content or the new, whole, also after a power
     * cut. The new file keeps its own permissions and owner.
     *
     * <p>Between the last look at the lock and the rename lie microseconds, in which a process can be frozen for long; if others may
     * take the lock over meanwhile, the rename would come late. So take the lock with {@link LockOptions#withTakeover
     * withTakeover(false)} for this.
     *
     * <pre>{@code
     * try (SessionLock lock = locks.acquire(session, LockOptions.defaults().withTakeover(false))) {
     *     Path compacted = Files.writeString(session.resolveSibling("session.jsonl.new"), compact(session));
     *     lock.replace(compacted);
     * }
     * }</pre>
     *
     * @param newContent an ordinary file on the same file system as the target, best beside it; it is gone afterwards
     * @throws LockLostException if the lock was lost; then the target is as it was
     * @throws LockException if the disk refuses, in which case the target is as it was unless the message says otherwise
     * @throws IllegalStateException if it was closed, stands for several locks, or was acquired by a name
     */
    public void replace(@NotNull Path newContent) throws LockException {
        Objects.requireNonNull(newContent, "newContent");
        List<Handle> parts = held.parts();
        if (parts.size() > 1) {
            throw new IllegalStateException("this handle stands for " + parts.size() + " locks; say which: lock.parts().get(i).replace(...)");
        }
        Path target = parts.get(0).target();
        if (target == null) {
            throw new IllegalStateException("this lock is not a file's but that of the name " + name() + ", so there is nothing to replace");
        }
        requireOrdinary(newContent, target);
        try {
            force(newContent);
        } catch (IOException e) {
            throw new LockException("could not force " + newContent + " to the disk (" + e + "); " + target + " is as it was", e);
        }
        ensureHeld();
        try {
            Files.move(newContent, target, StandardCopyOption.ATOMIC_MOVE);
        } catch (AtomicMoveNotSupportedException e) {
            throw new LockException(newContent + " is on another file system than " + target + ", so it cannot be put there in one step: "
                    + "write it beside the target", e);
        } catch (IOException e) {
            throw new LockException("could not rename " + newContent + " over " + target + " (" + e + "); the target is as it was", e);
        }
        try {
            force(target.getParent());
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

    /** A file or a directory. It is forced as a channel, which an interrupt would close: so that is put off until it is forced. */
    static void force(Path path) throws IOException {
        boolean interrupted = Thread.interrupted();
        try {
            while (true) {
                try (FileChannel channel = FileChannel.open(path, StandardOpenOption.READ)) {
                    channel.force(true);
                    return;
                } catch (ClosedByInterruptException e) {
                    interrupted |= Thread.interrupted();
                }
            }
        } finally {
            if (interrupted) {
                Thread.currentThread().interrupt();
            }
        }
    }

    /**
     * Has a listener told when the lock is lost, once, on the executor; at once if it is lost already. It is not told after
     * {@link #close()}. The listener is kept in this handle, so one that captures the handle does not keep it alive.
     *
     * @param listener told why and since when
     */
    public void onLost(@NotNull Consumer<LockLostException> listener) {
        held.onLost(Objects.requireNonNull(listener, "listener"));
    }

    /**
     * Unbinds the lock from the thread that acquired it, for code that closes it elsewhere: the thread may ask for the same lock
     * again, and waits for it like any other.
     *
     * @return this handle
     */
    public @NotNull SessionLock detach() {
        held.detach();
        return this;
    }

    /**
     * Gives the lock back. Idempotent, from any thread, also from an interrupted one; never throws. What could not be cleaned up is
     * logged and tried again.
     */
    @Override
    public void close() {
        held.close();
    }

    /**
     * What the engine itself has of this lock, for code that belongs to an engine.
     *
     * @param type what it is expected to be, a subclass of {@link dev.sessionlock.spi.Hold}
     * @return it; empty if it is of another engine, or if this handle stands for several locks
     */
    public <T extends Hold> @NotNull Optional<T> unwrap(@NotNull Class<T> type) {
        List<Handle> parts = held.parts();
        return parts.size() == 1 && type.isInstance(parts.get(0).hold()) ? Optional.of(type.cast(parts.get(0).hold())) : Optional.empty();
    }

    /** {@return the file that it locks, or stands for; null if it locks a name, or several files} */
    @Nullable Path target() {
        List<Handle> parts = held.parts();
        return parts.size() == 1 ? parts.get(0).target() : null;
    }

    /** {@return whether others may pass over its holder, or one of them, when its process freezes} */
    boolean mayBeTakenOver() {
        return held.parts().stream().anyMatch(Handle::mayBeTakenOver);
    }

    /** {@return the lock's name, its token, and whether it is held} */
    @Override
    public String toString() {
        return Printable.text("SessionLock[" + name() + ", token " + token() + (isHeld() ? ", held]" : ", not held]"));
    }
}

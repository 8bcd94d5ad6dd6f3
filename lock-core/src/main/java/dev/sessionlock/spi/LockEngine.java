package dev.sessionlock.spi;

import dev.sessionlock.LockException;
import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import java.util.Objects;
import org.jetbrains.annotations.NotNull;
import org.jetbrains.annotations.Nullable;

/**
 * Where the locks of a process come from: the directories of this machine, a table of a database, or whatever else can exclude others.
 * To be given to {@link dev.sessionlock.SessionLocks#over}. One object is enough for a process, and those who are to meet in one JVM
 * must use the same one: reentry and the queue of waiting threads end where the engine ends. Thread-safe.
 *
 * <p>It locks names, and must have only {@link #pin}; its locks must have six methods, see {@link EngineLock}. An engine that locks files is a
 * {@link FileLockEngine}.
 */
public interface LockEngine extends Maintainable {

    /** {@return the clocks that leases run by, and that threads wait by} */
    default @NotNull Clock clock() {
        return Clock.SYSTEM;
    }

    /**
     * {@return whether other processes see these locks, so that the end of this one must give them back in good order}
     */
    default boolean outliveTheProcess() {
        return true;
    }

    /**
     * Which lock is meant.
     *
     * @param parent of a file's lock, the absolute path of the file's directory; null if what is locked is a name
     * @param name the file's name in it, or the name
     * @param networkAllowed for locks on files: whether a network file system is accepted
     */
    record LockId(@Nullable Path parent, @NotNull String name, boolean networkAllowed) implements Comparable<LockId> {

        /** Refuses a null name. */
        public LockId {
            Objects.requireNonNull(name, "name");
        }

        /** The order in which several locks are taken: the same for all processes, once they are {@linkplain FileLockEngine#canonical canonical}. */
        @Override
        public int compareTo(@NotNull LockId other) {
            return parent == null || other.parent == null ? name.compareTo(other.name)
                    : parent.resolve(name).compareTo(other.parent.resolve(other.name));
        }
    }

    /**
     * Finds the lock of a name. Nothing is asked of anybody yet. By default any name will do.
     *
     * @param name the name
     * @throws dev.sessionlock.LockException if nothing of that name can be locked
     */
    default @NotNull LockId idOfName(@NotNull String name) throws IOException {
        return new LockId(null, name, false);
    }

    // ---- locking ----

    /**
     * Refuses what has a lock's name and yet cannot be locked, as a directory or a device in the place of a file. Asked whenever a lock is to
     * be taken, before {@link #pin}, so that nothing is made for it. Once the place is in use, {@link LockNamespace#requireLockable} is asked instead: here
     * it must cost next to nothing then.
     *
     * @throws dev.sessionlock.LockException if it cannot be locked
     */
    default void requireLockable(@NotNull LockId id) throws IOException {
    }

    /** Opens where a lock is, and keeps it open until {@link LockNamespace#unpin}. */
    @NotNull LockNamespace pin(@NotNull LockId id) throws IOException;

    /** A place that holds locks, open. One of the same place equals it. */
    interface LockNamespace {
        /** {@return the form of a name under which the lock is known here: who finds an equal one means the same lock} */
        default @NotNull String key(@NotNull String name) {
            return name;
        }

        /**
         * As {@link LockEngine#requireLockable}, of a name here; asked when it is first to be taken, and again when nobody has used it for a
         * while.
         *
         * @throws dev.sessionlock.LockException if it cannot be locked
         */
        default void requireLockable(@NotNull String name) throws IOException {
        }

        /** {@return a new object for the lock of that name} Only while it is pinned. */
        @NotNull EngineLock lock(@NotNull String name);

        /** Pins it once more. */
        default void pinAgain() {
        }

        /** Takes back one pin. */
        default void unpin() {
        }

        /** Something failed as it does where a place was removed or replaced: looks, and if so the next {@link #pin} gets the new one. */
        default void suspect() throws IOException {
        }
    }

    // ---- looking ----

    /** Looks at a lock without disturbing it. */
    default @NotNull Inspection inspect(@NotNull LockId id) throws IOException {
        LockNamespace namespace = pin(id);
        try {
            return new Inspection(id, namespace.lock(id.name()).inspect());
        } finally {
            namespace.unpin();
        }
    }

    /**
     * Looks at all locks whose names begin alike without disturbing them.
     *
     * @param prefix how they begin; empty for all
     * @return what can be seen, by name
     * @throws dev.sessionlock.LockException if the engine cannot list its locks, as by default
     */
    default @NotNull List<Inspection> inspectAll(@NotNull String prefix) throws IOException {
        throw new LockException("cannot list the locks whose names begin with \"" + prefix + "\": this engine keeps no list of its locks");
    }

    // ---- what the keeper does, besides looking after what is held ----

    /**
     * {@return what is open now and to be maintained part by part, so that one that blocks does not hold up the others} By default the engine is one
     * part. A {@link LockNamespace} that is {@link Maintainable} is maintained together with the locks in it; the locks of other sites are, together with the engine. Memory
     * only, any thread.
     */
    default @NotNull List<? extends Maintainable> maintained() {
        return List.of(this);
    }

    /**
     * Has something run whenever a part becomes {@linkplain #isSuspect suspect}. The engine runs it on whatever thread sees it, perhaps one that has just been
     * interrupted.
     *
     * @param wake what to run; brief, and memory only
     */
    default void onSuspicion(@NotNull Runnable wake) {
    }

    /** By default nothing stays open while nobody uses a lock. */
    @Override
    default boolean closeIdle(boolean atOnce) {
        return true;
    }
}

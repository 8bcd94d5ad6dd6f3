package dev.sessionlock.spi;

import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/**
 * A source of locks: the directories of this machine, a table of a database, or anything else that can exclude other processes. Pass it to
 * {@link dev.sessionlock.SessionLocks#over}. One object is enough for a process. Threads of one JVM that lock the same things must use the same
 * object, since reentry and the queue of waiting threads belong to it. Thread-safe.
 *
 * <p>An engine locks either files, which are named by paths, or plain names. The first kind implements {@link #idOf}, the second {@link #idOfName}.
 */
public interface LockEngine extends Maintainable {

    /** {@return the clocks by which leases run and threads wait} */
    default Clock clock() {
        return Clock.SYSTEM;
    }

    /** {@return whether other processes see these locks, so that a JVM that ends must give them back in good order} */
    default boolean outliveTheProcess() {
        return true;
    }

    /**
     * Identifies a lock.
     *
     * @param parent for a file's lock, the absolute path of the file's directory; null if the engine locks names
     * @param name the name of the file in that directory, or the name that is locked
     * @param networkAllowed for locks on files: whether a network file system is accepted
     */
    record LockId(@Nullable Path parent, String name, boolean networkAllowed) implements Comparable<LockId> {

        /** Refuses a null name. */
        public LockId {
            Objects.requireNonNull(name, "name");
        }

        /** The order in which several locks are taken. It is the same for all processes once the ids are {@linkplain #canonical canonical}. */
        @Override
        public int compareTo(LockId other) {
            return parent == null || other.parent == null ? name.compareTo(other.name)
                    : parent.resolve(name).compareTo(other.parent.resolve(other.name));
        }
    }

    /** {@return whether this engine locks files, named by paths; otherwise it locks names} */
    default boolean locksFiles() {
        return false;
    }

    /**
     * Finds the lock of a file, whichever path its user wrote. Opens nothing yet.
     *
     * @param target the file to be locked
     * @param networkAllowed whether a network file system is accepted
     * @throws dev.sessionlock.LockException if nothing of that name can be locked
     * @throws UnsupportedOperationException if the engine does not {@linkplain #locksFiles lock files}
     */
    default LockId idOf(Path target, boolean networkAllowed) throws IOException {
        throw new UnsupportedOperationException(this + " locks names, not files");
    }

    /**
     * Finds the lock of a name. Opens no connection yet.
     *
     * @param name the name
     * @throws dev.sessionlock.LockException if nothing of that name can be locked
     * @throws UnsupportedOperationException if the engine {@linkplain #locksFiles locks files}
     */
    default LockId idOfName(String name) throws IOException {
        throw new UnsupportedOperationException(this + " locks files, not names");
    }

    /** {@return the form of an id that is the same whichever way its user wrote the name} */
    default LockId canonical(LockId id) throws IOException {
        return id;
    }

    // ---- locking ----

    /**
     * Refuses what has a lock's name but cannot be locked, such as a directory or a device instead of a file. Called whenever a lock is to be taken,
     * before {@link #pin}, so that nothing is created for it. Once the namespace is open, {@link LockNamespace#requireLockable} decides instead, and
     * this call must cost next to nothing.
     *
     * @throws dev.sessionlock.LockException if it cannot be locked
     */
    default void requireLockable(LockId id) throws IOException {
    }

    /** Opens the namespace of a lock, and keeps it open until {@link LockNamespace#unpin}. */
    LockNamespace pin(LockId id) throws IOException;

    /** An open place that holds locks, such as a directory. Two objects for the same place are equal. */
    interface LockNamespace {
        /** {@return the form of a name under which the lock is known here; equal forms mean the same lock} */
        default String key(String name) {
            return name;
        }

        /**
         * Like {@link LockEngine#requireLockable}, for a name in this namespace. Called when the lock is first to be taken, and again when nobody has
         * used it for a while.
         *
         * @throws dev.sessionlock.LockException if it cannot be locked
         */
        default void requireLockable(String name) throws IOException {
        }

        /** {@return a new object for the lock of that name} Only while the namespace is pinned. */
        EngineLock lock(String name);

        /** Adds one pin. */
        default void pinAgain() {
        }

        /** Removes one pin. */
        default void unpin() {
        }

        /**
         * Something failed in the way it does when the place was removed or replaced. Looks whether it was; if so, the next {@link #pin} opens the
         * new one.
         */
        default void suspect() throws IOException {
        }
    }

    // ---- inspecting ----

    /** Inspects a lock without disturbing it. */
    Inspection inspect(LockId id) throws IOException;

    /** {@return whether a path means all locks in it rather than one} Only for an engine that locks files. */
    default boolean isDirectory(Path target) {
        return false;
    }

    /**
     * Inspects all locks of a directory without disturbing them. Only for an engine that locks files.
     *
     * @return what can be seen, sorted by name
     */
    default List<Inspection> inspectAll(Path directory) throws IOException {
        throw new UnsupportedOperationException(this + " locks names, not files");
    }

    /**
     * Inspects all locks whose names begin with a prefix, without disturbing them. Only for an engine that locks names.
     *
     * @param prefix how the names begin; empty for all
     * @return what can be seen, sorted by name
     */
    default List<Inspection> inspectAll(String prefix) throws IOException {
        throw new UnsupportedOperationException(this + " locks files, not names");
    }

    // ---- maintenance by the keeper ----

    /**
     * {@return what is open now, as parts that are maintained separately, so that one that blocks does not delay the others} By default the engine is
     * one part. A {@link LockNamespace} that is {@link Maintainable} is maintained together with its locks. The locks of all other namespaces are
     * maintained together with the engine. Memory only, any thread.
     */
    default List<? extends Maintainable> maintained() {
        return List.of(this);
    }

    /**
     * Registers an action that runs whenever a part becomes {@linkplain #isSuspect suspect}. It runs on whichever thread notices, perhaps one that
     * has just been interrupted.
     *
     * @param wake what to run; brief, and memory only
     */
    default void onSuspicion(Runnable wake) {
    }
}

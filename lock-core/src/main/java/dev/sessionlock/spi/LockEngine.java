package dev.sessionlock.spi;

import dev.sessionlock.LockException;
import dev.sessionlock.PastHold;
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
 * <p>An engine locks names. It must implement only {@link #pin}, and its locks must implement six methods: see {@link EngineLock}. An engine that locks files,
 * which are named by paths, is a {@link FileLockEngine}.
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

        /** The order in which several locks are taken. It is the same for all processes once the ids are {@linkplain FileLockEngine#canonical canonical}. */
        @Override
        public int compareTo(LockId other) {
            return parent == null || other.parent == null ? name.compareTo(other.name)
                    : parent.resolve(name).compareTo(other.parent.resolve(other.name));
        }
    }

    /**
     * Finds the lock of a name. Opens no connection yet. By default any name will do.
     *
     * @param name the name
     * @throws LockException if nothing of that name can be locked
     */
    default LockId idOfName(String name) throws IOException {
        return new LockId(null, name, false);
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
    default Inspection inspect(LockId id) throws IOException {
        LockNamespace namespace = pin(id);
        try {
            return new Inspection(id, namespace.lock(id.name()).inspect());
        } finally {
            namespace.unpin();
        }
    }

    /**
     * Inspects all locks whose names begin with a prefix, without disturbing them.
     *
     * @param prefix how the names begin; empty for all
     * @return what can be seen, sorted by name
     * @throws LockException if the engine cannot list its locks, as by default
     */
    default List<Inspection> inspectAll(String prefix) throws IOException {
        throw new LockException("cannot list the locks whose names begin with \"" + prefix + "\": this engine keeps no list of its locks");
    }

    // ---- what happened before ----

    /**
     * Reads the last holds of a lock without disturbing it. What is not written yet ({@link EngineLock#note}) belongs to it.
     *
     * @param most how many entries at most, not negative
     * @return the last holds, the latest end first; empty if the engine keeps no history, as by default
     */
    default List<PastHold> history(LockId id, int most) throws IOException {
        return List.of();
    }

    /**
     * Reads the last holds of all locks whose names begin with a prefix, without disturbing them.
     *
     * @param prefix how the names begin; empty for all
     * @param most how many entries at most, not negative
     * @return the last holds, the latest end first; empty if the engine keeps no history, as by default
     */
    default List<PastHold> historyOfAll(String prefix, int most) throws IOException {
        return List.of();
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

    /** By default nothing stays open while nobody uses a lock. */
    @Override
    default boolean closeIdle(boolean atOnce) {
        return true;
    }
}

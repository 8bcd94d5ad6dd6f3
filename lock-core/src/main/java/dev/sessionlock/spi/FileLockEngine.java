package dev.sessionlock.spi;

import dev.sessionlock.LockException;
import dev.sessionlock.PastHold;
import java.io.IOException;
import java.nio.file.Path;
import java.util.List;

/** An engine whose locks are those of files, so that a path names a lock. A name is a path, too. */
public interface FileLockEngine extends LockEngine {

    /**
     * Finds where the lock of a file is, in whatever way its user named it. Nothing is opened yet.
     *
     * @param target what is to be locked
     * @param networkAllowed whether a network file system is accepted
     * @throws dev.sessionlock.LockException if nothing of that name can be locked
     */
    LockId idOf(Path target, boolean networkAllowed) throws IOException;

    @Override
    default LockId idOfName(String name) throws IOException {
        return idOf(Path.of(name), false);
    }

    /** {@return the one form of it that is the same however its user named it} */
    default LockId canonical(LockId id) throws IOException {
        return id;
    }

    /** {@return whether a path means all locks in it rather than one} */
    default boolean isDirectory(Path target) {
        return false;
    }

    /**
     * Looks at all locks of a directory without disturbing them.
     *
     * @return what can be seen, by name
     * @throws dev.sessionlock.LockException if the engine cannot list its locks, as by default
     */
    default List<Inspection> inspectAll(Path directory) throws IOException {
        throw new LockException("cannot list the locks of " + directory + ": this engine keeps no list of its locks");
    }

    /** As {@link #inspectAll(Path)}: the prefix is a directory. */
    @Override
    default List<Inspection> inspectAll(String prefix) throws IOException {
        return inspectAll(Path.of(prefix));
    }

    /**
     * Reads the last holds of all locks of a directory, without disturbing them.
     *
     * @param most how many entries at most, not negative
     * @return the last holds, the latest end first; empty if the engine keeps no history, as by default
     */
    default List<PastHold> historyOfAll(Path directory, int most) throws IOException {
        return List.of();
    }

    /** As {@link #historyOfAll(Path, int)}: the prefix is a directory. */
    @Override
    default List<PastHold> historyOfAll(String prefix, int most) throws IOException {
        return historyOfAll(Path.of(prefix), most);
    }
}

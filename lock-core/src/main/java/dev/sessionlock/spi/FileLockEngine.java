package dev.sessionlock.spi;

import dev.sessionlock.LockException;
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
}

package dev.sessionlock.spi;

import dev.sessionlock.LockException;
import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import org.jetbrains.annotations.NotNull;

/** An engine whose locks are those of files, so that a path names a lock. A name is a path, too. */
public interface FileLockEngine extends LockEngine {

    /**
     * Finds where the lock of a file is, in whatever way its user named it. Nothing is opened yet.
     *
     * @param target what is to be locked
     * @param networkAllowed whether a network file system is accepted
     * @throws dev.sessionlock.LockException if nothing of that name can be locked
     */
    @NotNull LockId idOf(@NotNull Path target, boolean networkAllowed) throws IOException;

    @Override
    default @NotNull LockId idOfName(@NotNull String name) throws IOException {
        return idOf(Path.of(name), false);
    }

    /** {@return the one form of it that is the same however its user named it} */
    default @NotNull LockId canonical(@NotNull LockId id) throws IOException {
        return id;
    }

    /** {@return whether a path means all locks in it rather than one} */
    default boolean isDirectory(@NotNull Path target) {
        return false;
    }

    /**
     * Looks at all locks of a directory without disturbing them.
     *
     * @return what can be seen, by name
     * @throws dev.sessionlock.LockException if the engine cannot list its locks, as by default
     */
    default @NotNull List<Inspection> inspectAll(@NotNull Path directory) throws IOException {
        throw new LockException("cannot list the locks of " + directory + ": this engine keeps no list of its locks");
    }

    /** As {@link #inspectAll(Path)}: the prefix is a directory. */
    @Override
    default @NotNull List<Inspection> inspectAll(@NotNull String prefix) throws IOException {
        return inspectAll(Path.of(prefix));
    }
}

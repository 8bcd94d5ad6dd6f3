package dev.sessionlock.internal.directory;

import dev.sessionlock.internal.system.Failures;
import java.io.IOException;
import java.nio.file.AccessDeniedException;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.FileSystemException;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.concurrent.atomic.AtomicInteger;
import org.jspecify.annotations.Nullable;

/**
 * By which path the files of a directory are reached. A user who is neither this process's nor root may be able to replace a file that was just created
 * or looked at, by a link or another file: the owner of the directory, a user who may write to it, or the owner of a directory above. Then nothing is
 * opened, created, linked, renamed or removed by a path that could lead elsewhere. The directory and {@code .session-locks} are opened once, and all
 * paths begin at the open directory ({@link DescriptorPath}): they are <em>anchored</em>. Elsewhere they are plain paths.
 *
 * <p>A person never sees an anchored path: exceptions are given the path that the person knows.
 */
final class AnchoredPaths {
    private final Path home;
    /** The directory, open, where others may change names; else null. */
    private final @Nullable DescriptorPath anchor;
    /** {@code .session-locks}, likewise. */
    private volatile @Nullable DescriptorPath inner;
    /** The users of the open directories: a {@link LockDirectory}, and its guard files, which another path of the same directory may use as well. */
    private final AtomicInteger users = new AtomicInteger(1);

    AnchoredPaths(Path home, @Nullable DescriptorPath anchor) {
        this.home = home;
        this.anchor = anchor;
    }

    /** Adds a user; the first is whoever created this. */
    void enter() {
        users.incrementAndGet();
    }

    /** Removes a user. With the last one, what is open is closed. */
    void leave() throws IOException {
        if (users.decrementAndGet() == 0 && anchor != null) {
            Failures.closeAll(Arrays.asList(inner, anchor));
        }
    }

    /** {@code .session-locks} is reached through this from now on; it is closed with the last user. */
    void enterInner(DescriptorPath open) throws IOException {
        DescriptorPath before = inner;
        inner = open;
        if (before != null) {
            before.close();
        }
    }

    // ---- by which path ----

    /** {@return whether others may change names here, so that names are looked up in open directories, and not by the whole path} */
    boolean areAnchored() {
        return anchor != null;
    }

    /** {@return the path by which the directory is reached} */
    Path home() {
        DescriptorPath open = anchor;
        return open == null ? home : open.path();
    }

    /** {@return the path by which {@code .session-locks} is reached} */
    Path inner() {
        DescriptorPath open = inner;
        return open == null ? home.resolve(LockDirectory.INNER) : open.path();
    }

    /** {@return the path by which a file is reached that a person knows by this one} */
    Path reached(Path named) {
        DescriptorPath folder = inner;
        Path parent = named.getParent();
        if (anchor == null || parent == null) {
            return named;
        } else if (parent.equals(home)) {
            return anchor.path().resolve(named.getFileName());
        }
        return folder != null && parent.equals(home.resolve(LockDirectory.INNER)) ? folder.path().resolve(named.getFileName()) : named;
    }

    /** {@return the path that a person knows} */
    Path named(Path reached) {
        DescriptorPath folder = inner;
        Path parent = reached.getParent();
        if (anchor == null || parent == null) {
            return reached;
        } else if (parent.equals(anchor.path())) {
            return home.resolve(reached.getFileName());
        }
        return folder != null && parent.equals(folder.path()) ? home.resolve(LockDirectory.INNER).resolve(reached.getFileName()) : reached;
    }

    /** {@return an exception with the path that a person knows, for a failure on a file} */
    FileSystemException named(FileSystemException e, Path file) {
        Path known = named(file);
        if (known.equals(file)) {
            return e;
        }
        FileSystemException told = e instanceof AccessDeniedException ? new AccessDeniedException(known.toString(), null, e.getReason())
                : e instanceof NoSuchFileException ? new NoSuchFileException(known.toString(), null, e.getReason())
                : e instanceof FileAlreadyExistsException ? new FileAlreadyExistsException(known.toString(), null, e.getReason())
                : new FileSystemException(known.toString(), null, e.getReason());
        told.initCause(e);
        return told;
    }

    /** {@return an exception with the path that a person knows, for a failure on the path that we used} */
    IOException named(IOException e) {
        if (anchor == null || e.getMessage() == null) {
            return e;
        } else if (e instanceof FileSystemException known && known.getFile() != null) {
            return named(known, Path.of(known.getFile()));
        }
        String told = e.getMessage().replace(inner() + "/", home.resolve(LockDirectory.INNER) + "/").replace(home() + "/", home + "/");
        return told.equals(e.getMessage()) ? e : new IOException(told, e);
    }
}

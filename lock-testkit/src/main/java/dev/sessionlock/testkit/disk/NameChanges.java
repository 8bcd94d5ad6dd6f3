package dev.sessionlock.testkit.disk;

import java.io.IOException;
import java.io.InputStream;
import java.nio.file.CopyOption;
import java.nio.file.DirectoryStream;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.attribute.BasicFileAttributes;
import java.nio.file.attribute.FileAttribute;
import java.nio.file.spi.FileSystemProvider;
import java.util.Arrays;
import java.util.HashSet;
import java.util.Objects;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * Changes of names beneath the lab's directory, each a step that is recorded: new directories and links, deletions, renames. What the system refuses
 * is no step, so it is left to the system to refuse it.
 */
final class NameChanges {
    private final FileSystemProvider real;
    private final RealFiles files;

    /**
     * @param real what changes the names
     * @param files what is asked about them
     */
    NameChanges(FileSystemProvider real, RealFiles files) {
        this.real = real;
        this.files = files;
    }

    void createDirectory(DiskPath place, FileAttribute<?>... attrs) throws IOException {
        Path path = place.path();
        place.alone(() -> {
            if (files.exists(path) || !files.hasParent(path)) {
                real.createDirectory(path, attrs); // it refuses
                return;
            }
            place.change(place.operation(OperationType.MKDIR), () -> {
                real.createDirectory(path, attrs);
                place.injector().record(new Effect.Made(place.name(), files.inode(path), 'd', "", files.mode(path)));
            });
        });
    }

    void createSymbolicLink(DiskPath place, Path to, FileAttribute<?>... attrs) throws IOException {
        Path path = place.path();
        place.alone(() -> {
            if (files.exists(path) || !files.hasParent(path) || attrs.length > 0) {
                real.createSymbolicLink(path, to, attrs); // it refuses
                return;
            }
            place.change(place.operation(OperationType.SYMLINK), () -> {
                real.createSymbolicLink(path, to, attrs);
                recordNew(place.injector(), path);
            });
        });
    }

    void createLink(DiskPath place, Path to) throws IOException {
        Path path = place.path();
        place.alone(() -> {
            if (files.exists(path) || !files.hasParent(path) || !files.exists(to)) {
                real.createLink(path, to); // it refuses
                return;
            }
            place.change(Operation.on(OperationType.LINK, path, to), () -> {
                real.createLink(path, to);
                if (place.injector().nameOf(to) != null) {
                    place.injector().record(new Effect.Linked(place.name(), files.inode(path, LinkOption.NOFOLLOW_LINKS)));
                } else {
                    recordNew(place.injector(), path);
                }
            });
        });
    }

    /** {@return whether it was deleted as a step; false if it does not exist or is not empty} */
    boolean delete(DiskPath place) throws IOException {
        return place.injector().alone(() -> {
            BasicFileAttributes found = files.attributes(place.path(), LinkOption.NOFOLLOW_LINKS);
            if (found == null || files.isFullDirectory(place.path(), found)) {
                return false;
            }
            remove(place);
            return true;
        });
    }

    /** Deletes what the caller has seen there. */
    void remove(DiskPath place) throws IOException {
        place.change(place.operation(OperationType.DELETE), () -> {
            real.delete(place.path());
            place.injector().record(new Effect.Removed(place.name()));
        });
    }

    /**
     * Renames.
     *
     * @param old the source's place; null if that lies elsewhere
     * @param fresh the target's place; null if that lies elsewhere
     */
    void move(Path from, Path to, @Nullable DiskPath old, @Nullable DiskPath fresh, CopyOption... options) throws IOException {
        DiskPath either = fresh != null ? fresh : Objects.requireNonNull(old);
        either.alone(() -> {
            BasicFileAttributes moved = files.attributes(from, LinkOption.NOFOLLOW_LINKS);
            BasicFileAttributes there = files.attributes(to, LinkOption.NOFOLLOW_LINKS);
            Set<CopyOption> how = new HashSet<>(Arrays.asList(options));
            boolean atomic = how.contains(StandardCopyOption.ATOMIC_MOVE);
            if (moved == null || !files.hasParent(to) || there != null && (RealFiles.isSame(moved, there)
                    || !atomic && (!how.contains(StandardCopyOption.REPLACE_EXISTING) || files.isFullDirectory(to, there)))) {
                real.move(from, to, options); // it refuses, or does nothing
                return;
            }
            if (there != null && !atomic && fresh != null) {
                remove(fresh);
            }
            either.change(Operation.on(OperationType.RENAME, from, to), () -> {
                real.move(from, to, options);
                recordMoved(old, fresh);
            });
        });
    }

    private void recordMoved(@Nullable DiskPath old, @Nullable DiskPath fresh) throws IOException {
        if (old != null && fresh != null) {
            fresh.injector().record(new Effect.Renamed(old.name(), fresh.name()));
        } else if (fresh != null) {
            recordNew(fresh.injector(), fresh.path());
        } else if (old != null) {
            old.injector().record(new Effect.Removed(old.name()));
        }
    }

    /** Records a file, or a tree, that has come from elsewhere. */
    void recordNew(FaultInjector injector, Path path) throws IOException {
        String name = injector.nameOf(path);
        BasicFileAttributes found = real.readAttributes(path, BasicFileAttributes.class, LinkOption.NOFOLLOW_LINKS);
        long inode = files.inode(path, LinkOption.NOFOLLOW_LINKS);
        int mode = files.mode(path, LinkOption.NOFOLLOW_LINKS);
        if (name == null) {
            return;
        } else if (found.isSymbolicLink()) {
            injector.record(new Effect.Made(name, inode, 'l', real.readSymbolicLink(path).toString(), mode));
        } else if (found.isDirectory()) {
            injector.record(new Effect.Made(name, inode, 'd', "", mode));
            try (DirectoryStream<Path> entries = real.newDirectoryStream(path, entry -> true)) {
                for (Path entry : entries) {
                    recordNew(injector, entry);
                }
            }
        } else {
            injector.record(new Effect.Made(name, inode, 'f', "", mode));
            if (found.isRegularFile()) {
                try (InputStream in = real.newInputStream(path)) {
                    injector.record(new Effect.Wrote(inode, 0, in.readAllBytes()));
                }
            }
        }
    }
}

package dev.sessionlock.testkit.disk;

import java.io.IOException;
import java.nio.file.LinkOption;
import java.nio.file.OpenOption;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.BasicFileAttributes;
import java.util.Set;

/** Opens files beneath the lab's directory. What the options ask for besides, to create, empty or delete the file, is a step of its own kind. */
record FileOpening(RealFiles files) {

    /** The operation of the system. */
    interface Opener<C> {
        C open() throws IOException;
    }

    /** The result of opening a file: the channel, and the file's inode. */
    record Opened<C>(C channel, long inode) {
    }

    <C> Opened<C> open(DiskPath place, Set<? extends OpenOption> options, Opener<C> opener) throws IOException {
        return place.injector().alone(() -> {
            boolean writes = options.contains(StandardOpenOption.WRITE) || options.contains(StandardOpenOption.APPEND);
            boolean exclusive = writes && options.contains(StandardOpenOption.CREATE_NEW);
            BasicFileAttributes found = exclusive || options.contains(LinkOption.NOFOLLOW_LINKS)
                    ? files.attributes(place.path(), LinkOption.NOFOLLOW_LINKS) : files.attributes(place.path());
            if (found == null && writes && (exclusive || options.contains(StandardOpenOption.CREATE)) && files.hasParent(place.path())) {
                return place.injector().change(place.operation(OperationType.CREATE), () -> created(place, opener));
            }
            Opener<Opened<C>> opening = () -> opened(place, options.contains(StandardOpenOption.DELETE_ON_CLOSE), opener);
            if (found != null && !exclusive && writes && options.contains(StandardOpenOption.TRUNCATE_EXISTING)
                    && !options.contains(StandardOpenOption.APPEND) && found.isRegularFile() && found.size() > 0) {
                return place.injector().change(place.operation(OperationType.TRUNCATE), () -> {
                    long inode = files.inode(place.path());
                    Opened<C> opened = opening.open();
                    place.injector().record(new Effect.Resized(inode, 0));
                    return opened;
                });
            }
            place.injector().look(place.operation(OperationType.OPEN));
            return opening.open();
        });
    }

    private <C> Opened<C> created(DiskPath place, Opener<C> opener) throws IOException {
        C channel = opener.open();
        if (!files.exists(place.path())) {
            return new Opened<>(channel, place.injector().nameless()); // DELETE_ON_CLOSE: the JDK unlinks it at once
        }
        Path path = place.path().toRealPath(); // a dangling symbolic link has created the file that it points to
        String name = place.injector().nameOf(path);
        long inode = files.inode(path);
        if (name != null) {
            place.injector().record(new Effect.Made(name, inode, 'f', "", files.mode(path)));
        }
        return new Opened<>(channel, inode);
    }

    private <C> Opened<C> opened(DiskPath place, boolean unlinks, Opener<C> opener) throws IOException {
        if (!unlinks) {
            C channel = opener.open();
            return new Opened<>(channel, files.inode(place.path()));
        }
        return place.injector().change(place.operation(OperationType.DELETE), () -> {
            long inode = files.attributes(place.path()) == null ? place.injector().nameless() : files.inode(place.path());
            C channel = opener.open();
            if (!files.exists(place.path())) {
                place.injector().record(new Effect.Removed(place.name()));
            }
            return new Opened<>(channel, inode);
        });
    }
}

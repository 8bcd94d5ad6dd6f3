package dev.sessionlock.testkit.disk;

import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.net.URI;
import java.nio.ByteBuffer;
import java.nio.channels.AsynchronousFileChannel;
import java.nio.channels.Channels;
import java.nio.channels.FileChannel;
import java.nio.channels.SeekableByteChannel;
import java.nio.file.AccessMode;
import java.nio.file.CopyOption;
import java.nio.file.DirectoryStream;
import java.nio.file.FileStore;
import java.nio.file.FileSystem;
import java.nio.file.FileSystemException;
import java.nio.file.LinkOption;
import java.nio.file.OpenOption;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.BasicFileAttributes;
import java.nio.file.attribute.FileAttribute;
import java.nio.file.attribute.FileAttributeView;
import java.nio.file.attribute.PosixFileAttributeView;
import java.nio.file.attribute.PosixFileAttributes;
import java.nio.file.attribute.PosixFilePermissions;
import java.nio.file.spi.FileSystemProvider;
import java.util.Arrays;
import java.util.Collections;
import java.util.HashSet;
import java.util.Iterator;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import java.util.concurrent.ExecutorService;
import org.jspecify.annotations.Nullable;

/**
 * The default provider of a JVM that runs in a lab ({@code -Djava.nio.file.spi.DefaultFileSystemProvider}): the system's own, except that every
 * operation beneath the lab's directory goes through a {@link FaultInjector}. Paths and file system are the lab's as well. If they were the system's,
 * every operation would go straight to the system's provider.
 *
 * <p>What the JDK does in several system calls is several operations here: a {@code Files.copy}, and a {@code Files.move} with
 * {@code REPLACE_EXISTING} but without {@code ATOMIC_MOVE}, which deletes the target before it renames (JDK 17 and 25).
 */
public final class LabFileSystemProvider extends FileSystemProvider {
    private static final int COPIED_AT_ONCE = 64 * 1024;
    private static final int PERMISSIONS = 07777;
    private static final StackWalker STACK = StackWalker.getInstance();

    private final FileSystemProvider real;
    private final LabFileSystem fileSystem;
    private volatile @Nullable FaultInjector injector;

    /** Called by the JDK, when it starts. */
    public LabFileSystemProvider(FileSystemProvider real) {
        this.real = real;
        this.fileSystem = new LabFileSystem(this, real.getFileSystem(URI.create("file:///")));
    }

    /**
     * From now on, operations beneath a directory go through a fault injector.
     *
     * @param directory the directory; one of the lab's paths
     * @param plan the fault
     * @param locksCount whether to count what a thread of the program does for its locks
     * @param lab to be told
     * @param journal to record the operations
     * @throws IOException if the directory does not exist
     */
    public void arm(Path directory, Plan plan, boolean locksCount, FaultInjector.Lab lab, OutputStream journal)
            throws IOException {
        injector = new FaultInjector(LabPath.real(directory).toRealPath(), plan, locksCount, lab, journal);
    }

    /** Where an operation takes place, beneath the lab's directory. */
    private record DiskPath(FaultInjector injector, Path path, String name) {
        Operation operation(OperationType type) {
            return Operation.on(type, path);
        }
    }

    /** {@return the place of a path; null if the path lies elsewhere} */
    private @Nullable DiskPath place(Path path) {
        FaultInjector armed = injector;
        String name = armed == null ? null : armed.nameOf(path);
        return name == null ? null : new DiskPath(armed, path, name);
    }

    private @Nullable BasicFileAttributes attributes(Path path, LinkOption... options) {
        try {
            return real.readAttributes(path, BasicFileAttributes.class, options);
        } catch (IOException e) {
            return null;
        }
    }

    private boolean exists(Path path) {
        return attributes(path, LinkOption.NOFOLLOW_LINKS) != null;
    }

    private boolean hasParent(Path path) {
        Path parent = path.toAbsolutePath().getParent();
        return parent != null && attributes(parent) != null;
    }

    private long inode(Path path, LinkOption... options) throws IOException {
        return ((Number) real.readAttributes(path, "unix:ino", options).get("ino")).longValue();
    }

    private int mode(Path path, LinkOption... options) throws IOException {
        return ((Number) real.readAttributes(path, "unix:mode", options).get("mode")).intValue() & PERMISSIONS;
    }

    private boolean isFullDirectory(Path path, BasicFileAttributes attributes) throws IOException {
        if (!attributes.isDirectory()) {
            return false;
        }
        try (DirectoryStream<Path> entries = real.newDirectoryStream(path, entry -> true)) {
            return entries.iterator().hasNext();
        }
    }

    // ---- file system and paths ----

    @Override
    public String getScheme() {
        return real.getScheme();
    }

    @Override
    public FileSystem newFileSystem(URI uri, Map<String, ?> env) throws IOException {
        return real.newFileSystem(uri, env); // it refuses: the file system exists
    }

    @Override
    public FileSystem getFileSystem(URI uri) {
        real.getFileSystem(uri); // it refuses what is not its own
        return fileSystem;
    }

    @Override
    public Path getPath(URI uri) {
        return fileSystem.wrap(real.getPath(uri));
    }

    // ---- opening ----

    private interface Opener<C> {
        C open() throws IOException;
    }

    /** The result of opening a file: the channel, and the file's inode. */
    private record Opened<C>(C channel, long inode) {
    }

    private <C> Opened<C> open(DiskPath place, Set<? extends OpenOption> options, Opener<C> opener) throws IOException {
        return place.injector.alone(() -> {
            boolean writes = options.contains(StandardOpenOption.WRITE) || options.contains(StandardOpenOption.APPEND);
            boolean exclusive = writes && options.contains(StandardOpenOption.CREATE_NEW);
            BasicFileAttributes found = exclusive || options.contains(LinkOption.NOFOLLOW_LINKS)
                    ? attributes(place.path, LinkOption.NOFOLLOW_LINKS) : attributes(place.path);
            if (found == null && writes && (exclusive || options.contains(StandardOpenOption.CREATE)) && hasParent(place.path)) {
                return place.injector.change(place.operation(OperationType.CREATE), () -> created(place, opener));
            }
            Opener<Opened<C>> opening = () -> opened(place, options.contains(StandardOpenOption.DELETE_ON_CLOSE), opener);
            if (found != null && !exclusive && writes && options.contains(StandardOpenOption.TRUNCATE_EXISTING)
                    && !options.contains(StandardOpenOption.APPEND) && found.isRegularFile() && found.size() > 0) {
                return place.injector.change(place.operation(OperationType.TRUNCATE), () -> {
                    long inode = inode(place.path);
                    Opened<C> opened = opening.open();
                    place.injector.record(new Effect.Resized(inode, 0));
                    return opened;
                });
            }
            place.injector.look(place.operation(OperationType.OPEN));
            return opening.open();
        });
    }

    private <C> Opened<C> created(DiskPath place, Opener<C> opener) throws IOException {
        C channel = opener.open();
        if (!exists(place.path)) {
            return new Opened<>(channel, place.injector.nameless()); // DELETE_ON_CLOSE: the JDK unlinks it at once
        }
        Path path = place.path.toRealPath(); // a dangling symbolic link has created the file that it points to
        String name = place.injector.nameOf(path);
        long inode = inode(path);
        if (name != null) {
            place.injector.record(new Effect.Made(name, inode, 'f', "", mode(path)));
        }
        return new Opened<>(channel, inode);
    }

    private <C> Opened<C> opened(DiskPath place, boolean unlinks, Opener<C> opener) throws IOException {
        if (!unlinks) {
            C channel = opener.open();
            return new Opened<>(channel, inode(place.path));
        }
        return place.injector.change(place.operation(OperationType.DELETE), () -> {
            long inode = attributes(place.path) == null ? place.injector.nameless() : inode(place.path);
            C channel = opener.open();
            if (!exists(place.path)) {
                place.injector.record(new Effect.Removed(place.name));
            }
            return new Opened<>(channel, inode);
        });
    }

    private FileChannel channel(Path path, Set<? extends OpenOption> options, boolean uninterruptible, FileAttribute<?>... attrs)
            throws IOException {
        Path file = LabPath.real(path);
        DiskPath place = place(file);
        if (place == null) {
            return real.newFileChannel(file, options, attrs);
        }
        Opened<FileChannel> opened = open(place, options, () -> real.newFileChannel(file, options, attrs));
        return new LabFileChannel(place.injector, file, opened.channel, opened.inode, options, uninterruptible);
    }

    @Override
    public FileChannel newFileChannel(Path path, Set<? extends OpenOption> options,
                                               FileAttribute<?>... attrs) throws IOException {
        return channel(path, options, false, attrs);
    }

    @Override
    public SeekableByteChannel newByteChannel(Path path, Set<? extends OpenOption> options,
                                                       FileAttribute<?>... attrs) throws IOException {
        return channel(path, options, isReadWhole(), attrs);
    }

    /** Files.readAllBytes and its like make the JDK's own channel immune to interrupts, and cannot do so with ours. */
    private static boolean isReadWhole() {
        return STACK.walk(frames -> frames.limit(6).anyMatch(frame -> frame.getClassName().equals("java.nio.file.Files")
                && frame.getMethodName().startsWith("read")));
    }

    @Override
    public InputStream newInputStream(Path path, OpenOption... options) throws IOException {
        Path file = LabPath.real(path);
        if (place(file) == null) {
            return real.newInputStream(file, options);
        }
        Set<OpenOption> all = new HashSet<>(Arrays.asList(options));
        if (all.contains(StandardOpenOption.APPEND) || all.contains(StandardOpenOption.WRITE)) {
            return real.newInputStream(file, options); // it refuses
        }
        return Channels.newInputStream(channel(path, all, true));
    }

    @Override
    public OutputStream newOutputStream(Path path, OpenOption... options) throws IOException {
        Path file = LabPath.real(path);
        Set<OpenOption> all = new HashSet<>(Arrays.asList(options));
        if (place(file) == null || all.contains(StandardOpenOption.READ)) {
            return real.newOutputStream(file, options); // it refuses, if it is to read
        }
        if (options.length == 0) {
            Collections.addAll(all, StandardOpenOption.CREATE, StandardOpenOption.TRUNCATE_EXISTING);
        }
        all.add(StandardOpenOption.WRITE);
        return Channels.newOutputStream(channel(path, all, true));
    }

    @Override
    public AsynchronousFileChannel newAsynchronousFileChannel(Path path, Set<? extends OpenOption> options,
            ExecutorService executor, FileAttribute<?>... attrs) throws IOException {
        Path file = LabPath.real(path);
        DiskPath place = place(file);
        if (place == null) {
            return real.newAsynchronousFileChannel(file, options, executor, attrs);
        }
        Opened<AsynchronousFileChannel> opened = open(place, options,
                () -> real.newAsynchronousFileChannel(file, options, executor, attrs));
        return new LabAsynchronousFileChannel(place.injector, file, opened.channel, opened.inode, options, executor);
    }

    // ---- directories and names ----

    @Override
    public DirectoryStream<Path> newDirectoryStream(Path dir, DirectoryStream.Filter<? super Path> filter)
            throws IOException {
        Path directory = LabPath.real(dir);
        DiskPath place = place(directory);
        if (place != null) {
            place.injector.look(place.operation(OperationType.LIST));
        }
        Objects.requireNonNull(filter);
        DirectoryStream<Path> entries = real.newDirectoryStream(directory, entry -> filter.accept(fileSystem.wrap(entry)));
        return new DirectoryStream<>() {
            @Override
            public Iterator<Path> iterator() {
                Iterator<Path> all = entries.iterator();
                return new Iterator<>() {
                    @Override
                    public boolean hasNext() {
                        return all.hasNext();
                    }

                    @Override
                    public Path next() {
                        return fileSystem.wrap(all.next());
                    }
                };
            }

            @Override
            public void close() throws IOException {
                entries.close();
            }
        };
    }

    /** An operation that returns nothing. */
    private interface PathOperation {
        void run() throws IOException;
    }

    private static void change(DiskPath place, Operation operation, PathOperation action) throws IOException {
        place.injector.change(operation, () -> {
            action.run();
            return null;
        });
    }

    private static void alone(DiskPath place, PathOperation action) throws IOException {
        place.injector.alone(() -> {
            action.run();
            return null;
        });
    }

    @Override
    public void createDirectory(Path dir, FileAttribute<?>... attrs) throws IOException {
        Path path = LabPath.real(dir);
        DiskPath place = place(path);
        if (place == null) {
            real.createDirectory(path, attrs);
            return;
        }
        alone(place, () -> {
            if (exists(path) || !hasParent(path)) {
                real.createDirectory(path, attrs); // it refuses
                return;
            }
            change(place, place.operation(OperationType.MKDIR), () -> {
                real.createDirectory(path, attrs);
                place.injector.record(new Effect.Made(place.name, inode(path), 'd', "", mode(path)));
            });
        });
    }

    @Override
    public void createSymbolicLink(Path link, Path target, FileAttribute<?>... attrs) throws IOException {
        Path path = LabPath.real(link);
        Path to = LabPath.real(target);
        DiskPath place = place(path);
        if (place == null) {
            real.createSymbolicLink(path, to, attrs);
            return;
        }
        alone(place, () -> {
            if (exists(path) || !hasParent(path) || attrs.length > 0) {
                real.createSymbolicLink(path, to, attrs); // it refuses
                return;
            }
            change(place, place.operation(OperationType.SYMLINK), () -> {
                real.createSymbolicLink(path, to, attrs);
                recordNew(place.injector, path);
            });
        });
    }

    @Override
    public void createLink(Path link, Path existing) throws IOException {
        Path path = LabPath.real(link);
        Path to = LabPath.real(existing);
        DiskPath place = place(path);
        if (place == null) {
            real.createLink(path, to);
            return;
        }
        alone(place, () -> {
            if (exists(path) || !hasParent(path) || !exists(to)) {
                real.createLink(path, to); // it refuses
                return;
            }
            change(place, Operation.on(OperationType.LINK, path, to), () -> {
                real.createLink(path, to);
                if (place.injector.nameOf(to) != null) {
                    place.injector.record(new Effect.Linked(place.name, inode(path, LinkOption.NOFOLLOW_LINKS)));
                } else {
                    recordNew(place.injector, path);
                }
            });
        });
    }

    @Override
    public void delete(Path path) throws IOException {
        Path file = LabPath.real(path);
        if (!deleted(file)) {
            real.delete(file); // it refuses, most likely
        }
    }

    @Override
    public boolean deleteIfExists(Path path) throws IOException {
        Path file = LabPath.real(path);
        return deleted(file) || real.deleteIfExists(file);
    }

    /** {@return whether it was deleted as a step; false if it does not exist, is not empty, or lies elsewhere} */
    private boolean deleted(Path file) throws IOException {
        DiskPath place = place(file);
        return place != null && place.injector.alone(() -> {
            BasicFileAttributes found = attributes(file, LinkOption.NOFOLLOW_LINKS);
            if (found == null || isFullDirectory(file, found)) {
                return false;
            }
            remove(place);
            return true;
        });
    }

    private void remove(DiskPath place) throws IOException {
        change(place, place.operation(OperationType.DELETE), () -> {
            real.delete(place.path);
            place.injector.record(new Effect.Removed(place.name));
        });
    }

    @Override
    public void move(Path source, Path target, CopyOption... options) throws IOException {
        Path from = LabPath.real(source);
        Path to = LabPath.real(target);
        DiskPath old = place(from);
        DiskPath fresh = place(to);
        DiskPath either = fresh != null ? fresh : old;
        if (either == null) {
            real.move(from, to, options);
            return;
        }
        alone(either, () -> {
            BasicFileAttributes moved = attributes(from, LinkOption.NOFOLLOW_LINKS);
            BasicFileAttributes there = attributes(to, LinkOption.NOFOLLOW_LINKS);
            Set<CopyOption> how = new HashSet<>(Arrays.asList(options));
            boolean atomic = how.contains(StandardCopyOption.ATOMIC_MOVE);
            if (moved == null || !hasParent(to) || there != null && (isSame(moved, there)
                    || !atomic && (!how.contains(StandardCopyOption.REPLACE_EXISTING) || isFullDirectory(to, there)))) {
                real.move(from, to, options); // it refuses, or does nothing
                return;
            }
            if (there != null && !atomic && fresh != null) {
                remove(fresh);
            }
            change(either, Operation.on(OperationType.RENAME, from, to), () -> {
                real.move(from, to, options);
                recordMoved(old, fresh);
            });
        });
    }

    private static boolean isSame(BasicFileAttributes one, BasicFileAttributes other) {
        return one.fileKey() != null && one.fileKey().equals(other.fileKey());
    }

    private void recordMoved(@Nullable DiskPath old, @Nullable DiskPath fresh) throws IOException {
        if (old != null && fresh != null) {
            fresh.injector.record(new Effect.Renamed(old.name, fresh.name));
        } else if (fresh != null) {
            recordNew(fresh.injector, fresh.path);
        } else if (old != null) {
            old.injector.record(new Effect.Removed(old.name));
        }
    }

    /** Records a file, or a tree, that has come from elsewhere. */
    private void recordNew(FaultInjector injector, Path path) throws IOException {
        String name = injector.nameOf(path);
        BasicFileAttributes found = real.readAttributes(path, BasicFileAttributes.class, LinkOption.NOFOLLOW_LINKS);
        long inode = inode(path, LinkOption.NOFOLLOW_LINKS);
        int mode = mode(path, LinkOption.NOFOLLOW_LINKS);
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

    // ---- copying, which is several operations ----

    @Override
    public void copy(Path source, Path target, CopyOption... options) throws IOException {
        Path from = LabPath.real(source);
        Path to = LabPath.real(target);
        DiskPath read = place(from);
        DiskPath written = place(to);
        if (read == null && written == null) {
            real.copy(from, to, options);
            return;
        }
        Set<CopyOption> how = new HashSet<>(Arrays.asList(options));
        LinkOption[] links = how.contains(LinkOption.NOFOLLOW_LINKS) ? new LinkOption[]{LinkOption.NOFOLLOW_LINKS} : new LinkOption[0];
        BasicFileAttributes copied = attributes(from, links);
        BasicFileAttributes there = attributes(to, LinkOption.NOFOLLOW_LINKS);
        if (read != null && copied != null) {
            read.injector.look(read.operation(OperationType.OPEN));
        }
        if (written == null || copied == null || !hasParent(to) || how.contains(StandardCopyOption.ATOMIC_MOVE) || there != null
                && (isSame(copied, there) || !how.contains(StandardCopyOption.REPLACE_EXISTING) || isFullDirectory(to, there))) {
            real.copy(from, to, options); // it refuses, does nothing, or copies to elsewhere
            return;
        }
        if (there != null) {
            alone(written, () -> remove(written));
        }
        if (copied.isRegularFile()) {
            copyFile(from, written, how.contains(StandardCopyOption.COPY_ATTRIBUTES));
        } else {
            alone(written, () -> change(written, written.operation(copied.isDirectory() ? OperationType.MKDIR : OperationType.SYMLINK), () -> {
                real.copy(from, to, options);
                recordNew(written.injector, to);
            }));
        }
    }

    private void copyFile(Path from, DiskPath to, boolean attributes) throws IOException {
        Set<OpenOption> fresh = Set.of(StandardOpenOption.CREATE_NEW, StandardOpenOption.WRITE);
        FileAttribute<?>[] mode = {PosixFilePermissions.asFileAttribute(
                real.readAttributes(from, PosixFileAttributes.class).permissions())};
        try (InputStream in = real.newInputStream(from);
             FileChannel out = channel(fileSystem.wrap(to.path), fresh, true, mode)) {
            for (byte[] some = in.readNBytes(COPIED_AT_ONCE); some.length > 0; some = in.readNBytes(COPIED_AT_ONCE)) {
                write(out, some, from, to);
            }
        }
        if (attributes) {
            alone(to, () -> change(to, to.operation(OperationType.ATTRIBUTES), () -> {
                copyAttributes(from, to.path);
                to.injector.record(new Effect.Mode(inode(to.path), mode(to.path)));
            }));
        }
    }

    private void write(FileChannel out, byte[] some, Path from, DiskPath to) throws IOException {
        try {
            for (ByteBuffer rest = ByteBuffer.wrap(some); rest.hasRemaining(); ) {
                out.write(rest);
            }
        } catch (IOException e) {
            deleted(to.path); // the JDK, too, deletes what it could not copy whole
            throw new FileSystemException(from.toString(), to.path.toString(), e.getMessage());
        }
    }

    private void copyAttributes(Path from, Path to) throws IOException {
        PosixFileAttributes attributes = real.readAttributes(from, PosixFileAttributes.class);
        PosixFileAttributeView view = real.getFileAttributeView(to, PosixFileAttributeView.class);
        view.setTimes(attributes.lastModifiedTime(), attributes.lastAccessTime(), null);
        try {
            view.setOwner(attributes.owner());
            view.setGroup(attributes.group());
        } catch (IOException e) {
            // only root may change owners; the JDK, too, goes on without
        }
        view.setPermissions(attributes.permissions());
    }

    // ---- reading, and attributes ----

    @Override
    public boolean isSameFile(Path path, Path other) throws IOException {
        Path second = Objects.requireNonNull(other) instanceof LabPath ours ? ours.real() : other;
        return real.isSameFile(LabPath.real(path), second);
    }

    @Override
    public boolean isHidden(Path path) throws IOException {
        return real.isHidden(LabPath.real(path));
    }

    @Override
    public FileStore getFileStore(Path path) throws IOException {
        return real.getFileStore(LabPath.real(path));
    }

    @Override
    public void checkAccess(Path path, AccessMode... modes) throws IOException {
        real.checkAccess(LabPath.real(path), modes);
    }

    @Override
    public Path readSymbolicLink(Path link) throws IOException {
        return fileSystem.wrap(real.readSymbolicLink(LabPath.real(link)));
    }

    @Override
    public <A extends BasicFileAttributes> A readAttributes(Path path, Class<A> type, LinkOption... options)
            throws IOException {
        return real.readAttributes(LabPath.real(path), type, options);
    }

    @Override
    public Map<String, Object> readAttributes(Path path, String attributes, LinkOption... options)
            throws IOException {
        return real.readAttributes(LabPath.real(path), attributes, options);
    }

    @Override
    public void setAttribute(Path path, String attribute, Object value, LinkOption... options)
            throws IOException {
        Path file = LabPath.real(path);
        DiskPath place = place(file);
        if (place == null) {
            real.setAttribute(file, attribute, value, options);
        } else {
            changeAttributes(place, () -> real.setAttribute(file, attribute, value, options), options);
        }
    }

    private void changeAttributes(DiskPath place, PathOperation action, LinkOption... options) throws IOException {
        alone(place, () -> {
            if (attributes(place.path, options) == null) {
                action.run(); // it refuses
                return;
            }
            change(place, place.operation(OperationType.ATTRIBUTES), () -> {
                action.run();
                place.injector.record(new Effect.Mode(inode(place.path, options), mode(place.path, options)));
            });
        });
    }

    @Override
    public <V extends FileAttributeView> @Nullable V getFileAttributeView(Path path, Class<V> type,
                                                                         LinkOption... options) {
        Path file = LabPath.real(path);
        V view = real.getFileAttributeView(file, type, options);
        DiskPath place = view == null ? null : place(file);
        return place == null ? view : LabAttributeView.of(type, view, change -> changeAttributes(place, change::run, options));
    }
}

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
    /** The argument that makes it the default provider of a JVM. */
    public static final String AS_DEFAULT = "-Djava.nio.file.spi.DefaultFileSystemProvider=" + LabFileSystemProvider.class.getName();

    private static final int COPIED_AT_ONCE = 64 * 1024;
    private static final StackWalker STACK = StackWalker.getInstance();

    /** The system's own, under the rules of the lab. */
    private final FileSystemProvider real;
    /** The system's own. */
    private final FileSystemProvider disk;
    private final SystemRules rules;
    private final FoldedNames spellings;
    private final RealFiles files;
    private final NameChanges names;
    private final FileOpening opening;
    private final LabFileSystem fileSystem;
    private volatile @Nullable FaultInjector injector;

    /** Called by the JDK, when it starts. */
    public LabFileSystemProvider(FileSystemProvider disk) {
        this(disk, SystemRules.ofThisJvm());
    }

    /**
     * @param disk the system's own provider
     * @param rules by which it answers
     */
    LabFileSystemProvider(FileSystemProvider disk, SystemRules rules) {
        this.disk = disk;
        this.rules = rules;
        this.real = rules.equals(SystemRules.NONE) ? disk : new RuledProvider(disk, rules);
        this.files = new RealFiles(disk);
        this.spellings = new FoldedNames(files, rules);
        this.names = new NameChanges(real, files);
        this.opening = new FileOpening(files);
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

    SystemRules rules() {
        return rules;
    }

    /** {@return the system's own path of the file that one of the lab's paths means} */
    Path found(Path path) {
        return spellings.found(LabPath.real(path));
    }

    /** {@return the place of a path; null if the path lies elsewhere} */
    private @Nullable DiskPath place(Path path) {
        FaultInjector armed = injector;
        String name = armed == null ? null : armed.nameOf(path);
        return name == null ? null : new DiskPath(armed, path, name);
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

    private FileChannel channel(Path path, Set<? extends OpenOption> options, boolean uninterruptible, FileAttribute<?>... attrs)
            throws IOException {
        Path file = found(path);
        DiskPath place = place(file);
        if (place == null) {
            return real.newFileChannel(file, options, attrs);
        }
        FileOpening.Opened<FileChannel> opened = opening.open(place, options, () -> real.newFileChannel(file, options, attrs));
        return new LabFileChannel(place.injector(), file, opened.channel(), opened.inode(), options, uninterruptible, rules);
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
        Path file = found(path);
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
        Path file = found(path);
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
        Path file = found(path);
        DiskPath place = place(file);
        if (place == null) {
            return real.newAsynchronousFileChannel(file, options, executor, attrs);
        }
        FileOpening.Opened<AsynchronousFileChannel> opened = opening.open(place, options,
                () -> real.newAsynchronousFileChannel(file, options, executor, attrs));
        return new LabAsynchronousFileChannel(place.injector(), file, opened.channel(), opened.inode(), options, executor);
    }

    // ---- directories and names ----

    @Override
    public DirectoryStream<Path> newDirectoryStream(Path dir, DirectoryStream.Filter<? super Path> filter)
            throws IOException {
        Path directory = found(dir);
        DiskPath place = place(directory);
        if (place != null) {
            place.injector().look(place.operation(OperationType.LIST));
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

    @Override
    public void createDirectory(Path dir, FileAttribute<?>... attrs) throws IOException {
        Path path = found(dir);
        DiskPath place = place(path);
        if (place == null) {
            real.createDirectory(path, attrs);
            return;
        }
        names.createDirectory(place, attrs);
    }

    @Override
    public void createSymbolicLink(Path link, Path target, FileAttribute<?>... attrs) throws IOException {
        Path path = found(link);
        Path to = found(target);
        DiskPath place = place(path);
        if (place == null) {
            real.createSymbolicLink(path, to, attrs);
            return;
        }
        names.createSymbolicLink(place, to, attrs);
    }

    @Override
    public void createLink(Path link, Path existing) throws IOException {
        Path path = found(link);
        Path to = found(existing);
        DiskPath place = place(path);
        if (place == null) {
            real.createLink(path, to);
            return;
        }
        names.createLink(place, to);
    }

    @Override
    public void delete(Path path) throws IOException {
        Path file = found(path);
        if (!deleted(file)) {
            real.delete(file); // it refuses, most likely
        }
    }

    @Override
    public boolean deleteIfExists(Path path) throws IOException {
        Path file = found(path);
        return deleted(file) || real.deleteIfExists(file);
    }

    private boolean deleted(Path file) throws IOException {
        DiskPath place = place(file);
        return place != null && names.delete(place);
    }

    @Override
    public void move(Path source, Path target, CopyOption... options) throws IOException {
        Path from = found(source);
        Path to = found(target);
        to = to.equals(from) ? LabPath.real(target) : to; // another spelling of its name
        DiskPath old = place(from);
        DiskPath fresh = place(to);
        if (fresh == null && old == null) {
            real.move(from, to, options);
            return;
        }
        names.move(from, to, old, fresh, options);
    }

    // ---- copying, which is several operations ----

    @Override
    public void copy(Path source, Path target, CopyOption... options) throws IOException {
        Path from = found(source);
        Path to = found(target);
        DiskPath read = place(from);
        DiskPath written = place(to);
        if (read == null && written == null) {
            real.copy(from, to, options);
            return;
        }
        Set<CopyOption> how = new HashSet<>(Arrays.asList(options));
        LinkOption[] links = how.contains(LinkOption.NOFOLLOW_LINKS) ? new LinkOption[]{LinkOption.NOFOLLOW_LINKS} : new LinkOption[0];
        BasicFileAttributes copied = files.attributes(from, links);
        BasicFileAttributes there = files.attributes(to, LinkOption.NOFOLLOW_LINKS);
        if (read != null && copied != null) {
            read.injector().look(read.operation(OperationType.OPEN));
        }
        if (written == null || copied == null || !files.hasParent(to) || how.contains(StandardCopyOption.ATOMIC_MOVE) || there != null
                && (RealFiles.isSame(copied, there) || !how.contains(StandardCopyOption.REPLACE_EXISTING) || files.isFullDirectory(to, there))) {
            real.copy(from, to, options); // it refuses, does nothing, or copies to elsewhere
            return;
        }
        if (there != null) {
            written.alone(() -> names.remove(written));
        }
        if (copied.isRegularFile()) {
            copyFile(from, written, how.contains(StandardCopyOption.COPY_ATTRIBUTES));
        } else {
            written.alone(() -> written.change(written.operation(copied.isDirectory() ? OperationType.MKDIR : OperationType.SYMLINK), () -> {
                real.copy(from, to, options);
                names.recordNew(written.injector(), to);
            }));
        }
    }

    private void copyFile(Path from, DiskPath to, boolean attributes) throws IOException {
        Set<OpenOption> fresh = Set.of(StandardOpenOption.CREATE_NEW, StandardOpenOption.WRITE);
        FileAttribute<?>[] mode = rules.has(SystemRule.NO_MODES) ? new FileAttribute<?>[0]
                : new FileAttribute<?>[] {PosixFilePermissions.asFileAttribute(disk.readAttributes(from, PosixFileAttributes.class).permissions())};
        try (InputStream in = real.newInputStream(from);
             FileChannel out = channel(fileSystem.wrap(to.path()), fresh, true, mode)) {
            for (byte[] some = in.readNBytes(COPIED_AT_ONCE); some.length > 0; some = in.readNBytes(COPIED_AT_ONCE)) {
                write(out, some, from, to);
            }
        }
        if (attributes) {
            to.alone(() -> to.change(to.operation(OperationType.ATTRIBUTES), () -> {
                copyAttributes(from, to.path());
                to.injector().record(new Effect.Mode(files.inode(to.path()), files.mode(to.path())));
            }));
        }
    }

    private void write(FileChannel out, byte[] some, Path from, DiskPath to) throws IOException {
        try {
            for (ByteBuffer rest = ByteBuffer.wrap(some); rest.hasRemaining(); ) {
                out.write(rest);
            }
        } catch (IOException e) {
            deleted(to.path()); // the JDK, too, deletes what it could not copy whole
            throw new FileSystemException(from.toString(), to.path().toString(), e.getMessage());
        }
    }

    private void copyAttributes(Path from, Path to) throws IOException {
        PosixFileAttributes attributes = disk.readAttributes(from, PosixFileAttributes.class);
        PosixFileAttributeView view = disk.getFileAttributeView(to, PosixFileAttributeView.class);
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
        Path second = Objects.requireNonNull(other) instanceof LabPath ours ? found(ours) : other;
        return real.isSameFile(found(path), second);
    }

    @Override
    public boolean isHidden(Path path) throws IOException {
        return real.isHidden(found(path));
    }

    @Override
    public FileStore getFileStore(Path path) throws IOException {
        return real.getFileStore(found(path));
    }

    @Override
    public void checkAccess(Path path, AccessMode... modes) throws IOException {
        real.checkAccess(found(path), modes);
    }

    @Override
    public Path readSymbolicLink(Path link) throws IOException {
        return fileSystem.wrap(real.readSymbolicLink(found(link)));
    }

    @Override
    public <A extends BasicFileAttributes> A readAttributes(Path path, Class<A> type, LinkOption... options)
            throws IOException {
        return real.readAttributes(found(path), type, options);
    }

    @Override
    public Map<String, Object> readAttributes(Path path, String attributes, LinkOption... options)
            throws IOException {
        return real.readAttributes(found(path), attributes, options);
    }

    @Override
    public void setAttribute(Path path, String attribute, Object value, LinkOption... options)
            throws IOException {
        Path file = found(path);
        DiskPath place = place(file);
        if (place == null) {
            real.setAttribute(file, attribute, value, options);
        } else {
            changeAttributes(place, () -> real.setAttribute(file, attribute, value, options), options);
        }
    }

    private void changeAttributes(DiskPath place, DiskPath.Action action, LinkOption... options) throws IOException {
        place.alone(() -> {
            if (files.attributes(place.path(), options) == null) {
                action.run(); // it refuses
                return;
            }
            place.change(place.operation(OperationType.ATTRIBUTES), () -> {
                action.run();
                place.injector().record(new Effect.Mode(files.inode(place.path(), options), files.mode(place.path(), options)));
            });
        });
    }

    @Override
    public <V extends FileAttributeView> @Nullable V getFileAttributeView(Path path, Class<V> type,
                                                                         LinkOption... options) {
        Path file = found(path);
        V view = real.getFileAttributeView(file, type, options);
        DiskPath place = view == null ? null : place(file);
        return place == null ? view : LabAttributeView.of(type, view, change -> changeAttributes(place, change::run, options));
    }
}

package dev.sessionlock.testkit.disk;

import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.net.URI;
import java.nio.channels.AsynchronousFileChannel;
import java.nio.channels.Channels;
import java.nio.channels.FileChannel;
import java.nio.channels.SeekableByteChannel;
import java.nio.file.AccessDeniedException;
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
import java.nio.file.attribute.UserDefinedFileAttributeView;
import java.nio.file.spi.FileSystemProvider;
import java.util.Arrays;
import java.util.EnumSet;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.ExecutorService;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;

/**
 * The system's own provider, on its own paths, under the rules of another system. It stands below {@link LabFileSystemProvider}, whose operations go through it. Names
 * have been found by {@link FoldedNames} when they come here. Named streams are extended attributes, which the disk must have.
 *
 * <p>This is no other system. It shows what happens if the other one answers as its documents say.
 */
final class RuledProvider extends FileSystemProvider {
    private final FileSystemProvider real;
    private final SystemRules rules;
    private final RealFiles files;
    private final FileUsers users;
    private final UsedFiles used = new UsedFiles();
    private final OpenHandles handles = new OpenHandles();

    RuledProvider(FileSystemProvider real, SystemRules rules) {
        this.real = real;
        this.rules = rules;
        this.files = new RealFiles(real);
        this.users = new FileUsers(files);
    }

    OpenHandles handles() {
        return handles;
    }

    // ---- what the rules forbid ----

    boolean isMapped(Path path) throws IOException {
        return rules.has(SystemRule.MAPPED_FILES_STAY) && new NamedStreams(handles, files, path).wasMapped() && users.isMapped(path);
    }

    /** {@return the named streams of a file; none if another file has its name by now} */
    Map<String, byte[]> streamsOf(Path path, Object file) throws IOException {
        BasicFileAttributes there = rules.has(SystemRule.NO_FILE_KEYS) ? files.attributes(path, LinkOption.NOFOLLOW_LINKS) : null;
        return there == null || !file.equals(there.fileKey()) ? Map.of() : NamedStreams.read(real, path);
    }

    void mapped(Path path) throws IOException {
        if (rules.has(SystemRule.MAPPED_FILES_STAY)) {
            NamedStreams.markMapped(real, path);
        }
    }

    boolean isLockedByAnother(HandleChannel asking, long position, long size, boolean reading) {
        return rules.has(SystemRule.MANDATORY_LOCKS) && (handles.isLockedByAnother(asking, position, size, reading)
                || users.isLockedElsewhere(asking.inode(), position, size, reading));
    }

    private void requireNoDirectory(Path path) throws AccessDeniedException {
        BasicFileAttributes there = rules.has(SystemRule.NO_OPEN_DIRECTORIES) ? files.attributes(path) : null;
        if (there != null && there.isDirectory()) {
            throw new AccessDeniedException(path.toString());
        }
    }

    private void requireAttributes(FileAttribute<?>... attributes) {
        for (FileAttribute<?> attribute : attributes) {
            if (rules.has(SystemRule.NO_MODES) && attribute.name().startsWith("posix:")) {
                throw new UnsupportedOperationException("'" + attribute.name() + "' not supported as initial attribute");
            }
        }
    }

    private void requireView(String attributes) {
        if (rules.has(SystemRule.NO_MODES) && (attributes.startsWith("unix:") || attributes.startsWith("posix:"))) {
            throw new UnsupportedOperationException("View not available");
        }
    }

    /** Deleting and renaming. */
    private void requireSharedForDeletion(Path path) throws FileSystemException {
        used.requireUnused(path);
        BasicFileAttributes there = rules.has(SystemRule.SHARE_MODES) ? files.attributes(path, LinkOption.NOFOLLOW_LINKS) : null;
        if (there != null && there.fileKey() != null && !handles.mayOpen(there.fileKey(), EnumSet.of(OpenHandles.Access.DELETE), Set.of())) {
            throw new FileSystemException(path.toString(), null, HandleChannel.IN_USE);
        }
    }

    private void requireUnmapped(Path path) throws IOException {
        if (files.exists(path) && isMapped(path)) {
            throw new AccessDeniedException(path.toString());
        }
    }

    /** For a rename over a file. */
    private void requireReplaceable(Path path) throws IOException {
        BasicFileAttributes there = files.attributes(path, LinkOption.NOFOLLOW_LINKS);
        if (there != null && there.isRegularFile() && there.fileKey() != null && rules.has(SystemRule.OPEN_FILES_ARE_NOT_REPLACED)
                && (handles.isOpen(there.fileKey()) || users.isOpenElsewhere(there))) {
            throw new AccessDeniedException(path.toString());
        }
    }

    // ---- opening ----

    private boolean hasHandles() {
        return rules.has(SystemRule.LOCKS_OF_HANDLES) || rules.has(SystemRule.MANDATORY_LOCKS) || rules.has(SystemRule.SHARE_MODES)
                || rules.has(SystemRule.MAPPED_FILES_STAY) || rules.has(SystemRule.OPEN_FILES_ARE_NOT_REPLACED);
    }

    @Override
    public FileChannel newFileChannel(Path path, Set<? extends OpenOption> options, FileAttribute<?>... attrs) throws IOException {
        requireAttributes(attrs);
        requireNoDirectory(path);
        used.requireUnused(path);
        if (!hasHandles()) {
            return real.newFileChannel(path, options, attrs);
        }
        Set<OpenHandles.Access> forbidden = Arrays.stream(OpenHandles.Access.values()).filter(access -> access.isForbiddenBy(options))
                .collect(Collectors.toCollection(() -> EnumSet.noneOf(OpenHandles.Access.class)));
        Set<OpenHandles.Access> wanted = wanted(options);
        synchronized (handles) { // no other thread opens it in between
            BasicFileAttributes there = files.attributes(path);
            if (there != null && there.fileKey() != null && !handles.mayOpen(there.fileKey(), wanted, forbidden)) {
                throw new FileSystemException(path.toString(), null, HandleChannel.IN_USE);
            }
            Set<? extends OpenOption> plain = options.stream().filter(option -> !option.toString().startsWith("NOSHARE_")).collect(Collectors.toSet());
            FileChannel channel = real.newFileChannel(path, plain, attrs);
            BasicFileAttributes opened = files.attributes(path);
            Object key = opened == null || opened.fileKey() == null ? channel : opened.fileKey(); // null: it is deleted on close, and has no name
            HandleChannel handle = new HandleChannel(this, path, key, opened == null ? -1 : files.inode(path), channel, wanted, forbidden);
            handles.opened(handle);
            if (options.contains(StandardOpenOption.CREATE_NEW)) {
                used.created(path);
            }
            return handle;
        }
    }

    private static Set<OpenHandles.Access> wanted(Set<? extends OpenOption> options) {
        Set<OpenHandles.Access> wanted = EnumSet.noneOf(OpenHandles.Access.class);
        boolean writes = options.contains(StandardOpenOption.WRITE) || options.contains(StandardOpenOption.APPEND);
        if (writes) {
            wanted.add(OpenHandles.Access.WRITE);
        }
        if (!writes || options.contains(StandardOpenOption.READ)) {
            wanted.add(OpenHandles.Access.READ);
        }
        if (options.contains(StandardOpenOption.DELETE_ON_CLOSE)) {
            wanted.add(OpenHandles.Access.DELETE);
        }
        return wanted;
    }

    @Override
    public SeekableByteChannel newByteChannel(Path path, Set<? extends OpenOption> options, FileAttribute<?>... attrs) throws IOException {
        return newFileChannel(path, options, attrs);
    }

    @Override
    public InputStream newInputStream(Path path, OpenOption... options) throws IOException {
        Set<OpenOption> all = new HashSet<>(Arrays.asList(options));
        if (all.contains(StandardOpenOption.APPEND) || all.contains(StandardOpenOption.WRITE)) {
            return real.newInputStream(path, options); // it refuses
        }
        return Channels.newInputStream(newFileChannel(path, all));
    }

    @Override
    public OutputStream newOutputStream(Path path, OpenOption... options) throws IOException {
        Set<OpenOption> all = new HashSet<>(options.length > 0 ? Arrays.asList(options)
                : List.of(StandardOpenOption.CREATE, StandardOpenOption.TRUNCATE_EXISTING));
        if (all.contains(StandardOpenOption.READ)) {
            return real.newOutputStream(path, options); // it refuses
        }
        all.add(StandardOpenOption.WRITE);
        return Channels.newOutputStream(newFileChannel(path, all));
    }

    @Override
    public AsynchronousFileChannel newAsynchronousFileChannel(Path path, Set<? extends OpenOption> options, ExecutorService executor,
                                                              FileAttribute<?>... attrs) throws IOException {
        requireAttributes(attrs);
        requireNoDirectory(path);
        used.requireUnused(path);
        return real.newAsynchronousFileChannel(path, options, executor, attrs);
    }

    // ---- names ----

    @Override
    public DirectoryStream<Path> newDirectoryStream(Path dir, DirectoryStream.Filter<? super Path> filter) throws IOException {
        return real.newDirectoryStream(dir, filter);
    }

    @Override
    public void createDirectory(Path dir, FileAttribute<?>... attrs) throws IOException {
        requireAttributes(attrs);
        real.createDirectory(dir, attrs);
    }

    @Override
    public void createSymbolicLink(Path link, Path target, FileAttribute<?>... attrs) throws IOException {
        real.createSymbolicLink(link, target, attrs);
    }

    @Override
    public void createLink(Path link, Path existing) throws IOException {
        used.requireUnused(existing);
        if (rules.has(SystemRule.NO_HARD_LINKS)) {
            throw new FileSystemException(link.toString(), existing.toString(), "Operation not supported");
        }
        real.createLink(link, existing);
        used.created(link);
    }

    @Override
    public Path readSymbolicLink(Path link) throws IOException {
        return real.readSymbolicLink(link);
    }

    @Override
    public void delete(Path path) throws IOException {
        requireSharedForDeletion(path);
        requireUnmapped(path);
        real.delete(path);
    }

    @Override
    public void copy(Path source, Path target, CopyOption... options) throws IOException {
        used.requireUnused(source);
        requireSharedForDeletion(target);
        requireUnmapped(target);
        real.copy(source, target, options);
    }

    @Override
    public void move(Path source, Path target, CopyOption... options) throws IOException {
        requireSharedForDeletion(source);
        requireSharedForDeletion(target);
        requireUnmapped(target);
        if (Arrays.asList(options).contains(StandardCopyOption.ATOMIC_MOVE)) {
            requireReplaceable(target); // otherwise the JDK deletes the target first
        }
        real.move(source, target, options);
        used.created(target);
    }

    // ---- what a file is ----

    @Override
    public boolean isSameFile(Path path, Path other) throws IOException {
        return real.isSameFile(path, other);
    }

    @Override
    public boolean isHidden(Path path) throws IOException {
        return real.isHidden(path);
    }

    @Override
    public FileStore getFileStore(Path path) throws IOException {
        return real.getFileStore(path);
    }

    @Override
    public void checkAccess(Path path, AccessMode... modes) throws IOException {
        real.checkAccess(path, modes);
    }

    @Override
    public <V extends FileAttributeView> @Nullable V getFileAttributeView(Path path, Class<V> type, LinkOption... options) {
        V view = type == PosixFileAttributeView.class && rules.has(SystemRule.NO_MODES) ? null : real.getFileAttributeView(path, type, options);
        return view instanceof UserDefinedFileAttributeView streams && rules.has(SystemRule.NO_FILE_KEYS)
                ? type.cast(new InterruptibleStreams(streams, new NamedStreams(handles, files, path))) : view;
    }

    @Override
    public <A extends BasicFileAttributes> A readAttributes(Path path, Class<A> type, LinkOption... options) throws IOException {
        if (type == PosixFileAttributes.class && rules.has(SystemRule.NO_MODES)) {
            throw new UnsupportedOperationException();
        }
        A attributes = real.readAttributes(path, type, options);
        return rules.has(SystemRule.NO_FILE_KEYS) && type == BasicFileAttributes.class ? type.cast(new KeylessAttributes(attributes)) : attributes;
    }

    @Override
    public Map<String, Object> readAttributes(Path path, String attributes, LinkOption... options) throws IOException {
        requireView(attributes);
        Map<String, Object> all = new HashMap<>(real.readAttributes(path, attributes, options));
        if (rules.has(SystemRule.NO_FILE_KEYS)) {
            all.replaceAll((name, value) -> name.equals("fileKey") ? null : name.equals("creationTime") ? KeylessAttributes.CREATED : value);
        }
        return all;
    }

    @Override
    public void setAttribute(Path path, String attribute, Object value, LinkOption... options) throws IOException {
        requireView(attribute);
        real.setAttribute(path, attribute, value, options);
    }

    // ---- the file system is the lab's ----

    @Override
    public String getScheme() {
        return real.getScheme();
    }

    @Override
    public FileSystem newFileSystem(URI uri, Map<String, ?> env) throws IOException {
        return real.newFileSystem(uri, env);
    }

    @Override
    public FileSystem getFileSystem(URI uri) {
        return real.getFileSystem(uri);
    }

    @Override
    public Path getPath(URI uri) {
        return real.getPath(uri);
    }
}

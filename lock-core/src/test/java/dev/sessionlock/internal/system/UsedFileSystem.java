package dev.sessionlock.internal.system;

import java.io.IOException;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Proxy;
import java.net.URI;
import java.nio.channels.FileChannel;
import java.nio.channels.SeekableByteChannel;
import java.nio.file.AccessMode;
import java.nio.file.CopyOption;
import java.nio.file.DirectoryStream;
import java.nio.file.FileStore;
import java.nio.file.FileSystem;
import java.nio.file.FileSystemException;
import java.nio.file.FileSystems;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.OpenOption;
import java.nio.file.Path;
import java.nio.file.PathMatcher;
import java.nio.file.WatchService;
import java.nio.file.attribute.BasicFileAttributes;
import java.nio.file.attribute.FileAttribute;
import java.nio.file.attribute.FileAttributeView;
import java.nio.file.attribute.UserPrincipalLookupService;
import java.nio.file.spi.FileSystemProvider;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicInteger;

/** Plays another program that uses files: opening, renaming, linking and deleting them fails a number of times. All else is the real file system's. */
final class UsedFileSystem extends FileSystem {
    /** The message is in the user's language. */
    private static final String IN_USE = "Der Prozess kann nicht auf die Datei zugreifen, da sie von einem anderen Prozess verwendet wird";

    private final FileSystem real = FileSystems.getDefault();
    private final FileSystemProvider provider = new Provider();
    private final Map<String, AtomicInteger> inUse = new ConcurrentHashMap<>();

    /** {@return whether files in a directory of this system can have extended attributes, which are named streams in the tests} */
    static boolean hasStreams(Path directory) throws IOException {
        Path probe = Files.createTempFile(directory, "streams", "");
        try {
            Files.setAttribute(probe, "user:probe", new byte[1]);
            return true;
        } catch (IOException | UnsupportedOperationException e) {
            return false;
        } finally {
            Files.delete(probe);
        }
    }

    /** The next attempts at a file of this name fail, so many times. */
    void use(String name, int times) {
        inUse.put(name, new AtomicInteger(times));
    }

    /** {@return how many attempts are still to fail} */
    int uses(String name) {
        return inUse.get(name).get();
    }

    /** {@return the path, on this file system} */
    Path wrap(Path path) {
        return (Path) Proxy.newProxyInstance(Wrapped.class.getClassLoader(), new Class<?>[] {Path.class, Wrapped.class}, (proxy, method, args) -> {
            if (method.getName().equals("getFileSystem")) {
                return this;
            } else if (method.getName().equals("real")) {
                return path;
            }
            try {
                return method.invoke(path, args);
            } catch (InvocationTargetException e) {
                throw e.getCause();
            }
        });
    }

    /** A path on this file system. */
    interface Wrapped {
        Path real();
    }

    private static Path real(Path path) {
        return path instanceof Wrapped wrapped ? wrapped.real() : path;
    }

    /** {@return what knows by which sentence this tells it} */
    static SharingViolations violations() {
        return new SharingViolations(() -> IN_USE);
    }

    private Path unused(Path path) throws FileSystemException {
        AtomicInteger left = inUse.get(path.getFileName().toString());
        if (left != null && left.getAndUpdate(n -> Math.max(0, n - 1)) > 0) {
            throw new FileSystemException(path.toString(), null, IN_USE);
        }
        return real(path);
    }

    /** Does what the tests need. */
    private final class Provider extends FileSystemProvider {
        private final FileSystemProvider its = real.provider();

        @Override
        public FileChannel newFileChannel(Path path, Set<? extends OpenOption> options, FileAttribute<?>... attrs) throws IOException {
            return its.newFileChannel(unused(path), options, attrs);
        }

        @Override
        public SeekableByteChannel newByteChannel(Path path, Set<? extends OpenOption> options, FileAttribute<?>... attrs) throws IOException {
            return its.newByteChannel(unused(path), options, attrs);
        }

        @Override
        public DirectoryStream<Path> newDirectoryStream(Path dir, DirectoryStream.Filter<? super Path> filter) throws IOException {
            return its.newDirectoryStream(real(dir), filter);
        }

        @Override
        public void createDirectory(Path dir, FileAttribute<?>... attrs) throws IOException {
            its.createDirectory(real(dir), attrs);
        }

        @Override
        public void createLink(Path link, Path existing) throws IOException {
            its.createLink(real(link), unused(existing));
        }

        @Override
        public void delete(Path path) throws IOException {
            its.delete(unused(path));
        }

        @Override
        public void copy(Path source, Path target, CopyOption... options) throws IOException {
            its.copy(unused(source), unused(target), options);
        }

        @Override
        public void move(Path source, Path target, CopyOption... options) throws IOException {
            its.move(unused(source), unused(target), options);
        }

        @Override
        public boolean isSameFile(Path path, Path other) throws IOException {
            return its.isSameFile(real(path), real(other));
        }

        @Override
        public boolean isHidden(Path path) throws IOException {
            return its.isHidden(real(path));
        }

        @Override
        public FileStore getFileStore(Path path) throws IOException {
            return its.getFileStore(real(path));
        }

        @Override
        public void checkAccess(Path path, AccessMode... modes) throws IOException {
            its.checkAccess(real(path), modes);
        }

        @Override
        public <V extends FileAttributeView> V getFileAttributeView(Path path, Class<V> type, LinkOption... options) {
            return its.getFileAttributeView(real(path), type, options);
        }

        @Override
        public <A extends BasicFileAttributes> A readAttributes(Path path, Class<A> type, LinkOption... options) throws IOException {
            return its.readAttributes(real(path), type, options);
        }

        @Override
        public Map<String, Object> readAttributes(Path path, String attributes, LinkOption... options) throws IOException {
            return its.readAttributes(real(path), attributes, options);
        }

        @Override
        public void setAttribute(Path path, String attribute, Object value, LinkOption... options) throws IOException {
            its.setAttribute(real(path), attribute, value, options);
        }

        @Override
        public String getScheme() {
            return its.getScheme();
        }

        @Override
        public FileSystem newFileSystem(URI uri, Map<String, ?> env) {
            throw new UnsupportedOperationException();
        }

        @Override
        public FileSystem getFileSystem(URI uri) {
            return UsedFileSystem.this;
        }

        @Override
        public Path getPath(URI uri) {
            return wrap(its.getPath(uri));
        }
    }

    @Override
    public FileSystemProvider provider() {
        return provider;
    }

    @Override
    public void close() {
        throw new UnsupportedOperationException();
    }

    @Override
    public boolean isOpen() {
        return true;
    }

    @Override
    public boolean isReadOnly() {
        return false;
    }

    @Override
    public String getSeparator() {
        return real.getSeparator();
    }

    @Override
    public Iterable<Path> getRootDirectories() {
        return real.getRootDirectories();
    }

    @Override
    public Iterable<FileStore> getFileStores() {
        return real.getFileStores();
    }

    @Override
    public Set<String> supportedFileAttributeViews() {
        return real.supportedFileAttributeViews();
    }

    @Override
    public Path getPath(String first, String... more) {
        return wrap(real.getPath(first, more));
    }

    @Override
    public PathMatcher getPathMatcher(String syntaxAndPattern) {
        return real.getPathMatcher(syntaxAndPattern);
    }

    @Override
    public UserPrincipalLookupService getUserPrincipalLookupService() {
        return real.getUserPrincipalLookupService();
    }

    @Override
    public WatchService newWatchService() {
        throw new UnsupportedOperationException();
    }
}

package dev.sessionlock.windows;

import java.io.IOException;
import java.net.URI;
import java.nio.ByteBuffer;
import java.nio.channels.ClosedByInterruptException;
import java.nio.channels.FileChannel;
import java.nio.channels.SeekableByteChannel;
import java.nio.file.AccessDeniedException;
import java.nio.file.AccessMode;
import java.nio.file.CopyOption;
import java.nio.file.DirectoryStream;
import java.nio.file.FileStore;
import java.nio.file.FileSystem;
import java.nio.file.FileSystemException;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.OpenOption;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.BasicFileAttributes;
import java.nio.file.attribute.FileAttribute;
import java.nio.file.attribute.FileAttributeView;
import java.nio.file.attribute.FileTime;
import java.nio.file.attribute.PosixFileAttributeView;
import java.nio.file.attribute.PosixFileAttributes;
import java.nio.file.attribute.UserDefinedFileAttributeView;
import java.nio.file.spi.FileSystemProvider;
import java.time.Instant;
import java.util.Iterator;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicInteger;

/**
 * The system's own provider under the rules of Windows, as far as another system can play them: no file keys, no owners and modes, directories that cannot be opened,
 * and times of creation that do not tell two files of one name apart. Named streams are extended attributes, which the tests' disk must have. It is the default
 * provider of a JVM that is started with {@link #OPTIONS}.
 *
 * <p>This is no Windows. It shows what happens if the system answers as its manual says.
 */
public final class WindowsRulesProvider extends FileSystemProvider {
    /** What makes a JVM believe that it runs there. */
    public static final String[] OPTIONS = {"-Djava.nio.file.spi.DefaultFileSystemProvider=" + WindowsRulesProvider.class.getName(), "-Dos.name=Windows 11"};

    /** The name was never free for more than 15 s. */
    static final FileTime CREATED = FileTime.from(Instant.parse("2026-01-01T00:00:00Z"));

    /** How often a file is in use that has just been created or has got a name, as a virus scanner uses it. */
    private static final int SCANNER = Integer.getInteger("windows.scanner", 0);
    /** How often the files of a name are still in use: they are asked for in vain. */
    private static final Map<String, AtomicInteger> IN_USE = new ConcurrentHashMap<>();

    private final FileSystemProvider real;
    private final WindowsRulesFileSystem fileSystem;
    private final Set<Object> mapped = ConcurrentHashMap.newKeySet();

    /** Called by the JDK, when it starts. */
    public WindowsRulesProvider(FileSystemProvider real) {
        this.real = real;
        this.fileSystem = new WindowsRulesFileSystem(this, real.getFileSystem(URI.create("file:///")));
    }

    private static Path real(Path path) {
        return WindowsRulesPath.real(path);
    }

    /** {@return whether files in a directory of this system can have extended attributes, which are the named streams of this provider} */
    public static boolean hasStreams(Path directory) throws IOException {
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

    /** {@return a path of this provider} */
    public Path wrap(Path path) {
        return fileSystem.wrap(path);
    }

    /**
     * The next attempts to open, rename, link or delete a file fail.
     *
     * @param times how many
     */
    public static void use(String name, int times) {
        IN_USE.put(name, new AtomicInteger(times));
    }

    /** {@return how many attempts are still to fail} */
    public static int uses(String name) {
        AtomicInteger left = IN_USE.get(name);
        return left == null ? 0 : left.get();
    }

    /** A file is mapped from now on, until this JVM ends. */
    void map(Path path) throws IOException {
        mapped.add(real.readAttributes(real(path), BasicFileAttributes.class).fileKey());
    }

    boolean isMapped(Path path) {
        try {
            return mapped.contains(real.readAttributes(real(path), BasicFileAttributes.class, LinkOption.NOFOLLOW_LINKS).fileKey());
        } catch (IOException e) {
            return false;
        }
    }

    /** What is mapped can be renamed, and neither deleted nor replaced. */
    private void requireUnmapped(Path path) throws AccessDeniedException {
        if (isMapped(path)) {
            throw new AccessDeniedException(path.toString());
        }
    }

    private static void scan(Path created) {
        if (SCANNER > 0) {
            use(created.getFileName().toString(), SCANNER);
        }
    }

    /** The message is in the user's language. */
    private static void requireUnused(Path path) throws FileSystemException {
        AtomicInteger left = path.getFileName() == null ? null : IN_USE.get(path.getFileName().toString());
        if (left != null && left.getAndUpdate(n -> Math.max(0, n - 1)) > 0) {
            throw new FileSystemException(path.toString(), null, "Der Prozess kann nicht auf die Datei zugreifen, da sie von einem anderen Prozess verwendet wird");
        }
    }

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
        return fileSystem;
    }

    @Override
    public Path getPath(URI uri) {
        return fileSystem.wrap(real.getPath(uri));
    }

    // ---- opening ----

    @Override
    public FileChannel newFileChannel(Path path, Set<? extends OpenOption> options, FileAttribute<?>... attrs) throws IOException {
        requireNoDirectory(path);
        requireUnused(path);
        FileChannel channel = new WindowsRulesChannel(this, path, real.newFileChannel(real(path), options, attrs));
        if (options.contains(StandardOpenOption.CREATE_NEW)) {
            scan(path);
        }
        return channel;
    }

    @Override
    public SeekableByteChannel newByteChannel(Path path, Set<? extends OpenOption> options, FileAttribute<?>... attrs) throws IOException {
        requireNoDirectory(path);
        requireUnused(path);
        SeekableByteChannel channel = real.newByteChannel(real(path), options, attrs);
        if (options.contains(StandardOpenOption.CREATE_NEW)) {
            scan(path);
        }
        return channel;
    }

    private static void requireNoDirectory(Path path) throws AccessDeniedException {
        if (Files.isDirectory(real(path))) {
            throw new AccessDeniedException(path.toString());
        }
    }

    @Override
    public DirectoryStream<Path> newDirectoryStream(Path dir, DirectoryStream.Filter<? super Path> filter) throws IOException {
        DirectoryStream<Path> entries = real.newDirectoryStream(real(dir), entry -> filter.accept(fileSystem.wrap(entry)));
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

    // ---- names ----

    @Override
    public void createDirectory(Path dir, FileAttribute<?>... attrs) throws IOException {
        real.createDirectory(real(dir), attrs);
    }

    @Override
    public void createSymbolicLink(Path link, Path target, FileAttribute<?>... attrs) throws IOException {
        real.createSymbolicLink(real(link), real(target), attrs);
    }

    @Override
    public void createLink(Path link, Path existing) throws IOException {
        requireUnused(existing);
        real.createLink(real(link), real(existing));
        scan(link);
    }

    @Override
    public Path readSymbolicLink(Path link) throws IOException {
        return fileSystem.wrap(real.readSymbolicLink(real(link)));
    }

    @Override
    public void delete(Path path) throws IOException {
        requireUnused(path);
        requireUnmapped(path);
        real.delete(real(path));
    }

    @Override
    public void copy(Path source, Path target, CopyOption... options) throws IOException {
        real.copy(real(source), real(target), options);
    }

    @Override
    public void move(Path source, Path target, CopyOption... options) throws IOException {
        requireUnused(source);
        requireUnused(target);
        requireUnmapped(target);
        real.move(real(source), real(target), options);
        scan(target);
    }

    // ---- what a file is ----

    @Override
    public boolean isSameFile(Path path, Path path2) throws IOException {
        return real.isSameFile(real(path), real(path2));
    }

    @Override
    public boolean isHidden(Path path) throws IOException {
        return real.isHidden(real(path));
    }

    @Override
    public FileStore getFileStore(Path path) throws IOException {
        return real.getFileStore(real(path));
    }

    @Override
    public void checkAccess(Path path, AccessMode... modes) throws IOException {
        real.checkAccess(real(path), modes);
    }

    @Override
    public <V extends FileAttributeView> V getFileAttributeView(Path path, Class<V> type, LinkOption... options) {
        V view = type == PosixFileAttributeView.class ? null : real.getFileAttributeView(real(path), type, options);
        return view instanceof UserDefinedFileAttributeView streams ? type.cast(new InterruptibleStreams(streams)) : view;
    }

    @Override
    public <A extends BasicFileAttributes> A readAttributes(Path path, Class<A> type, LinkOption... options) throws IOException {
        if (type == PosixFileAttributes.class) {
            throw new UnsupportedOperationException();
        }
        return type.cast(withoutKey(real.readAttributes(real(path), BasicFileAttributes.class, options)));
    }

    @Override
    public Map<String, Object> readAttributes(Path path, String attributes, LinkOption... options) throws IOException {
        if (attributes.startsWith("unix:") || attributes.startsWith("posix:")) {
            throw new UnsupportedOperationException("View not available");
        }
        return real.readAttributes(real(path), attributes, options);
    }

    @Override
    public void setAttribute(Path path, String attribute, Object value, LinkOption... options) throws IOException {
        if (attribute.startsWith("unix:") || attribute.startsWith("posix:")) {
            throw new UnsupportedOperationException("View not available");
        }
        real.setAttribute(real(path), attribute, value, options);
    }

    /** There each stream is read and written through a channel. */
    private record InterruptibleStreams(UserDefinedFileAttributeView real) implements UserDefinedFileAttributeView {
        private static void requireNoInterrupt() throws ClosedByInterruptException {
            if (Thread.currentThread().isInterrupted()) {
                throw new ClosedByInterruptException();
            }
        }

        @Override
        public String name() {
            return real.name();
        }

        @Override
        public List<String> list() throws IOException {
            return real.list();
        }

        @Override
        public int size(String name) throws IOException {
            requireNoInterrupt();
            return real.size(name);
        }

        @Override
        public int read(String name, ByteBuffer dst) throws IOException {
            requireNoInterrupt();
            return real.read(name, dst);
        }

        @Override
        public int write(String name, ByteBuffer src) throws IOException {
            requireNoInterrupt();
            return real.write(name, src);
        }

        @Override
        public void delete(String name) throws IOException {
            real.delete(name);
        }
    }

    private static BasicFileAttributes withoutKey(BasicFileAttributes real) {
        return new BasicFileAttributes() {
            @Override
            public FileTime lastModifiedTime() {
                return real.lastModifiedTime();
            }

            @Override
            public FileTime lastAccessTime() {
                return real.lastAccessTime();
            }

            @Override
            public FileTime creationTime() {
                return CREATED;
            }

            @Override
            public boolean isRegularFile() {
                return real.isRegularFile();
            }

            @Override
            public boolean isDirectory() {
                return real.isDirectory();
            }

            @Override
            public boolean isSymbolicLink() {
                return real.isSymbolicLink();
            }

            @Override
            public boolean isOther() {
                return real.isOther();
            }

            @Override
            public long size() {
                return real.size();
            }

            @Override
            public Object fileKey() {
                return null;
            }
        };
    }
}

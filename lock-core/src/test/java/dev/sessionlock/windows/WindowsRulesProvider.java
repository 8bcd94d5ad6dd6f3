package dev.sessionlock.windows;

import java.io.IOException;
import java.net.URI;
import java.nio.channels.FileChannel;
import java.nio.channels.SeekableByteChannel;
import java.nio.file.AccessDeniedException;
import java.nio.file.AccessMode;
import java.nio.file.CopyOption;
import java.nio.file.DirectoryStream;
import java.nio.file.FileStore;
import java.nio.file.FileSystem;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.OpenOption;
import java.nio.file.Path;
import java.nio.file.attribute.BasicFileAttributes;
import java.nio.file.attribute.FileAttribute;
import java.nio.file.attribute.FileAttributeView;
import java.nio.file.attribute.FileTime;
import java.nio.file.attribute.PosixFileAttributeView;
import java.nio.file.attribute.PosixFileAttributes;
import java.nio.file.spi.FileSystemProvider;
import java.time.Instant;
import java.util.Iterator;
import java.util.Map;
import java.util.Set;

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

    private final FileSystemProvider real;
    private final WindowsRulesFileSystem fileSystem;

    /** Called by the JDK, when it starts. */
    public WindowsRulesProvider(FileSystemProvider real) {
        this.real = real;
        this.fileSystem = new WindowsRulesFileSystem(this, real.getFileSystem(URI.create("file:///")));
    }

    private static Path real(Path path) {
        return WindowsRulesPath.real(path);
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
        return real.newFileChannel(real(path), options, attrs);
    }

    @Override
    public SeekableByteChannel newByteChannel(Path path, Set<? extends OpenOption> options, FileAttribute<?>... attrs) throws IOException {
        requireNoDirectory(path);
        return real.newByteChannel(real(path), options, attrs);
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
        real.createLink(real(link), real(existing));
    }

    @Override
    public Path readSymbolicLink(Path link) throws IOException {
        return fileSystem.wrap(real.readSymbolicLink(real(link)));
    }

    @Override
    public void delete(Path path) throws IOException {
        real.delete(real(path));
    }

    @Override
    public void copy(Path source, Path target, CopyOption... options) throws IOException {
        real.copy(real(source), real(target), options);
    }

    @Override
    public void move(Path source, Path target, CopyOption... options) throws IOException {
        real.move(real(source), real(target), options);
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
        return type == PosixFileAttributeView.class ? null : real.getFileAttributeView(real(path), type, options);
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

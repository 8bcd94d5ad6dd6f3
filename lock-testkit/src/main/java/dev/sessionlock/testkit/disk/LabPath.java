package dev.sessionlock.testkit.disk;

import java.io.File;
import java.io.IOException;
import java.net.URI;
import java.nio.file.FileSystem;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.nio.file.ProviderMismatchException;
import java.nio.file.WatchEvent;
import java.nio.file.WatchKey;
import java.nio.file.WatchService;
import java.util.Iterator;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/** A path of the system's own provider, wrapped for the lab. */
final class LabPath implements Path {
    private final LabFileSystem fileSystem;
    private final Path real;

    LabPath(LabFileSystem fileSystem, Path real) {
        this.fileSystem = fileSystem;
        this.real = real;
    }

    /** {@return the system's own path} */
    Path real() {
        return real;
    }

    /** {@return the system's own path of one of the lab's} */
    static Path real(Path path) {
        if (Objects.requireNonNull(path) instanceof LabPath ours) {
            return ours.real;
        }
        throw new ProviderMismatchException();
    }

    private LabPath wrap(Path path) {
        return new LabPath(fileSystem, path);
    }

    private @Nullable LabPath wrapOrNull(@Nullable Path path) {
        return path == null ? null : wrap(path);
    }

    @Override
    public FileSystem getFileSystem() {
        return fileSystem;
    }

    @Override
    public boolean isAbsolute() {
        return real.isAbsolute();
    }

    @Override
    public @Nullable Path getRoot() {
        return wrapOrNull(real.getRoot());
    }

    @Override
    public @Nullable Path getFileName() {
        return wrapOrNull(real.getFileName());
    }

    @Override
    public @Nullable Path getParent() {
        return wrapOrNull(real.getParent());
    }

    @Override
    public int getNameCount() {
        return real.getNameCount();
    }

    @Override
    public Path getName(int index) {
        return wrap(real.getName(index));
    }

    @Override
    public Path subpath(int beginIndex, int endIndex) {
        return wrap(real.subpath(beginIndex, endIndex));
    }

    @Override
    public boolean startsWith(Path other) {
        return Objects.requireNonNull(other) instanceof LabPath ours && real.startsWith(ours.real);
    }

    @Override
    public boolean startsWith(String other) {
        return real.startsWith(other);
    }

    @Override
    public boolean endsWith(Path other) {
        return Objects.requireNonNull(other) instanceof LabPath ours && real.endsWith(ours.real);
    }

    @Override
    public boolean endsWith(String other) {
        return real.endsWith(other);
    }

    @Override
    public Path normalize() {
        return wrap(real.normalize());
    }

    @Override
    public Path resolve(Path other) {
        return wrap(real.resolve(real(other)));
    }

    @Override
    public Path resolve(String other) {
        return wrap(real.resolve(other));
    }

    @Override
    public Path resolveSibling(Path other) {
        return wrap(real.resolveSibling(real(other)));
    }

    @Override
    public Path resolveSibling(String other) {
        return wrap(real.resolveSibling(other));
    }

    @Override
    public Path relativize(Path other) {
        return wrap(real.relativize(real(other)));
    }

    @Override
    public URI toUri() {
        return real.toUri();
    }

    @Override
    public Path toAbsolutePath() {
        return real.isAbsolute() ? this : wrap(real.toAbsolutePath());
    }

    @Override
    public Path toRealPath(LinkOption... options) throws IOException {
        return wrap(fileSystem.found(this).toRealPath(options));
    }

    @Override
    public File toFile() {
        return new File(fileSystem.found(this).toString()); // the system's path would refuse, since its file system is no longer the default one
    }

    @Override
    public WatchKey register(WatchService watcher, WatchEvent.Kind<?> [] events,
                                      WatchEvent.Modifier... modifiers) throws IOException {
        if (Objects.requireNonNull(watcher) instanceof LabWatchService ours) {
            return ours.register(this, events, modifiers);
        }
        throw new ProviderMismatchException();
    }

    @Override
    public WatchKey register(WatchService watcher, WatchEvent.Kind<?>... events) throws IOException {
        return register(watcher, events, new WatchEvent.Modifier[0]);
    }

    @Override
    public Iterator<Path> iterator() {
        Iterator<Path> names = real.iterator();
        return new Iterator<>() {
            @Override
            public boolean hasNext() {
                return names.hasNext();
            }

            @Override
            public Path next() {
                return wrap(names.next());
            }
        };
    }

    @Override
    public int compareTo(Path other) {
        return real.compareTo(((LabPath) other).real);
    }

    @Override
    public boolean equals(@Nullable Object other) {
        return other instanceof LabPath ours && real.equals(ours.real);
    }

    @Override
    public int hashCode() {
        return real.hashCode();
    }

    @Override
    public String toString() {
        return real.toString();
    }
}

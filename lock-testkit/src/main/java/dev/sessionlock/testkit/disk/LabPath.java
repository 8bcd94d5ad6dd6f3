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
import org.jetbrains.annotations.NotNull;
import org.jetbrains.annotations.Nullable;

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
    public @NotNull FileSystem getFileSystem() {
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
    public @NotNull Path getName(int index) {
        return wrap(real.getName(index));
    }

    @Override
    public @NotNull Path subpath(int beginIndex, int endIndex) {
        return wrap(real.subpath(beginIndex, endIndex));
    }

    @Override
    public boolean startsWith(@NotNull Path other) {
        return Objects.requireNonNull(other) instanceof LabPath ours && real.startsWith(ours.real);
    }

    @Override
    public boolean startsWith(@NotNull String other) {
        return real.startsWith(other);
    }

    @Override
    public boolean endsWith(@NotNull Path other) {
        return Objects.requireNonNull(other) instanceof LabPath ours && real.endsWith(ours.real);
    }

    @Override
    public boolean endsWith(@NotNull String other) {
        return real.endsWith(other);
    }

    @Override
    public @NotNull Path normalize() {
        return wrap(real.normalize());
    }

    @Override
    public @NotNull Path resolve(@NotNull Path other) {
        return wrap(real.resolve(real(other)));
    }

    @Override
    public @NotNull Path resolve(@NotNull String other) {
        return wrap(real.resolve(other));
    }

    @Override
    public @NotNull Path resolveSibling(@NotNull Path other) {
        return wrap(real.resolveSibling(real(other)));
    }

    @Override
    public @NotNull Path resolveSibling(@NotNull String other) {
        return wrap(real.resolveSibling(other));
    }

    @Override
    public @NotNull Path relativize(@NotNull Path other) {
        return wrap(real.relativize(real(other)));
    }

    @Override
    public @NotNull URI toUri() {
        return real.toUri();
    }

    @Override
    public @NotNull Path toAbsolutePath() {
        return real.isAbsolute() ? this : wrap(real.toAbsolutePath());
    }

    @Override
    public @NotNull Path toRealPath(@NotNull LinkOption... options) throws IOException {
        return wrap(real.toRealPath(options));
    }

    @Override
    public @NotNull File toFile() {
        return new File(real.toString()); // the system's path would refuse, since its file system is no longer the default one
    }

    @Override
    public @NotNull WatchKey register(@NotNull WatchService watcher, WatchEvent.@NotNull Kind<?> @NotNull [] events,
                                      WatchEvent.Modifier... modifiers) throws IOException {
        if (Objects.requireNonNull(watcher) instanceof LabWatchService ours) {
            return ours.register(this, events, modifiers);
        }
        throw new ProviderMismatchException();
    }

    @Override
    public @NotNull WatchKey register(@NotNull WatchService watcher, WatchEvent.@NotNull Kind<?>... events) throws IOException {
        return register(watcher, events, new WatchEvent.Modifier[0]);
    }

    @Override
    public @NotNull Iterator<Path> iterator() {
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
    public int compareTo(@NotNull Path other) {
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
    public @NotNull String toString() {
        return real.toString();
    }
}

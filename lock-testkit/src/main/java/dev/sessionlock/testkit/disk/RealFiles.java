package dev.sessionlock.testkit.disk;

import java.io.IOException;
import java.net.URI;
import java.nio.file.DirectoryStream;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.nio.file.attribute.BasicFileAttributes;
import java.nio.file.spi.FileSystemProvider;
import org.jspecify.annotations.Nullable;

/** Questions to the system's own provider, about its own paths. */
record RealFiles(FileSystemProvider real) {
    private static final int PERMISSIONS = 07777;

    /** {@return a path of the system's own} */
    Path path(String absolute) {
        return real.getPath(URI.create("file://" + absolute));
    }

    /** {@return null if there is no such file, or it cannot be seen} */
    @Nullable BasicFileAttributes attributes(Path path, LinkOption... options) {
        try {
            return real.readAttributes(path, BasicFileAttributes.class, options);
        } catch (IOException e) {
            return null;
        }
    }

    boolean exists(Path path) {
        return attributes(path, LinkOption.NOFOLLOW_LINKS) != null;
    }

    boolean hasParent(Path path) {
        Path parent = path.toAbsolutePath().getParent();
        return parent != null && attributes(parent) != null;
    }

    long inode(Path path, LinkOption... options) throws IOException {
        return ((Number) real.readAttributes(path, "unix:ino", options).get("ino")).longValue();
    }

    int mode(Path path, LinkOption... options) throws IOException {
        return ((Number) real.readAttributes(path, "unix:mode", options).get("mode")).intValue() & PERMISSIONS;
    }

    boolean isFullDirectory(Path path, BasicFileAttributes attributes) throws IOException {
        if (!attributes.isDirectory()) {
            return false;
        }
        try (DirectoryStream<Path> entries = real.newDirectoryStream(path, entry -> true)) {
            return entries.iterator().hasNext();
        }
    }

    static boolean isSame(BasicFileAttributes one, BasicFileAttributes other) {
        return one.fileKey() != null && one.fileKey().equals(other.fileKey());
    }
}

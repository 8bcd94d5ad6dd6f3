package dev.sessionlock.internal.directory;

import java.io.IOException;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.NotDirectoryException;
import java.nio.file.Path;
import java.util.Iterator;

/**
 * Those files in {@code .session-locks} whose names begin with a prefix. Java opens a directory as it opens any file: one in whose place somebody has put a
 * FIFO would hold up the thread, and the lock that it keeps meanwhile, until somebody writes to it. With "." behind the name nothing but a directory is opened.
 */
final class FolderStream implements DirectoryStream<Path> {
    private final Path folder;
    private final DirectoryStream<Path> entries;

    /** Of entries whose close may throw anything. */
    FolderStream(Path folder, DirectoryStream<Path> entries) {
        this.folder = folder;
        this.entries = entries;
    }

    static DirectoryStream<Path> open(Path folder, String prefix) throws IOException {
        try {
            return new FolderStream(folder, Files.newDirectoryStream(folder.resolve("."), new NamePrefix(prefix)));
        } catch (NotDirectoryException e) {
            throw new NotDirectoryException(folder.toString());
        } catch (NoSuchFileException e) {
            throw new NoSuchFileException(folder.toString());
        }
    }

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
                return folder.resolve(all.next().getFileName());
            }
        };
    }

    @Override
    public void close() throws IOException {
        try {
            entries.close();
        } catch (IOException | RuntimeException e) {
            throw e;
        } catch (Exception e) {
            // The JDK's UnixException, which is checked and not declared, comes out where close(2) fails. Nobody up there expects it.
            throw new IOException(folder + " could not be closed: " + e, e);
        }
    }
}

package dev.sessionlock.internal.system;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.DirectoryIteratorException;
import java.nio.file.DirectoryStream;
import java.nio.file.FileSystemException;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.attribute.BasicFileAttributes;
import java.nio.file.attribute.UserDefinedFileAttributeView;
import java.util.Locale;
import java.util.concurrent.ThreadLocalRandom;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;
import org.jspecify.annotations.Nullable;

/**
 * Windows, on a file system with hard links and named streams (NTFS, ReFS).
 *
 * <p><b>Which file is it?</b> Java has no file keys here: it knows the file's index, and compares two files by it that are both there now ({@code
 * Files.isSameFile}), but does not show it. So it cannot be remembered. The time of creation does not tell either: a file that is created, or renamed, to
 * a name that was free for less than 15 s gets the time of the file that had the name before ("tunneling"). So each file that the library creates gets a random
 * number in a named stream ({@link UserDefinedFileAttributeView}). A stream belongs to the file, as an inode does: all hard links show it, a rename keeps it,
 * writing the content does not touch it, and a new file has none.
 *
 * <p>A copy that takes the streams along has the number, too; its time of creation is another one, so that is part of the identity. A tool that copies
 * both makes a file that looks the same; it cannot be put in the place of a file that is open and mapped.
 *
 * <p>Files of other programs have no number. What is judged of them is their content and their age. So for these two files are the same if their size and their times
 * of creation and change are.
 */
final class WindowsFiles implements SystemFiles {
    /** The stream. Processes of all versions must agree on it. */
    static final String ID = "sessionlock.id";

    private static final int ID_BYTES = 32;
    private static final long WAIT_MILLIS = 1_000;

    @Override
    public Object identity(Path path, BasicFileAttributes attributes) throws IOException {
        String id = attributes.isRegularFile() || attributes.isDirectory() ? idOf(path) : null;
        if (id == null) {
            id = attributes.isDirectory() ? "directory" : attributes.lastModifiedTime() + "/" + attributes.size();
        }
        return attributes.creationTime() + "/" + id;
    }

    /** {@return the number that a file was given; null if it has none} */
    private static @Nullable String idOf(Path path) throws IOException {
        UserDefinedFileAttributeView streams = streamsOf(path);
        try {
            if (!streams.list().contains(ID)) {
                return null;
            }
            if (streams.size(ID) != ID_BYTES) {
                return null; // it is just being given
            }
            ByteBuffer id = ByteBuffer.allocate(ID_BYTES);
            streams.read(ID, id);
            return new String(id.array(), StandardCharsets.US_ASCII);
        } catch (NoSuchFileException e) {
            throw e;
        } catch (FileSystemException e) {
            if (!Files.exists(path, LinkOption.NOFOLLOW_LINKS)) {
                throw new NoSuchFileException(path.toString());
            }
            throw e;
        }
    }

    private static UserDefinedFileAttributeView streamsOf(Path path) throws IOException {
        UserDefinedFileAttributeView streams = Files.getFileAttributeView(path, UserDefinedFileAttributeView.class, LinkOption.NOFOLLOW_LINKS);
        if (streams == null) {
            throw new FileSystemException(path.toString(), null, "its file system has no named streams, by which files are told apart here: use NTFS or ReFS");
        }
        return streams;
    }

    @Override
    public void giveIdentity(Path created) throws IOException {
        ThreadLocalRandom random = ThreadLocalRandom.current();
        String id = String.format(Locale.ROOT, "%016x%016x", random.nextLong(), random.nextLong());
        streamsOf(created).write(ID, ByteBuffer.wrap(id.getBytes(StandardCharsets.US_ASCII)));
    }

    @Override
    public boolean awaitIdentity(Path existing) throws IOException {
        boolean interrupted = false;
        try {
            for (long start = System.nanoTime(); ; ) {
                BasicFileAttributes there = Files.readAttributes(existing, BasicFileAttributes.class, LinkOption.NOFOLLOW_LINKS);
                long age = System.currentTimeMillis() - there.creationTime().toMillis();
                if (idOf(existing) != null) {
                    return true;
                } else if (Math.abs(age) > WAIT_MILLIS || System.nanoTime() - start > TimeUnit.MILLISECONDS.toNanos(WAIT_MILLIS)) {
                    return false;
                }
                LockSupport.parkNanos(1_000_000);
                interrupted |= Thread.interrupted(); // else parkNanos would return at once, for ever
            }
        } catch (NoSuchFileException e) {
            return false; // nobody gives it one any more
        } finally {
            if (interrupted) {
                Thread.currentThread().interrupt();
            }
        }
    }

    /** Java does not tell how many names a file has here. Only the library's files are asked for, and these have a number. */
    @Override
    public boolean hasOtherName(Path file, Path... folders) throws IOException {
        String id = idOrNull(file);
        for (Path folder : id == null ? new Path[0] : folders) {
            try (DirectoryStream<Path> all = Files.newDirectoryStream(folder)) {
                for (Path other : all) {
                    if (!other.equals(file) && id.equals(idOrNull(other))) {
                        return true;
                    }
                }
            } catch (DirectoryIteratorException e) {
                throw e.getCause();
            } catch (NoSuchFileException e) {
                continue; // no file is there
            }
        }
        return false;
    }

    private static @Nullable String idOrNull(Path file) throws IOException {
        try {
            return Files.isRegularFile(file, LinkOption.NOFOLLOW_LINKS) ? idOf(file) : null;
        } catch (NoSuchFileException e) {
            return null;
        }
    }
}

package dev.sessionlock.internal.directory;

import dev.sessionlock.internal.directory.LockStore.Found;
import java.io.EOFException;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.ClosedByInterruptException;
import java.nio.channels.FileChannel;
import java.nio.file.AccessDeniedException;
import java.nio.file.FileSystemException;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.attribute.BasicFileAttributes;
import java.util.concurrent.locks.LockSupport;
import org.jspecify.annotations.Nullable;

/**
 * Reads what lies where a record may lie: at {@code x.lock} or {@code takeover-x}. Anybody may have put anything there. So no link is followed, nothing
 * is opened that could block, and no more is read than a lock can be long. It judges only what a file says, not whether its owner lives.
 */
final class LockFileReader {
    private static final int MOST_BYTES = 64 * 1024;
    private static final int REREADS = 5;

    private LockFileReader() {
    }

    /** {@return the file at a path, read as far as it can be a lock; null if there is none} */
    static @Nullable Found read(Path path) throws IOException {
        return read(path, innerOf(path));
    }

    /** As {@link #read(Path)}, where {@code .session-locks} is reached by another path. */
    static @Nullable Found read(Path path, Path inner) throws IOException {
        for (int i = 1; ; i++) {
            BasicFileAttributes attributes = attributesOf(path);
            if (attributes == null) {
                return null;
            }
            Found found = found(path, attributes, inner);
            if (i == REREADS || found != null && !(found.content() instanceof LockContent.Torn)) {
                return found;
            }
            LockSupport.parkNanos(200_000); // it vanished between two looks, or was read while its owner rewrote it
        }
    }

    /** As {@link #read}, but without a second reading: the caller looks again if it is in doubt. */
    static @Nullable Found readOnce(Path path) throws IOException {
        BasicFileAttributes attributes = attributesOf(path);
        return attributes == null ? null : found(path, attributes, innerOf(path));
    }

    /** {@return the attributes of what lies at a path, which may be a link; null if nothing does} */
    static @Nullable BasicFileAttributes attributesOf(Path path) throws IOException {
        try {
            return Files.readAttributes(path, BasicFileAttributes.class, LinkOption.NOFOLLOW_LINKS);
        } catch (NoSuchFileException e) {
            return null;
        }
    }

    /** {@return the file; null if it has vanished since its attributes were read} */
    private static @Nullable Found found(Path path, BasicFileAttributes attributes, Path inner) throws IOException {
        Object key = FileKey.ofIfThere(path, attributes); // before the content: whoever judges that must not remove a file that came after it
        LockContent content = key == null ? null : contentOf(path, attributes);
        if (key == null || content == null) {
            return null;
        }
        long age = System.currentTimeMillis() - attributes.lastModifiedTime().toMillis();
        return new Found(told(content, path, key, inner), key, Math.max(0, age), 0);
    }

    /**
     * {@return what the content is, if its text alone does not tell} A power cut may leave only an empty file of a record, and somebody may have
     * edited one. That the file is ours is then known by its other name, that of a spare record file. Otherwise a session whose file does not exist
     * yet could never be locked again.
     */
    private static LockContent told(LockContent content, Path path, Object key, Path inner) throws IOException {
        if (content instanceof LockContent.Ours) {
            return content;
        }
        boolean explained = content instanceof LockContent.Torn || content instanceof LockContent.Foreign foreign && foreign.createdAt() != null;
        if (!explained && RecordFilePool.contains(inner, path, key)) {
            return new LockContent.Torn(content instanceof LockContent.Empty ? "it is one of our record files and empty, as a power cut leaves it"
                    : "it is one of our record files and holds something else: somebody edited it");
        }
        String known = KnownLockFiles.at(path);
        return known == null ? content : new LockContent.NotALock(known);
    }

    private static Path innerOf(Path record) {
        Path parent = record.getParent();
        return parent.endsWith(LockDirectory.INNER) ? parent : parent.resolve(LockDirectory.INNER);
    }

    private static @Nullable LockContent contentOf(Path path, BasicFileAttributes attributes) throws IOException {
        if (!attributes.isRegularFile()) {
            return new LockContent.NotALock(attributes.isDirectory() ? "a directory"
                    : attributes.isSymbolicLink() ? "a symbolic link" : "a FIFO, socket or device");
        }
        boolean huge = attributes.size() > MOST_BYTES;
        try {
            LockContent content = LockContent.parse(bytesOf(path, huge ? RecordCodec.SIZE : MOST_BYTES));
            return !huge || content instanceof LockContent.Ours ? content : new LockContent.NotALock("a file of " + attributes.size() + " bytes");
        } catch (EOFException e) {
            return new LockContent.Torn("it shrank while it was read");
        } catch (NoSuchFileException e) {
            return null;
        } catch (AccessDeniedException e) {
            return new LockContent.NotALock("a file that this user may not read");
        } catch (FileSystemException e) {
            if (Files.isSymbolicLink(path)) {
                return new LockContent.NotALock("a symbolic link"); // put there just now: it is not followed
            }
            throw e;
        }
    }

    /** Follows no link, and also works on an interrupted thread, for which a channel is closed. */
    private static byte[] bytesOf(Path path, int most) throws IOException {
        boolean interrupted = Thread.interrupted();
        try {
            while (true) {
                try (FileChannel file = FileReading.openToRead(path)) {
                    ByteBuffer bytes = ByteBuffer.allocate((int) Math.min(file.size(), most));
                    while (bytes.hasRemaining()) {
                        if (file.read(bytes) < 0) {
                            throw new EOFException();
                        }
                    }
                    return bytes.array();
                } catch (ClosedByInterruptException e) {
                    interrupted |= Thread.interrupted();
                }
            }
        } finally {
            if (interrupted) {
                Thread.currentThread().interrupt();
            }
        }
    }
}

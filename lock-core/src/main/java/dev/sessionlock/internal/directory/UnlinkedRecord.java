package dev.sessionlock.internal.directory;

import dev.sessionlock.internal.system.OpenFile;
import dev.sessionlock.internal.system.SystemFiles;
import java.io.IOException;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import org.jspecify.annotations.Nullable;

/**
 * A record where hard links are refused: its bytes, until they are in a file of their own. Such a file cannot be at two locations, and a reader may meet
 * it half-written. Elsewhere a record is a {@link RecordFilePool.PooledFile}.
 */
final class UnlinkedRecord implements LockStore.RecordFile {
    private byte[] record;
    private @Nullable Object key;
    /** The record's own file, open while it is ours, so that no other file is given its inode number. */
    private @Nullable OpenFile pin;

    UnlinkedRecord(byte[] record) {
        this.record = record;
    }

    void unpin() throws IOException {
        OpenFile open = pin;
        pin = null;
        if (open != null) {
            open.close();
        }
    }

    /** {@return the inode of its file, as Java tells it; null if it has none yet} */
    @Nullable Object key() {
        return key;
    }

    /** Writes other bytes: into its file, if that is at one of these paths. */
    void rewrite(byte[] bytes, Path... paths) throws IOException {
        record = bytes;
        for (Path path : paths) {
            if (pin != null && key != null && key.equals(FileKey.ofOrNull(path))) {
                pin.seek(0);
                pin.write(bytes);
            }
        }
    }

    /**
     * For file systems that refuse hard links: a reader may meet an empty or half-written record. Not through a channel: an interrupt would leave it
     * so.
     */
    boolean create(Path path, LockDirectory directory) throws IOException {
        if (!directory.isInPlace()) {
            throw new NoSuchFileException(directory.inner().toString()); // what linking a record file would have thrown
        }
        FileMode.Made made;
        try {
            made = directory.mode().create(path);
        } catch (FileAlreadyExistsException e) {
            return false;
        }
        boolean whole = false;
        try {
            pin = made.file();
            key = made.key();
            pin.write(record);
            whole = true;
        } finally {
            if (!whole) {
                unpin();
                SystemFiles.OF_THIS_PROCESS.remove(path).done();
            }
        }
        return true;
    }
}

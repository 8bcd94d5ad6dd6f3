package dev.sessionlock.testkit.disk;

import java.io.IOException;
import java.nio.channels.FileChannel;
import java.nio.file.OpenOption;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.function.Function;

/**
 * The handles that this JVM has open, by file. On the real system, closing any descriptor of a file drops all locks of the process on it. So a channel stays open until
 * no other handle has a lock. And the streams of a file are read once before it is locked, since the JDK opens and closes a file to read its extended attributes.
 */
final class OpenHandles {
    /** What a handle does with its file, and may allow others to do. */
    enum Access {
        READ, WRITE, DELETE;

        /** {@return whether an option of {@code com.sun.nio.file.ExtendedOpenOption} forbids it to others} */
        boolean isForbiddenBy(Set<? extends OpenOption> options) {
            return options.stream().anyMatch(option -> option.toString().equals("NOSHARE_" + name()));
        }
    }

    /** What is open of one file. */
    private static final class OfOneFile {
        private final List<HandleChannel> handles = new ArrayList<>();
        private final List<FileChannel> parked = new ArrayList<>();
        /** As they were before the file was locked. */
        private Map<String, byte[]> streams = Map.of();

        boolean isLocked() {
            return handles.stream().anyMatch(HandleChannel::hasLocks);
        }
    }

    /** Touches a file by its path. */
    interface Touch<T> {
        T run() throws IOException;
    }

    // guarded by this
    private final Map<Object, OfOneFile> files = new HashMap<>();

    /** {@return whether a file may be opened beside the handles on it} */
    synchronized boolean mayOpen(Object file, Set<Access> wanted, Set<Access> forbidden) {
        OfOneFile open = files.get(file);
        return open == null || open.handles.stream().noneMatch(other -> wanted.stream().anyMatch(other.forbidden()::contains)
                || forbidden.stream().anyMatch(other.wanted()::contains));
    }

    synchronized void opened(HandleChannel handle) {
        files.computeIfAbsent(handle.file(), file -> new OfOneFile()).handles.add(handle);
    }

    synchronized boolean isOpen(Object file) {
        OfOneFile open = files.get(file);
        return open != null && !open.handles.isEmpty();
    }

    /** {@return whether another handle has locked a byte of a range; for reading, only an exclusive lock counts} */
    synchronized boolean isLockedByAnother(HandleChannel asking, long position, long size, boolean reading) {
        OfOneFile open = files.get(asking.file());
        return open != null && open.handles.stream().anyMatch(other -> other != asking && other.hasLock(position, size, reading));
    }

    /** {@return whether this JVM has locked a byte of a file} */
    synchronized boolean isLocked(Object file) {
        OfOneFile open = files.get(file);
        return open != null && open.isLocked();
    }

    /** Does something that opens and closes a file, or uses what was remembered of its streams if that would drop locks. */
    synchronized <T> T onStreams(Object file, Touch<T> touch, Function<Map<String, byte[]>, T> remembered) throws IOException {
        return isLocked(file) ? remembered.apply(files.get(file).streams) : touch.run();
    }

    /** Locks a file. */
    synchronized <T> T locking(HandleChannel handle, Touch<Map<String, byte[]>> streams, Touch<T> lock) throws IOException {
        OfOneFile open = files.get(handle.file());
        if (open != null && !open.isLocked()) {
            open.streams = streams.run();
        }
        return lock.run();
    }

    /** A handle has given its locks back, and is closed. */
    synchronized void closed(HandleChannel handle, FileChannel real) throws IOException {
        OfOneFile open = files.get(handle.file());
        if (open == null || !open.handles.remove(handle)) {
            real.close();
            return;
        }
        open.parked.add(real);
        if (!open.isLocked()) {
            for (FileChannel parked : open.parked) {
                parked.close();
            }
            open.parked.clear();
            if (open.handles.isEmpty()) {
                files.remove(handle.file());
            }
        }
    }
}
